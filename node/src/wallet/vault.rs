//! Encryption at rest: a passphrase becomes a key by Argon2id, and small secrets lie under AES-256-GCM.

use super::Passphrase;
use argon2::{Algorithm, Argon2, Version};
use medring_protocol::seal::{gcm_decrypt, gcm_encrypt};
use rand::CryptoRng;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// What deriving a key from a passphrase costs: whoever guesses passphrases pays it for each guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KdfCost {
    /// Memory, KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl KdfCost {
    /// For keys of people: RFC 9106's second recommended choice, 64 MiB, 3 passes, 4 lanes. About 0.2 s.
    pub const STANDARD: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 4 };
    /// For the generated keys of a testnet, whose passphrase lies beside them: the least that is accepted, 1 MiB.
    pub const TESTNET: Self = Self { memory_kib: Self::MEMORY_KIB_MIN, passes: 1, lanes: 1 };

    /// Least memory accepted, KiB.
    pub const MEMORY_KIB_MIN: u32 = 1024;
    /// Most memory accepted, KiB: 1 GiB. A file from elsewhere must not be able to exhaust the machine that reads it.
    pub const MEMORY_KIB_MAX: u32 = 1024 * 1024;
    /// Most passes accepted.
    pub const PASSES_MAX: u32 = 16;
    /// Most lanes accepted.
    pub const LANES_MAX: u32 = 16;

    /// Whether it lies within the fixed limits; if not, says which figure does not.
    pub fn check(&self) -> Result<(), String> {
        let within = |name, value: u32, least: u32, most: u32| match (least..=most).contains(&value) {
            true => Ok(()),
            false => Err(format!("{name} is {value}, accepted are {least} to {most}")),
        };
        within("memory_kib", self.memory_kib, Self::MEMORY_KIB_MIN, Self::MEMORY_KIB_MAX)?;
        within("passes", self.passes, 1, Self::PASSES_MAX)?;
        within("lanes", self.lanes, 1, Self::LANES_MAX)
    }
}

/// How one file's key is made from its passphrase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KdfParams {
    /// Always `argon2id`, version 0x13.
    name: KdfName,
    #[serde(flatten)]
    pub(super) cost: KdfCost,
    /// 16 random bytes, new with every passphrase.
    salt: HexBytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum KdfName {
    #[serde(rename = "argon2id")]
    Argon2id,
}

impl KdfParams {
    /// A new salt at this cost.
    pub(super) fn new(cost: KdfCost, rng: &mut impl CryptoRng) -> Self {
        let mut salt = vec![0; 16];
        rng.fill_bytes(&mut salt);
        Self { name: KdfName::Argon2id, cost, salt: HexBytes(salt) }
    }

    /// The 32-byte key. Refuses any cost outside the fixed limits before it allocates.
    pub(super) fn derive(&self, passphrase: &Passphrase) -> Result<Zeroizing<[u8; 32]>, String> {
        self.cost.check()?;
        if self.salt.0.len() != 16 {
            return Err(format!("the salt has {} bytes, 16 are right", self.salt.0.len()));
        }
        let KdfCost { memory_kib, passes, lanes } = self.cost;
        let params = argon2::Params::new(memory_kib, passes, lanes, Some(32)).map_err(|e| e.to_string())?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.expose(), &self.salt.0, key.as_mut())
            .map_err(|e| format!("Argon2id: {e}"))?;
        Ok(key)
    }
}

/// One secret under AES-256-GCM: a random 12-byte nonce and the ciphertext with its 16-byte tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SealedBox {
    nonce: HexBytes,
    ciphertext: HexBytes,
}

impl SealedBox {
    /// Encrypts. A key of ours seals a handful of boxes in its life, far from where random nonces repeat.
    pub(super) fn seal(key: &[u8; 32], ad: &[u8], plain: &[u8], rng: &mut impl CryptoRng) -> Self {
        let mut nonce = [0; 12];
        rng.fill_bytes(&mut nonce);
        Self { nonce: HexBytes(nonce.to_vec()), ciphertext: HexBytes(encrypt(key, &nonce, ad, plain)) }
    }

    /// Decrypts; `None` if key, associated data or a single bit is not the one it was sealed with.
    pub(super) fn open(&self, key: &[u8; 32], ad: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        decrypt(key, &self.nonce.0.as_slice().try_into().ok()?, ad, &self.ciphertext.0)
    }
}

/// AES-256-GCM: ciphertext and tag.
pub(crate) fn encrypt(key: &[u8; 32], nonce: &[u8; 12], ad: &[u8], plain: &[u8]) -> Vec<u8> {
    // Room for the tag, so that the buffer does not move and leave plaintext behind.
    let mut buffer = Zeroizing::new(Vec::with_capacity(plain.len() + 16));
    buffer.extend_from_slice(plain);
    gcm_encrypt(key, nonce, ad, buffer)
}

/// Its inverse; `None` if anything is not as it was.
pub(crate) fn decrypt(key: &[u8; 32], nonce: &[u8; 12], ad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    gcm_decrypt(key, nonce, ad, sealed)
}

/// Bytes as lower-case hex in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HexBytes(pub(super) Vec<u8>);

impl Serialize for HexBytes {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for HexBytes {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        hex::decode(String::deserialize(d)?).map(HexBytes).map_err(serde::de::Error::custom)
    }
}

/// A versioned JSON file around a body. The checksum tells a damaged file from a wrong passphrase; it is no protection,
/// which is AES-GCM's part.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Frame<B> {
    format: String,
    checksum: HexBytes,
    body: B,
}

fn checksum(format: &str, body: &impl Serialize) -> HexBytes {
    // Our bodies have string keys only, so this cannot fail.
    let text = serde_json::to_vec(body).unwrap_or_default();
    HexBytes(Sha256::new().chain_update(format).chain_update([0]).chain_update(text).finalize().to_vec())
}

/// The file's text.
pub(super) fn to_json<B: Serialize>(format: &str, body: &B) -> String {
    let frame = Frame { format: format.to_owned(), checksum: checksum(format, body), body };
    serde_json::to_string_pretty(&frame).unwrap_or_default() + "\n"
}

/// Reads a file that [`to_json`] wrote; anything that differs in a single byte is an error that says what it looks like.
pub(super) fn from_json<B: Serialize + for<'de> Deserialize<'de>>(format: &str, bytes: &[u8]) -> Result<B, String> {
    #[derive(Deserialize)]
    struct Format {
        format: String,
    }
    let told = |e: serde_json::Error| format!("line {}, column {}: it is not the JSON it was", e.line(), e.column());
    let found: Format = serde_json::from_slice(bytes).map_err(told)?;
    if found.format != format {
        let shown: String = found.format.chars().take(40).collect();
        return Err(format!("its format is {shown:?} and this medring reads {format:?}"));
    }
    let frame: Frame<B> = serde_json::from_slice(bytes).map_err(told)?;
    if checksum(format, &frame.body) != frame.checksum {
        return Err("its checksum does not fit its content".into());
    }
    if to_json(format, &frame.body).as_bytes() != bytes {
        return Err("it is not laid out as medring wrote it".into());
    }
    Ok(frame.body)
}
