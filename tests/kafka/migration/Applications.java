// The applications that a migration must not disturb: what they have written and read is known record by record.
//
//   java -cp "$(tests/kafka/start.sh --classpath)" tests/kafka/migration/Applications.java
//
// Reads commands from standard input, one a line, words separated by spaces, and answers each with one line:
//
//   fill BROKER              topics, records of every shape, transactions that commit and that abort
//   write BROKER             begins to write numbered records to `flights`, until `stop-writing`, which answers how many there are
//   read GROUP PROTOCOL BROKER TOPIC...   begins to read as a member of a group, and commits what it has read
//   drain GROUP              waits until that member has read all there is
//   stop GROUP               ends it
//   seen GROUP               how many records it has seen by now, and how many of them more than once
//   dump BROKER FILE         writes all committed records, partition by partition, in order, without their offsets
//
// A record's number is in its header `n`; everything else about it follows from the number.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32C;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class Applications {
    private static final List<String> TOPICS = List.of("flights", "airports", "payments");
    private static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    private static final int FLIGHTS = 5_000;
    private static final int FLIGHTS_TRIMMED = 100;
    private static final int AIRPORTS = 500;
    private static final int TRANSACTIONS = 20;
    private static final int RECORDS_PER_TRANSACTION = 25;
    private static final int LARGE_EVERY = 1_000;
    private static final int LARGE_BYTES = 700_000;
    private static final int WRITTEN_PER_SECOND = 200;
    private static final long TIME_OF_THE_FIRST = 1_700_000_000_000L;
    private static final Duration POLL = Duration.ofMillis(100);
    private static final long SECONDS_MAX = 120;

    private static final Map<String, Member> MEMBERS = new HashMap<>();
    private static final Map<String, Map<Integer, Integer>> SEEN = new HashMap<>();
    private static Writer writer;
    private static int next;

    public static void main(String[] args) throws Exception {
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            System.out.println(run(line.split(" ")));
        }
    }

    private static String run(String[] words) throws Exception {
        switch (words[0]) {
            case "fill":
                return fill(words[1]);
            case "write":
                writer = new Writer(words[1]);
                writer.start();
                return "writing";
            case "stop-writing":
                writer.isRunning = false;
                writer.join();
                return writer.failure == null ? Integer.toString(next) : writer.failure;
            case "read":
                Member member = new Member(words[1], words[2], words[3], Arrays.asList(words).subList(4, words.length));
                MEMBERS.put(words[1], member);
                member.start();
                return "reading";
            case "drain":
                return MEMBERS.get(words[1]).drain();
            case "stop":
                return MEMBERS.remove(words[1]).end();
            case "seen":
                Map<Integer, Integer> seen = SEEN.get(words[1]);
                return seen.size() + " " + seen.values().stream().filter(it -> it > 1).count();
            case "dump":
                return dump(words[1], Path.of(words[2]));
            default:
                throw new IllegalArgumentException(words[0]);
        }
    }

    private static String fill(String broker) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", broker))) {
            admin.createTopics(List.of(
                    new NewTopic("flights", 4, (short) 1).configs(Map.of("retention.ms", "-1", "max.message.bytes", "1500000")),
                    new NewTopic("airports", 2, (short) 1).configs(Map.of("cleanup.policy", "compact", "compression.type", "zstd")),
                    new NewTopic("payments", 3, (short) 1).configs(Map.of("segment.bytes", "1048576", "retention.ms", "-1")))).all().get();
            for (String codec : CODECS) {
                try (KafkaProducer<byte[], byte[]> producer = producer(broker, codec, null)) {
                    for (int number = 0; number < FLIGHTS / CODECS.size(); number++) {
                        producer.send(flight(next++));
                    }
                    for (int number = 0; number < AIRPORTS / CODECS.size(); number++) {
                        producer.send(airport(next++));
                    }
                }
            }
            int committed = 0;
            try (KafkaProducer<byte[], byte[]> producer = producer(broker, "lz4", "payments")) {
                producer.initTransactions();
                for (int transaction = 0; transaction < TRANSACTIONS; transaction++) {
                    boolean isAborted = transaction % 3 == 1;
                    producer.beginTransaction();
                    for (int number = 0; number < RECORDS_PER_TRANSACTION; number++) {
                        producer.send(payment(isAborted ? -1 : next++));
                    }
                    if (isAborted) {
                        producer.flush();
                        producer.abortTransaction();
                    } else {
                        producer.commitTransaction();
                        committed += RECORDS_PER_TRANSACTION;
                    }
                }
            }
            // From here on an offset of the copy is not the offset of the original.
            admin.deleteRecords(Map.of(new TopicPartition("flights", 0), RecordsToDelete.beforeOffset(FLIGHTS_TRIMMED))).all().get();
            return FLIGHTS + " " + AIRPORTS + " " + committed;
        }
    }

    private static KafkaProducer<byte[], byte[]> producer(String broker, String codec, String transactionalId) {
        Map<String, Object> settings = new HashMap<>(Map.of("bootstrap.servers", broker, "compression.type", codec,
                "linger.ms", "20", "max.request.size", "1500000"));
        if (transactionalId != null) {
            settings.put("transactional.id", transactionalId);
        }
        return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
    }

    /** Records with and without keys, values and headers, some of them empty and some large. */
    private static ProducerRecord<byte[], byte[]> flight(int number) {
        byte[] key = number % 7 == 0 ? null : bytes("flight " + number % 61);
        byte[] value = number % 11 == 0 ? new byte[0] : bytes("from here to there, number " + number);
        if (number % LARGE_EVERY == 0) {
            value = new byte[LARGE_BYTES];
            for (int at = 0; at < value.length; at++) {
                value[at] = (byte) (at * 31 + number);
            }
        }
        RecordHeaders headers = headers(number);
        if (number % 3 == 0) {
            headers.add("trace", bytes("first")).add("trace", bytes("second")).add("nothing", null).add("", new byte[0]);
        }
        return new ProducerRecord<>("flights", number % 4, TIME_OF_THE_FIRST + number * 1_000L, key, value, headers);
    }

    /** Keys that come again, and tombstones. */
    private static ProducerRecord<byte[], byte[]> airport(int number) {
        byte[] value = number % 13 == 0 ? null : bytes("airport as of " + number);
        return new ProducerRecord<>("airports", null, null, bytes("airport " + number % 90), value, headers(number));
    }

    private static ProducerRecord<byte[], byte[]> payment(int number) {
        return new ProducerRecord<>("payments", null, null, bytes("payer " + number % 17), bytes("paid " + number), headers(number));
    }

    private static RecordHeaders headers(int number) {
        RecordHeaders headers = new RecordHeaders();
        headers.add("n", ByteBuffer.allocate(4).putInt(number).array());
        return headers;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static int number(ConsumerRecord<byte[], byte[]> record) {
        return ByteBuffer.wrap(record.headers().lastHeader("n").value()).getInt();
    }

    private static KafkaConsumer<byte[], byte[]> consumer(String broker, Map<String, Object> more) {
        Map<String, Object> settings = new HashMap<>(Map.of("bootstrap.servers", broker, "auto.offset.reset", "earliest",
                "enable.auto.commit", "false", "isolation.level", "read_committed"));
        settings.putAll(more);
        return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private static String dump(String broker, Path file) throws Exception {
        int records = 0;
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(broker, Map.of());
                PrintWriter out = new PrintWriter(Files.newBufferedWriter(file))) {
            for (String topic : TOPICS) {
                for (int partition = 0; partition < consumer.partitionsFor(topic).size(); partition++) {
                    records += dump(consumer, new TopicPartition(topic, partition), out);
                }
            }
        }
        return Integer.toString(records);
    }

    private static int dump(KafkaConsumer<byte[], byte[]> consumer, TopicPartition partition, PrintWriter out) {
        int records = 0;
        consumer.assign(List.of(partition));
        consumer.seekToBeginning(List.of(partition));
        long end = consumer.endOffsets(List.of(partition)).get(partition);
        while (consumer.position(partition) < end) {
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
                records++;
                out.print(partition + " " + record.timestampType() + " " + record.timestamp());
                out.print(" " + text(record.key()) + " " + text(record.value()));
                for (Header header : record.headers()) {
                    out.print(" " + header.key() + "=" + text(header.value()));
                }
                out.println();
            }
        }
        return records;
    }

    private static String text(byte[] bytes) {
        if (bytes == null) {
            return "null";
        }
        if (bytes.length < 100) {
            return "[" + HexFormat.of().formatHex(bytes) + "]";
        }
        CRC32C checksum = new CRC32C();
        checksum.update(bytes);
        return bytes.length + " bytes, CRC-32C " + Long.toHexString(checksum.getValue());
    }

    /** Writes flights, at a steady rate, and counts on where the last one has ended. */
    private static final class Writer extends Thread {
        private final String broker;
        private volatile boolean isRunning = true;
        private volatile String failure;

        private Writer(String broker) {
            this.broker = broker;
            setDaemon(true);
        }

        @Override
        public void run() {
            try (KafkaProducer<byte[], byte[]> producer = producer(broker, "snappy", null)) {
                while (isRunning) {
                    producer.send(flight(next++), (metadata, error) -> {
                        if (error != null) {
                            failure = error.toString();
                        }
                    });
                    TimeUnit.MILLISECONDS.sleep(1_000 / WRITTEN_PER_SECOND);
                }
            } catch (InterruptedException | RuntimeException error) {
                failure = error.toString();
            }
        }
    }

    /** The one member of a group. What it has seen, it has committed. */
    private static final class Member extends Thread {
        private final KafkaConsumer<byte[], byte[]> consumer;
        private final Map<Integer, Integer> seen;
        private volatile boolean isRunning = true;
        private volatile int roundsAtEnd;
        private volatile String failure;

        private Member(String group, String protocol, String broker, List<String> topics) {
            consumer = consumer(broker, Map.of("group.id", group, "group.protocol", protocol, "max.poll.records", "100"));
            consumer.subscribe(topics);
            seen = SEEN.computeIfAbsent(group, it -> new ConcurrentHashMap<>());
            setDaemon(true);
        }

        @Override
        public void run() {
            try (consumer) {
                while (isRunning) {
                    for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
                        seen.merge(number(record), 1, Integer::sum);
                    }
                    consumer.commitSync();
                    boolean isAtEnd = !consumer.assignment().isEmpty()
                            && consumer.endOffsets(consumer.assignment()).entrySet().stream()
                                    .allMatch(it -> consumer.position(it.getKey()) >= it.getValue());
                    roundsAtEnd = isAtEnd ? roundsAtEnd + 1 : 0;
                }
            } catch (RuntimeException error) {
                failure = error.toString();
            }
        }

        private String drain() throws InterruptedException {
            // The round that is under way may have looked before.
            roundsAtEnd = 0;
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS_MAX);
            while (roundsAtEnd < 2 && failure == null) {
                if (System.nanoTime() > deadline) {
                    return "has not come to the end";
                }
                TimeUnit.MILLISECONDS.sleep(20);
            }
            return failure == null ? "drained" : failure;
        }

        private String end() throws InterruptedException {
            isRunning = false;
            join();
            return failure == null ? "stopped" : failure;
        }
    }
}
