//! Development tasks: code generation and the tidy checks.

fn main() {}
