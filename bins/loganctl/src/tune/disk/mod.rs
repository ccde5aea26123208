//! `loganctl tune disk`: measures the disks of log directories, says what Logan will make of it, and leaves that where a broker
//! looks for its defaults.
//!
//! The main thread watches the clock, signals and the bar; one shard, as a broker has them, does the work. Everything that is
//! written lies in one directory below the log directory, which is removed in every case but a killed process; the next
//! measurement removes that.
//!
//! Deliberately absent: what a reader gets from the batch cache, which is no matter of the disk.

mod choose;
mod files;
mod load;
mod measure;
mod place;
mod report;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use command_line::{Failure, Output};
use io::{Io as _, Sender as _};
use runtime::{CorePlan, Event, GlommioIo, Shards, Supervisor};

use crate::cli::DiskOptions;
use crate::progress::Progress;

use measure::{Measured, News, STEPS};
use place::Place;
use report::Report;

/// How long the main thread waits for news before it looks for signals.
const NEWS_WAIT: Duration = Duration::from_millis(100);

/// News of a shard that nobody has heard yet.
const NEWS_MAX: usize = 1024;

/// How long a shard may take to end once it has said its last.
const END_TIME_MAX: Duration = Duration::from_secs(10);

/// Carries out the command.
pub(super) fn run(options: &DiskOptions, output: &Output) -> Result<(), Failure> {
    let directories = directories(options)?;
    let supervisor = Supervisor::new().map_err(Failure::local("handle signals"))?;
    let mut reports = Vec::new();
    for directory in &directories {
        let place = Place::take(directory)?;
        let measured = measure(&place, options.seconds, &supervisor)?;
        let report = Report::new(&place, measured);
        if !options.dry_run {
            report.save(&place)?;
        }
        reports.push(report);
    }
    let sections: Vec<_> = reports.iter().flat_map(Report::sections).collect();
    output.report_of(&sections, &reports)?;
    for report in reports.iter().filter(|_| !options.dry_run) {
        let file = report.file();
        output.note(&format!("{}: {}", file.display(), Report::TAKES_EFFECT));
    }
    Ok(())
}

fn directories(options: &DiskOptions) -> Result<Vec<PathBuf>, Failure> {
    if options.directories.is_empty() {
        let configured = super::target::configured(options.config.as_deref())?;
        return Ok(configured.log_dirs);
    }
    Ok(options.directories.clone())
}

/// Has a shard measure, and waits for it. Returns when nothing of it is left.
fn measure(place: &Place, seconds: u64, supervisor: &Supervisor) -> Result<Measured, Failure> {
    let (sender, news) = GlommioIo::mailbox(NEWS_MAX);
    let is_over = Arc::new(AtomicBool::new(false));
    let seed = measure::Seed {
        scratch: place.scratch().to_path_buf(),
        duration: Duration::from_secs(seconds),
        is_over: Arc::clone(&is_over),
        news: sender,
    };
    let shards = Shards::start(
        &CorePlan::first_cpus(1),
        supervisor,
        &runtime::Recorder::off(),
        vec![seed],
        |io: GlommioIo, seed: measure::Seed| async move {
            let news = seed.news.clone();
            let found = measure::measure(&io, seed).await;
            // Somebody waits for it, unless the process is ending.
            let _ignored = news.try_send(News::Found(found));
        },
    );
    let shards = shards.map_err(|error| {
        Failure::refused(
            format!("cannot measure as a broker would: {error}"),
            "a broker needs the same of this machine; see docs/troubleshooting.md",
        )
    })?;
    let mut bar = Progress::of_items("measuring the disk", Some(STEPS));
    let mut is_interrupted = false;
    let found = loop {
        match news.wait_for(NEWS_WAIT) {
            Some(News::Found(found)) => break found,
            Some(News::Done(steps)) => bar.done(steps),
            None => {}
        }
        match supervisor.wait_for(Duration::ZERO) {
            Some(Event::Terminate | Event::HangUp) => {
                is_interrupted = true;
                is_over.store(true, Ordering::Relaxed);
            }
            Some(Event::ShardEnded(_)) => {
                let last = std::iter::from_fn(|| news.wait_for(Duration::ZERO));
                let mut found = last.filter_map(|news| match news {
                    News::Found(found) => Some(found),
                    News::Done(_) => None,
                });
                break found
                    .next()
                    .unwrap_or_else(|| Err("the shard ended".to_owned()));
            }
            Some(Event::Nudged) | None => {}
        }
    };
    bar.finish();
    drop(shards.join(END_TIME_MAX));
    if is_interrupted {
        return Err(Failure::Interrupted);
    }
    found.map_err(|problem| not_measured(place.path(), &problem))
}

fn not_measured(directory: &Path, problem: &str) -> Failure {
    Failure::refused(
        format!(
            "cannot measure the disk of {}: {problem}",
            directory.display()
        ),
        "nothing was changed, and what was written is removed",
    )
}
