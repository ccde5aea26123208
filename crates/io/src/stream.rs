//! Connections.

use std::future::Future;
use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;

use bytes::{Buf as _, Bytes};

/// A byte stream to a client. It is split so that one task reads while another writes.
pub trait Stream: 'static {
    /// What the connection becomes while it travels to another shard.
    type Socket: Send + 'static;
    /// The reading half.
    type ReadHalf: ReadHalf;
    /// The writing half.
    type WriteHalf: WriteHalf;

    /// The client's address.
    fn peer_addr(&self) -> SocketAddr;

    /// The address that the client connected to.
    fn local_addr(&self) -> SocketAddr;

    /// Parts the connection into its two directions.
    fn split(self) -> (Self::ReadHalf, Self::WriteHalf);

    /// Joins the halves and detaches the connection from this shard's reactor, so that another shard can
    /// [adopt](crate::Io::adopt) it. Bytes already read are the caller's to hand over.
    ///
    /// # Errors
    /// When the descriptor cannot be detached; the connection is then closed.
    fn detach(read: Self::ReadHalf, write: Self::WriteHalf) -> Result<Self::Socket>;
}

/// The reading half of a connection.
pub trait ReadHalf: 'static {
    /// Reads at least one byte into `buffer`, or 0 at the end of the stream. Cancellation loses nothing.
    ///
    /// # Errors
    /// The operating system's, `ConnectionReset` among them.
    fn read(&mut self, buffer: &mut [u8]) -> impl Future<Output = Result<usize>>;

    /// Reads what has arrived, without waiting: `None` when nothing has, 0 at the end of the stream.
    ///
    /// # Errors
    /// The operating system's.
    fn try_read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>>;

    /// Waits until [`ReadHalf::try_read`] has something to report. An idle connection waits here and so needs no
    /// buffer of its own. It may complete without reason. Cancellation loses nothing.
    ///
    /// # Errors
    /// The operating system's.
    fn readable(&mut self) -> impl Future<Output = Result<()>>;
}

/// The writing half of a connection.
pub trait WriteHalf: 'static {
    /// Sends the first bytes of `chunks` without copying them and returns how many were taken, at least one.
    /// Cancellation may have sent some: the connection is then good for nothing but closing.
    ///
    /// # Errors
    /// The operating system's, `BrokenPipe` among them.
    fn write(&mut self, chunks: &[Bytes]) -> impl Future<Output = Result<usize>>;

    /// Closes both directions at once; a pending read on the other half ends.
    fn shutdown(&mut self);
}

/// Sends all of `chunks`, releasing each as soon as it is sent and telling `progress` how many bytes each step took.
///
/// # Errors
/// Those of [`WriteHalf::write`].
pub async fn write_all(
    stream: &mut impl WriteHalf,
    mut chunks: Vec<Bytes>,
    mut progress: impl FnMut(usize),
) -> Result<()> {
    let mut first = 0;
    while first < chunks.len() {
        let mut sent = stream.write(&chunks[first..]).await?;
        if sent == 0 && chunks[first..].iter().any(|chunk| !chunk.is_empty()) {
            return Err(Error::from(ErrorKind::WriteZero));
        }
        progress(sent);
        while first < chunks.len() && sent >= chunks[first].len() {
            sent -= chunks[first].len();
            chunks[first] = Bytes::new();
            first += 1;
        }
        if sent > 0 {
            chunks[first].advance(sent);
        }
    }
    Ok(())
}
