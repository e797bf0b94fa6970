//! What peers say, late or never: delays and losses between the transport and the core (test networks only).

use crate::core::Input;
use crate::faults::Faults;
use libp2p::PeerId;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// Messages that wait for their time; while there are so many, the transport waits too.
const LATE_MAX: usize = 256;

/// What becomes of one message.
#[derive(Debug)]
pub(super) enum Fate {
    /// The core hears it now.
    Now(Input),
    /// It was lost: here it is, for whoever waits for an answer.
    Lost(Input),
    /// It waits inside.
    Late,
}

/// Delays and losses, and what waits.
#[derive(Debug)]
pub(super) struct Ear {
    faults: Faults,
    rng: ChaCha12Rng,
    late: BTreeMap<(Instant, u64), (PeerId, Input)>,
    heard: u64,
}

impl Default for Ear {
    fn default() -> Self {
        Self { faults: Faults::default(), rng: ChaCha12Rng::seed_from_u64(0), late: BTreeMap::new(), heard: 0 }
    }
}

impl Ear {
    /// From now on so. What waits is heard at once.
    pub(super) fn set(&mut self, faults: Faults, now: Instant) {
        self.rng = ChaCha12Rng::seed_from_u64(faults.seed);
        self.faults = faults;
        let waiting = std::mem::take(&mut self.late).into_iter();
        self.late = waiting.map(|((_, number), message)| ((now, number), message)).collect();
    }

    /// A message of `from` arrived.
    pub(super) fn hear(&mut self, from: PeerId, input: Input, now: Instant) -> Fate {
        let (delay_ms, loss_percent) = self.faults.hearing_of(&from);
        if loss_percent > 0 && self.rng.random_range(0..100) < loss_percent {
            return Fate::Lost(input);
        }
        // What is said later never overtakes what its speaker said before.
        let last = self.late.iter().rev().find(|(_, (whose, _))| *whose == from).map(|((at, _), _)| *at);
        let at = last.map_or(now, |last| last.max(now)).max(now + Duration::from_millis(delay_ms));
        if at == now {
            return Fate::Now(input);
        }
        self.heard += 1;
        self.late.insert((at, self.heard), (from, input));
        Fate::Late
    }

    /// When the next message is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.late.first_key_value().map(|((at, _), _)| *at)
    }

    /// A message that is due.
    pub(super) fn due(&mut self, now: Instant) -> Option<Input> {
        let first = self.late.first_entry().filter(|first| first.key().0 <= now)?;
        Some(first.remove().1)
    }

    /// Whether no more may come in.
    pub(super) fn is_full(&self) -> bool {
        self.late.len() >= LATE_MAX
    }

    /// A peer is gone, and what it said with it: what waits of its gossip is returned, for it awaits a verdict.
    pub(super) fn forget(&mut self, gone: &PeerId) -> Vec<Input> {
        let mut out = Vec::new();
        self.late.retain(|_, (from, input)| {
            let stays = from != gone;
            if !stays && matches!(input, Input::Gossip { .. }) {
                out.push(input.clone());
            }
            stays
        });
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Peer;
    use crate::faults::Hearing;

    #[expect(clippy::disallowed_methods, reason = "a point in time to count from")]
    fn start() -> Instant {
        Instant::now()
    }

    fn said(number: u64) -> Input {
        Input::Connected { peer: Peer(number) }
    }

    fn number(input: Option<Input>) -> Option<u64> {
        input.map(|input| if let Input::Connected { peer } = input { peer.0 } else { panic!("{input:?}") })
    }

    fn faults(delay_ms: u64, loss_percent: u8) -> Faults {
        Faults { hearing: vec![Hearing { from: None, delay_ms, loss_percent }], ..Faults::default() }
    }

    #[test]
    fn late_messages_come_after_their_delay_and_in_order() {
        let (mut ear, now, peer) = (Ear::default(), start(), PeerId::random());
        let ms = |ms| now + Duration::from_millis(ms);
        assert!(matches!(ear.hear(peer, said(0), now), Fate::Now(_)));
        ear.set(faults(300, 0), now);
        assert!(matches!(ear.hear(peer, said(1), now), Fate::Late));
        ear.set(Faults { hearing: faults(100, 0).hearing, ..Faults::default() }, ms(10));
        assert_eq!(ear.next(), Some(ms(10)), "what waited is heard at once");
        assert!(matches!(ear.hear(peer, said(2), ms(10)), Fate::Late));
        assert_eq!(number(ear.due(ms(10))), Some(1));
        assert_eq!(number(ear.due(ms(109))), None);
        ear.set(faults(50, 0), ms(20));
        assert!(matches!(ear.hear(peer, said(3), ms(20)), Fate::Late));
        assert_eq!([ear.due(ms(70)), ear.due(ms(70)), ear.due(ms(70))].map(number), [Some(2), Some(3), None]);
    }

    #[test]
    fn losses_come_from_the_seed_and_in_their_share() {
        let lost = |seed, percent| {
            let mut ear = Ear::default();
            ear.set(Faults { seed, ..faults(0, percent) }, start());
            let (peer, now) = (PeerId::random(), start());
            (0..1000).filter(|n| matches!(ear.hear(peer, said(*n), now), Fate::Lost(_))).collect::<Vec<_>>()
        };
        assert_eq!(lost(1, 0), Vec::<u64>::new());
        assert_eq!(lost(1, 100).len(), 1000);
        assert!((150..250).contains(&lost(1, 20).len()), "{}", lost(1, 20).len());
        assert_eq!(lost(1, 20), lost(1, 20));
        assert_ne!(lost(1, 20), lost(2, 20));
    }

    #[test]
    fn only_so_many_messages_wait_and_a_peer_that_goes_takes_its_own_along() {
        let (mut ear, now, peer, other) = (Ear::default(), start(), PeerId::random(), PeerId::random());
        ear.set(faults(1000, 0), now);
        for n in 0..LATE_MAX as u64 {
            assert!(!ear.is_full(), "{n}");
            ear.hear(if n == 5 { other } else { peer }, said(n), now);
        }
        assert!(ear.is_full());
        assert!(ear.forget(&peer).is_empty(), "no gossip was among it");
        assert_eq!(number(ear.due(now + Duration::from_secs(1))), Some(5));
        assert_eq!(ear.next(), None);
    }
}
