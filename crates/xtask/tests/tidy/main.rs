//! The tidy checks: rules about the tree that no compiler enforces.
//!
//! Each check is a pure function from what it looks at to a list of violations, held once against the tree and once
//! against an input that breaks the rule. That generated code is up to date is tested beside the generator.

mod compatibility;
mod edges;
mod glommio;
mod links;
mod paths;
mod security;
mod sizes;
mod sources;
mod top_level;
mod tree;
mod unsafe_list;

/// Fails with every violation on a line of its own.
fn assert_none(rule: &str, violations: &[String]) {
    assert!(
        violations.is_empty(),
        "{rule}:\n  {}",
        violations.join("\n  ")
    );
}
