"""What is asked about consumer groups: the same rules as in `cases`."""

from __future__ import annotations

from cases import Case, at

OFFSETS_PARTITIONS = 4
"""How many partitions `__consumer_offsets` has on both sides, so that a group is in the same one."""
DAY_MS = 86_400_000
FIRST_MS = 1_577_836_800_000
"""2020-01-01T00:00:00Z."""

TIMED = "".join(f'{{"value":"{day}","timestamp":{FIRST_MS + day * DAY_MS}}}\n' for day in range(10))
LATER = '{"value":"later"}\n{"value":"later"}\n'


def offsets_partition(group: str) -> int:
    """The partition of `__consumer_offsets` that a group is in: Java's hash of a string, without its sign."""
    code = 0
    for character in group:
        code = (31 * code + ord(character)) & 0xFFFFFFFF
    return (code & 0x7FFFFFFF) % OFFSETS_PARTITIONS


def groups(words: str, **how: object) -> Case:
    """Kafka's tool for groups. Its rows come in no order, and its columns are as wide as the longest cell."""
    return at(f"kafka-consumer-groups {words}", unordered=True, squeeze=True, **how)


def reset(words: str, **how: object) -> Case:
    """Moving the offsets of a group that is called early, looking first."""
    return groups(f"--reset-offsets --group early {words} --dry-run", **how)


def own(words: str, **how: object) -> Case:
    return at(f"loganctl groups {words}", unordered=True, squeeze=True, **how)


def internal(formatter: str, group: str) -> Case:
    """What Kafka's formatter reads from the log of a group."""
    return at(f"kafka-console-consumer --topic __consumer_offsets --formatter org.apache.kafka.tools.consumer.{formatter} "
              "--from-beginning --timeout-ms 10000", unordered=True, objects=True, only=rf'"group(Id)?":"{group}"')


def decoded(group: str, key: str = "group|groupId", **how: object) -> Case:
    """What Kafka's reader of log files says about a group."""
    log = f"{{log:__consumer_offsets-{offsets_partition(group)}}}.log"
    return Case(f"kafka-dump-log --offsets-decoder --files {log}", unordered=True, only=f'"({key})":"{group}"',
                bare_records=True, **how)


SETUP = [
    at("kafka-topics --create --topic wide --partitions 3"),
    # With records of 2020, which are not to go.
    at("kafka-topics --create --topic timed --config retention.ms=-1"),
    at("loganctl produce timed --input json --file {file:timed}", files={"timed": TIMED}),
    at("loganctl produce timed --input json --file {file:later}", files={"later": LATER}),
    *[at(f"loganctl produce wide --partition {partition} --file {{file:wide}}", files={"wide": "x\n" * (partition + 3)})
      for partition in range(3)],
]

NONE = [
    groups("--list"),
    groups("--list --state"),
    groups("--describe --group missing"),
    groups("--describe --group missing --members"),
    groups("--describe --group missing --state"),
    groups("--describe --group missing --offsets"),
    groups("--delete --group missing"),
    # Also what kafka-consumer-perf-test has left, at offsets that nobody chose.
    groups("--delete --all-groups"),
    groups("--describe --all-groups"),
    groups("--delete-offsets --group missing --topic wide"),
    groups("--reset-offsets --group missing --all-topics --to-earliest --dry-run"),
    groups("--reset-offsets --group missing --to-earliest --dry-run"),
    groups("--reset-offsets --group missing --topic nowhere --to-earliest --dry-run"),
    groups("--reset-offsets --group missing --topic wide:7 --to-earliest --dry-run"),
    at("kafka-groups --list"),
    Case("kafka-consumer-groups --validate-regex flights-[a-c]+"),
    Case("kafka-consumer-groups --validate-regex (flights"),
    Case("kafka-consumer-groups --list"),
]

RESET = [
    groups("--reset-offsets --group early --topic timed --to-offset 4 --execute"),
    groups("--reset-offsets --group early --topic wide:0,1 --to-latest --execute"),
    groups("--describe --group early"),
    groups("--describe --group early --members"),
    groups("--describe --group early --members --verbose"),
    groups("--describe --group early --state"),
    groups("--describe --group early --offsets --verbose"),
    reset("--all-topics --to-earliest"),
    reset("--all-topics --to-latest"),
    reset("--all-topics --to-current"),
    reset("--topic wide --to-current"),
    reset("--topic wide --to-offset 4"),
    reset("--topic timed --to-offset 400"),
    reset("--topic timed --shift-by 3"),
    reset("--topic timed --shift-by -3"),
    reset("--topic timed --shift-by 300"),
    reset("--topic timed --shift-by -300"),
    reset("--topic wide --shift-by 1"),
    reset("--topic timed --to-datetime 2020-01-06T00:00:00.000"),
    reset("--topic timed --to-datetime 2020-01-06T00:00:00.001Z"),
    reset("--topic timed --to-datetime 2020-01-06T00:00:00.000+12:00"),
    reset("--topic timed --to-datetime 2100-01-01T00:00:00.000"),
    reset("--topic timed --to-datetime yesterday"),
    reset("--topic timed --by-duration PT2H"),
    reset("--topic timed --by-duration P20000D"),
    reset("--topic timed --by-duration tomorrow"),
    reset("--topic timed:0 --topic wide:2 --to-earliest"),
    reset("--from-file {file:plan.csv}", files={"plan.csv": "timed,0,3\nwide,2,1\n"}),
    reset("--from-file {file:many.csv}", files={"many.csv": "early,timed,0,3\nearly,wide,0,2\n"}),
    reset("--from-file {file:beyond.csv}", files={"beyond.csv": "timed,0,3000\n"}),
    reset("--from-file {file:wrong.csv}", files={"wrong.csv": "timed;0;3\n"}),
    reset("--all-topics --to-current --export"),
    reset("--to-earliest"),
    reset("--all-topics"),
    groups("--reset-offsets --group early --topic timed --shift-by 2 --execute"),
    groups("--reset-offsets --group early --from-file {file:plan.csv} --execute"),
    groups("--reset-offsets --group early --group later --all-topics --to-latest --dry-run --export"),
    groups("--reset-offsets --group later --topic timed --to-datetime 2020-01-09T12:00:00.000 --execute"),
    groups("--reset-offsets --group early --group later --all-topics --to-current --dry-run --export"),
    groups("--reset-offsets --all-groups --topic timed --shift-by -1 --execute"),
    groups("--reset-offsets --all-groups --all-topics --to-current --dry-run"),
    groups("--reset-offsets --group early --group later --from-file {file:both.csv} --execute",
           files={"both.csv": "early,timed,0,1\nlater,timed,0,2\n"}),
    groups("--describe --all-groups"),
    groups("--describe --group early --group later --state"),
    groups("--list"),
    groups("--list --state"),
    groups("--list --state Empty"),
    groups("--list --state Stable,Dead"),
    groups("--list --state Sleeping"),
    groups("--list --type"),
    groups("--list --type classic --state"),
    groups("--list --type consumer"),
    groups("--list --type guild"),
]

MEMBERS = [
    Case("member start {server} old wide classic"),
    Case("member start {server} new wide consumer"),
    groups("--list"),
    groups("--list --state"),
    groups("--list --type"),
    groups("--list --type consumer"),
    groups("--list --type Classic --state Stable"),
    groups("--describe --group old"),
    groups("--describe --group new"),
    groups("--describe --group old --verbose"),
    groups("--describe --group new --verbose"),
    groups("--describe --group old --members"),
    groups("--describe --group old --members --verbose"),
    groups("--describe --group new --members"),
    groups("--describe --group new --members --verbose"),
    groups("--describe --all-groups --state"),
    groups("--describe --all-groups --state --verbose"),
    groups("--describe --group old --offsets --members"),
    groups("--reset-offsets --group old --topic wide --to-earliest --execute"),
    groups("--reset-offsets --group new --topic wide --to-earliest --dry-run"),
    groups("--delete-offsets --group old --topic wide"),
    groups("--delete-offsets --group new --topic wide"),
    groups("--delete-offsets --group new --topic timed"),
    groups("--delete --group old"),
    groups("--delete --group new --group later"),
    at("kafka-groups --list", unordered=True, squeeze=True),
    at("kafka-groups --list --consumer", unordered=True, squeeze=True),
    at("kafka-groups --list --group-type classic", unordered=True, squeeze=True),
    at("kafka-groups --list --group-type consumer", unordered=True, squeeze=True),
    at("kafka-groups --list --group-type guild", unordered=True, squeeze=True),
    at("kafka-groups --list --protocol consumer", unordered=True, squeeze=True),
    at("kafka-groups --list --protocol connect", unordered=True, squeeze=True),
    at("kafka-groups --list --share", unordered=True, squeeze=True),
    Case("member stop {server} old"),
    Case("member stop {server} new"),
    groups("--describe --group old", within_seconds=10),
    groups("--describe --group new", within_seconds=10),
    groups("--describe --all-groups --state"),
    groups("--reset-offsets --group old --topic wide --to-earliest --execute"),
    groups("--reset-offsets --group new --topic wide --shift-by -1 --execute"),
    groups("--describe --group new --offsets"),
]

READING = [
    at("kafka-console-consumer --topic timed --group reader --from-beginning --max-messages 3 --timeout-ms 15000"),
    groups("--describe --group reader --offsets"),
    at("kafka-console-consumer --topic timed --group reader --max-messages 2 --timeout-ms 15000"),
    groups("--describe --group reader --offsets"),
    at("kafka-console-consumer --topic timed --group modern --from-beginning --max-messages 3 --timeout-ms 15000 "
       "--command-property group.protocol=consumer"),
    groups("--describe --group modern"),
    at("kafka-console-consumer --topic timed --group since --max-messages 2 --timeout-ms 15000 "
       "--command-property auto.offset.reset=by_duration:PT5H"),
    at("kafka-console-consumer --include (timed|nowhere) --group matching --from-beginning --max-messages 3 --timeout-ms 15000"),
    groups("--describe --group matching --offsets"),
]

CONFIGS = [
    at("kafka-configs --describe --entity-type groups --entity-name old"),
    at("kafka-configs --alter --entity-type groups --entity-name old --add-config consumer.session.timeout.ms=50000"),
    at("kafka-configs --describe --entity-type groups --entity-name old"),
    at("kafka-configs --describe --entity-type groups"),
    at("kafka-configs --alter --entity-type groups --entity-name old "
       "--add-config consumer.heartbeat.interval.ms=6000,consumer.session.timeout.ms=51000"),
    at("kafka-configs --describe --entity-type groups --entity-name old", unordered=True),
    at("kafka-configs --alter --entity-type groups --entity-name old --delete-config consumer.session.timeout.ms"),
    at("kafka-configs --describe --entity-type groups --entity-name old"),
    at("kafka-configs --alter --entity-type groups --entity-name old --add-config consumer.session.timeout.ms=1"),
    at("kafka-configs --alter --entity-type groups --entity-name old --add-config consumer.session.timeout.ms=soon"),
    at("kafka-configs --alter --entity-type groups --entity-name old --add-config no.such.key=1"),
    at("kafka-configs --alter --entity-type groups --entity-name old --delete-config consumer.heartbeat.interval.ms"),
    at("kafka-configs --describe --entity-type groups --entity-name old"),
]

DELETE = [
    groups("--delete-offsets --group early --topic wide:0"),
    groups("--delete-offsets --group early --topic wide:2 --topic nowhere"),
    groups("--describe --group early --offsets"),
    groups("--delete --group later"),
    groups("--delete --group later"),
    groups("--delete --group reader --group missing"),
    at("kafka-topics --delete --topic wide"),
    groups("--describe --group early --offsets", within_seconds=10),
    groups("--list", within_seconds=10),
]

OWN = [
    own("list"),
    own("list --kind classic --state empty,stable"),
    own("list --kind consumer"),
    own("describe old new"),
    own("describe old --state", without="^old"),
    own("describe early --output json"),
    own("describe missing"),
    own("reset-offsets early --topic timed --to-earliest"),
    own("reset-offsets early --topic timed:0 --shift-by 4"),
    own("reset-offsets early --to-time 2020-01-06T00:00:00Z --dry-run"),
    own("reset-offsets early --by-duration PT2H --dry-run"),
    own("reset-offsets early old --to-current --export"),
    own("reset-offsets early --from-file {file:plan.csv}", files={"plan.csv": "timed,0,7\n"}),
    own("reset-offsets early --from-file {file:wrong.csv}", files={"wrong.csv": "timed,0\n"}),
    own("reset-offsets missing --to-latest"),
    own("describe early --watch 100ms --count 2 --output json", without='"time"'),
    own("delete-offsets early --topic timed:0"),
    own("delete-offsets missing --topic timed"),
    own("delete missing"),
    own("delete early"),
    Case("member start {server} busy timed classic"),
    own("describe busy --members --output yaml", without="member:"),
    own("describe busy --output json", without='"member"'),
    own("reset-offsets busy --to-earliest"),
    own("delete-offsets busy --topic timed"),
    own("delete busy"),
    Case("member stop {server} busy"),
    at("loganctl configs set --group busy consumer.session.timeout.ms=50000"),
    at("loganctl configs describe --group busy"),
    at("loganctl configs delete --group busy consumer.session.timeout.ms"),
]

LOG = [
    internal("OffsetsMessageFormatter", "early"),
    internal("OffsetsMessageFormatter", "modern"),
    internal("GroupMetadataMessageFormatter", "old"),
    internal("GroupMetadataMessageFormatter", "modern"),
]

GROUPS = SETUP + NONE + RESET + MEMBERS + READING + CONFIGS + LOG + OWN + DELETE
GROUPS_STOPPED = [
    decoded("early", accepted="deleting a group that has offsets only"),
    decoded("old"),
    # Not what it has committed: how many records a member gets at a time is chance.
    decoded("new", "groupId"),
    decoded("modern", "groupId"),
]
