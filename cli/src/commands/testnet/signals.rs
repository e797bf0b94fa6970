//! Ctrl-C and SIGTERM while processes of ours run: whatever is under way ends, cleans up and says so.

use medring_testnet::procs::interrupt;
use tokio::signal::unix::{SignalKind, signal};

/// From now on a signal ends every wait, so that a testnet under way is taken down by whoever made it; a second one ends
/// the command at once, and leaves `medring testnet down` to the user.
pub(super) fn catch() {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    // Never joined: it lives as long as the process.
    std::thread::spawn(move || {
        runtime.block_on(async {
            let of = |kind| signal(kind).ok();
            let (Some(mut int), Some(mut term), Some(mut hup)) =
                (of(SignalKind::interrupt()), of(SignalKind::terminate()), of(SignalKind::hangup()))
            else {
                return;
            };
            for signals in 1.. {
                tokio::select! { _ = int.recv() => {}, _ = term.recv() => {}, _ = hup.recv() => {} }
                if signals > 1 {
                    std::process::exit(130);
                }
                interrupt();
            }
        });
    });
}
