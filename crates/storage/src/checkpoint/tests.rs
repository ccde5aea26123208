//! The files byte for byte, round trips and damaged content.

use proptest::prelude::{any, prop_assert_eq, proptest};
use types::{LeaderEpoch, Offset, PartitionIndex, Uuid};

use super::{
    MetaProperties, PartitionOffset, decode_epochs, decode_offsets, decode_partition_metadata,
    encode_clean_shutdown, encode_epochs, encode_offsets, encode_partition_metadata,
};
use crate::epochs::LeaderEpochs;

fn offset(topic: &str, partition: i32, offset: i64) -> PartitionOffset {
    PartitionOffset {
        topic: topic.to_owned(),
        partition: PartitionIndex(partition),
        offset: Offset(offset),
    }
}

#[test]
fn an_offset_checkpoint_is_what_kafka_writes() {
    let offsets = [offset("a.b", 0, 17), offset("c", 12, 0)];
    let file = encode_offsets(&offsets);
    assert_eq!(file, b"0\n2\na.b 0 17\nc 12 0\n");
    assert_eq!(decode_offsets(&file).as_deref(), Ok(&offsets[..]));
}

#[test]
fn malformed_offset_checkpoints_are_refused() {
    for file in [
        "",
        "1\n0\n",
        "0\n",
        "0\nx\n",
        "0\n1\n",
        "0\n1\na 0\n",
        "0\n1\na -1 3\n",
        "0\n1\na 1 -3\n",
        "0\n1\na 1 3 4\n",
        "0\n0\na 1 3\n",
    ] {
        assert!(decode_offsets(file.as_bytes()).is_err(), "{file:?}");
    }
}

#[test]
fn a_leader_epoch_checkpoint_round_trips() {
    let mut epochs = LeaderEpochs::default();
    epochs.assign(LeaderEpoch(0), Offset(0));
    epochs.assign(LeaderEpoch(4), Offset(100));
    let file = encode_epochs(&epochs);
    assert_eq!(file, b"0\n2\n0 0\n4 100\n");
    assert_eq!(decode_epochs(&file), Ok(epochs));
}

#[test]
fn partition_metadata_round_trips() {
    let id = Uuid::from_random(*b"0123456789abcdef");
    let file = encode_partition_metadata(id);
    assert_eq!(file, format!("version: 0\ntopic_id: {id}").as_bytes());
    assert_eq!(decode_partition_metadata(&file), Ok(id));
    let newer = decode_partition_metadata(b"version: 1\ntopic_id: x").expect_err("newer");
    let newer = newer.to_string();
    assert!(
        newer.contains("it is of version 1, of which this Logan knows 0 only"),
        "{newer}"
    );
    assert!(
        decode_partition_metadata(b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA").is_err(),
        "the zero id is none"
    );
}

#[test]
fn meta_properties_round_trip_with_comments() {
    let properties = MetaProperties {
        cluster_id: "MkU3OEVBNTcwNTJENDM2Qg".to_owned(),
        node_id: 1,
        directory_id: Some(Uuid::from_random([7; 16])),
    };
    let mut file = b"#\n#Sat Nov 21 06:00:00 UTC 2026\n".to_vec();
    file.extend(properties.encode());
    assert_eq!(MetaProperties::decode(&file), Ok(properties));
    assert!(MetaProperties::decode(b"version=0\nnode.id=1\ncluster.id=a").is_err());
    let newer = MetaProperties::decode(b"version=2\nnode.id=1\ncluster.id=a").expect_err("newer");
    assert!(
        newer
            .to_string()
            .contains("of version 2, of which this Logan knows 1 only"),
        "{newer}"
    );
    assert!(MetaProperties::decode(b"version=1\ncluster.id=a").is_err());
}

#[test]
fn the_clean_shutdown_mark_is_what_kafka_writes() {
    assert_eq!(
        encode_clean_shutdown(-1),
        b"{\"version\":0,\"brokerEpoch\":-1}"
    );
}

proptest! {
    #[test]
    fn no_bytes_make_decoding_panic(file in proptest::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(offsets) = decode_offsets(&file) {
            prop_assert_eq!(decode_offsets(&encode_offsets(&offsets)), Ok(offsets));
        }
        drop(decode_epochs(&file));
        drop(decode_partition_metadata(&file));
        drop(MetaProperties::decode(&file));
    }
}
