//! What many runs came to, as a page of text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use sim::FaultPoints;
use sim::swarm::{CRASHES_MIN, FAULTS_MIN, OPERATIONS_MIN, Outcome, Tally};

/// Sums over runs.
#[derive(Debug, Default)]
pub(crate) struct Report {
    seeds: u64,
    counting: u64,
    simulated: Duration,
    tally: Tally,
    fault_points: FaultPoints,
}

impl Report {
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.counting += u64::from(outcome.counts());
        self.simulated += outcome.simulated;
        self.tally.merge(&outcome.tally);
        self.fault_points.merge(&outcome.fault_points);
    }

    pub(crate) fn fault_points(&self) -> &FaultPoints {
        &self.fault_points
    }

    pub(crate) fn seeds(&self) -> u64 {
        self.seeds
    }

    /// The page, of runs that took `elapsed` together, and `cpu` of all cores.
    pub(crate) fn text(&self, elapsed: Duration, cpu: Option<Duration>) -> String {
        let seconds = elapsed.as_secs_f64().max(f64::EPSILON);
        let simulated = self.simulated.as_secs_f64();
        let mut text = format!(
            "{} seeds, {} of which count (at least {OPERATIONS_MIN} operations, {CRASHES_MIN} crashes, {FAULTS_MIN} other faults)\n",
            self.seeds, self.counting
        );
        let per_minute = to_float(self.seeds) * 60.0 / seconds;
        let line = writeln!(
            text,
            "{simulated:.0} s simulated in {seconds:.1} s, {:.1} times as fast as the clock; {per_minute:.0} seeds per minute",
            simulated / seconds
        );
        line.expect("a string grows");
        if let Some(cpu) = cpu {
            let seconds = cpu.as_secs_f64().max(f64::EPSILON);
            let per_minute = to_float(self.seeds) * 60.0 / seconds;
            let line = writeln!(
                text,
                "{seconds:.1} s of a core; {per_minute:.0} seeds in a minute of a core"
            );
            line.expect("a string grows");
        }
        list(&mut text, "operations", &self.tally.operations);
        list(&mut text, "crashes", &self.tally.crashes);
        list(&mut text, "faults", &self.tally.faults);
        text.push_str("fault points of the disk:\n");
        for (hit, operation, kind, count) in self.fault_points.iter() {
            let line = writeln!(text, "  {hit:?} {operation:?} {kind}: {count}");
            line.expect("a string grows");
        }
        text
    }
}

fn to_float(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn list(text: &mut String, title: &str, counts: &BTreeMap<&'static str, u64>) {
    let counts: Vec<_> = counts
        .iter()
        .map(|(what, count)| format!("{what} {count}"))
        .collect();
    let line = writeln!(text, "{title}: {}", counts.join(", "));
    line.expect("a string grows");
}
