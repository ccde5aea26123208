//! What the command-line programs have in common: global options, results in three formats, failures with advice and exit
//! codes, completions and manual pages.
//!
//! A program adds its commands, and the advice that only it can give. Nothing here keeps state, starts a thread, or ends the
//! process.
//!
//! Deliberately absent: progress bars, which show other things in each program, and anything that talks to a broker.

mod failure;
mod generated;
mod global;
mod output;
mod table;
mod values;

pub use failure::{Advice, Failure};
pub use generated::{print_completions, write_man_pages};
pub use global::{ColorWhen, Global, OutputFormat};
pub use output::Output;
pub use table::{Column, Section, Tabular, or_dash};
pub use values::{parse_duration, parse_pair, parse_server, parse_setting};
