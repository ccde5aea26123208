//! Directories and small whole files.

use std::io::ErrorKind;

use super::{Fixture, Suite};
use crate::{ALIGNMENT, DirEntry, File as _, Io, OpenMode};

impl<I: Io, F: Fixture<I>> Suite<'_, I, F> {
    pub(super) async fn directories(&self) {
        self.case("a directory is made and listed", self.listed())
            .await;
        self.case("names change and go away", self.renamed()).await;
        self.case("what is missing is not found", self.missing())
            .await;
        self.case("a small file is replaced and read", self.replaced())
            .await;
        self.case(
            "several small files are replaced and read at once",
            self.several(),
        )
        .await;
        self.case("free space is known", self.free_space()).await;
    }

    async fn listed(&self) {
        let directory = self.path("listed/deep");
        for _ in 0..2 {
            let made = self.io.create_dir_all(&directory).await;
            made.expect("an existing directory is no error");
        }
        assert_eq!(self.io.list_dir(&directory).await.expect("a list"), []);
        let file = self.file_of("listed/deep/b", &[1]).await;
        file.close().await.expect("a close");
        for name in ["c", "a"] {
            let made = self.io.create_dir_all(&directory.join(name)).await;
            made.expect("a directory");
        }
        self.io.sync_dir(&directory).await.expect("a sync");
        let entries = self.io.list_dir(&directory).await.expect("a list");
        let seen: Vec<_> = entries
            .iter()
            .map(|entry| (entry.name.as_str(), entry.is_dir, entry.len_bytes))
            .collect();
        let block = ALIGNMENT as u64;
        assert_eq!(seen, [("a", true, 0), ("b", false, block), ("c", true, 0)]);
    }

    async fn renamed(&self) {
        let directory = self.path("renamed");
        self.io.create_dir_all(&directory).await.expect("made");
        for (name, value) in [("renamed/old", 1), ("renamed/target", 2)] {
            let file = self.file_of(name, &[value]).await;
            file.close().await.expect("a close");
        }
        let target = directory.join("target");
        self.io
            .rename(&directory.join("old"), &target)
            .await
            .expect("an existing file is replaced");
        let content = self.io.read_file(&target, ALIGNMENT).await;
        assert_eq!(content.expect("a read"), [1; ALIGNMENT]);
        let moved = self.path("renamed-directory");
        self.io.rename(&directory, &moved).await.expect("a rename");
        let not_empty = self.io.remove_dir(&moved).await;
        assert!(not_empty.is_err(), "a directory with a file stays");
        self.io
            .remove_file(&moved.join("target"))
            .await
            .expect("a removal");
        self.io.remove_dir(&moved).await.expect("a removal");
        let gone = self.io.list_dir(&moved).await;
        assert_eq!(
            gone.err().map(|error| error.kind()),
            Some(ErrorKind::NotFound)
        );
    }

    async fn missing(&self) {
        let path = self.path("missing/file");
        let kinds = [
            self.io.list_dir(&path).await.err(),
            self.io.sync_dir(&path).await.err(),
            self.io
                .rename(&path, &self.path("renamed-nothing"))
                .await
                .err(),
            self.io.remove_file(&path).await.err(),
            self.io.remove_dir(&path).await.err(),
            self.io.read_file(&path, 1).await.err(),
            self.io.replace_file(&path, vec![1]).await.err(),
            self.io.open(&path, OpenMode::CreateNew).await.err(),
        ]
        .map(|error| error.map(|error| error.kind()));
        assert_eq!(kinds, [Some(ErrorKind::NotFound); 8]);
    }

    async fn replaced(&self) {
        let path = self.path("replaced");
        for content in [vec![], vec![1; 5], vec![2; 10_000], b"short".to_vec()] {
            self.io
                .replace_file(&path, content.clone())
                .await
                .expect("a replacement");
            let read = self.io.read_file(&path, 10_000).await;
            assert_eq!(read.expect("a read"), content);
        }
        let too_long = self.io.read_file(&path, 4).await;
        assert_eq!(
            too_long.err().map(|error| error.kind()),
            Some(ErrorKind::InvalidData)
        );
        let entries = self.io.list_dir(self.fixture.directory()).await;
        let leftover = entries
            .expect("a list")
            .into_iter()
            .any(|entry| entry.name == "replaced.tmp");
        assert!(!leftover, "the temporary file took the name");
    }

    async fn several(&self) {
        let directory = self.path("several");
        let pick = |entries: &[DirEntry]| (0..entries.len()).step_by(2).collect();
        let missing = self.io.read_dir(&directory, pick, ALIGNMENT).await;
        let error = missing.err().map(|error| error.kind());
        assert_eq!(error, Some(ErrorKind::NotFound));
        self.io.create_dir_all(&directory).await.expect("made");
        for round in 0..2 {
            let files = (0..4_u8).map(|file| (file.to_string(), vec![round; usize::from(file)]));
            let replaced = self.io.replace_files(&directory, files.collect()).await;
            replaced.expect("four files");
            let found = self.io.read_dir(&directory, pick, 1).await.expect("a list");
            let seen: Vec<_> = found
                .iter()
                .map(|(entry, content)| (entry.name.as_str(), entry.len_bytes, content.as_deref()))
                .collect();
            // The third is longer than what is read.
            let expected = [
                ("0", 0, Some(&[][..])),
                ("1", 1, None),
                ("2", 2, None),
                ("3", 3, None),
            ];
            assert_eq!(seen, expected);
            let content = self.io.read_file(&directory.join("3"), 3).await;
            assert_eq!(content.expect("a read"), [round; 3]);
        }
    }

    async fn free_space(&self) {
        let free = self.io.free_space_bytes(self.fixture.directory()).await;
        assert!(
            free.as_ref().is_ok_and(|free| *free > 0),
            "the test needs a disk with room"
        );
        let total = self.io.total_space_bytes(self.fixture.directory()).await;
        assert!(
            total.ok() >= free.ok(),
            "nothing is freer than the whole disk"
        );
    }
}
