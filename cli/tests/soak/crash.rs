//! kill -9 at random moments under load: nothing that was acknowledged is lost.

use super::harness::{Net, SOON};
use super::records::{Maker, now_ms};
use super::short_or_long;
use medring_node::wallet::Moment;
use medring_protocol::RecordId;
use medring_protocol::record::Kind;
use medring_testnet::client::Client;
use medring_testnet::procs::{rng, until};
use rand::RngExt;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Records under way without a pause; ids of those that a node answered 202 for.
#[derive(Default)]
struct Load {
    acknowledged: Mutex<Vec<RecordId>>,
    enough: AtomicBool,
}

impl Load {
    fn acknowledged(&self) -> Vec<RecordId> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Submits to one node after the other until told to stop. Whoever is down just now refuses, and is asked no more of.
    fn run(&self, maker: &mut Maker, data_dirs: &[PathBuf]) {
        let mut rng = rng(maker.seed, "load");
        while !self.enough.load(Ordering::Relaxed) {
            let text_bytes = rng.random_range(0..20_000);
            let record = maker.record(Kind::Ehr, "node0", Moment { now_ms: now_ms(), tip_height: 1 }, text_bytes);
            let client = Client::from_data_dir(&data_dirs[rng.random_range(0..data_dirs.len())]);
            if let Ok(id) = client.and_then(|client| client.submit(&record)) {
                self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).push(id);
            }
        }
    }
}

/// Ends the load also when the test panics, or its thread would be waited for for ever.
struct EnoughOnDrop<'a>(&'a Load);

impl Drop for EnoughOnDrop<'_> {
    fn drop(&mut self) {
        self.0.enough.store(true, Ordering::Relaxed);
    }
}

#[test]
fn nodes_killed_at_random_lose_nothing_they_acknowledged() {
    let kills = short_or_long(20, 200);
    let mut net = Net::up(3, |options| {
        options.mine = true;
        options.block_time_ms = 1000;
        options.quota_bytes = 4096 << 20;
    });
    let start = Instant::now();
    let data_dirs: Vec<_> = net.state().nodes.iter().map(|n| n.data_dir()).collect();
    let mut maker = Maker::new(&net);
    let mut moments = rng(net.state().seed, "kills");
    let load = Load::default();
    std::thread::scope(|scope| {
        let _enough = EnoughOnDrop(&load);
        scope.spawn(|| load.run(&mut maker, &data_dirs));
        for kill in 1..=kills {
            let (victim, after) = (moments.random_range(0..3), moments.random_range(1..12));
            let due = load.acknowledged().len() + after;
            until(&format!("{after} more records before kill {kill}"), SOON, || match load.acknowledged().len() {
                now if now >= due => Ok(()),
                now => Err(format!("{now} of {due}")),
            })
            .unwrap();
            net.kill(victim).unwrap();
            net.start(victim).unwrap();
        }
    });
    let acknowledged = load.acknowledged();
    let seconds = start.elapsed().as_secs_f64();

    let (_, height) = net.wait_agree(SOON).unwrap();
    println!("{kills} kills in {seconds:.0} s, {} records acknowledged, height {height}", acknowledged.len());
    for (i, dir) in data_dirs.iter().enumerate() {
        let client = Client::from_data_dir(dir).unwrap();
        for id in &acknowledged {
            let what = format!("acknowledged record {id} to be on node {i}'s chain");
            until(&what, Duration::from_secs(240), || {
                let found = client.find::<Value>(&format!("/v1/records/{id}")).map_err(|e| e.to_string())?;
                match found {
                    Some(record) if record["height"].is_u64() => Ok(()),
                    Some(record) => Err(record["state"].to_string()),
                    None => Err("it is not known there".into()),
                }
            })
            .unwrap();
        }
    }
}
