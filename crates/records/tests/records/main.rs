//! Batches from outside: what is built, what is refused, and what compression may hold.

mod compression;
mod damage;
mod filter;
mod golden;
mod round_trip;
mod rules;
mod search;
mod slices;
mod support;
mod verdicts;
