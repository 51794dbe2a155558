//! Foresight: see what a noisy state could still become.
// wgpu's types are nested deeply: whether the engine's worker may go to its thread is a long question.
#![recursion_limit = "256"]
#![doc = include_str!("ARCHITECTURE.md")]

pub mod checkpoint;
pub mod cli;
pub mod engine;
pub mod gpu;
pub mod lookahead;
pub mod metrics;
pub mod mixture;
pub mod model;
pub mod process;
pub mod render;
pub mod reward;
pub mod session;
pub mod steer;
pub mod train;
pub mod ui;
