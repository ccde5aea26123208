//! `logan-bench guard`: whether a build is worse than another one.
//!
//! Two brokers of a manifest are measured in pairs, A B B A and so on, by the same scenarios as in `compare`; what has
//! changed is judged by [`chance`], so that a verdict comes with a confidence. Instructions, where they can be counted,
//! are held against a tolerance alone.

mod chance;
mod counts;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use command_line::{Failure, Output, Section};
use serde::Serialize;

use crate::cli::GuardOptions;
use crate::compare::{METRICS, Manifest, Metric, Run, RunPlan, one_round};
use crate::results::{Machine, Status, write_whole};
use crate::watch;

use counts::Counted;

/// One metric of one scenario.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Judged {
    scenario: String,
    metric: &'static str,
    pairs: Vec<(f64, f64)>,
    /// The second build's figure as a multiple of the first's, and the interval that it lies in.
    ratio: f64,
    low: f64,
    high: f64,
    confidence: f64,
    /// The change is sure enough, for the worse, and beyond the tolerance.
    is_worse: bool,
    /// The same for the better.
    is_better: bool,
}

/// Everything that was found.
#[derive(Debug, Serialize)]
struct Report {
    version: &'static str,
    status: Status,
    reason: Option<String>,
    machine: Machine,
    manifest: Manifest,
    confidence: f64,
    tolerance_percent: f64,
    judged: Vec<Judged>,
    counted: Vec<Counted>,
    /// What could not be counted, and why.
    not_counted: Vec<String>,
    runs: Vec<Run>,
}

/// Compares the two builds of a manifest.
pub(crate) fn guard(
    options: &GuardOptions,
    output: &Output,
    interrupted: &AtomicBool,
) -> Result<(), Failure> {
    let path = &options.manifest;
    let manifest = Manifest::read(path)?;
    let plan = manifest.plan(path)?;
    check(&manifest, options.confidence)?;
    let mut runs = Vec::new();
    let mut counted = Vec::new();
    let mut not_counted = Vec::new();
    let ended = count(&manifest, interrupted, (&mut counted, &mut not_counted))
        .and_then(|()| rounds(&manifest, &plan, interrupted, &mut runs));
    let failure = match ended {
        Err(_) | Ok(()) if interrupted.load(Ordering::Relaxed) => Some(Failure::Interrupted),
        ended => ended.err(),
    };
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        status: if failure.is_some() {
            Status::Partial
        } else {
            Status::Complete
        },
        reason: failure.as_ref().map(ToString::to_string),
        machine: Machine::look(Path::new(".")),
        judged: judge(&manifest, &plan, &runs, options),
        manifest,
        confidence: options.confidence,
        tolerance_percent: options.tolerance,
        counted,
        not_counted,
        runs,
    };
    let kept = options.report.as_ref().map_or(Ok(()), |path| {
        let text = serde_json::to_string_pretty(&report);
        let text = text.map_err(|error| Failure::local("format the report")(error.into()))?;
        write_whole(path, &(text + "\n"))
    });
    let shown = output.report_of(&sections(&report, options), &report);
    failure.map_or(Ok(()), Err).and(kept).and(shown)?;
    verdict(&report, options)
}

/// Refuses manifests from which nothing would follow.
fn check(manifest: &Manifest, confidence: f64) -> Result<(), Failure> {
    if manifest.broker.len() != 2 {
        let problem = format!(
            "a guard compares two builds, and the manifest names {}",
            manifest.broker.len()
        );
        return Err(Failure::usage(
            problem,
            "name the build that is known, then the one that is judged",
        ));
    }
    let fewest = chance::pairs_min(confidence);
    if manifest.rounds < fewest {
        let problem = format!(
            "{} rounds can say nothing with a confidence of {confidence}",
            manifest.rounds
        );
        let advice = format!("give the manifest rounds = {fewest} or more");
        return Err(Failure::usage(problem, advice));
    }
    Ok(())
}

/// Both builds in each round, the other one first every time.
fn rounds(
    manifest: &Manifest,
    plan: &RunPlan,
    interrupted: &AtomicBool,
    runs: &mut Vec<Run>,
) -> Result<(), Failure> {
    for round in 1..=manifest.rounds {
        let mut order = [&manifest.broker[0], &manifest.broker[1]];
        if round % 2 == 0 {
            order.reverse();
        }
        for broker in order {
            one_round(round, broker, plan, interrupted, runs)?;
        }
    }
    Ok(())
}

/// Counts instructions where that is possible, and notes where it is not.
fn count(
    manifest: &Manifest,
    interrupted: &AtomicBool,
    (counted, not_counted): (&mut Vec<Counted>, &mut Vec<String>),
) -> Result<(), Failure> {
    if let Some(why) = watch::counters_unavailable() {
        not_counted.push(format!("instructions of the brokers: {why}"));
    }
    let pieces = manifest.broker.iter().map(|one| one.hot_pieces.as_deref());
    let pieces: Option<Vec<&Path>> = pieces.collect();
    match (pieces.as_deref(), counts::unavailable()) {
        (Some([first, second]), None) => {
            *counted = counts::count(first, second, interrupted)?;
        }
        (Some(_), Some(why)) => not_counted.push(format!("instructions of hot pieces: {why}")),
        (_, _) => not_counted
            .push("instructions of hot pieces: the manifest names no hot_pieces".to_owned()),
    }
    Ok(())
}

fn judge(manifest: &Manifest, plan: &RunPlan, runs: &[Run], options: &GuardOptions) -> Vec<Judged> {
    let mut judged = Vec::new();
    for (scenario, _) in &plan.scenarios {
        for metric in METRICS {
            let Some(more_is_better) = metric.more_is_better() else {
                continue;
            };
            let pairs = pairs(manifest, scenario, metric, runs);
            let Some(verdict) = chance::judge(&pairs, options.confidence) else {
                continue;
            };
            let is_sure = verdict.confidence >= options.confidence;
            let gain = if more_is_better {
                verdict.ratio
            } else {
                1.0 / verdict.ratio
            };
            let factor = 1.0 + options.tolerance / 100.0;
            judged.push(Judged {
                scenario: scenario.clone(),
                metric: metric.name,
                pairs,
                ratio: verdict.ratio,
                low: verdict.low,
                high: verdict.high,
                confidence: verdict.confidence,
                is_worse: is_sure && gain * factor < 1.0,
                is_better: is_sure && gain > factor,
            });
        }
    }
    judged
}

/// What both builds had in each round in which both have it.
fn pairs(manifest: &Manifest, scenario: &str, metric: Metric, runs: &[Run]) -> Vec<(f64, f64)> {
    let of = |round: u32, broker: &str| {
        let run = runs
            .iter()
            .find(|run| run.round == round && run.broker == broker && run.scenario == scenario)?;
        metric.of(run)
    };
    let [first, second] = [&manifest.broker[0].name, &manifest.broker[1].name];
    (1..=manifest.rounds)
        .filter_map(|round| Some((of(round, first)?, of(round, second)?)))
        .collect()
}

fn sections(report: &Report, options: &GuardOptions) -> Vec<Section> {
    let mut head = Section::new("Guard");
    let status = report.reason.as_ref();
    head.row(
        "status",
        status.map_or_else(|| "complete".to_owned(), |why| format!("PARTIAL: {why}")),
    );
    head.row("machine", report.machine.line());
    head.row("known", report.manifest.broker[0].name.clone());
    head.row("judged", report.manifest.broker[1].name.clone());
    for why in &report.not_counted {
        head.row("not counted", why.clone());
    }
    let mut sections = vec![head];
    for group in report
        .judged
        .chunk_by(|one, other| one.scenario == other.scenario)
    {
        let mut section = Section::new(group[0].scenario.clone());
        for one in group {
            section.row(one.metric, one.text());
        }
        sections.push(section);
    }
    let mut counted = Section::new("Instructions of hot pieces");
    for one in &report.counted {
        let word = word(worse_count(one, options), better_count(one, options));
        let text = format!(
            "{:.0} -> {:.0} ({:+.2} %){word}",
            one.first,
            one.second,
            (one.ratio() - 1.0) * 100.0
        );
        counted.row(&one.piece, text);
    }
    sections.push(counted);
    sections
}

fn worse_count(one: &Counted, options: &GuardOptions) -> bool {
    one.ratio() > 1.0 + options.tolerance_of_counts / 100.0
}

fn better_count(one: &Counted, options: &GuardOptions) -> bool {
    one.ratio() < 1.0 / (1.0 + options.tolerance_of_counts / 100.0)
}

fn word(is_worse: bool, is_better: bool) -> &'static str {
    match (is_worse, is_better) {
        (true, _) => ": WORSE",
        (false, true) => ": better",
        (false, false) => "",
    }
}

impl Judged {
    fn text(&self) -> String {
        let percent = |ratio: f64| (ratio - 1.0) * 100.0;
        format!(
            "{:+.1} % ({:+.1} to {:+.1}), a change with confidence {:.3}{}",
            percent(self.ratio),
            percent(self.low),
            percent(self.high),
            self.confidence,
            word(self.is_worse, self.is_better)
        )
    }
}

/// Fails when anything became worse.
fn verdict(report: &Report, options: &GuardOptions) -> Result<(), Failure> {
    let of_runs = report.judged.iter().filter(|one| one.is_worse);
    let of_runs = of_runs.map(|one| format!("{}: {} {}", one.scenario, one.metric, one.text()));
    let of_counts = report
        .counted
        .iter()
        .filter(|one| worse_count(one, options));
    let of_counts = of_counts.map(|one| {
        format!(
            "{}: {:+.2} % instructions",
            one.piece,
            (one.ratio() - 1.0) * 100.0
        )
    });
    let worse: Vec<String> = of_runs.chain(of_counts).collect();
    if worse.is_empty() {
        return Ok(());
    }
    Err(Failure::Worse {
        problem: format!(
            "{} is worse than {}: {}",
            report.manifest.broker[1].name,
            report.manifest.broker[0].name,
            worse.join("; ")
        ),
        advice: "`logan-bench compare` shows both builds side by side".to_owned(),
    })
}
