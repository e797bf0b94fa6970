//! How far a node's wallet has looked at the chain, in words.

use medring_node::api::types::WalletResponse;

/// Whether records may still turn up in blocks that are there already.
pub(crate) fn is_behind(wallet: &WalletResponse) -> bool {
    wallet.birthday_height <= wallet.tip_height && wallet.scanned_height.is_none_or(|height| height < wallet.tip_height)
}

/// For example `scanned to height 1200 of 5000 (24 %)`.
pub(crate) fn how_far(wallet: &WalletResponse) -> String {
    let (birthday, tip) = (wallet.birthday_height, wallet.tip_height);
    if tip < birthday {
        return format!("begins at height {birthday}, which the chain has not reached");
    }
    if !is_behind(wallet) {
        return "scanned to the tip".into();
    }
    let (done, all) =
        (wallet.scanned_height.map_or(0, |height| (height + 1).saturating_sub(birthday)), tip + 1 - birthday);
    let reached =
        wallet.scanned_height.map_or_else(|| "nothing scanned yet".into(), |h| format!("scanned to height {h}"));
    format!("{reached} of {tip} ({} %)", done.saturating_mul(100) / all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use medring_protocol::ParticipantId;

    fn wallet(birthday_height: u64, scanned_height: Option<u64>, tip_height: u64) -> WalletResponse {
        let (participant, scanning) = (ParticipantId::ZERO, true);
        WalletResponse { participant, role: None, birthday_height, scanned_height, tip_height, records: 0, scanning }
    }

    #[test]
    fn progress_counts_from_the_birthday() {
        assert_eq!(how_far(&wallet(0, None, 99)), "nothing scanned yet of 99 (0 %)");
        assert_eq!(how_far(&wallet(0, Some(24), 99)), "scanned to height 24 of 99 (25 %)");
        assert_eq!(how_far(&wallet(50, Some(74), 99)), "scanned to height 74 of 99 (50 %)");
        assert_eq!(how_far(&wallet(0, Some(99), 99)), "scanned to the tip");
        assert_eq!(how_far(&wallet(500, None, 99)), "begins at height 500, which the chain has not reached");
        assert!(!is_behind(&wallet(500, None, 99)) && is_behind(&wallet(0, Some(98), 99)));
    }
}
