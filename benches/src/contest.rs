//! A contest: several ways to do one job, measured in turns on one machine, told as ratios to the first.
//!
//! Rounds are interleaved, so that a busy neighbour or a warm processor slows everyone alike: ratios hold where figures
//! do not. The median of the rounds is what is printed.
// Printing the table is this module's purpose.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Rounds of each contestant.
const ROUNDS: usize = 25;
/// A round repeats its job until it has taken about this long.
const ROUND_MS_MIN: u64 = 8;

struct Contestant<'a> {
    name: String,
    job: Box<dyn FnMut() + 'a>,
    repeats: u32,
    rounds: Vec<Duration>,
}

/// Several ways to do one job; the first to enter is the baseline.
pub struct Contest<'a> {
    title: String,
    contestants: Vec<Contestant<'a>>,
}

impl<'a> Contest<'a> {
    /// A contest of that title.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), contestants: Vec::new() }
    }

    /// Enters a contestant. What `job` returns is kept from being optimised away.
    #[must_use]
    pub fn enter<T>(mut self, name: impl Into<String>, mut job: impl FnMut() -> T + 'a) -> Self {
        let job = Box::new(move || {
            black_box(job());
        });
        self.contestants.push(Contestant { name: name.into(), job, repeats: 1, rounds: Vec::new() });
        self
    }

    /// Measures and prints the table, unless the command line names other contests. With `--test`, runs each job once.
    pub fn run(mut self) {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let mut wanted = args.iter().filter(|arg| !arg.starts_with('-')).peekable();
        let title = self.title.to_lowercase();
        if wanted.peek().is_some() && !wanted.any(|name| title.contains(&name.to_lowercase())) {
            return;
        }
        if args.iter().any(|arg| arg == "--test") {
            self.contestants.iter_mut().for_each(|c| (c.job)());
            return println!("{}: each job ran once", self.title);
        }
        self.measure();
        self.print();
    }

    fn measure(&mut self) {
        for c in &mut self.contestants {
            let started = Instant::now();
            (c.job)();
            let once = started.elapsed().max(Duration::from_nanos(50));
            let repeats = Duration::from_millis(ROUND_MS_MIN).as_nanos() / once.as_nanos();
            c.repeats = u32::try_from(repeats).unwrap_or(u32::MAX).max(1);
        }
        for _ in 0..ROUNDS {
            for c in &mut self.contestants {
                let started = Instant::now();
                (0..c.repeats).for_each(|_| (c.job)());
                c.rounds.push(started.elapsed() / c.repeats);
            }
        }
    }

    fn print(&mut self) {
        let medians: Vec<Duration> = self
            .contestants
            .iter_mut()
            .map(|c| {
                c.rounds.sort();
                c.rounds[c.rounds.len() / 2]
            })
            .collect();
        let width = self.contestants.iter().map(|c| c.name.chars().count()).max().unwrap_or(0);
        println!("\n{}", self.title);
        for (c, median) in self.contestants.iter().zip(&medians) {
            let ratio = median.as_secs_f64() / medians[0].as_secs_f64();
            let name = format!("{:width$}", c.name);
            let time = format!("{median:.1?}");
            let note = if std::ptr::eq(c, &self.contestants[0]) { "  (baseline)" } else { "" };
            println!("  {name}  {time:>10}  {ratio:>8.3} ×{note}");
        }
    }
}
