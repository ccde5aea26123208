//! The simulator's program: runs brokers from seeds, and says what it saw.
//!
//! `sim run --seeds 1..10000` runs many, `--seed 17 --trace` tells one of them, and `--defect NAME` lets the code under test
//! have a deliberate mistake and runs until it is noticed. Seeds are shared out to as many threads as `--jobs` says; each
//! run stays on one of them.
//!
//! Deliberately absent: any check of its own; those are the library's.

#![expect(clippy::print_stdout, reason = "a program that reports")]

mod points;
mod report;
mod voice;

use std::ops::Range;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use io::Defect;
use sim::swarm::{self, Case, Outcome};

use crate::report::Report;

/// Of the fields behind the name, the one with the time in user mode; that in the kernel follows.
const USER_TIME_FIELD: usize = 11;
/// Linux counts in hundredths of a second on every machine that Logan runs on.
const MILLISECONDS_PER_TICK: u64 = 10;

/// Puts Logan under random load and random faults, in simulated time.
#[derive(Debug, Parser)]
#[command(name = "sim")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs seeds.
    Run(Run),
    /// Names the deliberate defects.
    Defects,
}

#[derive(Debug, clap::Args)]
struct Run {
    /// The seeds, as 1..10000; the last one is left out.
    #[arg(long, default_value = "1..100", value_parser = seeds)]
    seeds: Range<u64>,
    /// One seed, or a line of a file of saved ones such as "17 rounds=2 without=Moves".
    #[arg(long)]
    seed: Option<String>,
    /// Tells what happens, line by line.
    #[arg(long)]
    trace: bool,
    /// Lets the code under test have a defect, and runs until it is noticed.
    #[arg(long, value_parser = defect)]
    defect: Option<Defect>,
    /// Threads that run seeds.
    #[arg(long, default_value_t = 1)]
    jobs: u64,
    /// Leaves a failing case as it is.
    #[arg(long)]
    no_shrink: bool,
    /// Runs all seeds, whatever fails.
    #[arg(long)]
    keep_going: bool,
    /// Begins no further seed after this many seconds.
    #[arg(long)]
    seconds: Option<u64>,
    /// Fails unless exactly the listed fault points were reached.
    #[arg(long)]
    points: bool,
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let parsed = text.split_once("..").and_then(|(from, to)| {
        let range = from.parse().ok()?..to.parse().ok()?;
        Some(range)
    });
    parsed.ok_or_else(|| "two numbers with .. between them".to_owned())
}

fn defect(name: &str) -> Result<Defect, String> {
    Defect::named(name).ok_or_else(|| {
        let names = Defect::ALL.map(Defect::name);
        format!("one of {}", names.join(", "))
    })
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Defects => {
            for defect in Defect::ALL {
                println!("{}", defect.name());
            }
            ExitCode::SUCCESS
        }
        Command::Run(arguments) => match case(&arguments) {
            Ok(case) => run(&arguments, case),
            Err(reason) => {
                println!("{reason}");
                ExitCode::FAILURE
            }
        },
    }
}

/// The one case that was asked for, if one was.
fn case(arguments: &Run) -> Result<Option<Case>, String> {
    let line = arguments.seed.as_deref().unwrap_or_default();
    let case = swarm::parse(line)?;
    Ok(case.map(|case| Case {
        defect: arguments.defect,
        is_told: arguments.trace,
        ..case
    }))
}

fn run(arguments: &Run, single: Option<Case>) -> ExitCode {
    silence_panics();
    let began = Instant::now();
    let (report, failed) = match single {
        Some(case) => {
            if case.is_told {
                voice::listen();
            }
            let outcome = swarm::run(&case);
            println!("trace hash {:016x}", outcome.trace_hash);
            let mut report = Report::default();
            report.add(&outcome);
            let failed = outcome.verdict.is_err().then_some((case, outcome));
            (report, failed)
        }
        None => run_all(arguments),
    };
    println!("{}", report.text(began.elapsed(), cpu_time()));
    let Some((case, outcome)) = failed else {
        return finish(arguments, &report);
    };
    if !arguments.keep_going {
        tell_failure(&case, &outcome);
    }
    if let Some(defect) = arguments.defect {
        println!(
            "{} was noticed after {} seeds",
            defect.name(),
            report.seeds()
        );
        return ExitCode::SUCCESS;
    }
    if !arguments.no_shrink && !arguments.keep_going {
        let smallest = swarm::shrink(&case, |case, outcome| {
            println!("still fails: {}", swarm::print(case));
            if let Err(reason) = &outcome.verdict {
                println!("  {reason}");
            }
        });
        println!(
            "replay with: sim run --seed \"{}\" --trace",
            swarm::print(&smallest)
        );
    }
    ExitCode::FAILURE
}

/// Nothing has failed.
fn finish(arguments: &Run, report: &Report) -> ExitCode {
    if let Some(defect) = arguments.defect {
        println!("{} was not noticed", defect.name());
        return ExitCode::FAILURE;
    }
    if !arguments.points {
        return ExitCode::SUCCESS;
    }
    let differences = points::differences(report.fault_points());
    for difference in &differences {
        println!("{difference}");
    }
    if differences.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What the process has used of its cores, where the kernel tells.
fn cpu_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Fields are counted behind the name, which may hold anything; see proc_pid_stat(5).
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(USER_TIME_FIELD).take(2);
    let (user, system): (u64, u64) = (times.next()?.parse().ok()?, times.next()?.parse().ok()?);
    Some(Duration::from_millis(
        MILLISECONDS_PER_TICK * (user + system),
    ))
}

/// What a run fails with is part of its outcome; the default hook would print it in between.
fn silence_panics() {
    let hook = std::panic::take_hook();
    if std::env::var_os("RUST_BACKTRACE").is_none() {
        std::panic::set_hook(Box::new(|_| {}));
        drop(hook);
    } else {
        std::panic::set_hook(hook);
    }
}

fn tell_failure(case: &Case, outcome: &Outcome) {
    println!("seed {} FAILED: {}", case.seed, outcome.mix);
    if let Err(reason) = &outcome.verdict {
        println!("  {reason}");
    }
}

/// Runs all seeds, until one fails or the time is over.
fn run_all(arguments: &Run) -> (Report, Option<(Case, Outcome)>) {
    let next = AtomicU64::new(arguments.seeds.start);
    let is_over = AtomicBool::new(false);
    let began = Instant::now();
    let allowed = arguments.seconds.map_or(Duration::MAX, Duration::from_secs);
    let results = Mutex::new((Report::default(), None));
    let work = || {
        while !is_over.load(Ordering::Relaxed) && began.elapsed() < allowed {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= arguments.seeds.end {
                return;
            }
            let case = Case {
                defect: arguments.defect,
                ..Case::new(seed)
            };
            let outcome = swarm::run(&case);
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            results.0.add(&outcome);
            if outcome.verdict.is_err() {
                is_over.store(!arguments.keep_going, Ordering::Relaxed);
                if arguments.keep_going {
                    tell_failure(&case, &outcome);
                }
                results.1.get_or_insert((case, outcome));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..arguments.jobs {
            scope.spawn(work);
        }
        work();
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}
