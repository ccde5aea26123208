//! Reading the partitions of a fetch, here and on other shards, and waiting for more.

use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, select_all};
use io::{Instant, Io};
use types::{ErrorCode, ShardId};

use super::plan::Plan;
use super::session::SessionPartition;
use crate::lookup;
use crate::message::{ReadJob, ReadResult, Reply, Request, WatchTarget};
use crate::shard::{Shard, wait_for_growth};
use crate::slice::Steps;
use crate::traffic::add;

/// How long another shard may be asked to watch: it holds a credit for as long.
const WATCH_MAX: Duration = Duration::from_secs(30);

/// What was read, one result for each partition of the plan.
pub(super) struct Collected {
    pub(super) results: Vec<ReadResult>,
    /// Bytes of records in them.
    pub(super) len_bytes: usize,
    has_unknown: bool,
}

/// What to do with what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outlook {
    /// It is enough, or something has to be told at once.
    Answer,
    /// The client would rather wait.
    Wait,
}

impl Collected {
    /// Whether a partition was asked for where it is not any more.
    pub(super) fn has_moved(&self) -> bool {
        let misdirected = Some(ErrorCode::NotLeaderOrFollower);
        self.results
            .iter()
            .any(|result| result.error == misdirected)
    }

    pub(super) fn outlook(&self, min_bytes: usize) -> Outlook {
        let has_verdict = self
            .results
            .iter()
            // What did not fit would not fit later either.
            .any(|result| result.error.is_some() || result.diverging.is_some() || result.has_more);
        if self.len_bytes >= min_bytes || has_verdict || self.has_unknown || self.results.is_empty()
        {
            Outlook::Answer
        } else {
            Outlook::Wait
        }
    }
}

/// Reads at most `max_bytes`, but at least one batch if there is one.
pub(super) async fn collect<I: Io>(shard: &Shard<I>, plan: &Plan, max_bytes: usize) -> Collected {
    let mut collected = Collected {
        results: vec![
            ReadResult::failed(ErrorCode::UnknownTopicOrPartition);
            plan.partitions.len()
        ],
        len_bytes: 0,
        has_unknown: !plan.unknown.is_empty(),
    };
    let mut steps = Steps::new(&shard.io);
    for (owner, places) in by_owner(shard, plan, &mut collected.results) {
        let counters = &shard.counters;
        if owner == shard.id() {
            add(&counters.reads_own, places.len() as u64);
            for place in places {
                steps.step().await;
                let remaining = max_bytes.saturating_sub(collected.len_bytes);
                let job = read_job(&plan.partitions[place], remaining, collected.len_bytes == 0);
                let result = lookup::read(shard, job).await;
                collected.len_bytes += result.len_bytes();
                collected.results[place] = result;
            }
        } else {
            add(&counters.reads_foreign, places.len() as u64);
            collect_from(shard, plan, owner, &places, max_bytes, &mut collected).await;
        }
    }
    collected
}

async fn collect_from<I: Io>(
    shard: &Shard<I>,
    plan: &Plan,
    owner: ShardId,
    places: &[usize],
    max_bytes: usize,
    collected: &mut Collected,
) {
    let remaining = max_bytes.saturating_sub(collected.len_bytes);
    let is_first = collected.len_bytes == 0;
    let jobs = places
        .iter()
        .map(|place| read_job(&plan.partitions[*place], remaining, is_first))
        .collect();
    let request = Request::Read {
        jobs,
        max_bytes: remaining,
    };
    let Some(Reply::Read(results)) = shard.mesh.request(owner, request).await.await else {
        for place in places {
            collected.results[*place] = ReadResult::failed(ErrorCode::KafkaStorageError);
        }
        return;
    };
    for (place, result) in places.iter().zip(results) {
        collected.len_bytes += result.len_bytes();
        collected.results[*place] = result;
    }
}

/// The places of the plan by the shard that owns them, in the order of each shard's first one.
fn by_owner<I: Io>(
    shard: &Shard<I>,
    plan: &Plan,
    results: &mut [ReadResult],
) -> Vec<(ShardId, Vec<usize>)> {
    let view = shard.view();
    let mut owners: Vec<(ShardId, Vec<usize>)> = Vec::new();
    for (place, partition) in plan.partitions.iter().enumerate() {
        let key = partition.wanted.key;
        let Some(owner) = view.owner(key) else {
            let code = if plan.uses_ids && view.image.topic(key.topic_id).is_none() {
                ErrorCode::UnknownTopicId
            } else {
                ErrorCode::UnknownTopicOrPartition
            };
            results[place] = ReadResult::failed(code);
            continue;
        };
        if owner != shard.id() && plan.redirects {
            results[place] = ReadResult::failed(ErrorCode::NotLeaderOrFollower);
            continue;
        }
        match owners.iter_mut().find(|(known, _)| *known == owner) {
            Some((_, places)) => places.push(place),
            None => owners.push((owner, vec![place])),
        }
    }
    owners
}

fn read_job(partition: &SessionPartition, remaining: usize, is_first: bool) -> ReadJob {
    let wanted = &partition.wanted;
    ReadJob {
        key: wanted.key,
        offset: wanted.offset,
        max_bytes: wanted.max_bytes.min(remaining),
        min_one_batch: is_first,
        current_leader_epoch: wanted.current_leader_epoch,
        last_fetched_epoch: wanted.last_fetched_epoch,
    }
}

/// Waits until a partition of the plan has moved on from what `seen` says, or until the deadline. Returns whether it may be
/// waited for again: not when an owner drains, which would end each wait at once.
pub(super) async fn wait_for_more<I: Io>(
    shard: &Rc<Shard<I>>,
    plan: &Plan,
    seen: Collected,
    deadline: Instant,
) -> bool {
    let view = shard.view();
    let mut by_shard: Vec<(ShardId, Vec<WatchTarget>)> = Vec::new();
    for (partition, result) in plan.partitions.iter().zip(&seen.results) {
        let key = partition.wanted.key;
        let Some(owner) = view.owner(key) else {
            continue;
        };
        let target = WatchTarget {
            key,
            offset: partition.wanted.offset,
            high_watermark: result.high_watermark,
        };
        match by_shard.iter_mut().find(|(known, _)| *known == owner) {
            Some((_, targets)) => targets.push(target),
            None => by_shard.push((owner, vec![target])),
        }
    }
    // The records that were read are let go while the client waits.
    drop(seen);
    let waits: Vec<LocalBoxFuture<'_, bool>> = by_shard
        .into_iter()
        .map(|(owner, targets)| {
            if owner == shard.id() {
                async move {
                    wait_for_growth(shard, &targets).await;
                    !shard.is_draining()
                }
                .boxed_local()
            } else {
                async move {
                    // The other shard does not hear of a client that goes away: it is asked again from time to time.
                    let deadline = deadline.min(shard.io.now() + WATCH_MAX);
                    let watch = Request::Watch { targets, deadline };
                    let watched = shard.mesh.watch(owner, watch).await.await;
                    matches!(watched, Some(Reply::Done))
                }
                .boxed_local()
            }
        })
        .collect();
    if waits.is_empty() {
        shard.io.sleep_until(deadline).await;
        return true;
    }
    let patience = deadline.saturating_since(shard.io.now());
    let waited = io::timeout(&shard.io, patience, select_all(waits)).await;
    waited.map_or(true, |(goes_on, ..)| goes_on)
}
