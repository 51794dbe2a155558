//! Which class a half-formed picture becomes, and maps whose draws begin with it.

use std::sync::Arc;

use burn::tensor::Device;

use super::images::Judge;
use super::{
    Classifier, ClassifierConfig, DitConfig, ImageJudge, ImageMap, ImageRows, Precision, Seen,
    Through,
};

/// `p(class | x_t)`: a classifier of noised pictures (as in classifier guidance, arXiv 2105.05233), which is told the
/// time as one more channel of the picture.
pub struct StateClassifier {
    judge: ImageJudge,
}

impl std::fmt::Debug for StateClassifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("StateClassifier")
            .field(self.judge.config())
            .finish()
    }
}

impl StateClassifier {
    /// Takes a network of this shape, whose last channel is the time, that lies on `device`, not an autodiff one.
    pub fn new(net: Classifier, config: ClassifierConfig, device: &Device) -> Self {
        Self {
            judge: ImageJudge::new(net, config, device),
        }
    }

    /// The shape of such a network for pictures of another's shape.
    #[must_use]
    pub fn shape_for(pictures: ClassifierConfig) -> ClassifierConfig {
        let [channels, rows, columns] = pictures.image;
        ClassifierConfig {
            image: [channels + 1, rows, columns],
            ..pictures
        }
    }

    /// Channels, rows and columns of a state.
    pub fn state(&self) -> [usize; 3] {
        let [channels, rows, columns] = self.judge.config().image;
        [channels - 1, rows, columns]
    }

    /// How many classes it knows.
    pub fn classes(&self) -> usize {
        self.judge.config().classes
    }

    /// `log p(class | x_t)`, `[n][classes]`, of states `x_t`, `[n][C H W]`, at times `t`, `[n]`. At `t = 0` a state carries
    /// nothing and is not looked at.
    pub fn log_probabilities(&self, t: &[f32], x_t: &[f32]) -> Vec<f32> {
        let size: usize = self.state().iter().product();
        let asked: Vec<f32> = t
            .iter()
            .zip(x_t.chunks_exact(size))
            .flat_map(|(t, x_t)| self.asked(*t, x_t))
            .collect();
        self.judge.see(&asked).log_probabilities
    }

    /// The gradient by `x_t`, one state at `t`, of `sum(weights * log p(class | x_t))`; `weights`: `[classes]`.
    pub fn pullback(&self, t: f32, x_t: &[f32], weights: &[f32]) -> Vec<f32> {
        let asked = self.asked(t, x_t);
        let mut gradient = vec![0.0; asked.len()];
        let mut cotangent = |_: &Seen, _: usize, to: &mut Seen| {
            to.log_probabilities.copy_from_slice(weights);
        };
        self.judge.pullback(&asked, &mut cotangent, &mut gradient);
        gradient.truncate(x_t.len());
        if t == 0.0 {
            gradient.fill(0.0);
        }
        gradient
    }

    /// One state as the network sees it.
    fn asked(&self, t: f32, x_t: &[f32]) -> Vec<f32> {
        let [_, rows, columns] = self.state();
        let mut asked = Vec::with_capacity(x_t.len() + rows * columns);
        if t > 0.0 {
            asked.extend_from_slice(x_t);
        } else {
            asked.resize(x_t.len(), 0.0);
        }
        asked.resize(x_t.len() + rows * columns, t);
        asked
    }
}

/// The class whose share of `[0, 1)` holds `u`.
pub(crate) fn class_at(log_probabilities: &[f32], u: f32) -> u32 {
    let mut left = f64::from(u);
    let class = log_probabilities.iter().position(|log| {
        left -= f64::from(*log).exp();
        left < 0.0
    });
    // They may sum to a little less than 1.
    class.unwrap_or(log_probabilities.len().saturating_sub(1)) as u32
}

/// A map whose posterior draws without class begin with one: `p(x_1 | x_t) = sum_c p(c | x_t) p(x_1 | x_t, c)`. One jump
/// from a continuous noise has to tear it apart where futures are of several kinds, and leaves pictures between them; a
/// class drawn first spares it that. Whoever draws asks [`ImageMap::state_classifier`]; everything else is the map's.
pub struct ClassFirst {
    map: Arc<dyn ImageMap>,
    states: Arc<StateClassifier>,
}

impl ClassFirst {
    /// `map` with the classifier of its states; `None` where they are not of the same pictures and classes.
    pub fn new(map: Arc<dyn ImageMap>, states: Arc<StateClassifier>) -> Option<Self> {
        let config = map.config();
        let fit = config.state() == states.state() && states.classes() <= config.label_dim;
        (fit && map.has_jumps()).then_some(Self { map, states })
    }
}

impl ImageMap for ClassFirst {
    fn config(&self) -> &DitConfig {
        self.map.config()
    }

    fn state_classifier(&self) -> Option<&Arc<StateClassifier>> {
        Some(&self.states)
    }

    fn through(&self, precision: Precision) -> Through {
        self.map.through(precision)
    }

    fn rows_at_once(&self) -> usize {
        self.map.rows_at_once()
    }

    fn average_velocity(&self, rows: &ImageRows<'_>, out: &mut [f32]) {
        self.map.average_velocity(rows, out);
    }

    fn pullback(&self, rows: &ImageRows<'_>, cotangent: &[f32], x: &mut [f32], x_t: &mut [f32]) {
        self.map.pullback(rows, cotangent, x, x_t);
    }

    fn keeps_draws(&self) -> bool {
        self.map.keeps_draws()
    }

    fn draw_and_pull(
        &self,
        rows: &ImageRows<'_>,
        x: &mut [f32],
        by_state: &mut [f32],
        judge: Judge<'_>,
    ) -> bool {
        self.map.draw_and_pull(rows, x, by_state, judge)
    }

    fn draw(&self, rows: &ImageRows<'_>, x: &mut [f32]) {
        self.map.draw(rows, x);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::{NormKind, with_weights};

    /// A classifier of states of such pictures, with random weights.
    pub(crate) fn made(state: [usize; 3], classes: usize) -> StateClassifier {
        let device = Device::flex();
        let config = StateClassifier::shape_for(ClassifierConfig {
            image: state,
            classes,
            stem_stride: 1,
            stages: vec![(8, 1)],
            mirrored: false,
            pooled: false,
            norm: NormKind::Group,
            others: Vec::new(),
        });
        let net = with_weights(config.init(&device), &config.fresh(3)).unwrap();
        StateClassifier::new(net, config, &device)
    }

    #[test]
    fn states_are_told_apart_with_their_times_and_slopes_are_those_of_the_logarithms() {
        let states = made([1, 8, 8], 3);
        assert_eq!((states.state(), states.classes()), ([1, 8, 8], 3));
        let x: Vec<f32> = (0..128).map(|k| (k as f32 * 0.37).sin()).collect();
        let logs = states.log_probabilities(&[0.3, 0.7], &x);
        assert_eq!(logs.len(), 6);
        assert_eq!(logs[3..], states.log_probabilities(&[0.7], &x[64..]));
        assert_ne!(logs[..3], states.log_probabilities(&[0.7], &x[..64]));
        // At 0 a state carries nothing.
        let blank = states.log_probabilities(&[0.0], &x[..64]);
        assert_eq!(blank, states.log_probabilities(&[0.0], &x[64..]));
        let weights = [0.5, -1.0, 0.25];
        assert!(
            states
                .pullback(0.0, &x[..64], &weights)
                .iter()
                .all(|g| *g == 0.0)
        );
        let slopes = states.pullback(0.3, &x[..64], &weights);
        let value = |x: &[f32]| -> f64 {
            let logs = states.log_probabilities(&[0.3], x);
            logs.iter()
                .zip(weights)
                .map(|(a, b)| f64::from(a * b))
                .sum()
        };
        let mut largest = 0.0_f64;
        for at in (0..64).step_by(5) {
            let moved = |by: f32| {
                let mut x = x[..64].to_vec();
                x[at] += by;
                value(&x)
            };
            let difference = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            // Central differences of f32 numbers of about 1.
            assert!((difference - f64::from(slopes[at])).abs() < 5e-4);
            largest = largest.max(difference.abs());
        }
        assert!(largest > 1e-3, "{largest}");
    }

    #[test]
    fn a_number_falls_into_the_share_of_its_class() {
        let logs = [0.5_f32.ln(), f32::NEG_INFINITY, 0.5_f32.ln()];
        let found = [0.0, 0.49, 0.51, 0.999].map(|u| class_at(&logs, u));
        assert_eq!(found, [0, 0, 2, 2]);
    }
}
