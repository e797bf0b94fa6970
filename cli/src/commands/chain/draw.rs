//! The tree of blocks in characters: a line for each block, the newest first, the best chain on the left.
//!
//! ```text
//! 14  ●    3f…  best
//! 13  │ ○  9b…  fork
//! 13  ●─╯  27…
//! ```

use medring_node::api::types::{BranchState, TreeEntry};
use medring_protocol::BlockId;

/// What a block is drawn as.
pub(super) fn symbol(state: BranchState) -> char {
    match state {
        BranchState::Active => '●',
        BranchState::ValidFork => '○',
        BranchState::ValidHeaders | BranchState::HeadersOnly => '◌',
        BranchState::Invalid => '✗',
    }
}

/// Blocks with the drawing in front of each, the newest first; all drawings have one width. `blocks`: in any order.
pub(super) fn lines(blocks: &[TreeEntry]) -> Vec<(String, &TreeEntry)> {
    let mut order: Vec<&TreeEntry> = blocks.iter().collect();
    order.sort_by_key(|b| (std::cmp::Reverse(b.height), b.state != BranchState::Active, b.id));
    // For each lane the block that comes next in it; the best chain has the first to itself.
    let best = order.iter().find(|b| b.state == BranchState::Active).map(|b| b.id);
    let mut lanes: Vec<Option<BlockId>> = vec![best];
    let mut drawn = Vec::new();
    for block in order {
        let ends: Vec<usize> = (0..lanes.len()).filter(|i| lanes[*i] == Some(block.id)).collect();
        let at = ends.first().copied().unwrap_or_else(|| free_lane(&mut lanes));
        // A best chain that has not begun yet shows nothing.
        let begun =
            |i: usize| i > 0 || drawn.iter().any(|(_, b): &(Vec<char>, &TreeEntry)| b.state == BranchState::Active);
        drawn.push((row(&lanes, at, &ends, symbol(block.state), begun), block));
        ends.iter().for_each(|i| lanes[*i] = None);
        lanes[at] = Some(block.prev);
    }
    let width = drawn.iter().map(|(row, _)| row.len()).max().unwrap_or(0);
    let text = |row: Vec<char>| format!("{:<width$}", row.into_iter().collect::<String>());
    drawn.into_iter().map(|(row, block)| (text(row), block)).collect()
}

fn free_lane(lanes: &mut Vec<Option<BlockId>>) -> usize {
    match lanes.iter().skip(1).position(Option::is_none) {
        Some(i) => i + 1,
        None => {
            lanes.push(None);
            lanes.len() - 1
        }
    }
}

/// One row: the block in its lane, lanes that end in it bent to it, the others going on.
fn row(lanes: &[Option<BlockId>], at: usize, ends: &[usize], symbol: char, begun: impl Fn(usize) -> bool) -> Vec<char> {
    let last = ends.last().copied().unwrap_or(at);
    let mut row = Vec::new();
    for (i, lane) in lanes.iter().enumerate() {
        let (across, ending) = (i > at && i < last, ends.contains(&i));
        row.push(match lane {
            _ if i == at => symbol,
            Some(_) if ending && across => '┴',
            Some(_) if ending => '╯',
            Some(_) if across => '┼',
            Some(_) if begun(i) => '│',
            _ if across => '─',
            _ => ' ',
        });
        row.push(if i >= at && i < last { '─' } else { ' ' });
    }
    while row.last() == Some(&' ') {
        row.pop();
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: u8) -> BlockId {
        BlockId([name; 32])
    }

    fn block(name: u8, prev: u8, height: u64, state: BranchState) -> TreeEntry {
        TreeEntry {
            id: id(name),
            prev: id(prev),
            height,
            time_ms: 0,
            miner_tag: String::new(),
            work: String::new(),
            state,
            by_operator: false,
            reason: None,
        }
    }

    fn drawing(blocks: &[TreeEntry]) -> Vec<String> {
        lines(blocks).iter().map(|(row, b)| format!("{} {row} {}", b.height, b.id.0[0]).trim_end().to_owned()).collect()
    }

    #[test]
    fn a_chain_is_one_lane() {
        let blocks = [block(1, 0, 1, BranchState::Active), block(2, 1, 2, BranchState::Active)];
        assert_eq!(drawing(&blocks), ["2 ● 2", "1 ● 1"]);
    }

    #[test]
    fn branches_bend_to_the_block_they_leave() {
        let blocks = [
            block(1, 0, 1, BranchState::Active),
            block(2, 1, 2, BranchState::Active),
            block(3, 2, 3, BranchState::Active),
            block(12, 1, 2, BranchState::ValidFork),
            block(13, 12, 3, BranchState::ValidFork),
            block(22, 1, 2, BranchState::Invalid),
        ];
        let expected = ["3 ●     3", "3 │ ○   13", "2 ● │   2", "2 │ ○   12", "2 │ │ ✗ 22", "1 ●─┴─╯ 1"];
        assert_eq!(drawing(&blocks), expected);
    }

    #[test]
    fn headers_ahead_and_lanes_that_go_on_are_crossed() {
        let blocks = [
            block(1, 0, 1, BranchState::Active),
            block(2, 1, 2, BranchState::Active),
            block(13, 99, 3, BranchState::ValidFork),
            block(23, 2, 3, BranchState::HeadersOnly),
        ];
        // 13 leaves below what is shown: its lane goes on.
        assert_eq!(drawing(&blocks), ["3   ○   13", "3   │ ◌ 23", "2 ●─┼─╯ 2", "1 ● │   1"]);
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert!(lines(&[]).is_empty());
    }
}
