//! What the fuzz targets of the whole check; the ordinary tests run it too, over the committed corpora.
//!
//! Each target is a function of its input: it feeds bytes to the real code, and fails where that panics, hangs, takes more
//! memory than its bound, or breaks a promise that holds whatever the input is. Single messages and batches have targets of
//! their own in `crates/protocol/fuzz` and `crates/records/fuzz`.
//!
//! Storage and broker run on the simulator, so that a failing input fails again, and hours of waiting pass at once.

mod admin;
mod client;
mod connection;
mod directory;
mod edits;
mod files;
mod groups;
mod input;
mod log;
mod machine;
mod memory;
mod metadata;
mod node;
mod requests;
mod server_properties;

pub use admin::admin;
pub use client::client;
pub use connection::connection;
pub use directory::directory;
pub use files::files;
pub use groups::groups;
pub use log::log;
pub use machine::machine;
pub use metadata::metadata;
pub use server_properties::server_properties;
