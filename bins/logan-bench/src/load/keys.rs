//! Which keys records have.

use std::fmt;
use std::str::FromStr;

use client::Partitioner;
use serde::{Serialize, Serializer};

use super::Chance;

/// Keys are drawn from tables, which are kept in memory.
const COUNT_MAX: usize = 10_000_000;

/// Keys and how often each occurs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Keys {
    None,
    Uniform { count: usize },
    Zipf { count: usize, exponent: f64 },
}

/// The keys of one partition and their weights, summed up.
#[derive(Clone, Debug)]
pub(crate) struct KeyTable {
    keys: Vec<usize>,
    sums: Vec<f64>,
}

impl Keys {
    /// The keys as `partitions` share them by Kafka's hash; nothing without keys.
    pub(crate) fn tables(self, partitions: usize) -> Vec<KeyTable> {
        let (count, exponent) = match self {
            Self::None => return Vec::new(),
            Self::Uniform { count } => (count, 0.0),
            Self::Zipf { count, exponent } => (count, exponent),
        };
        let empty = KeyTable {
            keys: Vec::new(),
            sums: Vec::new(),
        };
        let mut tables = vec![empty; partitions];
        let partitioner = Partitioner::new(u32::try_from(partitions).unwrap_or(u32::MAX), 0);
        for number in 0..count {
            let partition = partitioner.partition(Some(key_of(number).as_bytes()));
            let at = usize::try_from(partition.0).expect("partitions are not negative");
            let weight = 1.0 / ((number + 1) as f64).powf(exponent);
            let sum = tables[at].weight() + weight;
            tables[at].keys.push(number);
            tables[at].sums.push(sum);
        }
        tables
    }
}

/// The key of this number.
fn key_of(number: usize) -> String {
    format!("key-{number:08}")
}

impl KeyTable {
    /// What share of all records it gets, relative to the other tables.
    pub(crate) fn weight(&self) -> f64 {
        self.sums.last().copied().unwrap_or(0.0)
    }

    /// Draws a key; `None` when the partition has none.
    pub(crate) fn draw(&self, chance: &mut Chance) -> Option<String> {
        let wanted = chance.fraction() * self.weight();
        let at = self.sums.partition_point(|sum| *sum <= wanted);
        self.keys.get(at).copied().map(key_of)
    }
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Uniform { count } => write!(f, "uniform:{count}"),
            Self::Zipf { count, exponent } => write!(f, "zipf:{count}:{exponent}"),
        }
    }
}

impl Serialize for Keys {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Keys {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("write none, uniform:1000 or zipf:1000:0.99, with 1 to {COUNT_MAX} keys");
        let count = |text: &str| {
            let count = text.parse::<usize>().ok();
            count
                .filter(|count| (1..=COUNT_MAX).contains(count))
                .ok_or_else(wrong)
        };
        match text.split_once(':') {
            None if text == "none" => Ok(Self::None),
            Some(("uniform", rest)) => Ok(Self::Uniform {
                count: count(rest)?,
            }),
            Some(("zipf", rest)) => {
                let (keys, exponent) = rest.split_once(':').unwrap_or((rest, "0.99"));
                let exponent = exponent.parse::<f64>().ok();
                let exponent = exponent.filter(|exponent| (0.0..=10.0).contains(exponent));
                Ok(Self::Zipf {
                    count: count(keys)?,
                    exponent: exponent.ok_or_else(wrong)?,
                })
            }
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_as_they_are_read() {
        for text in ["none", "uniform:1000", "zipf:1000:0.99"] {
            assert_eq!(text.parse::<Keys>().expect(text).to_string(), text);
        }
        for wrong in ["", "uniform", "uniform:0", "zipf:10:x", "zipf:10:-1"] {
            assert!(wrong.parse::<Keys>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_partition_draws_its_own_keys_and_popular_ones_more_often() {
        let keys = Keys::Zipf {
            count: 100,
            exponent: 1.0,
        };
        let tables = keys.tables(3);
        let mut chance = Chance::new(5);
        for (table, partition) in tables.iter().zip(0..) {
            let drawn: Vec<String> = (0..300).filter_map(|_| table.draw(&mut chance)).collect();
            assert_eq!(drawn.len(), 300);
            let partitioner = Partitioner::new(3, 0);
            let at = |key: &String| partitioner.partition(Some(key.as_bytes())).0;
            assert!(drawn.iter().all(|key| at(key) == partition));
            let first = key_of(table.keys[0]);
            let last = key_of(table.keys[table.keys.len() - 1]);
            let times = |wanted: &String| drawn.iter().filter(|key| *key == wanted).count();
            assert!(times(&first) > times(&last));
        }
    }
}
