//! Who is let in: tokens, scopes, hosts, origins; that what is refused is refused, is logged without secrets and not without
//! end, and leaves the node as it was.

use crate::common::*;
use medring_node::api::types::{Problem, Scope, TokenCreated, TokensResponse};
use medring_node::driver::NodeHandle;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::io::Write;
use std::sync::Once;

/// A request as it goes over the wire, with these headers and nothing else but its length.
async fn sent(node: &NodeHandle, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    raw_request(node, &[request.as_bytes(), b"\r\n", body].concat()).await
}

/// The same as somebody with this token.
async fn with(node: &NodeHandle, token: &str, method: &str, path: &str, body: &str) -> Answer {
    let (host, bearer) = (node.info().api.to_string(), format!("Bearer {token}"));
    let headers = [("Host", host.as_str()), ("Authorization", &bearer), ("Content-Type", "application/json")];
    sent(node, method, path, &headers, body.as_bytes()).await
}

async fn token(node: &NodeHandle, scope: Scope) -> TokenCreated {
    let answer = post(node, "/v1/tokens", json!({"scope": scope, "name": format!("a {}", scope.name())})).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    serde_json::from_slice(&answer.body).unwrap()
}

/// A request to every endpoint that the document names, with ids that nobody has.
fn every_endpoint() -> Vec<(String, String, Vec<String>)> {
    let id = "0".repeat(64);
    let mut all = Vec::new();
    for (template, methods) in crate::contract::document()["paths"].as_object().unwrap() {
        let path: Vec<_> = template.split('/').map(|part| if part.starts_with('{') { &id } else { part }).collect();
        // A stream would not end.
        let path = path.join("/").replace("/events", "/events?topics=none");
        for (method, operation) in methods.as_object().unwrap() {
            let scopes = operation["security"][0]["token"].as_array().into_iter().flatten();
            let scopes = scopes.map(|scope| scope.as_str().unwrap().to_owned()).collect();
            all.push((method.to_uppercase(), path.clone(), scopes));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_what_the_document_says_and_nothing_else() {
    let world = World::new(61);
    let node = world.start("alice", &[]).await;
    let mut wrong = Vec::new();
    for scope in Scope::ALL {
        let token = token(&node, scope).await.token;
        for (method, path, scopes) in every_endpoint() {
            // An empty body: whoever is let in is told so, and nothing is done.
            let body = if path.ends_with("/aggregate") { "[]" } else { "" };
            let answer = with(&node, &token, &method, &path, body).await;
            let refused = answer.status == 403 && answer.json()["type"] == "urn:medring:problem:scope";
            let open = scopes.is_empty() || scopes.iter().any(|one| one == scope.name());
            if refused == open {
                wrong.push(format!("{} {method} {path}: {}", scope.name(), answer.status));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_once_survives_a_restart_and_ends_when_it_is_revoked() {
    let world = World::new(62);
    let node = world.start("alice", &[]).await;
    let TokenCreated { info, token } = token(&node, Scope::Viewer).await;
    let start = std::fs::read_to_string(world.data("alice").join("api.token")).unwrap();
    let listed = get(&node, "/v1/tokens").await;
    assert!(!String::from_utf8_lossy(&listed.body).contains(&token));
    let listed: TokensResponse = serde_json::from_slice(&listed.body).unwrap();
    assert_eq!(listed.tokens, std::slice::from_ref(&info));
    stop(node).await;
    for file in walk(&world.data("alice")) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(token.len()).any(|w| w == token.as_bytes()), "{} holds the token", file.display());
    }

    let node = world.start("alice", &[]).await;
    assert_eq!(with(&node, &token, "GET", "/v1/status", "").await.status, 200);
    assert_eq!(with(&node, start.trim(), "GET", "/v1/status", "").await.status, 401, "a start's token ends with it");
    let path = format!("/v1/tokens/{}", info.id);
    assert_eq!(with(&node, &token, "DELETE", &path, "").await.status, 403);
    assert_eq!(call(&node, "DELETE", &path, "text/plain", &[]).await.status, 200);
    assert_eq!(with(&node, &token, "GET", "/v1/status", "").await.status, 401);
    assert_eq!(call(&node, "DELETE", &path, "text/plain", &[]).await.status, 404);
    stop(node).await;
    let node = world.start("alice", &[]).await;
    assert_eq!(with(&node, &token, "GET", "/v1/status", "").await.status, 401, "it stays revoked");
    for bad in
        [json!({"scope": "viewer", "minutes": 0}), json!({"scope": "admin"}), json!({"scope": "viewer", "name": ""})]
    {
        assert_eq!(post(&node, "/v1/tokens", bad).await.status, 400);
    }
    stop(node).await;
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

thread_local! {
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What this thread logs; on a runtime of one thread that is all of a node's API.
struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// From now on. For the whole process: whether anybody listens is remembered for each line of code that logs.
    fn listen() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(|| Self);
            subscriber.with_env_filter("info,medring_node::api=trace,hyper=trace").init();
        });
    }

    fn text() -> String {
        LOG.with_borrow(|log| String::from_utf8_lossy(log).into_owned())
    }
}

const EXPIRED: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A node whose tokens name one that ran out.
async fn with_an_expired_token(world: &World) -> NodeHandle {
    let sha256 = hex::encode(Sha256::digest(EXPIRED.as_bytes()));
    let token = json!({"id": "0badcafe", "name": "old", "scope": "operator", "sha256": sha256, "created_ms": 1, "expires_ms": 2});
    std::fs::create_dir_all(world.data("alice")).unwrap();
    let file = json!({"format": "medring-tokens/1", "tokens": [token]});
    std::fs::write(world.data("alice").join("tokens.json"), file.to_string()).unwrap();
    world.start("alice", &[]).await
}

#[tokio::test]
async fn what_is_refused_is_refused_with_a_problem_and_logged_without_secrets() {
    Log::listen();
    let world = World::new(63);
    let node = with_an_expired_token(&world).await;
    let start = std::fs::read_to_string(world.data("alice").join("api.token")).unwrap();
    let (start, viewer) = (start.trim().to_owned(), token(&node, Scope::Viewer).await.token);
    let (host, wrong) = (node.info().api.to_string(), "f".repeat(64));
    let port = node.info().api.port();
    let bearer = |token: &str| format!("Bearer {token}");
    let (good, bad, old, low) = (bearer(&start), bearer(&wrong), bearer(EXPIRED), bearer(&viewer));
    let ours = ("Host", host.as_str());
    let (evil, cross) = (format!("evil.example:{port}"), format!("http://localhost:{port}"));
    let status = "/v1/status";
    let secret = "/v1/status?token=hunter2hunter2";
    let big = vec![b' '; 200_000];
    type Case<'a> = (&'a str, &'a str, &'a str, Vec<(&'a str, &'a str)>, &'a [u8], &'a [u16], &'a str);
    let auth = "Authorization";
    let cases: Vec<Case<'_>> = vec![
        ("no token", "GET", secret, vec![ours], b"", &[401], "token"),
        ("a wrong token", "GET", status, vec![ours, (auth, &bad)], b"", &[401], "token"),
        ("half a token", "GET", status, vec![ours, (auth, &good[..40])], b"", &[401], "token"),
        ("a token under another name", "GET", status, vec![ours, (auth, &start)], b"", &[401], "token"),
        ("two tokens", "GET", status, vec![ours, (auth, &bad), (auth, &good)], b"", &[401], "token"),
        ("an expired token", "GET", status, vec![ours, (auth, &old)], b"", &[401], "token"),
        ("a wrong scope", "GET", "/v1/tokens", vec![ours, (auth, &low)], b"", &[403], "scope"),
        ("a wrong scope, to write", "POST", "/v1/records", vec![ours, (auth, &low)], b"x", &[403], "scope"),
        (
            "another origin",
            "GET",
            status,
            vec![ours, (auth, &good), ("Origin", "http://evil.example")],
            b"",
            &[403],
            "origin",
        ),
        (
            "an opaque origin",
            "POST",
            "/v1/tokens",
            vec![ours, (auth, &good), ("Origin", "null")],
            b"",
            &[403],
            "origin",
        ),
        (
            "our port by another name",
            "GET",
            status,
            vec![ours, (auth, &good), ("Origin", &cross)],
            b"",
            &[403],
            "origin",
        ),
        (
            "a cross-site image",
            "GET",
            status,
            vec![ours, (auth, &good), ("Sec-Fetch-Site", "cross-site")],
            b"",
            &[403],
            "origin",
        ),
        (
            "another port's page",
            "GET",
            status,
            vec![ours, (auth, &good), ("Sec-Fetch-Site", "same-site")],
            b"",
            &[403],
            "origin",
        ),
        ("DNS rebinding", "GET", status, vec![("Host", &evil), (auth, &good)], b"", &[403], "host"),
        ("two hosts", "GET", status, vec![ours, ("Host", &evil), (auth, &good)], b"", &[400, 403], "host"),
        (
            "a host in the target",
            "GET",
            "http://evil.example/v1/status",
            vec![ours, (auth, &good)],
            b"",
            &[403],
            "host",
        ),
        (
            "a preflight",
            "OPTIONS",
            status,
            vec![ours, ("Origin", "http://evil.example"), ("Access-Control-Request-Method", "POST")],
            b"",
            &[403],
            "origin",
        ),
        (
            "a body that is too large",
            "POST",
            "/v1/tokens",
            vec![ours, (auth, &good), ("Content-Type", "application/json")],
            &big,
            &[413],
            "too-large",
        ),
        ("a record that is too large", "POST", "/v1/records", vec![ours, (auth, &good)], &big, &[413], "too-large"),
    ];
    let mut failed = Vec::new();
    for (what, method, path, headers, body, statuses, kind) in cases {
        let answer = sent(&node, method, path, &headers, body).await;
        let head = answer.head.to_lowercase();
        let mut expect = |holds: bool, that: &str| {
            if !holds {
                failed.push(format!("{what}: {that}: {} {}", answer.head, String::from_utf8_lossy(&answer.body)));
            }
        };
        expect(statuses.contains(&answer.status), "status");
        // What is no HTTP at all is refused before it comes to us.
        if answer.status != 400 {
            let problem = serde_json::from_slice::<Problem>(&answer.body);
            let kind = format!("urn:medring:problem:{kind}");
            expect(problem.is_ok_and(|problem| problem.kind == kind && !problem.next.is_empty()), "problem");
            for header in [
                "content-type: application/problem+json",
                "cache-control: no-store",
                "x-content-type-options: nosniff",
                "content-security-policy: default-src 'none'",
            ] {
                expect(head.contains(header), header);
            }
        }
        expect(!head.contains("access-control"), "no other origin is let in");
    }
    for path in [
        "/v1/blocks/../tokens",
        "/v1/blocks/%2e%2e/tokens",
        "/v1/blocks/..%2ftokens",
        "//v1/tokens",
        "/v1//tokens",
        "/v1/tokens/",
        "/v1/tokens%00",
        "/v1/blocks/%00",
        "/v1/tokens;x=1",
        "/V1/tokens",
        "/v1/blocks/..\\tokens",
        "/v1/%74okens/..",
        "v1/tokens",
        "/v1/tok\0ens",
        "*",
    ] {
        for token in [&low, &good] {
            let answer = sent(&node, "GET", path, &[ours, (auth, token)], b"").await;
            if !(400..500).contains(&answer.status) {
                failed.push(format!("{path:?} was answered: {answer:?}"));
            }
        }
    }
    let text = Log::text();
    for why in ["no token", "wrong token", "expired token", "scope", "foreign origin", "foreign host"] {
        if !text.contains(&format!("why=\"{why}\"")) {
            failed.push(format!("{why} is not in the log:\n{text}"));
        }
    }
    for secret in [&start, &viewer, &wrong, EXPIRED, "hunter2", "evil.example", &start[..16], &EXPIRED[..16]] {
        if text.contains(secret) {
            failed.push(format!("{secret} is in the log:\n{text}"));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(get(&node, status).await.status, 200, "the node is as it was");
    stop(node).await;
}

#[tokio::test]
async fn a_flood_of_refused_requests_does_not_fill_the_log() {
    Log::listen();
    let world = World::new(64);
    let node = world.start("alice", &[]).await;
    let host = node.info().api.to_string();
    for _ in 0..300 {
        assert_eq!(sent(&node, "GET", "/v1/status", &[("Host", &host)], b"").await.status, 401);
    }
    let lines = Log::text().lines().filter(|line| line.contains("the API refused a request")).count();
    // One each five seconds: a slow machine takes its time for three hundred.
    assert!((1..=20).contains(&lines), "{lines} lines for 300 requests");
    assert_eq!(get(&node, "/v1/status").await.status, 200);
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_kept_by_nobody_and_run_nowhere() {
    let world = World::new(65);
    let node = world.start("alice", &[]).await;
    for path in ["/v1/status", "/v1/openapi.json", "/metrics", "/health", "/v1/chain/export", "/nowhere"] {
        let head = get(&node, path).await.head.to_lowercase();
        for header in [
            "cache-control: no-store",
            "content-security-policy: default-src 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(head.contains(header), "{path} lacks {header}:\n{head}");
        }
    }
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_answered_in_time_and_others_meanwhile() {
    let world = World::new(66);
    let node = world.start("alice", &[]).await;
    let (host, token) = (node.info().api, std::fs::read_to_string(world.data("alice").join("api.token")).unwrap());
    let head = format!(
        "POST /v1/records HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nContent-Length: 1000\r\n\r\nhalf of it",
        token.trim()
    );
    let slow: Vec<_> = (0..20).map(|_| raw_request(&node, head.as_bytes())).collect();
    let others = async {
        for _ in 0..50 {
            assert_eq!(get(&node, "/v1/status").await.status, 200);
        }
    };
    let (answers, ()) = tokio::join!(futures::future::join_all(slow), others);
    for answer in answers {
        assert_eq!(
            (answer.status, answer.json()["type"].as_str()),
            (504, Some("urn:medring:problem:timeout")),
            "{answer:?}"
        );
    }
    stop(node).await;
}
