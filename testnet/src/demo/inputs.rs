//! What the demo shows: a bundle per patient and a recording of vital signs; the committed samples, or anyone's own files.

use medring_node::wallet::{FileError, files};
use medring_protocol::fhir::{BUNDLE_BYTES_MAX, Bundle};
use medring_protocol::vitals::{CSV_BYTES_MAX, Layout, Recording};
use std::path::{Path, PathBuf};

/// Why a file cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The file or folder cannot be read, or is too large.
    #[error(transparent)]
    Io(#[from] FileError),
    /// Not what was expected.
    #[error("{file}: {problem}")]
    File {
        /// Which.
        file: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A folder without bundles.
    #[error("{0} holds no FHIR bundle (*.json); name a file or another folder with --bundle")]
    Empty(String),
}

/// One patient's records-to-be.
#[derive(Debug)]
pub struct PatientInput {
    /// The file's name without its ending; never printed where health data is not.
    pub file: String,
    /// The whole bundle.
    pub bundle: Bundle,
}

/// Everything the demo shows.
#[derive(Debug)]
pub struct Inputs {
    /// One or more patients.
    pub patients: Vec<PatientInput>,
    /// One recording; each patient's PHR is made from it.
    pub vitals: Recording,
    /// Where the bundles come from, for the summary.
    pub bundles_from: String,
    /// Where the recording comes from.
    pub vitals_from: String,
}

/// A committed sample: name and bytes. Made by the PyPI packages carebundle and heartpy; see testnet/samples/README.md.
const SAMPLE_BUNDLE: (&str, &[u8]) =
    ("type2_diabetes-6-0000", include_bytes!("../../samples/fhir/type2_diabetes-6-0000.json"));
const SAMPLE_VITALS: (&str, &[u8]) =
    ("pulse_heartpy_1min.csv", include_bytes!("../../samples/vitals/pulse_heartpy_1min.csv"));

fn sample() -> Result<PatientInput, InputError> {
    let (file, bytes) = SAMPLE_BUNDLE;
    let bundle = Bundle::parse(bytes).map_err(|e| InputError::File { file: file.into(), problem: e.to_string() })?;
    Ok(PatientInput { file: file.into(), bundle })
}

/// The bundles of a file, or of every `*.json` of a folder but an index of it, by name.
fn patients(path: &Path) -> Result<Vec<PatientInput>, InputError> {
    let name = |p: &Path| p.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    // One byte more than the limit, so that the parser says what is wrong.
    let read = |p: &Path| {
        let bytes = files::read_limited(p, BUNDLE_BYTES_MAX + 1)?;
        let bundle = Bundle::parse(&bytes)
            .map_err(|e| InputError::File { file: p.display().to_string(), problem: e.to_string() })?;
        Ok(PatientInput { file: name(p), bundle })
    };
    if !path.is_dir() {
        return Ok(vec![read(path)?]);
    }
    let entries = std::fs::read_dir(path).map_err(FileError::reading(path))?;
    let mut files: Vec<PathBuf> = entries.filter_map(Result::ok).map(|e| e.path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "json") && !name(p).eq_ignore_ascii_case("index"));
    files.sort();
    if files.is_empty() {
        return Err(InputError::Empty(path.display().to_string()));
    }
    files.iter().map(|p| read(p)).collect()
}

impl Inputs {
    /// From `--bundle FILE|DIR` and `--vitals FILE` with what its columns are, each the committed sample if absent.
    /// `start_ms`: when the recording is said to start.
    pub fn load(bundle: Option<&Path>, recording: Option<(&Path, &Layout)>, start_ms: u64) -> Result<Self, InputError> {
        let patients = match bundle {
            Some(path) => patients(path)?,
            None => vec![sample()?],
        };
        let vitals = match recording {
            Some((path, columns)) => {
                let csv = files::read_limited(path, CSV_BYTES_MAX + 1)?;
                Recording::from_csv(&csv, columns, start_ms).map_err(|e| (path.display().to_string(), e))
            }
            None => Recording::from_csv(SAMPLE_VITALS.1, &Layout::default(), start_ms)
                .map_err(|e| (SAMPLE_VITALS.0.to_string(), e)),
        };
        let vitals = vitals.map_err(|(file, e)| InputError::File { file, problem: e.to_string() })?;
        let named = |path: Option<&Path>, sample: &str| {
            path.map_or_else(|| format!("{sample}, a committed sample"), |p| p.display().to_string())
        };
        let (bundles_from, vitals_from) =
            (named(bundle, SAMPLE_BUNDLE.0), named(recording.map(|(path, _)| path), SAMPLE_VITALS.0));
        Ok(Self { patients, vitals, bundles_from, vitals_from })
    }
}
