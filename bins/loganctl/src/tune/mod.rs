//! `loganctl tune`: what a machine's settings mean to a broker, and how they are changed.
//!
//! A tuner looks at one kind of setting below a root directory, so that a tree of files is as good as a machine, and says what
//! it finds, what would be better, and why. `check` shows that, `script` writes the changes down as a shell script, and
//! `apply` makes them; `disk` measures the disks below log directories. Nothing else changes anything, and nothing survives a restart of the machine: a unit that runs
//! `loganctl tune apply` at the start does that.
//!
//! Deliberately absent: profiles, services that watch, and settings that cannot be named with a reason.

mod apply;
mod ballast;
mod cpus;
mod disk;
mod disks;
mod finding;
mod interrupts;
mod kernel;
mod script;
mod setting;
mod target;

#[cfg(test)]
mod tests;

use command_line::{Failure, Output, OutputFormat};

use crate::cli::{TuneCommand, TuneOptions};

use finding::{Finding, Verdict};
use target::Target;

/// Looks at the kinds of settings that were asked for, or all.
type Tuner = fn(&Target) -> Vec<Finding>;

/// By name, in the order in which they are shown.
const TUNERS: &[(&str, Tuner)] = &[
    ("irq-network", interrupts::of_networks),
    ("irq-disk", interrupts::of_disks),
    ("disk-scheduler", disks::scheduler),
    ("disk-merges", disks::merges),
    ("swappiness", kernel::swappiness),
    ("transparent-huge-pages", kernel::huge_pages),
    ("clocksource", kernel::clocksource),
    ("cpu-governor", cpus::governor),
    ("cpu-idle", cpus::idle_states),
    ("io-uring", kernel::io_uring),
    ("limits", kernel::limits),
    ("ballast", ballast::ballast),
];

/// Carries out a command.
pub(crate) fn run(command: &TuneCommand, output: &Output) -> Result<(), Failure> {
    match command {
        TuneCommand::Check(options) => check(options, output),
        TuneCommand::Script(options) => {
            let findings = examine(&options.tune)?;
            output.write(&script::script(&findings, &options.tune.root))
        }
        TuneCommand::Apply(options) => {
            apply::expect_right_to(&options.tune.root, options.dry_run)?;
            let findings = examine(&options.tune)?;
            apply::apply(&findings, &options.tune.root, options.dry_run, output)
        }
        TuneCommand::Disk(options) => disk::run(options, output),
    }
}

fn examine(options: &TuneOptions) -> Result<Vec<Finding>, Failure> {
    let target = Target::find(options)?;
    let known = |name: &String| TUNERS.iter().any(|(known, _)| known == name);
    if let Some(unknown) = options.tuners.iter().find(|name| !known(name)) {
        let names: Vec<&str> = TUNERS.iter().map(|(name, _)| *name).collect();
        return Err(Failure::NotFound {
            problem: format!("there is no tuner {unknown}"),
            advice: format!("there are {}", names.join(", ")),
        });
    }
    let is_asked =
        |name: &str| options.tuners.is_empty() || options.tuners.iter().any(|it| it == name);
    let asked = TUNERS.iter().filter(|(name, _)| is_asked(name));
    let found = asked.flat_map(|(name, tuner)| {
        let findings = tuner(&target).into_iter();
        findings.map(|finding| Finding {
            tuner: name,
            ..finding
        })
    });
    Ok(found.collect())
}

fn check(options: &TuneOptions, output: &Output) -> Result<(), Failure> {
    let findings = examine(options)?;
    output.rows(&findings)?;
    if output.format() == OutputFormat::Table {
        output.write(&explained(&findings, output))?;
    }
    let open = findings.iter().filter(|it| it.verdict != Verdict::Fine);
    match open.count() {
        0 => Ok(()),
        count => Err(Failure::refused(
            match count {
                1 => "1 setting could be better".to_owned(),
                _ => format!("{count} settings could be better"),
            },
            "`loganctl tune script` writes the changes down, `loganctl tune apply` makes them",
        )),
    }
}

/// Why something else would be better, once for each tuner that has found something.
fn explained(findings: &[Finding], output: &Output) -> String {
    let open = findings.iter().filter(|it| it.verdict != Verdict::Fine);
    let mut open: Vec<&Finding> = open.collect();
    open.dedup_by_key(|finding| finding.tuner);
    let lines = open.into_iter().map(|finding| {
        let mut text = format!("\n{}\n  {}\n", output.heading(finding.tuner), finding.why);
        if let Some(by_hand) = &finding.by_hand {
            text += &format!("  by hand: {by_hand}\n");
        }
        text
    });
    lines.collect()
}
