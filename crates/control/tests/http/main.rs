//! The control thread as who connects to it sees it.

mod api;
mod common;
mod connections;
mod metrics;
