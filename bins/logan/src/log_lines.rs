//! The lines of the log on their way out: a bounded queue, and the thread `log` that writes them.
//!
//! Whoever logs, a shard above all, never waits for who reads: a line that finds no room is dropped and counted, and as soon as
//! there is room again a line says how many were. Only those that have time, at the start and at the end of the process, wait
//! until lines are out, and only so long.
//!
//! The descriptor is a duplicate, written without the locks of `std::io`, so that a write that hangs holds nothing that
//! another thread may want. Deliberately absent: formats, which are `logging`'s; files and their rotation, which service
//! managers have.

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use flume::{Receiver, Sender};

/// Lines that wait to be written.
const LINES_MAX: usize = 16_384;
/// What they may have in bytes, all together.
const BYTES_MAX: usize = 4 << 20;
/// How long somebody who may wait does so for lines to be out.
pub(crate) const FLUSH_TIME_MAX: Duration = Duration::from_secs(1);
/// How long the thread waits before it tries again to write where there is no room, and writing does not wait.
const FULL_PAUSE: Duration = Duration::from_millis(20);
/// How often at most it is said that lines were dropped.
const TOLD_INTERVAL: Duration = Duration::from_secs(1);

/// What the thread is told.
enum Order {
    Write(Vec<u8>),
    /// Run on these CPUs from now on.
    Settle(Vec<usize>),
    /// All that came before this has been written.
    Flush(Sender<()>),
}

/// What both ends count.
#[derive(Debug, Default)]
struct Counts {
    waiting_bytes: AtomicUsize,
    dropped: AtomicU64,
    /// Those of `dropped` that no line has told of.
    untold: AtomicU64,
}

/// The way in, for any thread.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    orders: Sender<Order>,
    counts: Arc<Counts>,
}

impl Lines {
    /// Starts the thread, which ends when nobody has this any more.
    ///
    /// # Errors
    /// When the stream is closed, or there is no thread to be had.
    pub(crate) fn start(stream: &impl AsFd) -> io::Result<Self> {
        let stream = File::from(stream.as_fd().try_clone_to_owned()?);
        let (orders, coming) = flume::bounded(LINES_MAX);
        let counts = Arc::<Counts>::default();
        let mut writer = Writer {
            stream,
            counts: Arc::clone(&counts),
            told_at: None,
        };
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || writer.run(&coming))?;
        Ok(Self { orders, counts })
    }

    /// Has these bytes written, one line or several, or drops them. Never waits.
    pub(crate) fn push(&self, text: Vec<u8>) {
        let bytes = text.len();
        let waiting = &self.counts.waiting_bytes;
        let reserved = waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
            Some(waiting + bytes).filter(|sum| *sum <= BYTES_MAX)
        });
        if reserved.is_err() {
            self.counts.drop_one();
        } else if self.orders.try_send(Order::Write(text)).is_err() {
            waiting.fetch_sub(bytes, Ordering::Relaxed);
            self.counts.drop_one();
        }
    }

    /// Waits until all that has been pushed is written, for at most [`FLUSH_TIME_MAX`]; returns whether it is.
    pub(crate) fn flush(&self) -> bool {
        let deadline = Instant::now() + FLUSH_TIME_MAX;
        let (done, is_done) = flume::bounded(1);
        self.orders
            .send_deadline(Order::Flush(done), deadline)
            .is_ok()
            && is_done.recv_deadline(deadline).is_ok()
    }

    /// Moves the thread to these CPUs.
    pub(crate) fn settle(&self, cpus: &[usize]) {
        if self.orders.try_send(Order::Settle(cpus.to_vec())).is_err() {
            tracing::warn!("the thread that writes the log runs anywhere: it does not listen");
        }
    }

    /// Lines that were dropped since the start.
    pub(crate) fn dropped(&self) -> u64 {
        self.counts.dropped.load(Ordering::Relaxed)
    }

    /// Logs how many lines were dropped since it was last told, if any were.
    pub(crate) fn tell_dropped(&self) {
        self.counts.tell();
    }
}

impl Counts {
    fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        self.untold.fetch_add(1, Ordering::Relaxed);
    }

    fn tell(&self) {
        let dropped = self.untold.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(
                dropped,
                "log lines were dropped: they were not read as fast as they came"
            );
        }
    }
}

/// The thread.
struct Writer {
    stream: File,
    counts: Arc<Counts>,
    told_at: Option<Instant>,
}

impl Writer {
    fn run(&mut self, coming: &Receiver<Order>) {
        while let Ok(order) = coming.recv() {
            match order {
                Order::Write(text) => {
                    let is_written = write_all(&mut self.stream, &text).is_ok();
                    let waiting = &self.counts.waiting_bytes;
                    waiting.fetch_sub(text.len(), Ordering::Relaxed);
                    if !is_written {
                        self.counts.drop_one();
                    } else if coming.len() < LINES_MAX / 2
                        && waiting.load(Ordering::Relaxed) < BYTES_MAX / 2
                    {
                        self.tell_dropped();
                    }
                }
                Order::Settle(cpus) => {
                    if let Err(error) = runtime::stay_on(&cpus) {
                        tracing::warn!(%error, "the thread that writes the log runs anywhere");
                    }
                }
                // Who has waited too long has gone.
                Order::Flush(done) => drop(done.try_send(())),
            }
        }
    }

    /// Says that lines were dropped, by way of the queue, in which there is room now.
    fn tell_dropped(&mut self) {
        let is_due = self
            .told_at
            .is_none_or(|told_at| told_at.elapsed() >= TOLD_INTERVAL);
        if is_due && self.counts.untold.load(Ordering::Relaxed) > 0 {
            self.told_at = Some(Instant::now());
            self.counts.tell();
        }
    }
}

/// Writes everything, also where another process has made the descriptor one that does not wait.
fn write_all(file: &mut File, mut text: &[u8]) -> io::Result<()> {
    while !text.is_empty() {
        match file.write(text) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => text = &text[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(FULL_PAUSE),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, Read as _};

    use super::*;

    /// Nothing here takes so long, on any machine.
    const SOON: Duration = Duration::from_secs(60);

    /// Lines whose reader is the test.
    fn piped() -> (Lines, PipeReader) {
        let (reader, writer) = io::pipe().expect("a pipe");
        (Lines::start(&writer).expect("a thread"), reader)
    }

    fn read(mut reader: PipeReader, mut bytes: usize) -> Vec<u8> {
        let mut text = Vec::new();
        let mut buffer = [0; 65_536];
        while bytes > 0 {
            let length = reader.read(&mut buffer).expect("lines come");
            text.extend_from_slice(&buffer[..length]);
            bytes = bytes.saturating_sub(length);
        }
        text
    }

    #[test]
    fn lines_come_out_in_their_order_and_a_flush_waits_for_them() {
        let (lines, reader) = piped();
        for number in 0..100 {
            lines.push(format!("line {number}\n").into_bytes());
        }
        lines.settle(&[]);
        assert!(lines.flush());
        drop(lines);
        let text = String::from_utf8(read(reader, 790)).expect("text");
        let expected: String = (0..100).map(|number| format!("line {number}\n")).collect();
        assert_eq!(text, expected);
    }

    #[test]
    fn nobody_waits_for_a_reader_that_stands_still_and_what_does_not_fit_is_counted() {
        const LINE: usize = 1 << 10;
        let (lines, reader) = piped();
        let pushed = 2 * BYTES_MAX / LINE;
        for _ in 0..pushed {
            lines.push(vec![b'x'; LINE]);
        }
        let dropped = usize::try_from(lines.dropped()).expect("few");
        // What a pipe holds on top differs.
        assert!((1..=pushed / 2).contains(&dropped), "{dropped}");
        let begun = Instant::now();
        assert!(!lines.flush(), "nobody reads");
        assert!((FLUSH_TIME_MAX..SOON).contains(&begun.elapsed()));
        let text = read(reader, (pushed - dropped) * LINE);
        assert_eq!(text.len(), (pushed - dropped) * LINE);
        assert!(lines.flush(), "there is room again");
    }

    #[test]
    fn short_lines_are_bounded_in_number() {
        let (lines, _reader) = piped();
        for _ in 0..LINES_MAX {
            lines.push(vec![b'x'; 200]);
        }
        // The pipe holds some of them; from here on there is room for few, whatever they have in bytes.
        for _ in 0..LINES_MAX {
            lines.push(vec![b'\n']);
        }
        assert!(lines.dropped() > 0);
    }

    #[test]
    fn a_reader_that_is_gone_is_survived() {
        let (lines, reader) = piped();
        drop(reader);
        lines.push(b"lost\n".to_vec());
        assert!(lines.flush());
        assert_eq!(lines.dropped(), 1);
    }
}
