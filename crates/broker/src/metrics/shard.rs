//! The shard itself: how busy it is, what waits, who is connected, and what memory is taken.

use io::{Io, Usage};
use types::{Metric, Sample};

use crate::shard::Shard;

static CPU: Metric = Metric::counter(
    "logan_shard_cpu_seconds",
    "Time of its core that the shard's thread has used, in the kernel too.",
);
static BUSY: Metric = Metric::counter(
    "logan_shard_busy_seconds",
    "Time in which tasks of a class ran on the shard; its rate is the share of the time in which the shard was busy.",
);
static CONNECTIONS: Metric =
    Metric::gauge("logan_connections", "Connections that the shard serves.");
static CONNECTIONS_TAKEN: Metric = Metric::counter(
    "logan_connections_taken",
    "Connections that the shard has taken over, from the router or from another shard.",
);
static CONNECTIONS_CLOSED: Metric = Metric::counter(
    "logan_connections_closed",
    "Connections that the shard has closed for what their clients did: malformed or refused requests, requests that came too slowly, responses that were not read, or nothing at all.",
);
static PARTITION_REQUESTS: Metric = Metric::counter(
    "logan_partition_requests",
    "Batches appended and partitions read for clients of this shard, by whether the partition is its own or another shard's.",
);
static QUEUE_DEPTH: Metric = Metric::gauge(
    "logan_queue_depth",
    "How much waits: requests, control messages and replies of other shards; messages of this shard without a reply; partitions on their way to it.",
);
static MEMORY_USED: Metric = Metric::gauge(
    "logan_memory_used_bytes",
    "Memory that is taken of a budget of the shard.",
);
static MEMORY_LIMIT: Metric = Metric::gauge(
    "logan_memory_limit_bytes",
    "The size of a budget of the shard.",
);

/// The values of this moment.
pub(super) fn samples<I: Io>(shard: &Shard<I>) -> Vec<Sample> {
    let Usage {
        cpu,
        foreground,
        background,
        control,
    } = shard.io.usage();
    let counters = &shard.counters;
    let taken = |from, count: u64| CONNECTIONS_TAKEN.is(count).with("from", from);
    let closed = |reason, count: u64| CONNECTIONS_CLOSED.is(count).with("reason", reason);
    let asked = |operation, place, count: u64| {
        let sample = PARTITION_REQUESTS.is(count).with("operation", operation);
        sample.with("partition_of", place)
    };
    let mut samples = vec![
        CPU.lasts(cpu),
        BUSY.lasts(foreground).with("class", "foreground"),
        BUSY.lasts(background).with("class", "background"),
        BUSY.lasts(control).with("class", "control"),
        CONNECTIONS.is(shard.connections.borrow().len() as u64),
        taken("router", counters.connections_accepted.get()),
        taken("shard", counters.connections_received.get()),
        closed("malformed", counters.closed_malformed.get()),
        closed("slow_request", counters.closed_slow.get()),
        closed("unread_response", counters.closed_unread.get()),
        closed("idle", counters.closed_idle.get()),
        asked("append", "shard", counters.appends_own.get()),
        asked("append", "other", counters.appends_foreign.get()),
        asked("read", "shard", counters.reads_own.get()),
        asked("read", "other", counters.reads_foreign.get()),
    ];
    let depths = shard.mesh.depths();
    let queues = [
        ("requests", depths.requests as u64),
        ("control", depths.control as u64),
        ("replies", depths.replies as u64),
        ("awaited", depths.awaited as u64),
        ("arriving_partitions", shard.counts().arriving),
    ];
    samples.extend(queues.map(|(queue, depth)| QUEUE_DEPTH.is(depth).with("queue", queue)));
    for (budget, used, limit) in budgets(shard) {
        let of_budget = |sample: Sample| sample.with("budget", budget);
        samples.push(of_budget(MEMORY_USED.is(used as u64)));
        samples.push(of_budget(MEMORY_LIMIT.is(limit as u64)));
    }
    samples
}

/// Name, use and size of each budget.
fn budgets<I: Io>(shard: &Shard<I>) -> [(&'static str, usize, usize); 8] {
    let storage = shard.storage.config();
    let memory = shard.storage.memory();
    let unwritten = usize::try_from(shard.storage.unwritten_bytes()).unwrap_or(usize::MAX);
    let (decoded, decoded_limit) = shard.decoded_budget.used_and_limit_bytes();
    let of_requests = |name, budget: &crate::budget::RequestBudget| {
        (name, budget.used_bytes(), budget.limit_bytes())
    };
    let (answers, answers_limit) = shard.answers.used_and_limit_bytes();
    [
        of_requests("requests", &shard.request_budget),
        of_requests("forwarded", &shard.forward_budget),
        ("decoded", decoded, decoded_limit),
        ("answers", answers, answers_limit),
        (
            "records",
            shard.response_budget.used_bytes(),
            shard.response_budget.limit_bytes(),
        ),
        ("staging", unwritten, storage.staging_bytes),
        ("cache", memory.cache_bytes, storage.cache_bytes),
        ("indexes", memory.index_bytes, storage.index_cache_bytes),
    ]
}
