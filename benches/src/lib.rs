//! Criterion benches of the hot path; the benches stand beside this file.
