//! The invitation to a group: a short text for a message or a QR code, and taking it up (spec: groups).
//!
//! A ticket holds a one-time token, good until it expires or was used once, and where the owner's node is; nothing in it is of
//! use afterwards. It proves nothing to either side: both people compare the code of the join message, over a channel they trust,
//! before the owner adds the invited.

use super::machine::{Joining, Me};
use super::message::{ADDRESS_BYTES_MAX, ADDRESSES_MAX, Endpoint, GroupUid, Join};
use super::signing::join_hash;
use crate::hash::{ChainId, ParticipantId};
use crate::identity::PublicKeys;
use crate::record::SigCheck;
use sha2::{Digest, Sha256};

/// First characters of every ticket: the scheme and the version of the format.
const PREFIX: &str = "MEDRING1";
const CHECKSUM_BYTES: usize = 4;
/// RFC 4648, upper case: with the prefix's digit it fits the alphanumeric mode of QR codes.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Longest text that is looked at: a ticket with four addresses of 128 bytes takes 1,138 characters; the rest may be spaces.
const TEXT_BYTES_MAX: usize = 4096;

/// An invitation.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The chain of the group.
    pub chain: ChainId,
    /// The group.
    pub group: GroupUid,
    /// Its owner.
    pub owner: ParticipantId,
    /// Good once.
    pub token: [u8; 16],
    /// … and until then, ms since 1970.
    pub expires_ms: u64,
    /// Where the owner's node is.
    pub endpoint: Endpoint,
}

/// Why a text is no ticket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// Does not begin as one.
    #[error("this is no ticket of medring: a ticket begins with {PREFIX}; copy the whole of it")]
    Prefix,
    /// A character that no ticket has.
    #[error("a ticket has only letters and the digits 2 to 7 after {PREFIX}, and here is {0:?}; copy or scan it again")]
    Character(char),
    /// Cut off, or with a typing error.
    #[error("the ticket is incomplete or has a typing error: its checksum does not hold; copy or scan it again")]
    Checksum,
    /// Far too long.
    #[error("{got} characters are more than any ticket has ({TEXT_BYTES_MAX}); copy the ticket alone")]
    TooLong {
        /// Characters given.
        got: usize,
    },
    /// Whole, but not of this version's form.
    #[error("the ticket is whole, but its content is not what this version of medring understands; ask for a new one")]
    Content,
}

impl Ticket {
    /// chain ‖ group ‖ owner ‖ token ‖ expires ‖ u8 length ‖ PeerId ‖ u8 count ‖ (u8 length ‖ address)…
    /// An endpoint that breaks its bounds is cut to them, so that the text is always one that can be read.
    fn payload(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        for part in [self.chain.as_ref(), self.group.as_ref(), self.owner.as_ref(), &self.token] {
            out.extend_from_slice(part);
        }
        out.extend_from_slice(&self.expires_ms.to_be_bytes());
        let mut short = |bytes: &[u8]| {
            out.push(u8::try_from(bytes.len()).unwrap_or(u8::MAX));
            out.extend_from_slice(&bytes[..bytes.len().min(usize::from(u8::MAX))]);
        };
        short(&self.endpoint.peer_id);
        let addresses: Vec<&String> =
            self.endpoint.addresses.iter().filter(|a| a.len() <= ADDRESS_BYTES_MAX).take(ADDRESSES_MAX).collect();
        let count = u8::try_from(addresses.len()).unwrap_or(u8::MAX);
        out.push(count);
        for address in addresses {
            out.push(u8::try_from(address.len()).unwrap_or(u8::MAX));
            out.extend_from_slice(address.as_bytes());
        }
        out
    }

    fn read(mut payload: &[u8]) -> Option<Self> {
        fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
            let (first, rest) = from.split_first_chunk::<N>()?;
            *from = rest;
            Some(*first)
        }
        fn short(from: &mut &[u8]) -> Option<Vec<u8>> {
            let len = usize::from(take::<1>(from)?[0]);
            let (first, rest) = from.split_at_checked(len)?;
            *from = rest;
            Some(first.to_vec())
        }
        let from = &mut payload;
        let (chain, group, owner) = (take::<32>(from)?, take::<32>(from)?, take::<32>(from)?);
        let (token, expires_ms) = (take::<16>(from)?, u64::from_be_bytes(take::<8>(from)?));
        let peer_id = short(from)?;
        let count = take::<1>(from)?[0];
        let addresses: Option<Vec<String>> = (0..count).map(|_| String::from_utf8(short(from)?).ok()).collect();
        let endpoint = Endpoint { peer_id, addresses: addresses? };
        if !from.is_empty() || !endpoint.is_well_formed() {
            return None;
        }
        Some(Self {
            chain: ChainId(chain),
            group: GroupUid(group),
            owner: ParticipantId(owner),
            token,
            expires_ms,
            endpoint,
        })
    }
}

/// First bytes of SHA-256(prefix ‖ payload): against typing errors, not against people.
fn checksum(payload: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let hash: [u8; 32] = Sha256::new().chain_update(PREFIX).chain_update(payload).finalize().into();
    std::array::from_fn(|i| hash[i])
}

/// As text: the prefix, then payload and checksum in base32 without padding.
impl std::fmt::Display for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut bytes = self.payload();
        bytes.extend_from_slice(&checksum(&bytes));
        f.write_str(PREFIX)?;
        f.write_str(&base32(&bytes))
    }
}

/// Case, spaces, line breaks and hyphens do not count.
impl std::str::FromStr for Ticket {
    type Err = TicketError;

    fn from_str(text: &str) -> Result<Self, TicketError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(TicketError::TooLong { got: text.chars().count() });
        }
        let plain: String =
            text.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase()).collect();
        let bytes = from_base32(plain.strip_prefix(PREFIX).ok_or(TicketError::Prefix)?)?;
        let (payload, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(TicketError::Checksum)?;
        if checksum(payload) != *sum {
            return Err(TicketError::Checksum);
        }
        Self::read(payload).ok_or(TicketError::Content)
    }
}

/// The token lets whoever has it ask to join, so it is not shown.
impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ticket({:?} of {:?}, until {}, redacted)", self.group, self.owner, self.expires_ms)
    }
}

fn base32(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 8 / 5 + 1);
    for chunk in bytes.chunks(5) {
        let mut group = [0; 8];
        group[3..3 + chunk.len()].copy_from_slice(chunk);
        let bits = u64::from_be_bytes(group);
        for place in 0..(chunk.len() * 8).div_ceil(5) {
            let index = usize::try_from((bits >> (35 - 5 * place)) & 31).unwrap_or_default();
            out.push(char::from(ALPHABET[index]));
        }
    }
    out
}

/// Refuses what [`base32`] does not write: other lengths, and bits left over that are not zero.
fn from_base32(text: &str) -> Result<Vec<u8>, TicketError> {
    let mut out = Vec::with_capacity(text.len() * 5 / 8);
    let (mut bits, mut count) = (0_u32, 0);
    for c in text.chars() {
        let value = (0_u32..).zip(ALPHABET).find(|(_, letter)| char::from(**letter) == c);
        bits = (bits << 5) | value.ok_or(TicketError::Character(c))?.0;
        count += 5;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count).unwrap_or_default());
            bits &= (1 << count) - 1;
        }
    }
    if count < 5 && bits == 0 { Ok(out) } else { Err(TicketError::Checksum) }
}

/// Five groups of five digits from the join hash, for two people to compare: about 83 bits. Each group is four bytes of the
/// hash, big-endian, modulo 100,000.
fn code(hash: &[u8; 32]) -> String {
    let (words, _) = hash.as_chunks::<4>();
    let groups: Vec<String> =
        words.iter().take(5).map(|word| format!("{:05}", u32::from_be_bytes(*word) % 100_000)).collect();
    groups.join(" ")
}

/// Takes a ticket up: the message for the owner, and the code.
pub fn join_message(me: &Me, ticket: &Ticket) -> Joining {
    let keys = me.identity.public();
    let hash = join_hash(&ticket.chain, &ticket.group, &ticket.token, &ticket.owner, &keys.id(), &me.endpoint.peer_id);
    let signature = me.identity.sign(&hash);
    let join = Join { token: ticket.token, keys, endpoint: me.endpoint.clone(), signature };
    Joining { join, code: code(&hash) }
}

/// Why a join message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// Its endpoint breaks a bound.
    #[error("the endpoint of the invited node is malformed")]
    Endpoint,
    /// A key that no enrolment may have.
    #[error("{0}")]
    Key(&'static str),
    /// Not by these keys, or for another chain, group, owner or token.
    #[error("the signature does not hold")]
    Signature,
}

/// What the owner checks of a join message before it looks for the token among its open invitations; gives the code.
pub fn check_join(chain: &ChainId, group: &GroupUid, owner: &ParticipantId, join: &Join) -> Result<String, JoinError> {
    let Join { token, keys, endpoint, signature } = join;
    if !endpoint.is_well_formed() {
        return Err(JoinError::Endpoint);
    }
    PublicKeys::validate(keys).map_err(JoinError::Key)?;
    let hash = join_hash(chain, group, token, owner, &keys.id(), &endpoint.peer_id);
    let check = SigCheck { key: keys.signing, hash, signature: *signature };
    if check.verify() { Ok(code(&hash)) } else { Err(JoinError::Signature) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Kit;
    use std::sync::Arc;

    fn ticket() -> Ticket {
        let kit = Kit::new(4);
        Ticket {
            chain: kit.chain,
            group: GroupUid([2; 32]),
            owner: kit.patient.id,
            token: [0xa5; 16],
            expires_ms: 1_700_000_000_000,
            endpoint: Endpoint { peer_id: vec![3; 38], addresses: vec!["/ip4/127.0.0.1/tcp/4001".into()] },
        }
    }

    fn me(seed: u64) -> Me {
        let identity = Arc::new(crate::testkit::Actor::new(seed, "invited", None).secret);
        Me { identity, endpoint: Endpoint { peer_id: vec![9; 38], addresses: vec![] } }
    }

    #[test]
    fn a_ticket_survives_what_people_do_to_text() {
        let text = ticket().to_string();
        assert!(text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()), "{text}");
        assert_eq!(text.len(), 309, "fits a QR code of version 9 in alphanumeric mode, level L");
        let lines: Vec<String> =
            text.as_bytes().chunks(40).map(|l| String::from_utf8_lossy(l).to_lowercase()).collect();
        for mangled in [text.clone(), text.to_lowercase(), lines.join("\r\n  "), format!("\t{text}\n"), lines.join("-")]
        {
            assert_eq!(mangled.parse(), Ok(ticket()), "{mangled}");
        }
        for len in 0..6 {
            let mut other = ticket();
            other.endpoint.peer_id = vec![7; 30 + len];
            other.endpoint.addresses = vec!["x".repeat(ADDRESS_BYTES_MAX); len.min(ADDRESSES_MAX)];
            assert_eq!(other.to_string().parse(), Ok(other));
        }
    }

    #[test]
    fn a_text_that_is_no_ticket_says_why() {
        let text = ticket().to_string();
        let parse = |text: &str| text.parse::<Ticket>().unwrap_err();
        assert_eq!(parse(""), TicketError::Prefix);
        assert_eq!(parse("MEDRING2ABC"), TicketError::Prefix);
        assert_eq!(parse(&text.replacen("MEDRING1", "", 1)), TicketError::Prefix);
        assert_eq!(parse(&format!("{text}0")), TicketError::Character('0'));
        assert_eq!(parse(&format!("{text}é")), TicketError::Character('é'));
        assert_eq!(parse(&"A".repeat(TEXT_BYTES_MAX + 1)), TicketError::TooLong { got: TEXT_BYTES_MAX + 1 });
        // One encoding only: nothing after the last byte, and its unused bit is zero.
        assert_eq!(parse(&format!("{text}A")), TicketError::Checksum);
        let (rest, last) = text.split_at(text.len() - 1);
        let place = ALPHABET.iter().position(|c| char::from(*c).to_string() == last).unwrap();
        assert_eq!(parse(&format!("{rest}{}", char::from(ALPHABET[place | 1]))), TicketError::Checksum);
        for cut in 8..text.len() {
            assert_eq!(parse(&text[..cut]), TicketError::Checksum, "{cut} characters of {}", text.len());
        }
        for at in 8..text.len() {
            let mut typo = text.clone().into_bytes();
            typo[at] = if typo[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(parse(&String::from_utf8(typo).unwrap()), TicketError::Checksum, "typing error at {at}");
        }
    }

    #[test]
    fn a_whole_ticket_with_content_that_cannot_be_is_refused() {
        let of = |payload: &[u8]| {
            let bytes = [payload, &checksum(payload)].concat();
            format!("{PREFIX}{}", base32(&bytes)).parse::<Ticket>()
        };
        let good = ticket().payload();
        assert_eq!(of(&good), Ok(ticket()));
        for cut in 0..good.len() {
            assert_eq!(of(&good[..cut]), Err(TicketError::Content), "{cut} bytes");
        }
        assert_eq!(of(&[good.as_slice(), &[0]].concat()), Err(TicketError::Content), "a byte too many");
        let mut no_text = good.clone();
        *no_text.last_mut().unwrap() = 0xff;
        assert_eq!(of(&no_text), Err(TicketError::Content), "an address that is no text");
        let mut no_peer = ticket();
        no_peer.endpoint.peer_id.clear();
        assert_eq!(of(&no_peer.payload()), Err(TicketError::Content), "no peer id");
    }

    #[test]
    fn owner_and_invited_read_one_code_and_nobody_else_the_same() {
        let (ticket, me) = (ticket(), me(1));
        let Joining { join, code } = join_message(&me, &ticket);
        assert_eq!(check_join(&ticket.chain, &ticket.group, &ticket.owner, &join), Ok(code.clone()));
        assert_eq!(code.split(' ').map(str::len).collect::<Vec<_>>(), [5; 5]);
        assert!(code.chars().all(|c| c == ' ' || c.is_ascii_digit()), "{code}");
        let mut other = ticket.clone();
        other.token[0] ^= 1;
        assert_ne!(join_message(&me, &other).code, code);
        assert_ne!(join_message(&super::tests::me(2), &ticket).code, code);
    }

    #[test]
    fn a_join_message_holds_for_its_chain_group_owner_token_keys_and_node_alone() {
        let ticket = ticket();
        let join = join_message(&me(1), &ticket).join;
        let check = |ticket: &Ticket, join: &Join| check_join(&ticket.chain, &ticket.group, &ticket.owner, join);
        let mut others: Vec<(&str, Ticket, Join)> = Vec::new();
        let mut with = |name, spoil: &dyn Fn(&mut Ticket, &mut Join)| {
            let (mut ticket, mut join) = (ticket.clone(), join.clone());
            spoil(&mut ticket, &mut join);
            others.push((name, ticket, join));
        };
        with("chain", &|t, _| t.chain.0[0] ^= 1);
        with("group", &|t, _| t.group.0[0] ^= 1);
        with("owner", &|t, _| t.owner.0[0] ^= 1);
        with("token", &|_, j| j.token[0] ^= 1);
        with("keys", &|_, j| j.keys = me(2).identity.public());
        with("node", &|_, j| j.endpoint.peer_id[0] ^= 1);
        with("signature", &|_, j| j.signature.0[0] ^= 1);
        for (name, ticket, join) in others {
            assert_eq!(check(&ticket, &join), Err(JoinError::Signature), "{name}");
        }
        let mut small = join.clone();
        small.keys.chebyshev.0 = [0; 256];
        assert!(matches!(check(&ticket, &small), Err(JoinError::Key(_))));
        let mut crowded = join.clone();
        crowded.endpoint.addresses = vec![String::new(); ADDRESSES_MAX + 1];
        assert_eq!(check(&ticket, &crowded), Err(JoinError::Endpoint));
    }
}
