//! Points for what a peer proved against itself, and the bans that follow.
//!
//! Points fade by [`FADING_PER_HOUR`]. At [`PEER_POINTS_MAX`] the peer is banned; at [`ADDRESS_POINTS_MAX`] its IP address too (an
//! IPv6 /64), so that new identities do not help, and one bad node behind a shared address does not cost its neighbours theirs.
//! This machine's own addresses are never scored. A ban lasts [`BAN_MS`], twice as long each further time, up to [`BAN_MAX_MS`].

use libp2p::PeerId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// For what only a node that does not keep to the rules sends.
pub(in crate::net) const FAULT_POINTS: u32 = 100;
/// For each second in which a peer sent more than it may.
pub(in crate::net) const RATE_POINTS: u32 = 5;
/// A peer with so many is banned.
const PEER_POINTS_MAX: u32 = 100;
/// So is an address.
const ADDRESS_POINTS_MAX: u32 = 300;
/// Points that fade in an hour.
const FADING_PER_HOUR: u64 = 100;
/// The first ban.
const BAN_MS: u64 = 10 * 60 * 1000;
/// The longest that follows by itself.
const BAN_MAX_MS: u64 = 24 * 3600 * 1000;
/// Bans remembered; one more takes the place of the one that ends first.
pub(super) const BANS_MAX: usize = 2048;
/// The longest reason that is kept.
const REASON_CHARS_MAX: usize = 200;
/// Peers and addresses with points; one more takes the place of the one with fewest.
pub(super) const MARKS_MAX: usize = 2048;
/// How long it is remembered that somebody was banned before.
const MEMORY_MS: u64 = 7 * 24 * 3600 * 1000;

/// Who is banned: a peer by its key, or an IP address, IPv6 by its /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// Whoever holds this key.
    Peer(PeerId),
    /// Whoever links from this address.
    Address(IpAddr),
}

impl Target {
    /// The address, or its /64; `None` for this machine, whose addresses all of a test network share.
    pub fn address(ip: IpAddr) -> Option<Self> {
        match ip.to_canonical() {
            ip if ip.is_loopback() => None,
            IpAddr::V4(ip) => Some(Self::Address(ip.into())),
            IpAddr::V6(ip) => Some(Self::Address(Ipv6Addr::from(u128::from(ip) & !u128::from(u64::MAX)).into())),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(peer) => peer.fmt(f),
            Self::Address(ip @ IpAddr::V4(_)) => ip.fmt(f),
            Self::Address(ip) => write!(f, "{ip}/64"),
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(ip) = text.trim_end_matches("/64").parse() {
            return Self::address(ip)
                .ok_or_else(|| format!("{text} is this machine's own; ban a local node by its peer id"));
        }
        let form = "is neither a peer id nor an IP address; `medring peers list` shows both";
        text.parse().map(Self::Peer).map_err(|_| format!("{text:?} {form}"))
    }
}

impl Serialize for Target {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        super::text::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        super::text::deserialize(deserializer)
    }
}

/// One ban.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ban {
    /// Who.
    #[schemars(with = "String")]
    pub target: Target,
    /// Since when, ms since 1970.
    pub since_ms: u64,
    /// Until when.
    pub until_ms: u64,
    /// What for.
    pub reason: String,
}

/// What somebody has on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Marks {
    points: u32,
    /// When they were so many, ms.
    at_ms: u64,
    /// Bans so far.
    bans: u32,
}

impl Marks {
    fn points(&self, now_ms: u64) -> u32 {
        let faded = now_ms.saturating_sub(self.at_ms).saturating_mul(FADING_PER_HOUR) / 3_600_000;
        self.points.saturating_sub(u32::try_from(faded).unwrap_or(u32::MAX))
    }

    fn is_forgotten(&self, now_ms: u64) -> bool {
        self.points(now_ms) == 0 && (self.bans == 0 || now_ms.saturating_sub(self.at_ms) >= MEMORY_MS)
    }
}

/// All bans and points.
#[derive(Debug, Default)]
pub(in crate::net) struct Bans {
    bans: BTreeMap<Target, Ban>,
    marks: BTreeMap<Target, Marks>,
}

impl Bans {
    /// Writes `points` on the record of a peer and of the address it is linked from. Returns the bans that follow.
    pub(in crate::net) fn blame(
        &mut self,
        peer: PeerId,
        ip: Option<IpAddr>,
        points: u32,
        reason: &str,
        now_ms: u64,
    ) -> Vec<Ban> {
        let address = ip.and_then(Target::address).map(|target| (target, ADDRESS_POINTS_MAX));
        let records = [Some((Target::Peer(peer), PEER_POINTS_MAX)), address];
        records.into_iter().flatten().filter_map(|(t, most)| self.mark(t, points, most, reason, now_ms)).collect()
    }

    fn mark(&mut self, target: Target, points: u32, most: u32, reason: &str, now_ms: u64) -> Option<Ban> {
        self.make_room_for_marks(target, now_ms);
        let marks = self.marks.entry(target).or_insert(Marks { points: 0, at_ms: now_ms, bans: 0 });
        let total = marks.points(now_ms).saturating_add(points);
        (marks.points, marks.at_ms) = (total, now_ms);
        if total < most {
            return None;
        }
        // The slate is clean afterwards, but that it was not stays known.
        let lasts_ms = (BAN_MS << marks.bans.min(16)).min(BAN_MAX_MS);
        (marks.points, marks.bans) = (0, marks.bans.saturating_add(1));
        let ban = Ban { target, since_ms: now_ms, until_ms: now_ms.saturating_add(lasts_ms), reason: reason.into() };
        self.ban(ban.clone());
        Some(ban)
    }

    fn make_room_for_marks(&mut self, target: Target, now_ms: u64) {
        if self.marks.len() < MARKS_MAX || self.marks.contains_key(&target) {
            return;
        }
        let least = self.marks.iter().min_by_key(|(_, marks)| (marks.bans, marks.points(now_ms), marks.at_ms));
        if let Some(least) = least.map(|(target, _)| *target) {
            self.marks.remove(&least);
        }
    }

    /// Bans somebody, or changes their ban. What ends later stays.
    pub(in crate::net) fn ban(&mut self, mut ban: Ban) {
        // Peers have a hand in what is said of them.
        if let Some((cut, _)) = ban.reason.char_indices().nth(REASON_CHARS_MAX) {
            ban.reason.truncate(cut);
        }
        if self.bans.get(&ban.target).is_some_and(|old| old.until_ms >= ban.until_ms) {
            return;
        }
        if self.bans.len() >= BANS_MAX && !self.bans.contains_key(&ban.target) {
            let first = self.bans.values().min_by_key(|ban| ban.until_ms).map(|ban| ban.target);
            if let Some(first) = first {
                self.bans.remove(&first);
            }
        }
        self.bans.insert(ban.target, ban);
    }

    /// Ends a ban and forgets what led to it; says whether there was one.
    pub(in crate::net) fn unban(&mut self, target: &Target) -> bool {
        self.marks.remove(target);
        self.bans.remove(target).is_some()
    }

    /// Forgets what is over; says whether anything was.
    pub(in crate::net) fn expire(&mut self, now_ms: u64) -> bool {
        let before = self.bans.len() + self.marks.len();
        self.bans.retain(|_, ban| ban.until_ms > now_ms);
        self.marks.retain(|_, marks| !marks.is_forgotten(now_ms));
        before != self.bans.len() + self.marks.len()
    }

    /// Whether a peer is banned.
    pub(in crate::net) fn has_peer(&self, peer: &PeerId, now_ms: u64) -> bool {
        self.has(&Target::Peer(*peer), now_ms)
    }

    /// Whether an address is banned.
    pub(in crate::net) fn has_ip(&self, ip: IpAddr, now_ms: u64) -> bool {
        Target::address(ip).is_some_and(|target| self.has(&target, now_ms))
    }

    fn has(&self, target: &Target, now_ms: u64) -> bool {
        self.bans.get(target).is_some_and(|ban| ban.until_ms > now_ms)
    }

    /// Bans that last, those that end first in front.
    pub(in crate::net) fn list(&self, now_ms: u64) -> Vec<Ban> {
        let mut bans: Vec<Ban> = self.bans.values().filter(|ban| ban.until_ms > now_ms).cloned().collect();
        bans.sort_by_key(|ban| (ban.until_ms, ban.target));
        bans
    }

    /// For the disk.
    pub(super) fn marks(&self) -> BTreeMap<Target, Marks> {
        self.marks.clone()
    }

    /// From the disk; more than the bounds is left out.
    pub(super) fn restore(bans: Vec<Ban>, marks: BTreeMap<Target, Marks>) -> Self {
        let mut all = Self { bans: BTreeMap::new(), marks: marks.into_iter().take(MARKS_MAX).collect() };
        bans.into_iter().for_each(|ban| all.ban(ban));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn a_fault_bans_the_peer_and_the_third_bad_identity_its_address() {
        let (mut bans, neighbour) = (Bans::default(), PeerId::random());
        for attempt in 1..=3 {
            let peer = PeerId::random();
            let banned = bans.blame(peer, ip("192.0.2.1"), FAULT_POINTS, "a bad block", attempt);
            assert!(banned.iter().any(|ban| ban.target == Target::Peer(peer)), "attempt {attempt}");
            assert_eq!(bans.has_ip("192.0.2.1".parse().unwrap(), attempt), attempt == 3, "attempt {attempt}");
        }
        assert!(!bans.has_peer(&neighbour, 3) && !bans.has_ip("192.0.2.2".parse().unwrap(), 3));
    }

    #[test]
    fn on_this_machine_the_peer_is_banned_and_never_the_address() {
        let mut bans = Bans::default();
        for _ in 0..50 {
            bans.blame(PeerId::random(), ip("127.0.0.1"), FAULT_POINTS, "x", 1);
            bans.blame(PeerId::random(), ip("::1"), FAULT_POINTS, "x", 1);
        }
        assert!(!bans.has_ip("127.0.0.1".parse().unwrap(), 1) && !bans.has_ip("::1".parse().unwrap(), 1));
        assert_eq!(bans.list(1).len(), 100);
        assert!("127.0.0.1".parse::<Target>().unwrap_err().contains("peer id"));
    }

    #[test]
    fn small_points_fade_before_they_add_up() {
        let (mut bans, slow, fast) = (Bans::default(), PeerId::random(), PeerId::random());
        for second in 0..30 {
            // One excess in ten minutes fades; one a second does not.
            let banned = bans.blame(slow, None, RATE_POINTS, "too much", second * 600_000);
            assert!(banned.is_empty(), "after {second} excesses, ten minutes apart");
            bans.blame(fast, None, RATE_POINTS, "too much", 30 * 600_000 + second * 1000);
        }
        let now_ms = 30 * 600_000 + 30_000;
        assert!(bans.has_peer(&fast, now_ms));
    }

    #[test]
    fn bans_end_last_longer_each_time_and_are_forgotten_by_request() {
        let (mut bans, peer) = (Bans::default(), PeerId::random());
        let mut lasts = Vec::new();
        let mut now_ms = 0;
        for _ in 0..10 {
            let ban = bans.blame(peer, None, FAULT_POINTS, "x", now_ms).remove(0);
            lasts.push((ban.until_ms - now_ms) / 60_000);
            assert!(bans.has_peer(&peer, ban.until_ms - 1) && !bans.has_peer(&peer, ban.until_ms));
            now_ms = ban.until_ms;
            bans.expire(now_ms);
        }
        assert_eq!(lasts, [10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440]);
        bans.blame(peer, None, FAULT_POINTS, "x", now_ms);
        assert!(bans.unban(&Target::Peer(peer)) && !bans.unban(&Target::Peer(peer)));
        let ban = bans.blame(peer, None, FAULT_POINTS, "x", now_ms).remove(0);
        assert_eq!(ban.until_ms - now_ms, BAN_MS, "what led to it is forgotten too");
    }

    #[test]
    fn the_tables_are_bounded_and_keep_what_matters_most() {
        let (mut bans, first) = (Bans::default(), PeerId::random());
        bans.blame(first, None, FAULT_POINTS, "x", 0);
        for n in 1..=(BANS_MAX as u64 + 10) {
            bans.blame(PeerId::random(), None, FAULT_POINTS, "x", n);
            bans.blame(PeerId::random(), None, 1, "x", n);
        }
        assert_eq!((bans.bans.len(), bans.marks.len()), (BANS_MAX, MARKS_MAX));
        assert!(!bans.has_peer(&first, 1), "the one that ends first made room");
        assert!(bans.expire(8 * 24 * HOUR) && bans.bans.is_empty() && bans.marks.is_empty());
    }

    #[test]
    fn a_target_is_read_as_it_is_written() {
        let peer = PeerId::random();
        for (text, shown) in [
            (peer.to_string(), peer.to_string()),
            ("192.0.2.1".into(), "192.0.2.1".into()),
            ("::ffff:192.0.2.1".into(), "192.0.2.1".into()),
            ("2001:db8::1:2:3:4".into(), "2001:db8::/64".into()),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!(target.to_string(), shown);
            assert_eq!(shown.parse::<Target>().unwrap(), target);
        }
        assert!("nonsense".parse::<Target>().unwrap_err().contains("peers list"));
    }
}
