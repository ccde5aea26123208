//! One run: a machine with a broker that comes and goes, clients that stay, and the verdict.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use ::io::{Defect, Io as _, Task as _, TaskClass};

use super::faults::Injector;
use super::kept::Keeping;
use super::mix::{Mix, Part};
use super::stage::{Actor, Stage};
use super::story::{Story, Tally};
use super::{CRASHES_MIN, FAULTS_MIN, OPERATIONS_MIN};
use super::{
    admins, consumers, kept, members, producers, rest, rot, sessions, subscribers, topics,
};
use crate::client::{TOPIC, create_topic};
use crate::defects::DeliberateDefect;
use crate::fault_points::FaultPoints;
use crate::machine::{Machine, Simulation};
use crate::node::{Crash, Node};
use crate::oracle::{RecordName, Verdict};
use crate::rng::{Rng, mix};
use crate::task::Task;

const ROUND_MAX_MS: u64 = 800;
/// Virtual time after which a run hangs.
const TIME_MAX: Duration = Duration::from_secs(120);
const SHARDS_MAX: u64 = 4;
/// Members of the group.
const MEMBERS: usize = 3;
/// Members of the group of the new protocol.
const SUBSCRIBERS: usize = 3;
/// Plain producers.
const PLAIN_PRODUCERS: u64 = 2;

/// What to run.
#[derive(Clone, Debug)]
pub struct Case {
    /// Where every draw comes from.
    pub seed: u64,
    /// What is left out, whatever the seed says.
    pub without: BTreeSet<Part>,
    /// How many rounds there are at most.
    pub rounds_max: u32,
    /// A mistake that the code under test is to make.
    pub defect: Option<Defect>,
    /// Whether the run is told, line by line, on standard output.
    pub is_told: bool,
}

impl Case {
    /// All of what the seed says.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            without: BTreeSet::new(),
            rounds_max: u32::MAX,
            defect: None,
            is_told: false,
        }
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The first rule that was broken, if one was.
    pub verdict: Result<(), String>,
    /// What happened.
    pub tally: Tally,
    /// What was hit on the disk.
    pub fault_points: FaultPoints,
    /// Virtual time that passed.
    pub simulated: Duration,
    /// A hash of every step of the simulation and of the story.
    pub trace_hash: u64,
    /// What it consisted of.
    pub mix: String,
}

impl Outcome {
    /// Whether enough happened for the run to count.
    #[must_use]
    pub fn counts(&self) -> bool {
        let sum = |counts: &BTreeMap<&str, u64>| counts.values().sum::<u64>();
        let crashes = sum(&self.tally.crashes);
        sum(&self.tally.operations) >= OPERATIONS_MIN
            && crashes >= CRASHES_MIN
            && sum(&self.tally.faults) + crashes >= FAULTS_MIN + CRASHES_MIN
    }
}

/// What the parts of a run are drawn from.
pub(crate) fn mix_rng(seed: u64) -> Rng {
    Rng::fork(seed, 0)
}

/// Runs a case.
#[must_use]
pub fn run(case: &Case) -> Outcome {
    let _defect = case
        .defect
        .map(|defect| DeliberateDefect::begin(defect, case.seed));
    let simulation = Simulation::new(case.seed);
    simulation.set_time_max(TIME_MAX);
    let (machine, clients) = (Rc::new(simulation.machine()), simulation.machine());
    let drawn = Mix::drawn(&mix_rng(case.seed), &case.without, case.rounds_max);
    let described = drawn.describe();
    let story = Story::new(clients.shard(0), case.is_told);
    story.tell(|| format!("seed {}: {described}", case.seed));
    let stage = Rc::new(Stage::new(clients.shard(0), drawn, story));
    let play = Play {
        simulation: &simulation,
        machine: &machine,
        stage: &stage,
        director: Actor::new(&simulation, &stage, "director".to_owned()),
        injector: Injector::new(
            Actor::new(&simulation, &stage, "fault".to_owned()),
            &machine,
        ),
    };
    let ran = catch_unwind(AssertUnwindSafe(|| simulation.run(play.run())));
    let verdict = match ran {
        Ok(Ok(verdict)) => verdict,
        // A rule may have been broken before it hung.
        Ok(Err(stuck)) => stage.verdict().and(Err(stuck.to_string())),
        Err(panic) => stage.verdict().and(Err(message(&*panic))),
    };
    Outcome {
        verdict,
        tally: stage.story.tally(),
        fault_points: machine.disk().fault_points(),
        simulated: simulation.elapsed(),
        trace_hash: mix(simulation.trace_hash() ^ stage.story.hash()),
        mix: described,
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or("without a message"))
}

/// Whole partitions, by their index and by offset.
type Found = BTreeMap<i32, BTreeMap<i64, RecordName>>;

struct Play<'a> {
    simulation: &'a Simulation,
    machine: &'a Rc<Machine>,
    stage: &'a Rc<Stage>,
    director: Actor,
    injector: Injector,
}

impl Play<'_> {
    async fn run(&self) -> Verdict {
        let mix = &self.stage.mix;
        self.start(mix.shards).await?;
        let mut client = self.director.connect().await;
        create_topic(&mut client, TOPIC, mix.partitions).await?;
        drop(client);
        let producers = self.producers();
        let others = self.others();
        for round in 0..mix.rounds {
            let span_ms = self.director.rng.between(1, ROUND_MAX_MS);
            self.injector.live(span_ms).await;
            self.stage.verdict()?;
            self.crash(round).await;
            let shards = if mix.has(Part::Reshards) {
                u32::try_from(self.director.rng.between(1, SHARDS_MAX)).expect("small")
            } else {
                mix.shards
            };
            self.start(shards).await?;
            self.check_all().await?;
            self.stage.verdict()?;
        }
        self.finish(producers, others).await
    }

    async fn start(&self, shards: u32) -> Verdict {
        let config = self.stage.mix.node(shards);
        let node = Node::start(self.machine, &config).await?;
        self.director
            .tell(|| format!("a broker with {shards} shards is ready"));
        self.stage.is_metadata_unsure.set(false);
        *self.stage.node.borrow_mut() = Some(Rc::new(node));
        Ok(())
    }

    async fn crash(&self, round: u32) {
        let mut crashes = self.stage.mix.crashes();
        let has_failed_sync = self.injector.take_failed_sync();
        if has_failed_sync && crashes.contains(&Crash::PowerCut) {
            crashes = vec![Crash::PowerCut];
        }
        if crashes.is_empty() {
            // A shrunk case may have none left.
            crashes.push(Crash::Drain);
        }
        let crash = crashes[self.director.rng.index(crashes.len())];
        let what = match crash {
            Crash::PowerCut => "power cut",
            Crash::Kill => "kill",
            Crash::Drain => "drain",
        };
        self.stage.story.crash(what);
        self.director.tell(|| format!("round {round} ends: {what}"));
        let node = self.stage.node.borrow_mut().take();
        if crash == Crash::Drain {
            // Nobody drains a disk that fails.
            self.injector.repair();
        }
        crash.happen(self.machine, node).await;
        self.injector.repair();
    }

    fn spawn<F: Future<Output = ()> + 'static>(
        &self,
        name: String,
        play: impl FnOnce(Actor) -> F,
    ) -> Task {
        let actor = Actor::new(self.simulation, self.stage, name);
        let playing = play(actor);
        self.stage.io.spawn(TaskClass::Foreground, playing)
    }

    /// Those who end when there are no faults any more and everything has been said.
    fn producers(&self) -> Vec<Task> {
        let mix = &self.stage.mix;
        let partition = |number: u64| i32::try_from(number).expect("few") % mix.partitions;
        let mut tasks: Vec<Task> = (0..mix.producers)
            .map(|number| {
                self.spawn(format!("producer {number}"), |actor| {
                    producers::keep_producing(actor, number, partition(number))
                })
            })
            .collect();
        if mix.has(Part::PlainProducers) {
            tasks.extend((0..PLAIN_PRODUCERS).map(|number| {
                self.spawn(format!("plain producer {number}"), |actor| {
                    producers::keep_producing_once(actor, number, partition(number))
                })
            }));
        }
        if mix.has(Part::Unacknowledged) {
            tasks.push(self.spawn("careless producer".to_owned(), |actor| {
                producers::keep_producing_carelessly(actor, partition(1))
            }));
        }
        let kept = [
            (Part::Trims, Keeping::Trimmed),
            (Part::Retention, Keeping::Retained),
            (Part::Compaction, Keeping::Compacted),
        ];
        for (_, keeping) in kept.into_iter().filter(|(part, _)| mix.has(*part)) {
            tasks.push(self.spawn(format!("{keeping:?}"), move |actor| {
                kept::keep_log(actor, keeping)
            }));
        }
        if mix.has(Part::Topics) {
            for name in ["topics", "more topics"] {
                let name = name.to_owned();
                tasks.push(self.spawn(name.replace(' ', "-"), topics::keep_changing));
            }
        }
        if mix.has(Part::Configs) {
            tasks.push(self.spawn("configs".to_owned(), admins::keep_altering));
        }
        if mix.has(Part::Moves) {
            tasks.push(self.spawn("moves".to_owned(), admins::keep_moving));
        }
        if mix.has(Part::DirectoryMoves) && mix.directories() > 1 {
            tasks.push(self.spawn("log moves".to_owned(), admins::keep_moving_logs));
        }
        tasks
    }

    /// Those who go on until the producers have ended.
    fn others(&self) -> Vec<Task> {
        let mix = &self.stage.mix;
        let mut tasks: Vec<Task> = (0..mix.partitions)
            .map(|partition| {
                self.spawn(format!("consumer {partition}"), |actor| {
                    consumers::keep_consuming(actor, partition)
                })
            })
            .collect();
        if mix.has(Part::Members) {
            tasks
                .extend((0..MEMBERS).map(|number| {
                    self.spawn(format!("member {number}"), members::keep_membership)
                }));
        }
        if mix.has(Part::Subscribers) {
            tasks.extend((0..SUBSCRIBERS).map(|number| {
                self.spawn(format!("subscriber {number}"), |actor| {
                    subscribers::keep_subscription(actor, number)
                })
            }));
        }
        if mix.has(Part::Sessions) {
            let name = "session consumer".to_owned();
            tasks.push(self.spawn(name, sessions::keep_consuming));
        }
        tasks
    }

    /// Reads every partition and holds it against everything known.
    async fn check_all(&self) -> Result<Found, String> {
        let mut found = Found::new();
        for partition in 0..self.stage.mix.partitions {
            let records = consumers::read_all(&self.director, partition).await?;
            found.insert(partition, records);
        }
        self.director
            .tell(|| "everything known is there".to_owned());
        Ok(found)
    }

    /// Lets everybody come to an end; then everything is there exactly once, and nothing is left behind.
    async fn finish(&self, producers: Vec<Task>, others: Vec<Task>) -> Verdict {
        self.director.tell(|| "faults are over".to_owned());
        self.stage.is_finishing.set(true);
        for task in producers {
            task.join().await;
        }
        self.stage.is_over.set(true);
        for task in others {
            task.join().await;
        }
        self.stage.verdict()?;
        let found = self.check_all().await?;
        self.stage.history.borrow().check_complete(&found)?;
        let groups = [
            (Part::Members, &self.stage.classic),
            (Part::Subscribers, &self.stage.subscribed),
        ];
        for (_, group) in groups
            .into_iter()
            .filter(|(part, _)| self.stage.mix.has(*part))
        {
            while let Err(error) = group.check(&self.director).await {
                self.director.tell(|| format!("{error}"));
                self.director.back_off().await;
            }
            self.stage.verdict()?;
        }
        self.check_rest().await?;
        if self.stage.mix.has(Part::BitRot) {
            self.check_rot(&found).await?;
        }
        Ok(())
    }

    /// A broker that has served holds, without clients, no more than one that has just been started.
    async fn check_rest(&self) -> Verdict {
        let worked = rest::rest(self.stage, self.machine).await?;
        let shards = self
            .stage
            .node
            .borrow()
            .as_ref()
            .map_or(1, |it| it.shards());
        self.restart(u32::try_from(shards).expect("few shards"))
            .await?;
        let fresh = rest::rest(self.stage, self.machine).await?;
        rest::compare(&worked, &fresh)
    }

    async fn restart(&self, shards: u32) -> Verdict {
        let node = self.stage.node.borrow_mut().take();
        Crash::Drain.happen(self.machine, node).await;
        self.start(shards).await
    }

    async fn check_rot(&self, found: &Found) -> Verdict {
        let node = self.stage.node.borrow_mut().take();
        Crash::Drain.happen(self.machine, node).await;
        let damaged = rot::strike(&self.director, self.machine);
        self.start(self.stage.mix.shards).await?;
        rot::check(&self.director, found, &damaged).await
    }
}
