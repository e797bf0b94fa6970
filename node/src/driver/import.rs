//! A chain file into the store of a node that does not run: verified, not trusted (docs/spec/chain-file.md).
//!
//! The file is read twice: first its frames, checksums and headers, before anything is changed; then block by block through
//! the core of a node, which checks every rule. What is there already is passed over, so an import that was broken off is
//! taken up by the same command.

use super::folder::Folder;
use super::start::{open_store, read_genesis};
use super::{StartError, clock};
use crate::config::Config;
use crate::core::{CoreConfig, ImportRefusal, Imported, NodeCore};
use medring_protocol::block::{Block, Header};
use medring_protocol::chain::file::{FileError, Reader};
use medring_protocol::params::Params;
use medring_protocol::{BlockId, ChainId};
use medring_storage::Engine;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// What an import did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportReport {
    /// The chain.
    pub chain_id: ChainId,
    /// The last block of the file.
    pub file_tip: BlockId,
    /// Its height.
    pub file_height: u64,
    /// Blocks checked and stored.
    pub new_blocks: u64,
    /// Their records.
    pub new_records: u64,
    /// Blocks that were there already.
    pub known_blocks: u64,
    /// Where the best chain ends now. Another than the file's, if this node knew a chain with more work.
    pub tip: BlockId,
    /// Its height.
    pub height: u64,
}

/// Why a chain file is not imported, or not to its end. Blocks stored before stay: they are good.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Folder, genesis file or store do not open.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The file cannot be opened.
    #[error("cannot read it: {0}")]
    Open(std::io::Error),
    /// It is no chain file, or a damaged one. Nothing was imported.
    #[error("{0}")]
    File(#[from] FileError),
    /// It holds another chain. Nothing was imported.
    #[error(
        "it holds network {:?}, chain {theirs}; this node's genesis file describes chain {ours}. Import it into a data folder \
         prepared with that network's genesis file", .name
    )]
    WrongChain {
        /// Of the genesis file.
        ours: ChainId,
        /// Of the chain file.
        theirs: ChainId,
        /// The name in the chain file.
        name: String,
    },
    /// It does not end where it should. Nothing was imported.
    #[error("it ends in block {found} at height {height} and not in {wanted}: ask for the tip, or the file, again")]
    Tip {
        /// What was asked for.
        wanted: BlockId,
        /// What it ends in.
        found: BlockId,
        /// At which height.
        height: u64,
    },
    /// A block of it is not taken.
    #[error("{0}; the blocks before it are good and stay")]
    Block(#[from] ImportRefusal),
}

impl ImportError {
    /// The process's exit code: sysexits, see docs/cli.md.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Start(error) => error.exit_code(),
            Self::Open(error) if error.kind() == std::io::ErrorKind::NotFound => 66,
            Self::Open(_) | Self::File(FileError::Io(_)) | Self::Block(ImportRefusal::Storage(_)) => 74,
            Self::File(FileError::Trailer { .. }) | Self::Tip { .. } | Self::Block(_) => 1,
            Self::File(_) => 65,
            Self::WrongChain { .. } => 76,
        }
    }
}

/// What the frames of a file say, before any rule is checked.
struct Survey {
    headers: Vec<Header>,
    tip: BlockId,
}

fn survey(path: &Path, params: &Params) -> Result<Survey, ImportError> {
    let mut reader = Reader::new(BufReader::new(File::open(path).map_err(ImportError::Open)?))?;
    let (ours, theirs) = (params.chain_id(), reader.params().chain_id());
    if ours != theirs {
        return Err(ImportError::WrongChain { ours, theirs, name: reader.params().name.clone() });
    }
    let mut headers = Vec::new();
    while let Some(block) = reader.next_block()? {
        headers.push(block.header);
    }
    let tip = headers.last().map_or_else(|| params.genesis().id(), Header::id);
    Ok(Survey { headers, tip })
}

/// Imports a chain file into the data folder of `config`, whose node must not run. Tells `progress` how many blocks are done,
/// of how many. Blocks on the disk and on checking signatures.
pub fn import(
    config: &Config,
    path: &Path,
    wanted: Option<BlockId>,
    progress: impl FnMut(u64, u64),
) -> Result<ImportReport, ImportError> {
    // A node that runs is told of before anything that takes time; a folder that is not there is not made for a bad file.
    let there = config.data_dir.is_dir().then(|| Folder::open(&config.data_dir)).transpose()?;
    let params = read_genesis(&config.genesis)?;
    let Survey { headers, tip } = survey(path, &params)?;
    let height = u64::try_from(headers.len()).unwrap_or(u64::MAX);
    if let Some(wanted) = wanted.filter(|wanted| *wanted != tip) {
        return Err(ImportError::Tip { wanted, found: tip, height });
    }
    let folder = there.map_or_else(|| Folder::open(&config.data_dir), Ok)?;
    let (_, store) = open_store(&folder, &params)?;
    let core = NodeCore::new(CoreConfig::new(params.clone()), store, clock::now_ms()).map_err(StartError::from)?;
    let mut reader = Reader::new(BufReader::new(File::open(path).map_err(ImportError::Open)?))?;
    let blocks = std::iter::from_fn(|| reader.next_block().map_err(ImportError::from).transpose());
    let mut report = ImportReport {
        chain_id: params.chain_id(),
        file_tip: tip,
        file_height: height,
        new_blocks: 0,
        new_records: 0,
        known_blocks: 0,
        tip,
        height: 0,
    };
    take_in(core, &headers, blocks, &mut report, progress)?;
    Ok(report)
}

/// Every block through the core; then on the disk for good, also after an error.
fn take_in<E: Engine>(
    mut core: NodeCore<E>,
    headers: &[Header],
    blocks: impl Iterator<Item = Result<Block, ImportError>>,
    report: &mut ImportReport,
    mut progress: impl FnMut(u64, u64),
) -> Result<(), ImportError> {
    let mut rng = clock::os_rng();
    let all = || -> Result<(), ImportError> {
        core.import_headers(clock::now_ms(), headers).map_err(ImportRefusal::from)?;
        for block in blocks {
            let block = block?;
            let records = u64::try_from(block.records.len()).unwrap_or(u64::MAX);
            match core.import_block(clock::now_ms(), block, &mut rng)? {
                Imported::Known => report.known_blocks += 1,
                Imported::New => {
                    (report.new_blocks, report.new_records) = (report.new_blocks + 1, report.new_records + records)
                }
            }
            progress(report.known_blocks + report.new_blocks, report.file_height);
        }
        Ok(())
    };
    let done = all();
    let finished = core.finish_import().map_err(|error| ImportError::Block(error.into()));
    done?;
    (report.tip, report.height) = finished?;
    Ok(())
}
