//! Asking the owners of partitions, wherever they are, and following partitions that move meanwhile.
//!
//! A shard that expects a partition holds what is asked of it until it has arrived; one that has lost it says so, and its
//! new owner is asked. So a client that asks any shard learns nothing of moves.

use std::collections::BTreeMap;

use io::Io;
use types::{ErrorCode, ShardId};

use crate::message::{PartitionKey, Reply, Request};
use crate::shard::{OWNERS_TRIED_MAX, Shard};
use crate::slice::Steps;

/// What owners answer, in the order of the jobs.
type Results<R> = Vec<Result<R, ErrorCode>>;

/// How to ask for something of a kind.
pub(crate) struct Asking<J, R> {
    /// The partition that a job is about.
    pub(crate) key_of: fn(&J) -> PartitionKey,
    /// The message to another shard.
    pub(crate) request: fn(Vec<J>) -> Request,
    /// The results in its reply, in the order of the jobs.
    pub(crate) answers: fn(Reply) -> Option<Results<R>>,
}

impl<J: Clone, R: Clone> Asking<J, R> {
    /// Asks the owners of the jobs' partitions, this shard by `here`; results are in the order of the jobs.
    pub(crate) async fn anywhere<I: Io>(
        &self,
        shard: &Shard<I>,
        jobs: &[J],
        here: impl AsyncFn(Vec<J>) -> Results<R>,
    ) -> Results<R> {
        let mut results = vec![Err(ErrorCode::NotLeaderOrFollower); jobs.len()];
        for _ in 0..OWNERS_TRIED_MAX {
            let has_moved = |place: &usize| {
                let result = &results[*place];
                matches!(result, Err(ErrorCode::NotLeaderOrFollower))
            };
            let places: Vec<usize> = (0..jobs.len()).filter(has_moved).collect();
            if places.is_empty() {
                break;
            }
            let owned = self.by_owner(shard, jobs, &places, &mut results).await;
            self.ask(shard, jobs, &here, owned, &mut results).await;
        }
        results
    }

    async fn by_owner<I: Io>(
        &self,
        shard: &Shard<I>,
        jobs: &[J],
        places: &[usize],
        results: &mut [Result<R, ErrorCode>],
    ) -> BTreeMap<ShardId, Vec<usize>> {
        let view = shard.view();
        let mut owned: BTreeMap<ShardId, Vec<usize>> = BTreeMap::new();
        let mut steps = Steps::new(&shard.io);
        for &place in places {
            steps.step().await;
            match view.owner((self.key_of)(&jobs[place])) {
                Some(owner) => owned.entry(owner).or_default().push(place),
                None => results[place] = Err(ErrorCode::UnknownTopicOrPartition),
            }
        }
        owned
    }

    /// Asks all owners before it waits for any.
    async fn ask<I: Io>(
        &self,
        shard: &Shard<I>,
        jobs: &[J],
        here: &impl AsyncFn(Vec<J>) -> Results<R>,
        mut owned: BTreeMap<ShardId, Vec<usize>>,
        results: &mut [Result<R, ErrorCode>],
    ) {
        let jobs_at = |places: &[usize]| places.iter().map(|it| jobs[*it].clone()).collect();
        let own = owned.remove(&shard.id());
        let mut pending = Vec::with_capacity(owned.len());
        for (owner, places) in owned {
            let request = (self.request)(jobs_at(&places));
            pending.push((places, shard.mesh.request(owner, request).await));
        }
        if let Some(places) = own {
            let answers = here(jobs_at(&places)).await;
            places
                .into_iter()
                .zip(answers)
                .for_each(|(place, answer)| results[place] = answer);
        }
        for (places, reply) in pending {
            let answers = reply.await.and_then(self.answers);
            let answers =
                answers.unwrap_or_else(|| vec![Err(ErrorCode::KafkaStorageError); places.len()]);
            places
                .into_iter()
                .zip(answers)
                .for_each(|(place, answer)| results[place] = answer);
        }
    }
}
