//! A client of a node's HTTP API on this machine: finds the node by its data folder, sends its token, reads with limits.

pub use medring_node::driver::NodeFile;
use medring_protocol::RecordId;
use medring_protocol::record::Record;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

/// Largest JSON answer read, bytes.
const JSON_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Largest problem document read, bytes.
const PROBLEM_BYTES_MAX: u64 = 64 * 1024;
/// How long a call may take. A node answers from memory or disk; mining on demand is the slowest it is asked for.
const CALL_TIME_MAX: Duration = Duration::from_secs(60);

/// What the API says when it refuses (RFC 9457).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// In short.
    pub title: String,
    /// In this case.
    pub detail: String,
    /// The broken consensus rule, for example `R-QUOTA`.
    pub rule: Option<String>,
    /// What to do.
    pub next: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.detail.is_empty() { &self.title } else { &self.detail };
        f.write_str(what)?;
        match &self.rule {
            // Violations begin with their rule already.
            Some(rule) if !what.starts_with(rule.as_str()) => write!(f, " ({rule})")?,
            _ => {}
        }
        // What to do may be said already.
        let next = self.next.as_ref().filter(|next| !what.ends_with(next.as_str()));
        next.map_or(Ok(()), |next| write!(f, "; {next}"))
    }
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No node runs on this folder.
    #[error(
        "no node is running on {folder} ({what}); start one with `medring node run`, or name its folder with --data-dir",
        folder = folder.display()
    )]
    NoNode {
        /// The folder.
        folder: PathBuf,
        /// What is missing.
        what: String,
    },
    /// The node does not answer.
    #[error("the node at {url} does not answer ({what}); see `medring node status` and its log")]
    Unreachable {
        /// Its address.
        url: String,
        /// What happened.
        what: String,
    },
    /// The node refused.
    #[error("{0}")]
    Refused(Problem),
    /// The answer makes no sense.
    #[error("the node's answer to {path} is not understood: {what}; are node and command of the same version?")]
    Malformed {
        /// What was asked.
        path: String,
        /// What is wrong.
        what: String,
    },
}

impl ClientError {
    /// Whether what was asked for does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(problem) if problem.status == 404)
    }
}

/// Talks to one node. Clones share nothing but the address; every call is a connection of its own, so that a node may be
/// killed and started again in between.
#[derive(Clone)]
pub struct Client {
    base: String,
    token: Zeroizing<String>,
    agent: ureq::Agent,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.base).finish_non_exhaustive()
    }
}

/// What `node.json` of a data folder says: where the node is that runs there.
pub fn node_file(data_dir: &Path) -> Result<NodeFile, ClientError> {
    NodeFile::read(data_dir)
        .map_err(|e| ClientError::NoNode { folder: data_dir.to_owned(), what: format!("{}: {e}", NodeFile::NAME) })
}

impl Client {
    /// A client of the node that runs on this data folder.
    pub fn from_data_dir(data_dir: &Path) -> Result<Self, ClientError> {
        let node = node_file(data_dir)?;
        let no_node =
            |e: io::Error| ClientError::NoNode { folder: data_dir.to_owned(), what: format!("api.token: {e}") };
        let token = Zeroizing::new(std::fs::read_to_string(data_dir.join("api.token")).map_err(no_node)?);
        Ok(Self::new(&node.api, token.trim()))
    }

    /// A client of the node at `base` (`http://ADDRESS:PORT`), which knows it by `token`.
    pub fn new(base: &str, token: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            // A refusal comes with a body that says why.
            .http_status_as_error(false)
            // The node is on this machine, whatever HTTP_PROXY says.
            .proxy(None)
            .max_redirects(0)
            .max_idle_connections(0)
            .timeout_global(Some(CALL_TIME_MAX))
            .build()
            .new_agent();
        Self { base: base.trim_end_matches('/').to_owned(), token: Zeroizing::new(token.to_owned()), agent }
    }

    /// The node's address.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// GETs JSON, for example `/v1/status`.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        json(path, self.call(path, Body::None)?)
    }

    /// GETs JSON; `None` where the node answers "not found".
    pub fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, ClientError> {
        match self.get(path) {
            Ok(value) => Ok(Some(value)),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Submits a record. When this returns, the node has it on disk.
    pub fn submit(&self, record: &Record) -> Result<RecordId, ClientError> {
        let path = "/v1/records";
        let answer: Value = self.post_bytes(path, &record.encode())?;
        serde_json::from_value(answer["record_id"].clone()).map_err(|e| malformed(path, e))
    }

    /// POSTs JSON and reads JSON.
    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        let malformed = |e: serde_json::Error| ClientError::Malformed { path: path.to_owned(), what: e.to_string() };
        json(path, self.call(path, Body::Json(serde_json::to_vec(body).map_err(malformed)?))?)
    }

    /// PUTs JSON and reads JSON.
    pub fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        let malformed = |e: serde_json::Error| ClientError::Malformed { path: path.to_owned(), what: e.to_string() };
        json(path, self.call(path, Body::Put(serde_json::to_vec(body).map_err(malformed)?))?)
    }

    /// DELETEs something and reads JSON.
    pub fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        json(path, self.call(path, Body::Delete)?)
    }

    /// POSTs bytes, for example a record, and reads JSON.
    pub fn post_bytes<T: DeserializeOwned>(&self, path: &str, bytes: &[u8]) -> Result<T, ClientError> {
        json(path, self.call(path, Body::Bytes(bytes))?)
    }

    /// POSTs a FHIR bundle, for example to `/v1/fhir/Bundle?kind=phr`, and reads JSON.
    pub fn post_fhir<T: DeserializeOwned>(&self, path: &str, bundle: &[u8]) -> Result<T, ClientError> {
        json(path, self.call(path, Body::Fhir(bundle))?)
    }

    /// GETs bytes, at most `limit` of them.
    pub fn get_bytes(&self, path: &str, limit: u64) -> Result<Vec<u8>, ClientError> {
        let mut response = self.call(path, Body::None)?;
        response.body_mut().with_config().limit(limit).read_to_vec().map_err(|e| malformed(path, e))
    }

    /// GETs something of any length, to be read as it comes. The time limit of a call covers the whole of it.
    pub fn get_stream(&self, path: &str) -> Result<impl Read + use<>, ClientError> {
        Ok(self.call(path, Body::None)?.into_body().into_with_config().limit(u64::MAX).reader())
    }

    fn call(&self, path: &str, body: Body<'_>) -> Result<ureq::http::Response<ureq::Body>, ClientError> {
        let url = format!("{}{path}", self.base);
        let token = Zeroizing::new(format!("Bearer {}", self.token.as_str()));
        let answer = match body {
            Body::None => self.agent.get(&url).header("Authorization", token.as_str()).call(),
            Body::Delete => self.agent.delete(&url).header("Authorization", token.as_str()).call(),
            Body::Json(json) => {
                let request = self.agent.post(&url).header("Authorization", token.as_str());
                request.content_type("application/json").send(json)
            }
            Body::Put(json) => {
                let request = self.agent.put(&url).header("Authorization", token.as_str());
                request.content_type("application/json").send(json)
            }
            Body::Fhir(bundle) => {
                let request = self.agent.post(&url).header("Authorization", token.as_str());
                request.content_type("application/fhir+json").send(bundle)
            }
            Body::Bytes(bytes) => {
                let request = self.agent.post(&url).header("Authorization", token.as_str());
                request.content_type("application/octet-stream").send(bytes)
            }
        };
        let unreachable = |e: ureq::Error| ClientError::Unreachable { url: self.base.clone(), what: e.to_string() };
        let mut response = answer.map_err(unreachable)?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = response.body_mut().with_config().limit(PROBLEM_BYTES_MAX).read_to_string().unwrap_or_default();
        let mut problem: Problem = serde_json::from_str(&text).unwrap_or_default();
        problem.status = status.as_u16();
        if problem.title.is_empty() && problem.detail.is_empty() {
            problem.title = format!("the node answered {status}");
        }
        Err(ClientError::Refused(problem))
    }
}

enum Body<'a> {
    None,
    Delete,
    Json(Vec<u8>),
    Put(Vec<u8>),
    Bytes(&'a [u8]),
    Fhir(&'a [u8]),
}

fn malformed(path: &str, e: impl fmt::Display) -> ClientError {
    ClientError::Malformed { path: path.to_owned(), what: e.to_string() }
}

fn json<T: DeserializeOwned>(path: &str, mut response: ureq::http::Response<ureq::Body>) -> Result<T, ClientError> {
    let text = response.body_mut().with_config().limit(JSON_BYTES_MAX).read_to_vec().map_err(|e| malformed(path, e))?;
    serde_json::from_slice(&text).map_err(|e| malformed(path, e))
}
