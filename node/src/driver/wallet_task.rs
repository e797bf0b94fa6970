//! Keeps the wallet at the tip: a scan at the start, and one whenever the tip moved.

use super::Shutdown;
use crate::core::Snapshot;
use crate::wallet::{Progress, Wallet};
use medring_storage::{ChainStore, RocksEngine};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

/// Runs until the node stops; a scan under way ends soon after. `scanned` counts the scans that ended.
pub(super) async fn run(
    wallet: Arc<Wallet>,
    store: ChainStore<RocksEngine>,
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    scanned: watch::Sender<u64>,
    stop: Shutdown,
) {
    let cancel = Arc::new(AtomicBool::new(false));
    loop {
        let tip = snapshots.borrow_and_update().tip;
        let (wallet, store, flag) = (wallet.clone(), store.clone(), cancel.clone());
        let mut scan = tokio::task::spawn_blocking(move || scan(&wallet, &store, &flag));
        tokio::select! {
            _ = &mut scan => {}
            () = stop.cancelled() => {
                cancel.store(true, Ordering::Relaxed);
                let _ = scan.await;
                return;
            }
        }
        scanned.send_modify(|count| *count += 1);
        tokio::select! {
            moved = snapshots.wait_for(|snapshot| snapshot.tip != tip) => if moved.is_err() { return },
            () = stop.cancelled() => return,
        }
    }
}

fn scan(wallet: &Wallet, store: &ChainStore<RocksEngine>, cancel: &AtomicBool) {
    let mut progress =
        |p: Progress| tracing::debug!(height = p.height, tip = p.tip_height, found = p.found, "scanning");
    match wallet.scan(store, &mut progress, cancel) {
        Ok(report) => {
            // No ids: a log must not say which records are one patient's.
            let (found, left) = (report.found.len(), report.pending.len() + report.vanished.len());
            if found > 0 {
                tracing::info!(found, "records for this participant");
            }
            if left > 0 {
                tracing::warn!(left, "records of this participant left the chain in a reorganisation");
            }
        }
        // Tried again at the next tip.
        Err(error) => tracing::error!(%error, "the wallet could not be brought up to date"),
    }
}
