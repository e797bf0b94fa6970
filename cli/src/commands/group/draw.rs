//! The ring, drawn: round while it fits a screen, as a list beyond.

use crate::output::Style;

/// Most members that are drawn round.
const ROUND_MAX: usize = 12;
/// Columns that a list takes.
const LIST_COLUMNS: usize = 96;

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
    fn dot(&self, style: Style) -> String {
        if self.online { style.good("●") } else { style.bad("○") }
    }

    fn words(&self) -> String {
        let owner = if self.owner { " ★" } else { "" };
        let me = if self.me { " (you)" } else { "" };
        format!("{}{owner}{me}", self.label)
    }
}

/// The members in ring order, with a line that explains the signs.
pub(super) fn ring(places: &[Place], style: Style) -> String {
    let online = places.iter().filter(|p| p.online).count();
    let count = format!("{online} of {} online", places.len());
    let drawn = if places.len() <= ROUND_MAX { round(places, style) } else { list(places, style) };
    format!("{drawn}\n{count}   ● online   ○ no answer   ★ owner\n")
}

/// U_1 on top, the next ones down the right side, and up the left side back to it.
fn round(places: &[Place], style: Style) -> String {
    let Some((top, rest)) = places.split_first() else { return String::new() };
    // With an even number of members, one stands at the bottom.
    let sides = rest.len() / 2;
    let bottom = (rest.len() % 2 == 1).then(|| &rest[sides]);
    let right = &rest[..sides];
    let left: Vec<_> = rest[rest.len() - sides..].iter().rev().collect();
    let margin = left.iter().map(|p| p.words().chars().count()).max().unwrap_or(0) + 2;
    let centred = |p: &Place| {
        let words = p.words();
        // The dot stands in column margin + 6; the words' middle does too, as far as the screen's edge lets them.
        format!("{}{words}\n", " ".repeat((margin + 6).saturating_sub(words.chars().count() / 2)))
    };
    let blank = " ".repeat(margin);
    let mut out = centred(top) + &format!("{blank} ╭────{}────╮\n", top.dot(style));
    for (l, r) in left.iter().zip(right) {
        let words = l.words();
        let pad = " ".repeat(margin - 2 - words.chars().count());
        out += &format!("{pad}{words}  {}           {}  {}\n", l.dot(style), r.dot(style), r.words());
    }
    if sides == 0 && bottom.is_some() {
        out += &format!("{blank} │         │\n");
    }
    match bottom {
        Some(bottom) => out + &format!("{blank} ╰────{}────╯\n", bottom.dot(style)) + &centred(bottom),
        None => out + &format!("{blank} ╰─────────╯\n"),
    }
}

/// Numbered, down each column and then on to the next; the last is followed by the first.
fn list(places: &[Place], style: Style) -> String {
    let width = places.iter().map(|p| p.words().chars().count()).max().unwrap_or(0);
    // Number, dot and the space between columns.
    let cell = width + 9;
    let columns = (LIST_COLUMNS / cell).clamp(1, 4);
    let rows = places.len().div_ceil(columns);
    let mut out = String::new();
    for row in 0..rows {
        let mut line = String::new();
        for (i, place) in places.iter().enumerate().skip(row).step_by(rows) {
            let words = place.words();
            let last = i + rows >= places.len();
            let pad = if last { String::new() } else { " ".repeat(width + 3 - words.chars().count()) };
            line += &format!("{:>3} {} {words}{pad}", i + 1, place.dot(style));
        }
        out += &format!("{line}\n");
    }
    out
}
