//! What every request passes before anything else: the Host header, the token, a place among those served at one time, and a
//! time limit.

use super::problem::ApiError;
use crate::driver::ApiToken;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

/// Requests served at one time.
const CONCURRENT_MAX: usize = 64;
/// Until a request is answered.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Mining on demand, and dialling, may take longer.
const SLOW_TIMEOUT: Duration = Duration::from_secs(300);

/// What is compared with each request.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    token: ApiToken,
    port: u16,
    places: Arc<Semaphore>,
}

impl Guard {
    pub(super) fn new(token: ApiToken, address: SocketAddr) -> Self {
        Self { token, port: address.port(), places: Arc::new(Semaphore::new(CONCURRENT_MAX)) }
    }

    /// A page of another site can make a browser send requests here under its own name (DNS rebinding), but it cannot make
    /// it lie about that name: only loopback names are taken.
    fn host_is_ours(&self, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        let Ok(host) = host.to_str() else { return false };
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

    fn token_is_right(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        sent.is_some_and(|sent| sent.ct_eq(self.token.expose().as_bytes()).into())
    }

    fn check(&self, request: &Request) -> Result<(), ApiError> {
        if !self.host_is_ours(request.headers()) {
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "host",
                "Wrong Host header",
                "the Host header is not this node's loopback address",
                "call it as http://127.0.0.1:PORT, as node.json says; browsers of other pages are kept out this way",
            ));
        }
        if request.uri().path() != "/health" && !self.token_is_right(request.headers()) {
            return Err(ApiError::new(
                StatusCode::UNAUTHORIZED,
                "token",
                "No or wrong token",
                "the request has no Authorization header with this node's token",
                "send Authorization: Bearer TOKEN, with the token from api.token in the node's data folder (new at each start)",
            ));
        }
        Ok(())
    }
}

/// The middleware.
pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    if let Err(error) = guard.check(&request) {
        return error.into_response();
    }
    let Ok(_place) = guard.places.try_acquire() else {
        let detail = format!("{CONCURRENT_MAX} requests are being served");
        return ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Busy", detail, "try again").into_response();
    };
    let slow = matches!(request.uri().path(), "/v1/chain/mine" | "/v1/peers");
    let limit = if slow { SLOW_TIMEOUT } else { TIMEOUT };
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = format!("no answer within {} s", limit.as_secs());
            ApiError::new(StatusCode::GATEWAY_TIMEOUT, "timeout", "Time is up", detail, "try again, or ask for less")
                .into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn headers(name: header::HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), value.parse().unwrap());
        }
        headers
    }

    fn example() -> Guard {
        let token = ApiToken::draw(&mut rand_chacha::ChaCha20Rng::seed_from_u64(1));
        Guard::new(token, "127.0.0.1:8080".parse().unwrap())
    }

    #[test]
    fn only_loopback_names_with_our_port_are_our_host() {
        let guard = example();
        for host in ["127.0.0.1:8080", "localhost:8080", "[::1]:8080", "127.0.1.7:8080"] {
            assert!(guard.host_is_ours(&headers(header::HOST, &[host])), "{host}");
        }
        for host in
            ["evil.example:8080", "127.0.0.1", "127.0.0.1:80", "localhost.evil.example:8080", "10.0.0.1:8080", ""]
        {
            assert!(!guard.host_is_ours(&headers(header::HOST, &[host])), "{host}");
        }
        assert!(!guard.host_is_ours(&HeaderMap::new()));
        assert!(!guard.host_is_ours(&headers(header::HOST, &["127.0.0.1:8080", "evil.example:8080"])));
    }

    #[test]
    fn only_the_exact_token_is_right() {
        let guard = example();
        let right = guard.token.expose().to_owned();
        assert!(guard.token_is_right(&headers(header::AUTHORIZATION, &[&format!("Bearer {right}")])));
        for wrong in [String::new(), right.clone(), format!("Bearer {}", &right[1..]), format!("Bearer {right}0")] {
            assert!(!guard.token_is_right(&headers(header::AUTHORIZATION, &[&wrong])), "{wrong}");
        }
        assert!(!guard.token_is_right(&HeaderMap::new()));
    }
}
