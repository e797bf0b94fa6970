//! Exchanges between members of groups over real streams, and everything a peer may do to spoil them.

use crate::common::{PATIENCE, event};
use crate::links::{Link, start, start_with};
use crate::ring_peers::*;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use medring_node::core::Event;
use medring_node::net::Capture;
use medring_node::net::ring::{INBOUND_PER_PEER_MAX, Incoming, RingStreams, Transport, TransportError};
use medring_protocol::group::message::{ANSWER_BYTES_MAX, Endpoint, MESSAGE_BYTES_MAX};

/// Delivers from a task of its own.
fn deliver(from: &Link, to: Endpoint, frame: &[u8]) -> tokio::task::JoinHandle<Result<Vec<u8>, TransportError>> {
    let (ring, frame): (RingStreams, _) = (from.net.ring.clone(), frame.to_vec());
    tokio::spawn(async move { ring.deliver(&to, frame).await })
}

/// Answers everything with the same bytes in reverse.
fn echo(mut node: Link) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        while let Some(Incoming { frame, answer, .. }) = node.net.ring_incoming.recv().await {
            let _ = answer.send(frame.into_iter().rev().collect());
        }
    })
}

async fn fault(node: &mut Link, what: &str) -> String {
    event(&mut node.events, what, |e| if let Event::PeerFault { reason, .. } = e { Some(reason) } else { None }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_dialled_by_its_hints_and_brings_its_answer_back() {
    let dir = tempfile::tempdir().unwrap();
    let (at_alice, at_bob) = (dir.path().join("alice"), dir.path().join("bob"));
    let alice = start_with(8, Capture::open(Some(&at_alice)).unwrap()).await;
    let mut bob = start_with(8, Capture::open(Some(&at_bob)).unwrap()).await;
    let longest = vec![0xa5; MESSAGE_BYTES_MAX];
    let answered = deliver(&alice, endpoint(&bob), &longest);
    let Incoming { from, frame, answer } = bob.message("alice's message").await;
    assert!(from == alice.net.peer_id.to_bytes() && frame == longest);
    answer.send(vec![0x5a; ANSWER_BYTES_MAX]).unwrap();
    assert_eq!(answered.await.unwrap().unwrap(), vec![0x5a; ANSWER_BYTES_MAX]);
    // Now a link stands: no address is needed, and bob answers over the same link.
    let answered = deliver(&bob, Endpoint { peer_id: from, addresses: Vec::new() }, b"and you?");
    let mut alice = alice;
    alice.message("bob's message").await.answer.send(b"too".to_vec()).unwrap();
    assert_eq!(answered.await.unwrap().unwrap(), b"too");
    for node in [&alice, &bob] {
        node.until_count("in", "done", 1).await;
        node.until_count("out", "done", 1).await;
    }
    let holds = |path: &std::path::Path, bytes: &[u8]| {
        std::fs::read(path).unwrap().windows(bytes.len()).any(|window| window == bytes)
    };
    assert!(holds(&at_alice, &longest) && holds(&at_alice, b"too"), "what alice sent is in her capture");
    assert!(holds(&at_bob, &[0x5a; ANSWER_BYTES_MAX]) && holds(&at_bob, b"and you?"), "bob's in his");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_messages_at_once_wait_for_their_turn_and_all_arrive() {
    let (alice, mut bob, carol) = (start(8).await, start(8).await, start(8).await);
    let to = endpoint(&bob);
    let sent: Vec<_> = (0..50u8).map(|n| (n, deliver(&alice, to.clone(), &[n, 0]))).collect();
    // While alice's first ones are not answered her others wait: bob, who takes four of hers at once, refuses none.
    let held = [bob.message("a first message").await, bob.message("a second message").await];
    let from_carol = deliver(&carol, to, b"meanwhile");
    let meanwhile = bob.message("carol's message").await;
    assert_eq!(meanwhile.frame, b"meanwhile");
    meanwhile.answer.send(vec![1]).unwrap();
    from_carol.await.unwrap().unwrap();
    for Incoming { frame, answer, .. } in held {
        answer.send(frame.into_iter().rev().collect()).unwrap();
    }
    let bob = echo(bob);
    for (n, answered) in sent {
        assert_eq!(answered.await.unwrap().unwrap(), [0, n]);
    }
    bob.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_delivered_says_why() {
    let (alice, bob) = (start(8).await, start(8).await);
    let unlinked = Endpoint { addresses: Vec::new(), ..endpoint(&bob) };
    let error = deliver(&alice, unlinked, b"x").await.unwrap().unwrap_err();
    assert!(matches!(error, TransportError::Unreachable(ref why) if why.contains("no address")), "{error}");
    for frame in [vec![], vec![0; MESSAGE_BYTES_MAX + 1]] {
        let error = deliver(&alice, endpoint(&bob), &frame).await.unwrap().unwrap_err();
        assert!(matches!(error, TransportError::Caller(_)), "{error}");
    }
    let deaf = Rogue::linked_to(&alice).await;
    let error = deliver(&alice, deaf.endpoint(), b"x").await.unwrap().unwrap_err();
    assert_eq!(error, TransportError::Unsupported);
    alice.isolate(true).await;
    let error = deliver(&alice, endpoint(&bob), b"x").await.unwrap().unwrap_err();
    assert!(matches!(error, TransportError::Unreachable(ref why) if why.contains("cut off")), "{error}");
    alice.stop.cancel();
    let error = deliver(&alice, endpoint(&bob), b"x").await.unwrap().unwrap_err();
    assert!(matches!(error, TransportError::Stopping | TransportError::Unreachable(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_peer_at_the_address_gets_nothing() {
    let (alice, mut bob, carol) = (start(8).await, start(8).await, start(8).await);
    let bare = bob.net.listen[0].iter().take(2).collect::<libp2p::Multiaddr>();
    let to = Endpoint { peer_id: carol.net.peer_id.to_bytes(), addresses: vec![bare.to_string()] };
    let error = deliver(&alice, to, b"for carol alone").await.unwrap().unwrap_err();
    assert!(matches!(error, TransportError::Unreachable(_)), "{error}");
    assert!(alice.net.links.borrow().is_empty(), "no link to whoever answers there is kept");
    // Bob hears nothing before what is really for him.
    let to_bob = deliver(&alice, endpoint(&bob), b"for bob");
    let first = bob.message("the message for bob").await;
    assert_eq!(first.frame, b"for bob");
    first.answer.send(vec![1]).unwrap();
    to_bob.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_drips_is_cut_and_its_place_is_free_again() {
    let bob = start(8).await;
    let rogue = Rogue::linked_to(&bob).await;
    let mut streams = Vec::new();
    for _ in 0..INBOUND_PER_PEER_MAX {
        let mut stream = rogue.open(&bob).await;
        stream.write_all(&u32::try_from(MESSAGE_BYTES_MAX).unwrap().to_be_bytes()).await.unwrap();
        streams.push(tokio::spawn(async move { drip(&mut stream, "a dripping sender to be cut").await }));
    }
    for stream in streams {
        stream.await.unwrap();
    }
    bob.until_count("in", "failed", INBOUND_PER_PEER_MAX as u64).await;
    let mut bob = bob;
    let mut stream = rogue.open(&bob).await;
    stream.write_all(&framed(b"in one go")).await.unwrap();
    bob.message("a message in one go").await.answer.send(vec![1]).unwrap();
    assert_eq!(read_to_end(&mut stream, "its answer").await, (true, framed(&[1])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_without_an_answer_is_reset() {
    let (alice, mut bob) = (start(8).await, start(8).await);
    let answered = deliver(&alice, endpoint(&bob), b"dropped");
    drop(bob.message("a message whose answer is dropped").await.answer);
    let error = answered.await.unwrap().unwrap_err();
    assert!(matches!(error, TransportError::Lost(_)), "{error}");
    let answered = deliver(&alice, endpoint(&bob), b"forgotten");
    let held = bob.message("a message whose answer is forgotten").await;
    let error = answered.await.unwrap().unwrap_err();
    assert!(matches!(error, TransportError::Lost(_)), "{error}");
    assert!(held.answer.is_closed(), "nobody waits for it any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_closed_stream_still_brings_the_answer() {
    let mut bob = start(8).await;
    let rogue = Rogue::linked_to(&bob).await;
    let mut stream = rogue.open(&bob).await;
    stream.write_all(&framed(b"that is all")).await.unwrap();
    stream.close().await.unwrap();
    let Incoming { frame, answer, .. } = bob.message("a message on a half-closed stream").await;
    assert_eq!(frame, b"that is all");
    answer.send(b"noted".to_vec()).unwrap();
    assert_eq!(read_to_end(&mut stream, "the answer").await, (true, framed(b"noted")));
    // The other way about: a receiver that half-closes without an answer is no reason to wait.
    let mut streams = rogue.accept();
    let answered = deliver(&bob, rogue.endpoint(), b"hello?");
    let (_, mut stream) = tokio::time::timeout(PATIENCE, streams.next()).await.expect("awaited bob's stream").unwrap();
    let heard = read_to_end(&mut stream, "the end of bob's message").await;
    assert_eq!(heard, (true, framed(b"hello?")), "bob half-closes, too");
    stream.close().await.unwrap();
    let error = answered.await.unwrap().unwrap_err();
    assert!(matches!(error, TransportError::Lost(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_above_the_cap_costs_the_link_at_once() {
    let mut bob = start(8).await;
    for stated in [u32::MAX, u32::try_from(MESSAGE_BYTES_MAX).unwrap() + 1, 0] {
        let rogue = Rogue::linked_to(&bob).await;
        let mut stream = rogue.open(&bob).await;
        stream.write_all(&stated.to_be_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let reason = fault(&mut bob, "a fault for a length").await;
        assert!(reason.contains(&format!("a frame of {stated} bytes")), "{reason}");
        assert!(read_to_end(&mut stream, "the end of the stream").await.1.is_empty());
        let mut links = bob.net.links.clone();
        let gone = links.wait_for(|links| links.iter().all(|link| link.peer_id != rogue.peer_id));
        drop(tokio::time::timeout(PATIENCE, gone).await.expect("awaited the end of the link").unwrap());
    }
    assert!(bob.net.ring_incoming.try_recv().is_err(), "nothing of it reached the reader");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_above_the_cap_costs_the_link_too() {
    let mut alice = start(8).await;
    let rogue = Rogue::linked_to(&alice).await;
    let mut streams = rogue.accept();
    let answered = deliver(&alice, rogue.endpoint(), b"hello");
    let (_, mut stream) = streams.next().await.unwrap();
    stream.write_all(&u32::try_from(ANSWER_BYTES_MAX + 1).unwrap().to_be_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let error = answered.await.unwrap().unwrap_err();
    assert!(matches!(error, TransportError::Malformed(ref why) if why.contains("1025 bytes")), "{error}");
    assert!(fault(&mut alice, "a fault for an answer").await.contains("malformed answer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_with_too_many_streams_keeps_nobody_else_out() {
    const TRIED: usize = 24;
    let bob = start(32).await;
    let rogue = Rogue::linked_to(&bob).await;
    let mut held = Vec::new();
    for _ in 0..TRIED {
        held.push(rogue.open(&bob).await);
    }
    bob.until_count("in", "refused", (TRIED - INBOUND_PER_PEER_MAX) as u64).await;
    assert_eq!(bob.count("in", "failed"), 0, "those within the bound are still open");
    let alice = start(8).await;
    let mut bob = bob;
    let answered = deliver(&alice, endpoint(&bob), b"from an honest peer");
    bob.message("an honest peer's message").await.answer.send(vec![1]).unwrap();
    assert_eq!(answered.await.unwrap().unwrap(), [1]);
    assert_eq!(bob.count("in", "refused"), (TRIED - INBOUND_PER_PEER_MAX) as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_vanishes_in_the_middle_leaves_nothing_behind() {
    let mut bob = start(8).await;
    let rogue = Rogue::linked_to(&bob).await;
    let mut stream = rogue.open(&bob).await;
    let whole = framed(&[7; 1000]);
    stream.write_all(&whole[..500]).await.unwrap();
    stream.flush().await.unwrap();
    rogue.vanish().await;
    bob.until_count("in", "failed", 1).await;
    assert!(bob.net.ring_incoming.try_recv().is_err());
    drop(stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_vanishes_in_the_middle_is_told_at_once() {
    let alice = start(8).await;
    let rogue = Rogue::linked_to(&alice).await;
    let mut streams = rogue.accept();
    let answered = deliver(&alice, rogue.endpoint(), b"are you there");
    let (_, mut stream) = streams.next().await.unwrap();
    let mut bytes = vec![0; 4 + 13];
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(bytes, framed(b"are you there"));
    rogue.vanish().await;
    let error = answered.await.unwrap().unwrap_err();
    assert!(matches!(error, TransportError::Lost(_)), "{error}");
    drop(stream);
}
