//! What happens on the swarm.

use super::super::behaviour::BehaviourEvent;
use super::super::peers::Direction;
use super::{Service, now};
use crate::core::{Event, Input};
use libp2p::swarm::SwarmEvent;
use libp2p::{gossipsub, identify, ping};

impl Service {
    pub(super) fn swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.behaviour_event(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, num_established, .. } => {
                let direction = if endpoint.is_dialer() { Direction::Outbound } else { Direction::Inbound };
                self.bootstrap.linked(peer_id, connection_id);
                self.reaches.linked(&peer_id);
                self.trials.remove(&connection_id);
                if let Some((address, reply)) = self.connects.remove(&connection_id) {
                    self.failures.remove(&address);
                    let _ = reply.send(Ok(peer_id));
                }
                if num_established.get() == 1 {
                    let address = endpoint.get_remote_address().clone();
                    tracing::debug!(%peer_id, %address, ?direction, "linked");
                    let peer = self.peers.add(peer_id, address, direction, (self.now_ms)());
                    self.links.send_replace(self.peers.links());
                    self.backlog.push_back(Input::Connected { peer });
                    self.note_room();
                    if direction == Direction::Inbound {
                        self.make_place();
                    }
                }
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, cause, .. } => {
                tracing::debug!(%peer_id, ?cause, "unlinked");
                self.bootstrap.unlinked(peer_id, now());
                let Some(peer) = self.peers.remove(&peer_id) else { return };
                self.requests.forget(peer);
                self.topics.left(&peer_id, &mut self.swarm.behaviour_mut().gossip);
                self.ear.forget(&peer_id).into_iter().for_each(|gossip| self.lost(gossip));
                self.links.send_replace(self.peers.links());
                self.backlog.push_back(Input::Disconnected { peer });
                self.book.seen(&peer_id, (self.now_ms)());
                self.note_room();
                self.answer_isolated();
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => self.dial_failed(connection_id, &error),
            SwarmEvent::NewListenAddr { listener_id, address } => {
                tracing::info!(%address, "listening");
                if let Some((_, addresses)) = self.listeners.iter_mut().find(|(id, _)| *id == listener_id) {
                    addresses.push(address);
                }
                if self.listeners.iter().all(|(_, addresses)| !addresses.is_empty())
                    && let Some(ready) = self.ready.take()
                {
                    let _ = ready.send(self.listeners.iter().flat_map(|(_, addresses)| addresses.clone()).collect());
                }
            }
            SwarmEvent::ListenerClosed { addresses, reason, .. } => {
                let warning = format!("no longer listening on {addresses:?}: {reason:?}; restart the node");
                let _ = self.events.send(Event::Warning(warning));
            }
            _ => {}
        }
    }

    fn behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Gossip(gossipsub::Event::Message { propagation_source, message_id, message }) => {
                self.gossip_message(propagation_source, message_id, message);
            }
            BehaviourEvent::Status(event) => self.status_event(event),
            BehaviourEvent::Sync(event) => self.sync_event(event),
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                self.identified(peer_id, &info)
            }
            BehaviourEvent::Kad(event) => self.kad_event(event),
            BehaviourEvent::Mdns(event) => self.mdns_event(event),
            BehaviourEvent::Ping(ping::Event { peer, result: Ok(rtt), .. }) => {
                if let Some(state) = self.peers.get_mut(&peer) {
                    let rtt_us = u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX);
                    state.usage.ping_us = Some(state.usage.ping_us.map_or(rtt_us, |best| best.min(rtt_us)));
                }
            }
            BehaviourEvent::Ping(ping::Event { result: Err(ping::Failure::Unsupported), .. }) => {}
            BehaviourEvent::Ping(ping::Event { connection, result: Err(_), .. }) => {
                // A dead link; `ConnectionClosed` follows.
                self.swarm.close_connection(connection);
            }
            _ => {}
        }
    }
}
