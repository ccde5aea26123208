// franz-go: writes records at a rate, idempotently, reads them back at the same time, and tells what was acknowledged and what
// was read. What it prints is described in `journal.py`.
package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	digits        = 20
	fillerMax     = 1500
	flushEvery    = 5 * time.Millisecond
	flushMax      = 120 * time.Second
	readLingering = 2 * time.Second
	bufferedMax   = 5_000
)

type options struct {
	bootstrap, topic string
	partitions, rate int
}

// journal prints lines whole, and soon.
type journal struct {
	lock sync.Mutex
	out  *bufio.Writer
}

func (j *journal) tell(word string, partition int32, offset int64, number string) {
	at := time.Now().UnixNano()
	j.lock.Lock()
	defer j.lock.Unlock()
	fmt.Fprintf(j.out, "%s %d %d %d %s\n", word, at, partition, offset, number)
}

func (j *journal) say(text string) {
	j.lock.Lock()
	defer j.lock.Unlock()
	fmt.Fprintln(j.out, text)
	j.out.Flush()
}

func main() {
	var o options
	flag.StringVar(&o.bootstrap, "bootstrap", "", "`HOST:PORT` of the broker")
	flag.StringVar(&o.topic, "topic", "", "`TOPIC` to use")
	flag.IntVar(&o.partitions, "partitions", 0, "its number of partitions")
	flag.IntVar(&o.rate, "rate", 0, "records a second")
	flag.Parse()
	j := &journal{out: bufio.NewWriterSize(os.Stdout, 1<<16)}
	go func() {
		for range time.Tick(flushEvery) {
			j.lock.Lock()
			j.out.Flush()
			j.lock.Unlock()
		}
	}()
	enough := make(chan struct{})
	go func() {
		bufio.NewReader(os.Stdin).ReadString('\n')
		close(enough)
	}()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { read(ctx, o, j); close(done) }()
	sent := produce(o, j, enough)
	time.Sleep(readLingering)
	cancel()
	<-done
	j.say(fmt.Sprintf("end %d", sent))
}

func produce(o options, j *journal, enough <-chan struct{}) int64 {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(o.bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(bufferedMax),
		kgo.ProducerLinger(2*time.Millisecond), kgo.UnknownTopicRetries(1_000),
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }))
	if err != nil {
		j.say("fault " + err.Error())
		return 0
	}
	defer client.Close()
	ctx, began, number := context.Background(), time.Now(), int64(0)
	for open := true; open; number++ {
		due := began.Add(time.Duration(number) * time.Second / time.Duration(o.rate))
		select {
		case <-enough:
			open = false
		case <-time.After(time.Until(due)):
		}
		text := fmt.Sprintf("%0*d", digits, number)
		value := append([]byte(text), bytes.Repeat([]byte("x"), int(number*7919%fillerMax))...)
		record := &kgo.Record{Topic: o.topic, Partition: int32(number % int64(o.partitions)), Value: value}
		client.Produce(ctx, record, func(record *kgo.Record, err error) {
			if err != nil {
				j.say(fmt.Sprintf("fault record %s: %v", text, err))
				return
			}
			j.tell("ack", record.Partition, record.Offset, strconv.FormatInt(numberOf(record.Value), 10))
		})
	}
	until, cancel := context.WithTimeout(ctx, flushMax)
	defer cancel()
	if err := client.Flush(until); err != nil {
		j.say("fault flush: " + err.Error())
	}
	return number
}

func numberOf(value []byte) int64 {
	if len(value) < digits {
		return -1
	}
	number, err := strconv.ParseInt(string(value[:digits]), 10, 64)
	if err != nil || len(value) != digits+int(number*7919%fillerMax) {
		return -1
	}
	return number
}

func read(ctx context.Context, o options, j *journal) {
	starts := map[int32]kgo.Offset{}
	for partition := range o.partitions {
		starts[int32(partition)] = kgo.NewOffset().AtStart()
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(o.bootstrap), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{o.topic: starts}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.FetchMaxWait(200*time.Millisecond))
	if err != nil {
		j.say("fault " + err.Error())
		return
	}
	defer client.Close()
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		for iterator := fetches.RecordIter(); !iterator.Done(); {
			record := iterator.Next()
			j.tell("got", record.Partition, record.Offset, strconv.FormatInt(numberOf(record.Value), 10))
		}
	}
}
