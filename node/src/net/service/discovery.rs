//! Finding peers: what identify, Kademlia and mDNS say goes into the book; links are opened to those in it while there are too
//! few, no two to one part of the network.

use super::super::address::{NetGroup, ip_of, scope, worth_dialling};
use super::super::known::ADDRESSES_PER_PEER_MAX;
use super::super::peers::Direction;
use super::super::slots::{self, Candidate};
use super::{Service, now};
use libp2p::kad::{self, GetClosestPeersOk, QueryResult};
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId, identify, mdns};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// How often is looked for what is due.
pub(super) const TICK: Duration = Duration::from_millis(500);
/// Links of ours that discovery opens, at most; and no more than the share of `max_peers` that is kept for them.
const OUTBOUND_TARGET_MAX: usize = 8;
/// Dials of discovery under way.
const DIALS_MAX: usize = 4;
/// Between two questions who else is there, while links are missing and after.
const ASK_MS: u64 = 5_000;
const ASK_IDLE_MS: u64 = 60_000;
/// What changed in the book reaches the disk within this.
const SAVE_MS: u64 = 15_000;

impl Service {
    /// Looks for what is due: bans that end, places to fill, a question who else is there, the disk.
    pub(super) fn tick(&mut self) {
        let now_ms = (self.now_ms)();
        self.next_tick = now() + TICK;
        self.dirty |= self.swarm.behaviour_mut().gate.bans.expire(now_ms);
        let missing = self.note_room();
        if self.looks && !self.swarm.behaviour().gate.shut {
            self.ask_who_is_there(missing > 0, now_ms);
            self.fill_places(missing, now_ms);
        }
        if self.dirty && now_ms.saturating_sub(self.saved_ms) >= SAVE_MS {
            for peer_id in self.peers.ids() {
                self.book.seen(&peer_id, now_ms);
            }
            self.saved_ms = now_ms;
            self.save(None);
        }
    }

    /// Tells the gate which groups are taken and whether there is room; returns how many links of ours are missing.
    pub(super) fn note_room(&mut self) -> usize {
        let outbound: Vec<_> = self.peers.links().into_iter().filter(|l| l.direction == Direction::Outbound).collect();
        let target = self.outbound_max.min(OUTBOUND_TARGET_MAX);
        let missing = target.saturating_sub(outbound.len());
        let gate = &mut self.swarm.behaviour_mut().gate;
        gate.room = missing > 0;
        gate.groups = outbound.iter().filter_map(|link| ip_of(&link.address)).map(NetGroup::of).collect();
        missing
    }

    fn ask_who_is_there(&mut self, missing: bool, now_ms: u64) {
        let every_ms = if missing { ASK_MS } else { ASK_IDLE_MS };
        if now_ms.abs_diff(self.asked_ms) < every_ms || self.peers.ids().is_empty() {
            return;
        }
        self.asked_ms = now_ms;
        // By turns our own neighbourhood, as others who ask for it see it, and anywhere.
        let own = *self.swarm.local_peer_id();
        self.asks += 1;
        let about = if self.asks % 2 == 1 { own } else { PeerId::random() };
        if let Some(kad) = self.swarm.behaviour_mut().kad.as_mut() {
            kad.get_closest_peers(about);
        }
    }

    fn fill_places(&mut self, missing: usize, now_ms: u64) {
        for _ in self.trials.len()..missing.min(DIALS_MAX) {
            let linked: BTreeSet<PeerId> = self.peers.ids().into_iter().chain(self.trials.values().copied()).collect();
            let gate = &self.swarm.behaviour().gate;
            let (own, bans, groups) = (*self.swarm.local_peer_id(), &gate.bans, &gate.groups);
            let picked = self.book.pick(self.seed, now_ms, |known| {
                let fresh = |group: NetGroup| group.is_machine() || !groups.contains(&group);
                let good = |address: &Multiaddr| {
                    ip_of(address).is_some_and(|ip| !bans.has_ip(ip, now_ms) && fresh(NetGroup::of(ip)))
                };
                known.peer_id != own
                    && !linked.contains(&known.peer_id)
                    && !bans.has_peer(&known.peer_id, now_ms)
                    && known.addresses.iter().all(good)
            });
            let Some(known) = picked else { return };
            let opts = DialOpts::peer_id(known.peer_id)
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .addresses(known.addresses)
                .allocate_new_port()
                .build();
            let connection = opts.connection_id();
            self.swarm.behaviour_mut().gate.want(connection);
            match self.swarm.dial(opts) {
                Ok(()) => drop(self.trials.insert(connection, known.peer_id)),
                Err(_) => self.book.failed(&known.peer_id, now_ms),
            }
        }
    }

    /// A peer says what it speaks and where it listens. Only those of this chain are remembered and told to others.
    pub(super) fn identified(&mut self, peer_id: PeerId, info: &identify::Info) {
        let now_ms = (self.now_ms)();
        let Some(state) = self.peers.get_mut(&peer_id) else { return };
        if !state.usage.may_identify(now_ms) {
            return self.excess(peer_id, "addresses");
        }
        if !info.protocols.contains(&self.sync_protocol) {
            self.book.is_foreign(peer_id);
            return;
        }
        let Some(seen) = ip_of(&state.link.address) else { return };
        let addresses = worth_dialling(&info.listen_addrs, peer_id, seen, ADDRESSES_PER_PEER_MAX);
        if state.usage.addresses == addresses {
            return;
        }
        state.usage.addresses.clone_from(&addresses);
        self.book.linked(peer_id, &addresses, now_ms);
        self.dirty = true;
        let Some(kad) = self.swarm.behaviour_mut().kad.as_mut() else { return };
        if info.protocols.iter().any(|protocol| kad.protocol_names().contains(protocol)) {
            // Kademlia itself would keep every address a peer ever told.
            kad.remove_peer(&peer_id);
            for address in addresses {
                kad.add_address(&peer_id, address);
            }
            if self.swarm.behaviour().gate.room {
                // It may know others: ask at the next turn.
                self.asked_ms = 0;
            }
        }
    }

    /// Others say who is where. Hearsay: it is dialled, and Noise proves who answers.
    pub(super) fn kad_event(&mut self, event: kad::Event) {
        let kad::Event::OutboundQueryProgressed { result: QueryResult::GetClosestPeers(result), .. } = event else {
            return;
        };
        let peers = match result {
            Ok(GetClosestPeersOk { peers, .. }) | Err(kad::GetClosestPeersError::Timeout { peers, .. }) => peers,
        };
        // Who told which is not known: what counts is how far the nearest of our links reaches.
        let seen = self.nearest_link();
        for peer in peers {
            self.hear(peer.peer_id, &peer.addrs, seen);
        }
    }

    /// Somebody on the same LAN runs libp2p. Whether it is of this chain shows after linking.
    pub(super) fn mdns_event(&mut self, event: mdns::Event) {
        let mdns::Event::Discovered(found) = event else { return };
        for (peer_id, address) in found {
            self.hear(peer_id, &[address], IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
    }

    fn hear(&mut self, peer_id: PeerId, addresses: &[Multiaddr], seen: IpAddr) {
        if peer_id != *self.swarm.local_peer_id() {
            let addresses = worth_dialling(addresses, peer_id, seen, ADDRESSES_PER_PEER_MAX);
            self.dirty |= self.book.heard(peer_id, &addresses);
        }
    }

    fn nearest_link(&self) -> IpAddr {
        let ips = self.peers.links().into_iter().filter_map(|link| ip_of(&link.address));
        let nearest = ips.min_by_key(|ip| scope(*ip));
        nearest.unwrap_or(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)))
    }

    /// More peers linked to us than there are places: one has to go, and it may be the one that just came.
    pub(super) fn make_place(&mut self) {
        let inbound = self.peers.states().filter(|state| state.link.direction == Direction::Inbound && !state.closing);
        let candidates: Vec<Candidate> = inbound
            .filter_map(|state| {
                let group = NetGroup::of(ip_of(&state.link.address)?);
                let usage = &state.usage;
                Some(Candidate {
                    peer: state.link.peer,
                    group,
                    since_ms: state.link.since_ms,
                    ping_us: usage.ping_us,
                    block_ms: usage.block_ms,
                    record_ms: usage.record_ms,
                })
            })
            .collect();
        if candidates.len() <= self.inbound_max {
            return;
        }
        let open = candidates.iter().filter(|c| !self.is_bootstrap(c.peer)).copied().collect::<Vec<_>>();
        let Some(peer_id) = slots::victim(&open, self.seed).and_then(|peer| self.peers.id(peer)) else { return };
        tracing::debug!(%peer_id, "left to make place for others");
        if let Some(state) = self.peers.get_mut(&peer_id) {
            state.closing = true;
        }
        self.drop_links(peer_id);
    }

    fn is_bootstrap(&self, peer: crate::core::Peer) -> bool {
        self.peers.id(peer).is_some_and(|peer_id| self.bootstrap.leads_to(&peer_id))
    }
}
