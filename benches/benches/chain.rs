//! The chain: searching a nonce against hashing whole headers, and connecting full blocks against their bare signatures.

use medring_benches::contest::Contest;
use medring_protocol::block::{Block, CheckedBlock, NonceSearch};
use medring_protocol::chain::rules::RuleSet;
use medring_protocol::chain::{apply, keys_of};
use medring_protocol::limits::BLOCK_BYTES_MAX;
use medring_protocol::pow::CompactTarget;
use medring_protocol::record::{Kind, SigCheck, verify_all};
use medring_protocol::testkit::{Kit, TestChain};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

fn main() {
    let kit = Kit::new(1);
    nonces(&kit);
    let chain = TestChain::enrolled(&kit, RuleSet::standard());
    for (padded, of) in [(1024, "the smallest records"), (65_536, "the largest records")] {
        connect(&chain, padded, of);
    }
}

fn nonces(kit: &Kit) {
    const NONCES: u64 = 10_000;
    let mut header = kit.block(&kit.params.genesis(), vec![], 1).header;
    // No nonce meets it, so each contestant tries all of them.
    header.target = CompactTarget(0x0101_0000);
    let target = header.target.decode().expect("canonical");
    let search = NonceSearch::new(&header);
    Contest::new(format!("nonces: {NONCES} of one header"))
        .enter("sha2, the whole header each time", || {
            let mut bytes = header.to_bytes();
            (0..NONCES).any(|nonce| {
                bytes[104..].copy_from_slice(&nonce.to_be_bytes());
                Sha256::digest(bytes).as_slice() <= target.0.as_slice()
            })
        })
        .enter("medring, one compression each", || search.run(0, NONCES))
        .run();
}

/// As many records of this size as a block holds, on top of the enrolments.
fn full_block(chain: &TestChain<'_>, padded: usize) -> Block {
    let mut records = Vec::new();
    let mut bytes = 0;
    for number in 0.. {
        let record = chain.kit.record_of(Kind::Ehr, number, chain.next_height(), padded);
        bytes += record.encoded_len();
        if bytes > BLOCK_BYTES_MAX {
            break;
        }
        records.push(record);
    }
    chain.next_block(records)
}

fn connect(chain: &TestChain<'_>, padded: usize, of: &str) {
    let (kit, rules) = (chain.kit, &chain.rules);
    let block = full_block(chain, padded);
    let bytes = block.encode();
    let keys = |id: &_| keys_of(&kit.params, &chain.state, id).unwrap_or_default();
    let check = || CheckedBlock::check(rules, &kit.params, &kit.chain, block.clone()).expect("valid");
    let pending = check().signatures(rules, &kit.chain, keys).expect("enrolled");
    let signatures: Vec<SigCheck> = pending.into_iter().map(|p| p.check).collect();
    let (mut rng, mut rng2) = (ChaCha20Rng::seed_from_u64(1), ChaCha20Rng::seed_from_u64(2));
    let title = format!("connect: a block of {of}, {} of them, {} signatures", block.records.len(), signatures.len());
    Contest::new(title)
        .enter("its bare signatures, in one batch", || verify_all(&signatures, &mut rng))
        .enter("its bare signatures, one by one", || signatures.iter().all(SigCheck::verify))
        .enter("SHA-256 of its bytes, once", || Sha256::digest(&bytes))
        .enter("decode", || Block::decode(&bytes))
        .enter("check without signatures", check)
        .enter("connect: decode, check, verify, apply", || {
            let block = Block::decode(&bytes).expect("valid");
            let checked = CheckedBlock::check(rules, &kit.params, &kit.chain, block).expect("valid");
            let verified = checked.verify(rules, &kit.chain, keys, &mut rng2).expect("valid");
            apply(rules, &kit.params, &chain.state, &verified).expect("valid")
        })
        .run();
}
