//! Starts real brokers for the end-to-end tests.
