//! An EfficientNet on plain numbers.

use burn::module::Module as _;
use burn::tensor::{Device, Tensor};

use super::EfficientNet;
use crate::model::judge::{Asked, PictureJudge, Seen};

/// A network on a device, asked with pictures of any size as plain numbers.
pub struct ImageNetJudge {
    net: EfficientNet,
    /// The same with a graph for what goes in.
    tracked: EfficientNet,
    device: Device,
}

impl ImageNetJudge {
    /// Takes a network that lies on `device`, not an autodiff one.
    pub fn new(net: EfficientNet, device: &Device) -> Self {
        Self {
            tracked: net.clone().no_grad().train(),
            net,
            device: device.clone(),
        }
    }

    fn asked(&self, shape: [usize; 3]) -> Asked<'_> {
        let config = self.net.config();
        Asked {
            shape,
            classes: config.classes,
            width: config.head,
            // One picture at a time: its layers take much memory, and sums run in the same order for each.
            at_once: 1,
            device: &self.device,
            is_tracked: false,
        }
    }
}

fn look(net: &EfficientNet, pictures: Tensor<4>) -> (Tensor<2>, Option<Tensor<2>>) {
    let features = net.features(pictures);
    let logits = net.classified(features.clone());
    (features, Some(logits))
}

impl PictureJudge for ImageNetJudge {
    fn classes(&self) -> usize {
        self.net.config().classes
    }

    fn see(&self, pictures: &[f32], shape: [usize; 3]) -> Seen {
        self.asked(shape)
            .see(pictures, &|pictures| look(&self.net, pictures))
    }

    fn pullback(
        &self,
        pictures: &[f32],
        shape: [usize; 3],
        cotangent: &mut dyn FnMut(&Seen, usize, &mut Seen),
        gradients: &mut [f32],
    ) -> Seen {
        let look = |pictures| look(&self.tracked, pictures);
        self.asked(shape)
            .pullback(pictures, &look, cotangent, gradients)
    }
}
