// sarama: the whole contract by assignment, without a consumer group.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"time"

	"github.com/IBM/sarama"

	"logan/tests/clients/suite"
)

const timeout = 20 * time.Second

type client struct {
	bootstrap string
	kafka     sarama.Client
	admin     sarama.ClusterAdmin
}

func main() {
	sarama.Logger = log.New(io.Discard, "", 0)
	suite.Main(func(bootstrap string) (suite.Client, error) {
		config := newConfig()
		config.Metadata.AllowAutoTopicCreation = false
		kafka, err := sarama.NewClient([]string{bootstrap}, config)
		if err != nil {
			return nil, err
		}
		admin, err := sarama.NewClusterAdminFromClient(kafka)
		return &client{bootstrap, kafka, admin}, err
	})
}

func newConfig() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.Producer.Return.Successes = true
	config.Producer.Timeout = timeout
	config.Consumer.Return.Errors = true
	return config
}

func (c *client) Traits() suite.Traits {
	return suite.Traits{Name: "sarama", Idempotence: true, BadAcks: true, NullHeaders: true}
}

func (c *client) Nodes() (int, error) {
	brokers, _, err := c.admin.DescribeCluster()
	return len(brokers), err
}

func (c *client) Create(topic string, partitions, replicas int) error {
	retention := suite.RetentionForEver
	return c.admin.CreateTopic(topic, &sarama.TopicDetail{
		NumPartitions: int32(partitions), ReplicationFactor: int16(replicas),
		ConfigEntries: map[string]*string{suite.RetentionKey: &retention},
	}, false)
}

func (c *client) Delete(topic string) error {
	return c.admin.DeleteTopic(topic)
}

func (c *client) Topics() ([]string, error) {
	details, err := c.admin.ListTopics()
	var names []string
	for name := range details {
		names = append(names, name)
	}
	return names, err
}

func (c *client) TopicConfig(topic, key string) (string, error) {
	entries, err := c.admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{key}})
	for _, entry := range entries {
		if entry.Name == key {
			return entry.Value, err
		}
	}
	return "", err
}

func (c *client) Produce(topic string, variant suite.Variant, records []suite.Record) error {
	config := newConfig()
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.RequiredAcks = sarama.RequiredAcks(variant.Acks)
	config.Producer.Compression = map[string]sarama.CompressionCodec{
		"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
		"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
	}[variant.Codec]
	config.Producer.Idempotent = variant.Idempotent
	if variant.Idempotent {
		config.Net.MaxOpenRequests = 1
	}
	var messages []*sarama.ProducerMessage
	for _, record := range records {
		message := &sarama.ProducerMessage{Topic: topic, Partition: int32(record.Partition), Timestamp: time.UnixMilli(record.TimestampMs)}
		if record.Key != nil {
			message.Key = sarama.ByteEncoder(record.Key)
		}
		if record.Value != nil {
			message.Value = sarama.ByteEncoder(record.Value)
		}
		for _, header := range record.Headers {
			message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte(header.Key), Value: header.Value})
		}
		messages = append(messages, message)
	}
	return c.send(config, messages...)
}

func (c *client) send(config *sarama.Config, messages ...*sarama.ProducerMessage) error {
	producer, err := sarama.NewSyncProducer([]string{c.bootstrap}, config)
	if err != nil {
		return err
	}
	defer producer.Close()
	err = producer.SendMessages(messages)
	var failed sarama.ProducerErrors
	if errors.As(err, &failed) {
		return failed[0].Err
	}
	return err
}

func (c *client) ProduceAuto(topic string, value []byte) error {
	config := newConfig()
	config.Producer.MaxMessageBytes = 8 << 20
	return c.send(config, &sarama.ProducerMessage{Topic: topic, Value: sarama.ByteEncoder(value)})
}

func (c *client) ProduceBadAcks(topic string) error {
	config := newConfig()
	config.Producer.RequiredAcks = 2
	config.Producer.Retry.Max = 0
	return c.send(config, &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("x")})
}

func (c *client) Read(topic string, partition int, offset int64, count int) ([]suite.Record, error) {
	consumer, err := sarama.NewConsumerFromClient(c.kafka)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	reader, err := consumer.ConsumePartition(topic, int32(partition), offset)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	deadline := time.After(timeout)
	var records []suite.Record
	for len(records) < count {
		select {
		case message, open := <-reader.Messages():
			if !open {
				return records, errors.New("the reader ended")
			}
			record := suite.Record{
				Partition: partition, Offset: message.Offset, TimestampMs: message.Timestamp.UnixMilli(),
				Key: message.Key, Value: message.Value,
			}
			for _, header := range message.Headers {
				record.Headers = append(record.Headers, suite.Header{Key: string(header.Key), Value: header.Value})
			}
			records = append(records, record)
		case failure := <-reader.Errors():
			return records, failure
		case <-deadline:
			return records, fmt.Errorf("%d of %d records within %v", len(records), count, timeout)
		}
	}
	return records, nil
}

func (c *client) OffsetAt(topic string, partition int, timestampMs int64) (int64, error) {
	return c.kafka.GetOffset(topic, int32(partition), timestampMs)
}

func (c *client) Ends(topic string, partition int) (int64, int64, error) {
	first, err := c.kafka.GetOffset(topic, int32(partition), sarama.OffsetOldest)
	if err != nil {
		return 0, 0, err
	}
	end, err := c.kafka.GetOffset(topic, int32(partition), sarama.OffsetNewest)
	return first, end, err
}

func (c *client) DescribeUnknown(topic string) error {
	topics, err := c.admin.DescribeTopics([]string{topic})
	if err != nil {
		return err
	}
	if topics[0].Err == sarama.ErrNoError {
		return nil
	}
	return topics[0].Err
}

func (c *client) ErrorCode(err error) int {
	var code sarama.KError
	if errors.As(err, &code) {
		return int(code)
	}
	return 0
}
