//! Kafka's wire protocol: generated messages, bounded decoding, headers and version ranges.
