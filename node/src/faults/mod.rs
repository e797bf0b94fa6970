//! Faults that a test network's nodes can be given, each as a value: nothing here is compiled in or out, and no node of a network
//! that is not a test network accepts one.

mod behaviour;

pub use behaviour::Behaviour;

use libp2p::PeerId;
use medring_protocol::params::Params;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

/// Peers or rules in one list.
const LIST_MAX: usize = 256;
/// Longest delay, ms.
const DELAY_MS_MAX: u64 = 60_000;
/// A clock is at most a day off, ms.
const SKEW_MS_MAX: u64 = 86_400_000;
/// Largest file of faults, bytes.
const FILE_BYTES_MAX: usize = 64 * 1024;

/// Everything that is wrong with a node, all at once: `PUT /v1/testnet/faults`, and the file `testnet.faults`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// Peers with whom no link stands or comes to stand.
    pub cut: Vec<String>,
    /// How what peers say about the chain reaches this node; of the rules that fit a peer the last one counts.
    pub hearing: Vec<Hearing>,
    /// How far the core's clock is ahead of the true time (above 0) or behind it (below), ms; at most a day.
    pub clock_skew_ms: i64,
    /// The chain's store takes no further write, as if its disk had no room.
    pub disk_full: bool,
    /// How it treats others.
    pub behaviour: Behaviour,
    /// Which messages are lost comes from it.
    pub seed: u64,
}

/// How messages reach a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Hearing {
    /// Whose; `None`: everybody's.
    pub from: Option<String>,
    /// So much later, ms.
    pub delay_ms: u64,
    /// Lost with this chance, percent.
    pub loss_percent: u8,
}

/// Why faults are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// The network is no test network.
    #[error("{0:?} is a production network: its nodes take no faults")]
    Production(String),
    /// A value is out of bounds, or no peer id.
    #[error("{0}")]
    Value(String),
    /// The node stops.
    #[error("the node is stopping")]
    Stopping,
}

/// The one door through which every fault comes: shut on every network that is not a test network.
pub fn refuse_off_testnets(params: &Params) -> Result<(), FaultError> {
    if params.is_testnet() { Ok(()) } else { Err(FaultError::Production(params.name.clone())) }
}

fn peer(text: &str) -> Result<PeerId, FaultError> {
    text.parse().map_err(|e| FaultError::Value(format!("{text:?} is no peer id: {e}")))
}

impl Faults {
    /// Reads a file of faults (JSON); a file that is not there holds none.
    pub fn read(path: &Path) -> Result<Self, FaultError> {
        let wrong = |e: &dyn std::fmt::Display| FaultError::Value(format!("{}: {e}", path.display()));
        let bytes = match std::fs::read(path) {
            Ok(bytes) if bytes.len() <= FILE_BYTES_MAX => bytes,
            Ok(bytes) => return Err(wrong(&format!("{} bytes are more than {FILE_BYTES_MAX}", bytes.len()))),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(wrong(&e)),
        };
        let faults: Self = serde_json::from_slice(&bytes).map_err(|e| wrong(&e))?;
        faults.check()?;
        Ok(faults)
    }

    /// Whether every value is within its bounds.
    pub fn check(&self) -> Result<(), FaultError> {
        let fail = |problem: String| Err(FaultError::Value(problem));
        if self.cut.len() > LIST_MAX || self.hearing.len() > LIST_MAX {
            return fail(format!("cut and hearing have at most {LIST_MAX} entries each"));
        }
        self.cut_peers()?;
        for rule in &self.hearing {
            rule.from.as_deref().map_or(Ok(()), |from| peer(from).map(drop))?;
            if rule.delay_ms > DELAY_MS_MAX {
                return fail(format!("delay_ms is {}; use 0 … {DELAY_MS_MAX}", rule.delay_ms));
            }
            if rule.loss_percent > 100 {
                return fail(format!("loss_percent is {}; use 0 … 100", rule.loss_percent));
            }
        }
        if self.clock_skew_ms.unsigned_abs() > SKEW_MS_MAX {
            return fail(format!("clock_skew_ms is {}; at most {SKEW_MS_MAX} either way", self.clock_skew_ms));
        }
        Ok(())
    }

    /// The peers of [`Self::cut`].
    pub fn cut_peers(&self) -> Result<BTreeSet<PeerId>, FaultError> {
        self.cut.iter().map(|text| peer(text)).collect()
    }

    /// What becomes of a message of `from`: so much later, and lost with that chance in percent.
    pub fn hearing_of(&self, from: &PeerId) -> (u64, u8) {
        let from = from.to_string();
        let fits = |rule: &&Hearing| rule.from.as_ref().is_none_or(|whose| *whose == from);
        self.hearing.iter().rev().find(fits).map_or((0, 0), |rule| (rule.delay_ms, rule.loss_percent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use medring_protocol::params::Purpose;
    use medring_protocol::testkit::Kit;

    #[test]
    fn only_test_networks_have_faults() {
        let with = |purpose| Kit::with_params(1, |params| params.purpose = purpose).params;
        assert_eq!(refuse_off_testnets(&with(Purpose::Demo)), Ok(()));
        let refused = refuse_off_testnets(&with(Purpose::Production)).unwrap_err();
        assert!(refused.to_string().contains("production network"), "{refused}");
    }

    #[test]
    fn what_is_out_of_bounds_is_named() {
        let id = PeerId::random().to_string();
        let hearing = |rule| Faults { hearing: vec![rule], ..Faults::default() };
        let cases = [
            (Faults { cut: vec!["x".into()], ..Faults::default() }, "\"x\" is no peer id"),
            (Faults { cut: vec![id.clone(); LIST_MAX + 1], ..Faults::default() }, "at most 256"),
            (hearing(Hearing { from: Some("y".into()), ..Hearing::default() }), "\"y\" is no peer id"),
            (hearing(Hearing { delay_ms: 60_001, ..Hearing::default() }), "delay_ms is 60001"),
            (hearing(Hearing { loss_percent: 101, ..Hearing::default() }), "loss_percent is 101"),
            (Faults { clock_skew_ms: -86_400_001, ..Faults::default() }, "clock_skew_ms is -86400001"),
        ];
        for (faults, word) in cases {
            let error = faults.check().unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
        assert_eq!(Faults { cut: vec![id], clock_skew_ms: 86_400_000, ..Faults::default() }.check(), Ok(()));
    }

    #[test]
    fn the_last_rule_that_fits_a_peer_counts() {
        let (one, other) = (PeerId::random(), PeerId::random());
        let rule =
            |from: Option<PeerId>, delay_ms| Hearing { from: from.map(|p| p.to_string()), delay_ms, loss_percent: 1 };
        let faults = Faults { hearing: vec![rule(None, 5), rule(Some(one), 7)], ..Faults::default() };
        assert_eq!((faults.hearing_of(&one), faults.hearing_of(&other)), ((7, 1), (5, 1)));
        assert_eq!(Faults::default().hearing_of(&one), (0, 0));
    }

    #[test]
    fn a_file_that_is_not_there_holds_no_faults_and_a_wrong_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("faults.json");
        assert_eq!(Faults::read(&path), Ok(Faults::default()));
        let faults = Faults { disk_full: true, behaviour: Behaviour::Liar, ..Faults::default() };
        std::fs::write(&path, serde_json::to_vec(&faults).unwrap()).unwrap();
        assert_eq!(Faults::read(&path), Ok(faults));
        for (text, word) in
            [("{\"clock_skew_ms\": 1e9}", "clock_skew"), ("{\"colour\": 1}", "colour"), ("", "faults.json")]
        {
            std::fs::write(&path, text).unwrap();
            let error = Faults::read(&path).unwrap_err().to_string();
            assert!(error.contains(word) || error.contains("faults.json"), "{text}: {error}");
        }
    }
}
