//! Connections.

use std::time::Duration;

use bytes::Bytes;

use super::{Fixture, Suite};
use crate::sync::oneshot;
use crate::{
    Io, ReadHalf as _, Stream as _, Task as _, TaskClass, WriteHalf as _, timeout, write_all,
};

type Read<I> = <<I as Io>::Stream as crate::Stream>::ReadHalf;
type Write<I> = <<I as Io>::Stream as crate::Stream>::WriteHalf;

/// More than any connection buffers.
const LARGE_LEN_BYTES: usize = 64 << 20;
const LARGE_CHUNK_LEN_BYTES: usize = 100_003;
/// Long enough that a wait which should not end would have ended.
const A_WHILE: Duration = Duration::from_millis(20);

impl<I: Io, F: Fixture<I>> Suite<'_, I, F> {
    pub(super) async fn streams(&self) {
        self.case("bytes arrive in order", self.echoed()).await;
        self.case("addresses match", self.addresses()).await;
        self.case("reading without waiting", self.tried()).await;
        self.case("a cancelled read loses nothing", self.cancelled_read())
            .await;
        self.case("many chunks are gathered", self.gathered()).await;
        self.case("a slow reader holds the writer up", self.slow_reader())
            .await;
        self.case("reading goes on while writing waits", self.both_ways())
            .await;
        self.case("a shutdown ends both directions", self.shut_down())
            .await;
        self.case("a dropped connection ends", self.dropped_stream())
            .await;
        self.case("an adopted connection loses nothing", self.migrated())
            .await;
    }

    async fn pair(&self) -> (I::Stream, I::Stream) {
        let (left, right) = self.fixture.connect().await;
        (
            self.io.adopt(left).expect("adopted"),
            self.io.adopt(right).expect("adopted"),
        )
    }

    async fn split_pair(&self) -> ((Read<I>, Write<I>), (Read<I>, Write<I>)) {
        let (left, right) = self.pair().await;
        (left.split(), right.split())
    }

    async fn echoed(&self) {
        let ((mut left_in, mut left_out), (mut right_in, mut right_out)) = self.split_pair().await;
        for round in 0..100_u8 {
            send(&mut left_out, &[round; 300]).await;
            assert_eq!(receive(&mut right_in, 300).await, [round; 300]);
            send(&mut right_out, &[!round; 7]).await;
            assert_eq!(receive(&mut left_in, 7).await, [!round; 7]);
        }
    }

    async fn addresses(&self) {
        let (left, right) = self.pair().await;
        assert_eq!(left.peer_addr(), right.local_addr());
        assert_eq!(left.local_addr(), right.peer_addr());
    }

    async fn tried(&self) {
        let ((mut input, _left_out), (_right_in, mut output)) = self.split_pair().await;
        let mut buffer = [0; 16];
        assert_eq!(input.try_read(&mut buffer).expect("open"), None);
        for round in 0..50_u8 {
            send(&mut output, &[round; 20]).await;
            let mut seen = 0;
            while seen < 20 {
                match input.try_read(&mut buffer).expect("open") {
                    Some(count) => {
                        assert!(buffer[..count].iter().all(|&byte| byte == round));
                        seen += count;
                    }
                    None => input.readable().await.expect("open"),
                }
            }
        }
        output.shutdown();
        let end = loop {
            match input.try_read(&mut buffer).expect("an orderly end") {
                Some(count) => break count,
                None => input.readable().await.expect("an orderly end"),
            }
        };
        assert_eq!(end, 0, "the stream has ended");
    }

    async fn cancelled_read(&self) {
        let ((mut input, _left_out), (_right_in, mut output)) = self.split_pair().await;
        for round in 0..5_u8 {
            let mut buffer = [0; 8];
            let nothing = timeout(self.io, A_WHILE, input.read(&mut buffer)).await;
            assert!(nothing.is_err(), "nothing was sent yet");
            let nothing = timeout(self.io, A_WHILE, async {
                while input.try_read(&mut buffer).expect("open").is_none() {
                    input.readable().await.expect("open");
                }
            })
            .await;
            assert!(nothing.is_err(), "nothing was sent yet");
            send(&mut output, &[round; 8]).await;
            assert_eq!(receive(&mut input, 8).await, [round; 8]);
        }
    }

    async fn gathered(&self) {
        let ((mut input, _left_out), (_right_in, mut output)) = self.split_pair().await;
        let mut chunks = Vec::new();
        let mut expected = Vec::new();
        for index in 0..5000_usize {
            let value = u8::try_from(index % 251).expect("below 251");
            let chunk = vec![value; index % 7];
            expected.extend_from_slice(&chunk);
            chunks.push(Bytes::from(chunk));
        }
        assert_eq!(output.write(&[]).await.expect("nothing to send"), 0);
        let (sent, received) = futures_util::join!(
            write_all(&mut output, chunks, drop),
            receive(&mut input, expected.len()),
        );
        sent.expect("sent");
        assert_eq!(received, expected);
    }

    async fn slow_reader(&self) {
        let ((mut input, _left_out), (_right_in, mut output)) = self.split_pair().await;
        let chunk = patterned_chunk();
        let chunks = vec![chunk.clone(); LARGE_LEN_BYTES / LARGE_CHUNK_LEN_BYTES];
        let len_bytes = chunk.len() * chunks.len();
        let (promise, answer) = oneshot();
        let writer = self.io.spawn(TaskClass::Foreground, async move {
            let mut reported = 0;
            let result = write_all(&mut output, chunks, |sent| reported += sent).await;
            promise.fulfil((result, reported));
        });
        let mut answer = std::pin::pin!(answer);
        let early = timeout(self.io, A_WHILE, answer.as_mut()).await;
        assert!(early.is_err(), "the connection buffers less than that");
        let mut buffer = vec![0; 1 << 16];
        let mut position = 0;
        while position < len_bytes {
            let count = input.read(&mut buffer).await.expect("open");
            assert!(count > 0, "ended at {position}");
            for &byte in buffer[..count].iter().step_by(997) {
                assert!(byte <= 250, "strange byte near {position}");
            }
            let expected = chunk[position % chunk.len()];
            assert_eq!(buffer[0], expected, "wrong byte at {position}");
            position += count;
        }
        let (result, reported) = answer.await.expect("the writer ends");
        result.expect("sent");
        assert_eq!(reported, len_bytes);
        writer.join().await;
    }

    async fn both_ways(&self) {
        let ((mut left_in, mut left_out), (mut right_in, mut right_out)) = self.split_pair().await;
        let chunk = patterned_chunk();
        let chunks = vec![chunk.clone(); LARGE_LEN_BYTES / LARGE_CHUNK_LEN_BYTES];
        let len_bytes = chunk.len() * chunks.len();
        let writer = self.io.spawn(TaskClass::Foreground, async move {
            write_all(&mut left_out, chunks, drop).await.expect("sent");
        });
        // The writer waits for room; the same connection still receives.
        for round in 0..10 {
            send(&mut right_out, &[round; 9]).await;
            assert_eq!(receive(&mut left_in, 9).await, [round; 9]);
        }
        receive(&mut right_in, len_bytes).await;
        writer.join().await;
    }

    async fn shut_down(&self) {
        let ((mut left_in, mut left_out), (mut right_in, mut right_out)) = self.split_pair().await;
        let reader = self.io.spawn(TaskClass::Foreground, async move {
            let count = left_in.read(&mut [0; 8]).await;
            assert_eq!(count.unwrap_or(0), 0, "a pending read ends");
        });
        self.io.sleep_until(self.io.now() + A_WHILE).await;
        left_out.shutdown();
        reader.join().await;
        assert_eq!(right_in.read(&mut [0; 8]).await.unwrap_or(0), 0);
        let chunks = [Bytes::from_static(b"late")];
        let mut refused = false;
        for _ in 0..100 {
            refused = right_out.write(&chunks).await.is_err();
            if refused {
                break;
            }
            self.io.sleep_until(self.io.now() + A_WHILE).await;
        }
        assert!(refused, "nobody reads what is sent now");
    }

    async fn dropped_stream(&self) {
        let (left, right) = self.pair().await;
        let (mut input, mut output) = left.split();
        send(&mut output, b"last words").await;
        let (mut right_in, _right_out) = right.split();
        assert_eq!(receive(&mut right_in, 10).await, b"last words");
        drop((input.try_read(&mut [0; 1]), input, output));
        let end = right_in.read(&mut [0; 8]).await;
        assert_eq!(end.unwrap_or(0), 0, "the connection is closed");
    }

    async fn migrated(&self) {
        let (mut moving, right) = self.pair().await;
        let (mut right_in, mut right_out) = right.split();
        for round in 0..10_u8 {
            let (mut input, mut output) = moving.split();
            // A read is under way when the connection leaves, and a byte arrives that nobody has read.
            let nothing = timeout(self.io, A_WHILE, input.read(&mut [0; 8])).await;
            assert!(nothing.is_err(), "nothing was sent yet");
            send(&mut right_out, &[round]).await;
            send(&mut output, &[round, round]).await;
            let socket = <I::Stream as crate::Stream>::detach(input, output).expect("detached");
            moving = self.io.adopt(socket).expect("adopted");
            assert_eq!(receive(&mut right_in, 2).await, [round, round]);
            let (mut input, output) = moving.split();
            assert_eq!(receive(&mut input, 1).await, [round]);
            let socket = <I::Stream as crate::Stream>::detach(input, output).expect("detached");
            moving = self.io.adopt(socket).expect("adopted");
        }
        drop(moving);
        assert_eq!(right_in.read(&mut [0; 8]).await.unwrap_or(0), 0);
    }
}

async fn send(output: &mut impl crate::WriteHalf, bytes: &[u8]) {
    let chunks = vec![Bytes::copy_from_slice(bytes)];
    write_all(output, chunks, drop).await.expect("sent");
}

async fn receive(input: &mut impl crate::ReadHalf, len_bytes: usize) -> Vec<u8> {
    let mut received = vec![0; len_bytes];
    let mut position = 0;
    while position < len_bytes {
        let count = input
            .read(&mut received[position..])
            .await
            .expect("received");
        assert!(count > 0, "the stream ended at {position} of {len_bytes}");
        position += count;
    }
    received
}

/// Bytes that tell where in the chunk they stand.
fn patterned_chunk() -> Bytes {
    (0..LARGE_CHUNK_LEN_BYTES)
        .map(|index| u8::try_from(index % 251).expect("below 251"))
        .collect()
}
