//! Replays a recorded ring: checks all that a passive observer can check, and with one member's secrets derives the key.
//!
//! ```text
//! cargo run -p medring-protocol --example replay_ring -- FILE [MEMBER]
//! ```
//!
//! FILE is in the form of `docs/spec/vectors/ring.json`; MEMBER is the first digits of a ParticipantId. Of the file's secrets only
//! that member's are looked at: its two keys, and what it drew for its own agreements. Spec: groups.
// Printing the report is this program's purpose.
#![allow(clippy::print_stdout)]

use medring_protocol::group::message::{Confirm, M1, M2, M3, Share};
use medring_protocol::group::pair::{Initiator, Pair, PairContext, Responder};
use medring_protocol::group::ring;
use medring_protocol::group::{Change, EpochDescriptor, Member};
use medring_protocol::identity::{IdentitySecret, PublicKeys, Signature};
use medring_protocol::record::{EpochCommit, SigCheck};
use medring_protocol::testkit::ring::Given;
use medring_protocol::{Gid, ParticipantId};
use serde_json::Value;
use std::collections::BTreeMap;

/// What was wrong, and where.
type Fault = String;

/// What is said and seen of one ring: the report's lines.
pub(crate) type Report = Vec<String>;

/// Replays all epochs of one case.
pub(crate) fn replay(case: &Value, member: Option<&str>) -> Result<Report, Fault> {
    let mut me = member.map(|prefix| Me::find(case, prefix)).transpose()?;
    let mut report = vec![format!("{}:", text(&case["name"])?)];
    let mut last: Option<Epoch> = None;
    for recorded in list(&case["epochs"])? {
        let epoch = Epoch::read(recorded)?;
        let number = epoch.ed.epoch;
        let told = |fault: Fault| format!("epoch {number}: {fault}");
        epoch.observe(last.as_ref()).map_err(told)?;
        let n = epoch.ed.roster.len();
        report.push(format!(
            "  epoch {number}: {n} members, {} agreements, GID {}…; descriptor, signatures, pair hashes, ⊕X and commit hold",
            epoch.agreements.len(),
            epoch.gid.short()
        ));
        match me.as_mut().map(|me| me.derive(&epoch, &recorded["secrets"])).transpose().map_err(told)? {
            Some(Some(fingerprint)) => {
                report.push(format!("    key derived, all confirmations hold; fingerprint {fingerprint}"))
            }
            Some(None) => report.push("    this member is not in it: nothing to derive".into()),
            None => {}
        }
        last = Some(epoch);
    }
    Ok(report)
}

/// The public record of one epoch.
struct Epoch {
    ed: EpochDescriptor,
    gid: Gid,
    owner_signature: Signature,
    agreements: BTreeMap<u16, (M1, M2, M3)>,
    shares: Vec<Share>,
    confirms: Vec<Confirm>,
    commit: EpochCommit,
    commit_record: Value,
}

impl Epoch {
    fn read(value: &Value) -> Result<Self, Fault> {
        let ed = descriptor(&value["ed"])?;
        let gid: Gid = parsed(&value["ed"]["gid"])?;
        let messages = |m: &Value| -> Result<(u16, (M1, M2, M3)), Fault> {
            let pair = small(&m["pair"])?;
            let (m1, m2, m3) = (&m["m1"], &m["m2"], &m["m3"]);
            let first = M1 {
                gid,
                pair,
                ephemeral: parsed(&m1["ephemeral"])?,
                sealed: bytes(&m1["sealed"])?,
                mac: fixed(&m1["mac"])?,
            };
            let second = M2 {
                gid,
                pair,
                ephemeral: parsed(&m2["ephemeral"])?,
                sealed: bytes(&m2["sealed"])?,
                mac: fixed(&m2["mac"])?,
                signature: parsed(&m2["signature"])?,
            };
            let third = M3 { gid, pair, ack: fixed(&m3["ack"])?, signature: parsed(&m3["signature"])? };
            Ok((pair, (first, second, third)))
        };
        let share = |s: &Value| -> Result<Share, Fault> {
            Ok(Share {
                gid,
                index: small(&s["index"])?,
                x: fixed(&s["x"])?,
                pair_before: fixed(&s["pair_before"])?,
                pair_after: fixed(&s["pair_after"])?,
                signature: parsed(&s["signature"])?,
            })
        };
        let confirm = |c: &Value| -> Result<Confirm, Fault> {
            Ok(Confirm { gid, index: small(&c["index"])?, mac: fixed(&c["mac"])?, signature: parsed(&c["signature"])? })
        };
        let commit = &value["commit"];
        Ok(Self {
            ed,
            gid,
            owner_signature: parsed(&value["owner_signature"])?,
            agreements: list(&value["agreements"])?.iter().map(messages).collect::<Result<_, _>>()?,
            shares: list(&value["shares"])?.iter().map(share).collect::<Result<_, _>>()?,
            confirms: list(&value["confirms"])?.iter().map(confirm).collect::<Result<_, _>>()?,
            commit: EpochCommit {
                gid: parsed(&commit["gid"])?,
                transcript: fixed(&commit["transcript"])?,
                confirms: fixed(&commit["confirms"])?,
            },
            commit_record: value["commit_record"].clone(),
        })
    }

    fn ends(&self, pair: u16) -> [&PublicKeys; 2] {
        let n = self.ed.roster.len();
        [usize::from(pair), usize::from(pair) + 1].map(|i| &self.ed.roster[i % n].keys)
    }

    /// What anybody can check who saw every message: no secret is used.
    fn observe(&self, last: Option<&Self>) -> Result<(), Fault> {
        let ed = &self.ed;
        ed.check().map_err(|error| format!("descriptor: {error}"))?;
        holds(ed.gid() == self.gid, "the GID is not the descriptor's hash")?;
        let owner = ed.signature_check(self.owner_signature);
        holds(owner.is_some_and(|check| check.verify()), "the owner's signature")?;
        for member in &ed.roster {
            member.keys.validate().map_err(|why| format!("{}: {why}", member.keys.id()))?;
        }
        if let Some(last) = last {
            let expected = ring::commit_record_id(&last.ed.chain, &last.ed.uploader, &last.commit);
            holds(ed.epoch == last.ed.epoch + 1 && ed.previous == expected, "it does not follow the epoch before")?;
        }
        self.observe_pairs(last)?;
        if ed.roster.len() > 1 {
            ring::check_shares(ed, &self.shares).map_err(|error| format!("shares: {error}"))?;
        }
        let th = ring::transcript(&self.gid, &self.shares);
        holds(self.confirms.len() == ed.roster.len(), "the number of confirmations")?;
        for (i, (confirm, member)) in self.confirms.iter().zip(&ed.roster).enumerate() {
            let hash = ring::confirm_hash(confirm, &th);
            let check = SigCheck { key: member.keys.signing, hash, signature: confirm.signature };
            holds(usize::from(confirm.index) == i && check.verify(), &format!("confirmation {i}"))?;
        }
        let macs: Vec<_> = self.confirms.iter().map(|confirm| confirm.mac).collect();
        holds(self.commit == ring::commit(&self.gid, &th, &macs), "the commit is not of these messages")?;
        let record = ring::commit_record_id(&ed.chain, &ed.uploader, &self.commit);
        holds(self.commit_record == record.to_string(), "the commit's RecordId")
    }

    /// Which pairs are new follows from two rosters; h3 of each agreement is what both ends reported in their shares.
    fn observe_pairs(&self, last: Option<&Self>) -> Result<(), Fault> {
        let n = u16::try_from(self.ed.roster.len()).map_err(|_| "too many members")?;
        for pair in 0..if n > 1 { n } else { 0 } {
            let place = last.and_then(|last| {
                let count = u16::try_from(last.shares.len()).ok()?;
                (0..count).find(|place| last.ends(*place) == self.ends(pair))
            });
            let kept = place.filter(|_| !self.ed.refresh.contains(&pair));
            let reported = self.shares.get(usize::from(pair)).map(|share| share.pair_after);
            match (kept, self.agreements.get(&pair), last) {
                (Some(place), None, Some(last)) => {
                    let before = last.shares[usize::from(place)].pair_after;
                    holds(reported == Some(before), &format!("pair {pair} was kept and its hash changed"))?;
                }
                (None, Some((m1, m2, m3)), _) => {
                    let [initiator, responder] = self.ends(pair);
                    let ctx = PairContext { gid: self.gid, index: pair, initiator, responder };
                    let hash = medring_protocol::group::pair::observe(&ctx, m1, m2, m3)
                        .map_err(|error| format!("pair {pair}: {error}"))?;
                    holds(reported == Some(hash), &format!("pair {pair}: shares report another agreement"))?;
                }
                _ => return Err(format!("pair {pair}: an agreement is missing, or there is one for a kept pair")),
            }
        }
        Ok(())
    }
}

/// One member with its secrets, and the pairs it holds from the epoch before.
struct Me {
    id: ParticipantId,
    identity: IdentitySecret,
    pairs: BTreeMap<[ParticipantId; 2], Pair>,
}

impl Me {
    fn find(case: &Value, prefix: &str) -> Result<Self, Fault> {
        let starts = |m: &&Value| m["id"].as_str().is_some_and(|id| id.starts_with(prefix));
        let member = list(&case["members"])?.iter().find(starts).ok_or(format!("no member {prefix}… here"))?;
        let identity =
            IdentitySecret::from_bytes(&fixed(&member["signing_seed"])?, &fixed(&member["chebyshev_secret"])?)
                .ok_or("a secret of zero")?;
        Ok(Self { id: identity.public().id(), identity, pairs: BTreeMap::new() })
    }

    /// Derives the key of an epoch and checks every confirmation; `None` if this member is not in it.
    fn derive(&mut self, epoch: &Epoch, secrets: &Value) -> Result<Option<String>, Fault> {
        let Some(at) = epoch.ed.roster.iter().position(|m| m.keys.id() == self.id) else {
            self.pairs.clear();
            return Ok(None);
        };
        let n = epoch.ed.roster.len();
        let index = |i: usize| u16::try_from(i).map_err(|_| "too many members".to_owned());
        let (th, keys) = if n == 1 {
            ring::alone(&epoch.gid, &fixed(&secrets["gsk"])?)
        } else {
            let mut held = BTreeMap::new();
            let mut bs = [[0; 32]; 2];
            for (b, place) in bs.iter_mut().zip([index((at + n - 1) % n)?, index(at)?]) {
                let pair = self.pair(epoch, place, secrets)?;
                let ids = epoch.ends(place).map(PublicKeys::id);
                *b = *ring::b_value(&epoch.gid, place, &ids[0], &ids[1], &pair);
                held.insert(ids, pair);
            }
            self.pairs = held;
            let all = ring::unroll_checked(index(at)?, [&bs[0], &bs[1]], &epoch.shares).map_err(|e| e.to_string())?;
            let th = ring::transcript(&epoch.gid, &epoch.shares);
            (th, ring::epoch_keys(&th, &all))
        };
        for confirm in &epoch.confirms {
            ring::check_confirm(&epoch.ed, &epoch.gid, &th, &keys, confirm)
                .map_err(|error| format!("confirmation {}: {error}", confirm.index))?;
        }
        Ok(Some(ring::fingerprint(&keys).to_string()))
    }

    /// One of this member's pairs: its agreement done over again, or the pair it holds, ratcheted.
    fn pair(&self, epoch: &Epoch, place: u16, secrets: &Value) -> Result<Pair, Fault> {
        let [initiator, responder] = epoch.ends(place);
        let Some((m1, m2, m3)) = epoch.agreements.get(&place) else {
            let held = self.pairs.get(&[initiator.id(), responder.id()]);
            return Ok(held.ok_or("a kept pair that this member does not hold")?.ratchet(&epoch.gid));
        };
        let drawn =
            list(&secrets["drawn"])?.iter().find(|d| d["pair"] == place).ok_or("nothing drawn for a new pair")?;
        let ctx = PairContext { gid: epoch.gid, index: place, initiator, responder };
        let told = |error: medring_protocol::group::pair::PairError| format!("pair {place}: {error}");
        if initiator.id() == self.id {
            let mut rng = Given::new(&fixed::<32>(&drawn["r_i"])?);
            let (state, again) = Initiator::start(&ctx, &self.identity, &mut rng).map_err(told)?;
            holds(again == *m1, "M1 does not follow from r_i")?;
            let (pair, again) = state.finish(&ctx, &self.identity, m2).map_err(told)?;
            holds(again == *m3, "M3 does not follow from r_i and M2")?;
            Ok(pair)
        } else {
            let mut rng = Given::new(&fixed::<32>(&drawn["r_j"])?);
            let (state, again) = Responder::respond(&ctx, &self.identity, m1, &mut rng).map_err(told)?;
            holds(again == *m2, "M2 does not follow from r_j and M1")?;
            state.accept(&ctx, m3).map_err(told)
        }
    }
}

fn descriptor(value: &Value) -> Result<EpochDescriptor, Fault> {
    let change = |c: &Value| {
        let who = parsed(&c["who"])?;
        let kinds = [Change::Join, Change::Leave, Change::Remove, Change::Suspend, Change::Return, Change::Update];
        let kind = kinds.into_iter().map(|kind| kind(who)).find(|change| c["kind"] == change.parts().0);
        kind.ok_or(format!("{} is no kind of change", c["kind"]))
    };
    let member = |m: &Value| -> Result<Member, Fault> {
        let keys = PublicKeys { signing: parsed(&m["signing"])?, chebyshev: parsed(&m["chebyshev"])? };
        Ok(Member { keys, peer_id: bytes(&m["peer_id"])? })
    };
    Ok(EpochDescriptor {
        chain: parsed(&value["chain"])?,
        group: fixed(&value["group"])?,
        epoch: value["epoch"].as_u64().ok_or("no epoch")?,
        attempt: value["attempt"].as_u64().and_then(|n| n.try_into().ok()).ok_or("no attempt")?,
        previous: parsed(&value["previous"])?,
        random: fixed(&value["random"])?,
        changes: list(&value["changes"])?.iter().map(change).collect::<Result<_, _>>()?,
        owner: parsed(&value["owner"])?,
        uploader: parsed(&value["uploader"])?,
        patient_ids: list(&value["patient_ids"])?.iter().map(parsed).collect::<Result<_, _>>()?,
        roster: list(&value["roster"])?.iter().map(member).collect::<Result<_, _>>()?,
        refresh: list(&value["refresh"])?.iter().map(small).collect::<Result<_, _>>()?,
        deadline_height: value["deadline_height"].as_u64().ok_or("no deadline")?,
    })
}

fn holds(condition: bool, what: &str) -> Result<(), Fault> {
    if condition { Ok(()) } else { Err(format!("does not hold: {what}")) }
}

fn text(value: &Value) -> Result<&str, Fault> {
    value.as_str().ok_or_else(|| format!("{value} is no text"))
}

fn list(value: &Value) -> Result<&Vec<Value>, Fault> {
    value.as_array().ok_or_else(|| format!("{value} is no list"))
}

fn small(value: &Value) -> Result<u16, Fault> {
    value.as_u64().and_then(|n| n.try_into().ok()).ok_or_else(|| format!("{value} is no index"))
}

fn bytes(value: &Value) -> Result<Vec<u8>, Fault> {
    hex::decode(text(value)?).map_err(|error| format!("{value}: {error}"))
}

fn fixed<const N: usize>(value: &Value) -> Result<[u8; N], Fault> {
    bytes(value)?.try_into().map_err(|_| format!("{value} has not {N} bytes"))
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(value: &Value) -> Result<T, Fault> {
    text(value)?.parse().map_err(|error| format!("{value}: {error}"))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let file = args.next().ok_or("usage: replay_ring FILE [MEMBER]")?;
    let member = args.next();
    let recorded: Value = serde_json::from_str(&std::fs::read_to_string(&file)?)?;
    for case in list(&recorded["cases"])? {
        let here = member.as_deref().filter(|prefix| Me::find(case, prefix).is_ok());
        for line in replay(case, here)? {
            println!("{line}");
        }
    }
    Ok(())
}
