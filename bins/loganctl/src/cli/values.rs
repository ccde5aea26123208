//! Values of options: text with escapes, pairs, times and spans.

use std::time::{Duration, SystemTime};

use command_line::parse_pair;
use types::{NodeId, TimestampMs};

/// A time, given or counted back from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    At(TimestampMs),
    Ago(Duration),
}

impl Moment {
    /// The time, if it is `now`; not before 1970.
    pub(crate) fn at(self, now: TimestampMs) -> TimestampMs {
        match self {
            Self::At(timestamp) => timestamp,
            Self::Ago(span) => {
                let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
                TimestampMs(now.0.saturating_sub(span).max(0))
            }
        }
    }
}

pub(crate) fn parse_moment(text: &str) -> Result<Moment, String> {
    if let Ok(millis) = text.parse::<i64>() {
        return match millis {
            0.. => Ok(Moment::At(TimestampMs(millis))),
            _ => Err("milliseconds since 1970 are not negative".to_owned()),
        };
    }
    if let Ok(time) = humantime::parse_rfc3339_weak(text) {
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        return since
            .ok()
            .and_then(|since| i64::try_from(since.as_millis()).ok())
            .map(|millis| Moment::At(TimestampMs(millis)))
            .ok_or_else(|| "a time since 1970 is needed".to_owned());
    }
    let iso = iso_span(text);
    let span = text.strip_suffix("ago").unwrap_or(text).trim_end();
    let span = iso.as_deref().unwrap_or(span);
    humantime::parse_duration(span).map(Moment::Ago).or(Err(
        "write 2026-11-21T08:00:00Z, milliseconds since 1970, or 10m for ten minutes ago"
            .to_owned(),
    ))
}

/// A span as Kafka's tools take it, such as P1DT2H, in the words that are taken here. Years and months have no one length.
fn iso_span(text: &str) -> Option<String> {
    let (days, time) = match text.strip_prefix('P')?.split_once('T') {
        Some((days, time)) => (days, time),
        None => (text.strip_prefix('P')?, ""),
    };
    (!days.contains(['Y', 'M'])).then(|| format!("{days}{time}").to_lowercase())
}

/// The nodes of one partition, the preferred leader first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) partition: i32,
    pub(crate) nodes: Vec<NodeId>,
}

pub(crate) fn parse_assignment(text: &str) -> Result<Assignment, String> {
    let number = |text: &str| text.trim().parse::<i32>().ok().filter(|id| *id >= 0);
    let parsed = text.split_once('=').and_then(|(partition, nodes)| {
        Some(Assignment {
            partition: number(partition)?,
            nodes: nodes
                .split(',')
                .map(|id| number(id).map(NodeId))
                .collect::<Option<_>>()?,
        })
    });
    parsed.ok_or_else(|| "write 0=1,2 for partition 0 on nodes 1 and 2".to_owned())
}

/// A topic, and which of its partitions; all if none is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicPartitions {
    pub(crate) topic: String,
    pub(crate) partitions: Vec<i32>,
}

pub(crate) fn parse_topic_partitions(text: &str) -> Result<TopicPartitions, String> {
    /// No topic has more, and a span must not make a list of any length.
    const SPAN_MAX: usize = 100_000;
    let wrong = || "write flights, flights:0 or flights:0,2-4".to_owned();
    let number = |text: &str| text.trim().parse::<i32>().ok().filter(|it| *it >= 0);
    let (topic, list) = match text.split_once(':') {
        Some((topic, list)) => (topic, Some(list)),
        None => (text, None),
    };
    if topic.is_empty() {
        return Err(wrong());
    }
    let mut partitions = Vec::new();
    for part in list.into_iter().flat_map(|list| list.split(',')) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = number(first).zip(number(last)).ok_or_else(wrong)?;
        if first > last {
            return Err(wrong());
        }
        partitions.extend((first..=last).take(SPAN_MAX));
    }
    Ok(TopicPartitions {
        topic: topic.to_owned(),
        partitions,
    })
}

/// A header.
pub(crate) fn parse_header(text: &str) -> Result<(String, String), String> {
    parse_pair(text, "source=sensor-7")
}

/// Text that is not empty, in which \t, \n, \r, \0, \\ and \xNN stand for what they do in C.
pub(crate) fn parse_text(text: &str) -> Result<String, String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        if next != '\\' {
            plain.push(next);
            continue;
        }
        plain.push(match rest.next() {
            Some('t') => '\t',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('0') => '\0',
            Some('\\') => '\\',
            Some('x') => {
                let digits: String = rest.by_ref().take(2).collect();
                let code = u8::from_str_radix(&digits, 16).ok();
                let code = code.filter(|code| digits.len() == 2 && code.is_ascii());
                let code =
                    code.ok_or("\\x needs two hexadecimal digits up to 7f, such as \\x1f")?;
                char::from(code)
            }
            _ => return Err("after a backslash comes t, n, r, 0, xNN or a backslash".to_owned()),
        });
    }
    if plain.is_empty() {
        return Err("some text is needed, such as ',' or '\\t'".to_owned());
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_times_milliseconds_or_spans_back() {
        let at = |millis| Ok(Moment::At(TimestampMs(millis)));
        assert_eq!(parse_moment("0"), at(0));
        assert_eq!(parse_moment("1700000000000"), at(1_700_000_000_000));
        assert_eq!(parse_moment("2023-11-14T22:13:20Z"), at(1_700_000_000_000));
        assert_eq!(parse_moment("2023-11-14 22:13:20.5"), at(1_700_000_000_500));
        let ten_minutes = Ok(Moment::Ago(Duration::from_secs(600)));
        assert_eq!(parse_moment("10m"), ten_minutes);
        assert_eq!(parse_moment("10m ago"), ten_minutes);
        assert_eq!(parse_moment("PT10M"), ten_minutes);
        let long = Ok(Moment::Ago(Duration::from_secs(26 * 3600)));
        assert_eq!(parse_moment("P1DT2H"), long);
        for wrong in ["", "yesterday", "-5", "2023-13-01T00:00:00Z", "P1M", "PT"] {
            assert!(parse_moment(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_span_back_beyond_1970_ends_there() {
        let moment = Moment::Ago(Duration::from_secs(10));
        assert_eq!(moment.at(TimestampMs(11_000)), TimestampMs(1000));
        assert_eq!(moment.at(TimestampMs(9000)), TimestampMs(0));
    }

    #[test]
    fn escapes_are_replaced_and_others_refused() {
        assert_eq!(parse_text(r"\t"), Ok("\t".to_owned()));
        assert_eq!(parse_text(r"a\\\x1f:"), Ok("a\\\u{1f}:".to_owned()));
        for wrong in ["", "\\", r"\q", r"\x", r"\xff", r"\x1"] {
            assert!(parse_text(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_header_may_be_empty() {
        assert_eq!(parse_header("a="), Ok(("a".to_owned(), String::new())));
        assert!(parse_header("a").is_err_and(|text| text.contains("sensor-7")));
    }

    #[test]
    fn an_assignment_names_a_partition_and_its_nodes() {
        let assignment = |partition, nodes: &[i32]| {
            Ok(Assignment {
                partition,
                nodes: nodes.iter().copied().map(NodeId).collect(),
            })
        };
        assert_eq!(parse_assignment("0=100000"), assignment(0, &[100_000]));
        assert_eq!(parse_assignment("3 = 1, 2"), assignment(3, &[1, 2]));
        for wrong in ["", "1", "=1", "1=", "1=a", "-1=1", "1=1,,2"] {
            assert!(parse_assignment(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_topic_may_name_partitions_and_spans_of_them() {
        let parsed = |partitions: &[i32]| {
            Ok(TopicPartitions {
                topic: "t".to_owned(),
                partitions: partitions.to_vec(),
            })
        };
        assert_eq!(parse_topic_partitions("t"), parsed(&[]));
        assert_eq!(parse_topic_partitions("t:3"), parsed(&[3]));
        assert_eq!(parse_topic_partitions("t:0,2-4"), parsed(&[0, 2, 3, 4]));
        for wrong in ["", ":1", "t:", "t:a", "t:4-2", "t:1,", "t:-1"] {
            assert!(parse_topic_partitions(wrong).is_err(), "{wrong}");
        }
    }
}
