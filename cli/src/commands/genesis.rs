//! `medring genesis`: the file that founds a network.

use crate::context::{Context, now_ms, read_genesis};
use crate::failure::{Exit, Failure, Outcome};
use crate::input;
use crate::output::{Report, Style, quoted, span, utc};
use clap::{Args, Subcommand, ValueEnum};
use medring_protocol::chebyshev::params_check::check_parameters;
use medring_protocol::identity::PublicKeys;
use medring_protocol::limits;
use medring_protocol::params::{GenesisFile, Params, Purpose, Quotas};
use medring_protocol::pow::{CompactTarget, Target};
use medring_protocol::{BlockId, ChainId, ParticipantId};
use serde::Serialize;
use std::path::PathBuf;

/// `medring genesis …`.
#[derive(Subcommand, Debug)]
pub(crate) enum GenesisCommand {
    /// Make a genesis file: the parameters of a new network and its authorities
    New(Box<NewArgs>),
    /// Show the parameters of a network
    Show(FileArgs),
    /// Check a genesis file, its authorities' keys, and the prime the scheme rests on
    Check(FileArgs),
}

/// Which file.
#[derive(Args, Debug)]
pub(crate) struct FileArgs {
    /// The genesis file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// What the network is for.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum PurposeArg {
    /// Real records
    Production,
    /// Tests: mining on demand, fault injection
    Testnet,
    /// Tests, and public parts of policies coarse and paper
    Demo,
}

/// `medring genesis new`.
#[derive(Args, Debug)]
pub(crate) struct NewArgs {
    /// Name of the network: 1 to 32 of a-z, 0-9 and -
    #[arg(long)]
    name: String,
    /// What it is for
    #[arg(long, value_enum, default_value = "production")]
    purpose: PurposeArg,
    /// Card of an authority (`medring key show --card`); give one for each, 1 to 16
    #[arg(long = "authority", value_name = "CARD", required = true)]
    authorities: Vec<PathBuf>,
    /// Where to write the file
    #[arg(long, value_name = "FILE", default_value = "genesis.json")]
    out: PathBuf,
    /// Intended time between blocks, for example 2s or 10m
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration_ms)]
    block_time: u64,
    /// Hashes per block at the start, expected; a laptop's core makes about ten million a second
    #[arg(long, value_name = "HASHES", default_value_t = 1_000_000_000)]
    hashes: u64,
    /// Keep the difficulty as it is instead of following the hash rate
    #[arg(long)]
    no_retarget: bool,
    /// Depth at which a record counts as settled
    #[arg(long, value_name = "BLOCKS", default_value_t = 6)]
    confirmations: u32,
    /// How many heights ahead a record may expire
    #[arg(long, value_name = "HEIGHTS", default_value_t = 1_440)]
    expiry_window: u64,
    /// Record stamps are rounded down to multiples of this
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration_ms)]
    stamp_granularity: u64,
    /// How far a record's stamp may lie from a node's clock
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration_ms)]
    stamp_window: u64,
    /// Bytes an uploader may place in 144 heights
    #[arg(long, value_name = "BYTES", default_value_t = 16 * 1024 * 1024)]
    quota: u64,
    /// Sealed content is padded to a power of two, at least this many bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1024)]
    pad_min: u32,
    /// Stamp of block 0, for example 2026-11-23T08:20:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = input::time_ms)]
    time: Option<u64>,
}

/// `500ms`, `2s`, `10m`, `1h` in milliseconds.
fn duration_ms(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("give a number with ms, s, m or h, for example 2s".into()),
    };
    let ms = number.parse::<u64>().ok().and_then(|n| n.checked_mul(unit_ms));
    ms.filter(|ms| *ms > 0).ok_or_else(|| "give a number above 0 with ms, s, m or h, for example 2s".into())
}

#[derive(Serialize)]
struct GenesisReport {
    file: PathBuf,
    chain_id: ChainId,
    genesis_block: BlockId,
    authorities: Vec<ParticipantId>,
    params: Params,
    #[serde(skip)]
    next: Option<String>,
}

impl Report for GenesisReport {
    fn text(&self, style: Style) -> String {
        let p = &self.params;
        let purpose = serde_json::to_value(p.purpose).ok().and_then(|v| v.as_str().map(str::to_owned));
        let mut out = style.fields(&[
            ("network", format!("{} ({})", style.strong(&p.name), purpose.unwrap_or_default())),
            ("chain id", self.chain_id.to_string()),
            ("block 0", format!("{}, {}", self.genesis_block, utc(p.genesis_time_ms))),
            (
                "between blocks",
                format!("{}{}", span(p.target_spacing_ms), if p.retarget { "" } else { ", not retargeted" }),
            ),
            ("first target", format!("{:#010x}, limit {:#010x}", p.genesis_target.0, p.limit_target.0)),
            ("settled at depth", p.confirmations.to_string()),
            ("expiry", format!("at most {} heights ahead", p.expiry_window_heights)),
            ("stamps", format!("multiples of {}, within {}", span(p.stamp_granularity_ms), span(p.stamp_window_ms))),
            ("padding", format!("powers of two from {} bytes", p.pad_min_bytes)),
        ]);
        self.authorities.iter().for_each(|id| out += &format!("authority         {id}\n"));
        self.next.iter().for_each(|next| out += &format!("\nNext: {next}\n"));
        out
    }
}

fn report(file: PathBuf, genesis: GenesisFile, next: Option<String>) -> GenesisReport {
    let params = genesis.params;
    let authorities = params.authorities.iter().map(PublicKeys::id).collect();
    let (chain_id, genesis_block) = (params.chain_id(), params.genesis().id());
    GenesisReport { file, chain_id, genesis_block, authorities, params, next }
}

pub(super) fn run(command: GenesisCommand, context: &Context) -> Outcome {
    match command {
        GenesisCommand::New(args) => {
            let params = make(&args)?;
            let genesis = GenesisFile::new(params);
            input::write_new(&args.out, genesis.to_json().as_bytes())?;
            let file = quoted(&args.out.display().to_string());
            let next =
                format!("give {file} to everyone who joins; they start with `medring node init --genesis {file}`");
            context.output.report(&report(args.out.clone(), genesis, Some(next)));
            Ok(Exit::Ok)
        }
        GenesisCommand::Show(args) => {
            let genesis = read_genesis(&args.file)?;
            context.output.report(&report(args.file, genesis, None));
            Ok(Exit::Ok)
        }
        GenesisCommand::Check(args) => check(args, context),
    }
}

fn make(args: &NewArgs) -> Outcome<Params> {
    let target = target_for(args.hashes);
    let purpose = match args.purpose {
        PurposeArg::Production => Purpose::Production,
        PurposeArg::Testnet => Purpose::Testnet,
        PurposeArg::Demo => Purpose::Demo,
    };
    let authorities = args.authorities.iter().map(|path| Ok(input::card(path)?.keys)).collect::<Outcome<_>>()?;
    let quota = args.quota;
    let mut params = Params {
        name: args.name.clone(),
        purpose,
        genesis_time_ms: match args.time {
            Some(ms) => ms,
            None => now_ms()?,
        },
        target_spacing_ms: args.block_time,
        genesis_target: target,
        // A network may shrink to a thousandth of what it starts with, and still find blocks.
        limit_target: if purpose == Purpose::Production { target_for(args.hashes / 1024) } else { target_for(2) },
        retarget: !args.no_retarget,
        future_limit_ms: 0,
        stamp_granularity_ms: args.stamp_granularity,
        stamp_window_ms: args.stamp_window,
        expiry_window_heights: args.expiry_window,
        quota_bytes: Quotas { authority: quota, healthcare_center: quota, doctor: quota, patient: quota },
        confirmations: args.confirmations,
        pad_min_bytes: args.pad_min,
        authorities,
    };
    // As far as honest clocks differ, and no further than retargeting bears.
    params.future_limit_ms = (params.tau_ms() / 20).min(120_000);
    params.validate().map_err(|e| Failure::new(Exit::Data, e.to_string()))?;
    Ok(params)
}

/// The target that takes this many hashes, expected: about 2^256 / hashes.
fn target_for(hashes: u64) -> CompactTarget {
    // Long division of 2^256 − 1, byte by byte.
    let (divisor, mut rest, mut target) = (u128::from(hashes.max(2)), 0u128, Target([0; 32]));
    for byte in &mut target.0 {
        rest = rest << 8 | 0xff;
        // rest < divisor · 256, so the quotient is a byte.
        *byte = u8::try_from(rest / divisor).unwrap_or(u8::MAX);
        rest %= divisor;
    }
    target.compact()
}

#[derive(Serialize)]
struct CheckLine {
    name: String,
    passed: bool,
}

#[derive(Serialize)]
struct CheckReport {
    file: PathBuf,
    chain_id: ChainId,
    passed: bool,
    checks: Vec<CheckLine>,
}

impl Report for CheckReport {
    fn text(&self, style: Style) -> String {
        let mut out: String = self.checks.iter().map(|c| style.check(c.passed, &c.name)).collect();
        out += &format!("\nchain id {}\n", self.chain_id);
        out += if self.passed { "All checks passed.\n" } else { "Do not use this file.\n" };
        out
    }
}

fn check(args: FileArgs, context: &Context) -> Outcome {
    let params = read_genesis(&args.file)?.params;
    let line = |name: String, passed| CheckLine { name, passed };
    let mut checks = vec![
        line("the chain id is that of the parameters".into(), true),
        line(format!("every parameter lies within its bounds (a record: {} bytes)", limits::RECORD_BYTES_MAX), true),
    ];
    for keys in &params.authorities {
        let verdict = keys.validate();
        let problem = verdict.err().map_or_else(String::new, |problem| format!(": {problem}"));
        let name = format!("authority {}: both keys lie in their prime-order groups{problem}", keys.id().short());
        checks.push(line(name, verdict.is_ok()));
    }
    checks.extend(check_parameters().into_iter().map(|c| line(c.name.to_owned(), c.passed)));
    let passed = checks.iter().all(|c| c.passed);
    context.output.report(&CheckReport { file: args.file, chain_id: params.chain_id(), passed, checks });
    Ok(if passed { Exit::Ok } else { Exit::NotSo })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit() {
        for (text, ms) in [("500ms", 500), ("2s", 2_000), ("10m", 600_000), ("1h", 3_600_000)] {
            assert_eq!(duration_ms(text), Ok(ms));
        }
        for wrong in ["", "2", "s", "-1s", "0s", "2 s", "99999999999999999999s", "18446744073709551615h", "2d"] {
            assert!(duration_ms(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_target_takes_the_hashes_asked_for() {
        assert_eq!(target_for(2), CompactTarget(0x207f_ffff));
        assert_eq!(target_for(256), CompactTarget(0x2000_ffff));
        assert!(target_for(u64::MAX).decode().is_some());
    }
}
