//! The table of endpoints: what the router serves, whom the gate of each lets in, and what the document says, from one source.

mod document;
mod endpoint;
mod gate;
pub(super) mod idempotency;

pub(super) use endpoint::Endpoint;

use super::Api;
use axum::Router;
use axum::handler::Handler;
use axum::routing::{self, MethodRouter};

/// Every endpoint, in the order of the document.
#[derive(Default)]
pub(super) struct Table(Vec<Endpoint>);

impl Table {
    /// `GET path`. What it does in a sentence, and by what.
    pub(super) fn get<H: Handler<T, Api>, T: 'static>(
        &mut self,
        path: &'static str,
        does: &'static str,
        handler: H,
    ) -> &mut Endpoint {
        self.add("get", path, does, routing::get(handler))
    }

    /// `POST path`.
    pub(super) fn post<H: Handler<T, Api>, T: 'static>(
        &mut self,
        path: &'static str,
        does: &'static str,
        handler: H,
    ) -> &mut Endpoint {
        self.add("post", path, does, routing::post(handler))
    }

    /// `PUT path`.
    pub(super) fn put<H: Handler<T, Api>, T: 'static>(
        &mut self,
        path: &'static str,
        does: &'static str,
        handler: H,
    ) -> &mut Endpoint {
        self.add("put", path, does, routing::put(handler))
    }

    /// `DELETE path`.
    pub(super) fn delete<H: Handler<T, Api>, T: 'static>(
        &mut self,
        path: &'static str,
        does: &'static str,
        handler: H,
    ) -> &mut Endpoint {
        self.add("delete", path, does, routing::delete(handler))
    }

    fn add(
        &mut self,
        method: &'static str,
        path: &'static str,
        does: &'static str,
        router: MethodRouter<Api>,
    ) -> &mut Endpoint {
        let at = self.0.len();
        self.0.push(Endpoint::new(method, path, does, router));
        &mut self.0[at]
    }

    /// The router of exactly these endpoints, each behind its gate.
    pub(super) fn into_router(self, api: &Api) -> Router<Api> {
        self.0.into_iter().fold(Router::new(), |router, endpoint| {
            let path = endpoint.path;
            router.route(path, gate::shut(endpoint, api))
        })
    }

    /// The document of exactly these endpoints: OpenAPI 3.1.
    pub(super) fn document(&self) -> serde_json::Value {
        document::of(&self.0)
    }
}
