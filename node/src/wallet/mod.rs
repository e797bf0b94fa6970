//! A participant's wallet: keys at rest, the records it makes, and the records it finds and opens
//! (docs/spec/keystore.md, docs/spec/wallet.md).

mod backup;
pub mod challenge;
mod checks;
mod draft;
pub mod files;
mod group;
mod keystore;
mod passphrase;
mod producer;
mod scan;
mod state;
pub(crate) mod vault;
#[expect(clippy::module_inception, reason = "the wallet proper, beside its parts")]
mod wallet;

#[cfg(test)]
mod keystore_tests;
#[cfg(test)]
mod producer_tests;
#[cfg(test)]
mod scan_tests;

pub use backup::{backup, restore};
pub use checks::{Checks, Place, confirmations};
pub(crate) use checks::{Leaved, of_chain};
pub use draft::{Draft, DraftError, PARTS_MAX, public_kind};
pub use files::FileError;
pub use keystore::{Keystore, KeystoreError, KeystoreInfo};
pub use passphrase::{PASSPHRASE_BYTES_MAX, PASSPHRASE_BYTES_MIN, Passphrase, PassphraseError};
pub use producer::{
    Moment, ProduceError, Produced, commit_record, enrol_record, renew, revoke_record, seal_record, seal_to_group,
    seal_to_owner,
};
pub use scan::{Progress, ScanReport};
pub use state::{RECORDS_MAX, StateError, WalletRecord};
pub use vault::KdfCost;
pub use wallet::{OpenedRecord, Wallet, WalletError, WalletStatus};
