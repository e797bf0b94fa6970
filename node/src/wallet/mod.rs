//! A participant's wallet: keys at rest, the records it makes, and the records it finds and opens
//! (docs/spec/keystore.md, docs/spec/wallet.md).

pub mod files;
mod keystore;
mod passphrase;
mod vault;

#[cfg(test)]
mod keystore_tests;

pub use files::FileError;
pub use keystore::{Keystore, KeystoreError, KeystoreInfo};
pub use passphrase::{PASSPHRASE_BYTES_MAX, PASSPHRASE_BYTES_MIN, Passphrase, PassphraseError};
pub use vault::KdfCost;
