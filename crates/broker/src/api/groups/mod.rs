//! The APIs of group coordinators: a file each, and what they share.
//!
//! Each sends its request, or each group of it, to the coordinator, and puts Kafka's error into the answer where there is
//! none. What a request means is decided by the core, in the crate `groups`.

pub(super) mod consumer_group_describe;
pub(super) mod consumer_group_heartbeat;
pub(super) mod delete_groups;
pub(super) mod describe_groups;
pub(super) mod find_coordinator;
pub(super) mod heartbeat;
pub(super) mod join_group;
pub(super) mod leave_group;
pub(super) mod list_groups;
pub(super) mod offset_commit;
pub(super) mod offset_delete;
pub(super) mod offset_fetch;
pub(super) mod sync_group;

use std::collections::HashSet;
use std::hash::Hash;

use futures_util::future::LocalBoxFuture;
use groups::Request;
use io::Io;
use protocol::Str;
use types::ShardId;

use super::Call;
use crate::groups::{Answered, Asked, Asking};
use crate::slice::Steps;

/// What may be done with a group, as bits of Kafka's operations: read, delete, describe, and describe and alter its
/// configuration. Everybody may do everything.
pub(super) const AUTHORIZED_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

/// A request that is on its way to its coordinator.
pub(super) enum Sent<I: Io> {
    /// A coordinator will answer, or has.
    Asking(Asking<I>),
    /// The connection belongs to the coordinator's shard, which will handle the request.
    Migrate(ShardId),
}

/// Sends a request about one group to its coordinator.
pub(super) async fn send<I: Io>(call: &Call<I>, group: &Str, request: Request) -> Sent<I> {
    match foreign_target(call, group) {
        Some(target) => Sent::Migrate(target),
        None => Sent::Asking(ask(call, group, request).await),
    }
}

/// Sends what a request wants of one group to that group's coordinator.
pub(super) async fn ask<I: Io>(call: &Call<I>, group: &Str, request: Request) -> Asking<I> {
    let asked = Asked {
        version: call.version,
        frame_bytes: call.frame_bytes,
        client_id: call.client_id.clone(),
        client_host: format!("/{}", call.connection.peer.ip()).into(),
        request,
    };
    call.shard.ask(group, asked, call.redirects()).await
}

/// Sends what a request wants of each of several groups to their coordinators, stepping aside when that takes long. `answer`
/// makes the answer about a group of what its coordinator replied.
///
/// # Errors
/// The shard that the connection belongs to, which will handle the request.
pub(super) async fn ask_each<I: Io, R: 'static>(
    call: &Call<I>,
    groups: Vec<Str>,
    request: impl Fn(Str) -> Request,
    answer: impl Fn(Str, Answered) -> R + 'static,
) -> Result<LocalBoxFuture<'static, Vec<R>>, ShardId> {
    let first = groups.first();
    if let Some(target) = first.and_then(|group| foreign_target(call, group)) {
        return Err(target);
    }
    let mut steps = Steps::new(&call.shard.io);
    let mut asked = Vec::with_capacity(groups.len());
    for group in groups {
        steps.step().await;
        let asking = ask(call, &group, request(group.clone())).await;
        asked.push((group, asking));
    }
    Ok(Box::pin(async move {
        let mut answers = Vec::with_capacity(asked.len());
        for (group, asking) in asked {
            steps.step().await;
            answers.push(answer(group, asking.answer().await));
        }
        answers
    }))
}

/// Each of these once, in order: repeating one would make the answer many times as large as the request.
pub(super) fn distinct<T: Clone + Eq + Hash>(named: Vec<T>) -> Vec<T> {
    let mut seen = HashSet::new();
    named
        .into_iter()
        .filter(|it| seen.insert(it.clone()))
        .collect()
}

/// Whether the cluster's features permit the consumer protocol.
pub(super) fn serves_consumer_groups<I: Io>(call: &Call<I>) -> bool {
    call.shard.view().image.feature(metadata::GROUP_VERSION) > 0
}

/// With a node id for each shard, a connection that has not shown yet which shard it means follows the coordinator of
/// the first group that it names.
pub(super) fn foreign_target<I: Io>(call: &Call<I>, group: &Str) -> Option<ShardId> {
    if !call.redirects() || call.connection.is_settled.get() {
        return None;
    }
    let owner = call
        .shard
        .view()
        .owner(call.shard.group_partition(group)?)?;
    call.connection.is_settled.set(true);
    (owner != call.shard.id()).then_some(owner)
}

/// The body of a handler whose whole request goes to one coordinator, and whose answer is that one's.
macro_rules! one_group {
    ($call:ident, $request:ident, $kind:ident, $refused:expr) => {{
        let group = $request.group_id.clone();
        match super::send(&$call, &group, groups::Request::$kind($request)).await {
            super::Sent::Migrate(target) => crate::api::Outcome::Migrate(target),
            super::Sent::Asking(asking) => crate::api::Outcome::Later(Box::pin(async move {
                crate::api::Finished::Answer(match asking.answer().await {
                    Ok(groups::Reply::$kind(response)) => response,
                    Ok(_) => $refused(types::ErrorCode::UnknownServerError),
                    Err(code) => $refused(code),
                })
            })),
        }
    }};
}
use one_group;
