//! Examples under every `--help`.

pub(crate) const TOP: &str = "\
Examples:
  loganctl topics create flights --partitions 4
  echo 'UA1545,EWR,IAH' | loganctl produce flights
  loganctl consume flights --from-beginning --until-end
  loganctl configs set --topic flights retention.ms=3600000
  loganctl partitions list flights
  loganctl groups describe billing
  loganctl logs verify /var/lib/logan
  loganctl tune check
  loganctl --bootstrap-server broker-1:9092,broker-2:9092 topics list --output json

Exit codes:
  0  done (also when the reader of the output has gone away)
  1  failed, or refused by the broker
  2  the command line or the input makes no sense
  3  the topic, partition, offset, group or file does not exist
  4  the topic exists already
  5  no broker answered in time
  6  a log is damaged";

pub(crate) const TOPICS: &str = "\
Examples:
  loganctl topics create flights --partitions 4
  loganctl topics list
  loganctl topics describe flights
  loganctl topics alter flights --config retention.ms=3600000
  loganctl topics add-partitions flights --total 8
  loganctl topics delete flights";

pub(crate) const CREATE: &str = "\
Examples:
  loganctl topics create flights                          the broker chooses the number of partitions
  loganctl topics create flights planes --partitions 4
  loganctl topics create flights --config cleanup.policy=compact --config segment.bytes=1048576
  loganctl topics create flights --assign 0=0 --assign 1=100000
  loganctl topics create flights --if-not-exists          in scripts
  loganctl topics create flights --partitions 4 --dry-run";

pub(crate) const LIST: &str = "\
Examples:
  loganctl topics list
  loganctl topics list --internal
  loganctl topics list --output json | jq -r '.[].name'";

pub(crate) const DESCRIBE: &str = "\
Examples:
  loganctl topics describe flights
  loganctl topics describe flights planes --all-configs
  loganctl topics describe flights --output json | jq '.[0].partitions[].end_offset'";

pub(crate) const ALTER: &str = "\
Examples:
  loganctl topics alter flights --config retention.ms=3600000 --config segment.bytes=67108864
  loganctl topics alter flights --delete-config retention.ms      the broker's default counts again
  loganctl topics alter flights planes --config cleanup.policy=compact --dry-run";

pub(crate) const ADD_PARTITIONS: &str = "\
Records stay where they are, so that records of one key may lie in two partitions afterwards.

Examples:
  loganctl topics add-partitions flights --total 8
  loganctl topics add-partitions flights --total 6 --assign 4=0 --assign 5=100000
  loganctl topics add-partitions flights --total 8 --dry-run";

pub(crate) const DELETE: &str = "\
Examples:
  loganctl topics delete flights
  loganctl topics delete flights planes --if-exists";

pub(crate) const CONFIGS: &str = "\
Examples:
  loganctl configs describe --topic flights
  loganctl configs set --topic flights retention.ms=3600000
  loganctl configs delete --topic flights retention.ms
  loganctl configs describe --broker 0 --all";

pub(crate) const CONFIGS_DESCRIBE: &str = "\
Examples:
  loganctl configs describe --topic flights                       what was set for it, and where
  loganctl configs describe --topic flights --all
  loganctl configs describe --group billing --all
  loganctl configs describe --broker 0 log.retention.ms --details
  loganctl configs describe --brokers --output yaml";

pub(crate) const CONFIGS_SET: &str = "\
Examples:
  loganctl configs set --topic flights retention.ms=3600000 segment.bytes=67108864
  loganctl configs set --broker 0 log.cleaner.io.max.bytes.per.second=10000000
  loganctl configs set --brokers log.retention.ms=86400000
  loganctl configs set --group billing consumer.session.timeout.ms=60000
  loganctl configs set --topic flights cleanup.policy=compact,delete --dry-run";

pub(crate) const CONFIGS_DELETE: &str = "\
Examples:
  loganctl configs delete --topic flights retention.ms segment.bytes
  loganctl configs delete --brokers log.retention.ms";

pub(crate) const CONFIGS_LISTS: &str = "\
Examples:
  loganctl configs append --topic flights cleanup.policy=compact
  loganctl configs subtract --topic flights cleanup.policy=delete";

pub(crate) const PARTITIONS: &str = "\
Examples:
  loganctl partitions list
  loganctl partitions list flights --output json
  loganctl partitions move flights --partition 0 --to 100000";

pub(crate) const PARTITIONS_LIST: &str = "\
Examples:
  loganctl partitions list
  loganctl partitions list flights planes
  loganctl partitions list --moving
  loganctl partitions list --output json | jq 'sort_by(-.size_bytes) | .[:10]'";

pub(crate) const PARTITIONS_MOVE: &str = "\
With shard.advertise=per-shard each shard of a Logan broker is a node; `partitions list` shows ids. The node id of
shard k is the broker's plus 100000 times k, also where shards are not shown.

Examples:
  loganctl partitions move flights --partition 0 --to 100000
  loganctl partitions move flights --partition 3 --to-shard 1
  loganctl partitions move flights --partition 0,1 --to 100000 --no-wait
  loganctl partitions move flights --partition 2 --to-directory /mnt/disk2/logan
  loganctl partitions move flights --cancel";

pub(crate) const GROUPS: &str = "\
Examples:
  loganctl groups list
  loganctl groups describe billing
  loganctl groups describe billing --watch 2s
  loganctl groups reset-offsets billing --topic flights --to-time 10m --dry-run
  loganctl groups delete-offsets billing --topic planes
  loganctl groups delete billing";

pub(crate) const GROUPS_LIST: &str = "\
Examples:
  loganctl groups list
  loganctl groups list --state empty                      what could be deleted
  loganctl groups list --kind consumer --state stable,reconciling
  loganctl groups list --output json | jq -r '.[].group'";

pub(crate) const GROUPS_DESCRIBE: &str = "\
One row for each partition that the group has or has committed: how far it is, how far the partition is, how many records are
between them, and whose the partition is. With --watch it is asked again and again: how the lag has changed, how fast records
are consumed and written, and when the group will have caught up; a broker that goes away is waited for. Where nobody tells
the end of a partition, the rest is shown, what is missing is named, and the command ends with 1.

Examples:
  loganctl groups describe billing
  loganctl groups describe --all --state
  loganctl groups describe billing audit --members
  loganctl groups describe billing --watch 2s
  loganctl groups describe billing --watch 10s --count 6 --output json      a minute of it
  loganctl groups describe billing --output json | jq '[.[].lag] | add'";

pub(crate) const GROUPS_RESET: &str = "\
The group must have no members. Without --topic it goes on from elsewhere in every partition that it has committed. Offsets
beyond the ends of a partition are moved to them. In partitions that nobody can tell the ends of the group stays where it is:
they are named, and the command ends with 1. A file holds what --export or --output json have written: lines of topic,
partition and offset with commas between them, a group in front if there are several, as Kafka's tool writes and reads them.

Examples:
  loganctl groups reset-offsets billing --to-earliest                    all that it has committed
  loganctl groups reset-offsets billing --topic flights --to-latest
  loganctl groups reset-offsets billing --topic flights:0,2-4 --topic planes --to-offset 4711
  loganctl groups reset-offsets billing --topic flights --shift-by=-100
  loganctl groups reset-offsets billing --topic flights --to-time 2026-11-21T08:00:00Z --dry-run
  loganctl groups reset-offsets billing audit --to-time 10m              from ten minutes ago on
  loganctl groups reset-offsets billing --to-current --export >billing.csv
  loganctl groups reset-offsets billing --from-file billing.csv";

pub(crate) const GROUPS_DELETE: &str = "\
Examples:
  loganctl groups delete billing
  loganctl groups delete billing audit
  loganctl groups delete --all                            those that have no members; the others are named";

pub(crate) const GROUPS_DELETE_OFFSETS: &str = "\
No member of the group may subscribe to the topic.

Examples:
  loganctl groups delete-offsets billing --topic planes
  loganctl groups delete-offsets billing --topic flights:0,2-4";

pub(crate) const RECORDS: &str = "\
Examples:
  loganctl records delete flights --before-time 7d
  loganctl records delete flights --partition 0 --before-offset 1000";

pub(crate) const RECORDS_DELETE: &str = "\
Offsets of later records stay what they are.

Examples:
  loganctl records delete flights --partition 0 --before-offset 1000
  loganctl records delete flights --before-offset -100            keep the last hundred of each partition
  loganctl records delete flights --before-time 2026-11-21T08:00:00Z --dry-run
  loganctl records delete flights --all";

pub(crate) const LOGS: &str = "\
Examples:
  loganctl logs verify /var/lib/logan
  loganctl logs dump /var/lib/logan/flights-0 --from-offset 1000 --count 5
  loganctl logs repair /var/lib/logan/flights-0 --dry-run";

pub(crate) const LOGS_DUMP: &str = "\
Examples:
  loganctl logs dump /var/lib/logan/flights-0
  loganctl logs dump /var/lib/logan/flights-0/00000000000000000000.log --records
  loganctl logs dump /var/lib/logan/flights-0/00000000000000000000.timeindex
  loganctl logs dump /var/lib/logan/flights-0 --from-offset 1000 --count 5 --output json";

pub(crate) const LOGS_VERIFY: &str = "\
Checks framing, checksum and order of every batch, and whether indexes lead to what they promise.
A damaged batch ends the command with exit code 6. What a crash leaves behind (a torn tail) and
wrong or missing indexes are shown, but are no damage: the broker cuts the former, and
`logs repair` rebuilds the latter.

Examples:
  loganctl logs verify /var/lib/logan
  loganctl logs verify /var/lib/logan --records --all
  loganctl logs verify /var/lib/logan --sealed-only          while the broker runs
  loganctl logs verify /var/lib/logan/flights-0 --output json";

pub(crate) const LOGS_REPAIR: &str = "\
A log ends at its first damaged batch afterwards. What is cut is kept beside the segment, in files
that end in .cut.

Examples:
  loganctl logs repair /var/lib/logan --dry-run
  loganctl logs repair /var/lib/logan/flights-0";

pub(crate) const PRODUCE: &str = "\
Each line becomes a record. Lines are sent when a batch is full, when the input pauses, and when it
ends.

Examples:
  echo 'hello' | loganctl produce flights
  loganctl produce flights --key-separator , --file flights.csv
  loganctl produce flights --key-separator '\\t' --null-marker NULL --compression zstd <changes.tsv
  loganctl produce flights --header source=airport --acks 1 <flights.csv
  loganctl produce flights --file flights.csv --rate 1000         at most a thousand records a second
  echo 'cafe' | loganctl produce flights --value-format hex
  loganctl consume flights --from-beginning --until-end --output json | loganctl produce copy --input json";

pub(crate) const CONSUME: &str = "\
Without --until-end or --count it waits for more until it is interrupted.

Examples:
  loganctl consume flights                                new records, as they come
  loganctl consume flights --from-beginning --until-end   all there is
  loganctl consume flights --offset -10 --until-end       the last ten of each partition
  loganctl consume flights --partition 0 --offset 42 --count 1
  loganctl consume flights --from-time 10m                from ten minutes ago on
  loganctl consume flights --from-time 2026-11-21T08:00:00Z --to-time 2026-11-21T09:00:00Z
  loganctl consume flights --from-beginning --until-end --fields key,value --key-format hex --rate 10
  loganctl consume flights --from-beginning --fields timestamp,key,headers,value --separator ' | '
  loganctl consume flights --from-beginning --until-end --output json | jq -r .key";

pub(crate) const COMPLETIONS: &str = "\
Examples:
  loganctl completions bash >~/.local/share/bash-completion/completions/loganctl
  loganctl completions zsh >~/.zfunc/_loganctl
  loganctl completions fish >~/.config/fish/completions/loganctl.fish";

pub(crate) const MAN: &str = "\
Examples:
  loganctl man ~/.local/share/man/man1          then: man loganctl-topics-create";

pub(crate) const TUNE: &str = "\
Examples:
  loganctl tune check
  loganctl tune script >tune.sh
  sudo loganctl tune apply swappiness disk-scheduler
  sudo loganctl tune disk /var/lib/logan";

pub(crate) const TUNE_CHECK: &str = "\
Tuners: irq-network, irq-disk, disk-scheduler, disk-merges, swappiness, transparent-huge-pages, clocksource, cpu-governor,
cpu-idle, io-uring, limits, ballast. Ends with 1 when something could be better.

Examples:
  loganctl tune check
  loganctl tune check --config /etc/logan/server.properties
  loganctl tune check clocksource cpu-governor
  loganctl tune check --output json | jq -r '.[] | select(.verdict != \"fine\").subject'
  loganctl tune check --root ./copy-of-another-machine";

pub(crate) const TUNE_APPLY: &str = "\
Does what `tune check` shows, and no more; name tuners to leave others out. What it sets lasts until the machine restarts
(the ballast stays).

Examples:
  loganctl tune apply --dry-run
  sudo loganctl tune apply
  sudo loganctl tune apply irq-network disk-scheduler disk-merges --config /etc/logan/server.properties";

pub(crate) const TUNE_SCRIPT: &str = "\
Each change stands below its reason, so that the script can be read, cut and kept.

Examples:
  loganctl tune script
  loganctl tune script --config /etc/logan/server.properties >tune.sh
  loganctl tune script swappiness clocksource";

pub(crate) const TUNE_DISK: &str = "\
Writes, reads and syncs as a broker does, in a directory of its own below each log directory, and removes it. Needs 1 GiB of room
for the while. What is best becomes logan.disk.properties in the log directory, which counts where the broker's configuration
says nothing; a value other than the built-in one is taken only where it was better in every round.

Examples:
  sudo loganctl tune disk
  loganctl tune disk ./logan-data --seconds 60
  loganctl tune disk --config /etc/logan/server.properties --dry-run
  loganctl tune disk ./logan-data --output json | jq '.[].chosen'

Exit codes:
  0  measured
  1  it cannot be measured: no disk, no room, no right to write
  3  there is no such directory
  7  interrupted; nothing is left";

pub(crate) const DEBUG: &str = "\
The broker needs logan.admin.listener; what changes anything needs logan.admin.token.file, too.

Examples:
  loganctl debug dump
  loganctl debug log-levels info,broker::groups=debug --token-file /etc/logan/token";

pub(crate) const DEBUG_DUMP: &str = "\
Each shard keeps its last events: requests, connections, syncs, slow messages, stalls, moves of partitions. They can be read
while a shard hangs. `--write` has the broker write all of them to logan.recorder.directory, as it does by itself when it
panics and when a shard stalls.

Examples:
  loganctl debug dump
  loganctl debug dump --shard 1 --last 1000
  loganctl debug dump --output json | jq -r '.[] | select(.tookMicros > 10000)'
  loganctl debug dump --write --token-file /etc/logan/token --admin broker-1:9644";

pub(crate) const DEBUG_LOG_LEVELS: &str = "\
Levels are error, warn, info, debug and trace, for all or MODULE=LEVEL; what is set lasts until the broker ends.

Examples:
  loganctl debug log-levels
  loganctl debug log-levels info,storage=debug --token-file /etc/logan/token
  loganctl debug log-levels warn,broker::connection=trace --token-file /etc/logan/token";
