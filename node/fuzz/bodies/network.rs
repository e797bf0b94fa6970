//! The made-up network that the core under test is fed from: two branches of good blocks, and their records.

use medring_protocol::block::{Block, Header};
use medring_protocol::limits::HEADERS_PER_MESSAGE_MAX;
use medring_protocol::record::{Kind, Record};
use medring_protocol::testkit::Kit;
use medring_protocol::wire::{Request, Response};
use medring_protocol::{BlockId, WireId};
use std::sync::LazyLock;

/// ```text
/// genesis ─ e ─ 1 ─ 2 ─ 3          branch 0
///               └ 4 ─ 5 ─ 6 ─ 7    branch 1
/// ```
pub(super) struct Network {
    pub(super) kit: Kit,
    pub(super) records: Vec<Record>,
    /// Without genesis, lowest first.
    pub(super) branches: [Vec<Block>; 2],
}

pub(super) static NETWORK: LazyLock<Network> = LazyLock::new(|| {
    let kit = Kit::new(55);
    let kinds = [Kind::Ehr, Kind::Emr, Kind::Phr].into_iter().cycle();
    let records: Vec<Record> = (0..9).zip(kinds).map(|(n, kind)| kit.record(kind, n, 2)).collect();
    let mut first = vec![kit.block(&kit.params.genesis(), vec![kit.enrol_all(1)], 0)];
    first.push(kit.block(&first[0].header, records[..3].to_vec(), 1));
    let mut second = first.clone();
    for (i, held) in [vec![], records[3..5].to_vec()].into_iter().enumerate() {
        first.push(kit.block(&first[1 + i].header, held, 1));
    }
    for (i, held) in [records[3..6].to_vec(), vec![], records[6..8].to_vec(), vec![]].into_iter().enumerate() {
        second.push(kit.block(&second[1 + i].header, held, 2));
    }
    Network { kit, records, branches: [first, second] }
});

impl Network {
    /// Some block of either branch.
    pub(super) fn block(&self, number: usize) -> &Block {
        let [first, second] = &self.branches;
        let number = number % (first.len() + second.len());
        first.get(number).unwrap_or_else(|| &second[number - first.len()])
    }

    /// What an honest node on a branch answers.
    pub(super) fn answer(&self, branch: usize, request: &Request) -> Response {
        let (chain, genesis) = (&self.branches[branch % 2], self.kit.params.genesis());
        let find = |id| chain.iter().find(|block| block.id() == id);
        match request {
            Request::Headers { locator } => {
                let place = |id: &BlockId| match chain.iter().position(|block| block.id() == *id) {
                    Some(at) => Some(at + 1),
                    None => (*id == genesis.id()).then_some(0),
                };
                let headers: Vec<Header> = locator.iter().find_map(place).map_or_else(Vec::new, |start| {
                    chain[start..].iter().map(|block| block.header).take(HEADERS_PER_MESSAGE_MAX).collect()
                });
                Response::Headers(headers)
            }
            Request::Blocks { ids } => Response::Blocks(ids.iter().filter_map(|id| find(*id).cloned()).collect()),
            Request::Pool => Response::Pool(self.records.iter().map(|r| r.wire_id(&self.kit.chain)).collect()),
            Request::Records { ids } => {
                let record = |id: &WireId| self.records.iter().find(|r| r.wire_id(&self.kit.chain) == *id).cloned();
                Response::Records(ids.iter().filter_map(record).collect())
            }
            Request::BlockRecords { block, indexes } => {
                let Some(block) = find(*block) else { return Response::BlockRecords(Vec::new()) };
                let records: Option<Vec<_>> =
                    indexes.iter().map(|i| block.records.get(usize::from(*i)).cloned()).collect();
                Response::BlockRecords(records.unwrap_or_default())
            }
        }
    }
}
