//! The log and its snapshots give back what was decided: after any crash, a prefix of it.

mod common;

use std::collections::BTreeSet;

use bytes::Bytes;
use common::{after, create, created_image, id, machine, machine_image, new_topic};
use metadata::log::{LEADER_EPOCH, encode_batch, replay};
use metadata::record::{ClusterRecord, PlacementRecord, ShardCountRecord};
use metadata::snapshot::{self, SnapshotId};
use metadata::{
    Machine, MetadataError, MetadataImage, MetadataRecord, SUPPORTED_FEATURES, TopicSelector,
    decide_bootstrap, decide_delete_topics, decide_producer_ids, decide_spread,
};
use proptest::prelude::{
    Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use types::{NodeId, Offset, ShardId, TimestampMs, Uuid};

const NOW: TimestampMs = TimestampMs(1_700_000_000_000);

/// Something that a client, or a restart, asks for.
#[derive(Clone, Debug)]
enum Request {
    Create {
        name: u8,
        partitions: i32,
        config: bool,
    },
    Delete {
        name: u8,
    },
    ProducerIds,
    Restart {
        shards: u16,
    },
}

fn requests() -> impl Strategy<Value = Vec<Request>> {
    let request = prop_oneof![
        4 => (0..6_u8, 1..5_i32, any::<bool>())
            .prop_map(|(name, partitions, config)| Request::Create { name, partitions, config }),
        2 => (0..6_u8).prop_map(|name| Request::Delete { name }),
        1 => Just(Request::ProducerIds),
        1 => (1..4_u16).prop_map(|shards| Request::Restart { shards }),
    ];
    prop::collection::vec(request, 1..25)
}

fn decide(image: &MetadataImage, request: &Request, step: u8) -> Vec<MetadataRecord> {
    match request {
        Request::Create {
            name,
            partitions,
            config,
        } => {
            let mut topic = new_topic(&format!("topic-{name}"), *partitions, 1);
            topic.id = id(step);
            if *config {
                topic.configs = vec![("retention.ms".into(), Some("5".into()))];
            }
            create(image, &[topic]).expect("a small request").records
        }
        Request::Delete { name } => {
            let selector = TopicSelector {
                name: Some(format!("topic-{name}").into()),
                id: Uuid::ZERO,
            };
            decide_delete_topics(image, &[selector]).records
        }
        Request::ProducerIds => {
            decide_producer_ids(image, NodeId(1))
                .expect("ids are left")
                .records
        }
        Request::Restart { shards } => {
            decide_spread(
                image,
                &Machine {
                    shards: *shards,
                    ..machine()
                },
            )
            .records
        }
    }
}

/// A log, and after which byte of it which image is reached.
struct History {
    log: Vec<u8>,
    images: Vec<(usize, MetadataImage)>,
}

fn history(requests: &[Request]) -> History {
    let empty = MetadataImage::new();
    let mut history = History {
        log: Vec::new(),
        images: vec![(0, empty.clone())],
    };
    let bootstrap = decide_bootstrap(&empty, id(200), SUPPORTED_FEATURES)
        .expect("an empty log")
        .records;
    let register = common::register(1).records;
    let mut step = 0;
    let add = |history: &mut History, records: Vec<MetadataRecord>| {
        let (_, image) = history.images.last().expect("the empty image is there");
        if !records.is_empty() {
            history.log.extend(encode_batch(
                &records,
                image.end_offset(),
                LEADER_EPOCH,
                NOW,
            ));
            let next = after(image, &records);
            history.images.push((history.log.len(), next));
        }
    };
    add(&mut history, bootstrap);
    add(&mut history, register);
    for request in requests {
        step += 1;
        let records = decide(&history.images.last().expect("an image").1, request, step);
        add(&mut history, records);
    }
    history
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    #[test]
    fn a_log_cut_at_any_byte_gives_the_image_of_its_whole_batches(
        requests in requests(),
        cut in any::<prop::sample::Index>(),
        garbage in prop_oneof![Just(vec![]), Just(vec![0; 300]), prop::collection::vec(any::<u8>(), 0..100)],
    ) {
        let history = history(&requests);
        let cut = cut.index(history.log.len() + 1);
        let mut torn = history.log[..cut].to_vec();
        torn.extend(garbage);
        // Zeroes behind the cut may happen to be the very ones that were cut.
        let intact = torn.iter().zip(&history.log).take_while(|(left, right)| left == right).count();
        let (valid_bytes, image) =
            history.images.iter().rfind(|(end, _)| *end <= intact).expect("the empty image is there");
        let replayed = replay(MetadataImage::new(), &torn).expect("a torn tail is no error");
        prop_assert_eq!(&replayed.image, image);
        prop_assert_eq!(replayed.valid_bytes, *valid_bytes);
    }

    #[test]
    fn a_snapshot_and_the_log_behind_it_give_what_the_log_gives(
        requests in requests(),
        at in any::<prop::sample::Index>(),
        log_from in any::<prop::sample::Index>(),
    ) {
        let history = history(&requests);
        let last = &history.images.last().expect("an image").1;
        let at = at.index(history.images.len());
        let image = &history.images[at].1;
        let file = snapshot::encode(image, LEADER_EPOCH, NOW);
        let id = SnapshotId { end_offset: image.end_offset(), epoch: LEADER_EPOCH };
        let restored = snapshot::decode(id, &file).expect("a whole snapshot");
        prop_assert_eq!(&restored, image);
        // The log may begin anywhere before the snapshot's end.
        let from = history.images[log_from.index(at + 1)].0;
        let replayed = replay(restored, &history.log[from..]).expect("no gap");
        prop_assert_eq!(&replayed.image, last);
    }

    #[test]
    fn a_deleted_topic_never_comes_back(requests in requests()) {
        let history = history(&requests);
        let mut gone: BTreeSet<Uuid> = BTreeSet::new();
        let mut before: BTreeSet<Uuid> = BTreeSet::new();
        for (_, image) in &history.images {
            let ids: BTreeSet<Uuid> = image.topics().map(|topic| topic.id).collect();
            prop_assert!(ids.is_disjoint(&gone));
            gone.extend(before.difference(&ids));
            before = ids;
        }
    }

    #[test]
    fn every_image_counts_its_shards_rightly(requests in requests()) {
        for (_, image) in &history(&requests).images {
            let mut counts = vec![0_u32; 4];
            for partition in image.topics().flat_map(|topic| &topic.partitions) {
                counts[usize::from(partition.shard.expect("one machine").0)] += 1;
            }
            while counts.last() == Some(&0) {
                counts.pop();
            }
            prop_assert_eq!(image.partitions_per_shard(), counts);
        }
    }

    #[test]
    fn a_changed_byte_is_noticed(requests in requests(), at in any::<prop::sample::Index>(), change in 1..=255_u8) {
        let mut history = history(&requests);
        let at = at.index(history.log.len());
        history.log[at] ^= change;
        match replay(MetadataImage::new(), &history.log) {
            // The partition leader epoch of a batch lies outside its checksum, and nothing reads it.
            Ok(replayed) if replayed.valid_bytes == history.log.len() => {
                let in_batch = at - history.images.iter().rfind(|(end, _)| *end <= at).expect("an image").0;
                prop_assert!((12..16).contains(&in_batch), "byte {in_batch} of a batch");
            }
            Ok(replayed) => {
                let (last_batch, _) = history.images[history.images.len() - 2];
                prop_assert!(at >= last_batch, "only the last batch may be taken for torn");
                prop_assert_eq!(replayed.valid_bytes, last_batch);
            }
            Err(error) => {
                let is_told = matches!(error, MetadataError::Damaged { .. } | MetadataError::Gap { .. });
                prop_assert!(is_told, "{error}");
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(replay(MetadataImage::new(), &bytes));
        drop(snapshot::decode(SnapshotId { end_offset: Offset(0), epoch: LEADER_EPOCH }, &bytes));
        drop(MetadataRecord::decode(&bytes, Offset(0)));
    }

    #[test]
    fn a_snapshot_that_is_cut_or_changed_is_refused(cut in any::<prop::sample::Index>(), change in 1..=255_u8) {
        let image = created_image(&["a", "b"]);
        let file = snapshot::encode(&image, LEADER_EPOCH, NOW);
        let id = SnapshotId { end_offset: image.end_offset(), epoch: LEADER_EPOCH };
        let at = cut.index(file.len());
        let is_damaged = |bytes: &[u8]| matches!(snapshot::decode(id, bytes), Err(MetadataError::DamagedSnapshot { .. }));
        prop_assert!(is_damaged(&file[..at]));
        let mut changed = file.to_vec();
        changed[at] ^= change;
        prop_assert!(is_damaged(&changed) || snapshot::decode(id, &changed).as_ref() == Ok(&image));
        prop_assert!(is_damaged(&[&file[..], &[0]].concat()));
    }
}

#[test]
fn records_have_kafkas_frame() {
    let bootstrap =
        decide_bootstrap(&MetadataImage::new(), id(1), SUPPORTED_FEATURES).expect("an empty log");
    let written: Vec<Bytes> = bootstrap
        .records
        .iter()
        .map(MetadataRecord::encode)
        .collect();
    // As in a log that Kafka 4.3.1 wrote: frame 1, type 12, version 0, "metadata.version", 30, no tagged fields.
    let level = Bytes::from_static(b"\x01\x0c\x00\x11metadata.version\x00\x1e\x00");
    assert!(written.contains(&level), "{written:?}");
}

#[test]
fn own_records_read_back() {
    for record in [
        MetadataRecord::Cluster(ClusterRecord { cluster_id: id(7) }),
        MetadataRecord::Placement(PlacementRecord {
            topic_id: id(8),
            partition_id: 9,
            shard: ShardId(65_535),
        }),
        MetadataRecord::ShardCount(ShardCountRecord { shards: 65_535 }),
    ] {
        assert_eq!(
            MetadataRecord::decode(&record.encode(), Offset(0)),
            Ok(record)
        );
    }
}

#[test]
fn records_of_other_versions_refuse_the_start() {
    for (value, what) in [
        (&b"\x01\x17\x00\x00\x00"[..], "type 23, version 0"),
        (b"\x01\x02\x01\x00", "type 2, version 1"),
        (b"\x02\x02\x00", "frame version 2"),
        (b"\x01\xff\xff\x7f\x00", "type 2097151, version 0"),
    ] {
        let error = MetadataRecord::decode(value, Offset(5)).expect_err("unknown");
        assert_eq!(
            error,
            MetadataError::UnknownRecord {
                offset: Offset(5),
                what: what.to_owned()
            }
        );
    }
    let malformed =
        MetadataRecord::decode(b"\x01\x02\x00\x05ab", Offset(5)).expect_err("cut short");
    assert!(
        matches!(malformed, MetadataError::MalformedRecord { .. }),
        "{malformed}"
    );
}

/// The first two batches that Kafka 4.3.1 writes: the election of a leader, and the features in a transaction.
const KAFKA_LOG: &[u8] = include_bytes!("kafka-4.3.1-metadata.log");

#[test]
fn a_log_that_kafka_wrote_is_refused_by_name() {
    let error = replay(MetadataImage::new(), KAFKA_LOG).expect_err("transactions are not known");
    assert_eq!(
        error.to_string(),
        "metadata record at offset 1 is of type 23, version 0, which this version of Logan does not know: a newer Logan or Apache Kafka wrote it, whose data directories Logan does not take over; start the broker that wrote it, or name another directory in log.dirs"
    );
    // Its control batch alone is a log without records.
    let election =
        replay(MetadataImage::new(), &KAFKA_LOG[..91]).expect("control records are skipped");
    assert_eq!(election.image.end_offset(), Offset(1));
}

#[test]
fn contradictions_refuse_the_start() {
    let image = machine_image();
    let records = create(&image, &[new_topic("a", 2, 1)])
        .expect("possible")
        .records;
    let twice = [&records[..], &records[..1]].concat();
    let orphan = &records[1..];
    let unordered: Vec<_> = [&records[..1], &records[3..4]].concat();
    for contradiction in [&twice[..], orphan, &unordered] {
        let error = image.with(contradiction).expect_err("impossible");
        assert!(
            matches!(error, MetadataError::Contradiction { .. }),
            "{error}"
        );
    }
}

#[test]
fn a_gap_between_snapshot_and_log_refuses_the_start() {
    let image = created_image(&["a"]);
    let records = create(&image, &[new_topic("b", 1, 1)])
        .expect("possible")
        .records;
    let log = encode_batch(&records, image.end_offset(), LEADER_EPOCH, NOW);
    let error = replay(MetadataImage::new(), &log).expect_err("the beginning is missing");
    assert_eq!(
        error,
        MetadataError::Gap {
            expected: Offset(0),
            found: image.end_offset()
        }
    );
}

#[test]
fn snapshots_are_named_as_kafka_names_them() {
    let id = SnapshotId {
        end_offset: Offset(42),
        epoch: LEADER_EPOCH,
    };
    assert_eq!(id.file_name(), "00000000000000000042-0000000001.checkpoint");
    assert_eq!(SnapshotId::parse(&id.file_name()), Some(id));
    for name in [
        "",
        "42-1.checkpoint",
        "00000000000000000042-0000000001.checkpoint.part",
        "00000000000000000042.log",
    ] {
        assert_eq!(SnapshotId::parse(name), None, "{name}");
    }
}
