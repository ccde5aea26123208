// Prints records of __consumer_offsets as Kafka writes them: a name, the key and the value in hexadecimal. The output
// is records.txt, which the tests read.
//
//     java -cp 'target/kafka/libs/*' crates/groups/tests/groups/kafka/Records.java > crates/groups/tests/groups/kafka/records.txt
//
// (tests/kafka/start.sh puts Kafka 4.3.1 into target/kafka.)

import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.JoinGroupRequestData.JoinGroupRequestProtocol;
import org.apache.kafka.common.message.JoinGroupRequestData.JoinGroupRequestProtocolCollection;
import org.apache.kafka.common.utils.LogContext;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.group.GroupCoordinatorRecordHelpers;
import org.apache.kafka.coordinator.group.GroupCoordinatorRecordSerde;
import org.apache.kafka.coordinator.group.OffsetAndMetadata;
import org.apache.kafka.coordinator.group.classic.ClassicGroup;
import org.apache.kafka.coordinator.group.classic.ClassicGroupMember;
import org.apache.kafka.coordinator.group.classic.ClassicGroupState;
import org.apache.kafka.coordinator.group.generated.ConsumerGroupMemberMetadataValue;
import org.apache.kafka.coordinator.group.modern.MemberState;
import org.apache.kafka.coordinator.group.modern.consumer.ConsumerGroupMember;
import org.apache.kafka.coordinator.group.modern.consumer.ResolvedRegularExpression;

public class Records {
    static final Uuid TOPIC = new Uuid(0x0102030405060708L, 0x090a0b0c0d0e0f10L);

    static void print(String name, CoordinatorRecord record) {
        GroupCoordinatorRecordSerde serde = new GroupCoordinatorRecordSerde();
        HexFormat hex = HexFormat.of();
        byte[] value = serde.serializeValue(record);
        System.out.println(name + " " + hex.formatHex(serde.serializeKey(record)) + " "
            + (value == null ? "-" : hex.formatHex(value)));
    }

    public static void main(String[] arguments) {
        print("offset", GroupCoordinatorRecordHelpers.newOffsetCommitRecord("group", "topic", 7,
            new OffsetAndMetadata(42, OptionalInt.of(3), "meta", 1700000000000L, OptionalLong.empty(), TOPIC)));
        print("offset-without-id", GroupCoordinatorRecordHelpers.newOffsetCommitRecord("group", "topic", 7,
            new OffsetAndMetadata(42, OptionalInt.empty(), "", 1700000000000L, OptionalLong.empty(), Uuid.ZERO_UUID)));
        print("offset-that-expires", GroupCoordinatorRecordHelpers.newOffsetCommitRecord("group", "topic", 7,
            new OffsetAndMetadata(42, OptionalInt.of(3), "meta", 1700000000000L, OptionalLong.of(1700000060000L), TOPIC)));
        print("offset-deleted", GroupCoordinatorRecordHelpers.newOffsetCommitTombstoneRecord("group", "topic", 7));

        ClassicGroup empty = new ClassicGroup(new LogContext(), "group", ClassicGroupState.EMPTY, Time.SYSTEM, 5,
            Optional.of("consumer"), Optional.empty(), Optional.empty(), Optional.of(1700000000000L));
        print("group-new", GroupCoordinatorRecordHelpers.newEmptyGroupMetadataRecord(empty));
        print("group-empty", GroupCoordinatorRecordHelpers.newGroupMetadataRecord(empty, Map.of()));
        ClassicGroup group = new ClassicGroup(new LogContext(), "group", ClassicGroupState.STABLE, Time.SYSTEM, 5,
            Optional.of("consumer"), Optional.of("range"), Optional.of("member"), Optional.of(1700000000000L));
        JoinGroupRequestProtocolCollection protocols = new JoinGroupRequestProtocolCollection(
            List.of(new JoinGroupRequestProtocol().setName("range").setMetadata(new byte[] {1, 2})).iterator());
        group.add(new ClassicGroupMember("member", Optional.of("instance"), "client", "/127.0.0.1", 60000, 10000,
            "consumer", protocols));
        print("group", GroupCoordinatorRecordHelpers.newGroupMetadataRecord(group, Map.of("member", new byte[] {3, 4})));
        print("group-deleted", GroupCoordinatorRecordHelpers.newGroupMetadataTombstoneRecord("group"));

        print("epoch", GroupCoordinatorRecordHelpers.newConsumerGroupEpochRecord("group", 9, 77L));
        print("target", GroupCoordinatorRecordHelpers.newConsumerGroupTargetAssignmentRecord("group", "member",
            Map.of(TOPIC, Set.of(1))));
        print("target-epoch", GroupCoordinatorRecordHelpers.newConsumerGroupTargetAssignmentMetadataRecord("group", 9,
            1700000000000L));
        print("partitions-deleted",
            GroupCoordinatorRecordHelpers.newConsumerGroupSubscriptionMetadataTombstoneRecord("group"));
        print("current-deleted",
            GroupCoordinatorRecordHelpers.newConsumerGroupCurrentAssignmentTombstoneRecord("group", "member"));
        print("member-deleted",
            GroupCoordinatorRecordHelpers.newConsumerGroupMemberSubscriptionTombstoneRecord("group", "member"));
        ConsumerGroupMember member = new ConsumerGroupMember.Builder("member")
            .setInstanceId("instance").setRackId("rack").setRebalanceTimeoutMs(60000).setClientId("client")
            .setClientHost("/127.0.0.1").setSubscribedTopicNames(List.of("topic")).setSubscribedTopicRegex("t.*")
            .setServerAssignorName("uniform").setState(MemberState.UNREVOKED_PARTITIONS).setMemberEpoch(9)
            .setPreviousMemberEpoch(8).setAssignedPartitions(Map.of(TOPIC, Map.of(1, 9)))
            .setPartitionsPendingRevocation(Map.of(TOPIC, Map.of(2, 8))).build();
        print("member", GroupCoordinatorRecordHelpers.newConsumerGroupMemberSubscriptionRecord("group", member));
        print("current", GroupCoordinatorRecordHelpers.newConsumerGroupCurrentAssignmentRecord("group", member));
        ConsumerGroupMember classic = new ConsumerGroupMember.Builder("member").setRebalanceTimeoutMs(60000)
            .setClientId("client").setClientHost("/127.0.0.1").setSubscribedTopicNames(List.of("topic"))
            .setClassicMemberMetadata(new ConsumerGroupMemberMetadataValue.ClassicMemberMetadata()
                .setSessionTimeoutMs(10000).setSupportedProtocols(List.of(
                    new ConsumerGroupMemberMetadataValue.ClassicProtocol().setName("range").setMetadata(new byte[] {1, 2}))))
            .build();
        print("member-classic", GroupCoordinatorRecordHelpers.newConsumerGroupMemberSubscriptionRecord("group", classic));
        print("regex", GroupCoordinatorRecordHelpers.newConsumerGroupRegularExpressionRecord("group", "t.*",
            new ResolvedRegularExpression(Set.of("topic"), 12, 1700000000000L)));
        print("regex-deleted",
            GroupCoordinatorRecordHelpers.newConsumerGroupRegularExpressionTombstone("group", "t.*"));
    }
}
