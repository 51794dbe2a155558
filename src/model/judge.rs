//! A classifier on plain numbers: the judge of generated images.

use burn::module::Module as _;
use burn::tensor::Device;

use super::{
    Classifier, ClassifierConfig, Misfit, NativeClassifier, Weights, weights_of, with_weights,
};

mod ensemble;
mod slopes;

pub(super) use slopes::Asked;
pub use slopes::{PictureJudge, Seen};

/// A classifier on a device, asked with images as plain numbers.
pub struct ImageJudge {
    /// Its networks: one, or those of an ensemble.
    members: Vec<Member>,
    config: ClassifierConfig,
}

/// One network.
struct Member {
    engine: Engine,
    config: ClassifierConfig,
    device: Device,
}

enum Engine {
    /// On the processor.
    Native(Box<NativeClassifier>),
    Burn {
        net: Box<Classifier>,
        /// The same with a graph for what goes in.
        tracked: Box<Classifier>,
    },
}

/// What a judge says of images, a row each.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judged {
    /// Number of classes.
    pub classes: usize,
    /// Length of a feature vector.
    pub width: usize,
    /// Probabilities, `[n][classes]`.
    pub probabilities: Vec<f32>,
    /// What the last layer sees, `[n][width]`.
    pub features: Vec<f32>,
}

impl Judged {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.probabilities.len() / self.classes.max(1)
    }

    /// Whether nothing was judged.
    pub fn is_empty(&self) -> bool {
        self.probabilities.is_empty()
    }

    /// The likeliest class of each image and its probability.
    pub fn best(&self) -> impl Iterator<Item = (usize, f32)> + '_ {
        self.probabilities
            .chunks_exact(self.classes.max(1))
            .map(|row| {
                row.iter()
                    .copied()
                    .enumerate()
                    .fold((0, f32::NEG_INFINITY), |best, (class, p)| {
                        if p > best.1 { (class, p) } else { best }
                    })
            })
    }

    /// Share of the images of which each class is the likeliest, `[classes]`; zeros where there are no images.
    pub fn label_shares(&self) -> Vec<f64> {
        let mut shares = vec![0.0; self.classes];
        let share = 1.0 / self.len().max(1) as f64;
        for (class, _) in self.best() {
            shares[class] += share;
        }
        shares
    }
}

impl Member {
    /// Images that are in memory at once.
    const CHUNK: usize = 256;

    fn new(net: Classifier, config: ClassifierConfig, device: &Device) -> Self {
        let native = *device == Device::flex() && NativeClassifier::takes(&config);
        Self::on(net, config, device, native)
    }

    fn on(net: Classifier, config: ClassifierConfig, device: &Device, native: bool) -> Self {
        let engine = if native {
            let native = NativeClassifier::with(&config, &weights_of(&net));
            Engine::Native(Box::new(native))
        } else {
            Engine::Burn {
                tracked: Box::new(net.clone().no_grad().train()),
                net: Box::new(net),
            }
        };
        Self {
            engine,
            config,
            device: device.clone(),
        }
    }
}

impl ImageJudge {
    /// Takes a network of this shape that lies on `device`, not an autodiff one.
    ///
    /// # Panics
    /// When the shape is that of an ensemble.
    pub fn new(net: Classifier, config: ClassifierConfig, device: &Device) -> Self {
        assert!(config.others.is_empty(), "an ensemble has several networks");
        Self {
            members: vec![Member::new(net, config.clone(), device)],
            config,
        }
    }

    /// A network, or an ensemble, with these weights, on `device`, not an autodiff one.
    ///
    /// # Errors
    /// When they are not the weights of that shape.
    pub fn with(
        config: ClassifierConfig,
        weights: &Weights,
        device: &Device,
    ) -> Result<Self, Misfit> {
        let members = config.members(weights).into_iter().map(|(alone, own)| {
            let net = with_weights(alone.init(device), &own)?;
            Ok(Member::new(net, alone, device))
        });
        Ok(Self {
            members: members.collect::<Result<_, Misfit>>()?,
            config,
        })
    }

    /// The network's shape.
    pub fn config(&self) -> &ClassifierConfig {
        &self.config
    }

    /// Judges `images`, `[n][C H W]`, -1 black and 1 white.
    ///
    /// # Panics
    /// When they are no whole number of images.
    pub fn judge(&self, images: &[f32]) -> Judged {
        let seen = self.see(images);
        Judged {
            classes: seen.classes,
            width: seen.width,
            probabilities: seen.log_probabilities.iter().map(|p| p.exp()).collect(),
            features: seen.features,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NormKind;

    #[test]
    fn a_judge_gives_probabilities_and_features_an_image_whatever_the_batch() {
        let device = Device::flex();
        let config = ClassifierConfig {
            image: [1, 8, 8],
            classes: 3,
            stem_stride: 1,
            stages: vec![(8, 1)],
            mirrored: false,
            pooled: false,
            norm: NormKind::Group,
            others: Vec::new(),
        };
        let judge = ImageJudge::new(config.init(&device), config, &device);
        let images: Vec<f32> = (0..300 * 64).map(|k| (k as f32 * 0.11).sin()).collect();
        let all = judge.judge(&images);
        assert_eq!((all.len(), all.features.len()), (300, 300 * 8));
        for row in all.probabilities.chunks_exact(3) {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
        let one = judge.judge(&images[280 * 64..281 * 64]);
        for (a, b) in one.probabilities.iter().zip(&all.probabilities[280 * 3..]) {
            assert!((a - b).abs() < 1e-5);
        }
        let shares = all.label_shares();
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(judge.judge(&[]).is_empty());
    }

    #[test]
    fn the_likeliest_class_is_counted() {
        let judged = Judged {
            classes: 2,
            width: 0,
            probabilities: vec![0.9, 0.1, 0.3, 0.7, 0.2, 0.8, 0.4, 0.6],
            features: Vec::new(),
        };
        let best: Vec<_> = judged.best().collect();
        assert_eq!(best, [(0, 0.9), (1, 0.7), (1, 0.8), (1, 0.6)]);
        assert_eq!(judged.label_shares(), [0.25, 0.75]);
    }
}
