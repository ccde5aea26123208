//! Offsets that members of a group commit and fetch, held against what is known of them.

use std::cell::RefCell;
use std::io::Result;

use protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use protocol::messages::{FindCoordinatorRequest, OffsetCommitRequest, OffsetFetchRequest};

use super::ownership::Ownership;
use super::stage::{Actor, succeed};
use crate::client::{Client, TOPIC};

const FIND_VERSION: i16 = 3;
/// The first version that knows epochs of members.
const COMMIT_VERSION: i16 = 9;
const FETCH_VERSION: i16 = 7;

/// A group, and what its members know.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) known: RefCell<Ownership>,
}

impl Group {
    pub(crate) fn named(name: &'static str) -> Self {
        Self {
            name,
            known: RefCell::default(),
        }
    }

    /// Finds the coordinator, which makes its topic. A request that came to another shard is answered all the same.
    pub(crate) async fn find(&self, actor: &Actor) -> Result<Client> {
        let mut client = actor.connect_far().await?;
        self.find_on(&mut client).await?;
        Ok(client)
    }

    async fn find_on(&self, client: &mut Client) -> Result<()> {
        let request = FindCoordinatorRequest {
            key: self.name.into(),
            ..FindCoordinatorRequest::default()
        };
        let response = client.call(FIND_VERSION, &request).await?;
        succeed(response.error_code)
    }

    /// Commits as the member of this generation or epoch.
    pub(crate) async fn commit(
        &self,
        actor: &Actor,
        client: &mut Client,
        membership: (i32, &str),
        positions: &[(i32, i64)],
    ) -> Result<()> {
        for (partition, offset) in positions {
            self.known.borrow_mut().commits(*partition, *offset);
        }
        let request = self.request(membership, positions);
        let response = client.call(COMMIT_VERSION, &request).await?;
        actor.stage.story.operation("commit");
        for partition in response.topics.iter().flat_map(|topic| &topic.partitions) {
            succeed(partition.error_code)?;
        }
        actor.tell(|| format!("has committed {positions:?}"));
        for (partition, offset) in positions {
            self.known.borrow_mut().committed(*partition, *offset);
        }
        Ok(())
    }

    /// Commits as of a membership that has passed, which must be refused.
    pub(crate) async fn haunt(
        &self,
        actor: &Actor,
        client: &mut Client,
        former: (i32, &str),
        positions: &[(i32, i64)],
    ) -> Result<()> {
        let (generation, id) = former;
        actor.tell(|| format!("commits as {id} of generation {generation}"));
        let request = self.request(former, positions);
        let response = client.call(COMMIT_VERSION, &request).await?;
        actor.stage.story.operation("late commit");
        let mut taken = response.topics.iter().flat_map(|topic| &topic.partitions);
        if taken.any(|partition| partition.error_code == 0) {
            let verdict = format!("a commit of {id} of the past generation {generation} was taken");
            actor.stage.hold(Err(verdict));
        }
        Ok(())
    }

    fn request(
        &self,
        (generation, member): (i32, &str),
        positions: &[(i32, i64)],
    ) -> OffsetCommitRequest {
        let partitions = positions
            .iter()
            .map(|(partition, offset)| OffsetCommitRequestPartition {
                partition_index: *partition,
                committed_offset: *offset,
                ..OffsetCommitRequestPartition::default()
            });
        OffsetCommitRequest {
            group_id: self.name.into(),
            generation_id_or_member_epoch: generation,
            member_id: member.into(),
            topics: vec![OffsetCommitRequestTopic {
                name: TOPIC.into(),
                partitions: partitions.collect(),
                ..OffsetCommitRequestTopic::default()
            }],
            ..OffsetCommitRequest::default()
        }
    }

    /// Reads what is committed, and holds it against what is known.
    pub(crate) async fn look(
        &self,
        actor: &Actor,
        client: &mut Client,
        partitions: &[i32],
    ) -> Result<Vec<(i32, i64)>> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let floors: Vec<i64> = {
            let known = self.known.borrow();
            let settled = partitions.iter().map(|it| known.settled(*it));
            settled.collect()
        };
        let request = OffsetFetchRequest {
            group_id: self.name.into(),
            topics: Some(vec![OffsetFetchRequestTopic {
                name: TOPIC.into(),
                partition_indexes: partitions.to_vec(),
            }]),
            ..OffsetFetchRequest::default()
        };
        let response = client.call(FETCH_VERSION, &request).await?;
        actor.stage.story.operation("offset fetch");
        succeed(response.error_code)?;
        let found = response.topics.iter().flat_map(|topic| &topic.partitions);
        let mut positions = Vec::new();
        for partition in found {
            succeed(partition.error_code)?;
            let index = partition.partition_index;
            let floor = partitions.iter().position(|it| *it == index);
            let floor = floor.map_or(0, |at| floors[at]);
            let offset = partition.committed_offset;
            let verdict = self.known.borrow_mut().found(index, floor, offset);
            actor.stage.hold(verdict);
            positions.push((index, offset.max(0)));
        }
        Ok(positions)
    }

    /// The members' last word: what was committed is there.
    pub(crate) async fn check(&self, actor: &Actor) -> Result<()> {
        let partitions: Vec<i32> = (0..actor.stage.mix.partitions).collect();
        let mut client = actor.connect().await;
        self.find_on(&mut client).await?;
        self.look(actor, &mut client, &partitions).await.map(drop)
    }
}
