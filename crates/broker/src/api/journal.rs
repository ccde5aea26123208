//! What clients have changed, told to the log: who has created or deleted which topics, and changed which values.
//!
//! A line for each request, and so many a second on each shard at most. Values are shown of topics and groups only: those of
//! brokers may be secrets.

use std::net::SocketAddr;

use io::Io;
use metadata::ConfigOperation;
use protocol::Str;

use super::Call;
use super::config_resources::{BROKER, GROUP, TOPIC};
use crate::limits::shortened;
use crate::shard::Shard;

/// How many names a line has.
const NAMES_MAX: usize = 20;

/// The client that asks, in memory of its own.
#[derive(Clone, Debug)]
pub(super) struct Who {
    client_id: String,
    peer: SocketAddr,
}

impl Who {
    pub(super) fn of<I: Io>(call: &Call<I>) -> Self {
        Self {
            client_id: shortened(&call.client_id).to_owned(),
            peer: call.connection.peer,
        }
    }

    /// Logs that this client has done something to what has these names; nothing without any.
    pub(super) fn has<I: Io>(
        &self,
        shard: &Shard<I>,
        what: &'static str,
        names: impl Iterator<Item = String>,
    ) {
        let mut names = names;
        let shown: Vec<String> = names.by_ref().take(NAMES_MAX).collect();
        if shown.is_empty() || !shard.changes_log_limit.admit(shard.io.now()) {
            return;
        }
        let mut list = shown.join(", ");
        let more = names.count();
        if more > 0 {
            list.push_str(&format!(" and {more} more"));
        }
        tracing::info!(names = list, client_id = self.client_id, peer = %self.peer, "{what}");
    }
}

/// A resource, and what was changed of its configuration.
pub(super) fn changed(kind: i8, name: &Str, operations: &[(Str, ConfigOperation)]) -> String {
    let kind_name = match kind {
        TOPIC => "topic",
        BROKER => "broker",
        GROUP => "group",
        _ => "resource",
    };
    let operations = operations.iter().take(NAMES_MAX);
    let operations = operations.map(|(key, operation)| match operation {
        ConfigOperation::Set(value) if kind != BROKER => {
            format!("{key}={}", shortened(value))
        }
        ConfigOperation::Set(_) => format!("{key} set"),
        ConfigOperation::Delete => format!("{key} deleted"),
        ConfigOperation::Append(_) => format!("{key} appended to"),
        ConfigOperation::Subtract(_) => format!("{key} subtracted from"),
    });
    let operations: Vec<String> = operations.collect();
    let name = if name.is_empty() { "(all)" } else { name };
    format!("{kind_name} {name} [{}]", operations.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_brokers_are_not_shown() {
        let key = |name: &str| Str::from(name);
        let operations = [
            (key("a"), ConfigOperation::Set(Str::from("1"))),
            (key("b"), ConfigOperation::Delete),
        ];
        let of_topic = changed(TOPIC, &key("t"), &operations);
        assert_eq!(of_topic, "topic t [a=1 b deleted]");
        let of_all = changed(BROKER, &Str::default(), &operations);
        assert_eq!(of_all, "broker (all) [a set b deleted]");
    }
}
