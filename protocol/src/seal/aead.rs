//! AES-256-GCM with keys that are used once. Compiled here, and not where it is called, since this crate is optimised in every
//! profile: without that it takes a hundred times as long.

use super::derive::KeyNonce;
use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use zeroize::Zeroizing;

/// Bytes that encryption adds.
pub(crate) const TAG_BYTES: usize = 16;

/// Encrypts in place, so that no copy of the plaintext is left behind. Room for the tag (16 bytes) must be reserved.
pub fn gcm_encrypt(key: &[u8; 32], nonce: &[u8; 12], ad: &[u8], mut plain: Zeroizing<Vec<u8>>) -> Vec<u8> {
    // A growing Vec would leave its old allocation, full of plaintext, unwiped.
    assert!(plain.capacity() >= plain.len() + TAG_BYTES, "room for the tag is reserved by the caller");
    let buffer: &mut Vec<u8> = &mut plain;
    let done = Aes256Gcm::new(key.into()).encrypt_in_place(nonce.into(), ad, buffer);
    // The only error is a length of 64 GiB; returning what may be plaintext is worse than any panic.
    assert!(done.is_ok(), "AES-GCM refused {} bytes", plain.len());
    std::mem::take(&mut *plain)
}

/// The plaintext, or nothing if a single bit of key, nonce, associated data or ciphertext is different.
pub fn gcm_decrypt(key: &[u8; 32], nonce: &[u8; 12], ad: &[u8], ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut buffer = Zeroizing::new(ciphertext.to_vec());
    let inner: &mut Vec<u8> = &mut buffer;
    Aes256Gcm::new(key.into()).decrypt_in_place(nonce.into(), ad, inner).ok()?;
    Some(buffer)
}

/// [`gcm_encrypt`] with a derived key and nonce.
pub(crate) fn encrypt(keys: &KeyNonce, ad: &[u8], plain: Zeroizing<Vec<u8>>) -> Vec<u8> {
    gcm_encrypt(&keys.key, &keys.nonce, ad, plain)
}

/// [`gcm_decrypt`] with a derived key and nonce.
pub(crate) fn decrypt(keys: &KeyNonce, ad: &[u8], ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    gcm_decrypt(&keys.key, &keys.nonce, ad, ciphertext)
}
