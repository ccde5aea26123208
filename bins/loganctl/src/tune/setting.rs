//! Settings that are one file of the kernel's.

use super::finding::Change;

/// The word in brackets, of a file that lists all: `none [mq-deadline] kyber`. Without brackets the whole text.
pub(super) fn chosen(text: &str) -> &str {
    let behind = text.split_once('[').map(|(_, behind)| behind);
    let found = behind.and_then(|behind| behind.split_once(']'));
    found.map_or(text, |(found, _)| found)
}

/// Whether a file that lists all has this one.
pub(super) fn offers(text: &str, wanted: &str) -> bool {
    let mut words = text.split_whitespace();
    words.any(|word| word.trim_matches(['[', ']']) == wanted)
}

pub(super) fn write(path: impl Into<String>, text: &(impl ToString + ?Sized)) -> Change {
    Change::Write {
        path: path.into(),
        text: text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{chosen, offers};

    #[test]
    fn the_choice_stands_in_brackets() {
        assert_eq!(chosen("none [mq-deadline] kyber"), "mq-deadline");
        assert_eq!(chosen("none"), "none");
        assert!(offers("none [mq-deadline] kyber", "none"));
        assert!(offers("none [mq-deadline] kyber", "mq-deadline"));
        assert!(!offers("mq-deadline kyber", "none"));
    }
}
