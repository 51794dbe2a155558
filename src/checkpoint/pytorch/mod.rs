//! PyTorch files, read without running anything: what `torch.save` writes is a pickle, a program for a small machine
//! that may ask Python for any function. This one knows the few that tensors need and refuses the rest by name.
//!
//! Two formats: a zip with `data.pkl` and one stored entry for each storage (since PyTorch 1.6), and before that
//! pickles one after the other with the storages behind them. Both end as the same list of [`TensorEntry`] as
//! safetensors, with ranges that count from the start of the file.

mod archive;
mod calls;
mod globals;
mod machine;
mod old;
mod pickle;
mod plain;
mod tensors;
mod values;

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};

use super::header::{Header, TensorEntry};
use machine::Pickle;
pub use plain::number_lists;

/// The longest pickle that is read, in bytes; one tensor takes about a hundred.
const MAX_PICKLE_BYTES: u64 = 64 << 20;

/// Why a PyTorch file was refused. The path is added by who knows it.
#[derive(Debug, thiserror::Error)]
pub enum PyTorchError {
    /// The system could not read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The pickle asks for what is no part of a tensor.
    #[error(
        "its pickle asks for {0}, which no tensor needs and which is never run. Save the weights alone, with torch.save(model.state_dict(), \"NAME.pt\") or safetensors.torch.save_file"
    )]
    Foreign(String),
    /// Sound perhaps, but of a form that is not read; with what to do.
    #[error("{0}. Write it again with torch.save(model.state_dict(), \"NAME.pt\")")]
    Form(String),
    /// Does not hold together.
    #[error("{0}. The file is damaged or was cut off: fetch it again")]
    Damaged(String),
}

impl PyTorchError {
    fn damaged(reason: impl Into<String>) -> Self {
        Self::Damaged(reason.into())
    }
}

/// Which of PyTorch's formats a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A zip.
    Zip,
    /// Pickles and storages one after the other.
    Old,
}

impl Format {
    /// Told by a file's first bytes; `None` for everything else.
    pub fn of(start: &[u8]) -> Option<Self> {
        if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
            Some(Self::Zip)
        } else if start.starts_with(old::MAGIC) {
            Some(Self::Old)
        } else {
            None
        }
    }
}

/// Lists the tensors of a file of `bytes` bytes.
///
/// # Errors
/// On anything that does not hold together, and on everything that is no tensor. Sizes are checked before memory is
/// taken for them.
pub fn read(
    file: &mut (impl Read + Seek),
    bytes: u64,
    format: Format,
) -> Result<Header, PyTorchError> {
    let tensors = match format {
        Format::Zip => archive::read(file, bytes)?,
        Format::Old => old::read(file, bytes)?,
    };
    Ok(Header {
        tensors,
        metadata: BTreeMap::new(),
        data_start: 0,
    })
}

/// `count` bytes from `start` on, which must lie in the file.
fn read_at(file: &mut (impl Read + Seek), start: u64, count: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    // Grows with what is really there, so that a count that lies costs nothing.
    file.take(count).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < count {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

/// The tensors of a pickle whose storages lie where `place` says.
fn listed(
    pickle: &Pickle<'_>,
    place: &mut dyn FnMut(&str, u64) -> Result<u64, PyTorchError>,
) -> Result<Vec<TensorEntry>, PyTorchError> {
    tensors::list(pickle, place)
}
