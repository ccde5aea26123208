//! Values that are more than a number or a text: choices, sets and core lists.

use crate::value::{ConfigType, FromValue, Value};

macro_rules! choices {
    ($($(#[$meta:meta])* pub enum $name:ident in $texts:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+ })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_meta])* $variant,)+ }

        /// The texts that a configuration may say, for the validator.
        pub(crate) const $texts: &[&str] = &[$($text),+];

        impl $name {
            /// The text of a configuration file.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl FromValue for $name {
            const TYPE: ConfigType = ConfigType::String;

            fn from_value(value: &Value) -> Self {
                let text = value.to_string();
                [$(Self::$variant),+].into_iter().find(|choice| choice.name() == text)
                    .expect("the validator permits the names of the choices only")
            }
        }
    )+};
}

choices! {
    /// `compression.type`: how batches are stored.
    pub enum CompressionType in COMPRESSION_TYPES {
        /// Not compressed, whatever the producer sent.
        Uncompressed = "uncompressed",
        /// Zstandard.
        Zstd = "zstd",
        /// LZ4 frames.
        Lz4 = "lz4",
        /// Snappy in xerial framing.
        Snappy = "snappy",
        /// Gzip.
        Gzip = "gzip",
        /// As the producer sent them.
        Producer = "producer",
    }

    /// `message.timestamp.type`: whose clock stamps records.
    pub enum TimestampType in TIMESTAMP_TYPES {
        /// The producer's.
        CreateTime = "CreateTime",
        /// The broker's, at the append.
        LogAppendTime = "LogAppendTime",
    }

    /// `logan.durability`: what must be done with a batch before it is acknowledged and consumed.
    pub enum Durability in DURABILITIES {
        /// It survives a power cut.
        Sync = "sync",
        /// Its write has completed; `flush.messages` and `flush.ms` schedule syncs.
        Written = "written",
    }

    /// `logan.produce.validation`: how closely batches are checked before they are stored.
    pub enum ProduceValidation in PRODUCE_VALIDATIONS {
        /// Down to the framing of every record, compressed ones included.
        Full = "full",
        /// The batch header and the checksum.
        Header = "header",
    }

    /// `shard.advertise`: how clients see the shards.
    pub enum ShardAdvertise in SHARD_ADVERTISE {
        /// One node; requests travel between shards inside the broker.
        Single = "single",
        /// Every shard is a node of its own at the one port, which clients reach without a hop.
        PerShard = "per-shard",
        /// Every shard is a node of its own at a port of its own: shard k listens k ports above the listener's.
        PerShardPort = "per-shard-port",
    }
}

/// `cleanup.policy`: what may happen to old records. Neither means that they are kept for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// Old segments are deleted.
    pub delete: bool,
    /// Only the last record of each key is kept; records without a key are refused.
    pub compact: bool,
}

/// The texts of [`CleanupPolicy`], in Kafka's order.
pub(crate) const CLEANUP_POLICIES: &[&str] = &["compact", "delete"];

impl FromValue for CleanupPolicy {
    const TYPE: ConfigType = ConfigType::List;

    fn from_value(value: &Value) -> Self {
        let items = Vec::from_value(value);
        let has = |text: &str| items.iter().any(|item| item == text);
        Self {
            delete: has("delete"),
            compact: has("compact"),
        }
    }
}

/// `shard.cores`: the cores that run a shard each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardCores {
    /// `auto`: one core for each physical core that the process may use.
    Auto,
    /// `4`: that many of them, at least 1.
    Count(usize),
    /// `0-3,6`: these ones, numbered as the kernel does, ascending, each once; a single core is written `6-6`.
    List(Vec<usize>),
    /// `nodes:0-1`: one core for each physical core of these NUMA nodes, ascending, each once.
    Nodes(Vec<usize>),
}

/// The highest number of shards that a broker may have.
pub const SHARDS_MAX: usize = 1024;

impl ShardCores {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "must be auto, a number of shards from 1 to {SHARDS_MAX}, a list of cores such as 0-3,6 (a single core: 6-6), or NUMA nodes such as nodes:0-1"
            )
        };
        if text == "auto" {
            return Ok(Self::Auto);
        }
        if let Ok(count) = text.parse::<usize>() {
            return if (1..=SHARDS_MAX).contains(&count) {
                Ok(Self::Count(count))
            } else {
                Err(wrong())
            };
        }
        match text.strip_prefix("nodes:") {
            Some(nodes) => Ok(Self::Nodes(
                numbers(nodes, "node").map_err(|it| it.unwrap_or_else(wrong))?,
            )),
            None => Ok(Self::List(
                numbers(text, "core").map_err(|it| it.unwrap_or_else(wrong))?,
            )),
        }
    }

    /// The validator of `shard.cores`.
    pub(crate) fn check(value: &Value) -> Result<(), String> {
        Self::parse(&value.to_string()).map(drop)
    }
}

/// The numbers of a list such as `0-3,6`, ascending.
///
/// # Errors
/// What is wrong with a list that can be read, or nothing.
fn numbers(text: &str, what: &str) -> Result<Vec<usize>, Option<String>> {
    let mut numbers = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let first = first.trim().parse::<usize>().ok().ok_or(None)?;
        let last = last.trim().parse::<usize>().ok().ok_or(None)?;
        if first > last || last - first >= SHARDS_MAX || numbers.len() >= SHARDS_MAX {
            return Err(None);
        }
        numbers.extend(first..=last);
    }
    numbers.sort_unstable();
    let is_unique = numbers.windows(2).all(|pair| pair[0] != pair[1]);
    is_unique
        .then_some(numbers)
        .ok_or_else(|| Some(format!("must name a {what} once only")))
}

impl FromValue for ShardCores {
    const TYPE: ConfigType = ConfigType::String;

    fn from_value(value: &Value) -> Self {
        Self::parse(&value.to_string()).expect("the validator has parsed the text")
    }
}

/// `group.consumer.migration.policy`: which groups may change their protocol while they have members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupMigration {
    /// None.
    Disabled,
    /// Consumer groups, to the classic protocol.
    Downgrade,
    /// Classic groups, to the consumer protocol.
    Upgrade,
    /// Both.
    Bidirectional,
}

/// The texts of [`GroupMigration`], in Kafka's order.
pub(crate) const GROUP_MIGRATIONS: &[&str] = &["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"];

impl FromValue for GroupMigration {
    const TYPE: ConfigType = ConfigType::String;

    fn from_value(value: &Value) -> Self {
        let text = value.to_string().to_ascii_uppercase();
        let place = GROUP_MIGRATIONS.iter().position(|name| *name == text);
        let place = place.expect("the validator permits the names of the choices only");
        [
            Self::Disabled,
            Self::Downgrade,
            Self::Upgrade,
            Self::Bidirectional,
        ][place]
    }
}

/// The validator of `leader.replication.throttled.replicas` and its twin: `*`, or pairs of numbers with colons.
pub(crate) fn check_throttled_replicas(value: &Value) -> Result<(), String> {
    let Value::List(items) = value else {
        return Ok(());
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_pair = |item: &String| {
        item.split_once(':')
            .is_some_and(|(left, right)| is_number(left) && is_number(right))
    };
    if items.iter().all(is_pair) || (items.len() == 1 && items[0] == "*") {
        return Ok(());
    }
    Err("must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...".to_owned())
}

/// The validator of `logan.disk.write.bytes`: sizes that the log has chunks of.
pub(crate) fn check_write_bytes(value: &Value) -> Result<(), String> {
    match value {
        Value::Integer(16_384 | 65_536 | 262_144 | 1_048_576) => Ok(()),
        _ => Err("must be 16384, 65536, 262144 or 1048576".to_owned()),
    }
}

/// The validator of addresses of this machine that need no name.
fn check_address(value: &Value) -> Result<(), String> {
    let Value::Text(text) = value else {
        return Ok(());
    };
    match text.parse::<std::net::SocketAddr>() {
        Ok(_) => Ok(()),
        Err(_) => Err("must be an IP address and a port such as 127.0.0.1:9404".to_owned()),
    }
}

/// The same, or a port of the loopback address alone.
pub(crate) fn check_address_or_port(value: &Value) -> Result<(), String> {
    match value {
        Value::Text(text) if text.parse::<u16>().is_ok() => Ok(()),
        other => check_address(other).map_err(|_narrower| {
            "must be an IP address and a port such as 127.0.0.1:9644, or a port of 127.0.0.1 alone"
                .to_owned()
        }),
    }
}

/// The address of a server that is spoken to without TLS: `http://host:port/path`.
pub(crate) fn check_http_url(value: &Value) -> Result<(), String> {
    let Value::Text(text) = value else {
        return Ok(());
    };
    if text.starts_with("https://") {
        return Err("must begin with http://: there is no TLS here; let a collector on this machine take the spans on".to_owned());
    }
    let rest = text.strip_prefix("http://");
    let (authority, path) = rest.map_or(("", ""), |it| it.split_once('/').unwrap_or((it, "")));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse::<u16>().ok()),
        _ => (authority, Some(80)),
    };
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b".-_[]:".contains(&it);
    let is_host = !host.is_empty() && host.bytes().all(is_plain);
    let is_path = path
        .bytes()
        .all(|it| it.is_ascii_graphic() && !b"?#".contains(&it));
    if is_host && port.is_some_and(|it| it != 0) && is_path {
        return Ok(());
    }
    Err(
        "must be an address such as http://127.0.0.1:4318 or http://collector:4318/v1/traces"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::{ShardCores, check_address, check_address_or_port, check_http_url};
    use crate::value::Value;

    #[test]
    fn a_collector_has_an_address_without_tls() {
        let check = |text: &str| check_http_url(&Value::Text(text.to_owned()));
        for right in [
            "http://127.0.0.1:4318",
            "http://collector",
            "http://[::1]:4318/",
            "http://[::1]",
            "http://otel.example:80/v1/traces",
        ] {
            assert_eq!(check(right), Ok(()), "{right}");
        }
        for wrong in [
            "",
            "127.0.0.1:4318",
            "http://",
            "http://:4318",
            "http://host:0",
            "http://host:65536",
            "http://host:port",
            "http://user@host:1",
            "http://host:1/a b",
            "http://host:1/?q",
            "grpc://host:4317",
        ] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
        let refused = check("https://collector:4318").expect_err("no TLS");
        assert!(refused.contains("no TLS"), "{refused}");
    }

    #[test]
    fn an_address_is_one_of_ip_with_a_port() {
        let check = |text: &str| check_address(&Value::Text(text.to_owned()));
        for right in ["127.0.0.1:9404", "[::1]:0", "0.0.0.0:65535"] {
            assert_eq!(check(right), Ok(()), "{right}");
        }
        for wrong in [
            "",
            "localhost:9404",
            "127.0.0.1",
            ":9404",
            "127.0.0.1:65536",
        ] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
        let check = |text: &str| check_address_or_port(&Value::Text(text.to_owned()));
        assert_eq!(check("9644"), Ok(()));
        assert_eq!(check("[::1]:9644"), Ok(()));
        assert!(check("65536").is_err() && check("localhost").is_err());
    }

    #[test]
    fn shard_cores_are_auto_a_count_or_a_list() {
        for (text, cores) in [
            ("auto", ShardCores::Auto),
            ("4", ShardCores::Count(4)),
            ("0-3,6", ShardCores::List(vec![0, 1, 2, 3, 6])),
            ("6, 2", ShardCores::List(vec![2, 6])),
            ("6-6", ShardCores::List(vec![6])),
            ("nodes:1", ShardCores::Nodes(vec![1])),
            ("nodes:2,0-1", ShardCores::Nodes(vec![0, 1, 2])),
        ] {
            assert_eq!(ShardCores::parse(text), Ok(cores), "{text}");
        }
    }

    #[test]
    fn impossible_shard_cores_are_refused() {
        for text in [
            "",
            "0",
            "1025",
            "-1",
            "a",
            "3-1",
            "0,0",
            "0-2,1",
            "0-99999999999",
            "1,,2",
            "auto,1",
        ] {
            assert!(ShardCores::parse(text).is_err(), "{text}");
        }
    }
}
