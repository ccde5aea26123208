//! Lists of CPUs as the kernel writes them: `0-3,8`.
//!
//! Source: "CPU lists" in the kernel's admin-guide/kernel-parameters, without strides, which sysfs never prints.

use std::collections::BTreeSet;

/// A number above this is no CPU of any kernel, whatever a file says.
const NUMBER_MAX: usize = 65_535;

/// Reads a list; the empty one is written as nothing. `None` if it is no list.
#[must_use]
pub fn parse(text: &str) -> Option<BTreeSet<usize>> {
    let mut numbers = BTreeSet::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let first: usize = first.trim().parse().ok()?;
        let last: usize = last.trim().parse().ok()?;
        if first > last || last > NUMBER_MAX {
            return None;
        }
        numbers.extend(first..=last);
    }
    Some(numbers)
}

/// Writes numbers as such a list, ascending, neighbours as ranges; `none` if there are none.
#[must_use]
pub fn format<'a>(numbers: impl IntoIterator<Item = &'a usize>) -> String {
    let numbers: BTreeSet<usize> = numbers.into_iter().copied().collect();
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    if ranges.is_empty() {
        return "none".to_owned();
    }
    let texts = ranges.into_iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    texts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::btree_set;
    use proptest::prelude::{any, proptest};

    #[test]
    fn lists_are_read_as_the_kernel_prints_them() {
        let list = |text| parse(text).map(Vec::from_iter);
        assert_eq!(list("0-3,8\n"), Some(vec![0, 1, 2, 3, 8]));
        assert_eq!(list("0,64"), Some(vec![0, 64]));
        assert_eq!(list("\n"), Some(vec![]));
        for wrong in ["x", "3-1", "-1", "0-", "0-99999999", "0-3:2/4"] {
            assert_eq!(list(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn neighbours_are_written_as_ranges() {
        assert_eq!(format(&[2, 0, 1, 8, 10, 9]), "0-2,8-10");
        assert_eq!(format(&[7]), "7");
        assert_eq!(format(&[]), "none");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(numbers in btree_set(0_usize..2000, 1..100)) {
            assert_eq!(parse(&format(&numbers)), Some(numbers));
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ignored = parse(&text);
        }
    }
}
