//! Retargeting: against an oracle, against the exponential it approximates, and over simulated days.

use medring_protocol::params::Params;
use medring_protocol::pow::{self, CompactTarget, Target};
use medring_protocol::testkit::{Kit, test_params};
use num_bigint::{BigInt, BigUint};
use num_traits::{One, Signed, ToPrimitive};
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

fn params(spacing_ms: u64, genesis: u32, limit: u32) -> Params {
    Params {
        target_spacing_ms: spacing_ms,
        genesis_target: CompactTarget(genesis),
        limit_target: CompactTarget(limit),
        retarget: true,
        ..test_params(Kit::new(1).authority.keys)
    }
}

fn uint(target: CompactTarget) -> BigUint {
    target.decode().unwrap().to_uint()
}

fn float(target: CompactTarget) -> f64 {
    uint(target).to_f64().unwrap()
}

/// The rule once more, in integers without bounds.
fn oracle(params: &Params, tip: u64, schedule_ms: u64) -> BigUint {
    let tau = BigInt::from(params.tau_ms());
    let ahead = BigInt::from(schedule_ms) - BigInt::from(params.target_spacing_ms) * (tip - 1);
    let e: BigInt = (ahead * 65_536) / tau; // BigInt's division truncates toward zero
    let n: BigInt = &e >> 16;
    let f: BigInt = &e - (&n << 16);
    let cubic: BigInt = &f * (195_766_423_245_049u64 + &f * (971_821_376u64 + &f * 5_127u64));
    let factor: BigInt = ((cubic + (BigInt::one() << 47)) >> 48) + 65_536;
    let anchor = BigInt::from(uint(params.genesis_target)) * factor;
    // 400 doublings more or less are beyond both clamps.
    let n = n.to_i64().unwrap_or(if n.is_negative() { -400 } else { 400 }).clamp(-400, 400);
    let shifted = if n < 0 { anchor >> n.unsigned_abs() } else { anchor << n.unsigned_abs() };
    let target: BigInt = shifted >> 16;
    target.to_biguint().unwrap().clamp(BigUint::one(), uint(params.limit_target))
}

/// A non-negative float, rounded down.
fn whole(value: f64) -> u64 {
    value.to_u64().unwrap()
}

#[test]
fn the_first_two_blocks_and_fixed_chains_have_the_genesis_target() {
    let with = params(2_000, 0x1e00_ffff, 0x207f_ffff);
    let without = Params { retarget: false, ..with.clone() };
    for schedule_ms in [0, 1, u64::MAX] {
        assert_eq!(pow::next_target(&with, 0, schedule_ms), with.genesis_target);
        for tip in [0, 1, 1000] {
            assert_eq!(pow::next_target(&without, tip, schedule_ms), with.genesis_target);
        }
    }
    assert_eq!(pow::next_target(&with, 1, 0), with.genesis_target, "block 2 is due one spacing after block 1");
    assert_eq!(pow::schedule_step(&with, 5, 1, 77), 0, "S_1 = 0");
    assert_eq!(pow::schedule_step(&with, 5, 2, 77), 82);
    assert_eq!(pow::schedule_step(&with, 5, 2, u64::MAX), 5 + with.tau_ms(), "no step is longer than τ");
    assert_eq!(pow::schedule_step(&with, u64::MAX, 2, 1), u64::MAX);
}

#[test]
fn one_tau_behind_doubles_the_target_and_one_ahead_halves_it() {
    let p = params(2_000, 0x1e00_ffff, 0x207f_ffff);
    let tau = p.tau_ms();
    let tip = 72 * 4 + 1; // on schedule at S = 4τ
    for doublings in -4..=8i64 {
        let schedule = (4 + doublings).unsigned_abs() * tau;
        let expected = (uint(p.genesis_target) << (doublings + 4).unsigned_abs()) >> 4u32;
        let expected = Target::from_uint(&expected).unwrap().compact();
        assert_eq!(pow::next_target(&p, tip, schedule), expected, "{doublings}");
    }
}

#[test]
fn the_target_is_clamped_at_both_ends() {
    let p = params(2_000, 0x1e00_ffff, 0x1f00_ffff);
    assert_eq!(pow::next_target(&p, 2, u64::MAX), p.limit_target);
    assert_eq!(pow::next_target(&p, u64::MAX, 0), CompactTarget(0x0101_0000), "the hardest target is 1");
    assert_eq!(pow::next_target(&p, u64::MAX, u64::MAX), CompactTarget(0x0101_0000));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_integers_equal_the_oracles(
        spacing in 100..86_400_000u64,
        genesis in prop::sample::select(vec![0x1c00_ffffu32, 0x1d00_ffff, 0x1e7f_ffff, 0x1f12_3456, 0x207f_ffff]),
        tip in prop_oneof![1..1000u64, 1..u64::MAX],
        off in prop_oneof![-1_000_000_000i64..1_000_000_000, any::<i64>()],
    ) {
        let p = params(spacing, genesis, 0x207f_ffff);
        let schedule = spacing.saturating_mul(tip - 1).saturating_add_signed(off);
        let target = pow::next_target(&p, tip, schedule);
        let exact = oracle(&p, tip, schedule);
        prop_assert_eq!(target, Target::from_uint(&exact).unwrap().compact());
        prop_assert_eq!(target.decode().unwrap().compact(), target, "always canonical");
    }

    #[test]
    fn the_polynomial_is_the_exponential(off in -20.0..6.0f64) {
        let p = params(60_000, 0x1e00_ffff, 0x207f_ffff);
        let tip = 72 * 30 + 1;
        let schedule = whole((30.0 + off) * p.tau_ms() as f64);
        let ratio = float(pow::next_target(&p, tip, schedule)) / float(p.genesis_target);
        let error = ratio / off.exp2() - 1.0;
        prop_assert!(error.abs() < 3e-4, "{} against 2^{off}", ratio);
    }
}

/// A chain under retargeting with miners of some hash rate (hashes per ms) and stamps of their choice.
struct Days {
    params: Params,
    rng: Option<ChaCha20Rng>,
    height: u64,
    /// True time of the last block and its stamp, ms after block 1.
    now: f64,
    stamp: u64,
    schedule_ms: u64,
}

impl Days {
    /// Blocks exactly as far apart as their expected work takes, or, with a seed, exponentially distributed.
    fn new(seed: Option<u64>) -> Self {
        let rng = seed.map(ChaCha20Rng::seed_from_u64);
        let params = params(60_000, 0x1e00_ffff, 0x207f_ffff);
        Self { params, rng, height: 1, now: 0.0, stamp: 0, schedule_ms: 0 }
    }

    /// The hash rate at which the genesis target gives the intended spacing.
    fn fair_rate(&self) -> f64 {
        self.params.genesis_target.decode().unwrap().work().approx() / self.params.target_spacing_ms as f64
    }

    /// Mines a block; `ahead_ms` is added to its stamp. Returns how long it took, in intended spacings.
    fn mine(&mut self, rate: f64, ahead_ms: u64) -> f64 {
        let work = self.target().decode().unwrap().work().approx();
        let luck = self.rng.as_mut().map_or(1.0, |rng| -((rng.next_u32() as f64 + 1.0) / 4_294_967_296.0).ln());
        let took = work / rate * luck;
        self.now += took;
        let stamp = (whole(self.now) + ahead_ms).max(self.stamp + 1);
        self.height += 1;
        self.schedule_ms = pow::schedule_step(&self.params, self.schedule_ms, self.height, stamp - self.stamp);
        self.stamp = stamp;
        took / self.params.target_spacing_ms as f64
    }

    fn target(&self) -> CompactTarget {
        pow::next_target(&self.params, self.height, self.schedule_ms)
    }

    /// Mean spacing over some blocks, in intended spacings.
    fn mean(&mut self, blocks: u32, rate: f64) -> f64 {
        (0..blocks).map(|_| self.mine(rate, 0)).sum::<f64>() / f64::from(blocks)
    }
}

/// After the hash rate changes by a factor: how many blocks until the spacing stays within a factor of what is intended.
fn blocks_to_recover(change: f64, within: f64) -> i32 {
    let mut days = Days::new(None);
    let rate = days.fair_rate();
    assert!((days.mean(100, rate) - 1.0).abs() < 0.01, "steady at the start");
    let spacings: Vec<f64> = (0..1000).map(|_| days.mine(rate * change, 0)).collect();
    let off = spacings.iter().rposition(|s| *s > within || *s < 1.0 / within);
    off.map_or(0, |i| i32::try_from(i).unwrap() + 1)
}

/// Without luck the spacing s obeys ds/dn = −s(s−1)·ln 2/72, so it takes 72/ln 2 · Δ ln(s/(s−1)) blocks.
#[test]
fn a_tenth_and_tenfold_of_the_hash_rate_recover() {
    for (change, within, expected) in [(0.1, 2.0, 61), (0.1, 1.1, 238), (10.0, 2.0, 228), (10.0, 1.1, 468)] {
        let blocks = blocks_to_recover(change, within);
        assert!((blocks - expected).abs() <= 6, "×{change}: within {within} after {blocks}, not {expected} blocks");
    }
}

#[test]
fn the_mean_spacing_holds_under_luck_and_under_miners_who_come_and_go() {
    for seed in 0..3 {
        let mut days = Days::new(Some(seed));
        let rate = days.fair_rate();
        let mean = days.mean(4000, rate * 3.0);
        assert!((0.9..1.1).contains(&mean), "seed {seed}: {mean}");
        // Half the power, on for 100 blocks, off for 100.
        let mean =
            (0..40).map(|i| days.mean(100, if i % 2 == 0 { rate * 3.0 } else { rate * 1.5 })).sum::<f64>() / 40.0;
        assert!((0.9..1.1).contains(&mean), "seed {seed}: {mean}");
    }
}

#[test]
fn a_network_that_slept_two_days_does_not_wake_to_a_flood() {
    let mut days = Days::new(None);
    let rate = days.fair_rate();
    days.mean(200, rate);
    let before = float(days.target());
    days.now += 2.0 * 86_400_000.0;
    days.mine(rate, 0);
    let after = float(days.target());
    assert!(after / before < 2.02, "one long gap counts as τ at most: {}", after / before);
    let spacings: Vec<f64> = (0..200).map(|_| days.mine(rate, 0)).collect();
    assert!(spacings.iter().all(|s| *s > 0.49), "{:?}", spacings.iter().copied().fold(f64::MAX, f64::min));
}

#[test]
fn a_forward_dated_block_eases_the_next_target_by_little_and_the_one_after_not_at_all() {
    let (mut honest, mut forward) = (Days::new(None), Days::new(None));
    let rate = honest.fair_rate();
    let limit = forward.params.tau_ms() / 20;
    honest.mean(100, rate);
    forward.mean(100, rate);
    honest.mine(rate, 0);
    forward.mine(rate, limit);
    let eased = float(forward.target()) / float(honest.target());
    assert!((1.03..1.036).contains(&eased), "2^(1/20) = 1.035: {eased}");
    // An honest successor's stamp undoes it, for schedule time is a sum of differences.
    for _ in 0..10 {
        honest.mine(rate, 0);
        forward.mine(rate, 0);
    }
    let left = float(forward.target()) / float(honest.target());
    assert!((0.99..1.002).contains(&left), "{left}");
}

/// A miner with all the power who dates every block to the limit, or holds stamps back, gains one limit in all.
#[test]
fn stamping_every_block_ahead_gains_once_and_never_again() {
    let (mut honest, mut ahead) = (Days::new(None), Days::new(None));
    let rate = honest.fair_rate();
    let limit = ahead.params.tau_ms() / 20;
    for _ in 0..2000 {
        honest.mine(rate, 0);
        ahead.mine(rate, limit);
    }
    let gain = (honest.now - ahead.now) / honest.params.target_spacing_ms as f64;
    assert!(gain < 4.0, "{gain} spacings in 2,000 blocks: τ/20 is 3.6");
}

/// Stamps now as late as nodes allow, now as early as the rule allows: schedule time is a sum of differences, so it comes out.
#[test]
fn stamping_ahead_and_back_by_turns_gains_once_and_never_again() {
    let (mut honest, mut warp) = (Days::new(None), Days::new(None));
    let rate = honest.fair_rate();
    let limit = warp.params.tau_ms() / 20;
    for turn in 0..2000u64 {
        honest.mine(rate, 0);
        warp.mine(rate, if turn % 8 == 0 { limit } else { 0 });
    }
    let gain = (honest.now - warp.now) / honest.params.target_spacing_ms as f64;
    assert!(gain < 4.0, "{gain} spacings in 2,000 blocks: τ/20 is 3.6");
}
