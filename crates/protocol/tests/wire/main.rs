//! The codec held against the schema, two other implementations and frames of real clients.

mod golden;
mod headers;
mod oracles;
mod round_trip;
#[path = "../support/mod.rs"]
mod support;
