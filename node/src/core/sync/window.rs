//! The bodies still missing on the branch aimed at, lowest first, and where each of them is.

use super::super::RequestId;
use medring_protocol::BlockId;
use std::collections::VecDeque;

/// Where the body of a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nobody is asked for it.
    Free,
    /// Asked for.
    Asked(RequestId),
    /// Here, so many bytes: its signatures are being verified, or it waits for its parent or its time.
    Here(usize),
    /// In the store.
    Stored,
}

/// One block of the branch.
#[derive(Clone, Copy, Debug)]
struct Slot {
    id: BlockId,
    place: Place,
}

/// The branch from the lowest block whose body is not stored up to the one aimed at: 48 bytes a block.
#[derive(Debug)]
pub(super) struct Window {
    /// Height of the first slot.
    base: u64,
    slots: VecDeque<Slot>,
    /// No slot before this one is free.
    cursor: usize,
    /// Bytes of all that is here.
    here_bytes: usize,
    /// The height below the first slot when it was made.
    from: u64,
}

impl Window {
    /// `ids` are successive, the first at height `base`.
    pub(super) fn new(base: u64, ids: impl IntoIterator<Item = BlockId>) -> Self {
        let slots = ids.into_iter().map(|id| Slot { id, place: Place::Free }).collect();
        Self { base, slots, cursor: 0, here_bytes: 0, from: base.saturating_sub(1) }
    }

    /// The branch grew: `ids` follow its last block.
    pub(super) fn extend(&mut self, ids: impl IntoIterator<Item = BlockId>) {
        self.slots.extend(ids.into_iter().map(|id| Slot { id, place: Place::Free }));
    }

    /// The block aimed at.
    pub(super) fn target(&self) -> Option<BlockId> {
        self.slots.back().map(|slot| slot.id)
    }

    /// Its height.
    pub(super) fn top(&self) -> u64 {
        self.base + self.slots.len() as u64 - u64::from(!self.slots.is_empty())
    }

    /// The height from which this branch is fetched.
    pub(super) fn from(&self) -> u64 {
        self.from
    }

    /// Height of the lowest block that is missing.
    pub(super) fn base(&self) -> u64 {
        self.base
    }

    /// The lowest block that is not stored, and where it is.
    pub(super) fn front(&self) -> Option<(BlockId, Place)> {
        self.slots.front().map(|slot| (slot.id, slot.place))
    }

    /// The block of this branch at a height, if it is in the window.
    pub(super) fn id_at(&self, height: u64) -> Option<BlockId> {
        self.slots.get(self.index(height)?).map(|slot| slot.id)
    }

    /// Bytes of all bodies that are here and not stored.
    pub(super) fn here_bytes(&self) -> usize {
        self.here_bytes
    }

    fn index(&self, height: u64) -> Option<usize> {
        usize::try_from(height.checked_sub(self.base)?).ok()
    }

    fn slot_of(&mut self, height: u64, id: &BlockId) -> Option<usize> {
        self.index(height).filter(|at| self.slots.get(*at).is_some_and(|slot| slot.id == *id))
    }

    /// Whether a block is one of those missing.
    pub(super) fn contains(&self, height: u64, id: &BlockId) -> bool {
        self.id_at(height) == Some(*id)
    }

    /// Notes where a block is; one that is not of this branch is nobody's business here.
    pub(super) fn put(&mut self, height: u64, id: &BlockId, place: Place) {
        let Some(at) = self.slot_of(height, id) else { return };
        self.set(at, place);
    }

    /// The same for a block that is free.
    pub(super) fn put_free(&mut self, height: u64, id: &BlockId, place: Place) {
        let at = self.slot_of(height, id);
        if let Some(at) = at.filter(|at| self.slots.get(*at).is_some_and(|slot| slot.place == Place::Free)) {
            self.set(at, place);
        }
    }

    fn set(&mut self, at: usize, place: Place) {
        let Some(slot) = self.slots.get_mut(at) else { return };
        if let Place::Here(bytes) = std::mem::replace(&mut slot.place, place) {
            self.here_bytes -= bytes;
        }
        match place {
            Place::Here(bytes) => self.here_bytes += bytes,
            Place::Free => self.cursor = self.cursor.min(at),
            Place::Asked(_) | Place::Stored => {}
        }
    }

    /// A body was stored. Says whether the lowest missing block is another one now.
    pub(super) fn stored(&mut self, height: u64, id: &BlockId) -> bool {
        self.put(height, id, Place::Stored);
        let before = self.base;
        while self.slots.front().is_some_and(|slot| slot.place == Place::Stored) {
            self.slots.pop_front();
            self.base += 1;
            self.cursor = self.cursor.saturating_sub(1);
        }
        self.base > before
    }

    /// Takes the lowest free blocks for a request: at most `most`, none above height `reach`, none further than `ahead`
    /// blocks from the lowest one that is missing.
    pub(super) fn take(&mut self, request: RequestId, most: usize, reach: u64, ahead: usize) -> Vec<BlockId> {
        let end = self.index(reach).map_or(0, |at| (at + 1).min(ahead).min(self.slots.len()));
        let mut taken = Vec::new();
        let mut at = self.cursor;
        while at < end && taken.len() < most {
            if self.slots.get(at).is_some_and(|slot| slot.place == Place::Free) {
                taken.extend(self.slots.get(at).map(|slot| slot.id));
                self.set(at, Place::Asked(request));
            } else if at == self.cursor {
                self.cursor += 1;
            }
            at += 1;
        }
        taken
    }

    /// A request is over: what it did not bring is free again.
    pub(super) fn release(&mut self, request: RequestId, ahead: usize) {
        for at in 0..self.slots.len().min(ahead) {
            if self.slots.get(at).is_some_and(|slot| slot.place == Place::Asked(request)) {
                self.set(at, Place::Free);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> BlockId {
        BlockId([n; 32])
    }

    fn window() -> Window {
        Window::new(11, (11..31).map(id))
    }

    #[test]
    fn the_lowest_free_blocks_are_taken_first_and_each_once() {
        let mut window = window();
        assert_eq!(window.take(RequestId(1), 3, 30, 8), [id(11), id(12), id(13)]);
        assert_eq!(window.take(RequestId(2), 9, 30, 8), (14..19).map(id).collect::<Vec<_>>(), "no further ahead");
        assert!(window.take(RequestId(3), 9, 30, 8).is_empty());
        window.release(RequestId(1), 8);
        assert_eq!(window.take(RequestId(4), 9, 12, 8), [id(11), id(12)], "no higher than it can reach");
        assert!(window.take(RequestId(5), 9, 10, 8).is_empty());
        assert_eq!((window.target(), window.top(), window.from()), (Some(id(30)), 30, 10));
    }

    #[test]
    fn what_is_stored_moves_the_window_on_and_bytes_are_counted() {
        let mut window = window();
        window.take(RequestId(1), 8, 30, 8);
        window.put(12, &id(12), Place::Here(100));
        window.put(13, &id(13), Place::Here(50));
        window.put(13, &id(99), Place::Here(7));
        assert_eq!(window.here_bytes(), 150);
        assert!(!window.stored(12, &id(12)), "the lowest is still missing");
        assert!(window.stored(11, &id(11)));
        assert_eq!((window.base(), window.front(), window.here_bytes()), (13, Some((id(13), Place::Here(50))), 50));
        window.put(13, &id(13), Place::Free);
        assert_eq!(window.take(RequestId(2), 1, 30, 8), [id(13)], "what got lost is asked for again");
        assert_eq!(window.take(RequestId(3), 9, 30, 8), [id(19), id(20)]);
    }
}
