//! Steering through draws that begin with a class, against closed forms.

use std::sync::Arc;

use super::look::Look;
use super::plan::ImagePlan;
use super::run::{ImageScene, Progress};
use super::start::ImageStart;
use super::toy::ToyReward;
use crate::model::{ClassFirst, DitConfig, ImageMap, ImageRows, made_state_classifier};
use crate::steer::Method;

const NUMBERS: usize = 64;

/// Every draw of a class is one picture, whatever the state: a state moves the draws by its classes alone.
struct OnePictureAClass {
    config: DitConfig,
    greys: [f32; 4],
}

impl ImageMap for OnePictureAClass {
    fn config(&self) -> &DitConfig {
        &self.config
    }

    fn average_velocity(&self, rows: &ImageRows<'_>, out: &mut [f32]) {
        let each = out
            .chunks_exact_mut(NUMBERS)
            .zip(rows.x.chunks_exact(NUMBERS));
        for ((out, x), label) in each.zip(rows.label) {
            for (v, x) in out.iter_mut().zip(x) {
                *v = self.greys[*label as usize] - x;
            }
        }
    }

    fn pullback(&self, _: &ImageRows<'_>, _: &[f32], x: &mut [f32], x_t: &mut [f32]) {
        x.fill(-1.0);
        x_t.fill(0.0);
    }
}

#[test]
fn the_gradient_knows_that_a_state_decides_its_classes() {
    let map = Arc::new(OnePictureAClass {
        config: DitConfig {
            input_size: 8,
            label_dim: 3,
            ..DitConfig::tiny(2)
        },
        // The last is that of no class.
        greys: [-0.5, 0.2, 0.9, 0.0],
    });
    let states = Arc::new(made_state_classifier([1, 8, 8], 3));
    let map = ClassFirst::new(map, states.clone()).unwrap();
    let reward = ToyReward {
        shape: [1, 8, 8],
        slope: 1.5 / NUMBERS as f64,
        ..ToyReward::bowl(0.0, f64::INFINITY)
    };
    let rewards = [-0.5, 0.2, 0.9].map(|grey| 1.5 * grey);
    let t = 0.4;
    let ids = [3, 8];
    let x = ImageStart::Noise.states(1, &ids, NUMBERS);
    let value = |x: &[f32]| -> f64 {
        let logs = states.log_probabilities(&[t as f32], x);
        let sum: f64 = logs
            .iter()
            .zip(rewards)
            .map(|(log, reward)| (f64::from(*log) + reward).exp())
            .sum();
        sum.ln()
    };
    let plan = ImagePlan {
        draws: 256,
        ..ImagePlan::new(Method::MfmG)
    };
    let (mut found, mut values) = (vec![0.0_f64; x.len()], [0.0; 2]);
    let repeats = 40;
    for step in 0..repeats {
        let look = Look {
            plan: &plan,
            scene: ImageScene {
                map: &map,
                reward: &reward,
            },
            label: 3,
            t,
            step,
        };
        let mut watch = |_: f32| true;
        let mut progress = Progress::new(&mut watch, (0.0, 1.0), 1);
        let estimates = look.estimate(&ids, &x, &mut progress).unwrap();
        for (sum, v) in values.iter_mut().zip(&estimates.values) {
            *sum += v / f64::from(repeats);
        }
        for (sum, g) in found.iter_mut().zip(&estimates.gradient) {
            *sum += f64::from(*g) / f64::from(repeats);
        }
    }
    let (mut error, mut length) = (0.0, 0.0);
    for (p, x) in x.chunks_exact(NUMBERS).enumerate() {
        // The standard error of 10,240 draws is about 0.01.
        assert!(
            (values[p] - value(x)).abs() < 0.03,
            "{values:?} {}",
            value(x)
        );
        for i in (0..NUMBERS).step_by(3) {
            let moved = |by: f32| {
                let mut x = x.to_vec();
                x[i] += by;
                value(&x)
            };
            let exact = (moved(2e-2) - moved(-2e-2)) / 4e-2;
            error += (found[p * NUMBERS + i] - exact).powi(2);
            length += exact * exact;
        }
    }
    // Without the part of the classes it would be 1.
    let relative = (error / length).sqrt();
    assert!(relative < 0.15, "{relative}");
}
