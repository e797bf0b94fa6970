//! A small blocking client of a node's HTTP API on loopback.

use medring_protocol::record::Record;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a call failed, and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No node runs on this folder, or not yet.
    #[error("no node answers for {folder}: {detail}. Start it with `medring node run --config {folder}/config.toml`, or name another folder with --data-dir", folder = .folder.display())]
    Unreachable {
        /// The node's data folder.
        folder: PathBuf,
        /// What was tried.
        detail: String,
    },
    /// The node refused: its problem+json.
    #[error("{title}: {detail}{}", .next.as_ref().map(|n| format!(". {n}")).unwrap_or_default())]
    Refused {
        /// HTTP status.
        status: u16,
        /// What kind of problem.
        title: String,
        /// What was wrong.
        detail: String,
        /// A consensus rule's id, if one was broken.
        rule: Option<String>,
        /// What to do next.
        next: Option<String>,
    },
    /// The answer is not what this version expects.
    #[error("the node's answer to {path} is not understood: {detail}; are node and command of one version?")]
    Answer {
        /// What was asked.
        path: String,
        /// What was wrong.
        detail: String,
    },
}

/// A node's API: where it listens, and the token that opens it.
#[derive(Clone)]
pub struct Client {
    folder: PathBuf,
    base: String,
    token: String,
    agent: ureq::Agent,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.base).finish_non_exhaustive()
    }
}

/// The largest answer read, bytes: an exported chain is streamed, not read.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

impl Client {
    /// Finds the node of a data folder by the `node.json` and `api.token` it writes when it is ready.
    pub fn of_folder(folder: &Path) -> Result<Self, ClientError> {
        let missing = |detail: String| ClientError::Unreachable { folder: folder.to_path_buf(), detail };
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).map_err(|e| missing(format!("{name}: {e}")));
        let node: Value = serde_json::from_str(&read("node.json")?).map_err(|e| missing(format!("node.json: {e}")))?;
        let base = node["api"].as_str().ok_or_else(|| missing("node.json names no api".into()))?;
        Ok(Self::new(folder, base, read("api.token")?.trim()))
    }

    /// A client of the API at `base`, for example `http://127.0.0.1:8080`.
    pub fn new(folder: &Path, base: &str, token: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(60)))
            .timeout_connect(Some(Duration::from_secs(2)))
            .http_status_as_error(false)
            .build()
            .into();
        Self { folder: folder.to_path_buf(), base: base.into(), token: token.into(), agent }
    }

    /// The API's address.
    pub fn base(&self) -> &str {
        &self.base
    }

    fn unreachable(&self, e: &ureq::Error) -> ClientError {
        ClientError::Unreachable { folder: self.folder.clone(), detail: format!("{}: {e}", self.base) }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    fn body(&self, path: &str, mut answer: ureq::http::Response<ureq::Body>) -> Result<Vec<u8>, ClientError> {
        let status = answer.status().as_u16();
        let bytes = answer
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_vec()
            .map_err(|e| ClientError::Answer { path: path.into(), detail: e.to_string() })?;
        if (200..300).contains(&status) {
            return Ok(bytes);
        }
        let problem: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let text = |key: &str| problem[key].as_str().map(str::to_string);
        Err(ClientError::Refused {
            status,
            title: text("title").unwrap_or_else(|| format!("HTTP status {status}")),
            detail: text("detail").unwrap_or_else(|| String::from_utf8_lossy(&bytes).chars().take(200).collect()),
            rule: text("rule"),
            next: text("next"),
        })
    }

    /// GET, the bytes as they come.
    pub fn get_bytes(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        let answer = self.agent.get(self.url(path)).header("Authorization", self.bearer()).call();
        self.body(path, answer.map_err(|e| self.unreachable(&e))?)
    }

    /// GET, streamed into `out`; returns the bytes written.
    pub fn get_into(&self, path: &str, out: &mut impl std::io::Write) -> Result<u64, ClientError> {
        let answer = self.agent.get(self.url(path)).header("Authorization", self.bearer()).call();
        let mut answer = answer.map_err(|e| self.unreachable(&e))?;
        if !answer.status().is_success() {
            return self.body(path, answer).map(|bytes| bytes.len() as u64);
        }
        std::io::copy(&mut answer.body_mut().as_reader(), out)
            .map_err(|e| ClientError::Answer { path: path.into(), detail: e.to_string() })
    }

    /// GET, as a typed value.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        parse(path, &self.get_bytes(path)?)
    }

    /// GET; `None` where the node answers "not found".
    pub fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, ClientError> {
        match self.get(path) {
            Ok(value) => Ok(Some(value)),
            Err(ClientError::Refused { status: 404, .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// POST of JSON.
    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, ClientError> {
        let call = self.agent.post(self.url(path)).header("Authorization", self.bearer());
        let call = call.header("Content-Type", "application/json");
        let answer = call.send(body.to_string()).map_err(|e| self.unreachable(&e))?;
        parse(path, &self.body(path, answer)?)
    }

    /// Submits a record. When this returns, the node has it on disk.
    pub fn submit(&self, record: &Record) -> Result<Value, ClientError> {
        let call = self.agent.post(self.url("/v1/records")).header("Authorization", self.bearer());
        let call = call.header("Content-Type", "application/octet-stream");
        let answer = call.send(record.encode()).map_err(|e| self.unreachable(&e))?;
        parse("/v1/records", &self.body("/v1/records", answer)?)
    }
}

fn parse<T: DeserializeOwned>(path: &str, bytes: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(bytes).map_err(|e| ClientError::Answer { path: path.into(), detail: e.to_string() })
}
