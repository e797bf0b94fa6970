//! What peers prove against themselves, and what follows from it; what people ban and forgive.

use super::super::address::ip_of;
use super::super::known::{Ban, Contents, FAULT_POINTS, RATE_POINTS, Target};
use super::Service;
use crate::core::Event;
use libp2p::PeerId;
use tokio::sync::oneshot;

impl Service {
    /// What a peer sent shows that it does not keep to the rules: that costs it the link, and a ban.
    pub(super) fn fault(&mut self, peer_id: PeerId, reason: String) {
        let Some(peer) = self.peers.open(&peer_id) else { return };
        self.blame(peer_id, FAULT_POINTS, &reason);
        let _ = self.events.send(Event::PeerFault { peer, reason });
        self.drop_links(peer_id);
    }

    /// A peer sends more than it may: what is too much is not looked at, and a second of it is worth some points.
    pub(super) fn excess(&mut self, peer_id: PeerId, what: &str) {
        let now_ms = (self.now_ms)();
        let Some(state) = self.peers.get_mut(&peer_id) else { return };
        if state.usage.excess_ms.is_none_or(|last| now_ms.abs_diff(last) >= 1_000) {
            state.usage.excess_ms = Some(now_ms);
            self.blame(peer_id, RATE_POINTS, &format!("sends too many {what}"));
        }
    }

    /// Writes points on the record of a peer, and drops whoever is banned by that.
    pub(super) fn blame(&mut self, peer_id: PeerId, points: u32, reason: &str) {
        let ip = self.peers.get_mut(&peer_id).and_then(|state| ip_of(&state.link.address));
        let now_ms = (self.now_ms)();
        let bans = self.swarm.behaviour_mut().gate.bans.blame(peer_id, ip, points, reason, now_ms);
        self.dirty = true;
        for ban in bans {
            self.banned(&ban, None);
        }
    }

    /// Bans somebody because a person says so; `written` is told when that is on disk.
    pub(super) fn ban(&mut self, ban: Ban, written: oneshot::Sender<()>) {
        self.swarm.behaviour_mut().gate.bans.ban(ban.clone());
        self.banned(&ban, Some(written));
    }

    fn banned(&mut self, ban: &Ban, written: Option<oneshot::Sender<()>>) {
        // Peers could fill a log with it: people see it by `medring peers banned`.
        tracing::debug!(target = %ban.target, until_ms = ban.until_ms, reason = ban.reason, "banned");
        self.metrics.bans.increment(1);
        let hit = |(id, address): &(PeerId, _)| match ban.target {
            Target::Peer(peer) => *id == peer,
            target => ip_of(address).and_then(Target::address) == Some(target),
        };
        let linked = self.peers.links().into_iter().map(|link| (link.peer_id, link.address));
        for (peer_id, _) in linked.filter(hit).collect::<Vec<_>>() {
            self.drop_links(peer_id);
        }
        if let (Target::Peer(peer), Some(kad)) = (ban.target, self.swarm.behaviour_mut().kad.as_mut()) {
            kad.remove_peer(&peer);
        }
        self.save(written);
    }

    /// Ends a ban; `written` is told when that is on disk. Says whether there was one.
    pub(super) fn unban(&mut self, target: &Target, written: oneshot::Sender<()>) -> bool {
        let was = self.swarm.behaviour_mut().gate.bans.unban(target);
        self.save(Some(written));
        was
    }

    /// Brings what is remembered of peers to the disk soon.
    pub(super) fn save(&mut self, written: Option<oneshot::Sender<()>>) {
        self.dirty = false;
        let contents = Contents::new(self.chain, &self.book, &self.swarm.behaviour().gate.bans, (self.now_ms)());
        self.writer.write(contents, written);
    }
}
