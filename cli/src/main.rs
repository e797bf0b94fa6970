//! The medring command.
fn main() {}
