//! Holds the fault points that many runs have reached against the list of those that there are.
//!
//! The list, `fault-points.txt`, names what hits which operation on which kind of file, a line each: `+` where some thousand
//! seeds reach it, `~` where few do, and `-` with the reason where none can.

use std::collections::{BTreeMap, BTreeSet};

use sim::FaultPoints;

const LIST: &str = include_str!("../fault-points.txt");

/// How often a point of the list is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Reached,
    Rare,
    Never,
}

fn listed() -> BTreeMap<String, Mark> {
    let lines = LIST.lines().filter_map(|line| {
        let text = line.split_once('#').map_or(line, |(text, _)| text).trim();
        let (mark, point) = text.split_once(' ')?;
        let mark = match mark {
            "+" => Mark::Reached,
            "~" => Mark::Rare,
            _ => Mark::Never,
        };
        Some((point.trim().to_owned(), mark))
    });
    lines.collect()
}

/// What differs: points that should have been reached and were not, and those that were and are not listed so.
pub(crate) fn differences(reached: &FaultPoints) -> Vec<String> {
    let listed = listed();
    let reached: BTreeSet<String> = reached
        .iter()
        .map(|(hit, operation, kind, _)| format!("{hit:?} {operation:?} {kind}"))
        .collect();
    let missing = listed
        .iter()
        .filter(|(point, mark)| **mark == Mark::Reached && !reached.contains(*point))
        .map(|(point, _)| format!("never reached: {point}"));
    let surprising = reached
        .iter()
        .filter(|point| matches!(listed.get(*point), None | Some(Mark::Never)))
        .map(|point| format!("reached and not on the list: {point}"));
    missing.chain(surprising).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_can_be_read_and_its_exceptions_have_reasons() {
        let wanted = listed();
        let wanted = wanted.values().filter(|mark| **mark == Mark::Reached);
        assert!(wanted.count() > 20, "most points are reached");
        for line in LIST.lines() {
            match line.as_bytes().first() {
                Some(b'-') => assert!(line.contains(" # "), "no reason: {line}"),
                first => assert!(matches!(first, Some(b'+' | b'~' | b'#') | None), "{line}"),
            }
        }
    }

    #[test]
    fn nothing_reaches_nothing() {
        let found = differences(&FaultPoints::default());
        assert!(found.iter().all(|it| it.starts_with("never reached: ")));
        assert!(!found.is_empty());
    }
}
