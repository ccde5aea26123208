//! A lean Kafka client for Logan's tools, benchmarks and tests.
