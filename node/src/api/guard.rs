//! What every request passes before anything else: the Host header, where it came from, the token, a place among those served
//! at one time.

use super::access::{Refusals, Tokens, Verdict, Why};
use super::problem::ApiError;
use crate::driver::now_ms;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Requests served at one time.
const CONCURRENT_MAX: usize = 64;
/// The one path that asks for no token.
const OPEN: &str = "/health";
/// What a browser says of where a request comes from.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What is compared with each request.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    tokens: Tokens,
    port: u16,
    places: Arc<Semaphore>,
    refusals: Arc<Refusals>,
}

/// The one value of a header; `None` if there is none, or several.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value.as_bytes()),
        _ => None,
    }
}

impl Guard {
    pub(super) fn new(tokens: Tokens, address: SocketAddr, refusals: Arc<Refusals>) -> Self {
        Self { tokens, port: address.port(), places: Arc::new(Semaphore::new(CONCURRENT_MAX)), refusals }
    }

    /// A page of another site can make a browser send requests here under its own name (DNS rebinding), but it cannot make
    /// it lie about that name: only loopback names are taken.
    fn is_ours(&self, host: &str) -> bool {
        if let Ok(address) = host.parse::<SocketAddr>() {
            return address.ip().is_loopback() && address.port() == self.port;
        }
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) => (name, port.parse().ok()),
            None => (host, Some(80)),
        };
        let loopback = name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        loopback && port == Some(self.port)
    }

    /// The host that the request is for, if it is this node and all that names one agrees.
    fn host<'a>(&self, request: &'a Request) -> Option<&'a str> {
        let host = only(request.headers(), &header::HOST).and_then(|host| std::str::from_utf8(host).ok())?;
        let agrees = request.uri().authority().is_none_or(|authority| authority.as_str() == host);
        (agrees && self.is_ours(host)).then_some(host)
    }

    /// Browsers say which page a request comes from, and no page can make them lie. Programs say nothing, and may go on.
    fn origin_is_ours(headers: &HeaderMap, host: &str) -> bool {
        let site_is_ours = match headers.contains_key(FETCH_SITE) {
            true => only(headers, &FETCH_SITE).is_some_and(|site| site == b"same-origin" || site == b"none"),
            false => true,
        };
        let origin_is_ours = match headers.contains_key(header::ORIGIN) {
            true => only(headers, &header::ORIGIN).and_then(|o| o.strip_prefix(b"http://")) == Some(host.as_bytes()),
            false => true,
        };
        site_is_ours && origin_is_ours
    }

    /// Whether the request may go on: then its identity is in it, unless it brought no token and asks for what needs none.
    fn check(&self, request: &mut Request, now_ms: u64) -> Result<(), ApiError> {
        let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        let refuse = |why, token: Option<&str>, error| {
            self.refusals.note(why, route.unwrap_or("no path of ours"), token, now_ms);
            Err(error)
        };
        let Some(host) = self.host(request) else {
            let detail = "the Host header is not this node's loopback address";
            let next =
                "call it as http://127.0.0.1:PORT, as node.json says; browsers of other pages are kept out this way";
            return refuse(Why::Host, None, ApiError::new(StatusCode::FORBIDDEN, "host", "Wrong Host", detail, next));
        };
        if !Self::origin_is_ours(request.headers(), host) {
            let detail = "the request comes from a page that this node did not serve";
            let next = "call it from a program, or from a page of the node itself, under the same name and port";
            return refuse(
                Why::Origin,
                None,
                ApiError::new(StatusCode::FORBIDDEN, "origin", "Wrong origin", detail, next),
            );
        }
        if route == Some(OPEN) {
            return Ok(());
        }
        if !request.headers().contains_key(header::AUTHORIZATION) {
            let detail = "the request has no Authorization header";
            return refuse(Why::NoToken, None, ApiError::token(detail));
        }
        let sent = only(request.headers(), &header::AUTHORIZATION).and_then(|value| value.strip_prefix(b"Bearer "));
        match sent.map_or(Verdict::Unknown, |sent| self.tokens.verify(sent, now_ms)) {
            Verdict::Good(identity) => {
                request.extensions_mut().insert(identity);
                Ok(())
            }
            Verdict::Expired(id) => refuse(
                Why::Expired,
                Some(&id),
                ApiError::token("the token's time is over: ask its operator for another"),
            ),
            Verdict::Unknown => {
                refuse(Why::WrongToken, None, ApiError::token("the Authorization header holds no token of this node"))
            }
        }
    }
}

/// The middleware.
pub(super) async fn guard(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    if let Err(error) = guard.check(&mut request, now_ms()) {
        return error.into_response();
    }
    let Ok(_place) = guard.places.try_acquire() else {
        let detail = format!("{CONCURRENT_MAX} requests are being served");
        return ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Busy", detail, "try again").into_response();
    };
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::access::Identity;
    use crate::driver::ApiToken;
    use axum::body::Body;
    use rand::SeedableRng;

    fn example() -> (Guard, String, tempfile::TempDir) {
        let token = ApiToken::draw(&mut rand_chacha::ChaCha20Rng::seed_from_u64(1));
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens::open(&dir.path().join("tokens.json"), &token).unwrap();
        let guard = Guard::new(tokens, "127.0.0.1:8080".parse().unwrap(), Arc::default());
        (guard, token.expose().to_owned(), dir)
    }

    fn request(uri: &str, headers: &[(&str, &str)]) -> Request {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    }

    #[test]
    fn only_loopback_names_with_our_port_are_our_host() {
        let (guard, _, _dir) = example();
        let ours = |hosts: &[&str], uri: &str| {
            let hosts: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            guard.host(&request(uri, &hosts)).is_some()
        };
        for host in ["127.0.0.1:8080", "localhost:8080", "[::1]:8080", "127.0.1.7:8080"] {
            assert!(ours(&[host], "/"), "{host}");
        }
        for host in
            ["evil.example:8080", "127.0.0.1", "127.0.0.1:80", "localhost.evil.example:8080", "10.0.0.1:8080", ""]
        {
            assert!(!ours(&[host], "/"), "{host}");
        }
        assert!(!ours(&[], "/"));
        assert!(!ours(&["127.0.0.1:8080", "evil.example:8080"], "/"));
        assert!(ours(&["127.0.0.1:8080"], "http://127.0.0.1:8080/"));
        assert!(!ours(&["127.0.0.1:8080"], "http://evil.example:8080/"), "the target names somebody else");
    }

    #[test]
    fn a_browser_with_another_page_is_told_from_a_program_and_from_our_own_page() {
        let host = ("host", "127.0.0.1:8080");
        let ours = |headers: &[(&str, &str)]| Guard::origin_is_ours(request("/", headers).headers(), host.1);
        assert!(ours(&[]), "a program");
        assert!(ours(&[("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "same-origin")]));
        assert!(ours(&[("sec-fetch-site", "none")]), "an address typed in");
        for origin in [
            "http://evil.example",
            "null",
            "https://127.0.0.1:8080",
            "http://127.0.0.1:8081",
            "http://localhost:8080",
            "http://127.0.0.1:8080.evil.example",
            "",
        ] {
            assert!(!ours(&[("origin", origin)]), "{origin}");
        }
        for site in ["cross-site", "same-site", ""] {
            assert!(!ours(&[("sec-fetch-site", site)]), "{site}");
        }
        assert!(!ours(&[("origin", "http://127.0.0.1:8080"), ("origin", "http://evil.example")]));
    }

    #[test]
    fn only_the_exact_token_is_right_and_gives_the_request_its_identity() {
        let (guard, right, _dir) = example();
        let host = ("host", "127.0.0.1:8080");
        let mut sent = request("/", &[host, ("authorization", &format!("Bearer {right}"))]);
        guard.check(&mut sent, 1).unwrap();
        assert!(sent.extensions().get::<Identity>().is_some());
        for wrong in [String::new(), right.clone(), format!("Bearer {}", &right[1..]), format!("Bearer {right}0")] {
            assert!(guard.check(&mut request("/", &[host, ("authorization", &wrong)]), 1).is_err(), "{wrong}");
        }
        assert!(guard.check(&mut request("/", &[host]), 1).is_err());
        let twice = format!("Bearer {right}");
        let mut twice = request("/", &[host, ("authorization", &twice), ("authorization", "Bearer x")]);
        assert!(guard.check(&mut twice, 1).is_err(), "one of two is a guess");
    }
}
