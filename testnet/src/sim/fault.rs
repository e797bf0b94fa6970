//! Misfortunes of a simulated network, as values: each stands in a list, has a text of its own, and can be left out.

use std::fmt;

/// What is wrong with a network, where and when. Times are ms from the start. The text form ([`fmt::Display`] and
/// [`std::str::FromStr`]) is one word, e.g. `cut:0-3,7@10s-40s`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `cut:NODES@FROM-UNTIL`: these nodes hear nothing of the others. Cuts may overlap.
    Cut {
        /// The nodes on one side.
        side: Vec<usize>,
        /// When it begins and ends.
        time: Span,
    },
    /// `crash:NODE[/write=N|/torn=P]@AT+DOWN`: a node dies and comes back.
    Crash {
        /// Which.
        node: usize,
        /// How.
        death: Death,
        /// When, ms.
        at_ms: u64,
        /// How long it stays away, ms.
        down_ms: u64,
    },
    /// `clock:NODE/+9s@FROM-UNTIL` or `clock:NODE/-200ppm@…`: a node's clock is wrong.
    Clock {
        /// Whose.
        node: usize,
        /// How far ahead (or behind), ms.
        offset_ms: i64,
        /// How much faster (or slower), millionths.
        drift_ppm: i64,
        /// When it begins and is set right.
        time: Span,
    },
    /// `loss:10%@FROM-UNTIL`: so many of a hundred segments are lost on every link, and sent again.
    Loss {
        /// Of a hundred, below 100.
        percent: u8,
        /// When it begins and ends.
        time: Span,
    },
    /// `slow:5x@FROM-UNTIL`: every link's delay is so many times its own.
    Slow {
        /// How many times.
        factor: u64,
        /// When it begins and ends.
        time: Span,
    },
    /// `evil:NODE/DEED`: a node does not keep to the protocol, from the start to the end of the busy time.
    Evil {
        /// Which.
        node: usize,
        /// What it does.
        deed: Deed,
    },
}

/// From when until when, ms from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// When it begins.
    pub from_ms: u64,
    /// When it ends.
    pub until_ms: u64,
}

/// How a node dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// The process is killed between two writes; what it had handed to the system is there.
    Kill,
    /// It comes back at once, and its disk fails at the n-th write after that. Odd: the write is lost.
    AtWrite(u64),
    /// The power goes: of the writes since the last synced one only so many of a hundred are there, the oldest.
    Torn(u8),
}

/// What a malicious node does. In all else it behaves as any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Mines blocks that break a rule (R-SIG, R-DUP, R-EXPIRY, R-UPLOADER or R-TIME, drawn for each) and stands by them.
    Liar,
    /// Keeps the blocks it finds to itself until the others come near, then releases all (selfish mining).
    Withholder,
    /// Floods orphans and bytes that are no message, boasts of work it has not, and serves long chains of little work.
    Spammer,
    /// Finds two blocks at once and gives one to each half of its peers.
    Equivocator,
    /// Takes every question and answers none.
    Staller,
    /// Passes blocks on with another body under the same header.
    Mutator,
}

impl Deed {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Liar, Self::Withholder, Self::Spammer, Self::Equivocator, Self::Staller, Self::Mutator];

    /// Its name in a fault's text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Liar => "liar",
            Self::Withholder => "withholder",
            Self::Spammer => "spammer",
            Self::Equivocator => "equivocator",
            Self::Staller => "staller",
            Self::Mutator => "mutator",
        }
    }
}

impl Fault {
    /// Every node it names.
    pub fn nodes(&self) -> &[usize] {
        match self {
            Self::Cut { side, .. } => side,
            Self::Crash { node, .. } | Self::Clock { node, .. } | Self::Evil { node, .. } => std::slice::from_ref(node),
            Self::Loss { .. } | Self::Slow { .. } => &[],
        }
    }
}

/// A time as people write it: `12s` or `12345ms`.
fn time(ms: u64) -> String {
    if ms.is_multiple_of(1_000) { format!("{}s", ms / 1_000) } else { format!("{ms}ms") }
}

/// Ascending numbers, those that follow each other as a range: `0-3,7`.
fn numbers(list: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for n in list {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *n => *last = *n,
            _ => runs.push((*n, *n)),
        }
    }
    let run = |(from, to): &(usize, usize)| if from == to { from.to_string() } else { format!("{from}-{to}") };
    runs.iter().map(run).collect::<Vec<_>>().join(",")
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}-{}", time(self.from_ms), time(self.until_ms))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut { side, time } => write!(f, "cut:{}{time}", numbers(side)),
            Self::Crash { node, death, at_ms, down_ms } => {
                let how = match death {
                    Death::Kill => String::new(),
                    Death::AtWrite(n) => format!("/write={n}"),
                    Death::Torn(kept) => format!("/torn={kept}"),
                };
                write!(f, "crash:{node}{how}@{}+{}", time(*at_ms), time(*down_ms))
            }
            Self::Clock { node, offset_ms, drift_ppm, time: span } => {
                let sign = |n: i64| if n < 0 { '-' } else { '+' };
                write!(f, "clock:{node}")?;
                if *offset_ms != 0 || *drift_ppm == 0 {
                    write!(f, "/{}{}", sign(*offset_ms), time(offset_ms.unsigned_abs()))?;
                }
                if *drift_ppm != 0 {
                    write!(f, "/{}{}ppm", sign(*drift_ppm), drift_ppm.unsigned_abs())?;
                }
                write!(f, "{span}")
            }
            Self::Loss { percent, time } => write!(f, "loss:{percent}%{time}"),
            Self::Slow { factor, time } => write!(f, "slow:{factor}x{time}"),
            Self::Evil { node, deed } => write!(f, "evil:{node}/{}", deed.name()),
        }
    }
}
