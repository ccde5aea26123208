//! Instructions of the hot pieces of a build, counted by valgrind: they hardly vary, so that one run says enough.
//!
//! A piece runs twice, with different numbers of repetitions; the difference is free of what starting costs.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use command_line::Failure;
use serde::Serialize;

const FEW: u64 = 10;
const MANY: u64 = 30;

/// Pieces that a program may have.
const PIECES_MAX: usize = 1000;

/// A piece of both builds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Counted {
    pub(crate) piece: String,
    /// For each repetition.
    pub(crate) first: f64,
    pub(crate) second: f64,
}

impl Counted {
    /// The second build's count as a multiple of the first's.
    pub(crate) fn ratio(&self) -> f64 {
        self.second / self.first
    }
}

/// Why nothing can be counted here, if that is so.
pub(crate) fn unavailable() -> Option<String> {
    let found = Command::new("valgrind")
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match found {
        Ok(status) if status.success() => None,
        Ok(status) => Some(format!("valgrind ends with {status}")),
        Err(error) => Some(format!("valgrind cannot be started: {error}")),
    }
}

/// Counts the pieces that both programs have.
pub(crate) fn count(
    first: &Path,
    second: &Path,
    interrupted: &AtomicBool,
) -> Result<Vec<Counted>, Failure> {
    let known = pieces(first)?;
    let mut counted = Vec::new();
    for piece in pieces(second)? {
        if !known.contains(&piece) {
            continue;
        }
        if interrupted.load(Ordering::Relaxed) {
            return Err(Failure::Interrupted);
        }
        counted.push(Counted {
            first: each(first, &piece)?,
            second: each(second, &piece)?,
            piece,
        });
    }
    Ok(counted)
}

fn pieces(program: &Path) -> Result<Vec<String>, Failure> {
    let listed = Command::new(program).stdin(Stdio::null()).output();
    let listed = listed.map_err(Failure::file("start", program))?;
    let text = String::from_utf8_lossy(&listed.stdout);
    let names: Vec<String> = text.lines().map(str::to_owned).collect();
    if !listed.status.success() || names.is_empty() || names.len() > PIECES_MAX {
        let problem = format!("{} does not list its pieces", program.display());
        return Err(Failure::usage(
            problem,
            "without arguments it prints their names, one a line",
        ));
    }
    Ok(names)
}

fn each(program: &Path, piece: &str) -> Result<f64, Failure> {
    let (few, many) = (
        instructions(program, piece, FEW)?,
        instructions(program, piece, MANY)?,
    );
    Ok(many.saturating_sub(few) as f64 / (MANY - FEW) as f64)
}

fn instructions(program: &Path, piece: &str, repetitions: u64) -> Result<u64, Failure> {
    let ended = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([piece, &repetitions.to_string()])
        .stdin(Stdio::null())
        .output()
        .map_err(Failure::local("start valgrind"))?;
    let said = String::from_utf8_lossy(&ended.stderr);
    let collected = parse(&said).filter(|_| ended.status.success());
    collected.ok_or_else(|| {
        let last = said.lines().next_back().unwrap_or("nothing");
        Failure::refused(
            format!("valgrind could not count {piece} of {}", program.display()),
            format!("the last that it said: {last}"),
        )
    })
}

/// The line `==PID== Collected : N`, in which N may have commas.
fn parse(said: &str) -> Option<u64> {
    let number = said
        .lines()
        .find_map(|line| line.split_once("Collected : "))?
        .1;
    number.trim().replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_what_valgrind_collected() {
        let said = "==7== Events    : Ir\n==7== Collected : 132,451\n==7== \n";
        assert_eq!(parse(said), Some(132_451));
        assert_eq!(parse("==7== Events    : Ir\n"), None);
    }

    #[test]
    fn a_program_that_lists_nothing_is_refused() {
        let refused = pieces(Path::new("true")).expect_err("it prints nothing");
        assert_eq!(refused.code(), 2);
    }
}
