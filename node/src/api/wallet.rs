//! The wallet of the participant who lives on this node: what it found, and what it opens.

use super::blocking;
use super::problem::{ApiError, Problems};
use super::records::state_of;
use super::table::Table;
use super::types::{OpenedResponse, WalletRecordInfo, WalletRecordsResponse, WalletResponse};
use crate::driver::NodeHandle;
use crate::wallet::{OpenedRecord, Wallet, WalletError, WalletRecord};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use medring_protocol::chain::StateRead;
use medring_protocol::seal::PlainKind;
use medring_protocol::{ParticipantId, RecordId};
use serde_json::value::{RawValue, to_raw_value};
use std::sync::Arc;

pub(super) fn wallet_of(node: &NodeHandle) -> Result<Arc<Wallet>, ApiError> {
    node.wallet().ok_or_else(|| {
        let next = "set wallet.keystore and wallet.passphrase_file in its configuration, and start it again";
        ApiError::not_found("this node has no wallet", next)
    })
}

pub(super) fn endpoints(table: &mut Table) {
    table
        .get("/v1/wallet", "Whose it is, and how far it has looked through the chain", status)
        .reader()
        .tag("wallet")
        .answers::<WalletResponse>(200, "As of now")
        .problems(&[Problems::NotFound]);
    table
        .get("/v1/wallet/records", "What it found, without contents", records)
        .reader()
        .tag("wallet")
        .answers::<WalletRecordsResponse>(200, "In the order of the chain, those that wait last")
        .problems(&[Problems::NotFound]);
    table
        .get("/v1/wallet/records/{id}", "One record, opened and checked anew", one)
        .reader()
        .tag("wallet")
        .id("id", "The record")
        .answers::<OpenedResponse>(200, "What it holds, and what it was checked for")
        .problems(&[Problems::Unprocessable]);
}

async fn status(State(node): State<NodeHandle>) -> Result<Json<WalletResponse>, ApiError> {
    let wallet = wallet_of(&node)?;
    blocking(move || {
        let status = wallet.status();
        Ok(Json(WalletResponse {
            participant: status.participant,
            role: node.store().participant(&status.participant)?.map(|p| p.role),
            birthday_height: status.birthday_height,
            scanned_height: status.scanned_height,
            tip_height: node.store().tip()?.1,
            records: status.records,
            scanning: status.scanning,
        }))
    })
    .await
}

async fn records(State(node): State<NodeHandle>) -> Result<impl IntoResponse, ApiError> {
    let wallet = wallet_of(&node)?;
    let (_, tip) = node.store().tip()?;
    let records = wallet.records().into_iter().map(|record| info(&node, &record, tip)).collect();
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(WalletRecordsResponse { records })))
}

async fn one(
    State(node): State<NodeHandle>,
    id: Result<Path<RecordId>, PathRejection>,
) -> Result<impl IntoResponse, ApiError> {
    let Path(id) = id?;
    let wallet = wallet_of(&node)?;
    let opened = blocking(move || open(&node, &wallet, &id)).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(opened)))
}

fn open(node: &NodeHandle, wallet: &Wallet, id: &RecordId) -> Result<OpenedResponse, ApiError> {
    let Some(opened) = wallet.open_record(node.store(), id)? else {
        let detail = format!("record {id} is not in this node's wallet");
        return Err(ApiError::not_found(detail, "it may not be scanned yet (GET /v1/wallet), or it is not yours"));
    };
    self::opened(node, &opened, wallet.participant())
}

/// An opened record as the API shows it, made for `recipient`.
pub(super) fn opened(
    node: &NodeHandle,
    opened: &OpenedRecord,
    recipient: ParticipantId,
) -> Result<OpenedResponse, ApiError> {
    let (_, tip) = node.store().tip()?;
    let content_type = match opened.content_type {
        PlainKind::FhirBundle => "fhir-bundle",
        PlainKind::Aphr => "aphr",
    };
    let checks = opened.record.checks;
    Ok(OpenedResponse {
        info: info(node, &opened.record, tip),
        recipient,
        checks,
        passed: checks.passed(),
        content_type: content_type.into(),
        content: content(&opened.content),
    })
}

/// JSON as it was sealed, byte for byte; anything else as hex.
fn content(bytes: &[u8]) -> Box<RawValue> {
    let json = std::str::from_utf8(bytes).ok().and_then(|text| serde_json::from_str::<Box<RawValue>>(text).ok());
    json.or_else(|| to_raw_value(&hex::encode(bytes)).ok()).unwrap_or_default()
}

fn info(node: &NodeHandle, record: &WalletRecord, tip: u64) -> WalletRecordInfo {
    let confirmations = record.place.map_or(0, |place| crate::wallet::confirmations(place.height, tip));
    WalletRecordInfo {
        record_id: record.record_id,
        kind: record.kind,
        uploader: record.uploader,
        uploader_role: record.uploader_role,
        height: record.place.map(|place| place.height),
        block_id: record.place.map(|place| place.block_id),
        confirmations,
        state: state_of(node, confirmations),
        bytes: record.bytes,
        stamp_ms: record.stamp_ms,
        problem: record.problem.clone(),
    }
}

impl From<WalletError> for ApiError {
    fn from(error: WalletError) -> Self {
        let detail = error.to_string();
        match error {
            WalletError::Storage(error) => error.into(),
            WalletError::Open { .. } => {
                let (kind, title) = ("does-not-open", "The record does not open");
                let next = "its producer made it wrongly, or for another chain: ask for it anew";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, kind, title, detail, next)
            }
            WalletError::State(_) | WalletError::File(_) | WalletError::Full => {
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                Self::new(status, "wallet", "The wallet failed", detail, "look at the node's log")
            }
        }
    }
}
