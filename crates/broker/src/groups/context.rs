//! What a core is told at each call.

use std::rc::Rc;
use std::time::Duration;

use groups::{Instant, Topic, Topics};
use io::Io;
use metadata::TopicImage;
use types::{TimestampMs, Uuid};

use crate::controller::random_uuid;
use crate::topics::View;

/// The time, a random number and the topics of a moment.
pub(super) struct Moment {
    now: Instant,
    wall_clock: TimestampMs,
    random: Uuid,
    topics: KnownTopics,
    memory_elsewhere_bytes: usize,
}

impl Moment {
    pub(super) fn new<I: Io>(io: &I, view: Rc<View>) -> Self {
        Self {
            now: instant(io.now()),
            wall_clock: io.wall_clock(),
            random: random_uuid(io),
            topics: KnownTopics(view),
            memory_elsewhere_bytes: 0,
        }
    }

    /// The same, where the groups of the shard's other coordinators take so many bytes.
    pub(super) fn beside(self, memory_elsewhere_bytes: usize) -> Self {
        Self {
            memory_elsewhere_bytes,
            ..self
        }
    }

    pub(super) fn wall_clock(&self) -> TimestampMs {
        self.wall_clock
    }

    pub(super) fn context(&self) -> groups::Context<'_> {
        groups::Context {
            now: self.now,
            wall_clock: self.wall_clock,
            random: self.random,
            topics: &self.topics,
            memory_elsewhere_bytes: self.memory_elsewhere_bytes,
        }
    }
}

/// The core's form of a time.
pub(super) fn instant(at: io::Instant) -> Instant {
    Instant(Duration::from_nanos(at.0))
}

/// The shard's form of a core's time.
pub(super) fn io_instant(at: Instant) -> io::Instant {
    io::Instant(u64::try_from(at.0.as_nanos()).unwrap_or(u64::MAX))
}

/// The topics of a shard's view.
struct KnownTopics(Rc<View>);

fn topic(image: &TopicImage) -> Topic {
    Topic {
        id: image.id,
        partitions: i32::try_from(image.partitions.len()).unwrap_or(i32::MAX),
    }
}

impl Topics for KnownTopics {
    fn by_name(&self, name: &str) -> Option<Topic> {
        self.0.image.topic_named(name).map(|image| topic(image))
    }

    fn by_id(&self, id: Uuid) -> Option<(&str, Topic)> {
        let image = self.0.image.topic(id)?;
        Some((image.name.as_str(), topic(image)))
    }

    fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        Box::new(self.0.image.topics().map(|image| image.name.as_str()))
    }

    fn version(&self) -> u64 {
        self.0.image.topics_version()
    }
}
