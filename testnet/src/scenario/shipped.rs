//! The scenarios that come with medring, by name.

use super::file::Scenario;

/// Name and text of each.
pub const SHIPPED: &[(&str, &str)] = &[
    ("eclipse", include_str!("../../scenarios/eclipse.toml")),
    ("fork-race", include_str!("../../scenarios/fork-race.toml")),
    ("forward-dated", include_str!("../../scenarios/forward-dated.toml")),
    ("liar", include_str!("../../scenarios/liar.toml")),
    ("long-partition", include_str!("../../scenarios/long-partition.toml")),
    ("mixed-versions", include_str!("../../scenarios/mixed-versions.toml")),
    ("majority-rejoin", include_str!("../../scenarios/majority-rejoin.toml")),
];

/// The shipped scenario of that name.
pub fn shipped(name: &str) -> Option<Scenario> {
    let (name, text) = SHIPPED.iter().find(|(known, _)| *known == name)?;
    // A test reads them all.
    Scenario::parse(name, text).ok()
}
