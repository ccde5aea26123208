//! The three runtimes under one interface: a future on one pinned thread, and tasks beside it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::{FromRawFd as _, IntoRawFd as _};

use glommio::{LocalExecutorBuilder, Placement};

use crate::pin;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    Glommio,
    TokioUring,
    /// A pinned current-thread runtime on epoll.
    Tokio,
}

impl Runtime {
    pub const ALL: [Self; 3] = [Self::Glommio, Self::TokioUring, Self::Tokio];

    pub fn name(self) -> &'static str {
        match self {
            Self::Glommio => "glommio",
            Self::TokioUring => "tokio-uring",
            Self::Tokio => "tokio",
        }
    }

    /// Runs `body` to its end on the calling thread, pinned to `core`.
    pub fn run<T, F>(self, core: usize, body: impl FnOnce() -> F) -> T
    where
        F: Future<Output = T>,
    {
        pin(core);
        match self {
            Self::Glommio => {
                let executor = LocalExecutorBuilder::new(Placement::Fixed(core))
                    .make()
                    .expect("start glommio");
                executor.run(async { body().await })
            }
            Self::TokioUring => tokio_uring::start(async { body().await }),
            Self::Tokio => {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("start tokio");
                tokio::task::LocalSet::new().block_on(&runtime, async { body().await })
            }
        }
    }

    /// Starts a task beside the running one.
    pub fn spawn(self, task: impl Future<Output = ()> + 'static) {
        match self {
            Self::Glommio => drop(glommio::spawn_local(task).detach()),
            Self::TokioUring => drop(tokio_uring::spawn(task)),
            Self::Tokio => drop(tokio::task::spawn_local(task)),
        }
    }

    /// Answers every request of `size` bytes with the same bytes, until the client closes.
    pub async fn echo(self, stream: TcpStream, size: usize) {
        match self {
            Self::Glommio => {
                // SAFETY: the descriptor is owned by nobody else from here on.
                let mut stream =
                    unsafe { glommio::net::TcpStream::from_raw_fd(stream.into_raw_fd()) };
                let mut buffer = vec![0_u8; size];
                while futures_lite::AsyncReadExt::read_exact(&mut stream, &mut buffer)
                    .await
                    .is_ok()
                {
                    futures_lite::AsyncWriteExt::write_all(&mut stream, &buffer)
                        .await
                        .expect("answer");
                }
            }
            Self::TokioUring => {
                let stream = tokio_uring::net::TcpStream::from_std(stream);
                let mut buffer = vec![0_u8; size];
                while let Some(full) = read_exact_uring(&stream, buffer, size).await {
                    let (result, full) = stream.write_all(full).await;
                    result.expect("answer");
                    buffer = full;
                }
            }
            Self::Tokio => {
                stream.set_nonblocking(true).expect("make it non-blocking");
                let mut stream =
                    tokio::net::TcpStream::from_std(stream).expect("register the stream");
                let mut buffer = vec![0_u8; size];
                while tokio::io::AsyncReadExt::read_exact(&mut stream, &mut buffer)
                    .await
                    .is_ok()
                {
                    tokio::io::AsyncWriteExt::write_all(&mut stream, &buffer)
                        .await
                        .expect("answer");
                }
            }
        }
    }
}

/// Fills the buffer; `None` when the client has closed.
async fn read_exact_uring(
    stream: &tokio_uring::net::TcpStream,
    mut buffer: Vec<u8>,
    size: usize,
) -> Option<Vec<u8>> {
    use tokio_uring::buf::BoundedBuf as _;
    let mut filled = 0;
    while filled < size {
        let (result, slice) = stream.read(buffer.slice(filled..size)).await;
        filled += result.ok().filter(|&count| count > 0)?;
        buffer = slice.into_inner();
    }
    Some(buffer)
}

/// One request on each of the blocking sockets, and the answers.
pub fn round_trips(streams: &mut [TcpStream], request: &[u8], answer: &mut [u8]) {
    for stream in &mut *streams {
        stream.write_all(request).expect("send a request");
    }
    for stream in streams {
        stream.read_exact(answer).expect("receive an answer");
    }
}
