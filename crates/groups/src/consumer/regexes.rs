//! Subscriptions by regular expression: which expression stands for which topics, and since when.
//!
//! An expression is resolved when the first member subscribes by it, and again when topics have changed: at the next
//! heartbeat, but not more often than every [`REFRESH_INTERVAL_MIN`], as in Kafka. Each step compiles at most
//! [`COMPILED_MAX`] expressions and matches at most [`MATCHES_MAX`] names, or one expression with all names; what is left is
//! done at the heartbeats that follow.

use std::time::Duration;

use protocol::Str;
use protocol::messages::ConsumerGroupRegularExpressionValue;
use types::ErrorCode;

use super::Refusal;
use super::draft::Draft;
use super::records::regex_record;
use super::state::{State, resolved_bytes};
use crate::config::ConsumerGroupConfig;
use crate::group::Turn;
use crate::regex::TopicRegex;

/// How long expressions are left alone after they were refreshed.
const REFRESH_INTERVAL_MIN: Duration = Duration::from_secs(10);

/// How many expressions one step compiles, and how many names it matches, so that a group with many expressions holds
/// nobody up for long: an expression takes tens of milliseconds at worst, a name of 249 bytes two microseconds.
const COMPILED_MAX: usize = 2;
const MATCHES_MAX: usize = 20_000;

/// Refuses an expression that does not compile. One that others subscribe by has been looked at.
pub(super) fn check(state: &State, regex: Option<&Str>) -> Result<(), Refusal> {
    let Some(regex) = regex.filter(|regex| !regex.is_empty()) else {
        return Ok(());
    };
    if state.regexes.contains_key(&**regex) {
        return Ok(());
    }
    match TopicRegex::compile(regex) {
        Ok(_) => Ok(()),
        Err(reason) => Err(Refusal::new(
            ErrorCode::InvalidRegularExpression,
            format!(
                "SubscribedTopicRegex `{}` is not a valid regular expression: {reason}.",
                regex.as_str()
            ),
        )),
    }
}

/// Forgets what nobody subscribes by any more.
pub(super) fn prune(draft: &mut Draft) {
    let unused: Vec<Str> = draft
        .state
        .resolved
        .keys()
        .filter(|regex| !draft.state.regexes.contains_key(&***regex))
        .cloned()
        .collect();
    let group_id = draft.group_id.clone();
    for regex in unused {
        draft.write(regex_record(&group_id, &regex, None));
    }
}

/// Resolves what is new, and refreshes the rest if topics have changed.
pub(super) fn update(draft: &mut Draft, config: &ConsumerGroupConfig, turn: &mut Turn<'_>) {
    let context = turn.context;
    if draft.state.regexes.is_empty() {
        return;
    }
    let unresolved = unresolved(&draft.state);
    let refreshes = draft.looked.regexes.is_under_way()
        || draft.looked.regexes.is_stale(
            context,
            config.regex_refresh_interval,
            REFRESH_INTERVAL_MIN,
        );
    if unresolved.is_empty() && !refreshes {
        return;
    }
    // At least one, however many topics there are.
    let expressions = MATCHES_MAX / context.topics.names().count().max(1);
    let mut budget = expressions.clamp(1, COMPILED_MAX);
    for regex in unresolved.iter().take(budget) {
        resolve(draft, regex, turn);
    }
    budget = budget.saturating_sub(unresolved.len());
    if !refreshes {
        return;
    }
    if !draft.looked.regexes.is_under_way() {
        draft
            .looked
            .regexes
            .begin(context.topics.version(), context.now);
    }
    let left: Vec<Str> = draft
        .state
        .resolved
        .keys()
        .filter(|regex| draft.looked.regexes.is_left(regex))
        .cloned()
        .collect();
    for regex in left.iter().take(budget) {
        resolve(draft, regex, turn);
        draft.looked.regexes.done_up_to(regex.clone());
    }
    if left.len() <= budget {
        draft.looked.regexes.end();
    }
}

fn unresolved(state: &State) -> Vec<Str> {
    state
        .regexes
        .keys()
        .filter(|regex| !state.resolved.contains_key(&***regex))
        .cloned()
        .collect()
}

/// Writes what an expression stands for, unless the log says so already, or there is no room for it: then it stands for
/// what it did.
fn resolve(draft: &mut Draft, regex: &Str, turn: &mut Turn<'_>) {
    let context = turn.context;
    // What is in the log was compiled when it got there, perhaps by a version that took more: then it stands for
    // nothing, as in Kafka.
    let topics: Vec<Str> = TopicRegex::compile(regex)
        .map(|compiled| compiled.resolve(context.topics).into_iter().collect())
        .unwrap_or_default();
    let before = draft.state.resolved.get(&**regex);
    if before.is_some_and(|resolved| resolved.topics == topics) {
        return;
    }
    let before = before.map_or(0, |resolved| resolved_bytes(regex, &resolved.topics));
    if !turn.has_room_for_members(resolved_bytes(regex, &topics).saturating_sub(before)) {
        return;
    }
    let value = ConsumerGroupRegularExpressionValue {
        topics,
        version: i64::try_from(context.topics.version()).unwrap_or(i64::MAX),
        timestamp: context.wall_clock.0,
    };
    let group_id = draft.group_id.clone();
    draft.write(regex_record(&group_id, regex, Some(value)));
}
