//! Does time depend on secrets? Welch's t-test in the manner of dudect (Reparaz, Balasch, Verbauwhede, 2017).
//!
//! Each probe runs one operation on two classes of secret input, drawn at random for each measurement and copied to the same
//! place beforehand. If time does not depend on the secret, both classes have one mean, and |t| stays small however long one
//! measures: above 4.5 is suspicious, above 10 is a leak. Slow outliers (interrupts, neighbours) are cropped at several
//! quantiles of both classes together; the largest |t| of all crops counts. Two controls, known to leak, must be seen to.
//! A small |t| is no proof: it says that this many measurements on this machine saw nothing.
// Printing the table is this program's purpose.
#![allow(clippy::print_stdout, clippy::cast_precision_loss)]

use medring_protocol::chebyshev::{PublicKey, SecretKey, oracle, params_check, t};
use medring_protocol::group::message::{Confirm, M1, M2, M3};
use medring_protocol::group::pair::{Initiator, PairContext, Responder};
use medring_protocol::group::ring;
use medring_protocol::hash::{ChainId, Gid, ParticipantId};
use medring_protocol::record::{Kind, Receiver};
use medring_protocol::seal::{self, PlainKind, SealContext, SensitivePlain, To};
use medring_protocol::testkit::Actor;
use medring_protocol::testkit::ring::{TestRing, ring_actors};
use num_bigint::BigUint;
use rand::Rng;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Each probe is measured about this long.
const PROBE_TIME: Duration = Duration::from_secs(12);
/// Most measurements of a probe.
const MEASUREMENTS_MAX: usize = 400_000;
/// One measurement repeats its operation until it takes about this long, so that the clock's steps do not matter.
const MEASUREMENT_TIME: Duration = Duration::from_micros(4);
const SUSPICIOUS: f64 = 4.5;
const LEAK: f64 = 10.0;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut wanted = args.iter().filter(|arg| !arg.starts_with('-')).peekable();
    if wanted.peek().is_some() && !wanted.any(|name| "timing".contains(name.as_str())) {
        return;
    }
    let quick = args.iter().any(|arg| arg == "--test");
    let mut probe = Probe { rng: ChaCha20Rng::from_seed([1; 32]), time: PROBE_TIME };
    if quick {
        probe.time = Duration::from_millis(20);
    }
    println!("\n{:58} {:>8} {:>10} {:>8}", "operation: the two classes", "times", "median", "max |t|");
    controls(&mut probe);
    ladders(&mut probe);
    opening(&mut probe);
    macs(&mut probe);
}

struct Probe {
    rng: ChaCha20Rng,
    time: Duration,
}

impl Probe {
    fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    /// Measures `job` on inputs that `draw` makes for class 0 and class 1.
    fn run<I: Clone, T>(&mut self, name: &str, mut draw: impl FnMut(&mut Self, bool) -> I, job: impl Fn(&I) -> T) {
        let first = draw(self, false);
        let mut place = first.clone();
        let started = Instant::now();
        (0..10).for_each(|_| drop(black_box(job(&place))));
        let once = (started.elapsed() / 10).max(Duration::from_nanos(10));
        let repeats = (MEASUREMENT_TIME.as_nanos() / once.as_nanos()).max(1);
        let mut samples: Vec<(bool, f64)> = Vec::new();
        let begun = Instant::now();
        while begun.elapsed() < self.time && samples.len() < MEASUREMENTS_MAX {
            let class = self.random::<1>()[0] & 1 == 1;
            place.clone_from(&draw(self, class));
            let started = Instant::now();
            for _ in 0..repeats {
                black_box(job(black_box(&place)));
            }
            samples.push((class, started.elapsed().as_nanos() as f64 / repeats as f64));
        }
        report(name, &samples);
    }
}

fn report(name: &str, samples: &[(bool, f64)]) {
    let mut sorted: Vec<f64> = samples.iter().map(|sample| sample.1).collect();
    sorted.sort_by(f64::total_cmp);
    let at = |permille: usize| sorted[(sorted.len() - 1) * permille / 1000];
    let worst = [1000, 990, 950, 900, 750, 500].into_iter().map(|permille| welch(samples, at(permille)).abs());
    let worst = worst.fold(0.0, f64::max);
    let verdict = if worst > LEAK {
        "differs"
    } else if worst > SUSPICIOUS {
        "suspicious"
    } else {
        "no difference seen"
    };
    let median = Duration::from_secs_f64(at(500) / 1e9);
    println!("{name:58} {:>8} {:>10} {worst:>8.2}  {verdict}", samples.len(), format!("{median:.1?}"));
}

/// Welch's t of the two classes, of the samples up to `limit`.
fn welch(samples: &[(bool, f64)], limit: f64) -> f64 {
    let moments = |class: bool| {
        let of = || samples.iter().filter(|s| s.0 == class && s.1 <= limit).map(|s| s.1);
        let n = of().count() as f64;
        let mean = of().sum::<f64>() / n;
        let variance = of().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (n, mean, variance)
    };
    let ((n0, mean0, var0), (n1, mean1, var1)) = (moments(false), moments(true));
    let error = (var0 / n0 + var1 / n1).sqrt();
    if error > 0.0 { (mean0 - mean1) / error } else { 0.0 }
}

/// 32 bytes with one bit flipped, in the first byte or in the last.
fn wrong_at(mut right: [u8; 32], last: bool) -> [u8; 32] {
    right[if last { 31 } else { 0 }] ^= 0x80;
    right
}

/// A secret of class 0: one and the same, with few bits; of class 1: random.
fn scalar(probe: &mut Probe, random: bool) -> [u8; 32] {
    let mut few = [0; 32];
    (few[0], few[31]) = (0x80, 1);
    let drawn = probe.random();
    if random { drawn } else { few }
}

fn controls(probe: &mut Probe) {
    let p = params_check::modulus();
    let x = BigUint::from(4u8);
    let short = |probe: &mut Probe, random| {
        let drawn: [u8; 32] = probe.random();
        BigUint::from_bytes_be(if random { &drawn } else { &drawn[..31] })
    };
    probe.run("control, must differ: num-bigint's ladder, n of 31 or 32 bytes", short, |n| oracle::t_ladder(n, &x, &p));
    let secret: [u8; 32] = probe.random();
    let early = |a: &[u8; 32]| a.iter().zip(&secret).all(|(a, b)| black_box(*a) == black_box(*b));
    probe.run("control, must differ: early exit, wrong first or last byte", |_, last| wrong_at(secret, last), early);
}

fn ladders(probe: &mut Probe) {
    let public = *SecretKey::generate(&mut probe.rng).public();
    probe.run("ladder T_n(x): n fixed with three bits, or random", scalar, |n| t(n, public.as_bytes()));
    let n: [u8; 32] = probe.random();
    let mut small = [0; 256];
    small[255] = 4;
    let point = |probe: &mut Probe, random| if random { probe.random() } else { small };
    probe.run("ladder T_n(x): x = 4, or random", point, |x: &[u8; 256]| t(&n, x));
}

/// A participant opens what is addressed to it; nobody learns from the time which key it has, or how near a guess was.
fn opening(probe: &mut Probe) {
    let (chain, hospital) = (ChainId([1; 32]), ParticipantId([2; 32]));
    let me = ParticipantId([3; 32]);
    let plain = SensitivePlain::new(me, PlainKind::FhirBundle, br#"{"resourceType":"Bundle"}"#.to_vec());
    let ctx = SealContext { chain: &chain, kind: Kind::Ehr, uploader: &hospital, public: b"kind 1" };
    let recipient = SecretKey::generate(&mut probe.rng);
    let to = |key: &PublicKey, rng: &mut ChaCha20Rng| {
        seal::seal(&ctx, To::Participant(key), &plain, 1024, rng).expect("sealed").content
    };
    let content = to(recipient.public(), &mut probe.rng);
    let strangers: Vec<SecretKey> = (0..64).map(|_| SecretKey::generate(&mut probe.rng)).collect();
    let stranger = |probe: &mut Probe, random| {
        let drawn = usize::from(probe.random::<1>()[0] % 63) + 1;
        strangers[if random { drawn } else { 0 }].clone()
    };
    let open = |secret: &SecretKey| seal::open_as(&chain, &content, &me, secret).is_ok_and(|opened| opened.is_none());
    probe.run("open_as, not mine: one secret key, or random ones", stranger, open);
    let Receiver::Tag(tag) = content.receiver else { panic!("sealed to a participant") };
    let spoiled = [0, 15].map(|at| {
        let mut tag = tag;
        tag[at] ^= 0x80;
        seal_with(&content, tag)
    });
    let near = |_: &mut Probe, last: bool| spoiled[usize::from(last)].clone();
    let open = |content: &_| seal::open_as(&chain, content, &me, &recipient).is_ok_and(|opened| opened.is_none());
    probe.run("open_as, one-time address: wrong first or last byte", near, open);
    let sealed = |at: usize| {
        let mut content = content.clone();
        content.sealed[at] ^= 0x80;
        content
    };
    // s = suite ‖ E ‖ wrap ‖ body: the wrap's tag is its last 16 bytes.
    let wraps = [sealed(257 + 32), sealed(257 + 47)];
    let near = |_: &mut Probe, last: bool| wraps[usize::from(last)].clone();
    let open = |content: &_| seal::open_as(&chain, content, &me, &recipient).is_err();
    probe.run("open_as, the wrap's tag: wrong first or last byte", near, open);
}

fn seal_with(content: &medring_protocol::record::Content, tag: [u8; 16]) -> medring_protocol::record::Content {
    medring_protocol::record::Content { receiver: Receiver::Tag(tag), ..content.clone() }
}

fn macs(probe: &mut Probe) {
    let (a, b) = (Actor::new(1, "initiator", None), Actor::new(1, "responder", None));
    let ctx = PairContext { gid: Gid([7; 32]), index: 0, initiator: &a.keys, responder: &b.keys };
    let (initiator, m1) = Initiator::start(&ctx, &a.secret, &mut probe.rng).expect("M1");
    let (responder, m2) = Responder::respond(&ctx, &b.secret, &m1, &mut probe.rng).expect("M2");
    let (_, m3) = initiator.finish(&ctx, &a.secret, &m2).expect("M3");
    let m1s = [false, true].map(|last| M1 { mac: wrong_at(m1.mac, last), ..m1.clone() });
    let respond = |m1: &_| Responder::respond(&ctx, &b.secret, m1, &mut ChaCha20Rng::from_seed([2; 32])).is_err();
    probe.run("MAC_1 at the responder: wrong first or last byte", |_, last| m1s[usize::from(last)].clone(), respond);
    let m2s = [false, true].map(|last| M2 { mac: wrong_at(m2.mac, last), ..m2.clone() });
    let finish = |m2: &_| initiator.finish(&ctx, &a.secret, m2).is_err();
    probe.run("MAC_2 at the initiator: wrong first or last byte", |_, last| m2s[usize::from(last)].clone(), finish);
    let m3s = [false, true].map(|last| M3 { ack: wrong_at(m3.ack, last), ..m3.clone() });
    let accept = |m3: &_| responder.accept(&ctx, m3).is_err();
    probe.run("Ack at the responder: wrong first or last byte", |_, last| m3s[usize::from(last)].clone(), accept);

    let two = TestRing::first(1, &ring_actors(1, 2), &mut |_| {});
    let [before, after] = two.own_bs(0);
    let unroll = |before: &[u8; 32]| ring::unroll_checked(0, [before, &after], &two.shares).is_err();
    probe.run("the ring's own B: wrong first or last byte", |_, last| wrong_at(before, last), unroll);
    // A MAC that is wrong but well signed, as the one dishonest member of a ring would send. Verifying a signature takes a
    // time of its own for each, so every measurement has another transcript, and with it another signature.
    let (ed, gid, keys) = (&two.proposal.ed, &two.gid, &two.keys[0]);
    let signer = &two.actors[1].secret;
    let draw = |probe: &mut Probe, last| {
        let th: [u8; 32] = probe.random();
        let mut confirm = ring::confirm(gid, 1, &th, keys, signer);
        confirm.mac = wrong_at(confirm.mac, last);
        confirm.signature = signer.sign(&ring::confirm_hash(&confirm, &th));
        (th, confirm)
    };
    let check = |(th, confirm): &([u8; 32], Confirm)| ring::check_confirm(ed, gid, th, keys, confirm).is_err();
    probe.run("mac_i of a confirmation: wrong first or last byte", draw, check);
}
