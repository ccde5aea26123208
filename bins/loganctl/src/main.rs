//! Administration, produce and consume from the command line.

fn main() {}
