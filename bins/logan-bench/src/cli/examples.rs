//! Examples under every `--help`.

pub(crate) const TOP: &str = "\
Latencies count from the time at which a record was due, so that waiting for a slow answer is in them.
MB and GB are 10^6 and 10^9 bytes of record batches.

Examples:
  logan-bench produce                                     as fast as the broker takes it
  logan-bench produce --throughput 50MB --pid 4711        latency at a rate, and what the broker uses
  logan-bench end-to-end --throughput 20000 --output json
  logan-bench consume --fill 2GB
  logan-bench connections --connections 5000
  logan-bench yardstick --directory /var/lib/logan        what the machine itself can do
  logan-bench run scenarios/steady-50mb.toml --duration 1m
  logan-bench compare brokers.toml --html both.html       several brokers in turn
  logan-bench guard builds.toml                           whether a new build is worse

Exit codes:
  0  done (also when the reader of the output has gone away)
  1  failed, or refused by the broker
  2  the command line or a scenario makes no sense
  3  the topic or file does not exist
  4  a topic that was to be made exists already
  5  no broker answered, or it went away during the run
  7  interrupted; what was measured until then is marked as partial
  8  `guard` found that something became worse";

pub(crate) const PRODUCE: &str = "\
With --throughput max each connection keeps --in-flight full batches under way. With a rate, records are due at even
distances, batches go when they are full or --linger after their first record, and latency counts from when a
record was due.

Examples:
  logan-bench produce --record-size 1000 --batch-size 256KiB
  logan-bench produce --throughput 50MB --linger 5ms --report steady.json
  logan-bench produce --producers 64 --in-flight 1 --record-size 100 --batch-size 200     small requests
  logan-bench produce --compression zstd --compress-ratio 4 --keys zipf:10000:0.99
  logan-bench produce --throughput ramp:1MB-200MB --duration 1m
  logan-bench produce --duration 5s --read-back
  logan-bench produce --partitions-per-topic 1000 --idempotence --ceiling 3s";

pub(crate) const CONSUME: &str = "\
Examples:
  logan-bench consume --fill 2GB                          write 2 GB, then read it
  logan-bench consume --topic flights
  logan-bench consume --topic flights --drop-caches --subscriptions 5
  logan-bench consume --fill 2GB --partitions 8 --group-protocol consumer --consumers-per-subscription 4
  logan-bench consume --topic flights --from latest --duration 30s";

pub(crate) const END_TO_END: &str = "\
Each record counts from the time at which it was due to the time at which a consumer has its batch.

Examples:
  logan-bench end-to-end --throughput 50MB
  logan-bench end-to-end --throughput 10000 --subscriptions 5         fan-out
  logan-bench end-to-end --throughput 10000 --subscriptions 2 --group-protocol consumer --commit-interval 1s
  logan-bench end-to-end --throughput max --producers 2 --consumers-per-subscription 2";

pub(crate) const CONNECTIONS: &str = "\
Each connection asks for the broker's versions when it is opened, and for metadata afterwards. The limit on open files of both
processes must be above the number of connections.

Examples:
  logan-bench connections --connections 5000 --pid 4711
  logan-bench connections --connections 500 --throughput 2000 --duration 30s";

pub(crate) const COMPARE: &str = "\
Each round starts every broker once, in the order of the manifest, on an empty directory below the current one; measures it; and
kills it. In a command, {port} and {directory} stand for a free port and that directory. Scenarios are found
beside the manifest.
  rounds = 5
  scenarios = [\"steady-50mb.toml\"]
  [[broker]]
  name = \"Logan\"
  command = [\"logan\", \"--override\", \"listeners=PLAINTEXT://127.0.0.1:{port}\",
             \"--override\", \"log.dirs={directory}\"]
  warm_up = \"10s\"
  [[disk_alone]]
  scenario = \"steady-50mb\"
  rate = \"50MB\"
  block = \"24KiB\"
  duration = \"10s\"
The last table, which may be left out, measures the disk alone at the rate of a scenario, in every round.

Examples:
  logan-bench compare tests/perf/manifests/compare.toml
  logan-bench compare tests/perf/manifests/compare.toml --report both.json --html both.html";

pub(crate) const GUARD: &str = "\
Rounds go A B B A, so that what drifts meets both. For each figure the ratios of the pairs are held against chance by a sign-flip
permutation test; with fewer than six rounds nothing can be said with a confidence of 0.95. Instructions are
counted by perf where the machine has counters, and by valgrind where the manifest names `hot_pieces` of both builds;
what cannot be counted is said.

Examples:
  logan-bench guard builds.toml
  logan-bench guard builds.toml --confidence 0.99 --tolerance 5 --report guard.json";

pub(crate) const YARDSTICK: &str = "\
Blocks of 256 KiB: through a socket of the loopback interface, written directly to a file with and without fdatasync, copied
in memory, and summed up by CRC-32C. Give the directory of the broker's data.

Examples:
  logan-bench yardstick --directory /var/lib/logan
  logan-bench yardstick --directory /var/lib/logan --duration 10s --output json";

pub(crate) const RUN: &str = "\
A scenario names a workload and its options, with underscores or hyphens:
  workload = \"produce\"
  record_size = 1000
  throughput = \"50MB\"

Examples:
  logan-bench run scenarios/steady-50mb.toml
  logan-bench run scenarios/steady-50mb.toml --duration 1m --pid 4711
  logan-bench run workloads/1-topic-16-partitions-1kb.yaml";

pub(crate) const COMPLETIONS: &str = "\
Examples:
  logan-bench completions bash > /etc/bash_completion.d/logan-bench
  logan-bench completions zsh > ~/.zfunc/_logan-bench";

pub(crate) const MAN: &str = "\
Examples:
  logan-bench man /usr/local/share/man/man1";
