//! The shard: a handler for each Kafka API, routing, purgatory and sessions.
