//! Examples under every `--help`.

pub(crate) const TOP: &str = "\
Examples:
  loganctl topics create flights --partitions 4
  echo 'UA1545,EWR,IAH' | loganctl produce flights
  loganctl consume flights --from-beginning --until-end
  loganctl --bootstrap-server broker-1:9092,broker-2:9092 topics list --output json

Exit codes:
  0  done (also when the reader of the output has gone away)
  1  failed, or refused by the broker
  2  the command line or the input makes no sense
  3  the topic, partition or offset does not exist
  4  the topic exists already
  5  no broker answered in time";

pub(crate) const TOPICS: &str = "\
Examples:
  loganctl topics create flights --partitions 4
  loganctl topics list
  loganctl topics describe flights
  loganctl topics delete flights";

pub(crate) const CREATE: &str = "\
Examples:
  loganctl topics create flights                          the broker chooses the number of partitions
  loganctl topics create flights planes --partitions 4
  loganctl topics create flights --config cleanup.policy=compact --config segment.bytes=1048576
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

pub(crate) const DELETE: &str = "\
Examples:
  loganctl topics delete flights
  loganctl topics delete flights planes --if-exists";

pub(crate) const PRODUCE: &str = "\
Each line becomes a record. Lines are sent when a batch is full, when standard input pauses, and when it ends.

Examples:
  echo 'hello' | loganctl produce flights
  loganctl produce flights --key-separator , <flights.csv
  loganctl produce flights --key-separator '\\t' --null-marker NULL --compression zstd <changes.tsv
  loganctl produce flights --header source=airport --acks 1 <flights.csv
  loganctl consume flights --from-beginning --until-end --output json | loganctl produce copy --input json";

pub(crate) const CONSUME: &str = "\
Without --until-end or --count it waits for more until it is interrupted.

Examples:
  loganctl consume flights                                new records, as they come
  loganctl consume flights --from-beginning --until-end   all there is
  loganctl consume flights --offset -10 --until-end       the last ten of each partition
  loganctl consume flights --partition 0 --offset 42 --count 1
  loganctl consume flights --timestamp 10m                from ten minutes ago on
  loganctl consume flights --timestamp 2026-11-21T08:00:00Z --until-end
  loganctl consume flights --from-beginning --fields timestamp,key,headers,value --separator ' | '
  loganctl consume flights --from-beginning --until-end --output json | jq -r .key";

pub(crate) const COMPLETIONS: &str = "\
Examples:
  loganctl completions bash >~/.local/share/bash-completion/completions/loganctl
  loganctl completions zsh >~/.zfunc/_loganctl
  loganctl completions fish >~/.config/fish/completions/loganctl.fish";
