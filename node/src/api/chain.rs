//! The chain as a whole: its export, and blocks on demand.

use super::Body as JsonBody;
use super::blocking;
use super::problem::ApiError;
use super::table::Table;
use super::types::{MineRequest, MineResponse};
use crate::driver::NodeHandle;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use medring_protocol::BlockId;
use medring_protocol::chain::file::Writer;
use std::io::{self, BufWriter, Write};
use tokio::sync::mpsc;

pub(super) fn endpoints(table: &mut Table) {
    table.get("/v1/chain/export", "The best chain as a chain file, streamed", export).viewer().tag("chain").gives(
        200,
        "application/octet-stream",
        "docs/spec/chain-file.md; `medring chain verify` checks it offline",
    );
    table
        .post("/v1/chain/mine", "Mines that many blocks now; test networks only", mine)
        .slow()
        .tag("testnet")
        .body::<MineRequest>(serde_json::json!({"blocks": 1}))
        .answers::<MineResponse>(200, "Lowest first");
}

async fn mine(State(node): State<NodeHandle>, body: JsonBody<MineRequest>) -> Result<Json<MineResponse>, ApiError> {
    let Json(MineRequest { blocks }) = body?;
    Ok(Json(MineResponse { ids: node.mine_blocks(blocks).await? }))
}

/// Chunks of an export on their way to a slow reader.
const EXPORT_CHUNKS_MAX: usize = 4;
/// Bytes of one chunk.
const EXPORT_CHUNK_BYTES: usize = 256 * 1024;

/// The best chain as a chain file. If it cannot be finished the connection breaks, and the file lacks its end.
async fn export(State(node): State<NodeHandle>) -> Result<impl IntoResponse, ApiError> {
    let reader = node.clone();
    let ids = blocking(move || best_chain(&reader)).await?;
    let (chunks, mut out) = mpsc::channel::<io::Result<Bytes>>(EXPORT_CHUNKS_MAX);
    tokio::task::spawn_blocking(move || {
        let writer = BufWriter::with_capacity(EXPORT_CHUNK_BYTES, ChunkWriter(chunks.clone()));
        if let Err(error) = write_chain(&node, &ids, writer) {
            // Err: the reader went away first.
            let _ = chunks.blocking_send(Err(error));
        }
    });
    let body = Body::from_stream(futures::stream::poll_fn(move |context| out.poll_recv(context)));
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], body))
}

/// Ids of the best chain from height 1 up, as of one moment.
fn best_chain(node: &NodeHandle) -> Result<Vec<BlockId>, ApiError> {
    let (tip, height) = node.store().tip()?;
    let mut ids = Vec::new();
    for height in 1..=height {
        ids.extend(node.store().id_at(height)?);
    }
    if height > 0 && ids.last() != Some(&tip) {
        let (kind, title) = ("moved", "The chain moved");
        let detail = "the best chain was reorganised while it was read";
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, kind, title, detail, "ask again"));
    }
    Ok(ids)
}

fn write_chain(node: &NodeHandle, ids: &[BlockId], out: impl Write) -> io::Result<()> {
    let mut writer = Writer::new(out, node.params())?;
    let mut parent = node.params().genesis().id();
    for id in ids {
        let block = node.store().block(id).map_err(io::Error::other)?;
        let block = block.filter(|block| block.header.prev == parent);
        writer.block(&block.ok_or_else(|| io::Error::other("the best chain was reorganised while it was read"))?)?;
        parent = *id;
    }
    writer.finish().map(drop)
}

/// Sends what is written as chunks; waits while the reader is slow.
struct ChunkWriter(mpsc::Sender<io::Result<Bytes>>);

impl Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let chunk = Ok(Bytes::copy_from_slice(bytes));
        self.0.blocking_send(chunk).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
