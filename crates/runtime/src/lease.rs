//! What the router knows about a connection after it has handed it over.

use std::net::IpAddr;

use types::ShardId;

/// News about a connection for the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The connection of this client, last served by this shard, is closed.
    Closed {
        /// The client.
        ip: IpAddr,
        /// The shard that served it.
        shard: ShardId,
    },
    /// A connection migrated.
    Moved {
        /// The shard that served it.
        from: ShardId,
        /// The shard that serves it now.
        to: ShardId,
    },
}

/// Counts a connection at the router; tells it when the connection moves or is dropped, from whichever thread.
///
/// The channel is unbounded, but bounded in fact: a connection sends one notice for its end and one for each move,
/// and the router drains it whenever it wakes, at least every few hundred milliseconds.
#[derive(Debug)]
pub(crate) struct Lease {
    notices: flume::Sender<Notice>,
    ip: IpAddr,
    shard: ShardId,
}

impl Lease {
    pub(crate) fn new(notices: flume::Sender<Notice>, ip: IpAddr, shard: ShardId) -> Self {
        Self { notices, ip, shard }
    }

    pub(crate) fn move_to(&mut self, shard: ShardId) {
        if self.shard != shard {
            self.tell(Notice::Moved {
                from: self.shard,
                to: shard,
            });
            self.shard = shard;
        }
    }

    fn tell(&self, notice: Notice) {
        if self.notices.send(notice).is_err() {
            tracing::trace!("the router has stopped and counts no more");
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.tell(Notice::Closed {
            ip: self.ip,
            shard: self.shard,
        });
    }
}
