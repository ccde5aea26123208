//! Bounded mailboxes between shards and from the router to a shard.

use std::future::Future;

/// The message that did not fit, or that nobody will receive any more.
#[derive(Debug)]
pub struct Full<T>(pub T);

/// The sending side; any thread may hold one.
pub trait Sender<T>: Clone + Send + 'static {
    /// Puts a message into the mailbox without waiting.
    ///
    /// # Errors
    /// Gives the message back when the mailbox is full or its receiver is gone. Protocols built on mailboxes
    /// hold a credit for every message, so that a full mailbox is a broken invariant, not a state to wait in.
    fn try_send(&self, message: T) -> Result<(), Full<T>>;

    /// How many messages wait to be received; 0 where that is not known.
    fn depth(&self) -> usize {
        0
    }
}

/// The receiving side; it lives on one shard. Messages of one sender arrive in the order in which they were sent.
pub trait Receiver<T>: Send + 'static {
    /// The next message; `None` when every sender is gone and the mailbox is empty. Cancellation loses nothing.
    fn recv(&self) -> impl Future<Output = Option<T>>;

    /// The next message if there is one now.
    fn try_recv(&self) -> Option<T>;
}
