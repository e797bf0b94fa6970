//! `Idempotency-Key`: a request that is sent again gets the answer it got, and is not carried out a second time.
//!
//! Kept in memory: what was answered before the node stopped is not remembered after.

use super::super::access::Identity;
use super::super::problem::ApiError;
use crate::driver::now_ms;
use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The header.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer is one given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// A key's length, bytes.
pub(super) const KEY_BYTES_MAX: usize = 64;
/// Answers remembered at one time.
const ANSWERS_MAX: usize = 1024;
/// A larger answer is not remembered, bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How long one is remembered, ms.
const KEPT_MS: u64 = 24 * 3_600_000;

/// Whose key it is.
type Key = (Option<Arc<str>>, String);

#[derive(Clone, Debug)]
struct Kept {
    status: StatusCode,
    kind: Option<HeaderValue>,
    body: Bytes,
}

#[derive(Debug)]
struct Entry {
    /// Of method, path, parameters and body.
    request: [u8; 32],
    /// `None`: it is being carried out.
    kept: Option<Kept>,
    since_ms: u64,
}

/// What was answered. Clones are the same table.
#[derive(Clone, Debug, Default)]
pub(in crate::api) struct Answered(Arc<Mutex<BTreeMap<Key, Entry>>>);

/// What is known of a key.
enum Found {
    /// Nothing: it is to be carried out, and is marked so.
    New,
    /// The answer.
    Kept(Kept),
}

impl Answered {
    fn table(&self) -> MutexGuard<'_, BTreeMap<Key, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, key: &Key, request: [u8; 32], now_ms: u64) -> Result<Found, ApiError> {
        let mut table = self.table();
        table.retain(|_, entry| entry.kept.is_none() || now_ms < entry.since_ms.saturating_add(KEPT_MS));
        match table.get(key) {
            Some(entry) if entry.request != request => Err(ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key",
                "The key was used for something else",
                "this Idempotency-Key came before, with another request",
                "draw a new key for each new request, and keep it only to send the same again",
            )),
            Some(Entry { kept: None, .. }) => Err(ApiError::new(
                StatusCode::CONFLICT,
                "in-progress",
                "It is being carried out",
                "a request with this Idempotency-Key is under way",
                "send it again in a second",
            )),
            Some(Entry { kept: Some(kept), .. }) => Ok(Found::Kept(kept.clone())),
            None => {
                if table.len() >= ANSWERS_MAX && !make_room(&mut table) {
                    let detail = format!("{ANSWERS_MAX} requests with an Idempotency-Key are under way");
                    return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Busy", detail, "try again"));
                }
                table.insert(key.clone(), Entry { request, kept: None, since_ms: now_ms });
                Ok(Found::New)
            }
        }
    }

    /// `None`: not to be remembered, so that it may be tried again.
    fn end(&self, key: &Key, kept: Option<Kept>) {
        let mut table = self.table();
        match (table.get_mut(key), kept) {
            (Some(entry), Some(kept)) => entry.kept = Some(kept),
            (Some(_), None) => drop(table.remove(key)),
            (None, _) => {}
        }
    }
}

/// Forgets the oldest answer; false if there is none.
fn make_room(table: &mut BTreeMap<Key, Entry>) -> bool {
    let answered = table.iter().filter(|(_, entry)| entry.kept.is_some());
    let oldest = answered.min_by_key(|(_, entry)| entry.since_ms).map(|(key, _)| key.clone());
    oldest.is_some_and(|key| table.remove(&key).is_some())
}

/// Takes its mark away if it was never answered: the task that carried it out panicked.
struct Mark(Answered, Option<Key>);

impl Mark {
    fn end(mut self, kept: Option<Kept>) {
        if let Some(key) = self.1.take() {
            self.0.end(&key, kept);
        }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        if let Some(key) = self.1.take() {
            self.0.end(&key, None);
        }
    }
}

fn key_of(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut keys = headers.get_all(KEY).iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let text = key.to_str().ok().filter(|text| !text.is_empty() && text.len() <= KEY_BYTES_MAX);
    match (text, keys.next()) {
        (Some(text), None) => Ok(Some(text.to_owned())),
        _ => Err(ApiError::bad_request(
            format!("Idempotency-Key has to be one value of 1 to {KEY_BYTES_MAX} visible ASCII characters"),
            "use a UUID, for example",
        )),
    }
}

/// Carries a request out, unless one of this key was; without a key always.
pub(super) async fn once(
    answered: &Answered,
    body_bytes_max: usize,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let Some(key) = key_of(request.headers())? else { return Ok(next.run(request).await) };
    let whose = request.extensions().get::<Identity>().and_then(|identity| identity.token.clone());
    let (head, body) = request.into_parts();
    let body = to_bytes(body, body_bytes_max).await.map_err(|_| ApiError::too_large(body_bytes_max))?;
    let target = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let kind = head.headers.get(header::CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes);
    let mut hash = Sha256::new();
    for part in [head.method.as_str().as_bytes(), target.as_bytes(), kind, &body] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    let key: Key = (whose, key);
    if let Found::Kept(kept) = answered.begin(&key, hash.finalize().into(), now_ms())? {
        let mut response = (kept.status, kept.body).into_response();
        if let Some(kind) = kept.kind {
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        return Ok(response);
    }
    let mark = Mark(answered.clone(), Some(key));
    let request = Request::from_parts(head, Body::from(body));
    // A task of its own: it ends, and is remembered, also when whoever asked has gone, to come again with the same key.
    let carried = tokio::spawn(async move {
        let response = next.run(request).await;
        let most = u64::try_from(ANSWER_BYTES_MAX).unwrap_or(u64::MAX);
        if response.body().size_hint().upper().is_none_or(|bytes| bytes > most) {
            mark.end(None);
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        let body = to_bytes(body, ANSWER_BYTES_MAX).await.map_err(|_| ApiError::lost())?;
        // What may go otherwise the next time is not remembered.
        let passes = head.status.is_server_error() || head.status == StatusCode::TOO_MANY_REQUESTS;
        let kind = head.headers.get(header::CONTENT_TYPE).cloned();
        mark.end((!passes).then(|| Kept { status: head.status, kind, body: body.clone() }));
        Ok(Response::from_parts(head, Body::from(body)))
    });
    carried.await.map_err(|_| ApiError::lost())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(body: &'static str) -> Option<Kept> {
        Some(Kept { status: StatusCode::ACCEPTED, kind: None, body: Bytes::from_static(body.as_bytes()) })
    }

    fn key(name: &str) -> Key {
        (None, name.into())
    }

    fn is_new(found: Result<Found, ApiError>) -> bool {
        matches!(found, Ok(Found::New))
    }

    #[test]
    fn the_same_request_is_answered_once_and_another_under_its_key_is_refused() {
        let answered = Answered::default();
        assert!(is_new(answered.begin(&key("a"), [1; 32], 0)));
        assert!(format!("{:?}", answered.begin(&key("a"), [1; 32], 1).err()).contains("in-progress"));
        answered.end(&key("a"), kept("done"));
        let Ok(Found::Kept(again)) = answered.begin(&key("a"), [1; 32], KEPT_MS - 1) else {
            panic!("it is remembered")
        };
        assert_eq!(again.body, "done");
        assert!(format!("{:?}", answered.begin(&key("a"), [2; 32], 1).err()).contains("idempotency-key"));
        let others = (Some("1a2b".into()), "a".to_owned());
        assert!(is_new(answered.begin(&others, [2; 32], 1)), "another token's keys are its own");
        assert!(is_new(answered.begin(&key("a"), [2; 32], KEPT_MS)), "it is forgotten");
    }

    #[test]
    fn what_failed_may_be_tried_again_and_a_panic_leaves_no_mark() {
        let answered = Answered::default();
        assert!(is_new(answered.begin(&key("a"), [1; 32], 0)));
        answered.end(&key("a"), None);
        assert!(is_new(answered.begin(&key("a"), [1; 32], 0)));
        drop(Mark(answered.clone(), Some(key("a"))));
        assert!(is_new(answered.begin(&key("a"), [1; 32], 0)));
    }

    #[test]
    fn the_table_is_bounded_and_forgets_the_oldest_answer_but_none_under_way() {
        let answered = Answered::default();
        for n in 0..ANSWERS_MAX {
            assert!(is_new(answered.begin(&key(&n.to_string()), [1; 32], u64::try_from(n).unwrap())));
        }
        assert!(format!("{:?}", answered.begin(&key("one more"), [1; 32], 5_000).err()).contains("busy"));
        answered.end(&key("7"), kept("x"));
        answered.end(&key("9"), kept("x"));
        assert!(is_new(answered.begin(&key("one more"), [1; 32], 5_000)));
        assert_eq!(answered.table().len(), ANSWERS_MAX);
        assert!(!answered.table().contains_key(&key("7")) && answered.table().contains_key(&key("9")));
    }

    #[test]
    fn a_key_is_one_short_visible_text() {
        let headers = |keys: &[&str]| {
            let mut headers = HeaderMap::new();
            for key in keys {
                headers.append(KEY, key.parse().unwrap());
            }
            headers
        };
        assert_eq!(key_of(&headers(&[])).unwrap(), None);
        assert_eq!(key_of(&headers(&["k-1"])).unwrap(), Some("k-1".into()));
        for wrong in [&[""][..], &["a", "b"], &["ä"], &[&"x".repeat(65)]] {
            assert!(key_of(&headers(wrong)).is_err(), "{wrong:?}");
        }
    }
}
