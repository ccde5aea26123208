//! The glommio implementation of `io`: executors, pinned shards, DMA files and sockets.
