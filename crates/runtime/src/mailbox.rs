//! Bounded mailboxes on flume, which wakes a sleeping executor from any thread.

use std::time::Duration;

/// The sending side of a mailbox.
#[derive(Debug)]
pub struct Sender<T>(flume::Sender<T>);

/// The receiving side of a mailbox.
#[derive(Debug)]
pub struct Receiver<T>(flume::Receiver<T>);

pub(crate) fn mailbox<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity > 0, "a mailbox holds at least one message");
    let (sender, receiver) = flume::bounded(capacity);
    (Sender(sender), Receiver(receiver))
}

impl<T> Receiver<T> {
    /// Waits for a message for at most `span`, on a thread that is no shard.
    #[must_use]
    pub fn wait_for(&self, span: Duration) -> Option<T> {
        self.0.recv_timeout(span).ok()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Send + 'static> io::Sender<T> for Sender<T> {
    fn try_send(&self, message: T) -> Result<(), io::Full<T>> {
        self.0
            .try_send(message)
            .map_err(|error| io::Full(error.into_inner()))
    }

    fn depth(&self) -> usize {
        self.0.len()
    }
}

impl<T: Send + 'static> io::Receiver<T> for Receiver<T> {
    async fn recv(&self) -> Option<T> {
        self.0.recv_async().await.ok()
    }

    fn try_recv(&self) -> Option<T> {
        self.0.try_recv().ok()
    }
}
