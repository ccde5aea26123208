import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.FeatureMetadata;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** kafka-clients: the whole contract (see README.md) by assignment, without a consumer group. */
public final class Suite {
    private static final int PARTITIONS = 3;
    private static final int RECORDS_PER_VARIANT = 30;
    private static final long FIRST_TIMESTAMP_MS = 1_700_000_000_000L;
    private static final int OVERSIZED_BYTES = 2 << 20;
    private static final long WAIT_SECONDS_MAX = 20;
    /** The samples' timestamps lie years back: with the default retention the broker would soon delete them. */
    private static final Map<String, String> KEEP_FOR_EVER = Map.of("retention.ms", "-1");

    /** One record, a pure function of its index. */
    private record Sample(int index, byte[] key, byte[] value, List<Header> headers) {
        static Sample at(int index) {
            byte[] key = index % 4 == 0 ? null : ("key-" + index + (index % 4 == 3 ? "\0\0" : "")).getBytes();
            if (index % 4 == 3) {
                key[key.length - 1] = (byte) 0xff;
            }
            String text = "value-" + index + ";";
            byte[] value = switch (index % 5) {
                // Some clients refuse a record that has neither key nor value.
                case 0 -> key == null ? text.getBytes() : null;
                case 1 -> new byte[0];
                case 2 -> text.getBytes();
                case 3 -> text.repeat(20).getBytes();
                default -> text.repeat(200).getBytes();
            };
            List<Header> headers = switch (index / PARTITIONS % 3) {
                case 0 -> List.of();
                case 1 -> List.of(new RecordHeader("one", "1".getBytes()));
                default -> List.of(new RecordHeader("twice", "a".getBytes()), new RecordHeader("twice", "b".getBytes()),
                    new RecordHeader("empty", new byte[0]), new RecordHeader("last", (byte[]) null));
            };
            return new Sample(index, key, value, headers);
        }

        int partition() {
            return index % PARTITIONS;
        }

        long offset() {
            return index / PARTITIONS;
        }

        long timestampMs() {
            return FIRST_TIMESTAMP_MS + index;
        }

        boolean equalTo(ConsumerRecord<byte[], byte[]> record) {
            return record.offset() == offset() && record.partition() == partition() && record.timestamp() == timestampMs()
                && Arrays.equals(record.key(), key) && Arrays.equals(record.value(), value)
                && List.of(record.headers().toArray()).equals(headers);
        }
    }

    /** One way to produce: its samples follow those of the variant before it. */
    private record Variant(int position, String codec, String acks, boolean idempotent) {
        List<Sample> samples() {
            List<Sample> samples = new ArrayList<>();
            for (int i = 0; i < RECORDS_PER_VARIANT; i++) {
                samples.add(Sample.at(position * RECORDS_PER_VARIANT + i));
            }
            return samples;
        }

        @Override
        public String toString() {
            return "codec=" + codec + " acks=" + acks + " idempotence=" + (idempotent ? "on" : "off");
        }
    }

    @FunctionalInterface
    private interface Act {
        void run() throws Exception;
    }

    @FunctionalInterface
    private interface Condition {
        boolean holds() throws Exception;
    }

    private final String bootstrap;
    private final String prefix;
    private final String data;
    private final Admin admin;
    private final List<Variant> variants = variants();
    private boolean failed;

    private Suite(String bootstrap, String prefix) {
        this.bootstrap = bootstrap;
        this.prefix = prefix;
        this.data = prefix + "-data";
        this.admin = Admin.create(properties(Map.of()));
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> options = new java.util.HashMap<>(Map.of("--nodes", "1"));
        for (int i = 0; i + 1 < arguments.length; i += 2) {
            options.put(arguments[i], arguments[i + 1]);
        }
        if (!options.containsKey("--bootstrap") || !options.containsKey("--prefix")) {
            System.err.println("usage: Suite.java --bootstrap HOST:PORT --prefix TOPICPREFIX [--nodes N]");
            System.exit(2);
        }
        Suite suite = new Suite(options.get("--bootstrap"), options.get("--prefix"));
        suite.cluster(Integer.parseInt(options.get("--nodes")));
        suite.topics();
        for (Variant variant : suite.variants) {
            suite.check("produce " + variant, () -> suite.produce(variant));
        }
        suite.reads();
        suite.errors();
        suite.admin.close(Duration.ofSeconds(5));
        System.exit(suite.failed ? 1 : 0);
    }

    private static List<Variant> variants() {
        List<String> codecs = List.of("none", "gzip", "snappy", "lz4", "zstd");
        List<Variant> variants = new ArrayList<>();
        codecs.forEach(codec -> variants.add(new Variant(variants.size(), codec, "all", false)));
        variants.add(new Variant(variants.size(), "none", "1", false));
        variants.add(new Variant(variants.size(), "none", "0", false));
        variants.add(new Variant(variants.size(), "zstd", "0", false));
        codecs.forEach(codec -> variants.add(new Variant(variants.size(), codec, "all", true)));
        return variants;
    }

    private Properties properties(Map<String, Object> more) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.putAll(more);
        return properties;
    }

    private void check(String name, Act act) {
        try {
            act.run();
            System.out.println("ok " + name);
        } catch (Exception | AssertionError error) {
            failed = true;
            System.out.println("FAIL " + name + ": " + String.valueOf(error).replace('\n', ' '));
            error.printStackTrace();
        }
    }

    /** Checks that an act fails with an exception of this simple class name. */
    private void refused(String name, String exception, Act act) {
        check(name, () -> {
            try {
                act.run();
            } catch (Exception error) {
                Throwable cause = error instanceof ExecutionException ? error.getCause() : error;
                ensure(cause.getClass().getSimpleName().equals(exception), "refused with " + cause + ", wanted " + exception);
                return;
            }
            throw new AssertionError("accepted, wanted " + exception);
        });
    }

    private static void ensure(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    /** Polls the broker for what has no reply of its own (acks=0, deletion). */
    private static void until(String what, Condition condition) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(WAIT_SECONDS_MAX);
        while (!condition.holds()) {
            ensure(System.nanoTime() < deadline, what + ": not seen within " + WAIT_SECONDS_MAX + " s");
            Thread.sleep(50);
        }
    }

    private static <T> T await(Future<T> future) throws Exception {
        return future.get(WAIT_SECONDS_MAX, TimeUnit.SECONDS);
    }

    private void cluster(int nodesWanted) {
        check("metadata lists every node", () -> {
            int nodes = await(admin.describeCluster().nodes()).size();
            ensure(nodes == nodesWanted, nodes + " nodes instead of " + nodesWanted);
        });
        check("describe the cluster", () -> ensure(!await(admin.describeCluster().clusterId()).isEmpty(), "no cluster id"));
        check("describe the quorum: one voter, itself the leader", () -> {
            var quorum = await(admin.describeMetadataQuorum().quorumInfo());
            ensure(quorum.voters().size() == 1, "voters " + quorum.voters());
            ensure(quorum.voters().get(0).replicaId() == quorum.leaderId(), "leader " + quorum.leaderId());
        });
        check("describe the features", () -> {
            FeatureMetadata features = await(admin.describeFeatures().featureMetadata());
            ensure(features.finalizedFeatures().containsKey("metadata.version"), "finalised " + features.finalizedFeatures());
        });
    }

    private void create(String topic, int partitions, int replicas) throws Exception {
        NewTopic request = new NewTopic(topic, partitions, (short) replicas).configs(KEEP_FOR_EVER);
        await(admin.createTopics(List.of(request)).all());
    }

    private void topics() {
        check("create a topic", () -> create(data, PARTITIONS, 1));
        check("describe a topic", () -> {
            var description = await(admin.describeTopics(List.of(data)).allTopicNames()).get(data);
            ensure(description.partitions().size() == PARTITIONS, description.toString());
            var byId = await(admin.describeTopics(
                org.apache.kafka.common.TopicCollection.ofTopicIds(List.of(description.topicId()))).allTopicIds());
            ensure(byId.get(description.topicId()).name().equals(data), "by topic id: " + byId);
        });
        refused("create: an existing topic is TOPIC_ALREADY_EXISTS", "TopicExistsException", () -> create(data, PARTITIONS, 1));
        refused("create: a bad name is INVALID_TOPIC_EXCEPTION", "InvalidTopicException", () -> create(prefix + " bad", PARTITIONS, 1));
        refused("create: no partitions is INVALID_PARTITIONS", "InvalidPartitionsException", () -> create(prefix + "-none", 0, 1));
        refused("create: too many replicas is INVALID_REPLICATION_FACTOR", "InvalidReplicationFactorException",
            () -> create(prefix + "-replicas", PARTITIONS, 9));
        refused("create: a bad configuration is INVALID_CONFIG", "InvalidConfigurationException", () -> {
            NewTopic topic = new NewTopic(prefix + "-config", 1, (short) 1).configs(Map.of("retention.ms", "soon"));
            await(admin.createTopics(List.of(topic)).all());
        });
        check("describe the topic's configuration", () -> {
            ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, data);
            String value = await(admin.describeConfigs(List.of(resource)).all()).get(resource).get("max.message.bytes").value();
            ensure(value.equals("1048588"), "max.message.bytes is " + value);
        });
    }

    private List<RecordMetadata> send(Map<String, Object> config, Collection<ProducerRecord<byte[], byte[]>> records) throws Exception {
        try (var producer = new KafkaProducer<>(properties(config), new ByteArraySerializer(), new ByteArraySerializer())) {
            List<Future<RecordMetadata>> futures = new ArrayList<>();
            records.forEach(record -> futures.add(producer.send(record)));
            List<RecordMetadata> acknowledged = new ArrayList<>();
            for (Future<RecordMetadata> future : futures) {
                acknowledged.add(await(future));
            }
            return acknowledged;
        }
    }

    private void produce(Variant variant) throws Exception {
        Map<String, Object> config = Map.of("compression.type", variant.codec, "acks", variant.acks,
            "enable.idempotence", variant.idempotent, "linger.ms", 5);
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        List<Sample> samples = variant.samples();
        for (Sample sample : samples) {
            records.add(new ProducerRecord<>(data, sample.partition(), sample.timestampMs(), sample.key, sample.value, sample.headers));
        }
        List<RecordMetadata> acknowledged = send(config, records);
        for (int i = 0; i < samples.size(); i++) {
            RecordMetadata metadata = acknowledged.get(i);
            boolean right = variant.acks.equals("0") ? !metadata.hasOffset() : metadata.offset() == samples.get(i).offset();
            ensure(right, "record " + samples.get(i).index + " acknowledged at " + metadata);
        }
        if (variant.acks.equals("0")) {
            for (int partition = 0; partition < PARTITIONS; partition++) {
                long end = samples.get(samples.size() - PARTITIONS + partition).offset() + 1;
                TopicPartition at = new TopicPartition(data, partition);
                until("end offset " + end, () -> offset(at, OffsetSpec.latest()) >= end);
            }
        }
    }

    private long offset(TopicPartition at, OffsetSpec spec) throws Exception {
        return await(admin.listOffsets(Map.of(at, spec)).partitionResult(at)).offset();
    }

    private List<Sample> expected(int partition) {
        return variants.stream().flatMap(v -> v.samples().stream()).filter(s -> s.partition() == partition).toList();
    }

    private void withConsumer(Consumer<KafkaConsumer<byte[], byte[]>> act) {
        Properties config = properties(Map.of("auto.offset.reset", "none", "allow.auto.create.topics", false));
        try (var consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            act.accept(consumer);
        }
    }

    private void readFrom(KafkaConsumer<byte[], byte[]> consumer, TopicPartition at, long offset) {
        List<Sample> wanted = expected(at.partition()).subList((int) offset, expected(at.partition()).size());
        consumer.assign(List.of(at));
        consumer.seek(at, offset);
        List<ConsumerRecord<byte[], byte[]>> got = new ArrayList<>();
        while (got.size() < wanted.size()) {
            var records = consumer.poll(Duration.ofSeconds(WAIT_SECONDS_MAX));
            ensure(!records.isEmpty(), got.size() + " of " + wanted.size() + " records");
            records.forEach(got::add);
        }
        ensure(got.size() == wanted.size(), got.size() + " records instead of " + wanted.size());
        for (int i = 0; i < wanted.size(); i++) {
            ensure(wanted.get(i).equalTo(got.get(i)), "record " + wanted.get(i).index + ": got " + got.get(i));
        }
    }

    private void reads() {
        List<TopicPartition> all = List.of(new TopicPartition(data, 0), new TopicPartition(data, 1), new TopicPartition(data, 2));
        check("read from the beginning", () -> withConsumer(c -> all.forEach(at -> readFrom(c, at, 0))));
        check("read from an offset", () -> withConsumer(c -> all.forEach(at -> readFrom(c, at, 37))));
        check("read from a timestamp", () -> withConsumer(c -> all.forEach(at -> {
            Sample wanted = expected(at.partition()).get(53);
            OffsetAndTimestamp found = c.offsetsForTimes(Map.of(at, wanted.timestampMs())).get(at);
            ensure(found.offset() == wanted.offset() && found.timestamp() == wanted.timestampMs(), "found " + found);
            readFrom(c, at, found.offset());
        })));
        check("list earliest, latest and max-timestamp offsets", () -> {
            for (TopicPartition at : all) {
                long end = expected(at.partition()).size();
                ensure(offset(at, OffsetSpec.earliest()) == 0, "earliest");
                ensure(offset(at, OffsetSpec.latest()) == end, "latest");
                ensure(offset(at, OffsetSpec.maxTimestamp()) == end - 1, "max timestamp");
            }
        });
        refused("fetch: an offset beyond the end is OFFSET_OUT_OF_RANGE", "OffsetOutOfRangeException", () -> withConsumer(c -> {
            c.assign(all.subList(0, 1));
            c.seek(all.get(0), 1_000_000);
            c.poll(Duration.ofSeconds(WAIT_SECONDS_MAX));
        }));
    }

    private void errors() {
        String auto = prefix + "-auto";
        refused("metadata: an unknown topic is UNKNOWN_TOPIC_OR_PARTITION", "UnknownTopicOrPartitionException",
            () -> await(admin.describeTopics(List.of(prefix + "-unknown")).allTopicNames()));
        refused("produce: an oversized record is MESSAGE_TOO_LARGE", "RecordTooLargeException", () ->
            send(Map.of("max.request.size", 8 << 20), List.of(new ProducerRecord<>(data, new byte[OVERSIZED_BYTES]))));
        refused("produce: a far timestamp is INVALID_TIMESTAMP", "InvalidTimestampException", () -> {
            long future = System.currentTimeMillis() + TimeUnit.DAYS.toMillis(2);
            send(Map.of(), List.of(new ProducerRecord<>(data, 0, future, null, "x".getBytes())));
        });
        refused("produce: a null key on a compacted topic is INVALID_RECORD", "InvalidRecordException", () -> {
            NewTopic compacted = new NewTopic(prefix + "-compacted", 1, (short) 1).configs(Map.of("cleanup.policy", "compact"));
            await(admin.createTopics(List.of(compacted)).all());
            send(Map.of(), List.of(new ProducerRecord<>(compacted.name(), "x".getBytes())));
        });
        check("produce: an unknown topic is created", () -> send(Map.of(), List.of(new ProducerRecord<>(auto, "x".getBytes()))));
        check("delete a topic", () -> {
            await(admin.deleteTopics(List.of(auto)).all());
            until("deletion", () -> !await(admin.listTopics().names()).contains(auto));
        });
        refused("delete: an unknown topic is UNKNOWN_TOPIC_OR_PARTITION", "UnknownTopicOrPartitionException",
            () -> await(admin.deleteTopics(List.of(prefix + "-missing")).all()));
    }
}
