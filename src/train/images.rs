//! Labelled images in memory.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};

/// Most bytes of pixels that are held.
const MAX_PIXELS: u64 = 8 << 30;

/// Why images could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The system could not read.
    #[error("{path}: {source}. Check that the file exists and can be read")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not what its name promises.
    #[error("{path}: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
}

/// Images of one size with a class each.
#[derive(Clone, PartialEq, Eq)]
pub struct ImageSet {
    /// Channels, rows, columns.
    pub shape: [usize; 3],
    /// `[N, C, H, W]`, 0 to 255.
    pub pixels: Vec<u8>,
    /// `[N]`, from 0.
    pub labels: Vec<u16>,
    /// Names of the classes.
    pub classes: Vec<String>,
}

impl std::fmt::Debug for ImageSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageSet")
            .field("shape", &self.shape)
            .field("images", &self.len())
            .field("classes", &self.classes)
            .finish_non_exhaustive()
    }
}

impl ImageSet {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Numbers of one image.
    pub fn stride(&self) -> usize {
        self.shape.iter().product()
    }

    /// Pixels of image `i`.
    pub fn image(&self, i: usize) -> &[u8] {
        &self.pixels[i * self.stride()..(i + 1) * self.stride()]
    }

    /// Images in [-1, 1], `[B, C, H, W]`.
    pub fn tensor(&self, which: &[usize], device: &Device) -> Tensor<4> {
        let values: Vec<f32> = which
            .iter()
            .flat_map(|i| self.image(*i))
            .map(|v| f32::from(*v) / 127.5 - 1.0)
            .collect();
        let [channels, rows, columns] = self.shape;
        let shape = [which.len(), channels, rows, columns];
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// The ten digits (or other grey images) of an IDX pair, as MNIST has them.
    ///
    /// # Errors
    /// When a file is missing, is not of that format, or the two do not belong together.
    pub fn from_idx(images: &Path, labels: &Path) -> Result<Self, ImageError> {
        let format = |path: &Path, reason: String| ImageError::Format {
            path: path.to_owned(),
            reason,
        };
        let (sizes, pixels) = read_idx(images, 3)?;
        let (counts, marks) = read_idx(labels, 1)?;
        if counts[0] != sizes[0] {
            return Err(format(
                labels,
                format!(
                    "{} labels for {} images of {}",
                    counts[0],
                    sizes[0],
                    images.display()
                ),
            ));
        }
        let classes = marks.iter().max().map_or(0, |m| usize::from(*m) + 1);
        Ok(Self {
            shape: [1, sizes[1], sizes[2]],
            pixels,
            labels: marks.into_iter().map(u16::from).collect(),
            classes: (0..classes).map(|k| k.to_string()).collect(),
        })
    }
}

/// An IDX file of bytes with `rank` dimensions: two zero bytes, 8 (unsigned bytes), the rank, the dimensions as
/// big-endian u32, the bytes.
fn read_idx(path: &Path, rank: usize) -> Result<(Vec<usize>, Vec<u8>), ImageError> {
    let io = |source| ImageError::Io {
        path: path.to_owned(),
        source,
    };
    let wrong = |reason: String| ImageError::Format {
        path: path.to_owned(),
        reason: format!("{reason}. Is this an unpacked IDX file, as MNIST's?"),
    };
    let held = std::fs::metadata(path).map_err(io)?.len();
    if held > MAX_PIXELS {
        return Err(wrong(format!("it has {held} bytes")));
    }
    let bytes = std::fs::read(path).map_err(io)?;
    let start = 4 + 4 * rank;
    if bytes.len() < start || bytes[..3] != [0, 0, 8] || usize::from(bytes[3]) != rank {
        return Err(wrong(format!("it does not begin as one of rank {rank}")));
    }
    let sizes: Vec<usize> = bytes[4..start]
        .chunks_exact(4)
        .map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize)
        .collect();
    let wanted = sizes
        .iter()
        .try_fold(1_usize, |n, size| n.checked_mul(*size));
    if wanted != Some(bytes.len() - start) {
        return Err(wrong(format!(
            "its header says {sizes:?}, but {} bytes follow",
            bytes.len() - start
        )));
    }
    Ok((sizes, bytes[start..].to_vec()))
}
