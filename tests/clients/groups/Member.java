// A member of a group, with Kafka's own Java client. What it prints is described in `members.py`.

import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.StringJoiner;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public final class Member {
    private static final int COMMITS_MAX = 200;
    private static final Map<String, String> OPTIONS = new HashMap<>();
    private static boolean hasUncommitted;
    private static volatile boolean isStopping;

    private Member() {
    }

    public static void main(String[] arguments) throws Exception {
        for (int at = 0; at + 1 < arguments.length; at += 2) {
            OPTIONS.put(arguments[at].substring(2), arguments[at + 1]);
        }
        KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(configuration());
        CountDownLatch closed = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            // No wakeup: it would hit the commit of a listener as well as the poll, and polls are short.
            isStopping = true;
            try {
                closed.await();
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
        }));
        System.out.println("up");
        System.out.flush();
        consumer.subscribe(List.of(OPTIONS.get("topic")), new Listener(consumer));
        try {
            // The client refuses to commit while it joins: who is asked to end then goes on until it has committed.
            while (!isStopping || hasUncommitted) {
                handle(consumer);
            }
            consumer.close();
            System.out.println("end");
            System.out.flush();
        } finally {
            closed.countDown();
        }
    }

    private static void handle(KafkaConsumer<byte[], byte[]> consumer) {
        var records = consumer.poll(Duration.ofMillis(200));
        if (records.isEmpty() && !hasUncommitted) {
            return;
        }
        hasUncommitted = true;
        StringJoiner line = new StringJoiner(" ", "got ", "");
        records.forEach(record -> line.add(record.partition() + ":" + record.offset()));
        if (!records.isEmpty()) {
            System.out.println(line);
        }
        try {
            consumer.commitSync();
            done();
        } catch (RebalanceInProgressException refused) {
            System.err.println("refused " + refused.getMessage());
        } catch (KafkaException refused) {
            System.err.println("refused " + refused);
            hasUncommitted = false;
        }
    }

    private static void done() {
        hasUncommitted = false;
        System.out.println("done");
        System.out.flush();
    }

    private static Properties configuration() {
        Properties it = new Properties();
        it.put("bootstrap.servers", OPTIONS.get("bootstrap"));
        it.put("group.id", OPTIONS.get("group"));
        it.put("auto.offset.reset", "earliest");
        it.put("enable.auto.commit", "false");
        it.put("key.deserializer", ByteArrayDeserializer.class.getName());
        it.put("value.deserializer", ByteArrayDeserializer.class.getName());
        it.put("reconnect.backoff.max.ms", "500");
        String protocol = OPTIONS.getOrDefault("protocol", "eager");
        if (protocol.equals("consumer")) {
            it.put("group.protocol", "consumer");
        } else {
            it.put("session.timeout.ms", OPTIONS.getOrDefault("session-ms", "6000"));
            it.put("heartbeat.interval.ms", OPTIONS.getOrDefault("heartbeat-ms", "500"));
            String assignor = protocol.equals("cooperative") ? "CooperativeStickyAssignor" : "RangeAssignor";
            it.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer." + assignor);
        }
        if (!OPTIONS.getOrDefault("instance", "").isEmpty()) {
            it.put("group.instance.id", OPTIONS.get("instance"));
        }
        return it;
    }

    private static final class Listener implements ConsumerRebalanceListener {
        private final TreeSet<Integer> owned = new TreeSet<>();
        private final KafkaConsumer<byte[], byte[]> consumer;

        Listener(KafkaConsumer<byte[], byte[]> consumer) {
            this.consumer = consumer;
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            // What could not be committed while the others were joining. The next rebalance may have begun already; then
            // the coordinator takes commits again as soon as that one's leader has assigned.
            for (int attempt = 0; attempt < COMMITS_MAX; attempt++) {
                try {
                    consumer.commitSync();
                    done();
                    break;
                } catch (RebalanceInProgressException again) {
                    pause();
                } catch (KafkaException refused) {
                    System.err.println("refused at the revocation " + refused);
                    break;
                }
            }
            partitions.forEach(it -> owned.remove(it.partition()));
            print();
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> partitions) {
            partitions.forEach(it -> owned.remove(it.partition()));
            print();
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            partitions.forEach(it -> owned.add(it.partition()));
            print();
        }

        private static void pause() {
            try {
                Thread.sleep(20);
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
        }

        private void print() {
            StringJoiner line = new StringJoiner(",", "own ", "");
            owned.forEach(it -> line.add(it.toString()));
            System.out.println(line);
            System.out.flush();
        }
    }
}
