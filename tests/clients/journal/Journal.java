import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * kafka-clients: writes records at a rate, idempotently, reads them back at the same time, and tells what was acknowledged and
 * what was read. What it prints is described in {@code journal.py}.
 */
public final class Journal {
    private static final int DIGITS = 20;
    private static final int FILLER_MAX = 1500;
    private static final long LINGERING_MS = 2_000;

    private final Map<String, String> options = new HashMap<>();
    private final int partitions;
    private final CountDownLatch enough = new CountDownLatch(1);
    private volatile boolean ended;

    private Journal(String[] arguments) {
        for (int index = 0; index < arguments.length; index += 2) {
            options.put(arguments[index].substring(2), arguments[index + 1]);
        }
        partitions = Integer.parseInt(options.get("partitions"));
    }

    public static void main(String[] arguments) throws InterruptedException {
        new Journal(arguments).run();
    }

    private void run() throws InterruptedException {
        Thread listener = new Thread(() -> {
            try {
                new BufferedReader(new InputStreamReader(System.in)).readLine();
            } catch (IOException gone) {
                // Whoever wanted it is no more.
            }
            enough.countDown();
        });
        listener.setDaemon(true);
        listener.start();
        Thread reader = new Thread(this::read);
        reader.start();
        long sent = produce();
        Thread.sleep(LINGERING_MS);
        ended = true;
        reader.join();
        say("end " + sent + "\n");
    }

    private static void say(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
        synchronized (System.out) {
            System.out.write(bytes, 0, bytes.length);
            System.out.flush();
        }
    }

    private static String line(String word, int partition, long offset, long number) {
        Instant now = Instant.now();
        long at = now.getEpochSecond() * 1_000_000_000L + now.getNano();
        return word + " " + at + " " + partition + " " + offset + " " + number + "\n";
    }

    private static byte[] value(long number) {
        byte[] value = new byte[DIGITS + (int) (number * 7919 % FILLER_MAX)];
        Arrays.fill(value, (byte) 'x');
        System.arraycopy(String.format("%020d", number).getBytes(StandardCharsets.US_ASCII), 0, value, 0, DIGITS);
        return value;
    }

    private static long numberOf(byte[] value) {
        if (value.length < DIGITS) {
            return -1;
        }
        try {
            long number = Long.parseLong(new String(value, 0, DIGITS, StandardCharsets.US_ASCII));
            return Arrays.equals(value, value(number)) ? number : -1;
        } catch (NumberFormatException strange) {
            return -1;
        }
    }

    private long produce() throws InterruptedException {
        Map<String, Object> configuration = Map.of(
            "bootstrap.servers", options.get("bootstrap"), "enable.idempotence", "true", "linger.ms", "2",
            "delivery.timeout.ms", "120000", "max.block.ms", "120000", "retry.backoff.ms", "20", "reconnect.backoff.ms", "20",
            "reconnect.backoff.max.ms", "200");
        long sent = 0;
        double rate = Double.parseDouble(options.get("rate"));
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(configuration, new ByteArraySerializer(), new ByteArraySerializer())) {
            long began = System.nanoTime();
            while (!enough.await(Math.max(0, began + (long) (sent / rate * 1e9) - System.nanoTime()), TimeUnit.NANOSECONDS)) {
                long number = sent++;
                int partition = (int) (number % partitions);
                producer.send(new ProducerRecord<>(options.get("topic"), partition, null, value(number)), (metadata, error) ->
                    say(error == null
                        ? line("ack", partition, metadata.offset(), number)
                        : "fault record " + number + ": " + error + "\n"));
            }
        }
        return sent;
    }

    private void read() {
        Map<String, Object> configuration = Map.of(
            "bootstrap.servers", options.get("bootstrap"), "auto.offset.reset", "none", "fetch.max.wait.ms", "200",
            "reconnect.backoff.ms", "20", "reconnect.backoff.max.ms", "200");
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(configuration, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> assigned = IntStream.range(0, partitions)
                .mapToObj(partition -> new TopicPartition(options.get("topic"), partition)).toList();
            consumer.assign(assigned);
            consumer.seekToBeginning(assigned);
            while (!ended) {
                StringBuilder lines = new StringBuilder();
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                    lines.append(line("got", record.partition(), record.offset(), numberOf(record.value())));
                }
                say(lines.toString());
            }
        } catch (RuntimeException error) {
            say("fault reader: " + error + "\n");
        }
    }
}
