//! Asking whether codes were compared: adding the wrong node is the one mistake no signature prevents.

use crate::failure::{Exit, Failure, Outcome};
use std::io::{self, BufRead, IsTerminal, Write};

/// Somebody to be added.
pub(super) struct Code {
    /// What the owner calls it.
    pub(super) name: String,
    /// What it sees on its own screen, if it is who it says.
    pub(super) code: String,
}

/// What people have to do with the codes.
const COMPARE: &str = "by phone or face to face, and not by the way the ticket went";

/// Confirmed with `--yes`, or on the terminal; otherwise an error, and nothing is changed.
pub(super) fn codes(codes: &[Code], yes: bool) -> Outcome<()> {
    if yes || codes.is_empty() {
        return Ok(());
    }
    if io::stdin().is_terminal() {
        return ask(codes, &mut io::stdin().lock(), &mut io::stderr().lock());
    }
    let all = codes.iter().map(|c| format!("{} {}", c.name, c.code)).collect::<Vec<_>>().join(", ");
    let what = format!("compare these codes with what the invited see, {COMPARE}: {all}");
    Err(Failure::new(Exit::Usage, format!("{what}. There is no terminal to ask at; say that you did with --yes")))
}

fn ask(codes: &[Code], from: &mut impl BufRead, to: &mut impl Write) -> Outcome<()> {
    let asked = |e: io::Error| Failure::new(Exit::Io, format!("cannot ask ({e}); nothing was changed"));
    let width = codes.iter().map(|c| c.name.chars().count()).max().unwrap_or(0);
    writeln!(to, "Compare {COMPARE}:").map_err(asked)?;
    for Code { name, code } in codes {
        writeln!(to, "  {name:<width$}  {code}").map_err(asked)?;
    }
    write!(to, "Do they see the same? Type yes: ").and_then(|()| to.flush()).map_err(asked)?;
    let mut answer = String::new();
    io::Read::take(from, 64).read_line(&mut answer).map_err(asked)?;
    if answer.trim().eq_ignore_ascii_case("yes") {
        return Ok(());
    }
    let what = "not confirmed, and nothing was changed. Codes that differ mean that someone else took the ticket up";
    Err(Failure::new(Exit::NotSo, format!("{what}: invite again, and give the ticket by another way")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> (Outcome<()>, String) {
        let codes = [Code { name: "nurse".into(), code: "12345 67890 12345 67890 12345".into() }];
        let mut said = Vec::new();
        let answer = ask(&codes, &mut text.as_bytes(), &mut said);
        (answer, String::from_utf8(said).unwrap())
    }

    #[test]
    fn only_yes_is_yes() {
        let (yes, said) = answer("yes\n");
        assert!(yes.is_ok() && said.contains("nurse  12345 67890"), "{said}");
        for other in ["", "\n", "y\n", "no\n", "yes please\n"] {
            assert_eq!(answer(other).0.unwrap_err().exit, Exit::NotSo, "{other:?}");
        }
    }
}
