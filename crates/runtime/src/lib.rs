//! The glommio implementation of `io`: executors, pinned shards, DMA files and sockets.

mod buffer;
mod clock;
mod directory;
mod entropy;
mod file;
mod helper;
mod lease;
mod mailbox;
mod probe;
mod shard_io;
mod stream;
mod task;

pub use buffer::Buffer;
pub use file::File;
pub use helper::Helper;
pub use mailbox::{Receiver, Sender};
pub use shard_io::GlommioIo;
pub use stream::{ReadHalf, Socket, Stream, WriteHalf};
pub use task::Task;
