//! How what is said reaches a node: one rule for everybody, and rules for single speakers, which go before it.

use medring_node::faults::Hearing;

/// Sets what is said of one speaker (`None`: everybody); a rule that says nothing any more goes.
pub(crate) fn set_rule(
    hearing: &mut Vec<Hearing>,
    from: Option<&str>,
    delay_ms: Option<u64>,
    loss_percent: Option<u8>,
) {
    let old =
        hearing.iter().position(|rule| rule.from.as_deref() == from).map(|at| hearing.remove(at)).unwrap_or_default();
    let rule = Hearing {
        from: from.map(str::to_owned),
        delay_ms: delay_ms.unwrap_or(old.delay_ms),
        loss_percent: loss_percent.unwrap_or(old.loss_percent),
    };
    match (rule.delay_ms, rule.loss_percent, from) {
        (0, 0, None) => {}
        // The last rule that fits counts, so what holds for everybody stands first.
        (_, _, None) => hearing.insert(0, rule),
        _ => hearing.push(rule),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_for_everybody_stands_before_those_for_single_speakers() {
        let mut hearing = Vec::new();
        set_rule(&mut hearing, Some("a"), Some(5), None);
        set_rule(&mut hearing, None, Some(9), None);
        set_rule(&mut hearing, Some("a"), None, Some(50));
        let told: Vec<_> = hearing.iter().map(|r| (r.from.as_deref(), r.delay_ms, r.loss_percent)).collect();
        assert_eq!(told, [(None, 9, 0), (Some("a"), 5, 50)]);
        set_rule(&mut hearing, None, Some(0), Some(0));
        assert_eq!(hearing.len(), 1);
    }
}
