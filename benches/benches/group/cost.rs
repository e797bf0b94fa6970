//! What one operation on a group costs, and the median of several rounds.

use std::time::{Duration, Instant};

/// Of one operation, over all members.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cost {
    /// T_n computed by all.
    pub(crate) ladders: u64,
    /// … by the member who computed most.
    pub(crate) ladders_busiest: u64,
    /// Sent from one member to another; the same to k members counts k times.
    pub(crate) messages: usize,
    /// Of all of those.
    pub(crate) bytes: usize,
    /// Work of all members, one after the other.
    pub(crate) time: Duration,
    /// Of the member who worked longest.
    pub(crate) time_busiest: Duration,
}

/// Attributes time to members: what passed since the last mark is the work of the member now named.
pub(crate) struct Clock {
    last: Instant,
    by: Vec<Duration>,
}

impl Clock {
    /// Starts now.
    pub(crate) fn start(members: usize) -> Self {
        Self { last: Instant::now(), by: vec![Duration::ZERO; members] }
    }

    /// What passed was this member's work.
    pub(crate) fn mark(&mut self, member: usize) {
        self.by[member] += self.last.elapsed();
        self.last = Instant::now();
    }

    /// What passed was nobody's.
    pub(crate) fn skip(&mut self) {
        self.last = Instant::now();
    }

    /// Into a cost.
    pub(crate) fn read(self, cost: &mut Cost) {
        cost.time = self.by.iter().sum();
        cost.time_busiest = self.by.into_iter().max().unwrap_or_default();
    }
}

/// By operation: the median times; the other figures do not differ between rounds by more than a few bytes.
pub(crate) fn median(rounds: Vec<[Cost; 3]>) -> [Cost; 3] {
    std::array::from_fn(|i| {
        let sorted = |time: fn(&Cost) -> Duration| {
            let mut times: Vec<Duration> = rounds.iter().map(|round| time(&round[i])).collect();
            times.sort();
            times[times.len() / 2]
        };
        let mut cost = rounds[0][i].clone();
        cost.time = sorted(|cost| cost.time);
        cost.time_busiest = sorted(|cost| cost.time_busiest);
        cost
    })
}

/// a/b, or a dash where there is nothing to compare.
pub(crate) fn ratio(a: f64, b: f64) -> String {
    if a > 0.0 && b > 0.0 { format!("{:.2}", a / b) } else { "–".into() }
}
