//! What a list of changes makes of a ring. Owner and members compute it alike.

use super::state::ids;
use crate::group::descriptor::{Change, EpochDescriptor};
use crate::hash::ParticipantId;

/// Carries out one change; `false`, and nothing done, if it changes nothing here. Joiners come last, the others keep their
/// order, so that only the pairs at a cut are new. The owner is never taken out.
pub(super) fn apply(ring: &mut Vec<ParticipantId>, change: &Change, owner: &ParticipantId) -> bool {
    let (_, who) = change.parts();
    let place = ring.iter().position(|id| id == who);
    match (change, place) {
        (Change::Join(_) | Change::Return(_), None) => ring.push(*who),
        (Change::Leave(_) | Change::Remove(_) | Change::Suspend(_), Some(at)) if who != owner => drop(ring.remove(at)),
        (Change::Update(_), Some(_)) => {}
        _ => return false,
    }
    true
}

/// Whether a roster is what its changes make of `base`, in this order and with nothing left over.
pub(super) fn explains(base: &[ParticipantId], ed: &EpochDescriptor) -> bool {
    let mut ring = base.to_vec();
    ed.changes.iter().all(|change| apply(&mut ring, change, &ed.owner)) && ring == ids(ed)
}

/// Whether the changes bring this participant in.
pub(super) fn brings(ed: &EpochDescriptor, who: &ParticipantId) -> bool {
    ed.changes.contains(&Change::Join(*who)) || ed.changes.contains(&Change::Return(*who))
}

/// Whether a change takes somebody out.
pub(super) const fn takes_out(change: &Change) -> bool {
    matches!(change, Change::Leave(_) | Change::Remove(_) | Change::Suspend(_))
}

/// Changes that do something to `base`, in order, and the ring they make. Who would come and go again is left out of them,
/// and nobody who comes or goes is updated besides.
pub(super) fn effective(
    base: &[ParticipantId],
    wanted: &[Change],
    owner: &ParticipantId,
) -> (Vec<ParticipantId>, Vec<Change>) {
    let mut ring = base.to_vec();
    let kept: Vec<Change> = wanted.iter().filter(|change| apply(&mut ring, change, owner)).copied().collect();
    let moot = |change: &Change| {
        let (_, who) = change.parts();
        let came_and_went = !base.contains(who) && !ring.contains(who);
        came_and_went || (matches!(change, Change::Update(_)) && !(base.contains(who) && ring.contains(who)))
    };
    let changes = kept.iter().filter(|change| !moot(change)).copied().collect();
    (ring, changes)
}

/// Every pair of a ring of n, for a descriptor that refreshes all.
pub(super) fn every_pair(n: usize) -> Vec<u16> {
    (0..n).map(super::state::index).collect()
}

/// The pairs at both sides of a place.
pub(super) fn pairs_of(place: usize, n: usize) -> [u16; 2] {
    [super::state::index((place + n.max(1) - 1) % n.max(1)), super::state::index(place)]
}
