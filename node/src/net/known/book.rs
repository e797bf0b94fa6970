//! Peers of this chain and where they are: heard of from others, or linked before. Bounded, and hard to fill with lies.
//!
//! Who was linked is never displaced by who was only heard of, and one address group gives at most [`HEARD_PER_GROUP_MAX`] of those.

use crate::net::address::{NetGroup, ip_of};
use libp2p::{Multiaddr, PeerId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Peers remembered.
pub(super) const PEERS_MAX: usize = 1000;
/// Addresses of one of them.
pub(in crate::net) const ADDRESSES_PER_PEER_MAX: usize = 4;
/// Peers of one address group that were never linked; this machine is no group.
const HEARD_PER_GROUP_MAX: usize = 32;
/// Peers of other networks, remembered until the node stops.
const FOREIGN_MAX: usize = 1024;
/// Wait after the first failure, doubled for each further one …
const RETRY_MS: u64 = 2_000;
/// … up to this.
const RETRY_MAX_MS: u64 = 10 * 60 * 1000;
/// Failures after which one that was never linked is forgotten.
const HEARD_FAILURES_MAX: u32 = 5;
/// One that was linked is forgotten after so many, if it was so long ago.
const LINKED_FAILURES_MAX: u32 = 20;
const LINKED_MEMORY_MS: u64 = 30 * 24 * 3600 * 1000;

/// A peer of this chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// Who.
    #[serde(with = "super::text")]
    #[schemars(with = "crate::api::schema::PeerIdText")]
    pub peer_id: PeerId,
    /// Where, without the peer id.
    #[schemars(with = "Vec<crate::api::schema::AddressText>")]
    pub addresses: Vec<Multiaddr>,
    /// When it was last linked and on this chain, ms since 1970; `None`: never.
    pub linked_ms: Option<u64>,
    /// When it was last dialled in vain.
    pub tried_ms: u64,
    /// Dials in vain since it was last linked.
    pub failures: u32,
}

impl Known {
    /// When it may be dialled again.
    fn due_ms(&self) -> u64 {
        match self.failures {
            0 => 0,
            n => self.tried_ms.saturating_add((RETRY_MS << (n - 1).min(20)).min(RETRY_MAX_MS)),
        }
    }

    /// The group of its first address.
    pub(in crate::net) fn group(&self) -> Option<NetGroup> {
        self.addresses.first().and_then(ip_of).map(NetGroup::of)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(in crate::net) struct Book {
    peers: BTreeMap<PeerId, Known>,
    foreign: BTreeSet<PeerId>,
    picks: u64,
}

impl Book {
    /// Somebody says where a peer is. Says whether anything is new.
    pub(in crate::net) fn heard(&mut self, peer_id: PeerId, addresses: &[Multiaddr]) -> bool {
        if addresses.is_empty() || self.foreign.contains(&peer_id) {
            return false;
        }
        if let Some(known) = self.peers.get_mut(&peer_id) {
            // What a linked peer said of itself outranks hearsay.
            let room = ADDRESSES_PER_PEER_MAX.saturating_sub(known.addresses.len());
            let new = addresses.iter().filter(|address| !known.addresses.contains(address)).take(room);
            let new: Vec<_> = new.cloned().collect();
            known.addresses.extend_from_slice(&new);
            return !new.is_empty();
        }
        let addresses = addresses[..addresses.len().min(ADDRESSES_PER_PEER_MAX)].to_vec();
        let known = Known { peer_id, addresses, linked_ms: None, tried_ms: 0, failures: 0 };
        let group = known.group();
        let same = self.peers.values().filter(|k| k.linked_ms.is_none() && k.group() == group).count();
        if group.is_some_and(|group| !group.is_machine()) && same >= HEARD_PER_GROUP_MAX || !self.make_room(false) {
            return false;
        }
        self.peers.insert(peer_id, known);
        true
    }

    /// A linked peer of this chain says where it is.
    pub(in crate::net) fn linked(&mut self, peer_id: PeerId, addresses: &[Multiaddr], now_ms: u64) {
        self.foreign.remove(&peer_id);
        if addresses.is_empty() || !self.peers.contains_key(&peer_id) && !self.make_room(true) {
            return;
        }
        let addresses = addresses[..addresses.len().min(ADDRESSES_PER_PEER_MAX)].to_vec();
        self.peers.insert(peer_id, Known { peer_id, addresses, linked_ms: Some(now_ms), tried_ms: 0, failures: 0 });
    }

    /// It is linked still, or was until now.
    pub(in crate::net) fn seen(&mut self, peer_id: &PeerId, now_ms: u64) {
        if let Some(known) = self.peers.get_mut(peer_id).filter(|known| known.linked_ms.is_some()) {
            known.linked_ms = Some(now_ms);
        }
    }

    /// A dial failed.
    pub(in crate::net) fn failed(&mut self, peer_id: &PeerId, now_ms: u64) {
        let Some(known) = self.peers.get_mut(peer_id) else { return };
        (known.failures, known.tried_ms) = (known.failures.saturating_add(1), now_ms);
        let forget = match known.linked_ms {
            None => known.failures >= HEARD_FAILURES_MAX,
            Some(at) => known.failures >= LINKED_FAILURES_MAX && now_ms.saturating_sub(at) > LINKED_MEMORY_MS,
        };
        if forget {
            self.peers.remove(peer_id);
        }
    }

    /// It is on another network, or does not stand where it was said to.
    pub(in crate::net) fn is_foreign(&mut self, peer_id: PeerId) {
        self.peers.remove(&peer_id);
        if self.foreign.len() >= FOREIGN_MAX {
            self.foreign.pop_first();
        }
        self.foreign.insert(peer_id);
    }

    /// Room for one more; one that was `linked` may take that of any that was not, or else of the one longest gone.
    fn make_room(&mut self, linked: bool) -> bool {
        if self.peers.len() < PEERS_MAX {
            return true;
        }
        let worst = self.peers.values().min_by_key(|k| (k.linked_ms, std::cmp::Reverse(k.failures), k.peer_id));
        match worst.map(|k| (k.peer_id, k.linked_ms.is_some() || k.failures > 0)) {
            // One heard of does not push out another that nobody tried yet.
            Some((peer, spent)) if linked || spent && self.peers[&peer].linked_ms.is_none() => {
                self.peers.remove(&peer);
                true
            }
            _ => false,
        }
    }

    /// Whom to dial next, of those that are `allowed` and due: by turns one that was linked before and one that was only heard of,
    /// in an order that nobody without `key` can foresee. A restarted node so returns to whom it knew.
    pub(in crate::net) fn pick(&mut self, key: u64, now_ms: u64, allowed: impl Fn(&Known) -> bool) -> Option<Known> {
        let old_first = self.picks.is_multiple_of(2);
        let order = |known: &&Known| {
            let lot = Sha256::new().chain_update(key.to_be_bytes()).chain_update(known.peer_id.to_bytes()).finalize();
            (known.linked_ms.is_some() != old_first, known.failures, <[u8; 32]>::from(lot))
        };
        let due = self.peers.values().filter(|known| known.due_ms() <= now_ms && allowed(known));
        let found = due.min_by_key(order).cloned();
        self.picks += u64::from(found.is_some());
        found
    }

    /// All, by peer id.
    pub(in crate::net) fn list(&self) -> Vec<Known> {
        self.peers.values().cloned().collect()
    }

    /// From the disk; more than the bounds is left out.
    pub(super) fn restore(peers: Vec<Known>) -> Self {
        let mut book = Self::default();
        for mut known in peers.into_iter().take(PEERS_MAX) {
            known.addresses.truncate(ADDRESSES_PER_PEER_MAX);
            if !known.addresses.is_empty() {
                book.peers.insert(known.peer_id, known);
            }
        }
        book
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ip: &str) -> Vec<Multiaddr> {
        vec![format!("/ip4/{ip}/tcp/4001").parse().unwrap()]
    }

    fn any(_: &Known) -> bool {
        true
    }

    #[test]
    fn lies_of_one_network_fill_little_and_displace_nobody_who_was_linked() {
        let mut book = Book::default();
        let friends: Vec<_> = (0..50).map(|_| PeerId::random()).collect();
        for (n, friend) in friends.iter().enumerate() {
            book.linked(*friend, &at(&format!("10.{n}.0.1")), 1);
        }
        for n in 0..5_000 {
            book.heard(PeerId::random(), &at(&format!("203.0.{}.{}", n / 250, n % 250)));
        }
        assert_eq!(book.peers.len(), 50 + HEARD_PER_GROUP_MAX);
        for n in 0..60_000 {
            book.heard(PeerId::random(), &at(&format!("{}.{}.0.1", 20 + n / 250 % 200, n % 250)));
        }
        assert_eq!(book.peers.len(), PEERS_MAX);
        assert!(friends.iter().all(|friend| book.peers.contains_key(friend)));
        let late = PeerId::random();
        book.linked(late, &at("10.99.0.1"), 2);
        assert!(book.peers.len() == PEERS_MAX && book.peers.contains_key(&late));
    }

    #[test]
    fn what_a_peer_said_of_itself_is_not_displaced_by_hearsay() {
        let (mut book, peer) = (Book::default(), PeerId::random());
        let own: Vec<Multiaddr> = (1..=4).map(|n| format!("/ip4/10.0.0.{n}/tcp/1").parse().unwrap()).collect();
        book.linked(peer, &own, 1);
        assert!(!book.heard(peer, &at("203.0.113.5")));
        assert_eq!(book.list()[0].addresses, own);
    }

    #[test]
    fn after_a_restart_those_who_were_linked_are_dialled_too() {
        let mut book = Book::default();
        let friend = PeerId::random();
        book.linked(friend, &at("10.0.0.1"), 1);
        for n in 0..200 {
            book.heard(PeerId::random(), &at(&format!("{}.1.0.1", 20 + n)));
        }
        let mut book = Book::restore(book.list());
        let picks: Vec<_> = (0..2).map(|_| book.pick(7, 10, any).unwrap().peer_id).collect();
        assert!(picks.contains(&friend), "one of the first two");
        let strangers = |key| Book::restore(book.list()).pick(key, 10, |k| k.linked_ms.is_none()).unwrap().peer_id;
        assert!((0..20).any(|key| strangers(key) != strangers(99)), "the order depends on the key");
    }

    #[test]
    fn failures_wait_longer_each_time_and_are_forgotten_at_last() {
        let (mut book, peer) = (Book::default(), PeerId::random());
        book.heard(peer, &at("10.0.0.1"));
        for (now_ms, wait_ms) in [(0, 2_000), (10_000, 4_000), (20_000, 8_000), (40_000, 16_000)] {
            assert!(book.pick(1, now_ms, any).is_some());
            book.failed(&peer, now_ms);
            assert!(book.pick(1, now_ms + wait_ms - 1, any).is_none() && book.pick(1, now_ms + wait_ms, any).is_some());
        }
        book.failed(&peer, 60_000);
        assert!(book.list().is_empty());
        book.linked(peer, &at("10.0.0.1"), 70_000);
        (0..30).for_each(|n| book.failed(&peer, 80_000 + n));
        assert_eq!(book.list().len(), 1, "one that was linked lately is not forgotten");
    }

    #[test]
    fn a_peer_of_another_network_is_not_taken_up_again() {
        let (mut book, peer) = (Book::default(), PeerId::random());
        book.heard(peer, &at("10.0.0.1"));
        book.is_foreign(peer);
        assert!(!book.heard(peer, &at("10.0.0.1")) && book.list().is_empty());
    }
}
