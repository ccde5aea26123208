// franz-go: produces as fast as it can, idempotently, and reads it all back at the same time. The value of a record is
// its number among those of its partition, so every gap, repetition and change of order shows.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	digits         = 20
	valueBytes     = 1000
	bufferedMax    = 20_000
	readSecondsMax = 60
)

type options struct {
	bootstrap, topic             string
	partitions, seconds, retries int
}

func main() {
	var o options
	flag.StringVar(&o.bootstrap, "bootstrap", "", "`HOST:PORT` of the broker")
	flag.StringVar(&o.topic, "topic", "", "`TOPIC` to use")
	flag.IntVar(&o.partitions, "partitions", 0, "its number of partitions")
	flag.IntVar(&o.seconds, "seconds", 0, "how long to produce")
	flag.IntVar(&o.retries, "retries", 0, "how often a record may be sent again")
	flag.Parse()
	wanted, problem := &atomic.Int64{}, make(chan error, 1)
	wanted.Store(-1)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { problem <- read(ctx, o, wanted) }()
	sent, failed, err := produce(o)
	wanted.Store(sent)
	fmt.Printf("%d records, %d failed\n", sent, failed)
	if err == nil {
		timer := time.AfterFunc(readSecondsMax*time.Second, cancel)
		defer timer.Stop()
		err = <-problem
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func produce(o options) (sent, failed int64, err error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(o.bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RecordRetries(o.retries),
		kgo.MaxBufferedRecords(bufferedMax), kgo.ProducerLinger(5*time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }))
	if err != nil {
		return 0, 0, err
	}
	defer client.Close()
	ctx, failures, first := context.Background(), &atomic.Int64{}, &atomic.Value{}
	for end := time.Now().Add(time.Duration(o.seconds) * time.Second); time.Now().Before(end) && failures.Load() == 0; sent++ {
		partition, number := sent%int64(o.partitions), sent/int64(o.partitions)
		value := make([]byte, digits+valueBytes)
		copy(value, fmt.Sprintf("%0*d", digits, number))
		record := &kgo.Record{Topic: o.topic, Partition: int32(partition), Value: value}
		client.Produce(ctx, record, func(_ *kgo.Record, err error) {
			if err != nil {
				failures.Add(1)
				first.CompareAndSwap(nil, err.Error())
			}
		})
	}
	if err := client.Flush(ctx); err != nil {
		return sent, failures.Load(), err
	}
	if failed := failures.Load(); failed > 0 {
		return sent, failed, fmt.Errorf("first failure: %v", first.Load())
	}
	return sent, 0, nil
}

// read reads every partition from its start until it has as many records as are wanted.
func read(ctx context.Context, o options, wanted *atomic.Int64) error {
	starts := map[int32]kgo.Offset{}
	for partition := range o.partitions {
		starts[int32(partition)] = kgo.NewOffset().AtStart()
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(o.bootstrap), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{o.topic: starts}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	if err != nil {
		return err
	}
	defer client.Close()
	var found int64
	next := make([]int64, o.partitions)
	for found != wanted.Load() {
		poll, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		fetches := client.PollFetches(poll)
		cancel()
		if ctx.Err() != nil {
			return fmt.Errorf("%d of %d records were read", found, wanted.Load())
		}
		for iterator := fetches.RecordIter(); !iterator.Done(); {
			record := iterator.Next()
			number, err := strconv.ParseInt(string(record.Value[:digits]), 10, 64)
			expected := next[record.Partition]
			if err != nil || number != expected || record.Offset != expected {
				return fmt.Errorf("partition %d: number %d at offset %d, not %d", record.Partition, number, record.Offset, expected)
			}
			next[record.Partition]++
			found++
		}
	}
	return nil
}
