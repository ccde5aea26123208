//! Bounded mailboxes between simulated shards. When a message is seen is up to the seeded scheduler, unless a test holds
//! the mailbox shut.

use std::cell::RefCell;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Poll, Waker};

thread_local! {
    /// The mailboxes of this thread's simulations, in the order in which they were made.
    static MAILBOXES: RefCell<Vec<Weak<Gauge>>> = const { RefCell::new(Vec::new()) };
}

#[derive(Debug)]
struct Gauge {
    capacity: usize,
    len: AtomicUsize,
    refused: AtomicU64,
    held: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

/// A test's view of a mailbox.
#[derive(Clone, Debug)]
pub struct MailboxProbe {
    gauge: Arc<Gauge>,
}

/// The mailboxes that were made on this thread and still have an end, oldest first.
#[must_use]
pub fn mailboxes() -> Vec<MailboxProbe> {
    MAILBOXES.with_borrow_mut(|mailboxes| {
        mailboxes.retain(|gauge| gauge.strong_count() > 0);
        let alive = mailboxes.iter().filter_map(Weak::upgrade);
        alive.map(|gauge| MailboxProbe { gauge }).collect()
    })
}

impl MailboxProbe {
    /// How many messages fit.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.gauge.capacity
    }

    /// How many messages wait in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.gauge.len.load(Ordering::Relaxed)
    }

    /// Whether no message waits in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages did not fit, or found the receiver gone.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.gauge.refused.load(Ordering::Relaxed)
    }

    /// Lets its receiver wait, whatever is in it, until [`MailboxProbe::release`].
    pub fn hold(&self) {
        self.gauge.held.store(true, Ordering::Relaxed);
    }

    /// Lets its receiver go on.
    pub fn release(&self) {
        self.gauge.held.store(false, Ordering::Relaxed);
        let mut waiting = self
            .gauge
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        waiting.drain(..).for_each(Waker::wake);
    }
}

/// The sending side of a mailbox.
#[derive(Debug)]
pub struct Sender<T> {
    queue: flume::Sender<T>,
    gauge: Arc<Gauge>,
}

/// The receiving side of a mailbox.
#[derive(Debug)]
pub struct Receiver<T> {
    queue: flume::Receiver<T>,
    gauge: Arc<Gauge>,
}

pub(crate) fn mailbox<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity > 0, "a mailbox holds at least one message");
    let (sender, receiver) = flume::bounded(capacity);
    let gauge = Arc::new(Gauge {
        capacity,
        len: AtomicUsize::default(),
        refused: AtomicU64::default(),
        held: AtomicBool::default(),
        waiting: Mutex::default(),
    });
    MAILBOXES.with_borrow_mut(|mailboxes| {
        mailboxes.retain(|gauge| gauge.strong_count() > 0);
        mailboxes.push(Arc::downgrade(&gauge));
    });
    let sender = Sender {
        queue: sender,
        gauge: Arc::clone(&gauge),
    };
    let receiver = Receiver {
        queue: receiver,
        gauge,
    };
    (sender, receiver)
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
            gauge: Arc::clone(&self.gauge),
        }
    }
}

impl<T: Send + 'static> io::Sender<T> for Sender<T> {
    fn try_send(&self, message: T) -> Result<(), io::Full<T>> {
        match self.queue.try_send(message) {
            Ok(()) => {
                self.gauge.len.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(refused) => {
                self.gauge.refused.fetch_add(1, Ordering::Relaxed);
                Err(io::Full(refused.into_inner()))
            }
        }
    }
}

impl<T> Receiver<T> {
    fn taken(&self, message: T) -> T {
        self.gauge.len.fetch_sub(1, Ordering::Relaxed);
        message
    }

    async fn released(&self) {
        poll_fn(|context| {
            if !self.gauge.held.load(Ordering::Relaxed) {
                return Poll::Ready(());
            }
            let waiting = self.gauge.waiting.lock();
            let mut waiting = waiting.unwrap_or_else(PoisonError::into_inner);
            waiting.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl<T: Send + 'static> io::Receiver<T> for Receiver<T> {
    async fn recv(&self) -> Option<T> {
        // A mailbox may be held while its receiver waits: then the message stays for later.
        loop {
            self.released().await;
            if let Some(message) = self.try_recv() {
                return Some(message);
            }
            let mut waiting = std::pin::pin!(self.queue.recv_async());
            let received = poll_fn(|context| {
                if self.gauge.held.load(Ordering::Relaxed) {
                    return Poll::Ready(None);
                }
                waiting.as_mut().poll(context).map(Some)
            });
            match received.await {
                Some(received) => return received.ok().map(|message| self.taken(message)),
                None => continue,
            }
        }
    }

    fn try_recv(&self) -> Option<T> {
        if self.gauge.held.load(Ordering::Relaxed) {
            return None;
        }
        let message = self.queue.try_recv().ok()?;
        Some(self.taken(message))
    }
}
