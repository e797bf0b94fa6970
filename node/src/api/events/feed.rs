//! What the node tells, made into events for those who listen.

use super::Hub;
use super::hub::Topic;
use crate::api::types::{DroppedEvent, GroupEventInfo, MissedEvent, PooledEvent, ReorgEvent, TipEvent};
use crate::core::Event;
use crate::driver::{NodeHandle, Shutdown};
use crate::group::GroupEvent;
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// Feeds the hub until the node stops.
pub(in crate::api) async fn feed(hub: Hub, node: NodeHandle, stop: Shutdown) {
    let mut chain = node.subscribe();
    let mut groups = node.groups().map(|groups| groups.subscribe());
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            event = chain.recv() => match event {
                Ok(event) => tell(&hub, event),
                Err(RecvError::Lagged(missed)) => hub.publish(None, "missed", &MissedEvent { missed }),
                Err(RecvError::Closed) => return,
            },
            event = next_of(&mut groups) => match event {
                Ok(GroupEvent { group, event }) => hub.publish(Topic::Groups, "group", &GroupEventInfo { group, event }),
                Err(RecvError::Lagged(missed)) => hub.publish(Topic::Groups, "missed", &MissedEvent { missed }),
                Err(RecvError::Closed) => groups = None,
            },
        }
    }
}

/// Never, where there are no groups.
async fn next_of(groups: &mut Option<Receiver<GroupEvent>>) -> Result<GroupEvent, RecvError> {
    match groups {
        Some(groups) => groups.recv().await,
        None => std::future::pending().await,
    }
}

fn tell(hub: &Hub, event: Event) {
    match event {
        Event::Tip { disconnected, connected, height, settled } => {
            hub.publish(Topic::Blocks, "tip", &TipEvent { height, connected, disconnected, settled });
        }
        Event::Reorg { report } => {
            let (depth, from, to, fork) = (report.depth(), report.from.into(), report.to.into(), report.fork.into());
            hub.publish(Topic::Blocks, "reorg", &ReorgEvent { depth, from, to, fork });
        }
        Event::Pooled { record } => hub.publish(Topic::Records, "pooled", &PooledEvent { record_id: record }),
        Event::Dropped { record, reason } => {
            hub.publish(Topic::Records, "dropped", &DroppedEvent { record_id: record, reason });
        }
        // About peers and this node alone: the log and the figures have it.
        Event::MinedBlock { .. }
        | Event::WrongNetwork { .. }
        | Event::PeerFault { .. }
        | Event::Warning(_)
        | Event::Fatal(_) => {}
    }
}
