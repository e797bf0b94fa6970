//! Two miners lose each other, mine on, and find each other again. Run it with the binary that the nodes shall be:
//!
//! `cargo build && MEDRING_BIN=target/debug/medring cargo run -p medring-testnet --example two_miners`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use medring_testnet::procs::{Guarded, Testnet, UpOptions, find_binary};
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("two-miners-{}", std::process::id()));
    let mut options = UpOptions::numbered(folder, find_binary()?, 2, 42);
    options.mine = false; // only when asked to
    let limit = Duration::from_secs(60);

    // Whatever happens below, no process is left behind.
    let mut net = Guarded::new(Testnet::up(&options, &mut |_| {})?);
    net.enrol(&mut |_| {})?;
    println!("linked:  {:?}", net.wait_agree(limit)?);

    net.isolate(0, true)?;
    net.isolate(1, true)?;
    net.mine(0, 3)?;
    net.mine(1, 2)?;
    println!("cut:     {:?}", net.status().iter().map(|node| node.tip()).collect::<Vec<_>>());

    net.isolate(0, false)?;
    net.isolate(1, false)?;
    println!("joined:  {:?}", net.wait_agree(limit)?); // the branch with more work

    net.down(&mut |_| {})?;
    std::fs::remove_dir_all(net.folder())?;
    Ok(())
}
