//! Cases as text: what a file of saved seeds holds, a line for each.
//!
//! `17 rounds=2 only=Moves,Cuts`, with `#` before remarks. What was saved as `only` stays the same case when runs get new
//! parts; `without` is shorter to type.

use std::collections::BTreeSet;

use super::mix::Part;
use super::run::Case;
use super::shrink::drawn_parts;

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
            Some(("without", names)) => case.without = parts(names)?,
            Some(("only", names)) => {
                let only = parts(names)?;
                let all = Part::ALL.into_iter();
                case.without = all.filter(|part| !only.contains(part)).collect();
            }
            _ => return Err(format!("neither rounds nor only nor without: {word}")),
        }
    }
    Ok(Some(case))
}

fn parts(names: &str) -> Result<BTreeSet<Part>, String> {
    let names = names.split(',').filter(|name| !name.is_empty());
    let parts =
        names.map(|name| Part::named(name).ok_or_else(|| format!("no part of a run: {name}")));
    parts.collect()
}

/// The line that [`parse`] reads.
#[must_use]
pub fn print(case: &Case) -> String {
    let mut line = case.seed.to_string();
    if case.rounds_max < u32::MAX {
        line = format!("{line} rounds={}", case.rounds_max);
    }
    if !case.without.is_empty() {
        let names: Vec<_> = drawn_parts(case).iter().map(|part| part.name()).collect();
        line = format!("{line} only={}", names.join(","));
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
        let wanted = parse("17 only=Cuts").expect("a line").expect("a case");
        assert_eq!(wanted.without.len(), Part::ALL.len() - 1);
        assert!(parse("# nothing").expect("a remark").is_none());
        parse("17 without=Nothing").expect_err("unknown");
    }
}
