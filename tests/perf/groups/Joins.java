// A ninth consumer joins a group of eight on 24 partitions: how long until all is balanced, and what the others notice.
//
//   java -cp ... Joins BOOTSTRAP cooperative|consumer HEARTBEAT_MS ROUNDS
//
// All consumers are Kafka's own Java client, threads of one process, so that no start of a process is measured. A producer
// writes a record to each partition every 5 ms. Printed is one line of JSON for each round: the time from the ninth
// consumer's subscription until each of the nine has its share and has been given records of all of it; and, in that time, the
// longest gap between two records of a partition of members that keep all they have, and of a partition that stays with a
// member that gives up another one, beside the longest gap before the join.
//
// Of the longest gaps with and before the join it also says where they come from. A gap ends with a record: nothing was there
// to be read until that was sent (`unsent_ms`), then it was on its way into the log until it was acknowledged (`unacked_ms`),
// then on its way out (`undelivered_ms`). In the meantime the owner polled so many times, and a thread of this process that does
// nothing but sleep for a millisecond again and again slept so much too long (`overslept_ms`): what the machine, not the broker,
// kept from running. `from_ns` and `to_ns` are of the monotonic clock.

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public final class Joins {
    private static final int PARTITIONS = 24;
    private static final int MEMBERS = 8;
    private static final int RECORD_BYTES = 100;
    private static final long QUIET_MS = 3_000;
    private static final long TIME_MAX_NANOS = 60_000_000_000L;
    /** For so many records of a partition it is known when they were acknowledged: five minutes' worth. */
    private static final int ACKED_MAX = 1 << 16;
    private static final List<AtomicLongArray> ACKED = Stream.generate(() -> new AtomicLongArray(ACKED_MAX)).limit(PARTITIONS).toList();
    private static final Pulse PULSE = new Pulse();

    private Joins() {
    }

    /** The time between two records of a partition: when they were given, and when the second one was sent. */
    private record Gap(int partition, long offset, long from, long sent, long to, long polls) {
        static final Gap NONE = new Gap(-1, -1, 0, 0, 0, 0);

        Gap longer(Gap other) {
            return other.nanos() > nanos() ? other : this;
        }

        long nanos() {
            return to - from;
        }

        /** Where it comes from. */
        String told() {
            long sentAt = Math.max(sent, from);
            long acked = offset < 0 ? from : ACKED.get(partition).get((int) (offset % ACKED_MAX));
            // Who consumes may be told of a record before who produced it.
            long ackedAt = acked < sent ? to : Math.min(Math.max(acked, sentAt), to);
            return String.format("{\"ms\": %.1f, \"unsent_ms\": %.1f, \"unacked_ms\": %.1f, \"undelivered_ms\": %.1f, \"polls\": %d, "
                    + "\"overslept_ms\": %.1f, \"partition\": %d, \"from_ns\": %d, \"to_ns\": %d}", nanos() / 1e6, (sentAt - from) / 1e6,
                    (ackedAt - sentAt) / 1e6, (to - ackedAt) / 1e6, polls, PULSE.overslept(from, to) / 1e6, partition, from, to);
        }
    }

    /** Sleeps, and remembers when it slept for too long. */
    private static final class Pulse extends Thread {
        private static final long STEP_NANOS = 1_000_000L;
        private static final long LATE_NANOS = 2_000_000L;
        private final Queue<long[]> late = new ConcurrentLinkedQueue<>();

        @Override
        public void run() {
            while (true) {
                long began = System.nanoTime();
                LockSupport.parkNanos(STEP_NANOS);
                long due = began + STEP_NANOS;
                long now = System.nanoTime();
                if (now - due > LATE_NANOS) {
                    late.add(new long[] {due, now});
                }
            }
        }

        /** How long it overslept in a time. */
        long overslept(long from, long to) {
            return late.stream().mapToLong(it -> Math.max(0, Math.min(it[1], to) - Math.max(it[0], from))).sum();
        }
    }

    /** A consumer with what it owns and when it was given the last record of each partition. */
    private static final class Member extends Thread implements ConsumerRebalanceListener {
        private final KafkaConsumer<byte[], byte[]> consumer;
        private final String topic;
        final Set<Integer> owned = ConcurrentHashMap.newKeySet();
        final Map<Integer, Long> last = new ConcurrentHashMap<>();
        final Map<Integer, Gap> gaps = new ConcurrentHashMap<>();
        private final Map<Integer, Long> pollsAtLast = new ConcurrentHashMap<>();
        private long polls;

        Member(Properties properties, String topic) {
            this.consumer = new KafkaConsumer<>(properties);
            this.topic = topic;
        }

        @Override
        public void run() {
            consumer.subscribe(List.of(topic), this);
            try {
                while (true) {
                    var records = consumer.poll(Duration.ofMillis(100));
                    long now = System.nanoTime();
                    polls++;
                    for (TopicPartition it : records.partitions()) {
                        int partition = it.partition();
                        Long before = last.put(partition, now);
                        Long pollsBefore = pollsAtLast.put(partition, polls);
                        if (before != null && pollsBefore != null) {
                            ConsumerRecord<byte[], byte[]> first = records.records(it).get(0);
                            long sent = ByteBuffer.wrap(first.value()).getLong();
                            gaps.merge(partition, new Gap(partition, first.offset(), before, sent, now, polls - pollsBefore), Gap::longer);
                        }
                    }
                }
            } catch (WakeupException stop) {
                consumer.close();
            }
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            partitions.forEach(it -> owned.add(it.partition()));
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            for (TopicPartition it : partitions) {
                owned.remove(it.partition());
                last.remove(it.partition());
                gaps.remove(it.partition());
            }
        }

        /** Forgets the gaps so far. */
        void reset() {
            gaps.clear();
        }

        /** The longest gap of these partitions, the one that lasts until now included. */
        Gap longest(Set<Integer> partitions) {
            Gap longest = Gap.NONE;
            long now = System.nanoTime();
            for (int partition : partitions) {
                Long at = last.get(partition);
                longest = longest.longer(gaps.getOrDefault(partition, Gap.NONE));
                longest = longest.longer(at == null ? Gap.NONE : new Gap(partition, -1, at, at, now, 0));
            }
            return longest;
        }

        void end() throws InterruptedException {
            consumer.wakeup();
            join();
        }
    }

    private static Properties properties(String bootstrap, String group, String protocol, String heartbeatMs) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("group.id", group);
        properties.put("key.deserializer", ByteArrayDeserializer.class);
        properties.put("value.deserializer", ByteArrayDeserializer.class);
        properties.put("auto.offset.reset", "latest");
        properties.put("enable.auto.commit", "true");
        properties.put("fetch.max.wait.ms", "20");
        if (protocol.equals("consumer")) {
            properties.put("group.protocol", "consumer");
        } else {
            properties.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
            properties.put("heartbeat.interval.ms", heartbeatMs);
            properties.put("session.timeout.ms", "10000");
        }
        return properties;
    }

    private static boolean isBalanced(List<Member> members) {
        Set<Integer> all = new HashSet<>();
        int sum = 0;
        for (Member member : members) {
            Set<Integer> owned = new HashSet<>(member.owned);
            int least = PARTITIONS / members.size();
            int most = least + (PARTITIONS % members.size() == 0 ? 0 : 1);
            if (owned.size() < least || owned.size() > most || !member.last.keySet().containsAll(owned)) {
                return false;
            }
            sum += owned.size();
            all.addAll(owned);
        }
        return sum == PARTITIONS && all.size() == PARTITIONS;
    }

    private static long settle(List<Member> members) throws InterruptedException {
        long began = System.nanoTime();
        while (!isBalanced(members)) {
            if (System.nanoTime() - began > TIME_MAX_NANOS) {
                throw new IllegalStateException("the group is not balanced");
            }
            Thread.sleep(1);
        }
        return System.nanoTime() - began;
    }

    /** In the consumer protocol it is the group that says how often its members send heartbeats. */
    private static void configure(Admin admin, String group, String heartbeatMs) throws Exception {
        var entry = new ConfigEntry("consumer.heartbeat.interval.ms", heartbeatMs);
        var set = new AlterConfigOp(entry, AlterConfigOp.OpType.SET);
        var resource = new ConfigResource(ConfigResource.Type.GROUP, group);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(set))).all().get();
    }

    private static void round(String[] arguments, Admin admin, String topic, int round) throws Exception {
        String group = "joins-" + topic + "-" + round;
        if (arguments[1].equals("consumer")) {
            configure(admin, group, arguments[2]);
        }
        Properties properties = properties(arguments[0], group, arguments[1], arguments[2]);
        List<Member> members = new ArrayList<>();
        for (int number = 0; number < MEMBERS; number++) {
            members.add(new Member(properties, topic));
        }
        members.forEach(Thread::start);
        settle(members);
        members.forEach(Member::reset);
        Thread.sleep(QUIET_MS);
        List<Set<Integer>> before = new ArrayList<>();
        Gap quietGap = Gap.NONE;
        for (Member member : members) {
            before.add(new HashSet<>(member.owned));
            quietGap = quietGap.longer(member.longest(member.owned));
            member.reset();
        }
        Member ninth = new Member(properties, topic);
        members.add(ninth);
        ninth.start();
        long took = settle(members);
        Gap gap = Gap.NONE;
        Gap gapOfGivers = Gap.NONE;
        int moved = 0;
        for (int number = 0; number < MEMBERS; number++) {
            Set<Integer> kept = new HashSet<>(before.get(number));
            kept.retainAll(members.get(number).owned);
            int given = before.get(number).size() - kept.size();
            Gap longest = members.get(number).longest(kept);
            moved += given;
            if (given == 0) {
                gap = gap.longer(longest);
            } else {
                gapOfGivers = gapOfGivers.longer(longest);
            }
        }
        System.out.printf("{\"balanced_ms\": %.1f, \"gap_ms\": %.1f, \"gap_of_givers_ms\": %.1f, \"gap_before_ms\": %.1f, "
                + "\"partitions_moved\": %d, \"gap\": %s, \"gap_of_givers\": %s, \"gap_before\": %s}%n", took / 1e6, gap.nanos() / 1e6,
                gapOfGivers.nanos() / 1e6, quietGap.nanos() / 1e6, moved, gap.told(), gapOfGivers.told(), quietGap.told());
        System.out.flush();
        for (Member member : members) {
            member.end();
        }
    }

    /** Sends a record that tells when it was sent. */
    private static void send(KafkaProducer<byte[], byte[]> producer, String topic, int partition) {
        byte[] value = ByteBuffer.allocate(RECORD_BYTES).putLong(System.nanoTime()).array();
        producer.send(new ProducerRecord<>(topic, partition, null, value), (at, error) -> {
            if (error == null) {
                ACKED.get(partition).set((int) (at.offset() % ACKED_MAX), System.nanoTime());
            }
        });
    }

    public static void main(String[] arguments) throws Exception {
        String topic = "joins-" + arguments[1] + "-" + System.nanoTime();
        Admin admin = Admin.create(Map.of("bootstrap.servers", arguments[0]));
        admin.createTopics(List.of(new NewTopic(topic, PARTITIONS, (short) 1))).all().get();
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", arguments[0]);
        settings.put("key.serializer", ByteArraySerializer.class);
        settings.put("value.serializer", ByteArraySerializer.class);
        settings.put("acks", "1");
        KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings);
        Thread writer = new Thread(() -> {
            long due = System.nanoTime();
            while (!Thread.interrupted()) {
                for (int partition = 0; partition < PARTITIONS; partition++) {
                    send(producer, topic, partition);
                }
                due += 5_000_000L;
                long rest = due - System.nanoTime();
                if (rest > 0) {
                    try {
                        Thread.sleep(rest / 1_000_000, (int) (rest % 1_000_000));
                    } catch (InterruptedException stop) {
                        return;
                    }
                }
            }
        });
        writer.setDaemon(true);
        writer.start();
        PULSE.setDaemon(true);
        PULSE.start();
        for (int round = 0; round < Integer.parseInt(arguments[3]); round++) {
            round(arguments, admin, topic, round);
        }
        System.exit(0);
    }
}
