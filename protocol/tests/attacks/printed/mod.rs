//! The scheme as the paper prints it, small enough to be read beside it. To be attacked; never to be used.
//!
//! Li, Shih, Wang, Chen, Lee, IEEE Access 8 (2020). `pair` is section III-D-1, `ring` III-D-2 to III-D-4, `record` III-C and
//! III-E. The primitive is ours, so that what falls here falls by the protocol and not by the polynomials.
//!
//! What the paper leaves open had to be filled in before anything runs. The reading chosen is the strongest that the text bears:
//!
//! 1. H, "one-way hash function based on Chebyshev chaotic maps" (table 3), has no construction: SHA-256 over the plain
//!    concatenation that ‖ stands for.
//! 2. E_k of section III-D: AES-256-GCM under SHA-256(k); each k encrypts once. E_PK of section III-C: see `record`.
//! 3. MAC_{i+1,i} of step 2 is printed with a parenthesis too many, H(… ‖ T_{r_{i+1}}(x)) ‖ H(…) ‖ SK, in both steps that
//!    use it. [`Parentheses`] has both readings, and every attack but the one on the parentheses meets the mended one.
//! 4. SK ⊕ T_s T_s(x) ⊕ GID (section III-D-2) joins values of 32 and of 256 bytes: the short ones get zeros in front.
//! 5. GID_i is "composed of the identity of group members and random numbers" (III-C-3). Sections III-D-3 and III-D-4 do not
//!    renew it, nor any pair but those at the cut; nor does this.
//! 6. Nobody's ID is tied to a public key: "all ID information and their corresponding public keys have been arranged". A
//!    roster is a list of both.
//! 7. S_k is Ed25519.

pub(crate) mod pair;
pub(crate) mod record;
pub(crate) mod ring;

use medring_protocol::chebyshev::t;
use medring_protocol::testkit::bytes32;
use sha2::{Digest, Sha256};

/// H over the concatenation of its arguments.
pub(crate) fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut state = Sha256::new();
    for part in parts {
        state.update(part);
    }
    state.finalize().into()
}

/// The two readings of MAC_{i+1,i}.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parentheses {
    /// H(ID_i ‖ ID_{i+1} ‖ C_{i+1} ‖ T_{r_{i+1}}(x)) ‖ H(T_{s_{i+1}} T_{s_i}(x)) ‖ SK: 32 + 32 + 256 bytes.
    Printed,
    /// One H around all of it.
    Mended,
}

/// A name and the public key that stands beside it.
#[derive(Clone, Copy)]
pub(crate) struct Public {
    pub(crate) id: [u8; 32],
    pub(crate) y: [u8; 256],
}

/// A member: s_i, and T_{s_i}(x) under its name.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) s: [u8; 32],
    pub(crate) public: Public,
}

impl User {
    pub(crate) fn new(name: &str) -> Self {
        let s = bytes32(1, name, 0);
        Self { s, public: Public { id: hash(&[name.as_bytes()]), y: t(&s, &BASE) } }
    }
}

/// x.
pub(crate) const BASE: [u8; 256] = {
    let mut base = [0; 256];
    base[255] = 4;
    base
};
