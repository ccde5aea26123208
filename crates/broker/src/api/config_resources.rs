//! The resources that have a configuration, as requests name them, and what changes of it have in common.
//!
//! Source: `org.apache.kafka.common.config.ConfigResource.Type`; `ConfigAdminManager.preprocess` of Kafka 4.3.1, whose
//! sentences these are.

use std::collections::BTreeSet;

use io::Io;
use metadata::{
    AlterConfigsReply, ConfigChange, ConfigOperation, ConfigResource, Refusal, validate_topic_name,
};
use protocol::Str;
use types::{ErrorCode, NodeId};

use super::journal::{self, Who};
use crate::controller::{Command, CommandResult};
use crate::shard::Shard;

pub(super) const TOPIC: i8 = 2;
pub(super) const BROKER: i8 = 4;
pub(super) const BROKER_LOGGER: i8 = 8;
pub(super) const CLIENT_METRICS: i8 = 16;
pub(super) const GROUP: i8 = 32;

/// A resource of a request, with what is to be done about it.
pub(super) struct Asked {
    pub(super) kind: i8,
    pub(super) name: Str,
    /// A refusal is one of the whole resource.
    pub(super) operations: Result<Vec<(Str, ConfigOperation)>, Refusal>,
}

/// Has the controller change all resources that can be changed, and tells the log who has; the verdicts are in the order of
/// the request.
pub(super) async fn alter<I: Io>(
    shard: &Shard<I>,
    (asked, who): (Vec<Asked>, &Who),
    replaces: bool,
    validate_only: bool,
) -> Vec<(i8, Str, Result<(), Refusal>)> {
    let changes: Vec<Result<ConfigChange, Refusal>> = refuse_repeated(&asked)
        .into_iter()
        .zip(&asked)
        .map(|(repeated, asked)| {
            repeated?;
            let operations = asked.operations.clone()?;
            let resource = resource(shard, asked.kind, &asked.name)?;
            Ok(ConfigChange {
                resource,
                operations,
                replaces,
            })
        })
        .collect();
    let wanted: Vec<ConfigChange> = changes.iter().flatten().cloned().collect();
    let mut decided = decide(shard, wanted, validate_only).await.into_iter();
    let verdicts = changes
        .into_iter()
        .map(|change| change.and_then(|_| decided.next().expect("one verdict for each change")));
    let verdicts: Vec<_> = verdicts.collect();
    if !validate_only {
        let done = asked
            .iter()
            .zip(&verdicts)
            .filter(|(_, verdict)| verdict.is_ok());
        let done = done.filter_map(|(asked, _)| {
            let operations = asked.operations.as_ref().ok()?;
            Some(journal::changed(asked.kind, &asked.name, operations))
        });
        let what = if replaces {
            "replaced the configuration"
        } else {
            "changed the configuration"
        };
        who.has(shard, what, done);
    }
    asked
        .into_iter()
        .zip(verdicts)
        .map(|(asked, verdict)| (asked.kind, asked.name, verdict))
        .collect()
}

async fn decide<I: Io>(
    shard: &Shard<I>,
    changes: Vec<ConfigChange>,
    validate_only: bool,
) -> AlterConfigsReply {
    if changes.is_empty() {
        return Vec::new();
    }
    let count = changes.len();
    let command = Command::AlterConfigs {
        changes,
        validate_only,
    };
    match shard.decide(command).await {
        CommandResult::AlteredConfigs(verdicts) => verdicts,
        CommandResult::Refused(refusal) => vec![Err(refusal); count],
        _ => {
            let refusal = Refusal::new(ErrorCode::UnknownServerError, "");
            vec![Err(refusal); count]
        }
    }
}

fn refuse_repeated(asked: &[Asked]) -> Vec<Result<(), Refusal>> {
    let mut seen = BTreeSet::new();
    let of = |asked: &Asked| (asked.kind, asked.name.clone());
    let repeated: BTreeSet<_> = asked
        .iter()
        .map(of)
        .filter(|it| !seen.insert(it.clone()))
        .collect();
    let verdict = |asked: &Asked| {
        if repeated.contains(&of(asked)) {
            return Err(invalid("Each resource must appear at most once."));
        }
        Ok(())
    };
    asked.iter().map(verdict).collect()
}

/// What is meant by a resource's type and name.
fn resource<I: Io>(shard: &Shard<I>, kind: i8, name: &Str) -> Result<ConfigResource, Refusal> {
    match kind {
        TOPIC if name.is_empty() => Err(invalid("Default topic resources are not allowed.")),
        TOPIC => {
            validate_topic_name(name)
                .map_err(|message| Refusal::new(ErrorCode::InvalidTopicException, message))?;
            Ok(ConfigResource::Topic(name.clone()))
        }
        BROKER if name.is_empty() => Ok(ConfigResource::Broker(Str::default())),
        BROKER => {
            let wrong = || {
                invalid(format!(
                    "Node id must be an integer, but it is: {}",
                    &**name
                ))
            };
            let id: i32 = name.parse().ok().ok_or_else(wrong)?;
            let machine = shard.advertise().machine();
            if !shard.advertise().is_this_machine(NodeId(id)) {
                return Err(invalid(format!(
                    "Unexpected broker id, expected {machine}, but received {id}"
                )));
            }
            // Any of the shards' ids means the process.
            Ok(ConfigResource::Broker(machine.to_string().into()))
        }
        GROUP if name.is_empty() => Err(invalid("Default group resources are not allowed.")),
        GROUP => Ok(ConfigResource::Group(name.clone())),
        other => Err(unsupported(other)),
    }
}

/// Why resources of this type have no configuration here.
pub(super) fn unsupported(kind: i8) -> Refusal {
    match kind {
        BROKER_LOGGER => invalid(
            "Log levels are no resources here: LOGAN_LOG sets them at the start, and the API of logan.admin.listener while Logan runs.",
        ),
        CLIENT_METRICS => invalid("Logan has no client metrics subscriptions."),
        other => invalid(format!("Unknown resource type {other}")),
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::InvalidRequest, message)
}

/// The refusal of keys without a value, if there are any.
pub(super) fn refuse_nulls(nulls: &[&str]) -> Result<(), Refusal> {
    if nulls.is_empty() {
        return Ok(());
    }
    let message = format!("Null value not supported for : {}", nulls.join(", "));
    Err(invalid(message))
}

/// The refusal of keys that are named twice, if there are any.
pub(super) fn refuse_repeated_keys<'a>(
    keys: impl IntoIterator<Item = &'a Str>,
) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    if keys.into_iter().all(|key| seen.insert(key)) {
        return Ok(());
    }
    Err(invalid("Error due to duplicate config keys"))
}

/// Code and sentence of a verdict.
pub(super) fn error_of(verdict: Result<(), Refusal>) -> (i16, Option<Str>) {
    match verdict {
        Ok(()) => (0, None),
        Err(refusal) => {
            let message = Some(refusal.message).filter(|message| !message.is_empty());
            (refusal.code.code(), message.map(Into::into))
        }
    }
}
