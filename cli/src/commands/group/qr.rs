//! A QR code in a terminal: two modules in each character, black on white wherever colours are possible.

use crate::failure::{Exit, Failure, Outcome};
use qrcode::{Color, EcLevel, QrCode};

/// Light modules that have to surround the code (ISO/IEC 18004).
const QUIET_MODULES: usize = 4;

/// Modules row by row, the quiet zone included; true is dark.
pub(super) struct Modules(Vec<Vec<bool>>);

impl Modules {
    /// The code of a text. Upper case letters and digits take the least room.
    pub(super) fn of(text: &str) -> Outcome<Self> {
        let too_long = |e| Failure::new(Exit::Data, format!("the ticket makes no QR code ({e}); use --no-qr"));
        // A screen is clean: the lowest level of error correction makes the smallest code.
        let code = QrCode::with_error_correction_level(text, EcLevel::L).map_err(too_long)?;
        let width = code.width();
        let light = || vec![false; width + 2 * QUIET_MODULES];
        let mut rows: Vec<_> = (0..QUIET_MODULES).map(|_| light()).collect();
        for y in 0..width {
            let mut row = light();
            for x in 0..width {
                row[x + QUIET_MODULES] = code[(x, y)] == Color::Dark;
            }
            rows.push(row);
        }
        rows.extend((0..QUIET_MODULES).map(|_| light()));
        Ok(Self(rows))
    }

    /// Two rows of modules in each line of half blocks. With `colour` ink and paper are set, so that it reads on any
    /// terminal; without, light modules are the ink, which reads on a dark one.
    pub(super) fn text(&self, colour: bool) -> String {
        // Entries of the fixed part of the palette: black and white whatever the theme says.
        let (begin, end) = if colour { ("\x1b[38;5;16;48;5;231m", "\x1b[0m") } else { ("", "") };
        let mut out = String::new();
        for pair in self.0.chunks(2) {
            let (upper, lower) = (&pair[0], pair.get(1));
            let half = |x: usize| {
                let (above, below) = (upper[x], lower.is_some_and(|row| row[x]));
                // Ink is dark with colours, and light without.
                match (above == colour, below == colour) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                }
            };
            out += begin;
            out.extend((0..upper.len()).map(half));
            out += end;
            out.push('\n');
        }
        out
    }

    /// A picture: black squares on white, four units each.
    pub(super) fn svg(&self) -> String {
        let mut squares = String::new();
        for (y, row) in self.0.iter().enumerate() {
            let dark = row.iter().enumerate().filter(|(_, dark)| **dark);
            dark.for_each(|(x, _)| squares += &format!("M{x} {y}h1v1h-1z"));
        }
        let size = self.0.len();
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {size} {size}\" width=\"{}\" height=\"{}\" \
             shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{size}v{size}H0z\"/><path d=\"{squares}\"/></svg>\n",
            4 * size,
            4 * size
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICKET: &str = "MEDRING1ABCDEFGHIJKLMNOPQRSTUVWXYZ234567ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    /// Reads the half blocks back into modules; `ink` is what a full block stands for.
    fn read(text: &str, ink: bool) -> Vec<Vec<bool>> {
        let mut rows = Vec::new();
        for line in text.lines() {
            let line = line.replace("\x1b[38;5;16;48;5;231m", "").replace("\x1b[0m", "");
            let pairs: Vec<(bool, bool)> = line
                .chars()
                .map(|c| match c {
                    '█' => (ink, ink),
                    '▀' => (ink, !ink),
                    '▄' => (!ink, ink),
                    ' ' => (!ink, !ink),
                    other => panic!("{other:?} in a QR code"),
                })
                .collect();
            rows.push(pairs.iter().map(|pair| pair.0).collect());
            rows.push(pairs.iter().map(|pair| pair.1).collect());
        }
        rows
    }

    #[test]
    fn what_is_drawn_is_the_code_with_its_quiet_zone() {
        let code = QrCode::with_error_correction_level(TICKET, EcLevel::L).unwrap();
        let (wanted, width) = (code.to_colors(), code.width());
        for colour in [true, false] {
            let rows = read(&Modules::of(TICKET).unwrap().text(colour), colour);
            // An odd number of rows: the last line's lower half is paper of the terminal or of the code.
            for (y, row) in rows.iter().take(width + 2 * QUIET_MODULES).enumerate() {
                assert_eq!(row.len(), width + 2 * QUIET_MODULES);
                for (x, dark) in row.iter().enumerate() {
                    let inside = |at: usize| (QUIET_MODULES..width + QUIET_MODULES).contains(&at);
                    let wanted = inside(x)
                        && inside(y)
                        && wanted[(y - QUIET_MODULES) * width + x - QUIET_MODULES] == Color::Dark;
                    assert_eq!(*dark, wanted, "module {x},{y}, colour {colour}");
                }
            }
        }
    }

    #[test]
    fn a_picture_has_one_square_for_each_dark_module() {
        let code = QrCode::with_error_correction_level(TICKET, EcLevel::L).unwrap();
        let dark = code.to_colors().iter().filter(|c| **c == Color::Dark).count();
        assert_eq!(Modules::of(TICKET).unwrap().svg().matches("h1v1h-1z").count(), dark);
    }

    #[test]
    fn a_ticket_in_upper_case_fits_an_eighty_column_terminal() {
        // Chain, group, owner, token, expiry, peer id and two addresses: about 220 bytes, 352 characters in base 32.
        let modules = Modules::of(&"MEDRING2".repeat(45)).unwrap();
        assert!(modules.0.len() <= 80, "{} columns", modules.0.len());
    }
}
