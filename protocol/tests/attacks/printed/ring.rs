//! III-D-2 "Group session key agreement phase", III-D-3 "Member join phase", III-D-4 "Member leave phase".

use super::pair::{accept, finish, respond, start};
use super::{Parentheses, Public, User, hash};
use medring_protocol::chebyshev::t;
use medring_protocol::testkit::bytes32;

/// What two neighbours share: SK_{i,i+1} and T_{s_i} T_{s_{i+1}}(x).
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) session: [u8; 32],
    pub(crate) ss: [u8; 256],
}

pub(crate) fn xor(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
    std::array::from_fn(|i| a[i] ^ b[i])
}

/// B_i = H(SK_{i,i+1} ⊕ T_{s_i} T_{s_{i+1}}(x) ⊕ GID_i).
pub(crate) fn b(shared: &Shared, gid: &[u8; 32]) -> [u8; 32] {
    let mut joined = shared.ss;
    for (byte, (sk, gid)) in joined[224..].iter_mut().zip(shared.session.iter().zip(gid)) {
        *byte ^= sk ^ gid;
    }
    hash(&[&joined])
}

/// X_i = B_{i−1} ⊕ B_i of every member: what travels.
pub(crate) fn broadcast(bs: &[[u8; 32]]) -> Vec<[u8; 32]> {
    let n = bs.len();
    (0..n).map(|i| xor(&bs[(i + n - 1) % n], &bs[i])).collect()
}

/// "checks whether X_1 ⊕ … ⊕ X_n is equal to 0 or not".
pub(crate) fn sums_to_zero(xs: &[[u8; 32]]) -> bool {
    xs.iter().fold([0; 32], |sum, x| xor(&sum, x)) == [0; 32]
}

/// "continuous XOR operation": all B_j from one of them and the X.
pub(crate) fn unroll(index: usize, b: &[u8; 32], xs: &[[u8; 32]]) -> Vec<[u8; 32]> {
    let n = xs.len();
    let mut bs = vec![*b; n];
    for step in 1..n {
        bs[(index + step) % n] = xor(&bs[(index + step - 1) % n], &xs[(index + step) % n]);
    }
    bs
}

/// GSK = H(B_1 ‖ … ‖ B_n).
pub(crate) fn group_key(bs: &[[u8; 32]]) -> [u8; 32] {
    hash(&[&bs.concat()])
}

/// What U_index makes of the X that reached it: GSK, or nothing if it "terminates this phase".
pub(crate) fn agree(index: usize, b: &[u8; 32], xs: &[[u8; 32]]) -> Option<[u8; 32]> {
    sums_to_zero(xs).then(|| group_key(&unroll(index, b, xs)))
}

/// A group: its members in order, and what neighbours share.
#[derive(Clone)]
pub(crate) struct Ring {
    pub(crate) users: Vec<User>,
    /// SK_{i,i+1} of each i.
    pub(crate) pairs: Vec<Shared>,
    pub(crate) gid: [u8; 32],
    drawn: u64,
}

impl Ring {
    pub(crate) fn set_up(names: &[&str]) -> Self {
        let users: Vec<_> = names.iter().map(|name| User::new(name)).collect();
        let ids: Vec<_> = users.iter().flat_map(|user| user.public.id).collect();
        let gid = hash(&[&ids, &bytes32(1, "group", 0)]);
        let mut ring = Self { users: users.clone(), pairs: Vec::new(), gid, drawn: 0 };
        for i in 0..users.len() {
            let shared = ring.pair(&users[i], &users[(i + 1) % users.len()]);
            ring.pairs.push(shared);
        }
        ring
    }

    /// The two-party agreement, run to its end.
    fn pair(&mut self, first: &User, second: &User) -> Shared {
        let [r, q] = [0, 1].map(|k| bytes32(2, "r", self.drawn + k));
        self.drawn += 2;
        let m1 = start(first, &second.public, &r);
        let m2 = respond(second, &first.public, &m1, &q, Parentheses::Mended).unwrap();
        let (mac, session) = finish(first, &second.public, &r, &m2, Parentheses::Mended).unwrap();
        assert_eq!(accept(second, &first.public, &m1, &q, &mac), Some(session));
        Shared { session, ss: t(&first.s, &second.public.y) }
    }

    /// "the new member U_{n+1} becomes the successor of member U_n and the member U_1 becomes the successor of U_{n+1}".
    pub(crate) fn join(&mut self, name: &str) {
        let new = User::new(name);
        let (last, first) = (self.users[self.users.len() - 1].clone(), self.users[0].clone());
        let before = self.pair(&last, &new);
        let after = self.pair(&new, &first);
        *self.pairs.last_mut().unwrap() = before;
        self.pairs.push(after);
        self.users.push(new);
    }

    /// "U_{k+1} becomes the new successor of U_{k−1}"; both "remove the shared secrets" with U_k.
    pub(crate) fn leave(&mut self, k: usize) {
        self.users.remove(k);
        self.pairs.remove(k);
        let n = self.users.len();
        let before = (k + n - 1) % n;
        let (first, second) = (self.users[before].clone(), self.users[k % n].clone());
        self.pairs[before] = self.pair(&first, &second);
    }

    /// B_1 … B_n.
    pub(crate) fn bs(&self) -> Vec<[u8; 32]> {
        self.pairs.iter().map(|shared| b(shared, &self.gid)).collect()
    }

    /// X_1 … X_n.
    pub(crate) fn xs(&self) -> Vec<[u8; 32]> {
        broadcast(&self.bs())
    }

    /// GSK as every member computes it.
    pub(crate) fn key(&self) -> [u8; 32] {
        let (bs, xs) = (self.bs(), self.xs());
        let keys: Vec<_> = (0..bs.len()).map(|i| agree(i, &bs[i], &xs).unwrap()).collect();
        assert!(keys.iter().all(|key| *key == keys[0]), "GSK_1 = GSK_2 = … = GSK_n");
        keys[0]
    }

    /// The roster.
    pub(crate) fn publics(&self) -> Vec<Public> {
        self.users.iter().map(|user| user.public).collect()
    }
}
