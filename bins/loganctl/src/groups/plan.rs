//! What a file says about where groups go on: Kafka's lines, or what `--output json` has written.

use std::collections::BTreeMap;
use std::path::Path;

use client::TopicPartition;
use command_line::Failure;
use serde::Deserialize;
use types::{Offset, PartitionIndex};

/// Offsets of groups.
pub(super) type Plan = BTreeMap<String, BTreeMap<TopicPartition, Offset>>;

/// A row of `--output json`; what else is in it is passed over.
#[derive(Deserialize)]
struct Row {
    group: String,
    topic: String,
    partition: i32,
    /// Null where a partition could not be asked: it stays where it is. It has to be there, so that no other list is taken for
    /// a plan.
    #[serde(deserialize_with = "Option::deserialize")]
    after: Option<i64>,
}

/// The offsets that a file has for groups.
pub(super) fn read(path: &Path, groups: &[String]) -> Result<Plan, Failure> {
    let text = std::fs::read_to_string(path).map_err(Failure::file("read", path))?;
    parse(&text, groups)
}

fn parse(text: &str, groups: &[String]) -> Result<Plan, Failure> {
    let mut plan = Plan::new();
    if text.trim_start().starts_with('[') {
        let rows: Vec<Row> = serde_json::from_str(text).map_err(|error| {
            let advice = "it holds what `groups reset-offsets --output json` writes";
            Failure::usage(format!("the file is no plan: {error}"), advice)
        })?;
        for row in rows {
            if let Some(after) = row.after {
                add(&mut plan, &row.group, &row.topic, (row.partition, after));
            }
        }
    } else {
        for (line, number) in text.lines().zip(1..) {
            if !line.trim().is_empty() {
                read_line(line, groups, &mut plan).ok_or_else(|| wrong_line(number, groups))?;
            }
        }
    }
    match plan.keys().find(|group| !groups.contains(group)) {
        None => Ok(plan),
        Some(other) => Err(Failure::usage(
            format!("the file has offsets of group {other}"),
            "name all groups that are in the file",
        )),
    }
}

/// One line: topic, partition, offset, and a group in front of them unless there is one only.
fn read_line(line: &str, groups: &[String], plan: &mut Plan) -> Option<()> {
    let fields: Vec<_> = line
        .split(',')
        .map(|it| it.trim().trim_matches('"'))
        .collect();
    let (group, rest) = match (fields.as_slice(), groups) {
        ([group, rest @ ..], _) if rest.len() == 3 => (*group, rest),
        (rest, [group]) if rest.len() == 3 => (group.as_str(), rest),
        _ => return None,
    };
    let partition = rest[1].parse().ok().filter(|it| *it >= 0)?;
    let offset = rest[2].parse().ok().filter(|it| *it >= 0)?;
    add(plan, group, rest[0], (partition, offset));
    Some(())
}

fn wrong_line(number: usize, groups: &[String]) -> Failure {
    let example = match groups {
        [_] => "flights,0,4711",
        _ => "billing,flights,0,4711",
    };
    Failure::usage(
        format!("line {number} makes no sense"),
        format!("write {example}"),
    )
}

fn add(plan: &mut Plan, group: &str, topic: &str, (partition, offset): (i32, i64)) {
    let offsets = plan.entry(group.to_owned()).or_default();
    offsets.insert(
        (topic.to_owned(), PartitionIndex(partition)),
        Offset(offset),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn plan(entries: &[(&str, &str, i32, i64)]) -> Plan {
        let mut plan = Plan::new();
        for (group, topic, partition, offset) in entries {
            add(&mut plan, group, topic, (*partition, *offset));
        }
        plan
    }

    #[test]
    fn lines_need_no_group_where_there_is_one() {
        let read = parse("t,0,7\n\n \"u\", 1 ,8\n", &groups(&["g"])).expect("good lines");
        assert_eq!(read, plan(&[("g", "t", 0, 7), ("g", "u", 1, 8)]));
        let read = parse("g,t,0,7\n", &groups(&["g"])).expect("a good line");
        assert_eq!(read, plan(&[("g", "t", 0, 7)]));
        let read = parse("g,t,0,7\nh,t,0,8\n", &groups(&["g", "h"])).expect("good lines");
        assert_eq!(read, plan(&[("g", "t", 0, 7), ("h", "t", 0, 8)]));
    }

    #[test]
    fn lines_that_make_no_sense_are_named() {
        for wrong in ["t;0;7", "t,0", "t,-1,7", "t,0,-7", "t,0,soon", "a,b,c,d,e"] {
            let failure = parse(&format!("t,1,1\n{wrong}"), &groups(&["g"])).expect_err(wrong);
            assert_eq!(failure.to_string(), "line 2 makes no sense", "{wrong}");
        }
        let two = parse("t,0,7", &groups(&["g", "h"]));
        assert_eq!(two.expect_err("no group").code(), 2);
    }

    #[test]
    fn json_is_what_the_command_writes() {
        let text = r#"[{"group": "g", "topic": "t", "partition": 0, "before": null, "after": 7}]"#;
        let read = parse(text, &groups(&["g"])).expect("a row");
        assert_eq!(read, plan(&[("g", "t", 0, 7)]));
        let unknown = text.replace('7', "null");
        let read = parse(&unknown, &groups(&["g"])).expect("a row of a partition that was away");
        assert_eq!(read, plan(&[]));
        let other = text.replace("after", "committed");
        assert!(parse(&other, &groups(&["g"])).is_err(), "no plan");
        let other = parse(text, &groups(&["h"])).expect_err("another group");
        assert!(other.to_string().contains("group g"), "{other}");
    }
}
