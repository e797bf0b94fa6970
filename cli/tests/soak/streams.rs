//! A hostile peer made of bare libp2p: streams of every protocol that say too much, or too slowly, or nothing.

use super::hostile::Victim;
use futures::{AsyncWriteExt, StreamExt};
use libp2p::{StreamProtocol, noise, tcp, yamux};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Opens streams of each of the victim's protocols and abuses them in turn.
pub(crate) async fn abuse_streams(victim: Victim) {
    let chain = hex::encode(&victim.chain.0[..8]);
    let names = [
        "/medring/status/1".to_owned(),
        format!("/medring/{chain}/sync/1"),
        format!("/medring/{chain}/ring/1"),
        format!("/medring/{chain}/kad/1"),
        "/meshsub/1.1.0".to_owned(),
        "/ipfs/id/1.0.0".to_owned(),
    ];
    while !victim.stop.is_cancelled() {
        let swarm = libp2p::SwarmBuilder::with_new_identity()
            .with_tokio()
            .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
            .unwrap()
            .with_behaviour(|_| libp2p_stream::Behaviour::new())
            .unwrap();
        let mut swarm = swarm.with_swarm_config(|c| c.with_idle_connection_timeout(Duration::from_secs(3600))).build();
        let control = swarm.behaviour().new_control();
        if swarm.dial(victim.address.clone()).is_err() {
            continue;
        }
        victim.tally.identities.fetch_add(1, Ordering::Relaxed);
        let peer = loop {
            match swarm.select_next_some().await {
                libp2p::swarm::SwarmEvent::ConnectionEstablished { peer_id, .. } => break Some(peer_id),
                libp2p::swarm::SwarmEvent::OutgoingConnectionError { .. } => break None,
                _ => {}
            }
        };
        let Some(peer) = peer else { continue };
        let abuses = (0..24usize).map(|n| {
            let (mut control, name) = (control.clone(), names[n % names.len()].clone());
            let tally = victim.tally.clone();
            async move {
                let name = StreamProtocol::try_from_owned(name).unwrap();
                let Ok(mut stream) = control.open_stream(peer, name).await else { return };
                tally.messages.fetch_add(1, Ordering::Relaxed);
                let chunk = vec![0xfe; 64 * 1024];
                match n % 3 {
                    // As much as it takes.
                    0 => while stream.write_all(&chunk).await.is_ok() {},
                    // A byte now and then.
                    1 => {
                        while stream.write_all(&[0xff]).await.is_ok() && stream.flush().await.is_ok() {
                            tokio::time::sleep(Duration::from_millis(100)).await;
                        }
                    }
                    // Nothing, for as long as it is let.
                    _ => drop(tokio::time::timeout(Duration::from_secs(60), std::future::pending::<()>()).await),
                }
            }
        });
        let abuses = futures::future::join_all(abuses);
        let dying = async {
            while !matches!(swarm.select_next_some().await, libp2p::swarm::SwarmEvent::ConnectionClosed { .. }) {}
        };
        tokio::select! {
            () = victim.stop.cancelled() => {}
            () = dying => {}
            _ = abuses => {}
        }
    }
}
