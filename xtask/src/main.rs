//! Repository chores: setup, test, scaffold, docs, bench.
fn main() {}
