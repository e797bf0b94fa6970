//! One endpoint: its handler, whom it lets in, its limits, and what it takes and answers.

use super::super::Api;
use super::super::access::Needs;
use super::super::problem::Problems;
use axum::routing::MethodRouter;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;
use std::time::Duration;

/// Until a request is answered.
const TIME: Duration = Duration::from_secs(30);
/// Mining on demand, and dialling, may take longer.
const TIME_SLOW: Duration = Duration::from_secs(300);

/// Makes the schema of a type.
pub(super) type Make = fn(&mut SchemaGenerator) -> Schema;

/// What a parameter in a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Param {
    /// 32 bytes in hex.
    Id,
    /// A block's height, or its id.
    Place,
    /// Some text; an example.
    Text(&'static str),
}

/// A body that is taken.
pub(super) struct Taken {
    pub(super) kind: &'static str,
    /// `None`: bytes, or JSON that others define.
    pub(super) schema: Option<Make>,
    pub(super) example: Option<Value>,
    pub(super) says: &'static str,
}

/// An answer that is no problem.
pub(super) struct Given {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) schema: Option<Make>,
    pub(super) says: &'static str,
}

/// One endpoint. Its methods set one thing each; what is not set is the strictest.
pub(in crate::api) struct Endpoint {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) does: &'static str,
    pub(super) router: MethodRouter<Api>,
    pub(super) tag: &'static str,
    pub(super) needs: Needs,
    pub(super) time: Duration,
    pub(super) body_bytes_max: Option<usize>,
    pub(super) idempotent: bool,
    pub(super) params: Vec<(&'static str, Param, &'static str)>,
    pub(super) query: Option<Make>,
    pub(super) taken: Option<Taken>,
    pub(super) given: Vec<Given>,
    pub(super) problems: Vec<Problems>,
    pub(super) notes: &'static str,
}

impl Endpoint {
    pub(super) fn new(method: &'static str, path: &'static str, does: &'static str, router: MethodRouter<Api>) -> Self {
        Self {
            method,
            path,
            does,
            router,
            tag: "node",
            needs: Needs::OPERATOR,
            time: TIME,
            body_bytes_max: None,
            idempotent: false,
            params: Vec::new(),
            query: None,
            taken: None,
            given: Vec::new(),
            problems: Vec::new(),
            notes: "",
        }
    }

    /// Under which heading it stands.
    pub(in crate::api) fn tag(&mut self, tag: &'static str) -> &mut Self {
        self.tag = tag;
        self
    }

    /// More about it than a sentence.
    pub(in crate::api) fn notes(&mut self, notes: &'static str) -> &mut Self {
        self.notes = notes;
        self
    }

    /// Lets viewers and readers in, too.
    pub(in crate::api) fn viewer(&mut self) -> &mut Self {
        self.needs = Needs::VIEWER;
        self
    }

    /// Lets readers in, too.
    pub(in crate::api) fn reader(&mut self) -> &mut Self {
        self.needs = Needs::READER;
        self
    }

    /// Lets devices in, too.
    pub(in crate::api) fn device(&mut self) -> &mut Self {
        self.needs = Needs::DEVICE;
        self
    }

    /// Lets everybody in.
    pub(in crate::api) fn open(&mut self) -> &mut Self {
        self.needs = Needs::Nothing;
        self
    }

    /// May take five minutes.
    pub(in crate::api) fn slow(&mut self) -> &mut Self {
        self.time = TIME_SLOW;
        self
    }

    /// Takes an `Idempotency-Key`.
    pub(in crate::api) fn idempotent(&mut self) -> &mut Self {
        self.idempotent = true;
        self
    }

    /// A parameter of the path: 32 bytes in hex.
    pub(in crate::api) fn id(&mut self, name: &'static str, says: &'static str) -> &mut Self {
        self.params.push((name, Param::Id, says));
        self
    }

    /// A parameter of the path: a height, or a block's id.
    pub(in crate::api) fn place(&mut self, name: &'static str, says: &'static str) -> &mut Self {
        self.params.push((name, Param::Place, says));
        self
    }

    /// A parameter of the path: text.
    pub(in crate::api) fn text(&mut self, name: &'static str, says: &'static str, example: &'static str) -> &mut Self {
        self.params.push((name, Param::Text(example), says));
        self
    }

    /// Parameters after the question mark: the fields of `T`.
    pub(in crate::api) fn query<T: JsonSchema>(&mut self) -> &mut Self {
        self.query = Some(T::json_schema);
        self
    }

    /// Takes JSON.
    pub(in crate::api) fn body<T: JsonSchema>(&mut self, example: Value) -> &mut Self {
        let (kind, says) = ("application/json", "");
        self.taken =
            Some(Taken { kind, schema: Some(SchemaGenerator::subschema_for::<T>), example: Some(example), says });
        self
    }

    /// Takes something else, at most so many bytes.
    pub(in crate::api) fn bytes(&mut self, kind: &'static str, bytes_max: usize, says: &'static str) -> &mut Self {
        self.taken = Some(Taken { kind, schema: None, example: None, says });
        self.body_bytes_max = Some(bytes_max);
        self
    }

    /// Takes a larger body than others.
    pub(in crate::api) fn body_bytes_max(&mut self, bytes_max: usize) -> &mut Self {
        self.body_bytes_max = Some(bytes_max);
        self
    }

    /// Answers JSON.
    pub(in crate::api) fn answers<T: JsonSchema>(&mut self, status: u16, says: &'static str) -> &mut Self {
        let schema: Make = SchemaGenerator::subschema_for::<T>;
        self.given.push(Given { status, kind: "application/json", schema: Some(schema), says });
        self
    }

    /// Answers something else.
    pub(in crate::api) fn gives(&mut self, status: u16, kind: &'static str, says: &'static str) -> &mut Self {
        self.given.push(Given { status, kind, schema: None, says });
        self
    }

    /// Problems of its own, besides those that any endpoint may have.
    pub(in crate::api) fn problems(&mut self, problems: &[Problems]) -> &mut Self {
        self.problems.extend_from_slice(problems);
        self
    }
}
