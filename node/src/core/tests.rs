//! Cores wired by hand.
