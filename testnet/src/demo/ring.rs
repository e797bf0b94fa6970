//! A ring of names, drawn: the first half from left to right above, the rest back below.

/// The members in ring order as two lines of text; one line where there is one member.
pub(super) fn draw(names: &[String]) -> Vec<String> {
    let (above, below) = names.split_at(names.len().div_ceil(2));
    if below.is_empty() {
        return above.to_vec();
    }
    let above = above.join(" ─▶ ");
    let below = below.iter().rev().cloned().collect::<Vec<_>>().join(" ◀─ ");
    let width = above.chars().count().max(below.chars().count());
    let line = |text: &str| "─".repeat(width - text.chars().count());
    vec![format!("┌▶ {above} ─{}─┐", line(&above)), format!("└─ {below} ◀{}─┘", line(&below))]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(names: &[&str]) -> String {
        draw(&names.iter().map(ToString::to_string).collect::<Vec<_>>()).join("\n")
    }

    #[test]
    fn a_ring_goes_round_whatever_its_size() {
        assert_eq!(drawn(&["patient"]), "patient");
        assert_eq!(drawn(&["ab", "c"]), "┌▶ ab ──┐\n└─ c ◀──┘");
        assert_eq!(drawn(&["ab", "c", "de"]), "┌▶ ab ─▶ c ──┐\n└─ de ◀──────┘");
        assert_eq!(drawn(&["a", "b", "c", "d"]), "┌▶ a ─▶ b ──┐\n└─ d ◀─ c ◀─┘");
    }
}
