#!/usr/bin/env bash
# Starts a real Apache Kafka 4.3.1 (one node, KRaft, broker and controller in one process) on the loopback interface,
# as the reference that Logan is held against. Needs Java 17 or newer, Maven and python3; no root.
#
#   tests/kafka/start.sh --dir /tmp/k                     # free ports, prints "127.0.0.1:PORT pid PID" when it answers
#   tests/kafka/start.sh --dir /tmp/k --port 9092 --override num.partitions=4
#   tests/kafka/start.sh --dir /tmp/k --feature eligible.leader.replicas.version=0   # a level for a new directory
#   tests/kafka/stop.sh /tmp/k                            # SIGTERM by pid, waits until it is gone
#   tests/kafka/start.sh --dir /tmp/k --prepare           # only fetch the jars and format the storage
#   tests/kafka/start.sh --dir /tmp/k --foreground        # become the broker (for those who time or trace it)
#   tests/kafka/start.sh --classpath                      # print the class path, for Kafka's own tools
#
# The jars are copied once by Maven into target/kafka/libs. The directory keeps data, configuration, log and pid;
# starting again on the same directory and port continues with the data that is there.
# KAFKA_HEAP_OPTS (default: -Xms1g -Xmx1g, as in Kafka's own script) sets the heap.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
libs=$root/target/kafka/libs
ready_timeout_seconds=60

usage() { sed -n '2,/^set -/p' "${BASH_SOURCE[0]}" | sed '$d; s/^# \{0,1\}//'; }

fetch_jars() {
  # The stamp holds the pom's checksum, so that a changed version is fetched and an unchanged one costs nothing.
  local wanted; wanted=$(sha256sum "$here/pom.xml" | cut -d' ' -f1)
  if [[ -f $libs/.complete && $(<"$libs/.complete") == "$wanted" ]]; then return; fi
  rm -rf "$libs"
  mkdir -p "$libs"
  mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies "-DoutputDirectory=$libs" >&2
  echo "$wanted" >"$libs/.complete"
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# A TCP connection that is accepted proves little: the port answers when ApiVersions does.
answers() {
  python3 - "$1" <<'PY'
import socket, struct, sys
frame = struct.pack(">hhih", 18, 0, 1, -1)
try:
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=2) as peer:
        peer.sendall(struct.pack(">i", len(frame)) + frame)
        sys.exit(0 if len(peer.recv(4)) == 4 else 1)
except OSError:
    sys.exit(1)
PY
}

dir='' port='' action=background overrides=() features=()
while (($#)); do
  case $1 in
    --dir) dir=$2; shift 2 ;;
    --port) port=$2; shift 2 ;;
    --override) overrides+=("$2"); shift 2 ;;
    --feature) features+=(--feature "$2"); shift 2 ;;
    --prepare) action=prepare; shift ;;
    --foreground) action=foreground; shift ;;
    --classpath) fetch_jars; echo "$libs/*"; exit 0 ;;
    -h | --help) usage; exit 0 ;;
    *) echo "start.sh: unknown argument $1 (see --help)" >&2; exit 2 ;;
  esac
done
if [[ -z $dir ]]; then echo "start.sh: --dir is missing (see --help)" >&2; exit 2; fi

fetch_jars
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
if [[ -z $port && -f $dir/port ]]; then port=$(<"$dir/port"); fi
port=${port:-$(free_port)}
controller_port=$(free_port)
echo "$port" >"$dir/port"

{
  cat <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:$controller_port
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller_port
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
log.dirs=$dir/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
PROPERTIES
  for override in ${overrides[@]+"${overrides[@]}"}; do echo "$override"; done
} >"$dir/server.properties"

cat >"$dir/log4j2.properties" <<'LOG4J'
appender.console.type=Console
appender.console.name=STDOUT
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=INFO
rootLogger.appenderRef.stdout.ref=STDOUT
LOG4J

# KRaft remembers voters by directory id, not by port, so that a restart on a new controller port finds its quorum of one.
java_base=(java "-Dlog4j2.configurationFile=$dir/log4j2.properties" -cp "$libs/*")
if [[ ! -f $dir/data/meta.properties ]]; then
  cluster_id=$("${java_base[@]}" kafka.tools.StorageTool random-uuid 2>/dev/null | tail -1)
  "${java_base[@]}" kafka.tools.StorageTool format --standalone -t "$cluster_id" -c "$dir/server.properties" \
    ${features[@]+"${features[@]}"} >"$dir/format.log" 2>&1
fi
if [[ $action == prepare ]]; then exit 0; fi

read -ra heap <<<"${KAFKA_HEAP_OPTS:--Xms1g -Xmx1g}"
# The collector and its target are those of Kafka's own kafka-run-class.sh.
broker=(java "${heap[@]}" -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35
  -XX:+ExplicitGCInvokesConcurrent -Djava.awt.headless=true "-Dlog4j2.configurationFile=$dir/log4j2.properties"
  -cp "$libs/*" kafka.Kafka "$dir/server.properties")
echo $$ >"$dir/pid"
if [[ $action == foreground ]]; then exec "${broker[@]}"; fi

setsid "${broker[@]}" >>"$dir/kafka.log" 2>&1 </dev/null &
pid=$!
echo "$pid" >"$dir/pid"
for ((waited = 0; waited < ready_timeout_seconds * 10; waited++)); do
  if ! kill -0 "$pid" 2>/dev/null; then
    echo "start.sh: Kafka ended before it answered; the end of $dir/kafka.log:" >&2
    tail -20 "$dir/kafka.log" >&2
    exit 1
  fi
  if answers "$port"; then echo "127.0.0.1:$port pid $pid"; exit 0; fi
  sleep 0.1
done
echo "start.sh: Kafka did not answer on port $port within $ready_timeout_seconds s" >&2
kill "$pid"
exit 1
