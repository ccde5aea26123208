//! Images and requests that the tests share.

use metadata::record::RegisterBrokerRecord;
use metadata::{
    CreateTopicsReply, CreateTopicsRules, Decision, Machine, MachineDirectory, MetadataImage,
    MetadataRecord, NewTopic, Refusal, decide_create_topics, decide_register_broker,
};
use types::{NodeId, Uuid};

/// Node 1 with three shards and a directory.
pub(crate) fn machine() -> Machine {
    Machine {
        node: NodeId(1),
        shards: 3,
        directories: vec![directory(90, 1000)],
    }
}

/// A directory with so much free space.
pub(crate) fn directory(number: u8, free_bytes: u64) -> MachineDirectory {
    MachineDirectory {
        id: id(number),
        free_bytes,
    }
}

/// A recognisable id.
pub(crate) fn id(number: u8) -> Uuid {
    Uuid([number; 16])
}

pub(crate) fn after(image: &MetadataImage, records: &[MetadataRecord]) -> MetadataImage {
    image
        .with(records)
        .expect("a decision's records fit the image it was made on")
}

pub(crate) fn register(node: i32) -> Decision<()> {
    let registration = RegisterBrokerRecord {
        broker_id: node,
        ..RegisterBrokerRecord::default()
    };
    decide_register_broker(&MetadataImage::new(), registration)
}

/// Node 1 alone.
pub(crate) fn machine_image() -> MetadataImage {
    after(&MetadataImage::new(), &register(1).records)
}

/// Node 1 with these topics of two partitions.
pub(crate) fn created_image(names: &[&str]) -> MetadataImage {
    names.iter().fold(machine_image(), |image, name| {
        let decision = create(&image, &[new_topic(name, 2, 1)]).expect("possible");
        after(&image, &decision.records)
    })
}

/// A topic whose id follows from its name.
pub(crate) fn new_topic(name: &str, partitions: i32, replication_factor: i16) -> NewTopic {
    let mut bytes = [1; 16];
    for (byte, character) in bytes.iter_mut().zip(name.bytes()) {
        *byte = character;
    }
    NewTopic {
        name: name.into(),
        id: Uuid(bytes),
        partitions,
        replication_factor,
        assignments: Vec::new(),
        configs: Vec::new(),
    }
}

pub(crate) fn rules(machine: &Machine) -> CreateTopicsRules<'_> {
    CreateTopicsRules {
        default_partitions: 2,
        default_replication_factor: 1,
        check_configs: &|configs| match configs.iter().find(|(key, _)| &**key == "bad") {
            Some((key, _)) => Err(format!("{} is bad", &**key)),
            None => Ok(()),
        },
        machine,
    }
}

pub(crate) fn create(
    image: &MetadataImage,
    topics: &[NewTopic],
) -> Result<Decision<CreateTopicsReply>, Refusal> {
    decide_create_topics(image, topics, &rules(&machine()))
}
