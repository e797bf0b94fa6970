//! Rules on a header.

use super::{Bad, Fixture};
use medring_protocol::BlockId;
use medring_protocol::block::{Block, Header};
use medring_protocol::pow::CompactTarget;

impl Fixture {
    /// The next block, empty, its header edited before mining.
    fn forged(&self, edit: impl FnOnce(&mut Header)) -> Bad {
        Bad::Next(self.kit.forge(&self.chain.tip(), vec![], edit))
    }
}

#[test]
fn an_unspoiled_block_is_accepted() {
    let f = Fixture::new();
    f.accepted(&f.forged(|_| {}));
}

#[test]
fn an_id_above_its_target_is_refused() {
    let f = Fixture::new();
    let Bad::Next(mut block) = f.forged(|_| {}) else { unreachable!() };
    let target = block.header.target.decode().unwrap();
    while target.is_met_by(&block.id()) {
        block.header.nonce += 1;
    }
    f.broken_only("R-POW", &Bad::Next(block));
}

#[test]
fn a_header_that_follows_another_block_is_refused() {
    let f = Fixture::new();
    let block: Block = f.kit.forge(&f.kit.params.genesis(), vec![], |header| header.prev = BlockId([7; 32]));
    f.broken_only("R-PREV", &Bad::AfterGenesis(block));
}

#[test]
fn another_version_is_refused() {
    let f = Fixture::new();
    for version in [0, Header::VERSION + 1, Header::VERSION ^ 0x8000_0000] {
        f.broken_only("R-VERSION", &f.forged(|header| header.version = version));
    }
}

#[test]
fn a_height_that_is_not_the_parents_plus_one_is_refused() {
    let f = Fixture::new();
    for height in [0, 2, 4, u64::MAX] {
        f.broken_only("R-HEIGHT", &f.forged(|header| header.height = height));
    }
}

#[test]
fn a_target_that_is_not_the_one_due_is_refused() {
    let f = Fixture::new();
    for target in [0x207f_fffe, 0x2000_ffff, 0x2100_ffff] {
        f.broken_only("R-TARGET", &f.forged(|header| header.target = CompactTarget(target)));
    }
}

#[test]
fn a_time_not_above_the_parents_is_refused() {
    let f = Fixture::new();
    let parent = f.chain.tip().time_ms;
    for time_ms in [parent, parent - 1] {
        f.broken_only("R-TIME", &f.forged(|header| header.time_ms = time_ms));
    }
    f.accepted(&f.forged(|header| header.time_ms = parent + 1));
}
