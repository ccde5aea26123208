//! Deliberate defects, with which the simulator's tests show that they would notice real ones.
//!
//! Code under test asks [`crate::Io::has_defect`], which is `false`, a constant, on every seam but the simulated one: the
//! compiler leaves out what depends on it, and no build of the broker can switch it on.
//!
//! Deliberately absent: anything that is decided here; a defect is what the place that asks makes of it.

/// A mistake that somebody could have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// Records are acknowledged once they are written, before they are synced.
    AckBeforeSync,
    /// A sync that failed counts as one that succeeded.
    IgnoreFailedSync,
    /// The high watermark follows the log end at once.
    EarlyWatermark,
    /// The checksum of a produced batch is not checked.
    SkipCrc,
    /// Recovery believes the tail of a log without its checksums.
    TrustTail,
    /// A new segment begins one offset too late.
    RollOffByOne,
    /// The directory is not synced when a new segment's name is in it.
    SkipDirectorySync,
    /// Producers are forgotten when a log is opened.
    ForgetProducers,
    /// Two answers that arrive together from another shard change places.
    WrongConnection,
    /// Now and then a message between shards is lost.
    LoseMessage,
    /// A commit of an old generation counts as one of the present generation.
    OldGeneration,
}

impl Defect {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::AckBeforeSync,
        Self::IgnoreFailedSync,
        Self::EarlyWatermark,
        Self::SkipCrc,
        Self::TrustTail,
        Self::RollOffByOne,
        Self::SkipDirectorySync,
        Self::ForgetProducers,
        Self::WrongConnection,
        Self::LoseMessage,
        Self::OldGeneration,
    ];

    /// Its name on a command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AckBeforeSync => "ack-before-sync",
            Self::IgnoreFailedSync => "ignore-failed-sync",
            Self::EarlyWatermark => "early-watermark",
            Self::SkipCrc => "skip-crc",
            Self::TrustTail => "trust-tail",
            Self::RollOffByOne => "roll-off-by-one",
            Self::SkipDirectorySync => "skip-directory-sync",
            Self::ForgetProducers => "forget-producers",
            Self::WrongConnection => "wrong-connection",
            Self::LoseMessage => "lose-message",
            Self::OldGeneration => "old-generation",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|defect| defect.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::Defect;

    #[test]
    fn every_defect_is_found_by_its_name() {
        for defect in Defect::ALL {
            assert_eq!(Defect::named(defect.name()), Some(defect));
        }
        assert_eq!(Defect::named("none"), None);
    }
}
