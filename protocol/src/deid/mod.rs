//! What of a record may be public: m is made here by policy, and checked against a closed list on its way out
//! (docs/spec/deid.md).

mod check;
mod coarse;
mod identifying;
mod paper;

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde_json::{Map, Value};

pub use check::check_public;
pub use identifying::identifying_strings;

use crate::{fhir::Bundle, record::Kind, vitals::Recording};

/// Version of the schema of m; stands in every m as `v`.
pub const SCHEMA_VERSION: u64 = 1;

/// Said whenever a record is made under [`Policy::Paper`].
pub const PAPER_WARNING: &str = "WARNING: policy `paper` publishes findings, conditions and advice in clear to everyone, for ever. \
                                 It is for demonstration with synthetic data only.";

/// The kinds of record that carry health data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PublicKind {
    /// Electronic health record.
    Ehr,
    /// Electronic medical record.
    Emr,
    /// Personal health record.
    Phr,
    /// Aggregated personal health record.
    Aphr,
}

impl PublicKind {
    /// The kind of a record that carries health data; None for the others, whose m is their payload.
    pub const fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Ehr => Some(Self::Ehr),
            Kind::Emr => Some(Self::Emr),
            Kind::Phr => Some(Self::Phr),
            Kind::Aphr => Some(Self::Aphr),
            Kind::EpochCommit | Kind::Enrol | Kind::Revoke | Kind::AuthorityUpdate => None,
        }
    }

    /// The kind as m names it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Ehr => "EHR",
            Self::Emr => "EMR",
            Self::Phr => "PHR",
            Self::Aphr => "APHR",
        }
    }
}

/// A field of m that policy `coarse` may add when the user opts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// `age_band`: the patient's age in tens of years, `90+` at the end.
    AgeBand,
    /// `categories`: which rows of Table 1 have entries; `icd10`: chapters of ICD-10, where codes are of ICD-10.
    Categories,
    /// `year`: the year of the newest entry.
    Year,
    /// `stats`: minimum, mean and maximum of each vital sign to the nearest 5, coverage to the nearest 10 %. PHR on
    /// demo chains only.
    WindowStats,
}

impl Field {
    /// Every field.
    pub const ALL: [Self; 4] = [Self::AgeBand, Self::Categories, Self::Year, Self::WindowStats];

    /// The field's name in a policy, for example `age_band`.
    pub const fn text(self) -> &'static str {
        match self {
            Self::AgeBand => "age_band",
            Self::Categories => "categories",
            Self::Year => "year",
            Self::WindowStats => "window_stats",
        }
    }
}

/// How much of a record is public.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Kind and schema version.
    #[default]
    Minimal,
    /// And these fields, each chosen by the user.
    Coarse(BTreeSet<Field>),
    /// The paper's m: physiological information, condition and advice. Demo chains only.
    Paper,
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Minimal => f.write_str("minimal"),
            Self::Coarse(fields) => {
                let names: Vec<_> = fields.iter().map(|f| f.text()).collect();
                write!(f, "coarse:{}", names.join(","))
            }
            Self::Paper => f.write_str("paper"),
        }
    }
}

/// `minimal`, `paper`, or `coarse:` and the fields opted in, for example `coarse:age_band,year`.
impl FromStr for Policy {
    type Err = DeidError;
    fn from_str(text: &str) -> Result<Self, DeidError> {
        let unknown = || DeidError::UnknownPolicy { got: text.chars().take(40).collect() };
        match text {
            "minimal" => Ok(Self::Minimal),
            "paper" => Ok(Self::Paper),
            _ => {
                let fields = text.strip_prefix("coarse:").ok_or_else(unknown)?.split(',');
                let field = |name: &str| Field::ALL.into_iter().find(|f| f.text() == name).ok_or_else(unknown);
                Ok(Self::Coarse(fields.map(field).collect::<Result<_, _>>()?))
            }
        }
    }
}

/// What a record is made from.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A FHIR bundle.
    Bundle(&'a Bundle),
    /// A recording of vital signs.
    Vitals(&'a Recording),
    /// Nothing to take public facts from.
    Nothing,
}

/// A record's public part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicPart {
    /// m: canonical JSON (members sorted, no white space, integers only).
    pub bytes: Vec<u8>,
    /// What the user has to be told, loudly.
    pub warning: Option<&'static str>,
}

/// Why something may not be public. The offending value is never quoted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeidError {
    /// The text of a policy.
    #[error(
        "{got:?} is no policy; choose minimal, paper, or coarse: followed by any of age_band, categories, year, window_stats"
    )]
    UnknownPolicy {
        /// What was given.
        got: String,
    },
    /// Allowed on demo chains only.
    #[error(
        "{what} is allowed on demo chains only, and this chain's genesis does not say it is one; use policy minimal"
    )]
    DemoOnly {
        /// The policy, or the field and kind.
        what: &'static str,
    },
    /// A field that does not go with the kind of record.
    #[error("window_stats goes with a PHR of vital signs, not with {kind}; leave it out")]
    NoStats {
        /// The kind.
        kind: &'static str,
    },
    /// m is larger than a public part may be.
    #[error("the public part is {got} bytes and the limit is {limit}; opt in to fewer fields")]
    TooLarge {
        /// Bytes.
        got: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// m is not canonical JSON.
    #[error(
        "the public part is not canonical JSON (one object, members sorted, no white space); make it with public_part"
    )]
    NotCanonical,
    /// m has a member that the policy does not list.
    #[error("the public part has a field the policy does not allow ({field}); nothing outside the list may be public")]
    Unlisted {
        /// The field's name if it is on the list of another policy, otherwise `unknown`.
        field: &'static str,
    },
    /// m lacks a member, or one has a value outside its closed list.
    #[error(
        "the public field {field} is missing or has a value outside what docs/spec/deid.md lists; make m with public_part"
    )]
    Value {
        /// The field.
        field: &'static str,
    },
}

/// The public part of a record of `kind` by `policy`, checked by [`check_public`] before it is handed out.
///
/// `is_demo_chain` comes from the chain's genesis. Facts that the input does not hold are left out.
pub fn public_part(
    kind: PublicKind,
    policy: &Policy,
    input: Input<'_>,
    is_demo_chain: bool,
) -> Result<PublicPart, DeidError> {
    let mut m = Map::new();
    m.insert("kind".to_owned(), kind.text().into());
    m.insert("v".to_owned(), SCHEMA_VERSION.into());
    let warning = match policy {
        Policy::Minimal => None,
        Policy::Coarse(fields) => {
            m.insert("policy".to_owned(), "coarse".into());
            m.extend(fields.iter().flat_map(|&f| coarse::members(f, input)));
            None
        }
        Policy::Paper => {
            m.insert("policy".to_owned(), "paper".into());
            m.extend(paper::members(input));
            Some(PAPER_WARNING)
        }
    };
    let bytes = Value::Object(m).to_string().into_bytes();
    check_public(kind, &bytes, policy, is_demo_chain)?;
    Ok(PublicPart { bytes, warning })
}
