//! Room 3, the plan: what to encode, how, on which threads. Every refusal happens here.

pub mod batch;
mod carry;
mod colors;
pub mod control;
pub mod crew;
pub mod develop;
mod fit;
pub mod job;
pub mod names;
pub mod packer;
pub mod plan;
pub mod pool;
pub mod sequence;
mod thumbnail;
