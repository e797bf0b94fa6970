//! How an authority makes sure, off chain, that whom it enrols knows the secret of its Chebyshev key
//! (docs/spec/wallet.md): three small files.
//!
//! A [`Card`] holds public keys. The authority answers it with a [`Challenge`]: 32 bytes sealed to the Chebyshev key. The
//! subject opens it and sends a [`Request`]: the bytes, and its signed consent to one role on one chain. The authority
//! keeps nothing in between: the bytes are derived from a secret of its own and a salt that travels along.

use super::keystore::Keystore;
use super::vault;
use medring_protocol::chebyshev::{PublicKey, PublicKeyBytes, SecretKey};
use medring_protocol::identity::{EnrolmentEntry, IdentitySecret, PublicKeys, Role, Signature};
use medring_protocol::kdf::{Suite, kdf};
use medring_protocol::{ChainId, ParticipantId};
use rand::CryptoRng;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Largest of these files, bytes.
pub const BYTES_MAX: usize = 16 * 1024;

/// Why one of the files is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    /// Not such a file.
    #[error("not a {expected} file: {what}")]
    Syntax {
        /// The format that was to be read.
        expected: &'static str,
        /// What is wrong.
        what: String,
    },
    /// The public keys.
    #[error("the keys of {participant} are refused: {what}; ask their owner for the card again")]
    Keys {
        /// Whose.
        participant: ParticipantId,
        /// Why.
        what: &'static str,
    },
    /// For another chain or participant, or from another authority.
    #[error("this file is for {theirs}, and here it is {ours}; {next}")]
    Elsewhere {
        /// In the file.
        theirs: String,
        /// Here.
        ours: String,
        /// What to do.
        next: &'static str,
    },
    /// The sealed bytes do not open.
    #[error("the challenge does not open: it was altered on its way; ask the authority for a new one")]
    Altered,
    /// The opened bytes are wrong.
    #[error("the answer to the challenge is wrong: whoever sent it does not know the key it wants enrolled")]
    Wrong,
    /// The subject's consent.
    #[error("the subject's signature does not cover this chain, role and keys; have it answer the challenge again")]
    Consent,
}

/// A participant's public keys, to be passed around.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    format: CardFormat,
    /// The id, which commits to both keys: compare it by another way than the card came.
    pub participant: ParticipantId,
    /// Both keys.
    pub keys: PublicKeys,
}

/// 32 bytes sealed to a subject's Chebyshev key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Challenge {
    format: ChallengeFormat,
    /// The chain to be enrolled on.
    pub chain_id: ChainId,
    /// Who challenges.
    pub authority: ParticipantId,
    /// Who is challenged.
    pub subject: ParticipantId,
    /// As what it would be enrolled.
    pub role: Role,
    salt: ChallengeSalt,
    ephemeral: PublicKeyBytes,
    sealed: vault::HexBytes,
}

/// The opened challenge and the subject's consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    format: RequestFormat,
    /// The chain to be enrolled on.
    pub chain_id: ChainId,
    /// Who challenged.
    pub authority: ParticipantId,
    /// The subject's keys.
    pub keys: PublicKeys,
    /// As what it wants to be enrolled.
    pub role: Role,
    salt: ChallengeSalt,
    opened: vault::HexBytes,
    /// Over H("enrol", chain id, both keys, role).
    pub subject_signature: Signature,
}

macro_rules! format_tag {
    ($name:ident, $text:literal) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        enum $name {
            #[serde(rename = $text)]
            V1,
        }
        impl $name {
            const TEXT: &'static str = $text;
        }
    };
}
format_tag!(CardFormat, "medring-card/1");
format_tag!(ChallengeFormat, "medring-challenge/1");
format_tag!(RequestFormat, "medring-enrolment-request/1");

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct ChallengeSalt(vault::HexBytes);

fn parse<T: DeserializeOwned>(expected: &'static str, bytes: &[u8]) -> Result<T, ChallengeError> {
    if bytes.len() > BYTES_MAX {
        let what = format!("{} bytes, at most {BYTES_MAX} are read", bytes.len());
        return Err(ChallengeError::Syntax { expected, what });
    }
    serde_json::from_slice(bytes).map_err(|e| ChallengeError::Syntax { expected, what: e.to_string() })
}

fn to_json(value: &impl Serialize) -> String {
    // Structs with string keys: this cannot fail.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

impl Card {
    /// The card of these keys.
    pub fn new(keys: PublicKeys) -> Self {
        Self { format: CardFormat::V1, participant: keys.id(), keys }
    }

    /// Reads a card and checks that its id and its keys belong together and that the keys are sound.
    pub fn parse(bytes: &[u8]) -> Result<Self, ChallengeError> {
        let card: Self = parse(CardFormat::TEXT, bytes)?;
        if card.keys.id() != card.participant {
            let (theirs, ours) = (card.participant.to_string(), card.keys.id().to_string());
            let next = "the card was altered: ask its owner for it again";
            return Err(ChallengeError::Elsewhere { theirs, ours, next });
        }
        card.keys.validate().map_err(|what| ChallengeError::Keys { participant: card.participant, what })?;
        Ok(card)
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        to_json(self)
    }
}

impl Challenge {
    /// Challenges the owner of `card` to show that it knows the card's Chebyshev secret.
    pub fn new(
        authority: &Keystore,
        chain: &ChainId,
        card: &Card,
        role: Role,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, ChallengeError> {
        let keys_error = |what| ChallengeError::Keys { participant: card.participant, what };
        let key = PublicKey::validate(&card.keys.chebyshev).map_err(|_| keys_error("no key of T2-2048"))?;
        let mut salt = vec![0; 32];
        rng.fill_bytes(&mut salt);
        let salt = ChallengeSalt(vault::HexBytes(salt));
        let e = SecretKey::generate(rng);
        let (authority_id, subject) = (authority.participant(), card.participant);
        let sealing = sealing_key(chain, &authority_id, &subject, &e, &key, e.public().bytes(), &key);
        let bytes = expected(authority, chain, &subject, role, &salt);
        // The key is used once: e is new.
        let sealed = vault::HexBytes(vault::encrypt(&sealing, &[0; 12], &[role.id()], &*bytes));
        let (format, chain_id, ephemeral) = (ChallengeFormat::V1, *chain, *e.public().bytes());
        Ok(Self { format, chain_id, authority: authority_id, subject, role, salt, ephemeral, sealed })
    }

    /// Reads a challenge.
    pub fn parse(bytes: &[u8]) -> Result<Self, ChallengeError> {
        parse(ChallengeFormat::TEXT, bytes)
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        to_json(self)
    }

    /// Opens it and consents to be enrolled in its role on `chain`.
    pub fn answer(&self, chain: &ChainId, subject: &IdentitySecret) -> Result<Request, ChallengeError> {
        let keys = subject.public();
        if self.chain_id != *chain {
            let next = "use the genesis file of the network you want to join";
            return Err(elsewhere("chain", &self.chain_id, chain, next));
        }
        if self.subject != keys.id() {
            return Err(elsewhere("participant", &self.subject, &keys.id(), "use the key whose card you sent"));
        }
        let e = PublicKey::validate(&self.ephemeral).map_err(|_| ChallengeError::Altered)?;
        let (secret, own) = (subject.chebyshev(), subject.chebyshev().public());
        let key = sealing_key(chain, &self.authority, &self.subject, secret, &e, &self.ephemeral, own);
        let opened =
            vault::decrypt(&key, &[0; 12], &[self.role.id()], &self.sealed.0).ok_or(ChallengeError::Altered)?;
        let subject_signature = subject.sign(&EnrolmentEntry::subject_hash(chain, &keys, self.role));
        Ok(Request {
            format: RequestFormat::V1,
            chain_id: *chain,
            authority: self.authority,
            keys,
            role: self.role,
            salt: self.salt.clone(),
            opened: vault::HexBytes(opened.to_vec()),
            subject_signature,
        })
    }
}

impl Request {
    /// Reads a request.
    pub fn parse(bytes: &[u8]) -> Result<Self, ChallengeError> {
        parse(RequestFormat::TEXT, bytes)
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        to_json(self)
    }

    /// Checks the answer and the consent, and makes the entry to be enrolled, valid in these heights.
    pub fn accept(
        &self,
        authority: &Keystore,
        chain: &ChainId,
        valid_from: u64,
        valid_until: u64,
    ) -> Result<EnrolmentEntry, ChallengeError> {
        if self.chain_id != *chain {
            return Err(elsewhere("chain", &self.chain_id, chain, "challenge the subject for this chain"));
        }
        if self.authority != authority.participant() {
            let next = "enrol it with the authority that made the challenge, or challenge it anew";
            return Err(elsewhere("authority", &self.authority, &authority.participant(), next));
        }
        let subject = self.keys.id();
        self.keys.validate().map_err(|what| ChallengeError::Keys { participant: subject, what })?;
        let bytes = expected(authority, chain, &subject, self.role, &self.salt);
        if !bool::from(self.opened.0.as_slice().ct_eq(bytes.as_slice())) {
            return Err(ChallengeError::Wrong);
        }
        let (keys, role, subject_signature) = (self.keys.clone(), self.role, self.subject_signature);
        let entry = EnrolmentEntry { keys, role, valid_from, valid_until, subject_signature };
        if entry.signature_check(chain).verify() { Ok(entry) } else { Err(ChallengeError::Consent) }
    }
}

fn elsewhere(
    what: &str,
    theirs: &impl std::fmt::Display,
    ours: &impl std::fmt::Display,
    next: &'static str,
) -> ChallengeError {
    ChallengeError::Elsewhere { theirs: format!("{what} {theirs}"), ours: ours.to_string(), next }
}

/// The 32 bytes only the authority can know beforehand: KDF(; a subkey of its keystore; "challenge", chain, subject, role,
/// salt).
fn expected(
    authority: &Keystore,
    chain: &ChainId,
    subject: &ParticipantId,
    role: Role,
    salt: &ChallengeSalt,
) -> Zeroizing<[u8; 32]> {
    let secret = authority.subkey("challenge");
    let fields: [&[u8]; 4] = [chain.as_bytes(), subject.as_bytes(), &[role.id()], &salt.0.0];
    kdf(Suite::T2Aes, None, &[secret.as_slice()], "challenge", &fields)
}

/// KDF(; T_es(x), E, Y; "challenge seal", chain, authority, subject): from e and Y, or from s and E.
fn sealing_key(
    chain: &ChainId,
    authority: &ParticipantId,
    subject: &ParticipantId,
    secret: &SecretKey,
    other: &PublicKey,
    ephemeral: &PublicKeyBytes,
    subject_key: &PublicKey,
) -> Zeroizing<[u8; 32]> {
    let z = secret.agree(other);
    let secrets: [&[u8]; 3] = [z.as_bytes(), ephemeral.as_bytes(), subject_key.as_bytes()];
    let fields: [&[u8]; 3] = [chain.as_bytes(), authority.as_bytes(), subject.as_bytes()];
    kdf(Suite::T2Aes, None, &secrets, "challenge seal", &fields)
}
