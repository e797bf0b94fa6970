//! Places for exchanges: so many in all, so many per peer, so that no one peer takes them all.

use libp2p::PeerId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of one direction.
#[derive(Debug)]
pub(super) struct Slots {
    all: Arc<Semaphore>,
    per_peer_max: usize,
    /// Peers that hold or await a place, with how many of their claims stand; the last one takes the entry with it.
    peers: Mutex<BTreeMap<PeerId, (Arc<Semaphore>, usize)>>,
}

/// A place, free again when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    _all: OwnedSemaphorePermit,
    _peer: OwnedSemaphorePermit,
    _claim: Claim,
}

/// Keeps a peer's entry alive.
#[derive(Debug)]
struct Claim {
    slots: Arc<Slots>,
    peer: PeerId,
}

impl Slots {
    pub(super) fn new(all_max: usize, per_peer_max: usize) -> Arc<Self> {
        Arc::new(Self { all: Arc::new(Semaphore::new(all_max)), per_peer_max, peers: Mutex::default() })
    }

    /// A place now, or `None`.
    pub(super) fn try_take(self: &Arc<Self>, peer: PeerId) -> Option<Slot> {
        let (claim, of_peer) = self.claim(peer);
        let of_peer = of_peer.try_acquire_owned().ok()?;
        let all = self.all.clone().try_acquire_owned().ok()?;
        Some(Slot { _all: all, _peer: of_peer, _claim: claim })
    }

    /// A place when one is free. First the peer's, then one of all: who waits for its own peer stands in nobody's way.
    /// `None` never comes, since the semaphores are not closed.
    pub(super) async fn take(self: &Arc<Self>, peer: PeerId) -> Option<Slot> {
        let (claim, of_peer) = self.claim(peer);
        let of_peer = of_peer.acquire_owned().await.ok()?;
        let all = self.all.clone().acquire_owned().await.ok()?;
        Some(Slot { _all: all, _peer: of_peer, _claim: claim })
    }

    fn claim(self: &Arc<Self>, peer: PeerId) -> (Claim, Arc<Semaphore>) {
        let mut peers = self.peers();
        let entry = peers.entry(peer).or_insert_with(|| (Arc::new(Semaphore::new(self.per_peer_max)), 0));
        entry.1 += 1;
        (Claim { slots: self.clone(), peer }, entry.0.clone())
    }

    fn peers(&self) -> MutexGuard<'_, BTreeMap<PeerId, (Arc<Semaphore>, usize)>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut peers = self.slots.peers();
        let Some((_, claims)) = peers.get_mut(&self.peer) else { return };
        *claims -= 1;
        if *claims == 0 {
            peers.remove(&self.peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn places_are_bounded_in_all_and_per_peer_and_come_back() {
        let slots = Slots::new(3, 2);
        let (alice, bob) = (PeerId::random(), PeerId::random());
        let first = slots.try_take(alice).unwrap();
        let second = slots.try_take(alice).unwrap();
        assert!(slots.try_take(alice).is_none(), "alice has both of hers");
        let third = slots.try_take(bob).unwrap();
        assert!(slots.try_take(bob).is_none(), "all are taken");
        drop(first);
        assert!(slots.try_take(bob).is_some());
        drop((second, third));
        assert!(slots.peers().is_empty(), "nothing is kept of peers that are done");
    }

    #[tokio::test]
    async fn who_waits_for_its_peer_holds_no_place_of_others_and_a_given_up_wait_leaves_nothing() {
        let slots = Slots::new(2, 1);
        let (alice, bob) = (PeerId::random(), PeerId::random());
        let held = slots.take(alice).await;
        assert!(slots.take(alice).now_or_never().is_none(), "alice's one is taken");
        let waiting = slots.take(alice);
        assert!(slots.take(bob).now_or_never().is_some(), "bob's is free");
        drop((waiting, held));
        assert!(slots.peers().is_empty());
    }
}
