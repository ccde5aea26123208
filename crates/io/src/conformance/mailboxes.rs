//! Mailboxes.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use super::{Fixture, Suite};
use crate::{Full, Io, Receiver as _, Sender as _, Task as _, TaskClass};

impl<I: Io, F: Fixture<I>> Suite<'_, I, F> {
    pub(super) async fn mailboxes(&self) {
        self.case("messages arrive in order", self.ordered()).await;
        self.case("a full mailbox gives the message back", self.bounded())
            .await;
        self.case("a mailbox ends with its senders", self.ended())
            .await;
        self.case(
            "a cancelled receive loses nothing",
            self.cancelled_receive(),
        )
        .await;
    }

    async fn ordered(&self) {
        let (sender, receiver) = I::mailbox::<u32>(8);
        let io = self.io.clone();
        let sending = self.io.spawn(TaskClass::Foreground, async move {
            for message in 0..1000 {
                let mut unsent = message;
                while let Err(Full(back)) = sender.try_send(unsent) {
                    unsent = back;
                    io.reschedule().await;
                }
            }
        });
        for expected in 0..1000 {
            assert_eq!(receiver.recv().await, Some(expected));
        }
        sending.join().await;
        assert_eq!(receiver.recv().await, None, "every sender is gone");
    }

    async fn bounded(&self) {
        let (sender, receiver) = I::mailbox::<u8>(2);
        assert!(sender.try_send(1).is_ok());
        assert!(sender.clone().try_send(2).is_ok());
        let refused = sender.try_send(3);
        assert!(matches!(refused, Err(Full(3))), "the third does not fit");
        assert_eq!(receiver.try_recv(), Some(1));
        assert!(sender.try_send(3).is_ok(), "there is room again");
        assert_eq!(receiver.recv().await, Some(2));
        assert_eq!(receiver.recv().await, Some(3));
        assert_eq!(receiver.try_recv(), None);
    }

    async fn ended(&self) {
        let (sender, receiver) = I::mailbox::<u8>(2);
        assert!(sender.try_send(1).is_ok());
        drop(sender);
        assert_eq!(receiver.recv().await, Some(1), "what was sent is received");
        assert_eq!(receiver.recv().await, None);
        let (sender, receiver) = I::mailbox::<u8>(2);
        drop(receiver);
        assert!(
            matches!(sender.try_send(5), Err(Full(5))),
            "nobody will receive it"
        );
    }

    async fn cancelled_receive(&self) {
        let (sender, receiver) = I::mailbox::<u8>(2);
        {
            let mut waiting = pin!(receiver.recv());
            let first_poll = poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context))).await;
            assert!(first_poll.is_pending(), "nothing was sent yet");
            assert!(sender.try_send(4).is_ok());
        }
        assert_eq!(receiver.recv().await, Some(4));
    }
}
