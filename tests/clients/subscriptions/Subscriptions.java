// Subscriptions of Kafka's own Java client by regular expression, and where it begins when it has committed nothing.
//
//   java -cp 'target/clients/java/*' tests/clients/subscriptions/Subscriptions.java 127.0.0.1:9092

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.NoOffsetForPartitionException;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidRegularExpression;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public final class Subscriptions {
    private static final long SECONDS_MAX = 120;
    private static final long HOUR_MS = TimeUnit.HOURS.toMillis(1);
    private static final int RECORDS = 10;
    private static int failures;
    private static String bootstrap;
    private static Admin admin;

    private Subscriptions() {
    }

    public static void main(String[] arguments) {
        bootstrap = arguments[0];
        admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
        try {
            patternsOfTheBroker();
            for (String protocol : List.of("classic", "consumer")) {
                patternsOfTheClient(protocol);
                beginnings(protocol);
            }
        } catch (Exception failure) {
            failures++;
            System.out.println("FAIL java " + failure);
        }
        admin.close();
        System.exit(failures == 0 ? 0 : 1);
    }

    private static void patternsOfTheBroker() throws Exception {
        create("re-1", "re-2", "re-x", "xre-1");
        var one = consumer("re", "consumer", "earliest");
        one.subscribe(new SubscriptionPattern("re-[0-9]"));
        check("a pattern means whole names", Set.of("re-1", "re-2"), () -> topics(one), one);
        create("re-3");
        check("a topic comes", Set.of("re-1", "re-2", "re-3"), () -> topics(one), one);
        var other = consumer("re", "consumer", "earliest");
        other.subscribe(new SubscriptionPattern("(re-x|x.*)"));
        check("another member has another pattern", Set.of("re-x", "xre-1"), () -> topics(other), one, other);
        check("and the first keeps its own", Set.of("re-1", "re-2", "re-3"), () -> topics(one), one, other);
        other.unsubscribe();
        other.subscribe(List.of("re-x"));
        check("names take the place of a pattern", Set.of("re-x"), () -> topics(other), one, other);
        other.unsubscribe();
        other.subscribe(new SubscriptionPattern("re-.*"));
        check("both patterns find a topic", Set.of("re-1", "re-2", "re-3", "re-x"), () -> union(one, other), one, other);
        admin.deleteTopics(List.of("re-3")).all().get();
        check("a topic goes", Set.of("re-1", "re-2", "re-x"), () -> union(one, other), one, other);
        other.close();
        one.unsubscribe();
        one.subscribe(new SubscriptionPattern("nothing"));
        check("a pattern may match nothing", Set.of(), () -> topics(one), one);
        one.close();
        for (String wrong : List.of("(re", "re-(?=1)", "re-\\1", "[[:nope:]]")) {
            try (var refused = consumer("wrong", "consumer", "earliest")) {
                refused.subscribe(new SubscriptionPattern(wrong));
                check("it refuses " + wrong, "InvalidRegularExpression", () -> failureOf(refused));
            }
        }
    }

    private static void patternsOfTheClient(String protocol) throws Exception {
        String name = "java-" + protocol;
        create(name + "-1", name + "-x");
        var one = consumer(name, protocol, "earliest");
        one.subscribe(Pattern.compile(name + "-(?=[0-9]).*"));
        check(protocol + ": the client's own patterns work", Set.of(name + "-1"), () -> topics(one), one);
        create(name + "-2");
        check(protocol + ": a topic comes", Set.of(name + "-1", name + "-2"), () -> topics(one), one);
        one.close();
    }

    /** A topic with a record for each of the last hours, the newest half an hour old. */
    private static void beginnings(String protocol) throws Exception {
        String topic = "hours-" + protocol;
        admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
        long now = System.currentTimeMillis();
        try (var producer = producer()) {
            for (int at = 0; at < RECORDS; at++) {
                long time = now - (RECORDS - at) * HOUR_MS + HOUR_MS / 2;
                producer.send(new ProducerRecord<>(topic, 0, time, null, new byte[] {1})).get();
            }
        }
        for (var reset : Map.of("earliest", 0L, "by_duration:PT3H", 7L, "by_duration:P1D", 0L, "by_duration:PT90M", 9L).entrySet()) {
            try (var one = consumer(topic + reset.getKey(), protocol, reset.getKey())) {
                one.subscribe(List.of(topic));
                check(protocol + ": " + reset.getKey(), reset.getValue(), () -> firstOffset(one));
                one.seek(new TopicPartition(topic, 0), RECORDS * 10);
                check(protocol + ": " + reset.getKey() + " when out of range", reset.getValue(), () -> firstOffset(one));
            }
        }
        try (var one = consumer(topic + "latest", protocol, "latest")) {
            one.subscribe(List.of(topic));
            TopicPartition partition = new TopicPartition(topic, 0);
            check(protocol + ": latest is the end", (long) RECORDS, () -> positionOf(one, partition), one);
        }
        try (var one = consumer(topic + "minute", protocol, "by_duration:PT1M"); var producer = producer()) {
            one.subscribe(List.of(topic));
            check(protocol + ": no record is that young", Set.of(topic), () -> topics(one), one);
            producer.send(new ProducerRecord<>(topic, 0, null, null, new byte[] {1})).get();
            check(protocol + ": a young record comes", (long) RECORDS, () -> firstOffset(one));
        }
        try (var one = consumer(topic + "none", protocol, "none")) {
            one.subscribe(List.of(topic));
            check(protocol + ": none", "NoOffsetForPartitionException", () -> failureOf(one));
        }
    }

    private static KafkaConsumer<byte[], byte[]> consumer(String group, String protocol, String reset) {
        Map<String, Object> it = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "group.id", group.replace(':', '-'), "group.protocol", protocol,
                "auto.offset.reset", reset, "enable.auto.commit", "false", "metadata.max.age.ms", "500"));
        if (protocol.equals("classic")) {
            it.put("heartbeat.interval.ms", "250");
        }
        return new KafkaConsumer<>(it, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private static KafkaProducer<byte[], byte[]> producer() {
        return new KafkaProducer<>(Map.<String, Object>of("bootstrap.servers", bootstrap), new ByteArraySerializer(), new ByteArraySerializer());
    }

    private static void create(String... names) throws Exception {
        List<NewTopic> topics = new ArrayList<>();
        for (String name : names) {
            topics.add(new NewTopic(name, 2, (short) 1));
        }
        admin.createTopics(topics).all().get();
    }

    private static Set<String> topics(KafkaConsumer<?, ?> consumer) {
        Set<String> names = new TreeSet<>();
        consumer.assignment().forEach(it -> names.add(it.topic()));
        return names;
    }

    private static Set<String> union(KafkaConsumer<?, ?> one, KafkaConsumer<?, ?> other) {
        Set<String> names = topics(one);
        names.addAll(topics(other));
        return names;
    }

    private static Object positionOf(KafkaConsumer<byte[], byte[]> consumer, TopicPartition partition) {
        return consumer.assignment().isEmpty() ? null : consumer.position(partition);
    }

    /** The offset of the first record that a consumer gets. */
    private static Object firstOffset(KafkaConsumer<byte[], byte[]> consumer) {
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS_MAX);
        while (System.nanoTime() < until) {
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                return record.offset();
            }
        }
        return null;
    }

    /** The name of what polling ends with. */
    private static Object failureOf(KafkaConsumer<byte[], byte[]> consumer) {
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS_MAX);
        while (System.nanoTime() < until) {
            try {
                consumer.poll(Duration.ofMillis(100));
            } catch (InvalidRegularExpression | NoOffsetForPartitionException failure) {
                return failure.getClass().getSimpleName();
            }
        }
        return null;
    }

    /** Polls until what is asked for is as expected. */
    @SafeVarargs
    private static void check(String what, Object expected, Supplier<Object> ask, KafkaConsumer<byte[], byte[]>... polled) {
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS_MAX);
        Object found = ask.get();
        while (!expected.equals(found) && polled.length > 0 && System.nanoTime() < until) {
            for (var consumer : polled) {
                consumer.poll(Duration.ofMillis(50));
            }
            found = ask.get();
        }
        boolean holds = expected.equals(found);
        failures += holds ? 0 : 1;
        System.out.println((holds ? "ok   " : "FAIL ") + "java " + what + (holds ? "" : ": " + found + ", not " + expected));
    }
}
