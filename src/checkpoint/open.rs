//! Opening model files: what kind it is, and our own, with nothing taken on trust.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use super::decode::floats;
use super::header::Header;
use super::limits::{MAX_CARD_BYTES, MAX_FILE_BYTES, layer_shapes};
use super::pytorch;
use super::{Architecture, Checkpoint, CheckpointCard, CheckpointError, ModelKind};
use crate::mixture::shortened;
use crate::model::DenseLayer;

/// The key of the header's metadata that holds the card.
pub const CARD_KEY: &str = "foresight";

/// A file that is there, is a file and is not empty.
pub struct OpenFile {
    /// At its first byte.
    pub file: File,
    /// Its size.
    pub bytes: u64,
    /// Its path, for messages.
    pub path: String,
    /// PyTorch's format, if it is one of its files; all others are taken for safetensors.
    pub pytorch: Option<pytorch::Format>,
    /// What its first bytes look like, if it turns out to be neither.
    seems: Option<&'static str>,
}

/// What a file starts like that is no model, and what may have happened.
fn seems(start: &[u8]) -> Option<&'static str> {
    // A safetensors file starts with a length whose last bytes are zero.
    let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t');
    match start {
        [0x80, 2..=5, ..] => Some(
            "a Python pickle that torch.save did not write, and which is never run. Save the weights alone, with torch.save(model.state_dict(), \"NAME.pt\")",
        ),
        _ if start.len() >= 16 && start[..16].iter().all(is_text) => Some(
            "text, perhaps a web page or a pointer that was saved in its place: fetch the model itself",
        ),
        _ => None,
    }
}

impl OpenFile {
    /// Opens `path` and looks at its first bytes.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let name = path.display().to_string();
        let io = |source| CheckpointError::Io {
            path: name.clone(),
            source,
        };
        let metadata = std::fs::metadata(path).map_err(io)?;
        if !metadata.is_file() {
            return Err(CheckpointError::NotAFile { path: name });
        }
        let mut file = File::open(path).map_err(io)?;
        let mut start = Vec::with_capacity(256);
        file.by_ref()
            .take(256)
            .read_to_end(&mut start)
            .map_err(io)?;
        file.rewind().map_err(io)?;
        if start.is_empty() {
            return Err(CheckpointError::Empty { path: name });
        }
        Ok(Self {
            pytorch: pytorch::Format::of(&start),
            seems: seems(&start),
            file,
            bytes: metadata.len(),
            path: name,
        })
    }

    /// All bytes of a file that is small enough to be a model, and is not PyTorch's.
    pub fn read_all(mut self) -> Result<Vec<u8>, CheckpointError> {
        if self.pytorch.is_some() {
            return Err(CheckpointError::NotOurs { path: self.path });
        }
        if self.bytes > MAX_FILE_BYTES {
            // What the header says is the better message, if it says anything.
            self.header()?;
            return Err(CheckpointError::TooLarge {
                path: self.path,
                bytes: self.bytes,
            });
        }
        let mut bytes = Vec::with_capacity(self.bytes as usize);
        // The file may grow while it is read: never more than was announced.
        self.file
            .take(self.bytes)
            .read_to_end(&mut bytes)
            .map_err(|source| CheckpointError::Io {
                path: self.path,
                source,
            })?;
        Ok(bytes)
    }

    /// The header alone.
    pub fn header(&mut self) -> Result<Header, CheckpointError> {
        if let Some(format) = self.pytorch {
            let read = pytorch::read(&mut self.file, self.bytes, format);
            return read.map_err(|source| CheckpointError::PyTorch {
                path: self.path.clone(),
                source,
            });
        }
        let path = || self.path.clone();
        Header::read(&mut self.file, self.bytes).map_err(|source| match self.seems {
            Some(what) => CheckpointError::NoModel { path: path(), what },
            None => CheckpointError::Header {
                path: path(),
                source,
            },
        })
    }
}

/// Refuses empty files and PyTorch's.
fn look_at_the_start(start: &[u8], name: &str) -> Result<(), CheckpointError> {
    let path = name.to_owned();
    if start.is_empty() {
        return Err(CheckpointError::Empty { path });
    }
    if pytorch::Format::of(start).is_some() {
        return Err(CheckpointError::NotOurs { path });
    }
    Ok(())
}

/// The card in a header; `None` where there is none, as in other programs' files.
pub fn card(header: &Header, name: &str) -> Option<Result<CheckpointCard, CheckpointError>> {
    let text = header.metadata.get(CARD_KEY)?;
    Some(parse_card(text, name))
}

fn parse_card(text: &str, name: &str) -> Result<CheckpointCard, CheckpointError> {
    #[derive(serde::Deserialize)]
    struct Format {
        format: u32,
    }
    let damaged = |reason: String| CheckpointError::Card {
        path: name.to_owned(),
        reason: shortened(&reason, 400),
    };
    if text.len() > MAX_CARD_BYTES {
        return Err(damaged(format!(
            "it has {} bytes, {MAX_CARD_BYTES} are the most",
            text.len()
        )));
    }
    // First, so that a later format is not called damaged.
    let Format { format } = serde_json::from_str(text).map_err(|e| damaged(e.to_string()))?;
    if format != 1 {
        return Err(CheckpointError::Format {
            path: name.to_owned(),
            found: format,
        });
    }
    serde_json::from_str(text).map_err(|e| damaged(e.to_string()))
}

impl Checkpoint {
    /// Reads a model file of at most 128 MiB.
    ///
    /// # Errors
    /// On anything that does not hold together, with the path, the cause and what to do. Sizes are checked before
    /// memory is taken for them, and PyTorch files are recognised and refused.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        let open = OpenFile::open(path)?;
        let name = open.path.clone();
        Self::from_bytes(&open.read_all()?, &name)
    }

    /// Reads a model from memory; `name` stands in messages.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn from_bytes(bytes: &[u8], name: &str) -> Result<Self, CheckpointError> {
        look_at_the_start(bytes.get(..256).unwrap_or(bytes), name)?;
        let header = Header::parse(bytes).map_err(|source| CheckpointError::Header {
            path: name.to_owned(),
            source,
        })?;
        let path = name.to_owned();
        let card = card(&header, name).unwrap_or_else(|| {
            Err(match ModelKind::of(&header) {
                ModelKind::Images => CheckpointError::NoWorld {
                    path,
                    kind: "a map of pictures",
                    advice: "The Images workspace opens it; `foresight sample`, `futures` and `steer` draw with it",
                },
                ModelKind::Classifier => CheckpointError::NoWorld {
                    path,
                    kind: "a classifier of pictures",
                    advice: "`foresight eval` judges it, and --classifier takes it beside a map of pictures",
                },
                ModelKind::World | ModelKind::Other => CheckpointError::Foreign {
                    path,
                    tensors: header.tensors.len(),
                },
            })
        })?;
        let Architecture::Mlp(config) = &card.architecture;
        let shapes = layer_shapes(config).map_err(|reason| CheckpointError::Architecture {
            path: name.to_owned(),
            reason,
        })?;
        let layers = read_layers(&header, &shapes, bytes, name)?;
        Ok(Self {
            hash: sha256_hex(bytes),
            bytes: bytes.len() as u64,
            dtype: header.dtypes(),
            parameters: config.parameters(),
            card,
            layers,
        })
    }
}

fn read_layers(
    header: &Header,
    shapes: &[(usize, usize)],
    bytes: &[u8],
    name: &str,
) -> Result<Vec<DenseLayer>, CheckpointError> {
    let fail = |tensor: &str, reason: String| CheckpointError::Tensor {
        path: name.to_owned(),
        tensor: shortened(tensor, 80),
        reason,
    };
    let read = |tensor: &str, shape: &[usize]| {
        let entry = header
            .tensor(tensor)
            .ok_or_else(|| fail(tensor, "is missing".into()))?;
        floats(header, entry, shape, bytes).map_err(|reason| fail(tensor, reason))
    };
    let mut layers = Vec::with_capacity(shapes.len());
    for (i, &(inputs, outputs)) in shapes.iter().enumerate() {
        layers.push(DenseLayer {
            inputs,
            outputs,
            weight: read(&format!("layers.{i}.weight"), &[outputs, inputs])?,
            bias: read(&format!("layers.{i}.bias"), &[outputs])?,
        });
    }
    // All expected tensors are there, so more of them means that some are strange.
    if header.tensors.len() > 2 * shapes.len() {
        let strange = header
            .tensors
            .iter()
            .find(|t| !is_layer(&t.name, shapes.len()));
        if let Some(entry) = strange {
            return Err(fail(&entry.name, "does not belong to the network".into()));
        }
    }
    Ok(layers)
}

/// Whether `tensor` is `layers.{i}.weight` or `.bias` with `i` below `layers`.
fn is_layer(tensor: &str, layers: usize) -> bool {
    (0..layers)
        .any(|i| tensor == format!("layers.{i}.weight") || tensor == format!("layers.{i}.bias"))
}

/// The SHA-256 of `bytes`, in hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::Digest;
    hex(&sha2::Sha256::digest(bytes))
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_web_page_and_a_bare_pickle_are_told_from_damaged_models() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (bytes, part) in [
            (&b"<!doctype html><title>404"[..], "is no model: it is text"),
            (
                b"\x80\x04\x95\x26\0\0\0\0\0\0\0\x8c\x05posix",
                "a Python pickle",
            ),
            (b"\x05\0\0\0\0\0\0\0{\"a\":", "not a safetensors file"),
        ] {
            std::fs::write(file.path(), bytes).unwrap();
            let mut open = OpenFile::open(file.path()).unwrap();
            let message = open.header().unwrap_err().to_string();
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}
