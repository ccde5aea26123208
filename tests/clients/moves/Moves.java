import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * kafka-clients: produces as fast as it can, idempotently, and reads it all back at the same time. The value of a record
 * is its number among those of its partition, so every gap, repetition and change of order shows.
 */
public final class Moves {
    private static final int DIGITS = 20;
    private static final int VALUE_BYTES = 1000;
    private static final long READ_SECONDS_MAX = 60;

    private final Map<String, String> options = new HashMap<>();
    private final int partitions;
    private final AtomicLong wanted = new AtomicLong(-1);
    private final AtomicLong failed = new AtomicLong();
    private final AtomicReference<String> problem = new AtomicReference<>();
    private volatile long deadline = Long.MAX_VALUE;

    private Moves(String[] arguments) {
        for (int index = 0; index < arguments.length; index += 2) {
            options.put(arguments[index].substring(2), arguments[index + 1]);
        }
        partitions = Integer.parseInt(options.get("partitions"));
    }

    public static void main(String[] arguments) throws InterruptedException {
        System.exit(new Moves(arguments).run());
    }

    private int run() throws InterruptedException {
        Thread reader = new Thread(this::read);
        reader.start();
        long sent = produce();
        deadline = System.nanoTime() + READ_SECONDS_MAX * 1_000_000_000L;
        wanted.set(sent);
        reader.join();
        System.out.printf("%d records, %d failed%n", sent, failed.get());
        if (problem.get() == null) {
            return 0;
        }
        System.err.println(problem.get());
        return 1;
    }

    private long produce() {
        Map<String, Object> configuration = Map.of(
            "bootstrap.servers", options.get("bootstrap"), "enable.idempotence", "true", "linger.ms", "5",
            "retries", options.get("retries"), "retry.backoff.ms", "20", "reconnect.backoff.ms", "20");
        long sent = 0;
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(configuration, new ByteArraySerializer(), new ByteArraySerializer())) {
            long end = System.nanoTime() + Long.parseLong(options.get("seconds")) * 1_000_000_000L;
            while (System.nanoTime() < end && problem.get() == null) {
                byte[] value = new byte[DIGITS + VALUE_BYTES];
                byte[] number = String.format("%020d", sent / partitions).getBytes();
                System.arraycopy(number, 0, value, 0, DIGITS);
                int partition = (int) (sent % partitions);
                producer.send(new ProducerRecord<>(options.get("topic"), partition, null, value), (metadata, error) -> {
                    if (error != null) {
                        failed.incrementAndGet();
                        problem.compareAndSet(null, "producer: " + error);
                    }
                });
                sent++;
            }
        }
        return sent;
    }

    private void read() {
        Map<String, Object> configuration =
            Map.of("bootstrap.servers", options.get("bootstrap"), "auto.offset.reset", "none");
        long[] next = new long[partitions];
        long found = 0;
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(configuration, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> assigned = IntStream.range(0, partitions)
                .mapToObj(partition -> new TopicPartition(options.get("topic"), partition)).toList();
            consumer.assign(assigned);
            consumer.seekToBeginning(assigned);
            while (found != wanted.get() && problem.get() == null) {
                if (System.nanoTime() > deadline) {
                    problem.set(found + " of " + wanted + " records were read");
                }
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                    check(record, next);
                    found++;
                }
            }
        } catch (RuntimeException error) {
            problem.compareAndSet(null, "consumer: " + error);
        }
    }

    private void check(ConsumerRecord<byte[], byte[]> record, long[] next) {
        long number = Long.parseLong(new String(record.value(), 0, DIGITS));
        long expected = next[record.partition()]++;
        if (number != expected || record.offset() != expected) {
            problem.compareAndSet(null, "partition " + record.partition() + ": number " + number + " at offset "
                + record.offset() + ", not " + expected);
        }
    }
}
