//! Who keeps a link when there are more peers than places: a rule of which an attacker can meet only a part.
//!
//! Inbound peers are ranked in five ways that cost an attacker different things; the best of each are safe: those in address
//! groups that a secret key happens to prefer, the quickest to answer, the last to bring a block, the last to bring a record, and
//! half of the rest by age. Of those left, the youngest of the most crowded group goes. (The idea is Bitcoin Core's.)

use super::address::NetGroup;
use crate::core::Peer;
use sha2::{Digest, Sha256};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Peers kept for their address group.
const KEPT_BY_GROUP: usize = 4;
/// Peers kept for their round-trip time.
const KEPT_BY_PING: usize = 4;
/// Peers kept for the last block they brought.
const KEPT_BY_BLOCK: usize = 4;
/// Peers kept for the last record they brought.
const KEPT_BY_RECORD: usize = 4;

/// One inbound peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) peer: Peer,
    pub(super) group: NetGroup,
    /// When its link was opened, ms.
    pub(super) since_ms: u64,
    /// Its quickest answer to a ping, µs.
    pub(super) ping_us: Option<u64>,
    /// When it last brought a block that we forwarded, ms.
    pub(super) block_ms: Option<u64>,
    /// The same of records.
    pub(super) record_ms: Option<u64>,
}

/// How much the secret key likes a group; nobody else can tell.
fn liking(key: u64, group: NetGroup) -> [u8; 32] {
    Sha256::new().chain_update(key.to_be_bytes()).chain_update(group.bytes()).finalize().into()
}

/// Takes the `most` best out; of equals the older peer is better. What has no `rank` is not taken.
fn keep<K: Ord>(left: &mut Vec<Candidate>, most: usize, rank: impl Fn(&Candidate) -> Option<K>) {
    left.sort_by_key(|c| (rank(c).map_or((true, None), |rank| (false, Some(rank))), c.since_ms, c.peer));
    let ranked = left.iter().filter(|c| rank(c).is_some()).count();
    left.drain(..most.min(ranked));
}

/// Who has to go; `None` if all are kept. The same for the same candidates in any order.
pub(super) fn victim(candidates: &[Candidate], key: u64) -> Option<Peer> {
    let mut left = candidates.to_vec();
    keep_one_per_group(&mut left, key);
    keep(&mut left, KEPT_BY_PING, |c| c.ping_us);
    keep(&mut left, KEPT_BY_BLOCK, |c| c.block_ms.map(Reverse));
    keep(&mut left, KEPT_BY_RECORD, |c| c.record_ms.map(Reverse));
    let old = left.len() / 2;
    keep(&mut left, old, |c| Some(c.since_ms));
    let mut groups: BTreeMap<NetGroup, (usize, (u64, Peer))> = BTreeMap::new();
    for c in &left {
        let (size, youngest) = groups.entry(c.group).or_insert((0, (c.since_ms, c.peer)));
        *size += 1;
        *youngest = (*youngest).max((c.since_ms, c.peer));
    }
    groups.into_values().max().map(|(_, (_, peer))| peer)
}

/// The oldest peer of each of the groups that the key likes best.
fn keep_one_per_group(left: &mut Vec<Candidate>, key: u64) {
    let mut oldest: BTreeMap<[u8; 32], (u64, Peer)> = BTreeMap::new();
    for c in left.iter() {
        let first = oldest.entry(liking(key, c.group)).or_insert((c.since_ms, c.peer));
        *first = (*first).min((c.since_ms, c.peer));
    }
    let kept: Vec<Peer> = oldest.into_values().take(KEPT_BY_GROUP).map(|(_, peer)| peer).collect();
    left.retain(|c| !kept.contains(&c.peer));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u64, ip: &str) -> Candidate {
        let group = NetGroup::of(ip.parse().unwrap());
        let since_ms = number * 1000;
        Candidate { peer: Peer(number), group, since_ms, ping_us: None, block_ms: None, record_ms: None }
    }

    /// `attackers` come one after the other, each takes a place, and someone goes for each; returns who is left.
    fn siege(honest: &[Candidate], attackers: impl Iterator<Item = Candidate>, key: u64) -> Vec<Candidate> {
        let mut held = honest.to_vec();
        for attacker in attackers {
            held.push(attacker);
            if let Some(gone) = victim(&held, key) {
                held.retain(|c| c.peer != gone);
            }
        }
        held
    }

    #[test]
    fn newcomers_from_one_network_get_one_place_at_most() {
        let honest: Vec<_> = (1..=24).map(|n| peer(n, &format!("10.{n}.0.1"))).collect();
        for key in 0..8 {
            let left = siege(&honest, (100..1100).map(|n| peer(n, "203.0.113.5")), key);
            let honest_left = left.iter().filter(|c| c.peer.0 < 100).count();
            assert!(honest_left >= 23, "key {key}: {honest_left} of 24 are left");
        }
    }

    #[test]
    fn newcomers_from_everywhere_that_answer_faster_do_not_take_all_places() {
        let mut honest: Vec<_> = (1..=24).map(|n| peer(n, &format!("10.{n}.0.1"))).collect();
        for (n, c) in honest.iter_mut().enumerate() {
            c.ping_us = Some(40_000);
            c.block_ms = (n < 6).then_some(5_000 + n as u64);
        }
        for key in 0..8 {
            let attackers = (100..3100).map(|n| {
                let mut attacker = peer(n, &format!("{}.{}.0.1", 20 + n % 100, n % 250));
                attacker.ping_us = Some(100);
                attacker.record_ms = Some(n * 1000);
                attacker
            });
            let left = siege(&honest, attackers, key);
            let honest_left = left.iter().filter(|c| c.peer.0 < 100).count();
            assert!(honest_left >= 10, "key {key}: only {honest_left} of 24 honest peers are left");
        }
    }

    #[test]
    fn old_peers_of_one_network_are_not_given_up_for_newcomers_from_many() {
        let honest: Vec<_> = (1..=24).map(|n| peer(n, "203.0.113.5")).collect();
        for key in 0..8 {
            let left = siege(&honest, (100..400).map(|n| peer(n, &format!("{}.{}.0.1", 20 + n / 250, n % 250))), key);
            let honest_left = left.iter().filter(|c| c.peer.0 < 100).count();
            assert!(honest_left >= 8, "key {key}: only {honest_left} of 24 honest peers are left");
        }
    }

    #[test]
    fn who_brings_blocks_stays_also_when_young_and_crowded() {
        let mut all: Vec<_> = (1..=30).map(|n| peer(n, "203.0.113.5")).collect();
        all[29].block_ms = Some(99_000);
        assert_ne!(victim(&all, 1), Some(Peer(30)));
        all[29].block_ms = None;
        assert_eq!(victim(&all, 1), Some(Peer(30)));
    }

    #[test]
    fn the_crowded_group_gives_before_the_sparse_one() {
        let mut all: Vec<_> = (1..=20).map(|n| peer(n, &format!("10.{n}.0.1"))).collect();
        all.extend((21..=29).map(|n| peer(n, "203.0.113.5")));
        // The youngest of all is alone in its group.
        all.push(peer(30, "10.30.0.1"));
        for key in 0..8 {
            let gone = victim(&all, key).unwrap().0;
            assert!((21..=29).contains(&gone), "key {key}: {gone}");
        }
    }

    #[test]
    fn the_order_of_the_candidates_does_not_matter_and_few_are_all_kept() {
        let all: Vec<_> = (1..=40).map(|n| peer(n, &format!("10.{}.0.1", n % 7))).collect();
        let mut back = all.clone();
        back.reverse();
        assert_eq!(victim(&all, 5), victim(&back, 5));
        assert_eq!(victim(&all[..1], 5), None);
    }
}
