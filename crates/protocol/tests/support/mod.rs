//! What several test binaries need.

pub(crate) mod codecs;
pub(crate) mod sample;
pub(crate) mod schema;
