//! The keys of `server.properties` that Logan knows the meaning of: Kafka's, and its own.
//!
//! Names, types, defaults and permitted values of Kafka's keys are Kafka 4.3.1's, but for the deviations that the
//! test beside this table lists. Keys that only Kafka has stand in [`crate::known`].

use crate::definition::Validator::{
    Any, BetweenDouble, BetweenOrMinusOne, Custom, ListOf, NotEmpty, OneOf, OneOfAnyCase,
};
use crate::definition::{at_least, between, keys};
use crate::kinds::{
    CLEANUP_POLICIES, COMPRESSION_TYPES, CleanupPolicy, CompressionType, DURABILITIES, Durability,
    GROUP_MIGRATIONS, GroupMigration, PRODUCE_VALIDATIONS, ProduceValidation, SHARD_ADVERTISE,
    ShardAdvertise, ShardCores, TIMESTAMP_TYPES, TimestampType, check_address_or_port,
    check_http_url, check_write_bytes,
};

/// What metrics may have series for.
const METRICS_SERIES: &[&str] = &["topics", "partitions", "groups"];

/// The texts of `process.roles`, in Kafka's order.
const ROLES: &[&str] = &["broker", "controller"];

keys! {
    /// The values of a broker's keys, each parsed and within its permitted range.
    pub struct BrokerValues from BROKER_DEFINITIONS;
    "advertised.listeners" => advertised_listeners: Option<Vec<String>> = None, NotEmpty, Restart, Honoured,
        [], "The addresses that clients are told; those of `listeners` where it is not set.";
    "auto.create.topics.enable" => auto_create_topics_enable: bool = Some("true"), Any, Reload, Honoured,
        [], "Whether a metadata request for an unknown topic creates it, if the client permits.";
    "broker.id" => broker_id: i32 = Some("-1"), Any, Restart, Honoured,
        [], "The older name of `node.id`; where both are set they must agree.";
    "broker.rack" => broker_rack: Option<String> = None, Any, Restart, Honoured,
        [], "The rack of this machine.";
    "compression.gzip.level" => compression_gzip_level: i32 = Some("-1"), BetweenOrMinusOne(1, 9), Dynamic, Honoured,
        [], "The default of the topic key of this name.";
    "compression.lz4.level" => compression_lz4_level: i32 = Some("9"), between(1, 17), Dynamic, Honoured,
        [], "The default of the topic key of this name.";
    "compression.type" => compression_type: CompressionType = Some("producer"), OneOf(COMPRESSION_TYPES), Dynamic, Honoured,
        [], "The default of the topic key of this name.";
    "compression.zstd.level" => compression_zstd_level: i32 = Some("3"), between(-131_072, 22), Dynamic, Honoured,
        [], "The default of the topic key of this name.";
    "connections.max.idle.ms" => connections_max_idle_ms: i64 = Some("600000"), Any, Reload, Honoured,
        [], "A connection without a request for this long is closed; a negative value never closes one.";
    "controller.listener.names" => controller_listener_names: Vec<String> = Some(""), Any, Restart, Honoured,
        [], "Listeners for Kafka's controllers; Logan has none and does not open them.";
    "default.replication.factor" => default_replication_factor: i32 = Some("1"), Any, Reload, Honoured,
        [], "The replication factor of topics that are created without one.";
    "delete.topic.enable" => delete_topic_enable: bool = Some("true"), Any, Reload, Honoured,
        [], "Whether topics may be deleted.";
    "fetch.max.bytes" => fetch_max_bytes: i32 = Some("57671680"), at_least(1024), Reload, Honoured,
        [], "The most bytes of records that one fetch response carries, whatever the client asks for.";
    "follower.replication.throttled.rate" => follower_replication_throttled_rate: i64 = Some("9223372036854775807"), at_least(0), Dynamic, Honoured,
        [], "The bytes per second that replicas of `follower.replication.throttled.replicas` may fetch.";
    "group.consumer.assignment.interval.ms" => group_consumer_assignment_interval_ms: i32 = Some("1000"), at_least(0), Dynamic, Honoured,
        [], "The shortest time between two assignments of a consumer group; the default of the group key `consumer.assignment.interval.ms`.";
    "group.consumer.assignors" => group_consumer_assignors: Vec<String> = Some("uniform,range"), Any, Reload, Honoured,
        [], "The assignors that consumer groups may use, the default one first.";
    "group.consumer.heartbeat.interval.ms" => group_consumer_heartbeat_interval_ms: i32 = Some("5000"), at_least(1), Reload, Honoured,
        [], "The heartbeat interval of members of consumer groups; the default of the group key `consumer.heartbeat.interval.ms`.";
    "group.consumer.max.assignment.interval.ms" => group_consumer_max_assignment_interval_ms: i32 = Some("15000"), at_least(0), Reload, Honoured,
        [], "The greatest assignment interval that a consumer group may have.";
    "group.consumer.max.heartbeat.interval.ms" => group_consumer_max_heartbeat_interval_ms: i32 = Some("15000"), at_least(1), Reload, Honoured,
        [], "The greatest heartbeat interval that a consumer group may have.";
    "group.consumer.max.session.timeout.ms" => group_consumer_max_session_timeout_ms: i32 = Some("60000"), at_least(1), Reload, Honoured,
        [], "The greatest session timeout that a consumer group may have.";
    "group.consumer.max.size" => group_consumer_max_size: i32 = Some("2147483647"), at_least(1), Reload, Honoured,
        [], "The most members of one consumer group.";
    "group.consumer.migration.policy" => group_consumer_migration_policy: GroupMigration = Some("bidirectional"), OneOfAnyCase(GROUP_MIGRATIONS), Reload, Honoured,
        [], "Whether groups may change between the classic and the consumer protocol while they have members: `upgrade`, `downgrade`, `bidirectional` or `disabled`.";
    "group.consumer.min.assignment.interval.ms" => group_consumer_min_assignment_interval_ms: i32 = Some("0"), at_least(0), Reload, Honoured,
        [], "The smallest assignment interval that a consumer group may have.";
    "group.consumer.min.heartbeat.interval.ms" => group_consumer_min_heartbeat_interval_ms: i32 = Some("5000"), at_least(1), Reload, Honoured,
        [], "The smallest heartbeat interval that a consumer group may have.";
    "group.consumer.min.session.timeout.ms" => group_consumer_min_session_timeout_ms: i32 = Some("45000"), at_least(1), Reload, Honoured,
        [], "The smallest session timeout that a consumer group may have.";
    "group.consumer.regex.refresh.interval.ms" => group_consumer_regex_refresh_interval_ms: i32 = Some("600000"), at_least(10_000), Reload, Honoured,
        [], "How often the regular expressions that members subscribe to are matched against all topics, beside each change of the topics.";
    "group.consumer.session.timeout.ms" => group_consumer_session_timeout_ms: i32 = Some("45000"), at_least(1), Reload, Honoured,
        [], "The session timeout of members of consumer groups; the default of the group key `consumer.session.timeout.ms`.";
    "group.initial.rebalance.delay.ms" => group_initial_rebalance_delay_ms: i32 = Some("3000"), Any, Reload, Honoured,
        [], "How long the first rebalance of an empty classic group waits for more members.";
    "group.max.session.timeout.ms" => group_max_session_timeout_ms: i32 = Some("1800000"), Any, Reload, Honoured,
        [], "The greatest session timeout that a member of a classic group may ask for.";
    "group.max.size" => group_max_size: i32 = Some("2147483647"), at_least(1), Reload, Honoured,
        [], "The most members of one classic group.";
    "group.min.session.timeout.ms" => group_min_session_timeout_ms: i32 = Some("6000"), Any, Reload, Honoured,
        [], "The smallest session timeout that a member of a classic group may ask for.";
    "leader.replication.throttled.rate" => leader_replication_throttled_rate: i64 = Some("9223372036854775807"), at_least(0), Dynamic, Honoured,
        [], "The bytes per second that replicas of `leader.replication.throttled.replicas` may be sent.";
    "listener.security.protocol.map" => listener_security_protocol_map: String = Some("SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT"), Any, Restart, Honoured,
        [], "Which security protocol each listener speaks; a listener that is opened must map to PLAINTEXT.";
    "listeners" => listeners: Vec<String> = Some("PLAINTEXT://:9092"), NotEmpty, Restart, Honoured,
        [], "The addresses that are listened on, as NAME://host:port; an empty host is every interface.";
    "log.cleaner.backoff.ms" => log_cleaner_backoff_ms: i64 = Some("15000"), at_least(0), Dynamic, Honoured,
        [], "How long a shard's cleaner rests when no log needs cleaning.";
    "log.cleaner.dedupe.buffer.size" => log_cleaner_dedupe_buffer_size: i64 = Some("134217728"), Any, Dynamic, Honoured,
        [], "The memory for the keys of logs that are being cleaned, over all shards; each uses its part while it cleans, and takes several passes where that is too little.";
    "log.cleaner.delete.retention.ms" => log_cleaner_delete_retention_ms: i64 = Some("86400000"), at_least(0), Dynamic, Honoured,
        [], "The default of the topic key `delete.retention.ms`.";
    "log.cleaner.enable" => log_cleaner_enable: bool = Some("true"), Any, Restart, Honoured,
        [], "Whether logs with `cleanup.policy=compact` are compacted.";
    "log.cleaner.io.buffer.load.factor" => log_cleaner_io_buffer_load_factor: f64 = Some("0.9"), Any, Dynamic, Honoured,
        [], "How full the memory for keys becomes before a pass ends; more keys a pass, and more time for each.";
    "log.cleaner.io.buffer.size" => log_cleaner_io_buffer_size: i32 = Some("524288"), at_least(0), Dynamic, Honoured,
        [], "The memory for reading and writing segments that are being cleaned, over all shards.";
    "log.cleaner.io.max.bytes.per.second" => log_cleaner_io_max_bytes_per_second: f64 = Some("1.7976931348623157E308"), Any, Dynamic, Honoured,
        [], "The bytes that the cleaners of all shards read and write in a second, together.";
    "log.cleaner.max.compaction.lag.ms" => log_cleaner_max_compaction_lag_ms: i64 = Some("9223372036854775807"), at_least(1), Dynamic, Honoured,
        [], "The default of the topic key `max.compaction.lag.ms`.";
    "log.cleaner.min.cleanable.ratio" => log_cleaner_min_cleanable_ratio: f64 = Some("0.5"), BetweenDouble(0.0, 1.0), Dynamic, Honoured,
        [], "The default of the topic key `min.cleanable.dirty.ratio`.";
    "log.cleaner.min.compaction.lag.ms" => log_cleaner_min_compaction_lag_ms: i64 = Some("0"), at_least(0), Dynamic, Honoured,
        [], "The default of the topic key `min.compaction.lag.ms`.";
    "log.cleanup.policy" => log_cleanup_policy: CleanupPolicy = Some("delete"), ListOf(CLEANUP_POLICIES), Dynamic, Honoured,
        [], "The default of the topic key `cleanup.policy`.";
    "log.dir" => log_dir: Vec<String> = Some("./logan-data"), NotEmpty, Restart, Honoured,
        [], "The data directory, where `log.dirs` is not set.";
    "log.dirs" => log_dirs: Option<Vec<String>> = None, NotEmpty, Restart, Honoured,
        [], "The data directories; `log.dir` where it is not set.";
    "log.flush.interval.messages" => log_flush_interval_messages: i64 = Some("9223372036854775807"), at_least(1), Dynamic, Honoured,
        [], "The default of the topic key `flush.messages`.";
    "log.flush.interval.ms" => log_flush_interval_ms: Option<i64> = None, Any, Dynamic, Honoured,
        [], "The default of the topic key `flush.ms`.";
    "log.flush.offset.checkpoint.interval.ms" => log_flush_offset_checkpoint_interval_ms: i32 = Some("60000"), at_least(0), Reload, Honoured,
        [], "How often the recovery points of the logs are written down; a crash makes recovery look back that far.";
    "log.flush.scheduler.interval.ms" => log_flush_scheduler_interval_ms: i64 = Some("9223372036854775807"), Any, Restart, Stored,
        [], "The default of the topic key `flush.ms`, where `log.flush.interval.ms` is not set.";
    "log.index.interval.bytes" => log_index_interval_bytes: i32 = Some("4096"), at_least(0), Dynamic, Honoured,
        [], "The default of the topic key `index.interval.bytes`.";
    "log.index.size.max.bytes" => log_index_size_max_bytes: i32 = Some("10485760"), at_least(4), Dynamic, Honoured,
        [], "The default of the topic key `segment.index.bytes`.";
    "log.local.retention.bytes" => log_local_retention_bytes: i64 = Some("-2"), at_least(-2), Dynamic, Stored,
        [], "The default of the topic key `local.retention.bytes`.";
    "log.local.retention.ms" => log_local_retention_ms: i64 = Some("-2"), at_least(-2), Dynamic, Stored,
        [], "The default of the topic key `local.retention.ms`.";
    "log.message.timestamp.after.max.ms" => log_message_timestamp_after_max_ms: i64 = Some("3600000"), at_least(0), Dynamic, Honoured,
        [], "The default of the topic key `message.timestamp.after.max.ms`.";
    "log.message.timestamp.before.max.ms" => log_message_timestamp_before_max_ms: i64 = Some("9223372036854775807"), at_least(0), Dynamic, Honoured,
        [], "The default of the topic key `message.timestamp.before.max.ms`.";
    "log.message.timestamp.type" => log_message_timestamp_type: TimestampType = Some("CreateTime"), OneOf(TIMESTAMP_TYPES), Dynamic, Honoured,
        [], "The default of the topic key `message.timestamp.type`.";
    "log.preallocate" => log_preallocate: bool = Some("false"), Any, Dynamic, Honoured,
        [], "The default of the topic key `preallocate`.";
    "log.retention.bytes" => log_retention_bytes: i64 = Some("-1"), Any, Dynamic, Honoured,
        [], "The default of the topic key `retention.bytes`.";
    "log.retention.check.interval.ms" => log_retention_check_interval_ms: i64 = Some("300000"), at_least(1), Reload, Honoured,
        [], "How often logs are searched for segments that are too old or too much.";
    "log.retention.hours" => log_retention_hours: i32 = Some("168"), Any, Reload, Honoured,
        [], "The default of the topic key `retention.ms` in hours, where neither `log.retention.ms` nor `log.retention.minutes` is set.";
    "log.retention.minutes" => log_retention_minutes: Option<i32> = None, Any, Reload, Honoured,
        [], "The default of the topic key `retention.ms` in minutes, where `log.retention.ms` is not set.";
    "log.retention.ms" => log_retention_ms: Option<i64> = None, Any, Dynamic, Honoured,
        [], "The default of the topic key `retention.ms`.";
    "log.roll.hours" => log_roll_hours: i32 = Some("168"), at_least(1), Reload, Honoured,
        [], "The default of the topic key `segment.ms` in hours, where `log.roll.ms` is not set.";
    "log.roll.jitter.hours" => log_roll_jitter_hours: i32 = Some("0"), at_least(0), Reload, Honoured,
        [], "The default of the topic key `segment.jitter.ms` in hours, where `log.roll.jitter.ms` is not set.";
    "log.roll.jitter.ms" => log_roll_jitter_ms: Option<i64> = None, Any, Dynamic, Honoured,
        [], "The default of the topic key `segment.jitter.ms`.";
    "log.roll.ms" => log_roll_ms: Option<i64> = None, Any, Dynamic, Honoured,
        [], "The default of the topic key `segment.ms`.";
    "log.scrub.bytes.per.second" => log_scrub_bytes_per_second: i64 = Some("4194304"), at_least(0), Dynamic, Honoured,
        [], "The bytes of closed segments that the process re-reads each second to check them, over all shards; 0 is not at all.";
    "log.segment.bytes" => log_segment_bytes: i32 = Some("1073741824"), at_least(1_048_576), Dynamic, Honoured,
        [], "The default of the topic key `segment.bytes`.";
    "log.segment.delete.delay.ms" => log_segment_delete_delay_ms: i64 = Some("60000"), at_least(0), Dynamic, Honoured,
        [], "The default of the topic key `file.delete.delay.ms`.";
    "logan.admin.hosts" => logan_admin_hosts: Vec<String> = Some(""), Any, Restart, Honoured,
        [], "The names of this machine under which `logan.admin.listener` may be asked, besides IP addresses and `localhost`.";
    "logan.admin.listener" => logan_admin_listener: Option<String> = None, Custom(check_address_or_port), Restart, Honoured,
        [], "Where the status page, the JSON API, health and metrics are served, as an IP address and a port, or a port alone, which is one of 127.0.0.1; nowhere where it is not set. Who may connect may read; what changes anything needs a token.";
    "logan.admin.token.file" => logan_admin_token_file: Option<String> = None, NotEmpty, Restart, Honoured,
        [], "The file with the token, of 16 characters or more, that requests to `logan.admin.listener` need which change anything; without it they are refused.";
    "logan.balancer.enable" => logan_balancer_enable: bool = Some("false"), Any, Dynamic, Honoured,
        [], "Whether partitions move between the shards of the process so that all shards have about as much work, as bytes and time are measured.";
    "logan.balancer.interval.ms" => logan_balancer_interval_ms: i64 = Some("60000"), between(100, 86_400_000), Dynamic, Honoured,
        [], "How often the balancer looks at the load of all partitions.";
    "logan.balancer.moves.max" => logan_balancer_moves_max: i32 = Some("4"), between(1, 1000), Dynamic, Honoured,
        [], "The most partitions that the balancer moves at each look.";
    "logan.balancer.partition.pause.ms" => logan_balancer_partition_pause_ms: i64 = Some("600000"), at_least(0), Dynamic, Honoured,
        [], "How long the balancer leaves a partition where it has moved it to.";
    "logan.balancer.threshold.percent" => logan_balancer_threshold_percent: i32 = Some("20"), between(1, 1000), Dynamic, Honoured,
        [], "How far the busiest and the least busy shard may differ before the balancer moves anything, in percent of an average shard's work.";
    "logan.cache.bytes" => logan_cache_bytes: i64 = Some("-1"), at_least(-1), Restart, Honoured,
        [], "The bytes of record batches that the process keeps in memory for readers, over all shards; -1 is a quarter of the machine's memory, or of what a control group leaves of it.";
    "logan.delete.bytes.per.second" => logan_delete_bytes_per_second: i64 = Some("1073741824"), at_least(1_048_576), Dynamic, Honoured,
        [], "How fast the files of deleted segments and topics are removed, over all shards; a small file counts as 1 MiB.";
    "logan.disk.commit.bytes" => logan_disk_commit_bytes: i64 = Some("1048576"), between(131_072, 16_777_216), Dynamic, Honoured,
        [], "The bytes of one log that are worth a sync of their own: with as many waiting, a commit waits neither for the one under way nor for `logan.disk.commit.window.us`.";
    "logan.disk.commit.window.us" => logan_disk_commit_window_us: i64 = Some("500"), between(0, 100_000), Dynamic, Honoured,
        [], "How long a log that takes much while it commits waits for more before it commits again, in microseconds; an idle log never waits. `loganctl tune disk` measures what is best for a disk.";
    "logan.disk.reserve.bytes" => logan_disk_reserve_bytes: i64 = Some("67108864"), at_least(0), Dynamic, Honoured,
        [], "The free space from which on appends are refused, so that metadata changes and deletions still work.";
    "logan.disk.write.bytes" => logan_disk_write_bytes: i64 = Some("262144"), Custom(check_write_bytes), Dynamic, Honoured,
        [], "The largest single write of a log, in bytes: 16384, 65536, 262144 or 1048576. A log that is written fast holds that much memory; one that is written slowly writes less at once. `loganctl tune disk` measures what is best for a disk.";
    "logan.durability" => logan_durability: Durability = Some("sync"), OneOf(DURABILITIES), Dynamic, Honoured,
        [], "The default of the topic key of this name.";
    "logan.group.memory.bytes" => logan_group_memory_bytes: i64 = Some("536870912"), at_least(1_048_576), Dynamic, Honoured,
        [], "The memory of one shard for consumer groups and committed offsets; what would take more is refused.";
    "logan.inbox.capacity" => logan_inbox_capacity: i32 = Some("4096"), between(64, 1_048_576), Restart, Honoured,
        [], "The messages from other shards that one shard's inbox holds. Where it is not set, many shards make it larger: half as much again as their credits need.";
    "logan.inbox.credits" => logan_inbox_credits: i32 = Some("64"), between(1, 65_536), Restart, Honoured,
        [], "The requests that one shard may have open at another; the inbox must hold those of all shards.";
    "logan.metrics.listener" => logan_metrics_listener: Option<String> = None, Custom(check_address_or_port), Restart, Honoured,
        [], "Where `GET /metrics`, `/live` and `/ready` are answered, as an IP address and a port such as 127.0.0.1:9404, or a port alone, which is one of 127.0.0.1; nowhere where it is not set. There is no authentication.";
    "logan.metrics.series" => logan_metrics_series: Vec<String> = Some("topics,partitions,groups"), ListOf(METRICS_SERIES), Restart, Honoured,
        [], "What the metrics have series for: each of the topics, partitions and groups (members, and the lag of each partition). With very many of something it can be left out.";
    "logan.produce.validation" => logan_produce_validation: ProduceValidation = Some("full"), OneOf(PRODUCE_VALIDATIONS), Dynamic, Honoured,
        [], "How closely produced batches are checked: `full`, every record's framing, compressed ones included; `header`, the batch header and its checksum.";
    "logan.producer.ids.max.per.partition" => logan_producer_ids_max_per_partition: i32 = Some("10000"), between(1, 10_000_000), Restart, Honoured,
        [], "The idempotent producers that a partition remembers; the longest idle one is forgotten first.";
    "logan.recorder.directory" => logan_recorder_directory: Option<String> = None, NotEmpty, Restart, Honoured,
        [], "Where dumps of the flight recorder are written, files called `logan-recorder-*.jsonl`; in the first log directory where it is not set.";
    "logan.recorder.dumps.max" => logan_recorder_dumps_max: i32 = Some("10"), between(1, 1000), Restart, Honoured,
        [], "The dumps of the flight recorder that are kept; the oldest one makes room for a new one.";
    "logan.recorder.events" => logan_recorder_events: i32 = Some("8192"), between(0, 1_048_576), Restart, Honoured,
        [], "The last events of each shard that the flight recorder keeps, in 64 bytes each, for dumps when the broker panics, when a shard stalls, and when somebody asks; a power of two, or the next one above. 0 keeps none.";
    "logan.recorder.stall.ms" => logan_recorder_stall_ms: i64 = Some("1000"), between(100, 86_400_000), Restart, Honoured,
        [], "A shard that does not answer for so long has the flight recorder dumped, at most once a minute.";
    "logan.request.bytes.per.second.min" => logan_request_bytes_per_second_min: i64 = Some("16384"), at_least(0), Dynamic, Honoured,
        [], "A request whose bytes arrive more slowly than this is given up with its connection; 0 waits for ever.";
    "logan.request.decoded.bytes.max" => logan_request_decoded_bytes_max: i64 = Some("8388608"), at_least(1_048_576), Restart, Honoured,
        [], "The memory that the topics, partitions and other lists of one request may take, records not counted; a larger request closes its connection.";
    "logan.request.memory.bytes" => logan_request_memory_bytes: i64 = Some("134217728"), at_least(1_048_576), Restart, Honoured,
        [], "The memory of one shard for requests that are arriving or in work; a single larger request runs alone.";
    "logan.response.queue.bytes" => logan_response_queue_bytes: i64 = Some("16777216"), at_least(1_048_576), Restart, Honoured,
        [], "The bytes of one response beyond its first batch. Responses that are not sent yet may take four times as much memory of a shard for their records, as much for other answers to members of groups, and as much for all others; of the first, three quarters for one address, of the latter two, half.";
    "logan.shutdown.timeout.ms" => logan_shutdown_timeout_ms: i64 = Some("10000"), between(0, 86_400_000), Reload, Honoured,
        [], "How long a shutdown waits for requests in work before it closes the logs.";
    "logan.staging.memory.bytes" => logan_staging_memory_bytes: i64 = Some("67108864"), at_least(4_194_304), Restart, Honoured,
        [], "The memory of one shard for records on their way to the disk.";
    "logan.tracing.otlp.endpoint" => logan_tracing_otlp_endpoint: Option<String> = None, Custom(check_http_url), Restart, Honoured,
        [], "Where spans of sampled requests are sent as OTLP over HTTP in protobuf, such as http://127.0.0.1:4318; to /v1/traces there where the address has no path. Nothing is traced where it is not set.";
    "logan.tracing.otlp.sample.ratio" => logan_tracing_otlp_sample_ratio: f64 = Some("0.01"), BetweenDouble(0.0, 1.0), Dynamic, Honoured,
        [], "The part of all requests that is traced, from 0 to 1. One whose records carry a W3C trace context becomes a part of that trace, if that is sampled.";
    "max.connection.creation.rate" => max_connection_creation_rate: i32 = Some("2147483647"), at_least(0), Dynamic, Honoured,
        [], "The connections that are accepted in a second.";
    "max.connections" => max_connections: i32 = Some("2147483647"), at_least(0), Dynamic, Honoured,
        [], "The connections that are open at a time.";
    "max.connections.per.ip" => max_connections_per_ip: i32 = Some("2147483647"), at_least(0), Dynamic, Honoured,
        [], "The connections that one client address has open at a time.";
    "max.connections.per.ip.overrides" => max_connections_per_ip_overrides: String = Some(""), Any, Dynamic, Honoured,
        [], "Other limits for single addresses, as address:count,address:count.";
    "max.incremental.fetch.session.cache.slots" => max_incremental_fetch_session_cache_slots: i32 = Some("1000"), at_least(0), Restart, Honoured,
        [], "The fetch sessions that the broker remembers, over all shards.";
    "max.request.partition.size.limit" => max_request_partition_size_limit: i32 = Some("2000"), at_least(1), Reload, Honoured,
        [], "The most partitions that one answer to DescribeTopicPartitions carries.";
    "message.max.bytes" => message_max_bytes: i32 = Some("1048588"), at_least(0), Dynamic, Honoured,
        [], "The default of the topic key `max.message.bytes`.";
    "min.insync.replicas" => min_insync_replicas: i32 = Some("1"), at_least(1), Dynamic, Honoured,
        [], "The default of the topic key of this name.";
    "node.id" => node_id: i32 = Some("0"), at_least(0), Restart, Honoured,
        [], "The id of this broker, which clients and replicas know it by.";
    "num.partitions" => num_partitions: i32 = Some("1"), at_least(1), Reload, Honoured,
        [], "The partitions of topics that are created without a number.";
    "offset.metadata.max.bytes" => offset_metadata_max_bytes: i32 = Some("4096"), Any, Reload, Honoured,
        [], "The longest text that a consumer may commit with an offset.";
    "offsets.retention.check.interval.ms" => offsets_retention_check_interval_ms: i64 = Some("600000"), at_least(1), Reload, Honoured,
        [], "How often committed offsets are searched for those that are too old.";
    "offsets.retention.minutes" => offsets_retention_minutes: i32 = Some("10080"), at_least(1), Reload, Honoured,
        [], "How long committed offsets are kept after their group has become empty, or for consumers without a group after the commit.";
    "offsets.topic.compression.codec" => offsets_topic_compression_codec: i32 = Some("0"), Any, Restart, Honoured,
        [], "The codec of the batches that the group coordinators write: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.";
    "offsets.topic.num.partitions" => offsets_topic_num_partitions: i32 = Some("50"), at_least(1), Reload, Honoured,
        [], "The partitions of `__consumer_offsets` when it is created.";
    "offsets.topic.replication.factor" => offsets_topic_replication_factor: i16 = Some("3"), between(1, i64::MAX), Reload, Honoured,
        [], "The replicas of `__consumer_offsets` when it is created, at most as many as there are machines.";
    "offsets.topic.segment.bytes" => offsets_topic_segment_bytes: i32 = Some("104857600"), at_least(1), Reload, Honoured,
        [], "The segment size of `__consumer_offsets` when it is created.";
    "process.roles" => process_roles: Vec<String> = Some(""), ListOf(ROLES), Restart, Honoured,
        [], "What Kafka would run here: `broker`, `controller` or both. Logan always runs a whole broker; with `controller` alone it serves clients at the listeners of `controller.listener.names`.";
    "producer.id.expiration.ms" => producer_id_expiration_ms: i32 = Some("86400000"), at_least(1), Dynamic, Honoured,
        [], "How long an idle idempotent producer is remembered.";
    "queued.max.requests" => queued_max_requests: i32 = Some("500"), at_least(1), Restart, Honoured,
        [], "The requests of one connection that are in work before no further one is read from it; 64 is the most.";
    "replica.alter.log.dirs.io.max.bytes.per.second" => replica_alter_log_dirs_io_max_bytes_per_second: i64 = Some("9223372036854775807"), at_least(0), Dynamic, Honoured,
        [], "The bytes per second that a move of partitions between log directories may copy.";
    "shard.advertise" => shard_advertise: ShardAdvertise = Some("per-shard"), OneOf(SHARD_ADVERTISE), Restart, Honoured,
        [], "How clients see the shards: `single`, as one node; `per-shard`, each as a node of its own at the one port (clients not known to keep a connection for each node see one node); `per-shard-port`, each at a port of its own, counted up from the listener's.";
    "shard.cores" => shard_cores: ShardCores = Some("auto"), Custom(ShardCores::check), Restart, Honoured,
        [], "The cores that run a shard each: `auto`, every physical core that the process may use, or as many as a CPU quota pays for; a number of them; a list such as 0-3,6; or those of NUMA nodes, such as nodes:0-1. `logan topology` shows the plan.";
    "socket.listen.backlog.size" => socket_listen_backlog_size: i32 = Some("50"), at_least(1), Restart, Honoured,
        [], "The connections that wait to be accepted.";
    "socket.receive.buffer.bytes" => socket_receive_buffer_bytes: i32 = Some("102400"), at_least(-1), Restart, Stored,
        [], "SO_RCVBUF of client connections; -1 leaves it to the kernel.";
    "socket.request.max.bytes" => socket_request_max_bytes: i32 = Some("104857600"), at_least(1), Restart, Honoured,
        [], "The size of the largest request that is accepted.";
    "socket.send.buffer.bytes" => socket_send_buffer_bytes: i32 = Some("102400"), at_least(-1), Restart, Stored,
        [], "SO_SNDBUF of client connections; -1 leaves it to the kernel.";
    "unclean.leader.election.enable" => unclean_leader_election_enable: bool = Some("false"), Any, Dynamic, Honoured,
        [], "The default of the topic key of this name.";
}
