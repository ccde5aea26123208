//! The ways to make one dirty tail of each file durable.

use std::cell::RefCell;
use std::os::fd::{AsRawFd as _, RawFd};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use glommio::io::{DmaBuffer, DmaFile};
use measurements::Samples;
use measurements::files::dma_buffer;

use crate::{LOG_BYTES, LOG_CHUNK, Result};

/// Where every file gets its tail.
#[derive(Clone, Copy)]
pub(crate) struct Job {
    pub(crate) tail: usize,
    pub(crate) position: u64,
}

/// `cap` tasks share the files; each writes one tail and, unless the descriptor is O_DSYNC, syncs it.
pub(crate) async fn ring(
    files: &[Rc<DmaFile>],
    job: Job,
    cap: usize,
    sync: bool,
    result: &mut Result,
    started: Instant,
) {
    let queue = Rc::new(RefCell::new(files.to_vec()));
    let latencies = Rc::new(RefCell::new(Samples::default()));
    let tasks: Vec<_> = (0..cap.min(files.len()))
        .map(|_| {
            let (queue, latencies) = (Rc::clone(&queue), Rc::clone(&latencies));
            let buffer = dma_buffer(&files[0], job.tail);
            glommio::spawn_local(async move {
                loop {
                    let Some(file) = queue.borrow_mut().pop() else {
                        break;
                    };
                    file.write_rc_at(Rc::clone(&buffer), job.position)
                        .await
                        .expect("write");
                    if sync {
                        file.fdatasync().await.expect("sync");
                    }
                    latencies.borrow_mut().push_us(started);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await;
    }
    result.each_us.extend(&latencies.borrow());
}

/// The same work from `count` blocking threads; `dsync` writes with RWF_DSYNC, else fdatasync follows the write.
pub(crate) fn threads(
    files: &[Rc<DmaFile>],
    job: Job,
    count: usize,
    dsync: bool,
    result: &mut Result,
    started: Instant,
) {
    let descriptors: Vec<RawFd> = files.iter().map(|file| file.as_raw_fd()).collect();
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..count.min(files.len()) {
            let (descriptors, next, sender) = (&descriptors, &next, sender.clone());
            scope.spawn(move || {
                let data = vec![0x5a_u8; job.tail + 4096];
                let skip = data.as_ptr().align_offset(4096);
                let vector = libc::iovec {
                    iov_base: data[skip..].as_ptr().cast_mut().cast(),
                    iov_len: job.tail,
                };
                let mut latencies = Samples::default();
                while let Some(&fd) = descriptors.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let flags = if dsync { libc::RWF_DSYNC } else { 0 };
                    // SAFETY: `vector` lies within `data`, which outlives the call; the descriptor is open.
                    let written = unsafe {
                        libc::pwritev2(fd, &raw const vector, 1, job.position as i64, flags)
                    };
                    assert_eq!(written, job.tail as isize, "write from a thread");
                    if !dsync {
                        // SAFETY: the descriptor is open.
                        assert_eq!(unsafe { libc::fdatasync(fd) }, 0, "sync from a thread");
                    }
                    latencies.push_us(started);
                }
                sender.send(latencies).expect("the receiver lives");
            });
        }
    });
    drop(sender);
    for latencies in receiver {
        result.each_us.extend(&latencies);
    }
}

/// Copies every tail into 1 MiB chunks, writes them with eight in flight and syncs once.
pub(crate) async fn commit(
    log: &Rc<DmaFile>,
    at: &mut u64,
    files: usize,
    tail: usize,
    result: &mut Result,
    started: Instant,
) {
    const IN_FLIGHT: usize = 8;
    let source = vec![0xa5_u8; tail];
    let total = files * tail;
    let mut running: Vec<glommio::Task<()>> = Vec::new();
    let mut left = total;
    while left > 0 {
        let size = left.min(LOG_CHUNK);
        let mut chunk = log.alloc_dma_buffer(size);
        for piece in chunk.as_bytes_mut().chunks_mut(tail) {
            piece.copy_from_slice(&source[..piece.len()]);
        }
        if *at + size as u64 > LOG_BYTES {
            *at = 0;
        }
        let (log, position, chunk): (_, _, Rc<DmaBuffer>) = (Rc::clone(log), *at, Rc::new(chunk));
        *at += size as u64;
        left -= size;
        if running.len() == IN_FLIGHT {
            running.remove(0).await;
        }
        running.push(glommio::spawn_local(async move {
            log.write_rc_at(chunk, position)
                .await
                .expect("write the log");
        }));
    }
    for task in running {
        task.await;
    }
    log.fdatasync().await.expect("sync the log");
    for _ in 0..files {
        result.each_us.push_us(started);
    }
}

pub(crate) async fn write_only(files: &[Rc<DmaFile>], job: Job) {
    let mut unused = Result::default();
    ring(files, job, 128, false, &mut unused, Instant::now()).await;
}
