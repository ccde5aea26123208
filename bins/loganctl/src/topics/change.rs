//! Changing topics that exist: their configuration, and how many partitions they have.

use client::{Client, ConfigChange, ConfigResource};
use command_line::{Failure, Output};
use types::ErrorCode;

use super::{in_order, row};
use crate::cli::{AddPartitionsOptions, AlterOptions};

/// Sets and takes back keys of topics. Nothing is shown: `configs describe` does that.
pub(super) fn alter(
    client: &mut Client,
    options: &AlterOptions,
    output: &Output,
) -> Result<(), Failure> {
    let set = options.config.iter().cloned();
    let deleted = options.delete_config.iter().cloned();
    let changes: Vec<_> = set
        .map(|(key, value)| ConfigChange::Set(key, value))
        .chain(deleted.map(ConfigChange::Delete))
        .collect();
    output.for_each(&options.topics, |name| {
        let resource = ConfigResource::Topic(name.clone());
        client.alter_configs(&resource, &changes, options.dry_run)?;
        Ok(())
    })
}

/// Raises the number of partitions, and shows the topics as they are then, or would be.
pub(super) fn add_partitions(
    client: &mut Client,
    options: &AddPartitionsOptions,
    output: &Output,
) -> Result<(), Failure> {
    let mut changed = Vec::new();
    let outcome = output.for_each(&options.topics, |name| {
        let before = client.describe_topic(name)?.partitions.len();
        let first_new = i32::try_from(before).unwrap_or(i32::MAX);
        let assignments = in_order(&options.assign, first_new)?;
        let total = options.total;
        let raised = client.create_partitions(name, total, &assignments, options.dry_run);
        raised.map_err(|error| explained(error, name, before, total))?;
        let mut shown = row(&client.describe_topic(name)?);
        if options.dry_run {
            shown.partitions = usize::try_from(total).ok();
        }
        changed.push(shown);
        Ok(())
    });
    output.rows(&changed)?;
    outcome
}

/// A number that is no rise is the most frequent mistake, and brokers say it in as many ways as there are brokers.
fn explained(error: client::ClientError, topic: &str, before: usize, total: i32) -> Failure {
    let is_too_low = usize::try_from(total).is_ok_and(|total| total <= before);
    match error.code() {
        Some(ErrorCode::InvalidPartitions) if is_too_low => Failure::Refused {
            problem: format!("topic {topic} has {before} partitions, so it cannot get {total} in all"),
            advice: "the number of partitions can only rise: to have fewer, copy the records to a new topic"
                .to_owned(),
        },
        _ => error.into(),
    }
}
