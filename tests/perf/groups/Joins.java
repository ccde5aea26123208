// A ninth consumer joins a group of eight on 24 partitions: how long until all is balanced, and what the others notice.
//
//   java -cp ... Joins BOOTSTRAP cooperative|consumer HEARTBEAT_MS ROUNDS
//
// All consumers are Kafka's own Java client, threads of one process, so that no start of a process is measured. A producer
// writes a record to each partition every 5 ms. Printed is one line of JSON for each round: the time from the ninth
// consumer's subscription until each of the nine has its share and has been given records of all of it; and, in that time, the
// longest gap between two records of a partition of members that keep all they have, and of a partition that stays with a
// member that gives up another one, beside the longest gap before the join.

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
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
    private static final long QUIET_MS = 3_000;
    private static final long TIME_MAX_NANOS = 60_000_000_000L;

    private Joins() {
    }

    /** A consumer with what it owns and when it was given the last record of each partition. */
    private static final class Member extends Thread implements ConsumerRebalanceListener {
        private final KafkaConsumer<byte[], byte[]> consumer;
        private final String topic;
        final Set<Integer> owned = ConcurrentHashMap.newKeySet();
        final Map<Integer, Long> last = new ConcurrentHashMap<>();
        final Map<Integer, Long> gaps = new ConcurrentHashMap<>();

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
                    for (TopicPartition partition : records.partitions()) {
                        Long before = last.put(partition.partition(), now);
                        if (before != null) {
                            gaps.merge(partition.partition(), now - before, Math::max);
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
        long longest(Set<Integer> partitions) {
            long longest = 0;
            long now = System.nanoTime();
            for (int partition : partitions) {
                Long at = last.get(partition);
                longest = Math.max(longest, gaps.getOrDefault(partition, 0L));
                longest = Math.max(longest, at == null ? 0 : now - at);
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
        long quietGap = 0;
        for (Member member : members) {
            before.add(new HashSet<>(member.owned));
            quietGap = Math.max(quietGap, member.longest(member.owned));
            member.reset();
        }
        Member ninth = new Member(properties, topic);
        members.add(ninth);
        ninth.start();
        long took = settle(members);
        long gap = 0;
        long gapOfGivers = 0;
        int moved = 0;
        for (int number = 0; number < MEMBERS; number++) {
            Set<Integer> kept = new HashSet<>(before.get(number));
            kept.retainAll(members.get(number).owned);
            int given = before.get(number).size() - kept.size();
            long longest = members.get(number).longest(kept);
            moved += given;
            if (given == 0) {
                gap = Math.max(gap, longest);
            } else {
                gapOfGivers = Math.max(gapOfGivers, longest);
            }
        }
        System.out.printf("{\"balanced_ms\": %.1f, \"gap_ms\": %.1f, \"gap_of_givers_ms\": %.1f, \"gap_before_ms\": %.1f, "
                + "\"partitions_moved\": %d}%n", took / 1e6, gap / 1e6, gapOfGivers / 1e6, quietGap / 1e6, moved);
        System.out.flush();
        for (Member member : members) {
            member.end();
        }
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
                    producer.send(new ProducerRecord<>(topic, partition, null, new byte[100]));
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
        for (int round = 0; round < Integer.parseInt(arguments[3]); round++) {
            round(arguments, admin, topic, round);
        }
        System.exit(0);
    }
}
