//! ListPartitionReassignments (key 46, version 0).
//!
//! A move is recorded when it begins and done when its request is answered, so that none is ever under way in the
//! metadata: the answer is empty, for topics that do not exist too, as Kafka's.
//!
//! Source: KIP-455; `ReplicationControlManager.listPartitionReassignments` of Kafka 4.3.1.

use io::Io;
use protocol::messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};

use super::{Call, Outcome};

#[expect(
    clippy::unused_async,
    reason = "handlers are async; this one has nothing to wait for"
)]
pub(super) async fn handle<I: Io>(
    _: Call<I>,
    _: ListPartitionReassignmentsRequest,
) -> Outcome<ListPartitionReassignmentsResponse> {
    Outcome::Answer(ListPartitionReassignmentsResponse::default())
}
