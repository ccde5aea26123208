//! Regular expressions of subscriptions, matched on the server.
//!
//! Kafka compiles them with RE2/J; the `regex` family of crates knows RE2's syntax, and what RE2 refuses though the crates
//! would take it is refused here too. An expression matches a topic if it matches its whole name.
//!
//! Matching happens on a shard that others need, so its cost per byte of a name must not depend on the expression: what is
//! matched is a deterministic automaton, and an expression whose automaton is large is refused. Names of topics are ASCII, so
//! it is built for ASCII alone, which keeps `\w` or `\pL` as small as `[a-z]`.
//!
//! Deliberately absent: authorisation. A topic that the member may not describe matches as well.
//!
//! Source: KIP-848; RE2/J 1.8, the version that Apache Kafka 4.3.1 ships.

use std::collections::BTreeSet;

use protocol::Str;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::ast::{
    self, AssertionKind, Ast, Flag, FlagsItemKind, HexLiteralKind, LiteralKind, RepetitionKind,
    RepetitionRange,
};
use regex_syntax::hir::translate::Translator;
use regex_syntax::hir::{self, Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look};

use crate::context::Topics;

/// The largest program before it is made deterministic. RE2/J has no bound but 1,000 repetitions.
const PROGRAM_LEN_MAX_BYTES: usize = 256 * 1024;

/// The largest automaton: one for a hundred whole names has a third of it.
const AUTOMATON_LEN_MAX_BYTES: usize = 1024 * 1024;

/// What building it may take of memory, and so of time: tens of milliseconds for the worst expressions, a tenth of one for
/// usual ones.
const BUILDING_LEN_MAX_BYTES: usize = 512 * 1024;

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
pub(crate) struct TopicRegex(dense::DFA<Vec<u32>>);

impl TopicRegex {
    /// Compiles an expression. The error is what is wrong with it, in one line.
    pub(crate) fn compile(expression: &str) -> Result<Self, String> {
        if expression.len() > EXPRESSION_LEN_MAX_BYTES {
            return Err(format!("longer than {EXPRESSION_LEN_MAX_BYTES} bytes"));
        }
        let expression = spell_out_quotes(expression);
        let ast = ast::parse::ParserBuilder::new()
            .nest_limit(NESTING_MAX)
            .build()
            .parse(&expression)
            .map_err(|error| error.kind().to_string())?;
        ast::visit(&ast, Re2)?;
        let hir = Translator::new()
            .translate(&expression, &ast)
            .map_err(|error| error.kind().to_string())?;
        let whole_name = Hir::concat(vec![
            Hir::look(Look::Start),
            ascii(hir),
            Hir::look(Look::End),
        ]);
        let too_large = "too large when compiled";
        let nfa = thompson::Compiler::new()
            .configure(
                thompson::Config::new()
                    .utf8(false)
                    .nfa_size_limit(Some(PROGRAM_LEN_MAX_BYTES))
                    .which_captures(thompson::WhichCaptures::None),
            )
            .build_from_hir(&whole_name)
            .map_err(|_size| too_large.to_owned())?;
        dense::Builder::new()
            .configure(
                dense::Config::new()
                    .start_kind(StartKind::Anchored)
                    // Any match will do, and it ends at the end of the name.
                    .match_kind(MatchKind::All)
                    .dfa_size_limit(Some(AUTOMATON_LEN_MAX_BYTES))
                    .determinize_size_limit(Some(BUILDING_LEN_MAX_BYTES)),
            )
            .build_from_nfa(&nfa)
            .map(Self)
            .map_err(|_size| too_large.to_owned())
    }

    /// Whether it matches the whole of a topic's name.
    pub(crate) fn matches(&self, topic: &str) -> bool {
        let input = Input::new(topic).anchored(Anchored::Yes);
        // It gives up only on bytes that it was told to give up on, and there are none.
        self.0
            .try_search_fwd(&input)
            .is_ok_and(|found| found.is_some())
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

/// The same expression for names that are ASCII.
///
/// Recursive: expressions nest at most [`NESTING_MAX`] deep.
fn ascii(hir: Hir) -> Hir {
    match hir.into_kind() {
        HirKind::Class(Class::Unicode(mut class)) => {
            class.intersect(&ClassUnicode::new([ClassUnicodeRange::new('\0', '\x7f')]));
            Hir::class(Class::Unicode(class))
        }
        HirKind::Class(class @ Class::Bytes(_)) => Hir::class(class),
        HirKind::Look(look) => Hir::look(match look {
            Look::WordUnicode => Look::WordAscii,
            Look::WordUnicodeNegate => Look::WordAsciiNegate,
            look => look,
        }),
        HirKind::Repetition(repetition) => Hir::repetition(hir::Repetition {
            sub: Box::new(ascii(*repetition.sub)),
            ..repetition
        }),
        HirKind::Capture(capture) => ascii(*capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.into_iter().map(ascii).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.into_iter().map(ascii).collect()),
        HirKind::Literal(hir::Literal(bytes)) => Hir::literal(bytes),
        HirKind::Empty => Hir::empty(),
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
            spelled.push_str(&regex_syntax::escape(literal));
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
            // Small, but each byte of a name would have to be compared with a thousand places in it.
            "(?:[ab0-9]?){1000}x".to_owned(),
            "(a|b)*a(a|b){30}".to_owned(),
        ] {
            assert!(TopicRegex::compile(&expression).is_err(), "{expression}");
        }
    }

    #[test]
    fn what_is_written_in_earnest_is_not_too_large() {
        let names: Vec<String> = (0..100)
            .map(|index| format!("orders.region-{index}.customer-events.v2"))
            .collect();
        for (expression, name) in [
            (names.join("|"), "orders.region-7.customer-events.v2"),
            (r"(?i)\w+[.-]\w+(\.v\d{1,3})?".to_owned(), "Orders.EU.v12"),
            (r"(?:\pL|\pN|[.-]){1,249}".to_owned(), "any.name-at-all"),
            (r".*(dead|retry|dlq).*\b\d+".to_owned(), "orders.retry.5"),
            ("[^_].{0,200}events".to_owned(), "customer-events"),
        ] {
            let regex = TopicRegex::compile(&expression).expect("compiles");
            assert!(regex.matches(name), "{expression}");
            assert!(!regex.matches("_internal"), "{expression}");
        }
    }

    #[test]
    fn an_expression_cannot_comment_the_anchor_out() {
        assert!(TopicRegex::compile("(?x)a #").is_err());
    }
}
