package suite

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

const waitMax = 20 * time.Second

// Kafka's error codes, as the checks expect them.
const (
	offsetOutOfRange         = 1
	unknownTopicOrPartition  = 3
	messageTooLarge          = 10
	invalidTopic             = 17
	invalidRequiredAcks      = 21
	topicAlreadyExists       = 36
	invalidPartitions        = 37
	invalidReplicationFactor = 38
)

// Client is what a Go client brings; every call is bounded by the client's own timeouts.
type Client interface {
	// Traits says what the client can do.
	Traits() Traits
	// Nodes that Metadata lists.
	Nodes() (int, error)
	Create(topic string, partitions, replicas int) error
	Delete(topic string) error
	Topics() ([]string, error)
	// TopicConfig returns one value of DescribeConfigs.
	TopicConfig(topic, key string) (string, error)
	// Produce sends the records with their partitions and timestamps and waits for the acknowledgements that acks asks for.
	Produce(topic string, variant Variant, records []Record) error
	// ProduceAuto sends one record to a topic that may have to be created by it.
	ProduceAuto(topic string, value []byte) error
	// ProduceBadAcks sends one record with acks=2. Called only when the traits say so.
	ProduceBadAcks(topic string) error
	// Read returns count records of a partition from an offset on, without a group.
	Read(topic string, partition int, offset int64, count int) ([]Record, error)
	// OffsetAt returns the first offset at or after a timestamp.
	OffsetAt(topic string, partition int, timestampMs int64) (int64, error)
	// Ends returns the earliest and the latest offset.
	Ends(topic string, partition int) (int64, int64, error)
	// DescribeUnknown asks for the metadata of a topic without creating it.
	DescribeUnknown(topic string) error
	// ErrorCode maps an error of this client to Kafka's code, 0 when it is none.
	ErrorCode(err error) int
}

// Traits of a client.
type Traits struct {
	Name        string
	Idempotence bool
	BadAcks     bool
	NullHeaders bool
}

type run struct {
	client   Client
	traits   Traits
	variants []Variant
	prefix   string
	data     string
	failed   bool
}

// Main parses the arguments, opens the client, runs every check and ends the program.
func Main(open func(bootstrap string) (Client, error)) {
	bootstrap := flag.String("bootstrap", "", "`HOST:PORT` of the broker")
	prefix := flag.String("prefix", "", "`TOPICPREFIX` that every topic begins with")
	nodes := flag.Int("nodes", 1, "nodes that this client is to see")
	flag.Parse()
	if *bootstrap == "" || *prefix == "" {
		flag.Usage()
		os.Exit(2)
	}
	client, err := open(*bootstrap)
	if err != nil {
		fmt.Printf("FAIL open the client: %v\n", err)
		os.Exit(1)
	}
	traits := client.Traits()
	r := &run{client: client, traits: traits, variants: Variants(traits.Idempotence), prefix: *prefix, data: *prefix + "-data"}
	fmt.Println("#", traits.Name)
	r.topics(*nodes)
	for _, variant := range r.variants {
		r.check("produce "+variant.String(), func() error { return r.produce(variant) })
	}
	r.reads()
	r.errors()
	if r.failed {
		os.Exit(1)
	}
}

func (r *run) check(name string, act func() error) {
	if err := act(); err != nil {
		r.failed = true
		fmt.Printf("FAIL %s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", " "))
		return
	}
	fmt.Println("ok", name)
}

// refused checks that an act fails with exactly this Kafka error code.
func (r *run) refused(name string, code int, act func() error) {
	r.check(name, func() error {
		switch err := act(); {
		case err == nil:
			return fmt.Errorf("accepted, wanted error %d", code)
		case r.client.ErrorCode(err) != code:
			return fmt.Errorf("refused with %d (%v), wanted %d", r.client.ErrorCode(err), err, code)
		default:
			return nil
		}
	})
}

// until polls the broker for what has no reply of its own (acks=0, deletion).
func until(what string, condition func() (bool, error)) error {
	for deadline := time.Now().Add(waitMax); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if done, err := condition(); err != nil {
			return err
		} else if done {
			return nil
		}
	}
	return fmt.Errorf("%s: not seen within %v", what, waitMax)
}

func (r *run) topics(wanted int) {
	r.check("metadata lists every node", func() error {
		nodes, err := r.client.Nodes()
		if err == nil && nodes != wanted {
			return fmt.Errorf("%d nodes instead of %d", nodes, wanted)
		}
		return err
	})
	r.check("create a topic", func() error { return r.client.Create(r.data, Partitions, 1) })
	r.refused("create: an existing topic is TOPIC_ALREADY_EXISTS", topicAlreadyExists,
		func() error { return r.client.Create(r.data, Partitions, 1) })
	r.refused("create: a bad name is INVALID_TOPIC_EXCEPTION", invalidTopic,
		func() error { return r.client.Create(r.prefix+" bad", Partitions, 1) })
	r.refused("create: no partitions is INVALID_PARTITIONS", invalidPartitions,
		func() error { return r.client.Create(r.prefix+"-none", 0, 1) })
	r.refused("create: too many replicas is INVALID_REPLICATION_FACTOR", invalidReplicationFactor,
		func() error { return r.client.Create(r.prefix+"-replicas", Partitions, 9) })
	r.check("describe the topic's configuration", func() error {
		value, err := r.client.TopicConfig(r.data, maxMessageBytesKey)
		if err == nil && value != "1048588" {
			return fmt.Errorf("%s is %q", maxMessageBytesKey, value)
		}
		return err
	})
}

func (r *run) produce(variant Variant) error {
	records := variant.Samples(r.traits.NullHeaders)
	if err := r.client.Produce(r.data, variant, records); err != nil || variant.Acks != 0 {
		return err
	}
	for partition := range Partitions {
		wanted := records[len(records)-Partitions+partition].Offset + 1
		if err := until(fmt.Sprintf("end offset %d", wanted), func() (bool, error) {
			_, end, err := r.client.Ends(r.data, partition)
			return end >= wanted, err
		}); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) reads() {
	eachPartition := func(act func(partition int, wanted []Record) error) func() error {
		return func() error {
			for partition := range Partitions {
				if err := act(partition, expected(r.variants, partition, r.traits.NullHeaders)); err != nil {
					return fmt.Errorf("partition %d: %w", partition, err)
				}
			}
			return nil
		}
	}
	readFrom := func(partition int, wanted []Record) error {
		got, err := r.client.Read(r.data, partition, wanted[0].Offset, len(wanted))
		if err != nil {
			return err
		}
		return compare(wanted, got)
	}
	r.check("read from the beginning", eachPartition(readFrom))
	r.check("read from an offset", eachPartition(func(partition int, wanted []Record) error {
		return readFrom(partition, wanted[middleOffset:])
	}))
	r.check("read from a timestamp", eachPartition(func(partition int, wanted []Record) error {
		wanted = wanted[timestampOffset:]
		offset, err := r.client.OffsetAt(r.data, partition, wanted[0].TimestampMs)
		if err != nil {
			return err
		}
		if offset != wanted[0].Offset {
			return fmt.Errorf("offset %d instead of %d", offset, wanted[0].Offset)
		}
		return readFrom(partition, wanted)
	}))
	r.check("list earliest and latest offsets", eachPartition(func(partition int, wanted []Record) error {
		first, end, err := r.client.Ends(r.data, partition)
		if err == nil && (first != 0 || end != int64(len(wanted))) {
			return fmt.Errorf("%d to %d", first, end)
		}
		return err
	}))
	r.refused("fetch: an offset beyond the end is OFFSET_OUT_OF_RANGE", offsetOutOfRange, func() error {
		_, err := r.client.Read(r.data, 0, farBeyondTheEnd, 1)
		return err
	})
}

func (r *run) errors() {
	auto, unknown := r.prefix+"-auto", r.prefix+"-unknown"
	r.refused("metadata: an unknown topic is UNKNOWN_TOPIC_OR_PARTITION", unknownTopicOrPartition,
		func() error { return r.client.DescribeUnknown(unknown) })
	r.refused("produce: an oversized record is MESSAGE_TOO_LARGE", messageTooLarge,
		func() error { return r.client.ProduceAuto(r.data, make([]byte, OversizedBytes)) })
	if r.traits.BadAcks {
		r.refused("produce: acks=2 is INVALID_REQUIRED_ACKS", invalidRequiredAcks,
			func() error { return r.client.ProduceBadAcks(r.data) })
	}
	r.check("produce: an unknown topic is created", func() error { return r.client.ProduceAuto(auto, []byte("x")) })
	r.check("delete a topic", func() error {
		if err := r.client.Delete(auto); err != nil {
			return err
		}
		return until("deletion", func() (bool, error) {
			topics, err := r.client.Topics()
			for _, topic := range topics {
				if topic == auto {
					return false, err
				}
			}
			return true, err
		})
	})
	r.refused("delete: an unknown topic is UNKNOWN_TOPIC_OR_PARTITION", unknownTopicOrPartition,
		func() error { return r.client.Delete(r.prefix + "-missing") })
}
