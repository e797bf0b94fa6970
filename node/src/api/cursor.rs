//! Pages of long lists. A cursor is what a list gives with a page, opaque to whoever sends it back.

use super::LIST_MAX;
use super::problem::ApiError;
use axum::http::StatusCode;
use medring_protocol::BlockId;
use sha2::{Digest, Sha256};

/// Bytes of a cursor: list, two numbers, a block's first bytes, check.
const BYTES: usize = 1 + 8 + 4 + 8 + 4;

/// How many items are wanted.
pub(super) fn limit(asked: Option<usize>, unless: usize) -> Result<usize, ApiError> {
    let limit = asked.unwrap_or(unless);
    if (1..=LIST_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(ApiError::bad_request(
        format!("limit is {limit}"),
        format!("use 1 … {LIST_MAX}, and go on with the page's next"),
    ))
}

/// Whose cursor it is: one list's makes no sense to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum List {
    /// Blocks, ascending.
    Blocks = 1,
    /// Records of the best chain, newest first.
    Records = 2,
    /// Records under an epoch, newest first.
    Group = 3,
    /// The pool, in order of admission.
    Pool = 4,
    /// Records under all epochs of a group, newest first.
    WalletGroup = 5,
}

/// Where a page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) list: List,
    /// Of the last item: its block's height, or its number in the pool.
    pub(super) height: u64,
    /// Its place in the block.
    pub(super) index: u32,
    /// First bytes of that block's id: after a reorganisation the cursor leads nowhere.
    block: [u8; 8],
}

impl Cursor {
    /// After this item of this block.
    pub(super) fn new(list: List, height: u64, index: u32, block: &BlockId) -> Self {
        Self { list, height, index, block: first(block) }
    }

    /// After what has this number, of a list that is on no chain.
    pub(super) fn numbered(list: List, number: u64) -> Self {
        Self { list, height: number, index: 0, block: [0; 8] }
    }

    /// Reads what was given with an earlier page of this list.
    pub(super) fn read(list: List, text: &str) -> Result<Self, ApiError> {
        let wrong =
            || ApiError::bad_request("the cursor is none of this list's", "send a page's next as it is, or none");
        let mut bytes = [0; BYTES];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| wrong())?;
        let (body, check) = bytes.split_at(BYTES - 4);
        let place = |from: usize| std::array::from_fn::<u8, 8, _>(|i| body[from + i]);
        let index = u32::from_be_bytes(std::array::from_fn(|i| body[9 + i]));
        let cursor = Self { list, height: u64::from_be_bytes(place(1)), index, block: place(13) };
        if body[0] != list as u8 || check != cursor.check() {
            return Err(wrong());
        }
        Ok(cursor)
    }

    /// Refuses to go on where `block`, now at its height, is another than it was.
    pub(super) fn stands(&self, block: Option<BlockId>) -> Result<(), ApiError> {
        if block.is_some_and(|block| first(&block) == self.block) {
            return Ok(());
        }
        let detail = "the best chain was reorganised since that page";
        Err(ApiError::new(
            StatusCode::CONFLICT,
            "cursor",
            "The list has changed",
            detail,
            "begin anew, without a cursor",
        ))
    }

    fn body(&self) -> Vec<u8> {
        let (height, index) = (self.height.to_be_bytes(), self.index.to_be_bytes());
        [&[self.list as u8][..], &height, &index, &self.block].concat()
    }

    /// Catches slips, and keeps clients from making cursors of their own that a later version would not know.
    fn check(&self) -> [u8; 4] {
        let digest = Sha256::new().chain_update(b"medring cursor").chain_update(self.body()).finalize();
        std::array::from_fn(|i| digest[i])
    }

    /// As a page's `next`.
    pub(super) fn text(&self) -> String {
        hex::encode([self.body(), self.check().to_vec()].concat())
    }
}

fn first(block: &BlockId) -> [u8; 8] {
    std::array::from_fn(|i| block.0[i])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went_and_nothing_else_passes_for_one() {
        let (block, other) = (BlockId([7; 32]), BlockId([8; 32]));
        let cursor = Cursor::new(List::Records, 1 << 40, 7, &block);
        let text = cursor.text();
        assert_eq!(Cursor::read(List::Records, &text).unwrap(), cursor);
        assert!(Cursor::read(List::Group, &text).is_err(), "another list's");
        for at in 0..text.len() {
            let mut bad = text.clone();
            bad.replace_range(at..=at, if &text[at..=at] == "0" { "1" } else { "0" });
            assert!(Cursor::read(List::Records, &bad).is_err(), "{bad}");
        }
        for wrong in ["", "zz", &text[2..], &format!("{text}00")] {
            assert!(Cursor::read(List::Records, wrong).is_err(), "{wrong}");
        }
        cursor.stands(Some(block)).unwrap();
        assert!(cursor.stands(Some(other)).is_err() && cursor.stands(None).is_err());
    }

    #[test]
    fn a_page_has_at_least_one_item_and_at_most_the_bound() {
        assert_eq!((limit(None, 50).unwrap(), limit(Some(LIST_MAX), 50).unwrap()), (50, LIST_MAX));
        assert!(limit(Some(0), 50).is_err() && limit(Some(LIST_MAX + 1), 50).is_err());
    }
}
