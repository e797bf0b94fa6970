//! The genesis file and the bounds of chain parameters: every error says which parameter and what to do.

use super::KIT;
use medring_protocol::identity::{PublicKeys, SigningPk};
use medring_protocol::params::{GenesisError, GenesisFile, Params, Purpose};
use medring_protocol::pow::CompactTarget;

fn file() -> GenesisFile {
    GenesisFile::new(KIT.params.clone())
}

#[test]
fn a_genesis_file_reads_back_and_is_meant_for_people() {
    let text = file().to_json();
    assert_eq!(GenesisFile::parse(text.as_bytes()).unwrap(), file());
    assert!(text.contains("\"genesis_target\": \"0x207fffff\""), "{text}");
    assert!(text.contains(&format!("\"chain_id\": \"{}\"", KIT.chain)));
    assert!(text.ends_with("}\n"));
}

#[test]
fn a_malformed_genesis_file_is_refused_with_the_reason() {
    let text = file().to_json();
    let spoiled: [(&str, String, &str); 8] = [
        ("empty", String::new(), "EOF"),
        ("cut", text[..text.len() / 2].into(), "EOF"),
        ("not JSON", "chain: 1".into(), "expected value"),
        ("more behind", text.clone() + "{}", "trailing"),
        ("unknown key", text.replacen("\"name\"", "\"nome\"", 1), "unknown field `nome`"),
        ("key twice", text.replacen("\"name\"", "\"name\": \"x\", \"name\"", 1), "duplicate field"),
        ("key missing", text.replacen("\"retarget\": false,", "", 1), "missing field `retarget`"),
        ("target as number", text.replacen("\"0x207fffff\"", "545259519", 1), "expected a string"),
    ];
    for (what, text, reason) in spoiled {
        let error = GenesisFile::parse(text.as_bytes()).unwrap_err();
        assert!(matches!(error, GenesisError::Syntax(_)), "{what}: {error}");
        assert!(error.to_string().contains(reason), "{what}: {error}");
    }
    let mut bytes = text.clone().into_bytes();
    bytes[20] = 0xff;
    assert!(matches!(GenesisFile::parse(&bytes), Err(GenesisError::Syntax(_))), "not UTF-8");
    let huge = text.clone() + &" ".repeat(GenesisFile::BYTES_MAX);
    assert!(matches!(GenesisFile::parse(huge.as_bytes()), Err(GenesisError::Syntax(_))), "too long");
    let other = text.replacen("medring-genesis/1", "medring-genesis/2", 1);
    assert!(matches!(GenesisFile::parse(other.as_bytes()), Err(GenesisError::Format(_))));
    // Edited by hand: any parameter.
    let edited = text.replacen("\"confirmations\": 3", "\"confirmations\": 4", 1);
    let error = GenesisFile::parse(edited.as_bytes()).unwrap_err();
    assert!(matches!(error, GenesisError::ChainId { .. }), "{error}");
    assert!(error.to_string().contains("Fetch it again"));
}

/// Every parameter that can be out of bounds, just inside and just outside.
#[test]
fn each_parameter_has_bounds() {
    type Edit = fn(&mut Params);
    let outside: [(&str, &[Edit]); 13] = [
        ("name", &[|p| p.name.clear(), |p| p.name = "x".repeat(33), |p| p.name = "Ward 7".into()]),
        ("genesis_time_ms", &[|p| p.genesis_time_ms = Params::TIME_MS_MAX + 1]),
        ("target_spacing_ms", &[|p| p.target_spacing_ms = 99, |p| p.target_spacing_ms = 86_400_001]),
        ("limit_target", &[|p| p.limit_target = CompactTarget(0), |p| p.limit_target = CompactTarget(0x2080_0000)]),
        (
            "genesis_target",
            &[|p| p.genesis_target = CompactTarget(0x2000_0012), |p| p.limit_target = CompactTarget(0x1f00_ffff)],
        ),
        ("retarget", &[|p| p.purpose = Purpose::Production]),
        ("future_limit_ms", &[|p| (p.retarget, p.future_limit_ms) = (true, 7_201)]),
        ("stamp_granularity_ms", &[|p| p.stamp_granularity_ms = 0, |p| p.stamp_granularity_ms = 60_001]),
        ("expiry_window_heights", &[|p| p.expiry_window_heights = 0, |p| p.expiry_window_heights = 1_000_001]),
        ("confirmations", &[|p| p.confirmations = 0, |p| p.confirmations = 10_001]),
        ("pad_min_bytes", &[|p| p.pad_min_bytes = 1000, |p| p.pad_min_bytes = 512, |p| p.pad_min_bytes = 1 << 17]),
        ("quota_bytes", &[|p| p.quota_bytes.doctor = 131_071, |p| p.quota_bytes.authority = 0]),
        (
            "authorities",
            &[
                |p| p.authorities.clear(),
                |p| p.authorities = vec![p.authorities[0].clone(); 17],
                |p| p.authorities = vec![p.authorities[0].clone(); 2],
                |p| p.authorities[0].signing = SigningPk::ZERO,
                |p| p.authorities[0].chebyshev.0[0] = 0xff,
            ],
        ),
    ];
    for (field, edits) in outside {
        for (i, edit) in edits.iter().enumerate() {
            let mut params = KIT.params.clone();
            edit(&mut params);
            let error = params.validate().unwrap_err();
            assert_eq!(error.field, field, "edit {i}: {error}");
        }
    }
    let inside: [Edit; 7] = [
        |p| p.name = "ward-7".into(),
        |p| p.genesis_time_ms = Params::TIME_MS_MAX,
        |p| (p.retarget, p.purpose) = (true, Purpose::Production),
        |p| p.future_limit_ms = u64::MAX,
        |p| p.stamp_granularity_ms = p.stamp_window_ms,
        |p| p.pad_min_bytes = 65_536,
        |p| p.quota_bytes.patient = 131_072,
    ];
    for edit in inside {
        let mut params = KIT.params.clone();
        edit(&mut params);
        params.validate().unwrap();
    }
}

/// chain_id commits to every parameter: any edit makes another network.
#[test]
fn every_parameter_is_in_the_chain_id() {
    type Edit = fn(&mut Params);
    let edits: [Edit; 20] = [
        |p| p.name.push('x'),
        |p| p.purpose = Purpose::Demo,
        |p| p.genesis_time_ms += 1,
        |p| p.target_spacing_ms += 1,
        |p| p.genesis_target.0 -= 1,
        |p| p.limit_target.0 -= 1,
        |p| p.retarget = true,
        |p| p.future_limit_ms += 1,
        |p| p.stamp_granularity_ms += 1,
        |p| p.stamp_window_ms += 1,
        |p| p.expiry_window_heights += 1,
        |p| p.quota_bytes.authority += 1,
        |p| p.quota_bytes.healthcare_center += 1,
        |p| p.quota_bytes.doctor += 1,
        |p| p.quota_bytes.patient += 1,
        |p| p.confirmations += 1,
        |p| p.pad_min_bytes *= 2,
        |p| p.authorities.push(PublicKeys { ..p.authorities[0].clone() }),
        |p| p.authorities[0].signing.0[0] ^= 1,
        |p| p.authorities[0].chebyshev.0[255] ^= 1,
    ];
    let mut ids: Vec<_> = (edits.iter())
        .map(|edit| {
            let mut params = KIT.params.clone();
            edit(&mut params);
            params.chain_id()
        })
        .collect();
    ids.push(KIT.chain);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 21);
}

#[test]
fn the_genesis_header_is_fixed_by_the_parameters() {
    let header = KIT.params.genesis();
    assert_eq!(header.prev.0, KIT.chain.0);
    assert_eq!((header.height, header.time_ms, header.nonce), (0, KIT.params.genesis_time_ms, 0));
    assert_eq!(header.records_root, medring_protocol::merkle::records_root(&[]));
}
