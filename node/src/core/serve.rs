//! Answers to peers' questions, each within its bounds.

use super::{NodeCore, Output, Peer, RequestId, limits};
use medring_protocol::block::Header;
use medring_protocol::limits::{
    BLOCKS_PER_REQUEST_MAX, HEADERS_PER_MESSAGE_MAX, LOCATOR_ENTRIES_MAX, RESPONSE_BYTES_MAX,
};
use medring_protocol::record::Record;
use medring_protocol::wire::{Request, Response};
use medring_protocol::{BlockId, WireId};
use medring_storage::{Engine, StorageError};

/// Room for an answer's own tag and count.
const FRAME_BYTES: usize = 16;

impl<E: Engine> NodeCore<E> {
    pub(super) fn on_request(&mut self, peer: Peer, id: RequestId, request: Request) -> Result<(), StorageError> {
        if let Request::Headers { locator } = &request
            && locator.len() > LOCATOR_ENTRIES_MAX
        {
            self.fault(peer, &format!("a locator of {} entries, at most {LOCATOR_ENTRIES_MAX}", locator.len()));
        }
        let response = if self.may_serve(peer) { self.answer(peer, request)? } else { empty(&request) };
        self.out(Output::Respond { peer, id, response });
        Ok(())
    }

    /// Not before the peer has said where it stands, and not too often.
    fn may_serve(&mut self, peer: Peer) -> bool {
        let now_ms = self.now_ms;
        let Some(state) = self.peers.get_mut(&peer).filter(|state| state.is_ready()) else { return false };
        let served = &mut state.served;
        if now_ms.saturating_sub(served.window_ms) >= limits::SERVE_WINDOW_MS {
            (served.window_ms, served.count) = (now_ms, 0);
        }
        served.count += 1;
        served.count <= limits::SERVED_PER_WINDOW_MAX
    }

    fn answer(&mut self, peer: Peer, request: Request) -> Result<Response, StorageError> {
        Ok(match request {
            Request::Headers { locator } => Response::Headers(self.headers_after(&locator)),
            Request::Blocks { ids } => Response::Blocks(self.blocks(&ids)?),
            Request::Pool => Response::Pool(self.inventory(peer)),
            Request::Records { ids } => Response::Records(self.records(&ids)),
            Request::BlockRecords { block, indexes } => {
                Response::BlockRecords(self.block_records(peer, &block, &indexes)?)
            }
        })
    }

    /// Headers of the best chain after the first entry that is on it; none if the asker knows nothing of this chain.
    fn headers_after(&self, locator: &[BlockId]) -> Vec<Header> {
        let Some(known) = locator.iter().find(|id| self.is_active(id)) else { return Vec::new() };
        let height = self.tree.get(known).map_or(0, |node| node.header.height);
        let start = usize::try_from(height).map_or(usize::MAX, |height| height + 1);
        let after = self.active.iter().skip(start).take(HEADERS_PER_MESSAGE_MAX);
        after.filter_map(|id| self.tree.get(id)).map(|node| node.header).collect()
    }

    /// Blocks of the best chain only: whether others hold to the rules is not known.
    fn blocks(&self, ids: &[BlockId]) -> Result<Vec<medring_protocol::block::Block>, StorageError> {
        let (mut out, mut bytes) = (Vec::new(), FRAME_BYTES);
        for id in ids.iter().take(BLOCKS_PER_REQUEST_MAX).filter(|id| self.is_active(id)) {
            let Some(block) = self.store.block(id)? else { continue };
            bytes += block.records_len() + Header::LEN + FRAME_BYTES;
            if bytes > RESPONSE_BYTES_MAX {
                break;
            }
            out.push(block);
        }
        Ok(out)
    }

    /// Records of a block of the best chain, by their places: all or none.
    fn block_records(&mut self, peer: Peer, id: &BlockId, indexes: &[u16]) -> Result<Vec<Record>, StorageError> {
        if self.config.wire_version < 2 {
            self.fault(peer, "asked in wire version 2, and was told that this node speaks version 1");
            return Ok(Vec::new());
        }
        if !self.is_active(id) {
            return Ok(Vec::new());
        }
        let Some(block) = self.store.block(id)? else { return Ok(Vec::new()) };
        let records = indexes.iter().map(|index| block.records.get(usize::from(*index)).cloned());
        let records: Option<Vec<Record>> = records.collect();
        if records.is_none() {
            let (asked, most) = (indexes.last().copied().unwrap_or_default(), block.records.len());
            self.fault(peer, &format!("asked for record {asked} of block {id}, which has {most}"));
        }
        Ok(records.unwrap_or_default())
    }

    /// Wire ids of waiting records. Where they are more than fit, the next question gets the next ones.
    fn inventory(&mut self, peer: Peer) -> Vec<WireId> {
        let Some(state) = self.peers.get_mut(&peer) else { return Vec::new() };
        let from = state.exchange.cursor;
        let page: Vec<_> =
            self.pool.iter_from(from).take(Request::POOL_IDS_MAX).map(|p| (p.sequence, p.wire)).collect();
        let full = page.len() == Request::POOL_IDS_MAX;
        state.exchange.cursor = page.last().filter(|_| full).map_or(0, |(sequence, _)| sequence + 1);
        page.into_iter().map(|(_, wire)| wire).collect()
    }

    fn records(&self, ids: &[WireId]) -> Vec<Record> {
        let (mut out, mut bytes) = (Vec::new(), FRAME_BYTES);
        for pooled in ids.iter().take(Request::RECORDS_MAX).filter_map(|wire| self.pool.by_wire(wire)) {
            bytes += pooled.bytes;
            if bytes > RESPONSE_BYTES_MAX {
                break;
            }
            out.push(Record::clone(&pooled.record));
        }
        out
    }
}

/// What someone gets whom we do not serve.
fn empty(request: &Request) -> Response {
    match request {
        Request::Headers { .. } => Response::Headers(Vec::new()),
        Request::Blocks { .. } => Response::Blocks(Vec::new()),
        Request::Pool => Response::Pool(Vec::new()),
        Request::Records { .. } => Response::Records(Vec::new()),
        Request::BlockRecords { .. } => Response::BlockRecords(Vec::new()),
    }
}
