//! How a node treats others: honestly, or in a way that others must survive.

use crate::core::{Output, Topic, Verdict};
use medring_protocol::BlockId;
use medring_protocol::block::Block;
use medring_protocol::pow::Work;
use medring_protocol::wire::{Response, Status};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a node treats others. Its own core is honest in each case: what it says is changed on the way out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    /// By the rules.
    #[default]
    Honest,
    /// Headers are true, bodies are not: a block that has records leaves with one of them missing. Compact blocks do not leave,
    /// for others could complete them by themselves.
    Liar,
    /// Takes links and says that it knows nothing: what an attacker does who holds all links of a victim.
    Silent,
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Honest => "honest",
            Self::Liar => "a liar",
            Self::Silent => "silent",
        })
    }
}

impl Behaviour {
    /// What becomes of an output of the core; `None`: it does not leave.
    pub fn twist(self, output: Output) -> Option<Output> {
        match self {
            Self::Honest => Some(output),
            Self::Liar => lie(output),
            Self::Silent => hush(output),
        }
    }
}

fn lie(output: Output) -> Option<Output> {
    Some(match output {
        Output::Publish { topic: Topic::CompactBlocks, .. } => return None,
        Output::Respond { peer, id, response: Response::BlockRecords(mut records) } => {
            records.pop();
            Output::Respond { peer, id, response: Response::BlockRecords(records) }
        }
        Output::Respond { peer, id, response: Response::Blocks(mut blocks) } => {
            blocks.iter_mut().for_each(spoil);
            Output::Respond { peer, id, response: Response::Blocks(blocks) }
        }
        Output::Publish { topic: Topic::Blocks, bytes } => {
            let spoilt = Block::decode(&bytes).map(|mut block| {
                spoil(&mut block);
                block.encode()
            });
            Output::Publish { topic: Topic::Blocks, bytes: spoilt.unwrap_or(bytes) }
        }
        honest => honest,
    })
}

/// Another body under the same header: its root is wrong.
fn spoil(block: &mut Block) {
    block.records.pop();
}

fn hush(output: Output) -> Option<Output> {
    match output {
        Output::SendStatus { peer, status } => {
            let status = Status { tip: BlockId([0; 32]), height: 0, work: Work::default(), ..status };
            Some(Output::SendStatus { peer, status })
        }
        Output::Respond { peer, id, response } => Some(Output::Respond { peer, id, response: empty(&response) }),
        Output::Verdict { message, verdict: Verdict::Accept } => {
            Some(Output::Verdict { message, verdict: Verdict::Ignore })
        }
        Output::Publish { .. } => None,
        other => Some(other),
    }
}

fn empty(response: &Response) -> Response {
    match response {
        Response::Headers(_) => Response::Headers(Vec::new()),
        Response::Blocks(_) => Response::Blocks(Vec::new()),
        Response::Pool(_) => Response::Pool(Vec::new()),
        Response::Records(_) => Response::Records(Vec::new()),
        Response::BlockRecords(_) => Response::BlockRecords(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{MessageId, Peer, RequestId};
    use medring_protocol::testkit::Kit;

    /// A block with one record.
    fn block() -> Block {
        let kit = Kit::new(1);
        kit.block(&kit.params.genesis(), vec![kit.enrol_all(0)], 1)
    }

    fn answer(blocks: Vec<Block>) -> Output {
        Output::Respond { peer: Peer(1), id: RequestId(2), response: Response::Blocks(blocks) }
    }

    #[test]
    fn a_liars_bodies_do_not_belong_to_their_headers() {
        let block = block();
        let told = Behaviour::Liar.twist(answer(vec![block.clone()]));
        let Some(Output::Respond { response: Response::Blocks(blocks), .. }) = told else { panic!("{told:?}") };
        assert_eq!((blocks[0].header, blocks[0].records.len() + 1), (block.header, block.records.len()));
        let told = Behaviour::Liar.twist(Output::Publish { topic: Topic::Blocks, bytes: block.encode() });
        let Some(Output::Publish { bytes, .. }) = told else { panic!("{told:?}") };
        assert_eq!(Block::decode(&bytes).unwrap(), blocks[0]);
        let honest = Behaviour::Honest.twist(answer(vec![block.clone()]));
        assert!(
            matches!(honest, Some(Output::Respond { response: Response::Blocks(blocks), .. }) if blocks == [block])
        );
    }

    #[test]
    fn a_silent_node_passes_nothing_on() {
        let block = block();
        let told = Behaviour::Silent.twist(answer(vec![block.clone()]));
        assert!(matches!(told, Some(Output::Respond { response: Response::Blocks(blocks), .. }) if blocks.is_empty()));
        assert!(Behaviour::Silent.twist(Output::Publish { topic: Topic::Blocks, bytes: block.encode() }).is_none());
        let verdict = Output::Verdict { message: MessageId(1), verdict: Verdict::Accept };
        let told = Behaviour::Silent.twist(verdict);
        assert!(matches!(told, Some(Output::Verdict { verdict: Verdict::Ignore, .. })));
    }
}
