//! Reading and merging: defaults, then the file, then variables, then flags; a later layer replaces whole values.

use super::keys::{self, Key, Kind};
use super::{Config, ConfigError};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Settings that outrank file and environment: what flags of the command line said.
#[derive(Clone, Debug, Default)]
pub struct ConfigPatch(Vec<(&'static Key, Value)>);

impl ConfigPatch {
    /// Sets `key` (a name from [`super::KEYS`]) from text; lists are separated by commas. `origin` names the flag in errors.
    pub fn set(&mut self, origin: &str, key: &str, text: &str) -> Result<(), ConfigError> {
        let known = keys::find(key).ok_or_else(|| unknown(origin, key))?;
        self.0.push((known, parse(origin, known, text)?));
        Ok(())
    }
}

/// Reads `file` (if given), the `MEDRING_*` variables among `env` and `flags`, merges and checks them.
pub fn load(
    file: Option<&Path>,
    env: impl IntoIterator<Item = (String, String)>,
    flags: &ConfigPatch,
) -> Result<Config, ConfigError> {
    let mut merged = Table::new();
    if let Some(path) = file {
        for (key, value) in read_file(path)? {
            put(&mut merged, key, value);
        }
    }
    for (key, value) in read_env(env)? {
        put(&mut merged, key, value);
    }
    for (key, value) in &flags.0 {
        put(&mut merged, key, value.clone());
    }
    let mut config: Config = Value::Table(merged)
        .try_into()
        .map_err(|e: toml::de::Error| ConfigError::Parse(e.to_string().trim().into()))?;
    config.file = file.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
    config.validate()?;
    Ok(config)
}

fn unknown(origin: &str, key: &str) -> ConfigError {
    ConfigError::Unknown { origin: origin.into(), key: key.into(), nearest: keys::nearest(key) }
}

fn put(into: &mut Table, key: &Key, value: Value) {
    match key.name.split_once('.') {
        None => drop(into.insert(key.name.into(), value)),
        Some((section, name)) => {
            let section = into.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(section) = section {
                section.insert(name.into(), value);
            }
        }
    }
}

fn read_file(path: &Path) -> Result<Vec<(&'static Key, Value)>, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let table: Table = text
        .parse()
        .map_err(|e: toml::de::Error| ConfigError::Syntax { path: path.to_owned(), problem: e.to_string() })?;
    let origin = path.display().to_string();
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    let mut out = Vec::new();
    for (name, value) in table {
        match value {
            Value::Table(section) => {
                for (key, value) in section {
                    out.push(from_file(&origin, &folder, &format!("{name}.{key}"), value)?);
                }
            }
            value => out.push(from_file(&origin, &folder, &name, value)?),
        }
    }
    Ok(out)
}

fn from_file(origin: &str, folder: &Path, name: &str, value: Value) -> Result<(&'static Key, Value), ConfigError> {
    let key = keys::find(name).ok_or_else(|| unknown(origin, name))?;
    let right = match (key.kind, &value) {
        (Kind::Path | Kind::Text, Value::String(_)) | (Kind::Switch, Value::Boolean(_)) => true,
        (Kind::List, Value::Array(items)) => items.iter().all(Value::is_str),
        (Kind::Number, Value::Integer(n)) => *n >= 0,
        _ => false,
    };
    if !right {
        let (origin, got) = (origin.into(), value.to_string());
        return Err(ConfigError::Kind { origin, key: key.name, expected: key.kind.expected(), got });
    }
    let value = match (key.kind, value) {
        (Kind::Path, Value::String(path)) => Value::String(folder.join(PathBuf::from(path)).display().to_string()),
        (_, value) => value,
    };
    Ok((key, value))
}

/// Variables of known keys. One that starts like a section of ours but is no key is a mistake and refused; others
/// (`MEDRING_SOAK`) are somebody else's.
fn read_env(env: impl IntoIterator<Item = (String, String)>) -> Result<Vec<(&'static Key, Value)>, ConfigError> {
    let mut out = Vec::new();
    for (variable, text) in env {
        let Some(rest) = variable.strip_prefix("MEDRING_") else { continue };
        let known = keys::KEYS.iter().find(|key| key.variable() == variable);
        let section = rest.split('_').next().unwrap_or_default().to_lowercase();
        let ours = keys::KEYS.iter().any(|key| key.name.starts_with(&format!("{section}.")));
        match known {
            Some(key) => out.push((key, parse(&format!("variable {variable}"), key, &text)?)),
            None if ours => {
                return Err(unknown(&format!("variable {variable}"), &rest.to_lowercase().replacen('_', ".", 1)));
            }
            None => {}
        }
    }
    Ok(out)
}

fn parse(origin: &str, key: &'static Key, text: &str) -> Result<Value, ConfigError> {
    let wrong = || ConfigError::Kind {
        origin: origin.into(),
        key: key.name,
        expected: key.kind.expected(),
        got: format!("{text:?}"),
    };
    Ok(match key.kind {
        Kind::Path | Kind::Text => Value::String(text.into()),
        Kind::List => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Value::Array(items.map(|item| Value::String(item.into())).collect())
        }
        Kind::Number => Value::Integer(text.parse().ok().filter(|n| *n >= 0).ok_or_else(wrong)?),
        Kind::Switch => Value::Boolean(text.parse().map_err(|_| wrong())?),
    })
}
