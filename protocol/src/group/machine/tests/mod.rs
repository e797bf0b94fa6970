//! Whole groups of machines over a toy chain, with a network that delivers in order unless told otherwise.

mod chain;
mod early;
mod invitations;
mod life;
mod noise;
mod town;
mod trouble;
