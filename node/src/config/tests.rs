//! Layers, unknown keys, bounds, and the operator's table.

use super::*;
use std::path::Path;

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("node.toml");
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

fn load_text(text: &str) -> Result<Config, ConfigError> {
    let (_dir, path) = file(text);
    load(Some(&path), [], &ConfigPatch::default())
}

#[test]
fn flags_outrank_variables_which_outrank_the_file() {
    let (_dir, path) = file("[network]\nmax_peers = 3\n[mining]\nthreads = 3\nnice = 3\n");
    let env = [("MEDRING_MINING_THREADS", "4"), ("MEDRING_MINING_NICE", "4"), ("MEDRING_SOAK", "1"), ("HOME", "x")];
    let mut flags = ConfigPatch::default();
    flags.set("--nice", "mining.nice", "5").unwrap();
    let config = load(Some(&path), env.map(|(k, v)| (k.into(), v.into())), &flags).unwrap();
    assert_eq!((config.network.max_peers, config.mining.threads(), config.mining.nice()), (3, 4, 5));
}

#[test]
fn an_unknown_key_is_refused_with_its_file_and_the_nearest_key() {
    let (_dir, path) = file("[network]\nbootsrap = []\n");
    let text = load(Some(&path), [], &ConfigPatch::default()).unwrap_err().to_string();
    assert!(text.contains("node.toml") && text.contains("network.bootsrap"), "{text}");
    assert!(text.contains("did you mean \"network.bootstrap\""), "{text}");
    let env = [("MEDRING_API_LISTN".to_owned(), "x".to_owned())];
    let text = load(None, env, &ConfigPatch::default()).unwrap_err().to_string();
    assert!(text.contains("MEDRING_API_LISTN") && text.contains("api.listen"), "{text}");
    let text = load_text("listen = \"x\"").unwrap_err().to_string();
    assert!(text.contains("\"listen\"") && text.contains(".listen"), "{text}");
    // What is near nothing is not guessed at.
    for key in ["colour", "network.speed_of_light", "xyz"] {
        let text = load_text(&format!("{key} = \"x\"")).unwrap_err().to_string();
        assert!(text.contains(key) && text.contains("docs/operator.md") && !text.contains("did you mean"), "{text}");
    }
}

#[test]
fn a_value_of_another_kind_is_refused_with_its_key() {
    let text = load_text("[mining]\nthreads = \"two\"\n").unwrap_err().to_string();
    assert!(text.contains("mining.threads must be a whole number"), "{text}");
    let text = load_text("[mining]\nthreads = -1\n").unwrap_err().to_string();
    assert!(text.contains("mining.threads must be a whole number"), "{text}");
    let text = load_text("[network]\nlisten = [\"/ip4/1.2.3\"]\n").unwrap_err().to_string();
    assert!(text.contains("listen"), "{text}");
    let text = load_text("[log]\nformat = \"xml\"\n").unwrap_err().to_string();
    assert!(text.contains("json"), "{text}");
    assert!(load_text("data_dir = ").unwrap_err().to_string().contains("not valid TOML"));
}

#[test]
fn values_out_of_bounds_are_refused() {
    let cases = [
        ("[api]\nlisten = \"0.0.0.0:80\"", "api.listen"),
        ("[api]\nlisten = \"[::]:80\"", "api.listen"),
        ("[network]\nmax_peers = 0", "network.max_peers"),
        ("[network]\nlisten = []", "network.listen"),
        ("[network]\nlisten = [\"/ip4/127.0.0.1/udp/1\"]", "network.listen"),
        ("[network]\nbootstrap = [\"/dns4/x/tcp/1\"]", "network.bootstrap"),
        ("[network]\nannounce = [\"/ip4/192.0.2.1/udp/1\"]", "network.announce"),
        ("[mining]\nthreads = 257", "mining.threads"),
        ("[mining]\nhashes_per_second = 0", "mining.hashes_per_second"),
        ("[mining]\nnice = 20", "mining.nice"),
        ("[group]\nmembers_max = 0", "group.members_max"),
        ("[group]\nstep_timeout_ms = 999", "group.step_timeout_ms"),
        ("[group]\ncrash_after = 0", "group.crash_after"),
        ("[monitor]\nwindow_minutes = 16", "monitor.window_minutes"),
        ("[monitor]\nqueue_mib = 0", "monitor.queue_mib"),
        ("[wallet]\nkeystore = \"k\"", "wallet.passphrase_file"),
        ("[wallet]\npassphrase_file = \"k\"", "wallet.keystore"),
    ];
    for (text, key) in cases {
        let error = load_text(text).unwrap_err().to_string();
        assert!(error.contains(key), "{text}: {error}");
    }
}

#[test]
fn paths_in_a_file_are_relative_to_its_folder() {
    let (dir, path) = file("data_dir = \"data\"\ngenesis = \"/etc/genesis.json\"\n");
    let config = load(Some(&path), [], &ConfigPatch::default()).unwrap();
    assert_eq!(config.data_dir, dir.path().join("data"));
    assert_eq!(config.genesis, Path::new("/etc/genesis.json"));
}

#[test]
fn the_list_of_keys_and_the_struct_say_the_same() {
    let all = Config {
        mining: MiningConfig {
            threads: Some(1),
            hashes_per_second: Some(1),
            seed: Some(1),
            nice: Some(1),
            enabled: true,
        },
        wallet: WalletConfig { keystore: Some("k".into()), passphrase_file: Some("p".into()), birthday_height: 1 },
        group: GroupConfig { step_timeout_ms: Some(1_000), crash_after: Some(1), ..GroupConfig::default() },
        log: LogConfig { file: Some("f".into()), ..LogConfig::default() },
        testnet: TestnetConfig { faults: Some("f".into()) },
        network: NetworkConfig { capture: Some("c".into()), wire_version: Some(1), ..NetworkConfig::default() },
        ..Config::default()
    };
    let toml::Value::Table(table) = toml::Value::try_from(&all).unwrap() else { panic!("a table") };
    let mut names = Vec::new();
    for (name, value) in table {
        match value {
            toml::Value::Table(section) => names.extend(section.keys().map(|key| format!("{name}.{key}"))),
            _ => names.push(name),
        }
    }
    let mut known: Vec<_> = KEYS.iter().map(|key| key.name.to_owned()).collect();
    names.sort();
    known.sort();
    assert_eq!(names, known);
}

#[test]
fn the_operators_page_lists_every_key() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operator.md")).unwrap();
    for key in KEYS {
        let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
        let row = format!("| `{}` | `{}` | {} | {} |", key.name, key.variable(), default, key.help);
        assert!(page.contains(&row), "docs/operator.md lacks this row:\n{row}");
    }
}
