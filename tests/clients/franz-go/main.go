// franz-go: the whole contract by assignment, without a consumer group.
package main

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"logan/tests/clients/suite"
)

const timeout = 20 * time.Second

type client struct {
	bootstrap string
	kafka     *kgo.Client
	admin     *kadm.Client
}

func main() {
	suite.Main(func(bootstrap string) (suite.Client, error) {
		kafka, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
		if err != nil {
			return nil, err
		}
		return &client{bootstrap, kafka, kadm.NewClient(kafka)}, nil
	})
}

func within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), timeout)
}

func (c *client) Traits() suite.Traits {
	return suite.Traits{Name: "franz-go", Idempotence: true, NullHeaders: true}
}

func (c *client) Nodes() (int, error) {
	ctx, cancel := within()
	defer cancel()
	brokers, err := c.admin.ListBrokers(ctx)
	return len(brokers), err
}

func (c *client) Create(topic string, partitions, replicas int) error {
	ctx, cancel := within()
	defer cancel()
	configs := map[string]*string{suite.RetentionKey: kadm.StringPtr(suite.RetentionForEver)}
	_, err := c.admin.CreateTopic(ctx, int32(partitions), int16(replicas), configs, topic)
	return err
}

func (c *client) Delete(topic string) error {
	ctx, cancel := within()
	defer cancel()
	_, err := c.admin.DeleteTopic(ctx, topic)
	return err
}

func (c *client) Topics() ([]string, error) {
	ctx, cancel := within()
	defer cancel()
	topics, err := c.admin.ListTopics(ctx)
	return topics.Names(), err
}

func (c *client) TopicConfig(topic, key string) (string, error) {
	ctx, cancel := within()
	defer cancel()
	resources, err := c.admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return "", err
	}
	resource, err := resources.On(topic, nil)
	for _, config := range resource.Configs {
		if config.Key == key {
			return config.MaybeValue(), errors.Join(err, resource.Err)
		}
	}
	return "", errors.Join(err, resource.Err)
}

func (c *client) Produce(topic string, variant suite.Variant, records []suite.Record) error {
	codec := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}[variant.Codec]
	acks := map[int]kgo.Acks{-1: kgo.AllISRAcks(), 0: kgo.NoAck(), 1: kgo.LeaderAck()}[variant.Acks]
	options := []kgo.Opt{
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(codec), kgo.RequiredAcks(acks),
		kgo.ProducerLinger(5 * time.Millisecond),
	}
	if !variant.Idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	var list []*kgo.Record
	for _, record := range records {
		headers := make([]kgo.RecordHeader, len(record.Headers))
		for i, header := range record.Headers {
			headers[i] = kgo.RecordHeader{Key: header.Key, Value: header.Value}
		}
		list = append(list, &kgo.Record{
			Topic: topic, Partition: int32(record.Partition), Key: record.Key, Value: record.Value, Headers: headers,
			Timestamp: time.UnixMilli(record.TimestampMs),
		})
	}
	return c.send(options, list...)
}

func (c *client) send(options []kgo.Opt, records ...*kgo.Record) error {
	// No RecordDeliveryTimeout: it counts from the record's own timestamp, and those of the samples lie years back.
	producer, err := kgo.NewClient(append(options, kgo.SeedBrokers(c.bootstrap))...)
	if err != nil {
		return err
	}
	defer producer.Close()
	ctx, cancel := within()
	defer cancel()
	return producer.ProduceSync(ctx, records...).FirstErr()
}

func (c *client) ProduceAuto(topic string, value []byte) error {
	options := []kgo.Opt{
		kgo.AllowAutoTopicCreation(), kgo.ProducerBatchMaxBytes(8 << 20), kgo.ProducerBatchCompression(kgo.NoCompression()),
	}
	return c.send(options, &kgo.Record{Topic: topic, Value: value})
}

func (c *client) ProduceBadAcks(string) error {
	return errors.New("franz-go offers no other acks")
}

func (c *client) Read(topic string, partition int, offset int64, count int) ([]suite.Record, error) {
	at := map[string]map[int32]kgo.Offset{topic: {int32(partition): kgo.NewOffset().At(offset)}}
	consumer, err := kgo.NewClient(
		kgo.SeedBrokers(c.bootstrap), kgo.ConsumePartitions(at), kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	ctx, cancel := within()
	defer cancel()
	var records []suite.Record
	for len(records) < count {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return records, err
		}
		fetches.EachRecord(func(record *kgo.Record) {
			var headers []suite.Header
			for _, header := range record.Headers {
				headers = append(headers, suite.Header{Key: header.Key, Value: header.Value})
			}
			records = append(records, suite.Record{
				Partition: int(record.Partition), Offset: record.Offset, TimestampMs: record.Timestamp.UnixMilli(),
				Key: record.Key, Value: record.Value, Headers: headers,
			})
		})
	}
	return records, nil
}

func (c *client) OffsetAt(topic string, partition int, timestampMs int64) (int64, error) {
	ctx, cancel := within()
	defer cancel()
	return offsetOf(topic, partition)(c.admin.ListOffsetsAfterMilli(ctx, timestampMs, topic))
}

func (c *client) Ends(topic string, partition int) (int64, int64, error) {
	ctx, cancel := within()
	defer cancel()
	first, err := offsetOf(topic, partition)(c.admin.ListStartOffsets(ctx, topic))
	if err != nil {
		return 0, 0, err
	}
	end, err := offsetOf(topic, partition)(c.admin.ListEndOffsets(ctx, topic))
	return first, end, err
}

func offsetOf(topic string, partition int) func(kadm.ListedOffsets, error) (int64, error) {
	return func(listed kadm.ListedOffsets, err error) (int64, error) {
		if err != nil {
			return 0, err
		}
		offset, _ := listed.Lookup(topic, int32(partition))
		return offset.Offset, offset.Err
	}
}

func (c *client) DescribeUnknown(topic string) error {
	ctx, cancel := within()
	defer cancel()
	metadata, err := c.admin.Metadata(ctx, topic)
	return errors.Join(err, metadata.Topics[topic].Err)
}

func (c *client) ErrorCode(err error) int {
	var known *kerr.Error
	if errors.As(err, &known) {
		return int(known.Code)
	}
	return 0
}
