//! The groups of the participant who lives on this node: what they are, what may be asked of them, their records.

use super::cursor::{self, Cursor, List};
use super::problem::{ApiError, Problems};
use super::records::{Page, PageQuery, newest_first, state_of};
use super::table::Table;
use super::types::{
    AcceptRequest, AcceptResponse, AskRequest, ChangesRequest, GroupInfo, GroupRecordInfo, GroupRecordsResponse,
    GroupRequest, GroupsResponse, InvitationRequest, InvitationResponse, OpenedResponse, RecallRequest, RecallResponse,
};
use super::wallet::{opened, wallet_of};
use super::{Body, blocking};
use crate::config::check_address;
use crate::driver::NodeHandle;
use crate::group::{GroupError, GroupHandle, GroupView};
use crate::wallet::Wallet;
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use libp2p::Multiaddr;
use medring_protocol::chain::Location;
use medring_protocol::group::GroupUid;
use medring_protocol::group::machine::{Command, CommandError};
use medring_protocol::record::{Receiver, Record};
use medring_protocol::{Gid, RecordId};
use serde_json::json;
use std::collections::BTreeMap;

type PathGroup = Result<Path<GroupUid>, PathRejection>;

pub(super) fn endpoints(table: &mut Table) {
    table
        .get("/v1/wallet/groups", "The groups of this node's participant", list)
        .reader()
        .tag("groups")
        .answers::<GroupsResponse>(200, "By id; and why they cannot work, if so")
        .problems(&[Problems::NotFound]);
    table
        .post("/v1/wallet/groups", "Makes a group of one's own (patients only)", create)
        .tag("groups")
        .body::<GroupRequest>(json!({"name": "family", "alone": true}))
        .answers::<GroupInfo>(200, "The group")
        .problems(&[Problems::NotFound, Problems::Conflict]);
    table
        .get("/v1/wallet/groups/{group}", "One group", one)
        .reader()
        .tag("groups")
        .id("group", "The group")
        .answers::<GroupInfo>(200, "Where it stands");
    table
        .post("/v1/wallet/groups/accept", "Takes up an invitation", accept)
        .tag("groups")
        .body::<AcceptRequest>(json!({"ticket": "…", "name": "mother"}))
        .answers::<AcceptResponse>(200, "The code that both people compare")
        .problems(&[Problems::NotFound, Problems::Conflict]);
    table
        .post("/v1/wallet/groups/recall", "An owner that restored its keys asks a member's node for its groups", recall)
        .tag("groups")
        .body::<RecallRequest>(json!({"address": "/ip4/127.0.0.1/tcp/4001/p2p/12D3Koo…"}))
        .answers::<RecallResponse>(200, "The groups that are back")
        .problems(&[Problems::NotFound, Problems::Conflict, Problems::Unreachable]);
    table
        .post("/v1/wallet/groups/{group}/invitations", "Makes a ticket for one more member", invite)
        .tag("groups")
        .id("group", "The group")
        .body::<InvitationRequest>(json!({"name": "daughter", "minutes": 60}))
        .answers::<InvitationResponse>(200, "Good once")
        .problems(&[Problems::Conflict]);
    let id = "0".repeat(64);
    table
        .post("/v1/wallet/groups/{group}/changes", "Changes of members, all in one epoch", change)
        .tag("groups")
        .id("group", "The group")
        .body::<ChangesRequest>(json!({"changes": [{"join": id}]}))
        .answers::<GroupInfo>(200, "The group")
        .problems(&[Problems::Conflict]);
    table
        .post("/v1/wallet/groups/{group}/ask", "A member asks to leave, to pair anew, or to be back", ask)
        .tag("groups")
        .id("group", "The group")
        .body::<AskRequest>(json!({"wish": "update"}))
        .answers::<GroupInfo>(200, "The group")
        .problems(&[Problems::Conflict]);
    table
        .post("/v1/wallet/groups/{group}/start-alone", "Proposes the first epoch with nobody else in it", start_alone)
        .tag("groups")
        .id("group", "The group")
        .answers::<GroupInfo>(200, "The group")
        .problems(&[Problems::Conflict]);
    table
        .post("/v1/wallet/groups/{group}/cancel", "Forgets changes that wait, and ends an attempt", cancel)
        .tag("groups")
        .id("group", "The group")
        .answers::<GroupInfo>(200, "The group")
        .problems(&[Problems::Conflict]);
    table
        .post("/v1/wallet/groups/{group}/retry", "Tries again after all attempts were used up", retry)
        .tag("groups")
        .id("group", "The group")
        .answers::<GroupInfo>(200, "The group")
        .problems(&[Problems::Conflict]);
    table
        .get("/v1/wallet/groups/{group}/records", "Records under the group's epochs, made by its owner", records)
        .reader()
        .tag("groups")
        .id("group", "The group")
        .query::<PageQuery>()
        .answers::<GroupRecordsResponse>(200, "Newest first")
        .problems(&[Problems::Conflict]);
    table
        .get("/v1/wallet/groups/{group}/records/{id}", "One of them, opened and checked anew", record)
        .reader()
        .tag("groups")
        .id("group", "The group")
        .id("id", "The record")
        .answers::<OpenedResponse>(200, "What it holds, and what it was checked for")
        .problems(&[Problems::Unprocessable]);
}

pub(super) fn groups_of(node: &NodeHandle) -> Result<GroupHandle, ApiError> {
    node.groups().ok_or_else(|| {
        let next = "set wallet.keystore and wallet.passphrase_file in its configuration, and start it again";
        ApiError::not_found("this node has no wallet, so no groups", next)
    })
}

/// What concerns one participant's people is for nobody's cache.
fn private<T>(value: T) -> impl IntoResponse
where
    Json<T>: IntoResponse,
{
    ([(header::CACHE_CONTROL, "no-store")], Json(value))
}

async fn list(State(node): State<NodeHandle>) -> Result<impl IntoResponse, ApiError> {
    let groups = groups_of(&node)?;
    Ok(private(GroupsResponse { groups: groups.list(), problem: groups.groups().problem.clone() }))
}

async fn create(State(node): State<NodeHandle>, body: Body<GroupRequest>) -> Result<impl IntoResponse, ApiError> {
    let Json(GroupRequest { name, alone }) = body?;
    let groups = groups_of(&node)?;
    let group = groups.create(&name, alone).await?;
    Ok(private(groups.info(&group)?))
}

async fn one(State(node): State<NodeHandle>, group: PathGroup) -> Result<impl IntoResponse, ApiError> {
    let Path(group) = group?;
    Ok(private(groups_of(&node)?.info(&group)?))
}

async fn invite(
    State(node): State<NodeHandle>,
    group: PathGroup,
    body: Body<InvitationRequest>,
) -> Result<impl IntoResponse, ApiError> {
    let (Path(group), Json(InvitationRequest { name, minutes })) = (group?, body?);
    let invited: InvitationResponse = groups_of(&node)?.invite(group, &name, minutes).await?;
    Ok(private(invited))
}

async fn accept(State(node): State<NodeHandle>, body: Body<AcceptRequest>) -> Result<impl IntoResponse, ApiError> {
    let Json(AcceptRequest { ticket, name }) = body?;
    let (group, code) = groups_of(&node)?.accept(&ticket, &name).await?;
    Ok(private(AcceptResponse { group, code }))
}

/// Gives a command and shows where the group then stands.
async fn command(node: &NodeHandle, group: GroupUid, command: Command) -> Result<GroupInfo, ApiError> {
    let groups = groups_of(node)?;
    groups.command(group, command).await?;
    Ok(groups.info(&group)?)
}

async fn change(
    State(node): State<NodeHandle>,
    group: PathGroup,
    body: Body<ChangesRequest>,
) -> Result<impl IntoResponse, ApiError> {
    let (Path(group), Json(ChangesRequest { changes })) = (group?, body?);
    if changes.is_empty() {
        return Err(ApiError::bad_request("there is no change in it", "name at least one, {\"join\": ID} for example"));
    }
    Ok(private(command(&node, group, Command::Change(changes)).await?))
}

async fn start_alone(State(node): State<NodeHandle>, group: PathGroup) -> Result<impl IntoResponse, ApiError> {
    let Path(group) = group?;
    Ok(private(command(&node, group, Command::StartAlone).await?))
}

async fn cancel(State(node): State<NodeHandle>, group: PathGroup) -> Result<impl IntoResponse, ApiError> {
    let Path(group) = group?;
    Ok(private(command(&node, group, Command::Cancel).await?))
}

async fn retry(State(node): State<NodeHandle>, group: PathGroup) -> Result<impl IntoResponse, ApiError> {
    let Path(group) = group?;
    Ok(private(command(&node, group, Command::Retry).await?))
}

async fn ask(
    State(node): State<NodeHandle>,
    group: PathGroup,
    body: Body<AskRequest>,
) -> Result<impl IntoResponse, ApiError> {
    let (Path(group), Json(AskRequest { wish })) = (group?, body?);
    Ok(private(command(&node, group, Command::Ask(wish)).await?))
}

async fn recall(State(node): State<NodeHandle>, body: Body<RecallRequest>) -> Result<impl IntoResponse, ApiError> {
    let Json(RecallRequest { address }) = body?;
    let form = "use /ip4/ADDRESS/tcp/PORT/p2p/PEERID, or the same with udp/PORT/quic-v1: the member's node tells it, as `medring node status` or in node.json";
    let address: Multiaddr =
        address.parse().map_err(|e| ApiError::bad_request(format!("{address:?} is no address: {e}"), form))?;
    check_address(&address, true).map_err(|problem| ApiError::bad_request(format!("the request {problem}"), form))?;
    Ok(private(RecallResponse { groups: groups_of(&node)?.recall(address).await? }))
}

async fn records(State(node): State<NodeHandle>, group: PathGroup, query: Page) -> Result<impl IntoResponse, ApiError> {
    let (Path(group), Query(PageQuery { limit, cursor })) = (group?, query?);
    let limit = cursor::limit(limit, super::LIST_MAX)?;
    let cursor = cursor.map(|text| Cursor::read(List::WalletGroup, &text)).transpose()?;
    let groups = groups_of(&node)?;
    let view = groups.view(&group)?;
    Ok(private(blocking(move || list_records(&node, &groups, &view, limit, cursor)).await?))
}

/// Epochs this participant knows of, by GID.
fn epochs(view: &GroupView) -> BTreeMap<Gid, u64> {
    let past = view.status.history.iter().map(|past| (past.gid, past.epoch));
    past.chain(view.status.active.iter().map(|active| (active.gid, active.epoch))).collect()
}

/// Those in the pool come with the first page, besides its records of the chain.
fn list_records(
    node: &NodeHandle,
    groups: &GroupHandle,
    view: &GroupView,
    limit: usize,
    cursor: Option<Cursor>,
) -> Result<GroupRecordsResponse, ApiError> {
    let store = node.store();
    let (epochs, mut found) = (epochs(view), Vec::new());
    let waiting = if cursor.is_none() { store.pool()? } else { Vec::new() };
    for entry in waiting {
        if let Some(epoch) = entry.record.content.receiver.gid().and_then(|gid| epochs.get(&gid)) {
            found.push((None, *epoch, entry.record));
        }
    }
    let mut placed = BTreeMap::new();
    for (gid, epoch) in &epochs {
        placed.extend(store.records_by_group(gid)?.into_iter().map(|(height, index, _)| ((height, index), *epoch)));
    }
    let places = placed.keys().copied().collect();
    let (places, next) = newest_first(node, List::WalletGroup, places, cursor, limit)?;
    for (height, index) in places {
        if let (Some(record), Some(epoch)) =
            (store.record_at(&Location { height, index })?, placed.get(&(height, index)))
        {
            found.push((Some(height), *epoch, record));
        }
    }
    let (_, tip) = store.tip()?;
    let info =
        |(height, epoch, record): &(Option<u64>, u64, Record)| info(node, groups, view, *height, *epoch, record, tip);
    Ok(GroupRecordsResponse { records: found.iter().filter_map(info).collect(), next })
}

/// A record under an epoch of the group; `None` if somebody else than its patient made it.
fn info(
    node: &NodeHandle,
    groups: &GroupHandle,
    view: &GroupView,
    height: Option<u64>,
    epoch: u64,
    record: &Record,
    tip: u64,
) -> Option<GroupRecordInfo> {
    let (content, access) = (&record.content, record.content.receiver.gid().and_then(|gid| groups.access(&gid)));
    let uploader = access.as_ref().map_or(view.status.owner, |access| access.uploader);
    if content.uploader != uploader {
        return None;
    }
    let record_id = record.id(&node.chain_id());
    let noted =
        || node.wallet().and_then(|wallet| wallet.record(&record_id)).is_some_and(|noted| noted.problem.is_none());
    let readable = match content.receiver {
        Receiver::Group(_) => access.is_some() || noted(),
        _ => noted(),
    };
    let confirmations = height.map_or(0, |height| tip.saturating_sub(height) + 1);
    Some(GroupRecordInfo {
        record_id,
        kind: content.kind,
        gid: content.receiver.gid()?,
        epoch,
        height,
        state: state_of(node, confirmations),
        uploader,
        bytes: record.encoded_len(),
        readable,
    })
}

async fn record(
    State(node): State<NodeHandle>,
    path: Result<Path<(GroupUid, RecordId)>, PathRejection>,
) -> Result<impl IntoResponse, ApiError> {
    let Path((group, id)) = path?;
    let groups = groups_of(&node)?;
    let view = groups.view(&group)?;
    Ok(private(blocking(move || open(&node, &groups, &view, &id)).await?))
}

fn open(node: &NodeHandle, groups: &GroupHandle, view: &GroupView, id: &RecordId) -> Result<OpenedResponse, ApiError> {
    let (record, _) = super::records::find(node, id)?;
    let epochs = epochs(view);
    let Some((gid, epoch)) = record.content.receiver.gid().and_then(|gid| epochs.get_key_value(&gid)) else {
        let detail = format!("record {id} is under no epoch of this group that this participant knows of");
        return Err(ApiError::not_found(detail, "GET …/records lists what is"));
    };
    let by_group = matches!(record.content.receiver, Receiver::Group(_));
    if let Some(access) = groups.access(gid).filter(|_| by_group)
        && let Some(found) = Wallet::open_group_record(node.store(), &access, id)?
    {
        let patient = access.patient_ids.first().copied().unwrap_or(access.uploader);
        return opened(node, &found, patient);
    }
    // What this participant made or what is sealed to it alone: its wallet knows.
    let wallet = wallet_of(node)?;
    if let Some(found) = wallet.open_record(node.store(), id)? {
        return opened(node, &found, wallet.participant());
    }
    let (kind, title) = ("no-key", "This node holds no key for it");
    let detail = match by_group {
        true => format!(
            "the key of epoch {epoch} is not held here: it was destroyed when a later epoch became final, or never known"
        ),
        false => format!("record {id} is sealed to the group's owner alone"),
    };
    let next = "ask the group's owner to aggregate again: what it seals now is for the epoch in force";
    Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, kind, title, detail, next))
}

impl From<GroupError> for ApiError {
    fn from(error: GroupError) -> Self {
        let detail = error.to_string();
        let conflict =
            |detail, next: &str| Self::new(StatusCode::CONFLICT, "group", "The group cannot do this", detail, next);
        match error {
            GroupError::Unknown(_) => Self::not_found(detail, "GET /v1/wallet/groups lists all"),
            GroupError::Input(_) => Self::bad_request(detail, "correct it and ask again"),
            GroupError::Command(error) => match error {
                CommandError::NotOwner { .. } | CommandError::Owner => Self::new(
                    StatusCode::FORBIDDEN,
                    "not-yours",
                    "Not this participant's to do",
                    detail,
                    "see `medring group status`",
                ),
                CommandError::Nobody(_) => Self::not_found(detail, "see `medring group status`"),
                _ => conflict(detail, "see `medring group status`"),
            },
            GroupError::NotSealing(_) => conflict(detail, "watch `medring group status`, and seal again then"),
            GroupError::Storage(_) => {
                let next = "look at the node's log; make room on its disk, or mend what it names";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "storage", "Groups cannot be stored", detail, next)
            }
            GroupError::Unreachable(_) => Self::new(
                StatusCode::BAD_GATEWAY,
                "unreachable",
                "The member's node did not help",
                detail,
                "try another member's node",
            ),
            GroupError::Gone => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "Groups do not answer", detail, "try again")
            }
        }
    }
}
