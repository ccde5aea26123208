// Flights out: reads every partition by assignment with franz-go, puts the rows in the order that their headers name and
// prints how many there were and the SHA-256 of their lines.
package main

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const timeout = 2 * time.Minute

func main() {
	bootstrap := flag.String("bootstrap", "", "`HOST:PORT` of the broker")
	topic := flag.String("topic", "", "`TOPIC` that holds the flights")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	rows, err := readAll(ctx, *bootstrap, *topic)
	if err != nil {
		fmt.Fprintln(os.Stderr, "consume:", err)
		os.Exit(1)
	}
	checksum := sha256.New()
	for row := range len(rows) {
		line, found := rows[row]
		if !found {
			fmt.Fprintf(os.Stderr, "consume: row %d is missing\n", row)
			os.Exit(1)
		}
		fmt.Fprintf(checksum, "%s\n", line)
	}
	fmt.Printf("%d %x\n", len(rows), checksum.Sum(nil))
}

// readAll returns the lines by row; a row that comes twice, or a gap in the offsets, is an error.
func readAll(ctx context.Context, bootstrap, topic string) (map[int][]byte, error) {
	ends, err := endOffsets(ctx, bootstrap, topic)
	if err != nil {
		return nil, err
	}
	var total int64
	starts := map[int32]kgo.Offset{}
	for partition, end := range ends {
		total += end
		starts[partition] = kgo.NewOffset().AtStart()
	}
	consumer, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: starts}))
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	rows, next := make(map[int][]byte, total), map[int32]int64{}
	for int64(len(rows)) < total {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("%d of %d records: %w", len(rows), total, err)
		}
		for iterator := fetches.RecordIter(); !iterator.Done(); {
			record := iterator.Next()
			if record.Offset != next[record.Partition] {
				return nil, fmt.Errorf("partition %d: offset %d after %d", record.Partition, record.Offset, next[record.Partition]-1)
			}
			next[record.Partition]++
			row, err := strconv.Atoi(string(record.Headers[0].Value))
			if err != nil {
				return nil, err
			}
			if _, twice := rows[row]; twice {
				return nil, fmt.Errorf("row %d came twice", row)
			}
			rows[row] = record.Value
		}
	}
	return rows, nil
}

func endOffsets(ctx context.Context, bootstrap, topic string) (map[int32]int64, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	listed, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	ends := map[int32]int64{}
	listed.Each(func(offset kadm.ListedOffset) { ends[offset.Partition] = offset.Offset })
	return ends, listed.Error()
}
