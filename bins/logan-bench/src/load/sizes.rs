//! How large records are.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::{Chance, whole};

/// The largest record that makes sense: a batch of Kafka's is at most 2 GiB, and brokers take far less.
const SIZE_MAX: u32 = 256 << 20;

/// Sizes of values in bytes, and how often each occurs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sizes {
    Fixed(u32),
    Uniform { min: u32, max: u32 },
    Normal { mean: u32, deviation: u32 },
    Mix(Vec<(u32, f64)>),
}

impl Sizes {
    /// Draws one.
    pub(crate) fn draw(&self, chance: &mut Chance) -> u32 {
        match self {
            Self::Fixed(size) => *size,
            Self::Uniform { min, max } => {
                let span = u64::from(max - min) + 1;
                let drawn = u32::try_from(chance.below(span)).unwrap_or(u32::MAX);
                min + drawn
            }
            Self::Normal { mean, deviation } => {
                // The sum of twelve uniform numbers is as good as normal within the six deviations that it spans.
                let sum: f64 = (0..12).map(|_| chance.fraction()).sum();
                let drawn = f64::from(*mean) + (sum - 6.0) * f64::from(*deviation);
                let drawn = u32::try_from(whole(drawn.max(1.0))).unwrap_or(SIZE_MAX);
                drawn.min(SIZE_MAX)
            }
            Self::Mix(parts) => {
                let total: f64 = parts.iter().map(|(_, weight)| weight).sum();
                let mut left = chance.fraction() * total;
                for (size, weight) in parts {
                    left -= weight;
                    if left < 0.0 {
                        return *size;
                    }
                }
                parts.last().map_or(1, |(size, _)| *size)
            }
        }
    }

    /// The mean in bytes.
    pub(crate) fn mean(&self) -> f64 {
        match self {
            Self::Fixed(size) => f64::from(*size),
            Self::Uniform { min, max } => f64::midpoint(f64::from(*min), f64::from(*max)),
            Self::Normal { mean, .. } => f64::from(*mean),
            Self::Mix(parts) => {
                let total: f64 = parts.iter().map(|(_, weight)| weight).sum();
                let sum: f64 = parts
                    .iter()
                    .map(|(size, weight)| f64::from(*size) * weight)
                    .sum();
                sum / total
            }
        }
    }

    /// The smallest that may be drawn.
    pub(crate) fn min(&self) -> u32 {
        match self {
            Self::Fixed(size) => *size,
            Self::Uniform { min, .. } => *min,
            Self::Normal { mean, deviation } => mean.saturating_sub(deviation.saturating_mul(6)),
            Self::Mix(parts) => parts.iter().map(|(size, _)| *size).min().unwrap_or(0),
        }
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size}"),
            Self::Uniform { min, max } => write!(f, "uniform:{min}-{max}"),
            Self::Normal { mean, deviation } => write!(f, "normal:{mean}:{deviation}"),
            Self::Mix(parts) => {
                f.write_str("mix:")?;
                for (at, (size, weight)) in parts.iter().enumerate() {
                    let comma = if at == 0 { "" } else { "," };
                    write!(f, "{comma}{size}={weight}")?;
                }
                Ok(())
            }
        }
    }
}

impl Serialize for Sizes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Sizes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "write 1000, uniform:100-2000, normal:1000:200 or mix:100=9,10000=1 (size=weight), sizes from 1 byte to 256 MiB";
        let wrong = || form.to_owned();
        let size = |text: &str| {
            let size = text.trim().parse::<u32>().ok();
            size.filter(|size| (1..=SIZE_MAX).contains(size))
                .ok_or_else(wrong)
        };
        match text.split_once(':') {
            None => Ok(Self::Fixed(size(text)?)),
            Some(("uniform", range)) => {
                let (min, max) = range.split_once('-').ok_or_else(wrong)?;
                let (min, max) = (size(min)?, size(max)?);
                if min > max {
                    return Err(format!("{min} is above {max}; {form}"));
                }
                Ok(Self::Uniform { min, max })
            }
            Some(("normal", rest)) => {
                let (mean, deviation) = rest.split_once(':').ok_or_else(wrong)?;
                let (mean, deviation) = (size(mean)?, size(deviation)?);
                Ok(Self::Normal { mean, deviation })
            }
            Some(("mix", parts)) => {
                let part = |part: &str| {
                    let (bytes, weight) = part.split_once('=').ok_or_else(wrong)?;
                    let weight = weight.trim().parse::<f64>().ok();
                    let weight = weight.filter(|weight| weight.is_finite() && *weight > 0.0);
                    Ok((size(bytes)?, weight.ok_or_else(wrong)?))
                };
                let parts: Result<Vec<_>, String> = parts.split(',').map(part).collect();
                Ok(Self::Mix(parts?))
            }
            Some(_) => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(text: &str) -> Sizes {
        text.parse().expect(text)
    }

    #[test]
    fn sizes_are_written_as_they_are_read() {
        for text in [
            "1000",
            "uniform:100-2000",
            "normal:1000:200",
            "mix:100=9,10000=1.5",
        ] {
            assert_eq!(sizes(text).to_string(), text);
        }
        for wrong in [
            "",
            "0",
            "-1",
            "uniform:5",
            "uniform:9-1",
            "mix:100",
            "gauss:1:2",
        ] {
            assert!(wrong.parse::<Sizes>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_drawn_keeps_to_its_bounds_and_its_mean() {
        let mut chance = Chance::new(3);
        for text in ["100", "uniform:100-300", "normal:200:20", "mix:100=1,300=1"] {
            let sizes = sizes(text);
            let drawn: Vec<u32> = (0..2000).map(|_| sizes.draw(&mut chance)).collect();
            assert!(drawn.iter().all(|size| *size >= sizes.min()), "{text}");
            let mean = drawn.iter().copied().map(f64::from).sum::<f64>() / 2000.0;
            assert!((mean - sizes.mean()).abs() < 10.0, "{text}: {mean}");
        }
    }
}
