// Asks Apache Kafka's own code what it makes of record batches: the checks that a leader runs on what a producer sends.
//
//   java -cp "$(tests/kafka/start.sh --classpath)" tests/kafka/RecordVerdicts.java \
//     < crates/records/tests/records/verdicts.tsv > verdicts.new
//
// Copies each line of standard input to standard output and replaces its last column by the verdict: the name of the
// error, or NONE and the greatest timestamp of what would be stored. The tests of `records` read the result.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import org.apache.kafka.common.InvalidRecordException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.requests.ProduceRequest;
import org.apache.kafka.common.utils.BufferSupplier;
import org.apache.kafka.common.utils.PrimitiveRef;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.LogValidator;
import org.apache.kafka.storage.internals.log.RecordValidationException;

public class RecordVerdicts {
    private static final long NOW_MS = 1_700_000_000_000L;
    private static final short PRODUCE_VERSION = 13;
    private static final byte MAGIC = 2;

    public static void main(String[] args) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] columns = line.split("\t", -1);
            int last = columns.length - 1;
            if (!columns[last].equals("verdict")) {
                columns[last] = verdict(columns);
            }
            System.out.println(String.join("\t", columns));
        }
    }

    private static String verdict(String[] columns) {
        TimestampType type = TimestampType.forName(columns[1]);
        boolean isCompacted = columns[2].equals("compact");
        long beforeMaxMs = Long.parseLong(columns[3]);
        long afterMaxMs = Long.parseLong(columns[4]);
        byte[] batch = HexFormat.of().parseHex(columns[5]);
        try {
            MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(batch));
            ProduceRequest.validateRecords(PRODUCE_VERSION, records);
            // As UnifiedLog does before it validates.
            CompressionType codec = CompressionType.NONE;
            for (MutableRecordBatch each : records.batches()) {
                if (each.baseOffset() != 0) {
                    throw new InvalidRecordException("a base offset other than 0");
                }
                each.ensureValid();
                codec = each.compressionType();
            }
            LogValidator validator = new LogValidator(records, new TopicPartition("topic", 0), clock(), codec,
                Compression.of(codec).build(), isCompacted, MAGIC, type, beforeMaxMs, afterMaxMs, 0,
                AppendOrigin.CLIENT);
            LogValidator.ValidationResult result = validator.validateMessagesAndAssignOffsets(
                PrimitiveRef.ofLong(0), nothing(LogValidator.MetricsRecorder.class), BufferSupplier.NO_CACHING);
            return Errors.NONE + " " + result.validatedRecords().batches().iterator().next().maxTimestamp();
        } catch (RecordValidationException error) {
            return Errors.forException(error.invalidException()).toString();
        } catch (RuntimeException error) {
            return Errors.forException(error).toString();
        }
    }

    /** A clock that stands still. */
    private static Time clock() {
        return (Time) Proxy.newProxyInstance(RecordVerdicts.class.getClassLoader(), new Class<?>[] {Time.class},
            (proxy, method, arguments) -> method.getReturnType() == long.class ? NOW_MS : null);
    }

    /** Something that takes every call and does nothing. */
    private static <T> T nothing(Class<T> type) {
        return type.cast(Proxy.newProxyInstance(RecordVerdicts.class.getClassLoader(), new Class<?>[] {type},
            (proxy, method, arguments) -> null));
    }
}
