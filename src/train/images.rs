//! Labelled images in memory.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};

use super::DataError;

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
    pub fn from_idx(images: &Path, labels: &Path) -> Result<Self, DataError> {
        super::data::read_idx(images, labels)
    }
}
