//! The ring's side: whole epochs through the functions that a node's machine calls.

use crate::cost::{Clock, Cost};
use medring_protocol::chebyshev::ladders;
use medring_protocol::group::GroupUid;
use medring_protocol::group::message::{Envelope, Message};
use medring_protocol::testkit::ring::{TestRing, ring_actors};

/// Set-up of n, join n − 1 → n, leave n → n − 1.
pub(crate) fn round(n: usize) -> [Cost; 3] {
    let actors = ring_actors(1, n);
    let (_, set_up) = measured(n, |watch| TestRing::first(1, &actors, watch));
    let base = TestRing::first(1, &actors[..n - 1], &mut |_| {});
    let (joined, join) = measured(n, |watch| base.next(1, &actors, vec![], watch));
    let mut stay = actors;
    stay.remove(n / 2);
    let (_, leave) = measured(n, |watch| joined.next(1, &stay, vec![], watch));
    // Two agreements at the cut or one; everybody else did hashes only.
    assert!(n < 3 || (join.ladders, leave.ladders) == (20, 10), "n = {n}: {join:?} {leave:?}");
    [set_up, join, leave]
}

fn measured(members: usize, agree: impl FnOnce(&mut dyn FnMut(usize)) -> TestRing) -> (TestRing, Cost) {
    let mut by = vec![0; members];
    let mut last = ladders();
    let mut clock = Clock::start(members);
    let ring = agree(&mut |member| {
        clock.mark(member);
        by[member] += ladders() - last;
        last = ladders();
        clock.skip();
    });
    let mut cost =
        Cost { ladders: by.iter().sum(), ladders_busiest: by.into_iter().max().unwrap_or(0), ..Cost::default() };
    clock.read(&mut cost);
    count(&ring, &mut cost);
    (ring, cost)
}

/// Messages as they are sent: a descriptor, a share and a confirmation go from their maker to every other member.
fn count(ring: &TestRing, cost: &mut Cost) {
    let others = ring.actors.len() - 1;
    let mut send = |message: Message, times: usize| {
        let envelope = Envelope { group: GroupUid(ring.proposal.ed.group), message };
        cost.messages += times;
        cost.bytes += times * envelope.encode().len();
    };
    send(Message::Propose(Box::new(ring.proposal.clone())), others);
    for agreement in ring.agreements.iter().flatten().cloned() {
        send(Message::M1(agreement.m1), 1);
        send(Message::M2(agreement.m2), 1);
        send(Message::M3(agreement.m3), 1);
    }
    ring.shares.iter().for_each(|share| send(Message::Share(share.clone()), others));
    ring.confirms.iter().for_each(|confirm| send(Message::Confirm(confirm.clone()), others));
}
