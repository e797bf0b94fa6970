//! A ring of members, drawn: round while it fits a screen, as a list beyond.

/// Most members that are drawn round.
const ROUND_MAX: usize = 12;
/// Columns that a list takes.
const LIST_COLUMNS: usize = 96;

/// A place in the ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Who stands there, in a few words.
    pub words: String,
    /// Its sign, one column wide, with the codes of its colour if it has one.
    pub dot: String,
}

/// The members in ring order, each line with its end.
///
/// ```
/// use medring_testnet::ring::{Place, draw};
/// let place = |words: &str| Place { words: words.into(), dot: "●".into() };
/// assert_eq!(draw(&[place("ann"), place("bob"), place("cy")]), "
///          ann
///      ╭────●────╮
/// cy  ●           ●  bob
///      ╰─────────╯
/// ".trim_start_matches('\n'));
/// ```
pub fn draw(places: &[Place]) -> String {
    if places.len() <= ROUND_MAX { round(places) } else { list(places) }
}

/// U_1 on top, the next ones down the right side, and up the left side back to it.
fn round(places: &[Place]) -> String {
    let Some((top, rest)) = places.split_first() else { return String::new() };
    // With an even number of members, one stands at the bottom.
    let sides = rest.len() / 2;
    let bottom = (rest.len() % 2 == 1).then(|| &rest[sides]);
    let right = &rest[..sides];
    let left: Vec<_> = rest[rest.len() - sides..].iter().rev().collect();
    let margin = left.iter().map(|p| p.words.chars().count()).max().unwrap_or(0) + 2;
    let centred = |p: &Place| {
        let words = &p.words;
        // The dot stands in column margin + 6; the words' middle does too, as far as the screen's edge lets them.
        format!("{}{words}\n", " ".repeat((margin + 6).saturating_sub(words.chars().count() / 2)))
    };
    let blank = " ".repeat(margin);
    let mut out = centred(top) + &format!("{blank} ╭────{}────╮\n", top.dot);
    for (l, r) in left.iter().zip(right) {
        let words = &l.words;
        let pad = " ".repeat(margin - 2 - words.chars().count());
        out += &format!("{pad}{words}  {}           {}  {}\n", l.dot, r.dot, r.words);
    }
    if sides == 0 && bottom.is_some() {
        out += &format!("{blank} │         │\n");
    }
    match bottom {
        Some(bottom) => out + &format!("{blank} ╰────{}────╯\n", bottom.dot) + &centred(bottom),
        None => out + &format!("{blank} ╰─────────╯\n"),
    }
}

/// Numbered, down each column and then on to the next; the last is followed by the first.
fn list(places: &[Place]) -> String {
    let width = places.iter().map(|p| p.words.chars().count()).max().unwrap_or(0);
    // Number, dot and the space between columns.
    let cell = width + 9;
    let columns = (LIST_COLUMNS / cell).clamp(1, 4);
    let rows = places.len().div_ceil(columns);
    let mut out = String::new();
    for row in 0..rows {
        let mut line = String::new();
        for (i, place) in places.iter().enumerate().skip(row).step_by(rows) {
            let words = &place.words;
            let last = i + rows >= places.len();
            let pad = if last { String::new() } else { " ".repeat(width + 3 - words.chars().count()) };
            line += &format!("{:>3} {} {words}{pad}", i + 1, place.dot);
        }
        out += &format!("{line}\n");
    }
    out
}
