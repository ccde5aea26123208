//! A consumer of assigned partitions: one long poll to every leader at a time.
//!
//! It belongs to one thread. Responses wait in the sockets until they are polled, so memory holds one of them at a
//! time. It has no group and commits nothing: positions are the caller's.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use protocol::Str;
use protocol::messages::FetchRequest;
use records::Record;
use types::{NodeId, Offset, PartitionIndex};

use crate::cluster::Leader;
use crate::connection::Ticket;
use crate::fetch::{Position, answer_for, fetch_request, options};
use crate::retry::Backoff;
use crate::{Client, ClientError, FetchLimits, FetchedPartition, visit_records};

/// How long one socket is watched while others may have become readable.
const WATCH: Duration = Duration::from_millis(5);

/// Reads partitions from offsets on.
#[derive(Debug)]
pub struct Consumer {
    client: Client,
    limits: FetchLimits,
    assigned: BTreeMap<Str, BTreeMap<PartitionIndex, Offset>>,
    open: BTreeMap<NodeId, Open>,
    /// Moves the partition that a request begins with and the node that is watched first, so that a busy one does not
    /// starve the rest.
    rotation: usize,
    failing: Option<Backoff>,
    /// What is reported by the next poll, since the last one had records to deliver.
    postponed: Option<ClientError>,
    scratch: Vec<u8>,
}

/// A request without its response, and what it asked for.
#[derive(Debug)]
struct Open {
    ticket: Ticket<FetchRequest>,
    asked: Vec<Asked>,
}

#[derive(Clone, Debug)]
struct Asked {
    topic: Str,
    partition: PartitionIndex,
    offset: Offset,
    leader: Leader,
}

/// What a poll has brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Records that were visited.
    pub records: u64,
    /// Bytes of batches as they came.
    pub bytes: u64,
}

impl Asked {
    fn position(&self) -> Position<'_> {
        Position {
            topic: &self.topic,
            partition: self.partition,
            offset: self.offset,
            leader: self.leader,
        }
    }
}

impl Consumer {
    /// A consumer of nothing yet that uses `client`.
    #[must_use]
    pub fn new(client: Client, limits: FetchLimits) -> Self {
        Self {
            client,
            limits,
            assigned: BTreeMap::new(),
            open: BTreeMap::new(),
            rotation: 0,
            failing: None,
            postponed: None,
            scratch: Vec::new(),
        }
    }

    /// Reads a partition from `offset` on, from now on.
    pub fn assign(&mut self, topic: &str, partition: PartitionIndex, offset: Offset) {
        let partitions = self.assigned.entry(topic.into()).or_default();
        partitions.insert(partition, offset);
    }

    /// Reads a partition no more.
    pub fn unassign(&mut self, topic: &str, partition: PartitionIndex) {
        if let Some(partitions) = self.assigned.get_mut(topic) {
            partitions.remove(&partition);
            if partitions.is_empty() {
                self.assigned.remove(topic);
            }
        }
    }

    /// The offset that is read next.
    #[must_use]
    pub fn position(&self, topic: &str, partition: PartitionIndex) -> Option<Offset> {
        self.assigned.get(topic)?.get(&partition).copied()
    }

    /// The client, for other requests.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Waits at most `wait_max` for a response and calls `visit` for each record in it. A break ends this poll behind
    /// the record; the next one reads on from there.
    ///
    /// # Errors
    /// [`ClientError`] that will not pass by itself, such as OFFSET_OUT_OF_RANGE, or that has lasted for as long as
    /// the retry policy allows.
    pub fn poll(
        &mut self,
        wait_max: Duration,
        mut visit: impl FnMut(&FetchedPartition, &Record<'_>) -> ControlFlow<()>,
    ) -> Result<Delivered, ClientError> {
        if let Some(error) = self.postponed.take() {
            return self.tolerate(error);
        }
        let deadline = Instant::now() + wait_max;
        let outcome =
            self.request()
                .and_then(|()| self.wait(deadline))
                .and_then(|ready| match ready {
                    Some(node) => self.take(node, &mut visit),
                    None => Ok(Delivered::default()),
                });
        outcome.or_else(|error| self.tolerate(error))
    }

    /// Pauses after an error that may pass.
    fn tolerate(&mut self, error: ClientError) -> Result<Delivered, ClientError> {
        if !error.is_retriable() {
            return Err(error);
        }
        if error.is_connection() {
            for topic in self.assigned.keys() {
                self.client.cluster.forget(topic);
            }
        }
        let policy = self.client.config().retry;
        let backoff = self.failing.get_or_insert_with(|| Backoff::new(policy));
        if backoff.pause() {
            Ok(Delivered::default())
        } else {
            self.failing = None;
            Err(error)
        }
    }

    /// Sends a request to every leader that has none open. A leader that cannot be reached does not keep the others from
    /// being asked: its error is postponed.
    fn request(&mut self) -> Result<(), ClientError> {
        let mut by_leader: BTreeMap<NodeId, Vec<Asked>> = BTreeMap::new();
        for (topic, partitions) in &self.assigned {
            let first = self.rotation % partitions.len().max(1);
            let rotated = partitions.iter().cycle().skip(first).take(partitions.len());
            for (&partition, &offset) in rotated {
                let leader = self.client.leader(topic, partition)?;
                if self.open.contains_key(&leader.node) {
                    continue;
                }
                by_leader.entry(leader.node).or_default().push(Asked {
                    topic: topic.clone(),
                    partition,
                    offset,
                    leader,
                });
            }
        }
        self.rotation = self.rotation.wrapping_add(1);
        for (node, asked) in by_leader {
            let positions: Vec<_> = asked.iter().map(Asked::position).collect();
            let request = fetch_request(&positions, self.limits);
            let options = options(&positions, self.limits);
            let connection = self.client.node(node);
            match connection.and_then(|connection| connection.submit(&request, options)) {
                Ok(ticket) => {
                    self.open.insert(node, Open { ticket, asked });
                }
                Err(error) => self.postponed = Some(error),
            }
        }
        match self.postponed.take() {
            Some(error) if self.open.is_empty() => Err(error),
            postponed => {
                self.postponed = postponed;
                Ok(())
            }
        }
    }

    /// The first node whose response begins to arrive before the deadline.
    fn wait(&mut self, deadline: Instant) -> Result<Option<NodeId>, ClientError> {
        let mut nodes: Vec<_> = self.open.keys().copied().collect();
        // Every node is the first one in turn: one that always has something to say must not silence the rest.
        let first = self.rotation % nodes.len().max(1);
        nodes.rotate_left(first);
        loop {
            for node in &nodes {
                let left = deadline.saturating_duration_since(Instant::now());
                let wait = if nodes.len() == 1 {
                    left
                } else {
                    left.min(WATCH)
                };
                let connection = self.client.open_node(*node);
                let connection = connection.expect("a request was sent to this node");
                match connection.wait_readable(wait) {
                    Ok(true) => return Ok(Some(*node)),
                    Ok(false) => {}
                    Err(error) => {
                        self.open.remove(node);
                        return Err(error);
                    }
                }
            }
            if nodes.is_empty() || Instant::now() >= deadline {
                return Ok(None);
            }
        }
    }

    /// Reads a node's response, visits its records and moves the positions.
    fn take(
        &mut self,
        node: NodeId,
        visit: &mut impl FnMut(&FetchedPartition, &Record<'_>) -> ControlFlow<()>,
    ) -> Result<Delivered, ClientError> {
        let open = self.open.remove(&node).expect("it was waited for");
        let connection = self.client.open_node(node);
        let connection = connection.expect("a request was sent to this node");
        let response = connection.complete(open.ticket)?;
        self.client.check_fetch(&response)?;
        let mut delivered = Delivered::default();
        let mut outcome = Ok(());
        for asked in &open.asked {
            // What was sought elsewhere meanwhile has no use for this answer.
            if self.position(&asked.topic, asked.partition) != Some(asked.offset) {
                continue;
            }
            let Some(answer) = answer_for(&response, asked.position()) else {
                continue;
            };
            let fetched = self
                .client
                .fetched(asked.position(), answer.clone(), &response);
            let fetched = match fetched {
                Ok(fetched) => fetched,
                Err(error) => {
                    let (topic, partition) = (&asked.topic, asked.partition);
                    self.client
                        .doubt_leader(topic, partition, asked.leader, &error);
                    outcome = outcome.and(Err(error));
                    continue;
                }
            };
            if self.visit(&fetched, &mut delivered, visit)?.is_break() {
                return Ok(delivered);
            }
        }
        match outcome {
            Ok(()) => self.failing = None,
            Err(error) if delivered.bytes > 0 => self.postponed = Some(error),
            Err(error) => return Err(error),
        }
        Ok(delivered)
    }

    fn visit(
        &mut self,
        fetched: &FetchedPartition,
        delivered: &mut Delivered,
        visit: &mut impl FnMut(&FetchedPartition, &Record<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ClientError> {
        delivered.bytes += u64::try_from(fetched.records.len()).unwrap_or(u64::MAX);
        let mut flow = ControlFlow::Continue(());
        let next = visit_records(fetched, &mut self.scratch, |record| {
            delivered.records += 1;
            flow = visit(fetched, record);
            flow
        })?;
        self.assign(&fetched.topic, fetched.partition, next);
        Ok(flow)
    }
}
