//! What each fuzz target of the node does with its bytes; see `protocol/fuzz/bodies` for the way of working.

mod admission;
mod files;
mod network;

/// What a target does with its bytes.
type Body = fn(&[u8]);

/// Name and body of every target. Each name is a file of `fuzz_targets/` and a folder of `seeds/`.
pub(crate) const TARGETS: &[(&str, Body)] = &[
    ("admission", admission::admission),
    ("config", files::config),
    ("keystore", files::keystore),
    ("ceremony", files::ceremony),
    ("node_file", files::node_file),
    ("ring_frame", files::ring_frame),
];

/// Runs the target of this name.
pub(crate) fn run(name: &str, data: &[u8]) {
    let (_, body) = TARGETS.iter().find(|(target, _)| *target == name).expect("a target of the table");
    body(data);
}
