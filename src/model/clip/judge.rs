//! CLIP's image tower on plain numbers.

use burn::module::Module as _;
use burn::tensor::Device;

use super::{ClipConfig, ClipImages, Fit};
use crate::model::judge::{Asked, PictureJudge, Seen};

/// A tower on a device, asked with pictures of any size as plain numbers. What it sees is their embedding, of length 1;
/// it knows no classes.
pub struct ClipJudge {
    /// Ready for a graph of what goes in.
    net: ClipImages,
    fit: Fit,
    device: Device,
    /// The same with graphs. Without one some layers are computed otherwise, and a score would depend in its last bit on
    /// whether its gradient was asked for: so all goes through here, and keeps a graph where the pixels ask for it.
    learning: Device,
}

impl ClipJudge {
    /// Takes a tower that lies on `device`, not an autodiff one, and how pictures are made square for it.
    pub fn new(net: ClipImages, fit: Fit, device: &Device) -> Self {
        Self {
            net: net.no_grad().train(),
            fit,
            device: device.clone(),
            learning: device.clone().autodiff(),
        }
    }

    /// The tower's shape.
    pub const fn config(&self) -> &ClipConfig {
        self.net.config()
    }

    /// Numbers of an embedding.
    pub fn numbers(&self) -> usize {
        self.config().projection_dim
    }

    fn asked<'a>(&self, shape: [usize; 3], device: &'a Device) -> Asked<'a> {
        Asked {
            shape,
            classes: 0,
            width: self.numbers(),
            // One picture at a time: its layers take much memory, and sums run in the same order for each.
            at_once: 1,
            device,
        }
    }
}

impl PictureJudge for ClipJudge {
    fn classes(&self) -> usize {
        0
    }

    fn see(&self, pictures: &[f32], shape: [usize; 3]) -> Seen {
        let look = |pictures| (self.net.embed_as(pictures, self.fit), None);
        self.asked(shape, &self.learning).see(pictures, &look)
    }

    fn pullback(
        &self,
        pictures: &[f32],
        shape: [usize; 3],
        cotangent: &mut dyn FnMut(&Seen, usize, &mut Seen),
        gradients: &mut [f32],
    ) -> Seen {
        let look = |pictures| (self.net.embed_as(pictures, self.fit), None);
        self.asked(shape, &self.device)
            .pullback(pictures, &look, cotangent, gradients)
    }
}
