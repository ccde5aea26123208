//! What the actors of a run share, and what each of them is made of.
//!
//! # Invariants
//! - The stage outlives every broker; connections do not.
//! - Each actor draws from random numbers of its own, so that leaving one out changes nothing for the others but the timing.

use std::cell::{Cell, RefCell};
use std::io::{Error, Result};
use std::rc::Rc;
use std::time::Duration;

use ::io::{Io as _, Task as _, TaskClass};
use types::ErrorCode;

use super::history::History;
use super::members;
use super::mix::{Mix, Part};
use super::offsets::Group;
use super::ownership::Holders;
use super::story::Story;
use super::subscribers;
use crate::client::Client;
use crate::machine::Simulation;
use crate::net::Link;
use crate::node::Node;
use crate::oracle::Verdict;
use crate::rng::Rng;
use crate::shard::SimIo;

/// How long a client waits before it tries again.
const BACKOFF_MAX_MS: u64 = 20;
/// The longest that a connection lives before something happens to it, and that it stalls.
const HARM_MAX_US: u64 = 500_000;
/// The largest fragment of a connection that delivers little at a time.
const FRAGMENT_MAX_BYTES: u64 = 64;

/// What all actors share.
pub(crate) struct Stage {
    pub(crate) io: SimIo,
    pub(crate) mix: Mix,
    pub(crate) story: Story,
    pub(crate) history: RefCell<History>,
    /// The group of classic members.
    pub(crate) classic: Group,
    /// The group of the new protocol, and who holds which partition of it.
    pub(crate) subscribed: Group,
    pub(crate) holders: RefCell<Holders>,
    /// Topics with one partition that move beside the other.
    pub(crate) kept: RefCell<Vec<String>>,
    pub(crate) node: RefCell<Option<Rc<Node>>>,
    /// Whether the metadata log may have failed since the broker was started: what was refused then may be so all the same
    /// after the next start, whatever this broker says.
    pub(crate) is_metadata_unsure: Cell<bool>,
    broken: RefCell<Option<String>>,
    /// Whether faults are over and producers come to their end.
    pub(crate) is_finishing: Cell<bool>,
    /// Whether everybody else comes to an end.
    pub(crate) is_over: Cell<bool>,
}

impl Stage {
    pub(crate) fn new(io: SimIo, mix: Mix, story: Story) -> Self {
        Self {
            io,
            mix,
            story,
            history: RefCell::default(),
            classic: Group::named(members::GROUP),
            subscribed: Group::named(subscribers::GROUP),
            holders: RefCell::default(),
            kept: RefCell::default(),
            node: RefCell::default(),
            is_metadata_unsure: Cell::default(),
            broken: RefCell::default(),
            is_finishing: Cell::default(),
            is_over: Cell::default(),
        }
    }

    /// Remembers the first rule that was broken.
    pub(crate) fn hold(&self, verdict: Verdict) {
        if let Err(reason) = verdict {
            self.story.tell(|| format!("BROKEN: {reason}"));
            self.broken.borrow_mut().get_or_insert(reason);
        }
    }

    /// Whether a rule was broken so far.
    pub(crate) fn verdict(&self) -> Verdict {
        let broken = self.broken.borrow().clone();
        broken.map_or(Ok(()), Err)
    }
}

/// One actor.
pub(crate) struct Actor {
    pub(crate) stage: Rc<Stage>,
    pub(crate) rng: Rng,
    pub(crate) name: String,
}

impl Actor {
    pub(crate) fn new(simulation: &Simulation, stage: &Rc<Stage>, name: String) -> Self {
        let purpose = name.bytes().fold(0_u64, |purpose, byte| {
            purpose.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        Self {
            stage: Rc::clone(stage),
            rng: simulation.rng(purpose),
            name,
        }
    }

    pub(crate) fn tell(&self, line: impl FnOnce() -> String) {
        let story = &self.stage.story;
        story.tell(|| format!("{}: {}", self.name, line()));
    }

    pub(crate) async fn pause(&self, max_ms: u64) {
        let pause = Duration::from_micros(self.rng.below(max_ms * 1000));
        self.stage.io.sleep_until(self.stage.io.now() + pause).await;
    }

    pub(crate) async fn back_off(&self) {
        self.pause(BACKOFF_MAX_MS).await;
    }

    /// A connection to any shard, as soon as there is a broker, over an undisturbed network.
    pub(crate) async fn connect(&self) -> Client {
        self.dial().await.0
    }

    /// A connection over the network of the mix by a client that does not say who it is: any shard serves it everything.
    pub(crate) async fn connect_unknown(&self) -> Client {
        let (client, link) = self.dial().await;
        self.harm(link);
        client
    }

    /// A connection over the network of the mix, by a client that says who it is where the mix wants it.
    pub(crate) async fn connect_far(&self) -> Result<Client> {
        let mut client = self.connect_unknown().await;
        if self.stage.mix.is_aware {
            client.introduce().await?;
        }
        Ok(client)
    }

    async fn dial(&self) -> (Client, Link) {
        loop {
            let node = self.stage.node.borrow().clone();
            if let Some(node) = node
                && let Some((socket, link)) = node.connect(self.rng.index(node.shards()))
            {
                return (Client::new(&self.stage.io, socket), link);
            }
            self.back_off().await;
        }
    }

    /// Something may happen to a connection.
    fn harm(&self, link: Link) {
        let harm = [Part::Cuts, Part::Stalls, Part::Fragments][self.rng.index(3)];
        let delay = Duration::from_micros(self.rng.magnitude(HARM_MAX_US));
        let len_bytes = self.rng.magnitude(FRAGMENT_MAX_BYTES);
        let is_spared = self.rng.chance(1, 3) || self.stage.is_finishing.get();
        if is_spared || !self.stage.mix.has(harm) {
            return;
        }
        let stage = Rc::clone(&self.stage);
        let name = self.name.clone();
        let io = self.stage.io.clone();
        let harming = async move {
            match harm {
                Part::Fragments => {
                    stage.story.fault("fragments");
                    let len_bytes = usize::try_from(len_bytes).expect("small");
                    link.fragment(len_bytes);
                }
                Part::Stalls => {
                    io.sleep_until(io.now() + delay).await;
                    stage.story.fault("connection stalled");
                    stage
                        .story
                        .tell(|| format!("a connection of {name} stalls for {delay:?}"));
                    link.stall();
                    io.sleep_until(io.now() + delay).await;
                    link.resume();
                }
                _ => {
                    io.sleep_until(io.now() + delay).await;
                    stage.story.fault("connection cut");
                    stage
                        .story
                        .tell(|| format!("a connection of {name} is cut"));
                    link.cut();
                }
            }
        };
        self.stage.io.spawn(TaskClass::Foreground, harming).detach();
    }
}

/// An error code of a response as an error.
pub(crate) fn succeed(code: i16) -> Result<()> {
    match ErrorCode::from_code(code) {
        Some(ErrorCode::None) => Ok(()),
        code => Err(Error::other(format!("{code:?}"))),
    }
}
