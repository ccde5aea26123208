#!/usr/bin/env bash
# Stops the Kafka that start.sh started on a directory: SIGTERM by pid, then waits until it is gone.
#
#   tests/kafka/stop.sh /tmp/k
set -euo pipefail

stop_timeout_seconds=30

if (($# != 1)) || [[ $1 == -h || $1 == --help ]]; then
  sed -n '2,4p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//'
  exit 2
fi
pid=$(<"$1/pid")
kill "$pid" 2>/dev/null || exit 0
for ((waited = 0; waited < stop_timeout_seconds * 10; waited++)); do
  kill -0 "$pid" 2>/dev/null || exit 0
  sleep 0.1
done
echo "stop.sh: Kafka (pid $pid) is still running after $stop_timeout_seconds s; killing it" >&2
kill -9 "$pid"
