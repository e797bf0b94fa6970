//! The consensus rules: each has an id, one small function, a sentence in docs/spec/rules.md and a negative test.
//!
//! Rules are values: [`RuleSet::without`] makes a set that does not enforce one, so a test can show that its negative case
//! is refused by that rule and by no other. A node always runs [`RuleSet::standard`].

mod body;
mod header;
mod placement;
mod shape;

pub use body::BodyContext;
pub use header::HeaderContext;
pub use placement::{PlacementContext, Standing};
pub use shape::ShapeContext;

use crate::block::Header;
use crate::error::{RuleId, Violation};
use crate::hash::BlockId;
use std::borrow::Cow;

/// What a rule says: nothing, or what is wrong, with the figures.
pub type Verdict = Result<(), Cow<'static, str>>;

pub(crate) type HeaderRule = (RuleId, fn(&HeaderContext<'_>) -> Verdict);
pub(crate) type BodyRule = (RuleId, fn(&BodyContext<'_>) -> Verdict);
pub(crate) type ShapeRule = (RuleId, fn(&ShapeContext<'_>) -> Verdict);
pub(crate) type PlacementRule = (RuleId, fn(&PlacementContext<'_>) -> Verdict);

/// The rules that are signatures: they are collected, and verified in batches where there is a core to spare.
pub const SIGNATURE_RULES: [RuleId; 3] = ["R-SIG", "R-ENVELOPE-SIG", "R-ENROL-CONSENT"];

/// The rules in force.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    disabled: Vec<RuleId>,
}

impl RuleSet {
    /// All rules: what every node runs.
    pub fn standard() -> Self {
        Self::default()
    }

    /// All but one, for tests and for the simulator's deliberately broken nodes.
    #[must_use]
    pub fn without(mut self, rule: RuleId) -> Self {
        self.disabled.push(rule);
        self
    }

    /// Whether a rule is in force.
    pub fn enforces(&self, rule: RuleId) -> bool {
        !self.disabled.contains(&rule)
    }

    /// The ids of all rules, in the order in which they are checked.
    pub fn all_ids() -> Vec<RuleId> {
        let mut ids = vec!["R-POW"];
        ids.extend(header::RULES.iter().map(|r| r.0));
        ids.extend(body::RULES.iter().map(|r| r.0));
        ids.extend(shape::RULES.iter().map(|r| r.0));
        ids.extend(SIGNATURE_RULES);
        ids.extend(placement::RULES.iter().map(|r| r.0));
        ids
    }

    /// R-POW: the id, read as a big-endian integer, is at most the header's own target. The cheapest check, so the first.
    pub fn check_pow(&self, header: &Header, id: &BlockId) -> Result<(), Violation> {
        match header::pow(header, id) {
            Err(detail) if self.enforces("R-POW") => Err(Violation::new("R-POW", detail)),
            _ => Ok(()),
        }
    }

    /// The rules on a header and its parent.
    pub fn check_header(&self, context: &HeaderContext<'_>) -> Result<(), Violation> {
        for (id, rule) in header::RULES {
            if self.enforces(id) {
                rule(context).map_err(|detail| Violation::new(id, detail))?;
            }
        }
        Ok(())
    }

    /// The rules on a block's records together.
    pub fn check_body(&self, context: &BodyContext<'_>) -> Result<(), Violation> {
        for (id, rule) in body::RULES {
            if self.enforces(id) {
                rule(context).map_err(|detail| Violation::new(id, detail))?;
            }
        }
        Ok(())
    }

    /// The rules on one record alone.
    pub fn check_shape(&self, context: &ShapeContext<'_>) -> Result<(), Violation> {
        for (id, rule) in shape::RULES {
            if self.enforces(id) {
                rule(context).map_err(|detail| Violation::new(id, detail))?;
            }
        }
        Ok(())
    }

    /// The rules on one record at its place on a chain.
    pub fn check_placement(&self, context: &PlacementContext<'_>) -> Result<(), Violation> {
        for (id, rule) in placement::RULES {
            if self.enforces(id) {
                rule(context).map_err(|detail| Violation::new(id, detail))?;
            }
        }
        Ok(())
    }
}
