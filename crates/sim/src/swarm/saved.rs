//! Cases as text: what a file of saved seeds holds, a line for each.
//!
//! `17 rounds=2 without=Moves,Cuts`, with `#` before remarks.

use std::collections::BTreeSet;

use super::mix::Part;
use super::run::Case;

/// Reads one line; nothing if there is no case in it.
///
/// # Errors
/// What is wrong with it.
pub fn parse(line: &str) -> Result<Option<Case>, String> {
    let text = line.split_once('#').map_or(line, |(text, _)| text);
    let mut words = text.split_whitespace();
    let Some(seed) = words.next() else {
        return Ok(None);
    };
    let seed = seed.parse().map_err(|_error| format!("no seed: {seed}"))?;
    let mut case = Case::new(seed);
    for word in words {
        match word.split_once('=') {
            Some(("rounds", rounds)) => {
                let parsed = rounds.parse();
                case.rounds_max = parsed.map_err(|_error| format!("no number: {rounds}"))?;
            }
            Some(("without", parts)) => {
                let parts = parts.split(',');
                let parts = parts.map(|name| {
                    Part::named(name).ok_or_else(|| format!("no part of a run: {name}"))
                });
                case.without = parts.collect::<Result<BTreeSet<_>, _>>()?;
            }
            _ => return Err(format!("neither rounds nor without: {word}")),
        }
    }
    Ok(Some(case))
}

/// The line that [`parse`] reads.
#[must_use]
pub fn print(case: &Case) -> String {
    let mut line = case.seed.to_string();
    if case.rounds_max < u32::MAX {
        line = format!("{line} rounds={}", case.rounds_max);
    }
    if !case.without.is_empty() {
        let names: Vec<_> = case.without.iter().map(|part| part.name()).collect();
        line = format!("{line} without={}", names.join(","));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_read_as_they_were_written() {
        let case = Case {
            rounds_max: 2,
            without: BTreeSet::from([Part::Moves, Part::Cuts]),
            ..Case::new(17)
        };
        for case in [case, Case::new(3)] {
            let read = parse(&format!("{} # why", print(&case)));
            let read = read.expect("it was just printed").expect("a case");
            assert_eq!(print(&read), print(&case));
        }
        assert!(parse("# nothing").expect("a remark").is_none());
        parse("17 without=Nothing").expect_err("unknown");
    }
}
