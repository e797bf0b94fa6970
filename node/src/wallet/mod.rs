//! A participant's wallet: keys at rest, the records it makes, and the records it finds and opens
//! (docs/spec/keystore.md, docs/spec/wallet.md).

mod backup;
pub mod challenge;
mod draft;
pub mod files;
mod keystore;
mod passphrase;
mod producer;
mod vault;

#[cfg(test)]
mod keystore_tests;

pub use backup::{backup, restore};
pub use draft::{Draft, DraftError, PARTS_MAX, public_kind};
pub use files::FileError;
pub use keystore::{Keystore, KeystoreError, KeystoreInfo};
pub use passphrase::{PASSPHRASE_BYTES_MAX, PASSPHRASE_BYTES_MIN, Passphrase, PassphraseError};
pub use producer::{Moment, ProduceError, Produced, enrol_record, renew, revoke_record, seal_record};
pub use vault::KdfCost;
