//! `GET /v1/events`: one listener's stream.

use super::hub::{After, Happened, Hub, Topic};
use crate::api::Api;
use crate::api::access::{Identity, Needs, Tokens};
use crate::api::problem::{ApiError, Problems};
use crate::api::table::Table;
use crate::api::types::{EndEvent, MissedEvent};
use crate::driver::{Shutdown, now_ms};
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::IntoResponse;
use serde::Deserialize;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};

/// After so long without an event the stream says that it lives; a token that was revoked meanwhile ends it.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Where a browser, or whoever else was cut, wants to go on.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

const NOTES: &str = "text/event-stream. Events, with JSON as data: `tip` and `reorg` (topic blocks), `pooled` and `dropped` \
                     (records), `group` (groups: for readers and operators), `missed` (some are not in the stream: ask for \
                     what they are about), and `end`, the last one, which says why: `slow`, `token` or `stopping`. With \
                     `Last-Event-ID` the stream goes on after that event, if it is one of the last 1,024 of this run; else it \
                     begins with `missed`. 16 streams at a time; a comment each 15 s.";

pub(in crate::api) fn endpoints(table: &mut Table) {
    table
        .get("/v1/events", "What happens, as it happens: server-sent events", listen)
        .viewer()
        .tag("node")
        .notes(NOTES)
        .query::<EventsQuery>()
        .gives(200, "text/event-stream", "Until the client goes, is too slow, or the node stops")
        .problems(&[Problems::TooMany]);
}

/// Parameters of the stream.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct EventsQuery {
    /// Of what: any of blocks, records, groups, with commas between; all that the token may see, if absent.
    #[schemars(regex(pattern = "^(blocks|records|groups)(,(blocks|records|groups))*$"))]
    topics: Option<String>,
}

/// Whether a token may hear of it.
fn may_hear(topic: Topic, identity: &Identity) -> bool {
    match topic {
        Topic::Blocks | Topic::Records => true,
        Topic::Groups => Needs::READER.admits(identity.scope),
    }
}

fn topics_of(asked: Option<&str>, identity: &Identity) -> Result<Vec<Topic>, ApiError> {
    let Some(asked) = asked else {
        return Ok(Topic::ALL.into_iter().filter(|topic| may_hear(*topic, identity)).collect());
    };
    let topic = |name: &str| {
        let known = Topic::ALL.into_iter().find(|topic| topic.name() == name);
        let topic = known.ok_or_else(|| {
            let next = format!("use any of {}, with commas between", Topic::ALL.map(Topic::name).join(", "));
            ApiError::bad_request("topics names none there is", next)
        })?;
        if may_hear(topic, identity) {
            return Ok(topic);
        }
        let detail = format!("the token's scope is {}, and groups are for reader or operator", identity.scope.name());
        let next = "leave groups out, or ask the node's operator for a token of that scope";
        Err(ApiError::new(StatusCode::FORBIDDEN, "scope", "The token is for something else", detail, next))
    };
    asked.split(',').map(topic).collect()
}

async fn listen(
    State(api): State<Api>,
    Extension(identity): Extension<Identity>,
    headers: HeaderMap,
    query: Result<Query<EventsQuery>, QueryRejection>,
) -> Result<impl IntoResponse, ApiError> {
    let Query(EventsQuery { topics }) = query?;
    let topics = topics_of(topics.as_deref(), &identity)?;
    let place = api.hub.place().ok_or_else(|| {
        let (kind, title) = ("too-many-streams", "Too many streams");
        let detail = "as many listen as may at one time";
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, kind, title, detail, "end one, or ask from time to time instead")
    })?;
    let last = headers.get(LAST_EVENT_ID).map(|id| id.to_str().unwrap_or_default());
    let access =
        Access { tokens: api.node.tokens().clone(), identity, stop: api.node.stopping(), heartbeat: HEARTBEAT };
    let listener = Listener::new(api.hub.clone(), topics, last, access, place);
    let stream = futures::stream::unfold(listener, |mut listener| async move {
        let text = listener.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(text)), listener))
    });
    Ok(([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(stream)))
}

/// What a listener's stream lasts as long as.
struct Access {
    tokens: Tokens,
    identity: Identity,
    stop: Shutdown,
    heartbeat: Duration,
}

/// One listener: what it hears of, and how far it is.
struct Listener {
    hub: Hub,
    topics: Vec<Topic>,
    /// Number of the next event.
    next: u64,
    /// What is said before any event.
    greeting: Option<String>,
    latest: watch::Receiver<u64>,
    access: Access,
    ended: bool,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    fn new(hub: Hub, topics: Vec<Topic>, last: Option<&str>, access: Access, place: OwnedSemaphorePermit) -> Self {
        let latest = hub.watch();
        let resumed = last.map(|id| hub.resume(id));
        let next = resumed.flatten().unwrap_or_else(|| hub.next());
        let mut greeting = String::from(": medring\nretry: 2000\n\n");
        if resumed == Some(None) {
            greeting += &frame(None, "missed", &json(&MissedEvent { missed: 0 }));
        }
        Self { hub, topics, next, greeting: Some(greeting), latest, access, ended: false, _place: place }
    }

    /// The next piece of the stream; `None` after its last. Cancelled without loss: nothing is taken before it is given.
    async fn next(&mut self) -> Option<String> {
        if self.ended {
            return None;
        }
        if let Some(greeting) = self.greeting.take() {
            return Some(greeting);
        }
        loop {
            if self.access.stop.is_cancelled() {
                return Some(self.end("stopping", "connect again once the node runs"));
            }
            if !self.access.tokens.stands(&self.access.identity, now_ms()) {
                return Some(self.end("token", "ask the node's operator for another token"));
            }
            self.latest.mark_unchanged();
            match self.hub.after(self.next) {
                After::Gone => {
                    let next = "ask for what was missed, listen to fewer topics, and read faster";
                    return Some(self.end("slow", next));
                }
                After::Events(events) if events.is_empty() => {}
                After::Events(events) => {
                    self.next = events.last().map_or(self.next, |(number, _)| number + 1);
                    let text = self.text(&events);
                    if !text.is_empty() {
                        return Some(text);
                    }
                    continue;
                }
            }
            tokio::select! {
                // Err: the hub is gone, and the node with it.
                changed = self.latest.changed() => if changed.is_err() { return None },
                () = self.access.stop.cancelled() => {}
                () = tokio::time::sleep(self.access.heartbeat) => return Some(": still here\n\n".into()),
            }
        }
    }

    fn text(&self, events: &[(u64, std::sync::Arc<Happened>)]) -> String {
        let wanted = |topic: Option<Topic>| topic.is_none_or(|topic| self.topics.contains(&topic));
        let heard = events.iter().filter(|(_, event)| wanted(event.topic));
        heard.map(|(number, event)| frame(Some(&self.hub.id(*number)), event.name, &event.data)).collect()
    }

    fn end(&mut self, why: &str, next: &str) -> String {
        self.ended = true;
        frame(None, "end", &json(&EndEvent { why: why.into(), next: next.into() }))
    }
}

fn json(value: &impl serde::Serialize) -> String {
    // Only maps with other than text keys can fail, and there are none.
    serde_json::to_string(value).unwrap_or_default()
}

/// One event on the wire. JSON has no line breaks of its own.
fn frame(id: Option<&str>, name: &str, data: &str) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("{id}event: {name}\ndata: {data}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::access::{NewToken, Scope};
    use crate::driver::ApiToken;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    fn access(dir: &std::path::Path) -> Access {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let tokens = Tokens::open(&dir.join("tokens.json"), &ApiToken::draw(&mut rng)).unwrap();
        let new = NewToken { name: "x".into(), scope: Scope::Viewer, expires_ms: None };
        let (info, _) = tokens.create(new, 1, &mut rng).unwrap();
        let identity = Identity { token: Some(info.id.as_str().into()), scope: Scope::Viewer };
        Access { tokens, identity, stop: Shutdown::new(), heartbeat: HEARTBEAT }
    }

    fn listener(hub: &Hub, last: Option<&str>, access: Access) -> Listener {
        Listener::new(hub.clone(), vec![Topic::Blocks], last, access, hub.place().unwrap())
    }

    async fn next(listener: &mut Listener) -> Option<String> {
        tokio::time::timeout(Duration::from_secs(60), listener.next())
            .await
            .expect("awaited the next piece of a stream")
    }

    #[tokio::test]
    async fn a_listener_hears_of_its_topics_alone_and_goes_on_where_it_was() {
        let (hub, dir) = (Hub::new(5), tempfile::tempdir().unwrap());
        let mut first = listener(&hub, None, access(dir.path()));
        assert!(next(&mut first).await.unwrap().contains("retry: 2000"));
        hub.publish(Topic::Records, "pooled", &1);
        hub.publish(Topic::Blocks, "tip", &2);
        hub.publish(Topic::Blocks, "tip", &3);
        let heard = next(&mut first).await.unwrap();
        assert_eq!(heard, "id: 5-1\nevent: tip\ndata: 2\n\nid: 5-2\nevent: tip\ndata: 3\n\n");
        let mut again = listener(&hub, Some("5-1"), access(dir.path()));
        assert!(!next(&mut again).await.unwrap().contains("missed"));
        assert_eq!(next(&mut again).await.unwrap(), "id: 5-2\nevent: tip\ndata: 3\n\n");
        let mut stranger = listener(&hub, Some("4-1"), access(dir.path()));
        assert!(next(&mut stranger).await.unwrap().contains("event: missed"));
    }

    #[tokio::test]
    async fn a_slow_listener_is_told_so_and_cut() {
        let (hub, dir) = (Hub::new(5), tempfile::tempdir().unwrap());
        let mut slow = listener(&hub, None, access(dir.path()));
        next(&mut slow).await.unwrap();
        for n in 0..2_000 {
            hub.publish(Topic::Blocks, "tip", &n);
        }
        let last = next(&mut slow).await.unwrap();
        assert!(last.contains("event: end") && last.contains("\"why\":\"slow\""), "{last}");
        assert_eq!(next(&mut slow).await, None);
    }

    #[tokio::test]
    async fn a_stream_ends_with_its_token_and_with_the_node() {
        let (hub, dir) = (Hub::new(5), tempfile::tempdir().unwrap());
        let access = access(dir.path());
        let (tokens, id) = (access.tokens.clone(), access.identity.token.clone().unwrap());
        let mut revoked = listener(&hub, None, access);
        next(&mut revoked).await.unwrap();
        tokens.revoke(&id).unwrap();
        hub.publish(Topic::Blocks, "tip", &1);
        assert!(next(&mut revoked).await.unwrap().contains("\"why\":\"token\""));
        assert_eq!(next(&mut revoked).await, None);

        let access = self::access(dir.path());
        let stop = access.stop.clone();
        let mut stopped = listener(&hub, None, access);
        next(&mut stopped).await.unwrap();
        let (last, ()) = tokio::join!(next(&mut stopped), async { stop.cancel() });
        assert!(last.unwrap().contains("\"why\":\"stopping\""));
    }

    #[tokio::test]
    async fn silence_is_broken_by_a_heartbeat() {
        let (hub, dir) = (Hub::new(5), tempfile::tempdir().unwrap());
        let access = Access { heartbeat: Duration::from_millis(10), ..access(dir.path()) };
        let mut quiet = listener(&hub, None, access);
        next(&mut quiet).await.unwrap();
        assert_eq!(next(&mut quiet).await.unwrap(), ": still here\n\n");
    }

    #[test]
    fn groups_are_for_readers() {
        let of = |scope, asked: Option<&str>| topics_of(asked, &Identity { token: None, scope });
        assert_eq!(of(Scope::Viewer, None).unwrap(), [Topic::Blocks, Topic::Records]);
        assert_eq!(of(Scope::Reader, None).unwrap().len(), 3);
        assert_eq!(of(Scope::Viewer, Some("records")).unwrap(), [Topic::Records]);
        assert!(of(Scope::Viewer, Some("blocks,groups")).is_err() && of(Scope::Operator, Some("groups")).is_ok());
        assert!(of(Scope::Operator, Some("")).is_err() && of(Scope::Operator, Some("blocks,x")).is_err());
    }
}
