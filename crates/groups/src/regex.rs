//! Regular expressions of subscriptions, matched on the server.
//!
//! Kafka compiles them with RE2/J; the `regex` crate knows RE2's syntax and matches in linear time as well. Programs
//! are bounded in size, so that a small expression cannot cost much memory, and what RE2 refuses though the crate
//! would take it is refused here too. An expression matches a topic if it matches its whole name.
//!
//! Deliberately absent: authorisation. A topic that the member may not describe matches as well.
//!
//! Source: KIP-848; RE2/J 1.8, the version that Apache Kafka 4.3.1 ships.

use std::collections::BTreeSet;

use protocol::Str;
use regex::{Regex, RegexBuilder};
use regex_syntax::ast::{
    self, AssertionKind, Ast, Flag, FlagsItemKind, HexLiteralKind, LiteralKind, RepetitionKind,
    RepetitionRange,
};

use crate::context::Topics;

/// The largest compiled program and the largest cache of a lazy automaton. RE2/J has no bound but 1,000 repetitions.
const PROGRAM_LEN_MAX_BYTES: usize = 256 * 1024;

/// The longest expression. Topic names have at most 249 characters.
const EXPRESSION_LEN_MAX_BYTES: usize = 4_096;

/// How deep an expression may nest.
const NESTING_MAX: u32 = 64;

/// The most repetitions that a counted repetition may ask for, as in RE2.
const REPETITIONS_MAX: u32 = 1_000;

/// Names that a group may subscribe to by one expression, a bound on the record that holds them.
const TOPICS_MAX: usize = 10_000;

/// An expression that compiles.
#[derive(Clone, Debug)]
pub(crate) struct TopicRegex(Regex);

impl TopicRegex {
    /// Compiles an expression. The error is what is wrong with it, in one line.
    pub(crate) fn compile(expression: &str) -> Result<Self, String> {
        if expression.len() > EXPRESSION_LEN_MAX_BYTES {
            return Err(format!("longer than {EXPRESSION_LEN_MAX_BYTES} bytes"));
        }
        let expression = spell_out_quotes(expression);
        // Parsed by itself first: `a)|(b` is no expression, though it would be one between the anchors.
        let ast = ast::parse::ParserBuilder::new()
            .nest_limit(NESTING_MAX)
            .build()
            .parse(&expression)
            .map_err(|error| error.kind().to_string())?;
        ast::visit(&ast, Re2)?;
        RegexBuilder::new(&format!("^(?:{expression})$"))
            .size_limit(PROGRAM_LEN_MAX_BYTES)
            .dfa_size_limit(PROGRAM_LEN_MAX_BYTES)
            .nest_limit(NESTING_MAX + 8)
            .build()
            .map(Self)
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => "too large when compiled".to_owned(),
                other => other
                    .to_string()
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .to_owned(),
            })
    }

    /// Whether it matches the whole of a topic's name.
    pub(crate) fn matches(&self, topic: &str) -> bool {
        self.0.is_match(topic)
    }

    /// The names of the topics that match, at most [`TOPICS_MAX`]: the first in their order.
    pub(crate) fn resolve(&self, topics: &dyn Topics) -> BTreeSet<Str> {
        topics
            .names()
            .filter(|name| self.matches(name))
            .take(TOPICS_MAX)
            .map(Str::from)
            .collect()
    }
}

/// Replaces `\Q...\E`, which the crate does not know, by the escaped text between.
fn spell_out_quotes(expression: &str) -> String {
    let mut spelled = String::with_capacity(expression.len());
    let mut rest = expression;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        spelled.push_str(before);
        if let Some(quoted) = escape.strip_prefix("\\Q") {
            let (literal, after) = quoted.split_once("\\E").unwrap_or((quoted, ""));
            spelled.push_str(&regex::escape(literal));
            rest = after;
        } else {
            let end = escape
                .char_indices()
                .nth(2)
                .map_or(escape.len(), |(index, _)| index);
            let (pair, after) = escape.split_at(end);
            spelled.push_str(pair);
            rest = after;
        }
    }
    spelled.push_str(rest);
    spelled
}

/// Finds what the crate takes and RE2 does not, or reads otherwise.
struct Re2;

impl ast::Visitor for Re2 {
    type Output = ();
    type Err = String;

    fn finish(self) -> Result<(), String> {
        Ok(())
    }

    fn visit_pre(&mut self, node: &Ast) -> Result<(), String> {
        match node {
            Ast::Flags(set) => check_flags(&set.flags),
            Ast::Group(group) => match &group.kind {
                ast::GroupKind::NonCapturing(flags) => check_flags(flags),
                ast::GroupKind::CaptureIndex(_) | ast::GroupKind::CaptureName { .. } => Ok(()),
            },
            Ast::Repetition(repetition) => check_repetition(repetition),
            Ast::Assertion(assertion) => match assertion.kind {
                AssertionKind::StartLine
                | AssertionKind::EndLine
                | AssertionKind::StartText
                | AssertionKind::EndText
                | AssertionKind::WordBoundary
                | AssertionKind::NotWordBoundary => Ok(()),
                _ => Err("invalid escape sequence".to_owned()),
            },
            Ast::Literal(literal) => check_literal(literal),
            _ => Ok(()),
        }
    }

    fn visit_class_set_item_pre(&mut self, item: &ast::ClassSetItem) -> Result<(), String> {
        match item {
            // RE2 reads the inner bracket as a character.
            ast::ClassSetItem::Bracketed(_) => Err("nested character class".to_owned()),
            ast::ClassSetItem::Literal(literal) => check_literal(literal),
            _ => Ok(()),
        }
    }

    fn visit_class_set_binary_op_pre(&mut self, _: &ast::ClassSetBinaryOp) -> Result<(), String> {
        Err("operator in a character class".to_owned())
    }
}

fn check_flags(flags: &ast::Flags) -> Result<(), String> {
    let known = flags.items.iter().all(|item| {
        matches!(
            item.kind,
            FlagsItemKind::Negation
                | FlagsItemKind::Flag(
                    Flag::CaseInsensitive
                        | Flag::MultiLine
                        | Flag::DotMatchesNewLine
                        | Flag::SwapGreed
                )
        )
    });
    if known {
        Ok(())
    } else {
        Err("invalid or unsupported Perl syntax".to_owned())
    }
}

fn check_literal(literal: &ast::Literal) -> Result<(), String> {
    match literal.kind {
        LiteralKind::HexFixed(HexLiteralKind::UnicodeShort | HexLiteralKind::UnicodeLong)
        | LiteralKind::HexBrace(HexLiteralKind::UnicodeShort | HexLiteralKind::UnicodeLong) => {
            Err("invalid escape sequence".to_owned())
        }
        _ => Ok(()),
    }
}

fn check_repetition(repetition: &ast::Repetition) -> Result<(), String> {
    if matches!(*repetition.ast, Ast::Repetition(_)) {
        return Err("invalid nested repetition operator".to_owned());
    }
    let most = match &repetition.op.kind {
        RepetitionKind::Range(
            RepetitionRange::Exactly(most)
            | RepetitionRange::AtLeast(most)
            | RepetitionRange::Bounded(_, most),
        ) => *most,
        RepetitionKind::ZeroOrOne | RepetitionKind::ZeroOrMore | RepetitionKind::OneOrMore => 0,
    };
    if most > REPETITIONS_MAX {
        return Err("invalid repeat count".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::TopicRegex;

    #[test]
    fn a_whole_name_must_match() {
        let regex = TopicRegex::compile("orders|order").expect("compiles");
        assert!(regex.matches("orders"));
        assert!(regex.matches("order"));
        assert!(!regex.matches("orders-eu"));
        assert!(!regex.matches("my-order"));
    }

    #[test]
    fn what_re2_takes_is_taken() {
        for (expression, name) in [
            (r"\pN+", "42"),
            (r"\Qa.b\E.*", "a.b-c"),
            (r"\Qa.b", "a.b"),
            (r"(?P<n>a)(?<m>b)", "ab"),
            (r"[[:alpha:]]+", "abc"),
            (r"(?i)foo", "FOO"),
            (r"(?m)^a$", "a"),
            (r"(?U)a+", "aaa"),
            (r"\x41\x{42}", "AB"),
            (r"a{2,3}?", "aaa"),
            (r"[^\d]+\b", "abc"),
            (r"", ""),
        ] {
            let regex = TopicRegex::compile(expression);
            assert!(
                regex.is_ok_and(|regex| regex.matches(name)),
                "{expression} {name}"
            );
        }
    }

    #[test]
    fn what_re2_refuses_is_refused() {
        for expression in [
            "(", ")", "a)|(b", "a(?=b)", "a{1001}", "a++", r"\C", r"\Z", "a**", "x*{2}", r"\u00e9",
            "(?x) a b", r"\h", r"\1", r"[a-\d]", "(?>a)", "a{2,1}", "[b-a]", r"\e",
        ] {
            assert!(TopicRegex::compile(expression).is_err(), "{expression}");
        }
    }

    #[test]
    fn what_the_crate_reads_otherwise_is_refused() {
        for expression in ["[a&&b]", "[a[b]]", r"\<a", r"\b{start}a", "(?R)a", "(?-u)a"] {
            assert!(TopicRegex::compile(expression).is_err(), "{expression}");
        }
    }

    #[test]
    fn size_and_depth_are_bounded() {
        for expression in [
            "a".repeat(5_000),
            "(a{900}){900}".to_owned(),
            format!("{}a{}", "(".repeat(200), ")".repeat(200)),
        ] {
            assert!(TopicRegex::compile(&expression).is_err());
        }
    }

    #[test]
    fn an_expression_cannot_comment_the_anchor_out() {
        assert!(TopicRegex::compile("(?x)a #").is_err());
    }
}
