//! The node's libp2p key: kept in the wallet's keystore, encrypted, where there is one; else in a file of mode 0600.

use super::folder::Folder;
use super::{StartError, clock};
use crate::config::WalletConfig;
use crate::wallet::KeystoreError;
use crate::wallet::files::{read_limited, write_private};
use crate::wallet::{Keystore, Passphrase};
use libp2p::PeerId;
use libp2p::identity::Keypair;
use rand::{CryptoRng, Rng};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Its name in the keystore.
const SECRET_NAME: &str = "node-key";

/// Opens the keystore of the configuration, if there is one. Costs a key derivation.
pub(super) fn open_keystore(config: &WalletConfig) -> Result<Option<Keystore>, StartError> {
    let (Some(keystore), Some(passphrase)) = (&config.keystore, &config.passphrase_file) else { return Ok(None) };
    let passphrase = Passphrase::from_file(passphrase)?;
    Ok(Some(Keystore::open(keystore, &passphrase)?))
}

/// This node's key, drawn at the first start.
pub(super) fn node_key(folder: &Folder, keystore: Option<&Keystore>) -> Result<Keypair, StartError> {
    let path = folder.node_key();
    let stored = match keystore {
        Some(keystore) => keystore.open_secret(SECRET_NAME)?,
        None if path.exists() => Some(read_limited(&path, 32)?),
        None => None,
    };
    let mut seed = match stored {
        Some(seed) => seed,
        None => {
            let mut rng = clock::os_rng();
            let mut seed = Zeroizing::new(vec![0; 32]);
            rng.fill_bytes(seed.as_mut());
            match keystore {
                Some(keystore) => keystore.seal_secret(SECRET_NAME, &seed, &mut rng)?,
                None => write_private(&path, &seed)?,
            }
            seed
        }
    };
    Keypair::ed25519_from_bytes(seed.as_mut_slice()).map_err(|_| StartError::NodeKey(path))
}

/// Draws the key of a node that was never started and puts it into its keystore; returns the id by which others will know it.
pub fn seal_node_key(keystore: &Keystore, rng: &mut impl CryptoRng) -> Result<PeerId, KeystoreError> {
    let mut seed = Zeroizing::new([0; 32]);
    rng.fill_bytes(seed.as_mut());
    keystore.seal_secret(SECRET_NAME, seed.as_ref(), rng)?;
    // 32 bytes are a key, whatever they are.
    Ok(Keypair::ed25519_from_bytes(seed.as_mut()).map_or_else(|_| PeerId::random(), |key| key.public().to_peer_id()))
}

/// What this node writes into the blocks it mines: 16 bytes of a hash of its peer id, so that its blocks can be counted.
pub(super) fn miner_tag(key: &Keypair) -> [u8; 16] {
    let digest = Sha256::new().chain_update(b"medring miner tag").chain_update(key.public().to_peer_id().to_bytes());
    let digest = digest.finalize();
    std::array::from_fn(|i| digest[i])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_drawn_once_and_kept_private() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let first = node_key(&folder, None).unwrap();
        let again = node_key(&folder, None).unwrap();
        assert_eq!(first.public(), again.public());
        assert_eq!(miner_tag(&first), miner_tag(&again));
        let mode = std::fs::metadata(folder.node_key()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_key_file_is_refused_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        std::fs::write(folder.node_key(), b"short").unwrap();
        assert!(matches!(node_key(&folder, None), Err(StartError::NodeKey(_))));
        assert_eq!(std::fs::read(folder.node_key()).unwrap(), b"short");
    }
}
