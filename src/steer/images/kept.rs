//! MFM-G through a map that keeps what its draws leave behind until they are judged.

use crate::metrics::Counters;
use crate::steer::SteerError;

use super::look::{Estimates, Look};
use super::run::Progress;
use super::weighed::add_by_state;
use crate::lookahead::images::image_noise;

impl Look<'_> {
    /// [`Self::estimate`] by MFM-G of such a map: all draws of some states at once.
    pub(super) fn through_kept_draws(
        &self,
        ids: &[u32],
        x: &[f32],
        out: &mut Estimates,
        progress: &mut Progress<'_>,
    ) -> Result<(), SteerError> {
        let (numbers, n) = (self.numbers(), self.plan.draws as usize);
        let states = self.scene.map.rows_at_once() / n;
        let mut gradient = vec![0.0_f32; x.len()];
        let parts = ids
            .chunks(states)
            .zip(x.chunks(states * numbers))
            .zip(out.values.chunks_mut(states))
            .zip(gradient.chunks_mut(states * numbers));
        for (((ids, x), values), gradient) in parts {
            progress.look()?;
            let rows = ids.len() * n;
            let mut draws = vec![0.0; rows * numbers];
            for (id, noise) in ids.iter().zip(draws.chunks_exact_mut(n * numbers)) {
                image_noise(self.noise(*id), 0, numbers, noise);
            }
            let mut by_state = vec![0.0; draws.len()];
            let mut counters = Counters::default();
            let mut judged = Ok((Vec::new(), Vec::new()));
            let mut judge = |draws: &[f32]| {
                progress.did(rows);
                match self.weighted_gradients(draws, n, &mut counters, progress) {
                    Ok(found) => {
                        judged = Ok((found.values, found.excess));
                        Some(found.cotangent)
                    }
                    Err(e) => {
                        judged = Err(e);
                        None
                    }
                }
            };
            let told = self.told((ids, x), (0, rows));
            told.drawn_and_pulled(&mut draws, &mut by_state, &mut out.counters, &mut judge);
            let (found, excess) = judged?;
            values.copy_from_slice(&found);
            out.counters += counters;
            progress.did(2 * rows);
            told.pull_classes(&excess, &mut by_state);
            add_by_state(&by_state, (0, n), numbers, gradient);
        }
        out.gradient = gradient;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use burn::tensor::Device;

    use super::super::plan::ImagePlan;
    use super::super::run::ImageScene;
    use super::super::start::ImageStart;
    use super::super::toy::ToyReward;
    use super::*;
    use crate::model::{
        ClassFirst, Dit, DitConfig, ImageMap, ImageRows, NativeDit, made_state_classifier,
    };
    use crate::steer::Method;

    /// The same map, which keeps nothing.
    struct Forgetful(NativeDit);

    impl ImageMap for Forgetful {
        fn config(&self) -> &DitConfig {
            self.0.config()
        }

        fn average_velocity(&self, rows: &ImageRows<'_>, out: &mut [f32]) {
            self.0.average_velocity(rows, out);
        }

        fn pullback(
            &self,
            rows: &ImageRows<'_>,
            cotangent: &[f32],
            x: &mut [f32],
            x_t: &mut [f32],
        ) {
            self.0.pullback(rows, cotangent, x, x_t);
        }
    }

    #[test]
    fn draws_that_are_kept_steer_as_those_that_are_made_twice() {
        let config = DitConfig::tiny(2);
        let made = || NativeDit::new(&Dit::lively(&config, 3, &Device::flex())).unwrap();
        let (kept, twice) = (made(), Forgetful(made()));
        assert!(kept.keeps_draws() && !twice.keeps_draws());
        let states = Arc::new(made_state_classifier([1, 8, 8], 2));
        let first = |map| ClassFirst::new(map, states.clone()).unwrap();
        let classes = (first(Arc::new(made())), first(Arc::new(Forgetful(made()))));
        let pairs: [(&dyn ImageMap, &dyn ImageMap, u32); 2] =
            [(&kept, &twice, 1), (&classes.0, &classes.1, 2)];
        let reward = ToyReward {
            shape: [1, 8, 8],
            ..ToyReward::bowl(0.5, 4.0)
        };
        let ids: Vec<u32> = (0..9).collect();
        let x = ImageStart::Noise.states(1, &ids, 64);
        // Seven draws: four states at once, and one is left.
        for (draws, (kept, twice, label)) in [7, 33].into_iter().flat_map(|n| pairs.map(|p| (n, p)))
        {
            let plan = ImagePlan {
                class: Some(1),
                draws,
                ..ImagePlan::new(Method::MfmG)
            };
            let looked = |map: &dyn ImageMap| {
                let look = Look {
                    plan: &plan,
                    scene: ImageScene {
                        map,
                        reward: &reward,
                    },
                    label,
                    t: 0.4,
                    step: 2,
                };
                let mut told = Vec::new();
                let mut watch = |share: f32| {
                    told.push(share);
                    true
                };
                let mut progress = Progress::new(&mut watch, (0.0, 1.0), 1);
                let found = look.estimate(&ids, &x, &mut progress).unwrap();
                progress.look().unwrap();
                assert!(told.is_sorted() && told.last() == Some(&1.0), "{told:?}");
                found
            };
            let (kept, twice) = (looked(kept), looked(twice));
            assert_eq!(kept.values, twice.values);
            for (a, b) in kept.gradient.iter().zip(&twice.gradient) {
                // The draws of a state are in one call here and in two there: what its classes add is summed otherwise.
                let rounding = if label == 2 { 1e-5 } else { 0.0 };
                assert!((a - b).abs() <= rounding * a.abs().max(1.0), "{a} {b}");
            }
            assert_eq!(kept.counters, twice.counters);
            assert!(kept.gradient.iter().any(|g| g.abs() > 1e-3));
        }
    }
}
