// Runs Kafka's own command line tools one after the other in one process, since starting a JVM takes longer than most of them.
//
//   java -cp "$(tests/kafka/start.sh --classpath)" tests/kafka/tools/Driver.java
//
// Reads invocations from standard input, one a line: a class and its arguments, separated by tabs. Answers each with a line
// `EXIT_CODE BYTES` and as many bytes of what the tool wrote to standard output and standard error.

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
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
}
