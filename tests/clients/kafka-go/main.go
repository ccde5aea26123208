// segmentio/kafka-go: the whole contract by assignment, without a consumer group.
//
// It has no idempotent producer. Its Writer hides the partition and the batch, so the samples are sent with Client.Produce,
// one request a partition; the automatic creation of a topic is the Writer's.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/segmentio/kafka-go"

	"logan/tests/clients/suite"
)

const timeout = 20 * time.Second

// transport names the client plainly; by default kafka-go sends the name of the machine.
var transport = &kafka.Transport{ClientID: "kafka-go"}

type client struct {
	address net.Addr
	kafka   *kafka.Client
}

func main() {
	suite.Main(func(bootstrap string) (suite.Client, error) {
		address := kafka.TCP(bootstrap)
		return &client{address, &kafka.Client{Addr: address, Timeout: timeout, Transport: transport}}, nil
	})
}

func within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), timeout)
}

func (c *client) Traits() suite.Traits {
	return suite.Traits{Name: "segmentio/kafka-go", BadAcks: true, NullHeaders: true}
}

func (c *client) Nodes() (int, error) {
	ctx, cancel := within()
	defer cancel()
	metadata, err := c.kafka.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return 0, err
	}
	return len(metadata.Brokers), nil
}

func (c *client) Create(topic string, partitions, replicas int) error {
	ctx, cancel := within()
	defer cancel()
	created, err := c.kafka.CreateTopics(ctx, &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{
			Topic: topic, NumPartitions: partitions, ReplicationFactor: replicas,
			ConfigEntries: []kafka.ConfigEntry{{ConfigName: suite.RetentionKey, ConfigValue: suite.RetentionForEver}},
		}},
	})
	if err != nil {
		return err
	}
	return created.Errors[topic]
}

func (c *client) Delete(topic string) error {
	ctx, cancel := within()
	defer cancel()
	deleted, err := c.kafka.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	if err != nil {
		return err
	}
	return deleted.Errors[topic]
}

func (c *client) Topics() ([]string, error) {
	ctx, cancel := within()
	defer cancel()
	metadata, err := c.kafka.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, topic := range metadata.Topics {
		names = append(names, topic.Name)
	}
	return names, nil
}

func (c *client) TopicConfig(topic, key string) (string, error) {
	ctx, cancel := within()
	defer cancel()
	described, err := c.kafka.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{
			{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{key}},
		},
	})
	if err != nil {
		return "", err
	}
	for _, entry := range described.Resources[0].ConfigEntries {
		if entry.ConfigName == key {
			return entry.ConfigValue, nil
		}
	}
	return "", described.Resources[0].Error
}

func (c *client) Produce(topic string, variant suite.Variant, records []suite.Record) error {
	codec := map[string]kafka.Compression{
		"none": 0, "gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd,
	}[variant.Codec]
	for partition := range suite.Partitions {
		var batch []kafka.Record
		for _, record := range records {
			if record.Partition == partition {
				batch = append(batch, outgoing(record))
			}
		}
		if err := c.send(topic, partition, kafka.RequiredAcks(variant.Acks), codec, batch...); err != nil {
			return err
		}
	}
	return nil
}

func outgoing(record suite.Record) kafka.Record {
	result := kafka.Record{Time: time.UnixMilli(record.TimestampMs)}
	if record.Key != nil {
		result.Key = kafka.NewBytes(record.Key)
	}
	if record.Value != nil {
		result.Value = kafka.NewBytes(record.Value)
	}
	for _, header := range record.Headers {
		result.Headers = append(result.Headers, kafka.Header{Key: header.Key, Value: header.Value})
	}
	return result
}

func (c *client) send(topic string, partition int, acks kafka.RequiredAcks, codec kafka.Compression, batch ...kafka.Record) error {
	ctx, cancel := within()
	defer cancel()
	produced, err := c.kafka.Produce(ctx, &kafka.ProduceRequest{
		Topic: topic, Partition: partition, RequiredAcks: acks, Compression: codec, Records: kafka.NewRecordReader(batch...),
	})
	if err != nil || produced == nil { // acks=0 has no response
		return err
	}
	return produced.Error
}

func (c *client) ProduceAuto(topic string, value []byte) error {
	writer := kafka.Writer{
		Addr: c.address, Topic: topic, AllowAutoTopicCreation: true, RequiredAcks: kafka.RequireAll, BatchBytes: 8 << 20,
		BatchTimeout: 5 * time.Millisecond, Transport: transport,
	}
	defer writer.Close()
	ctx, cancel := within()
	defer cancel()
	// The topic is created by the first attempt's Metadata request, which is itself answered before it exists.
	for {
		err := writer.WriteMessages(ctx, kafka.Message{Value: value})
		if !errors.Is(err, kafka.UnknownTopicOrPartition) && !errors.Is(err, kafka.LeaderNotAvailable) {
			return err
		}
	}
}

func (c *client) ProduceBadAcks(topic string) error {
	return c.send(topic, 0, kafka.RequiredAcks(2), 0, kafka.Record{Value: kafka.NewBytes([]byte("x"))})
}

func (c *client) Read(topic string, partition int, offset int64, count int) ([]suite.Record, error) {
	var records []suite.Record
	for len(records) < count {
		got, err := c.fetch(topic, partition, offset+int64(len(records)))
		if err != nil {
			return records, err
		}
		if len(got) == 0 {
			return records, fmt.Errorf("%d of %d records, then an empty response", len(records), count)
		}
		records = append(records, got...)
	}
	return records, nil
}

// fetch returns what one Fetch request brings, without the records of the first batch that lie before the offset.
func (c *client) fetch(topic string, partition int, offset int64) ([]suite.Record, error) {
	ctx, cancel := within()
	defer cancel()
	fetched, err := c.kafka.Fetch(ctx, &kafka.FetchRequest{
		Topic: topic, Partition: partition, Offset: offset, MinBytes: 1, MaxBytes: 16 << 20, MaxWait: time.Second,
	})
	if err != nil {
		return nil, err
	}
	if fetched.Error != nil {
		return nil, fetched.Error
	}
	var records []suite.Record
	for {
		record, err := fetched.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return nil, err
		}
		incoming, err := incoming(partition, record)
		if err != nil {
			return nil, err
		}
		if incoming.Offset >= offset {
			records = append(records, incoming)
		}
	}
}

func incoming(partition int, record *kafka.Record) (suite.Record, error) {
	result := suite.Record{Partition: partition, Offset: record.Offset, TimestampMs: record.Time.UnixMilli()}
	var err error
	if result.Key, err = kafka.ReadAll(record.Key); err != nil {
		return result, err
	}
	if result.Value, err = kafka.ReadAll(record.Value); err != nil {
		return result, err
	}
	for _, header := range record.Headers {
		result.Headers = append(result.Headers, suite.Header{Key: header.Key, Value: header.Value})
	}
	return result, nil
}

func (c *client) listOffsets(topic string, requests ...kafka.OffsetRequest) (kafka.PartitionOffsets, error) {
	ctx, cancel := within()
	defer cancel()
	listed, err := c.kafka.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: requests}})
	if err != nil {
		return kafka.PartitionOffsets{}, err
	}
	return listed.Topics[topic][0], listed.Topics[topic][0].Error
}

func (c *client) OffsetAt(topic string, partition int, timestampMs int64) (int64, error) {
	found, err := c.listOffsets(topic, kafka.TimeOffsetOf(partition, time.UnixMilli(timestampMs)))
	for offset := range found.Offsets {
		return offset, err
	}
	return -1, err
}

func (c *client) Ends(topic string, partition int) (int64, int64, error) {
	found, err := c.listOffsets(topic, kafka.FirstOffsetOf(partition), kafka.LastOffsetOf(partition))
	return found.FirstOffset, found.LastOffset, err
}

func (c *client) DescribeUnknown(topic string) error {
	ctx, cancel := within()
	defer cancel()
	metadata, err := c.kafka.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return err
	}
	return metadata.Topics[0].Error
}

func (c *client) ErrorCode(err error) int {
	var several kafka.WriteErrors
	if errors.As(err, &several) {
		err = several[0]
	}
	var tooLarge kafka.MessageTooLargeError
	if errors.As(err, &tooLarge) {
		return int(kafka.MessageSizeTooLarge)
	}
	var code kafka.Error
	if errors.As(err, &code) {
		return int(code)
	}
	return 0
}
