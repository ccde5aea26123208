// Runs Kafka's own command line tools one after the other in one process, since starting a JVM takes longer than most of them.
//
//   java -cp "$(tests/kafka/start.sh --classpath)" tests/kafka/tools/Driver.java
//
// Reads invocations from standard input, one a line: a class and its arguments, separated by tabs. Answers each with a line
// `EXIT_CODE BYTES` and as many bytes of what the tool wrote to standard output and standard error. `Driver$Member` is a tool of
// its own: `start BROKER GROUP TOPIC PROTOCOL` and `stop BROKER GROUP`, for groups that have members while others ask about them.

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.utils.Exit;

public class Driver {
    private static final long TOOL_SECONDS_MAX = 30;
    private static final int EXIT_TIMED_OUT = 124;

    /** What a tool throws in place of ending the process. An error, because some tools catch every exception. */
    private static final class Ended extends Error {
        private final int code;

        private Ended(int code) {
            super(null, null, false, false);
            this.code = code;
        }
    }

    public static void main(String[] args) throws Exception {
        PrintStream answers = System.out;
        Exit.setExitProcedure((code, message) -> {
            throw new Ended(code);
        });
        Exit.setHaltProcedure((code, message) -> {
            throw new Ended(code);
        });
        BufferedReader invocations = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = invocations.readLine(); line != null; line = invocations.readLine()) {
            String[] words = line.split("\t", -1);
            ByteArrayOutputStream written = new ByteArrayOutputStream();
            PrintStream stream = new PrintStream(written, true, StandardCharsets.UTF_8);
            System.setOut(stream);
            System.setErr(stream);
            int code = run(words[0], Arrays.copyOfRange(words, 1, words.length));
            stream.flush();
            byte[] bytes = written.toByteArray();
            answers.println(code + " " + bytes.length);
            answers.write(bytes);
            answers.flush();
        }
    }

    private static int run(String tool, String[] arguments) throws InterruptedException {
        int[] code = {EXIT_TIMED_OUT};
        Thread thread = new Thread(() -> code[0] = call(tool, arguments));
        thread.setDaemon(true);
        thread.start();
        thread.join(TimeUnit.SECONDS.toMillis(TOOL_SECONDS_MAX));
        if (thread.isAlive()) {
            thread.interrupt();
        }
        return code[0];
    }

    private static int call(String tool, String[] arguments) {
        try {
            Class.forName(tool).getMethod("main", String[].class).invoke(null, (Object) arguments);
            return 0;
        } catch (InvocationTargetException invocation) {
            Throwable cause = invocation.getCause();
            if (cause instanceof Ended ended) {
                return ended.code;
            }
            System.err.println(cause);
            return 1;
        } catch (ReflectiveOperationException wrong) {
            System.err.println(wrong);
            return 1;
        }
    }

    /** A member of a group that stays until it is stopped. */
    public static final class Member implements Runnable {
        private static final Map<String, Member> MEMBERS = new HashMap<>();
        private final KafkaConsumer<byte[], byte[]> consumer;
        private final CountDownLatch ready = new CountDownLatch(1);
        private final Thread thread = new Thread(this);
        private volatile boolean isRunning = true;

        private Member(String broker, String group, String topic, String protocol) {
            consumer = new KafkaConsumer<>(Map.of(
                    "bootstrap.servers", broker, "group.id", group, "group.protocol", protocol, "client.id", "driver",
                    "auto.offset.reset", "earliest", "enable.auto.commit", "false"),
                    new ByteArrayDeserializer(), new ByteArrayDeserializer());
            consumer.subscribe(List.of(topic));
            thread.setDaemon(true);
        }

        public static void main(String[] words) throws InterruptedException {
            String name = words[1] + " " + words[2];
            if (words[0].equals("stop")) {
                Member stopped = MEMBERS.remove(name);
                stopped.isRunning = false;
                stopped.thread.join();
                return;
            }
            Member started = new Member(words[1], words[2], words[3], words[4]);
            MEMBERS.put(name, started);
            started.thread.start();
            started.ready.await();
        }

        @Override
        public void run() {
            while (isRunning) {
                if (!consumer.poll(Duration.ofMillis(100)).isEmpty()) {
                    consumer.commitSync();
                }
                boolean isAtEnd = !consumer.assignment().isEmpty()
                        && consumer.assignment().stream().allMatch(it -> consumer.currentLag(it).orElse(1) == 0);
                if (isAtEnd) {
                    ready.countDown();
                }
            }
            consumer.close();
        }
    }
}
