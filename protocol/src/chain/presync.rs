//! Weighing a branch of headers before any of it is stored (spec: sync).
//!
//! A peer's headers are checked by every rule as they come and forgotten; what stays is the last of them and one id for
//! each message, 32 bytes for 2,000 headers. As an id commits to all headers before it, a branch that showed enough work can
//! be asked for again and must be the same, message by message.

use super::rules::{HeaderContext, RuleSet};
use super::tree::{HeaderError, HeaderNode};
use crate::block::Header;
use crate::hash::BlockId;
use crate::params::Params;
use crate::pow::Work;
use std::collections::VecDeque;

/// The first pass: a branch that is being weighed.
#[derive(Clone, Debug)]
pub struct Presync {
    last: HeaderNode,
    /// The last id of each message.
    marks: Vec<BlockId>,
}

/// The second pass: the same branch again, to be stored.
#[derive(Clone, Debug)]
pub struct Redownload {
    marks: VecDeque<BlockId>,
}

impl Presync {
    /// Messages a branch may take: eight million headers, 128 KiB of ids.
    pub const MESSAGES_MAX: usize = 4096;

    /// A branch that leaves a known block.
    pub fn new(from: &HeaderNode) -> Self {
        Self { last: from.clone(), marks: Vec::new() }
    }

    /// Checks one message of successive headers, none of which is kept.
    ///
    /// # Errors
    /// The first header that does not follow, or breaks a rule: the peer's fault.
    pub fn take(&mut self, rules: &RuleSet, params: &Params, headers: &[Header]) -> Result<(), HeaderError> {
        for header in headers {
            let due = self.last_id();
            if header.prev != due {
                return Err(HeaderError::Orphan(header.prev));
            }
            rules.check_pow(header, &header.id())?;
            rules.check_header(&HeaderContext { params, header, parent: &self.last })?;
            self.last = self.last.child(params, *header);
        }
        self.marks.push(self.last_id());
        Ok(())
    }

    /// Work of the whole chain up to the last header shown.
    pub fn work(&self) -> &Work {
        &self.last.work
    }

    /// The last header shown.
    pub fn last_id(&self) -> BlockId {
        self.last.header.id()
    }

    /// Whether no further message may come.
    pub fn is_full(&self) -> bool {
        self.marks.len() >= Self::MESSAGES_MAX
    }

    /// It has shown enough work: on to the second pass.
    pub fn again(self) -> Redownload {
        Redownload { marks: self.marks.into() }
    }
}

impl Redownload {
    /// Whether a message that ends with `last` is the one shown before; its headers may be stored then.
    pub fn matches(&mut self, last: &BlockId) -> bool {
        self.marks.pop_front_if(|mark| mark == last).is_some()
    }

    /// Whether everything that was shown is there.
    pub fn is_done(&self) -> bool {
        self.marks.is_empty()
    }
}
