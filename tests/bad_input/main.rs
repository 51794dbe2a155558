//! Nothing that a file contains may panic, hang or exhaust memory, and every refusal says where, why and what to do.
//!
//! `fuzz`: 13,000 damaged files of all kinds; `data`: damaged data sets and transformers; `torch`: PyTorch files, sound
//! and damaged. `named`: one test for each kind of damage that a person is likely to meet.

mod damage;
mod data;
mod files;
mod fuzz;
mod memory;
mod named;
mod torch;
mod torch_file;

/// Memory that any reader may take at its peak, beside the file's own size times [`MEMORY_FACTOR`].
const MEMORY_BASE: usize = 512 << 10;
/// The text of a card becomes a tree, and growing vectors double: both cost a few times the text.
const MEMORY_FACTOR: usize = 24;
