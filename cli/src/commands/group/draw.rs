//! The ring, drawn, with who answers in colour.

use crate::output::Style;
use medring_testnet::ring;

/// A place in the ring.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// What people call who stands there.
    pub(super) label: String,
    /// Whether the node answers.
    pub(super) online: bool,
    /// Whether it is the owner's.
    pub(super) owner: bool,
    /// Whether it is one's own.
    pub(super) me: bool,
}

impl Place {
    fn drawn(&self, style: Style) -> ring::Place {
        let owner = if self.owner { " ★" } else { "" };
        let me = if self.me { " (you)" } else { "" };
        let dot = if self.online { style.good("●") } else { style.bad("○") };
        ring::Place { words: format!("{}{owner}{me}", self.label), dot }
    }
}

/// The members in ring order, with a line that explains the signs.
pub(super) fn ring(places: &[Place], style: Style) -> String {
    let online = places.iter().filter(|p| p.online).count();
    let drawn: Vec<_> = places.iter().map(|place| place.drawn(style)).collect();
    let (drawn, n) = (ring::draw(&drawn), places.len());
    format!("{drawn}\n{online} of {n} online   ● online   ○ no answer   ★ owner\n")
}
