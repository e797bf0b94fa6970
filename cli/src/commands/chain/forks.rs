//! `medring chain tips · tree · reorgs · invalidate · reconsider · prefer`: branches, and the operator's word on them.

use super::draw;
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::{Report, Style, printable, utc};
use clap::Args;
use medring_node::api::types::{
    BlockRequest, Branch, BranchState, ReorgInfo, ReorgsResponse, TipResponse, TipsResponse, TreeEntry, TreeResponse,
};
use medring_protocol::BlockId;
use serde::Serialize;

/// `medring chain tree`.
#[derive(Args, Debug)]
pub(crate) struct TreeArgs {
    /// How many heights, from the tip down
    #[arg(value_name = "HEIGHTS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1000))]
    heights: u64,
}

/// `medring chain invalidate`, `reconsider`, `prefer`.
#[derive(Args, Debug)]
pub(crate) struct ChosenArgs {
    /// The block's id, 64 hex digits; `medring chain tips` and `tree` show them
    #[arg(value_name = "BLOCK_ID")]
    id: BlockId,
}

/// As the API gives it.
#[derive(Serialize)]
#[serde(transparent)]
struct TipsReport(TipsResponse);

/// In words.
fn state(state: BranchState) -> &'static str {
    match state {
        BranchState::Active => "active",
        BranchState::ValidFork => "valid-fork",
        BranchState::ValidHeaders => "valid-headers",
        BranchState::HeadersOnly => "headers-only",
        BranchState::Invalid => "invalid",
    }
}

/// A table of branches.
pub(super) fn tips_table(tips: &[Branch], style: Style) -> String {
    let row = |b: &Branch| {
        let reason = printable(&b.reason.clone().unwrap_or_default());
        let id = b.id.to_string();
        vec![b.height.to_string(), id, b.length.to_string(), b.work.clone(), state(b.state).into(), reason]
    };
    let rows: Vec<_> = tips.iter().map(row).collect();
    style.table(&["height", "branch ends in", "own blocks", "work", "state", "reason"], &rows)
}

impl Report for TipsReport {
    fn text(&self, style: Style) -> String {
        tips_table(&self.0.tips, style)
    }
}

/// `medring chain tips`.
pub(super) fn tips(context: &Context) -> Outcome {
    context.output.report(&TipsReport(context.client()?.get("/v1/chain/tips")?));
    Ok(Exit::Ok)
}

/// As the API gives it.
#[derive(Serialize)]
#[serde(transparent)]
struct TreeReport(TreeResponse);

impl Report for TreeReport {
    fn text(&self, style: Style) -> String {
        let lines = draw::lines(&self.0.blocks);
        let most = lines.iter().map(|(_, b)| b.height.to_string().len()).max().unwrap_or(1);
        let mut out = String::new();
        for orphan in &self.0.orphans {
            out += &format!("{:>most$}  ?  {}  orphan, waits for {}\n", orphan.height, orphan.id, orphan.prev);
        }
        for (drawing, block) in lines {
            let mark = mark(block, self.0.tip, style);
            let line = format!("{:>most$}  {drawing}  {}  {}  {mark}", block.height, block.id, utc(block.time_ms));
            out += line.trim_end();
            out.push('\n');
        }
        out + "\n● best chain   ○ fork   ◌ headers, bodies missing   ✗ invalid   ? orphan\n"
    }
}

/// What is to be said of a block.
fn mark(block: &TreeEntry, tip: BlockId, style: Style) -> String {
    match block.state {
        BranchState::Active if block.id == tip => style.good("best"),
        BranchState::Active => String::new(),
        BranchState::Invalid => {
            let reason = block.reason.as_deref().map_or_else(|| "descends from an invalid block".into(), printable);
            style.bad(&if block.by_operator { reason } else { format!("invalid: {reason}") })
        }
        other => state(other).into(),
    }
}

/// `medring chain tree`.
pub(super) fn tree(args: &TreeArgs, context: &Context) -> Outcome {
    let tree = context.client()?.get(&format!("/v1/chain/tree?heights={}", args.heights))?;
    context.output.report(&TreeReport(tree));
    Ok(Exit::Ok)
}

/// As the API gives it.
#[derive(Serialize)]
#[serde(transparent)]
struct ReorgsReport(ReorgsResponse);

impl Report for ReorgsReport {
    fn text(&self, style: Style) -> String {
        if self.0.reorgs.is_empty() {
            return "No block ever left this node's best chain.\n".into();
        }
        let row = |r: &ReorgInfo| {
            let depth = if r.deep { style.bad(&format!("{} !", r.depth)) } else { r.depth.to_string() };
            let end = |place: &medring_node::api::types::Place| format!("{} {}", place.height, place.id.short());
            let records = [r.returned, r.confirmed_again, r.dropped].map(|n| n.to_string());
            [vec![utc(r.at_ms), end(&r.from), end(&r.to)], records.to_vec(), vec![depth]].concat()
        };
        let rows: Vec<_> = self.0.reorgs.iter().map(row).collect();
        let head = ["when", "left", "reached", "back to pending", "confirmed again", "dropped", "depth"];
        let mut out = style.table(&head, &rows);
        if self.0.reorgs.iter().any(|r| r.deep) {
            out += "! deeper than the confirmations at which records count as settled\n";
        }
        if self.0.returning {
            out += "The pool is full: some records of left blocks still wait to return to it.\n";
        }
        let own: Vec<_> = self.0.reorgs.iter().flat_map(|r| &r.own).collect();
        if !own.is_empty() {
            out += "\nSubmitted here and sent back to pending at some time (`medring record show` tells where they are now):\n";
            own.iter().for_each(|id| out += &format!("  {id}\n"));
        }
        out
    }
}

/// `medring chain reorgs`.
pub(super) fn reorgs(context: &Context) -> Outcome {
    context.output.report(&ReorgsReport(context.client()?.get("/v1/chain/reorgs")?));
    Ok(Exit::Ok)
}

/// What the operator says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Word {
    Invalidate,
    Reconsider,
    Prefer,
}

impl Word {
    fn name(self) -> &'static str {
        match self {
            Self::Invalidate => "invalidate",
            Self::Reconsider => "reconsider",
            Self::Prefer => "prefer",
        }
    }
}

/// As the API gives it.
#[derive(Serialize)]
struct WordReport {
    #[serde(flatten)]
    tip: TipResponse,
    #[serde(skip)]
    word: Word,
    #[serde(skip)]
    block: BlockId,
}

impl Report for WordReport {
    fn text(&self, _: Style) -> String {
        let TipResponse { before, id, height } = self.tip;
        let moved = if before == id {
            format!("The best chain still ends in {id}, height {height}.\n")
        } else {
            format!("The best chain ends in {id}, height {height}; before, in {before}.\n")
        };
        match self.word {
            Word::Invalidate => format!("{moved}This holds until `medring chain reconsider {}`.\n", self.block),
            Word::Reconsider | Word::Prefer => moved,
        }
    }
}

/// `medring chain invalidate`, `reconsider`, `prefer`.
pub(super) fn say(word: Word, args: &ChosenArgs, context: &Context) -> Outcome {
    let path = format!("/v1/chain/{}", word.name());
    let tip = context.client()?.post(&path, &BlockRequest { id: args.id })?;
    context.output.report(&WordReport { tip, word, block: args.id });
    Ok(Exit::Ok)
}
