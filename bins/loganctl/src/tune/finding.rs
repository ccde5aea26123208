//! What a tuner has to say about one thing.

use std::path::PathBuf;

use command_line::{Column, Tabular};
use serde::{Serialize, Serializer};

/// Whether something should be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is as it should be, or not there at all.
    Fine,
    /// It should be changed, and `apply` can.
    Change,
    /// It should be changed, by hand.
    ByHand,
}

impl Verdict {
    fn text(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Change => "change",
            Self::ByHand => "by hand",
        }
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

/// A change of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Change {
    /// This text into a file of the kernel's.
    Write {
        /// Below the root, such as `proc/sys/vm/swappiness`.
        path: String,
        /// Without a line break.
        text: String,
    },
    /// A file of zeros that takes up room.
    Reserve {
        /// Below the root.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
}

/// One thing, as it is and as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) tuner: &'static str,
    /// What it is about, such as `eth0`.
    pub(crate) subject: String,
    pub(crate) now: String,
    pub(crate) wanted: String,
    pub(crate) verdict: Verdict,
    /// Why that would be better.
    pub(crate) why: &'static str,
    /// What an operator does where no change is known.
    pub(crate) by_hand: Option<String>,
    pub(crate) changes: Vec<Change>,
}

impl Finding {
    /// Something that is as it should be.
    pub(crate) fn fine(subject: impl Into<String>, now: impl Into<String>) -> Self {
        let now = now.into();
        Self {
            tuner: "",
            subject: subject.into(),
            wanted: now.clone(),
            now,
            verdict: Verdict::Fine,
            why: "",
            by_hand: None,
            changes: Vec::new(),
        }
    }

    /// It should become this, by these changes, for this reason.
    pub(crate) fn change(
        self,
        wanted: impl Into<String>,
        changes: Vec<Change>,
        why: &'static str,
    ) -> Self {
        Self {
            wanted: wanted.into(),
            verdict: Verdict::Change,
            why,
            changes,
            ..self
        }
    }

    /// It should become this, for this reason, and somebody has to do what `by_hand` says.
    pub(crate) fn by_hand(
        self,
        wanted: impl Into<String>,
        by_hand: impl Into<String>,
        why: &'static str,
    ) -> Self {
        Self {
            wanted: wanted.into(),
            verdict: Verdict::ByHand,
            why,
            by_hand: Some(by_hand.into()),
            ..self
        }
    }
}

impl Tabular for Finding {
    const COLUMNS: &'static [Column] = &[
        Column::Text("TUNER"),
        Column::Text("SUBJECT"),
        Column::Text("NOW"),
        Column::Text("WANTED"),
        Column::Text("VERDICT"),
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.tuner.to_owned(),
            self.subject.clone(),
            self.now.clone(),
            self.wanted.clone(),
            self.verdict.text().to_owned(),
        ]
    }
}
