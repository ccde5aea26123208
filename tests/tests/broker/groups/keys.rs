//! Configuration keys that show in what a coordinator writes.

use bytes::Bytes;
use records::{BatchIter, Compression};
use tests::{create_topic, temporary_directory};
use types::ErrorCode;

use super::{commit, coordinator, forge, launch};

/// The codecs of all batches of the log.
fn codecs(bytes: &Bytes) -> Vec<Option<Compression>> {
    BatchIter::new(bytes)
        .map_while(Result::ok)
        .map(|(header, _)| header.compression())
        .collect()
}

#[test]
fn batches_have_the_codec_that_is_configured() {
    for (id, codec) in [("0", Compression::None), ("1", Compression::Gzip)] {
        let directory = temporary_directory();
        let broker = launch(directory.path())
            .with("offsets.topic.num.partitions", "1")
            .with("offsets.topic.compression.codec", id)
            .start();
        create_topic(&broker, "t", 1, &[]);
        let mut wire = coordinator(&broker, "g");
        assert_eq!(commit(&mut wire, "g", "t", &[5]), [ErrorCode::None]);
        assert_eq!(broker.stop().code(), 0);
        let bytes = std::fs::read(forge::segment(directory.path()));
        let found = codecs(&bytes.expect("it is there").into());
        assert!(!found.is_empty());
        assert!(found.iter().all(|it| *it == Some(codec)), "{found:?}");
    }
}
