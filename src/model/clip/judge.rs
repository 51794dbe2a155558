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
}

impl ClipJudge {
    /// Takes a tower that lies on `device`, not an autodiff one, and how pictures are made square for it.
    pub fn new(net: ClipImages, fit: Fit, device: &Device) -> Self {
        Self {
            net: net.no_grad().train(),
            fit,
            device: device.clone(),
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

    fn asked(&self, shape: [usize; 3]) -> Asked<'_> {
        Asked {
            shape,
            classes: 0,
            width: self.numbers(),
            // One picture at a time: its layers take much memory, and sums run in the same order for each.
            at_once: 1,
            device: &self.device,
            is_tracked: true,
        }
    }
}

impl PictureJudge for ClipJudge {
    fn classes(&self) -> usize {
        0
    }

    fn see(&self, pictures: &[f32], shape: [usize; 3]) -> Seen {
        let look = |pictures| (self.net.embed_as(pictures, self.fit), None);
        self.asked(shape).see(pictures, &look)
    }

    fn pullback(
        &self,
        pictures: &[f32],
        shape: [usize; 3],
        cotangent: &mut dyn FnMut(&Seen, usize, &mut Seen),
        gradients: &mut [f32],
    ) -> Seen {
        let look = |pictures| (self.net.embed_as(pictures, self.fit), None);
        self.asked(shape)
            .pullback(pictures, &look, cotangent, gradients)
    }
}
