//! Carrying out moves of partitions between the shards of this machine; `docs/adr/0009` has the whole.
//!
//! The records of a move are durable before any shard hears of it: after a crash the partition is where they say. The
//! old owner closes the log before the new one opens it, so what is on disk fits either. Between two steps of many moves other
//! commands have their turn.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::future::join_all;
use io::{Instant, Io};
use metadata::{
    MetadataImage, PartitionMove, Reassignment, Refusal, decide_reassignment, next_moves,
};
use types::{ErrorCode, ShardId};

use super::{CommandResult, Decider};
use crate::message::{Announcement, Control, HandedOver, PartitionKey, Reply};

/// Whether a partition is where it was wanted.
pub(crate) type MoveVerdict = Result<(), Refusal>;

/// Moves that are carried out some at a time.
#[derive(Clone, Debug)]
pub(crate) struct MovesUnderWay {
    /// Each with its place in `verdicts`.
    waiting: Vec<(usize, PartitionMove)>,
    verdicts: Vec<MoveVerdict>,
    /// Until when a client waits for them; `None` for the balancer, which gives up at the first failure.
    deadline: Option<Instant>,
}

impl MovesUnderWay {
    /// Moves that the balancer wants.
    pub(super) fn of_balancer(moves: Vec<PartitionMove>) -> Self {
        Self {
            verdicts: vec![Ok(()); moves.len()],
            waiting: moves.into_iter().enumerate().collect(),
            deadline: None,
        }
    }

    /// Takes notice of what has happened since they were decided: partitions may have gone or moved. What the balancer wanted
    /// of those is left out; a client's wish counts from where they are now.
    fn fit_to(&mut self, image: &MetadataImage) {
        let Self {
            waiting,
            verdicts,
            deadline,
        } = self;
        waiting.retain_mut(|(place, moved)| {
            let partition = image.partition(moved.topic_id, moved.partition);
            let Some(shard) = partition.and_then(|it| it.shard) else {
                let message = "The topic was deleted before this partition's turn.";
                verdicts[*place] = Err(Refusal::new(ErrorCode::UnknownTopicOrPartition, message));
                return false;
            };
            let has_moved = std::mem::replace(&mut moved.from, shard) != shard;
            shard != moved.to && (deadline.is_some() || !has_moved)
        });
    }

    fn give_up_after(&mut self, now: Instant) {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        for (place, _) in self.waiting.drain(..) {
            let message = "The request timed out before this partition's turn; it has not moved.";
            self.verdicts[place] = Err(Refusal::new(ErrorCode::RequestTimedOut, message));
        }
    }

    fn into_result(self) -> CommandResult {
        if self.deadline.is_some() {
            return CommandResult::Reassigned(self.verdicts);
        }
        match self.verdicts.into_iter().find_map(MoveVerdict::err) {
            Some(refusal) => CommandResult::Refused(refusal),
            None => CommandResult::Rebalanced,
        }
    }
}

/// How far a command has come.
pub(super) enum Progress {
    Done(CommandResult),
    /// The rest waits behind the other commands.
    More(MovesUnderWay),
}

impl<I: Io> Decider<I> {
    /// Decides about reassignments.
    pub(super) fn begin_reassigning(
        &self,
        wanted: &[Reassignment],
        allows_factor_change: bool,
        deadline: Instant,
    ) -> MovesUnderWay {
        let decided = decide_reassignment(&self.image, wanted, allows_factor_change);
        MovesUnderWay {
            waiting: decided.moves,
            verdicts: decided.verdicts,
            deadline: Some(deadline),
        }
    }

    /// Carries out the next of these moves, so that other commands can have their turn before the rest.
    pub(super) async fn go_on(&mut self, mut moves: MovesUnderWay) -> Progress {
        moves.fit_to(&self.image);
        moves.give_up_after(self.shard.io.now());
        let step = next_moves(&mut moves.waiting);
        if !step.is_empty() {
            let together = step.iter().map(|(_, moved)| *moved).collect();
            let outcome = self.move_together(together).await;
            for (place, _) in step {
                moves.verdicts[place].clone_from(&outcome);
            }
            if outcome.is_err() && moves.deadline.is_none() {
                moves.waiting.clear();
            }
        }
        if moves.waiting.is_empty() {
            Progress::Done(moves.into_result())
        } else {
            Progress::More(moves)
        }
    }

    /// Moves partitions in one step; no shard both gains and loses one of them.
    async fn move_together(&mut self, moves: Vec<PartitionMove>) -> MoveVerdict {
        let shard = Rc::clone(&self.shard);
        if shard.moves_are_over.get() {
            let message = "the broker is shutting down";
            return Err(Refusal::new(ErrorCode::NotController, message));
        }
        let _owners = shard.moving.acquire(1).await;
        let records: Vec<_> = moves
            .iter()
            .flat_map(|moved| moved.records(&self.image))
            .collect();
        if let Err(error) = self.write(&records).await {
            tracing::error!(%error, "cannot write the metadata log");
            let message = format!("cannot write the metadata log: {error}");
            return Err(Refusal::new(ErrorCode::KafkaStorageError, message));
        }
        let announcement = Arc::new(Announcement {
            image: Arc::clone(&self.image),
            moves,
        });
        let moves = &announcement.moves;
        let gaining: BTreeSet<_> = moves.iter().map(|moved| moved.to).collect();
        let losing: BTreeSet<_> = moves.iter().map(|moved| moved.from).collect();
        let others = shard
            .mesh
            .shards()
            .filter(|it| !gaining.contains(it) && !losing.contains(it));
        // Whoever is sent away by an old owner finds a new one that knows, and nobody is sent back.
        self.announce_to(gaining.iter().copied(), &announcement)
            .await;
        self.announce_to(others, &announcement).await;
        self.announce_to(losing.iter().copied(), &announcement)
            .await;
        // A log that nobody has open has no line in the checkpoints, so none are written now.
        let _turn = shard.checkpointing.acquire(1).await;
        let released = losing.iter().map(|owner| self.release(*owner, moves));
        let released = join_all(released).await.concat();
        let adopted = gaining
            .iter()
            .map(|owner| self.hand_to(*owner, moves, &released));
        join_all(adopted).await;
        for moved in moves {
            tracing::info!(topic_id = %moved.topic_id, partition = moved.partition.0, from = moved.from.0,
                to = moved.to.0, "moved a partition");
        }
        Ok(())
    }

    async fn announce_to(
        &self,
        shards: impl Iterator<Item = ShardId>,
        announcement: &Arc<Announcement>,
    ) {
        let shard = &self.shard;
        let told = shards.map(|to| async move {
            if to == shard.id() {
                shard.announce(announcement).await;
            } else {
                let message = Control::Announce(Arc::clone(announcement));
                shard.mesh.control(to, message).await.await;
            }
        });
        join_all(told).await;
    }

    async fn release(&self, owner: ShardId, moves: &[PartitionMove]) -> Vec<HandedOver> {
        let shard = &self.shard;
        let its_own = moves.iter().filter(|moved| moved.from == owner);
        let keys: Vec<PartitionKey> = its_own.map(PartitionKey::from).collect();
        if owner == shard.id() {
            return shard.release(&keys).await;
        }
        match shard
            .mesh
            .control(owner, Control::Release(keys))
            .await
            .await
        {
            Some(Reply::Released(released)) => released,
            // That shard has ended, and the process with it.
            _ => Vec::new(),
        }
    }

    async fn hand_to(&self, owner: ShardId, moves: &[PartitionMove], released: &[HandedOver]) {
        let shard = &self.shard;
        let keys: BTreeSet<_> = moves
            .iter()
            .filter(|moved| moved.to == owner)
            .map(|moved| (moved.topic_id, moved.partition.0))
            .collect();
        let its_own = released
            .iter()
            .filter(|it| keys.contains(&(it.key.topic_id, it.key.index)));
        let handed_over: Vec<_> = its_own.cloned().collect();
        if owner == shard.id() {
            shard.adopt(handed_over).await;
        } else {
            let message = Control::Adopt(handed_over);
            shard.mesh.control(owner, message).await.await;
        }
    }
}
