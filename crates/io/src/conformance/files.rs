//! Files.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::pin;
use std::task::Poll;

use super::{Fixture, Suite};
use crate::{ALIGNMENT, Buffer as _, File as _, Io, OpenMode};

const BLOCK: u64 = ALIGNMENT as u64;

impl<I: Io, F: Fixture<I>> Suite<'_, I, F> {
    pub(super) async fn files(&self) {
        self.case("what was written is read", self.read_back())
            .await;
        self.case("reads stop at the end of the file", self.short_reads())
            .await;
        self.case("open modes are kept", self.open_modes()).await;
        self.case("reserved room reads as zero", self.allocated())
            .await;
        self.case("a file is cut and extended", self.resized())
            .await;
        self.case("concurrent operations complete", self.concurrent())
            .await;
        self.case("a dropped write still happens", self.dropped_write())
            .await;
        self.case("a renamed or removed file stays open", self.unlinked())
            .await;
    }

    async fn read_back(&self) {
        let file = self.file_of("read-back", &[1, 2, 3]).await;
        file.sync_data().await.expect("a sync");
        assert_eq!(file.len_bytes().await.expect("a length"), 3 * BLOCK);
        let middle = file.read_at(BLOCK, ALIGNMENT).await.expect("a read");
        assert_eq!(middle.as_slice(), [2; ALIGNMENT]);
        let written = file.write_at(BLOCK, middle.clone()).await;
        assert_eq!(written.expect("a read buffer is written"), ALIGNMENT);
        // The tail block is written again and again while it fills up.
        for value in 4..8 {
            let buffer = self.filled(ALIGNMENT, value);
            let written = file.write_at(2 * BLOCK, buffer).await;
            assert_eq!(written.expect("a rewrite"), ALIGNMENT);
        }
        file.close().await.expect("a close");
        let file = self
            .io
            .open(&self.path("read-back"), OpenMode::ReadOnly)
            .await
            .expect("the file exists");
        let all = file.read_at(0, 3 * ALIGNMENT).await.expect("a read");
        assert_eq!(&all.as_slice()[..ALIGNMENT], [1; ALIGNMENT]);
        assert_eq!(&all.as_slice()[ALIGNMENT..2 * ALIGNMENT], [2; ALIGNMENT]);
        assert_eq!(&all.as_slice()[2 * ALIGNMENT..], [7; ALIGNMENT]);
        file.close().await.expect("a close");
    }

    async fn short_reads(&self) {
        let file = self.file_of("short-reads", &[1, 2]).await;
        file.set_len(BLOCK + 100).await.expect("a cut");
        let tail = file.read_at(BLOCK, ALIGNMENT).await.expect("a read");
        assert_eq!(tail.as_slice(), [2; 100]);
        let all = file.read_at(0, 16 * ALIGNMENT).await.expect("a read");
        assert_eq!(all.len(), ALIGNMENT + 100);
        let beyond = file.read_at(2 * BLOCK, ALIGNMENT).await.expect("a read");
        assert!(beyond.is_empty(), "there is nothing beyond the end");
        file.close().await.expect("a close");
    }

    async fn open_modes(&self) {
        let path = self.path("open-modes");
        let missing = self.io.open(&path, OpenMode::Existing).await;
        assert_eq!(
            missing.err().map(|error| error.kind()),
            Some(ErrorKind::NotFound)
        );
        let missing = self.io.open(&path, OpenMode::ReadOnly).await;
        assert_eq!(
            missing.err().map(|error| error.kind()),
            Some(ErrorKind::NotFound)
        );
        let file = self.file_of("open-modes", &[5]).await;
        file.close().await.expect("a close");
        let taken = self.io.open(&path, OpenMode::CreateNew).await;
        assert_eq!(
            taken.err().map(|error| error.kind()),
            Some(ErrorKind::AlreadyExists)
        );
        for mode in [
            OpenMode::CreateOrOpen,
            OpenMode::Existing,
            OpenMode::ReadOnly,
        ] {
            let file = self.io.open(&path, mode).await.expect("it exists");
            let content = file.read_at(0, ALIGNMENT).await.expect("a read");
            assert_eq!(content.as_slice(), [5; ALIGNMENT], "kept by {mode:?}");
            let write = file.write_at(0, self.filled(ALIGNMENT, 5)).await;
            assert_eq!(write.is_ok(), mode != OpenMode::ReadOnly, "{mode:?}");
            file.close().await.expect("a close");
        }
        let created = self
            .io
            .open(&self.path("open-modes-created"), OpenMode::CreateOrOpen)
            .await
            .expect("it is created");
        assert_eq!(created.len_bytes().await.expect("a length"), 0);
        created.close().await.expect("a close");
    }

    async fn allocated(&self) {
        let file = self.file_of("allocated", &[1]).await;
        file.allocate(BLOCK, 16 * BLOCK).await.expect("room");
        assert_eq!(file.len_bytes().await.expect("a length"), 17 * BLOCK);
        file.write_at(4 * BLOCK, self.filled(ALIGNMENT, 9))
            .await
            .expect("a write");
        file.allocate(0, 8 * BLOCK).await.expect("room");
        assert_eq!(
            file.len_bytes().await.expect("a length"),
            17 * BLOCK,
            "reserving never cuts"
        );
        let all = file.read_at(0, 17 * ALIGNMENT).await.expect("a read");
        for (index, block) in all.as_slice().chunks(ALIGNMENT).enumerate() {
            let expected = match index {
                0 => 1,
                4 => 9,
                _ => 0,
            };
            assert!(block.iter().all(|&byte| byte == expected), "block {index}");
        }
        file.close().await.expect("a close");
    }

    async fn resized(&self) {
        let file = self.file_of("resized", &[1, 1]).await;
        file.set_len(10).await.expect("a cut");
        file.set_len(BLOCK).await.expect("an extension");
        let block = file.read_at(0, ALIGNMENT).await.expect("a read");
        assert_eq!(block.len(), ALIGNMENT);
        assert!(block.as_slice()[..10].iter().all(|&byte| byte == 1));
        assert!(
            block.as_slice()[10..].iter().all(|&byte| byte == 0),
            "what was cut off does not come back"
        );
        file.close().await.expect("a close");
    }

    async fn concurrent(&self) {
        let file = self.file_of("concurrent", &[0; 8]).await;
        let (first, second, synced) = futures_util::join!(
            file.write_at(0, self.filled(ALIGNMENT, 1)),
            file.write_at(7 * BLOCK, self.filled(ALIGNMENT, 2)),
            file.sync_data(),
        );
        assert_eq!(first.expect("a write"), ALIGNMENT);
        assert_eq!(second.expect("a write"), ALIGNMENT);
        synced.expect("a sync");
        let (head, tail) = futures_util::join!(
            file.read_at(0, ALIGNMENT),
            file.read_at(7 * BLOCK, ALIGNMENT)
        );
        assert_eq!(head.expect("a read").as_slice(), [1; ALIGNMENT]);
        assert_eq!(tail.expect("a read").as_slice(), [2; ALIGNMENT]);
        file.close().await.expect("a close");
    }

    async fn dropped_write(&self) {
        let file = self.file_of("dropped-write", &[0]).await;
        let buffer = self.filled(ALIGNMENT, 6);
        {
            let mut write = pin!(file.write_at(0, buffer.clone()));
            let first_poll = poll_fn(|context| Poll::Ready(write.as_mut().poll(context))).await;
            drop(first_poll);
        }
        // Nobody may reuse the memory before the disk has it.
        while !buffer.is_unique() {
            self.io.reschedule().await;
        }
        let content = file.read_at(0, ALIGNMENT).await.expect("a read");
        assert_eq!(content.as_slice(), [6; ALIGNMENT]);
        {
            let mut read = pin!(file.read_at(0, ALIGNMENT));
            let first_poll = poll_fn(|context| Poll::Ready(read.as_mut().poll(context))).await;
            drop(first_poll);
        }
        file.close().await.expect("a close after a dropped read");
    }

    async fn unlinked(&self) {
        let file = self.file_of("unlinked", &[1, 2]).await;
        let renamed = self.path("unlinked-renamed");
        self.io
            .rename(&self.path("unlinked"), &renamed)
            .await
            .expect("a rename");
        assert_eq!(file.len_bytes().await.expect("a length"), 2 * BLOCK);
        self.io.remove_file(&renamed).await.expect("a removal");
        file.write_at(0, self.filled(ALIGNMENT, 3))
            .await
            .expect("a write to an unlinked file");
        let all = file.read_at(0, 2 * ALIGNMENT).await.expect("a read");
        assert_eq!(all.as_slice()[0], 3);
        assert_eq!(all.as_slice()[ALIGNMENT], 2);
        file.sync_data().await.expect("a sync");
        file.close().await.expect("a close");
    }
}
