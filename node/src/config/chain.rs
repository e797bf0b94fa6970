//! `[chain]`: what an operator knows about the right chain.

use medring_protocol::BlockId;
use medring_protocol::pow::Work;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `[chain]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChainConfig {
    /// The least work of a branch that is stored, 0x and hex digits or a decimal number; empty: any.
    pub min_work: String,
    /// `HEIGHT:BLOCKID`: the only block that may stand at a height.
    pub checkpoints: Vec<String>,
}

impl ChainConfig {
    /// The least work of a branch that is stored.
    ///
    /// # Errors
    /// What is wrong with the text, and what would be right.
    pub fn min_work(&self) -> Result<Work, String> {
        if self.min_work.is_empty() {
            return Ok(Work::zero());
        }
        self.min_work.parse().map_err(|problem| format!("is wrong: {problem}"))
    }

    /// The checkpoints, by height.
    ///
    /// # Errors
    /// What is wrong with one of them, and what would be right.
    pub fn checkpoints(&self) -> Result<BTreeMap<u64, BlockId>, String> {
        let mut out = BTreeMap::new();
        for text in &self.checkpoints {
            let parse = |text: &str| {
                let (height, id) = text.split_once(':')?;
                Some((height.trim().parse::<u64>().ok()?, id.trim().parse::<BlockId>().ok()?))
            };
            let (height, id) = parse(text).filter(|(height, _)| *height > 0).ok_or_else(|| {
                format!(
                    "has {text:?}; use \"HEIGHT:BLOCKID\", as `medring chain status` prints them, height 1 or above"
                )
            })?;
            if out.insert(height, id).is_some_and(|other| other != id) {
                return Err(format!("names two blocks for height {height}; keep the right one"));
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(min_work: &str, checkpoints: &[&str]) -> ChainConfig {
        let checkpoints = checkpoints.iter().map(ToString::to_string).collect();
        ChainConfig { min_work: min_work.into(), checkpoints }
    }

    #[test]
    fn work_is_hex_or_decimal_and_nothing_by_default() {
        assert_eq!(chain("", &[]).min_work().unwrap(), Work::zero());
        assert_eq!(chain("0x1ff", &[]).min_work().unwrap(), chain("511", &[]).min_work().unwrap());
        for wrong in ["0xz", "twelve", "-1", &format!("0x{}", "f".repeat(65))] {
            assert!(chain(wrong, &[]).min_work().unwrap_err().contains("looks like"), "{wrong}");
        }
    }

    #[test]
    fn a_checkpoint_is_a_height_and_a_block() {
        let id = "ab".repeat(32);
        let good = chain("", &[&format!("7:{id}"), &format!(" 9 : {id} ")]).checkpoints().unwrap();
        assert_eq!(good.keys().copied().collect::<Vec<_>>(), [7, 9]);
        for wrong in ["7", "x:ab", "7:abcd", &format!("0:{id}")] {
            assert!(chain("", &[wrong]).checkpoints().unwrap_err().contains("HEIGHT:BLOCKID"), "{wrong}");
        }
        let two = [format!("7:{id}"), format!("7:{}", "cd".repeat(32))];
        assert!(chain("", &[&two[0], &two[1]]).checkpoints().unwrap_err().contains("two blocks"));
    }
}
