//! Benchmarks against what a user would pick instead, printed as ratios to a named baseline of the same run.
//!
//! `make bench`, or one of them: `make bench BENCH_ARGS='-- ladder'`.

pub mod contest;
