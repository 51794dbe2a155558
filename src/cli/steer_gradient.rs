//! `foresight steer --gradient-error`: the estimated gradient of the value beside the exact one, along a run.

use serde::Serialize;

use crate::steer::{Frame, SteerError, SteerPlan, SteerScene, Watch, gradient_error};

/// Times at which the gradients are compared, as shares of the steps.
const SHARES: [f64; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];
/// Particles behind a comparison, fewer where each has many draws.
const PARTICLES: usize = 256;
const DRAWS: usize = 16_384;

/// How far apart the two are at one time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct GradientError {
    /// The time.
    pub t: f64,
    /// Root mean squared length of their difference.
    pub error: f64,
    /// Root mean squared length of the exact gradient.
    pub exact: f64,
    /// Particles behind it.
    pub particles: usize,
}

/// Follows a run, and keeps some of its particles where they are asked for.
pub(super) struct Watcher<F> {
    tell: F,
    /// Steps after which the particles are looked at, and the particles then.
    kept: Vec<(u32, Vec<[f32; 2]>)>,
    most: usize,
    is_on: bool,
}

impl<F: FnMut(f32)> Watcher<F> {
    pub fn new(plan: &SteerPlan, is_on: bool, tell: F) -> Self {
        let mut steps: Vec<u32> = SHARES
            .iter()
            .map(|share| (share * f64::from(plan.steps)) as u32)
            .collect();
        steps.dedup();
        steps.truncate(if is_on { SHARES.len() } else { 0 });
        Self {
            tell,
            kept: steps.into_iter().map(|step| (step, Vec::new())).collect(),
            most: (DRAWS / plan.draws.max(1) as usize).clamp(4, PARTICLES),
            is_on,
        }
    }

    /// The comparisons, after the run; `None` where they were not asked for. Empty where there is no exact gradient.
    pub fn measure(
        &self,
        plan: &SteerPlan,
        scene: SteerScene<'_>,
    ) -> Result<Option<Vec<GradientError>>, SteerError> {
        if !self.is_on {
            return Ok(None);
        }
        let grid = plan.grid();
        let mut rows = Vec::new();
        for (step, particles) in &self.kept {
            let found = gradient_error(plan, scene, *step, particles)?;
            rows.extend(found.map(|(error, exact)| GradientError {
                t: grid[*step as usize],
                error: error.sqrt(),
                exact: exact.sqrt(),
                particles: particles.len(),
            }));
        }
        Ok(Some(rows))
    }
}

impl<F: FnMut(f32)> Watch for Watcher<F> {
    fn keep_going(&mut self, fraction: f32) -> bool {
        (self.tell)(fraction);
        true
    }

    fn frame(&mut self, frame: &Frame<'_>) {
        // Shown twice where particles were drawn anew: the second time as the next step finds them.
        if let Some((_, kept)) = self.kept.iter_mut().find(|(step, _)| *step == frame.step) {
            let few = frame.x.iter().take(self.most);
            *kept = few.map(|x| x.map(|v| v as f32)).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mixture::Preset;
    use crate::reward::Reward;
    use crate::steer::{Method, run};

    #[test]
    fn the_exact_gradient_is_no_error_away_and_more_draws_come_closer() {
        let world = Preset::Two.mixture();
        let reward: Reward = "measurement:0.3,1,0.5,0.5".parse().unwrap();
        let scene = SteerScene {
            world: &world,
            reward: &reward,
            model: None,
        };
        let rows = |method, draws| {
            let plan = SteerPlan {
                steps: 20,
                particles: 64,
                draws,
                ..SteerPlan::new(method)
            };
            let mut watch = Watcher::new(&plan, true, |_| {});
            run(&plan, scene, &mut watch).unwrap();
            watch.measure(&plan, scene).unwrap().unwrap()
        };
        let exact = rows(Method::Exact, 1);
        assert_eq!(exact.len(), SHARES.len());
        assert!(exact.iter().all(|row| row.error < 1e-9 && row.exact > 0.0));
        let relative = |rows: &[GradientError]| {
            let all = rows.iter().map(|row| (row.error / row.exact).powi(2));
            (all.sum::<f64>() / rows.len() as f64).sqrt()
        };
        // Sixteen times the draws: about a quarter of the error.
        let (few, many) = (rows(Method::MfmGf, 8), rows(Method::MfmGf, 128));
        assert!(relative(&many) < 0.5 * relative(&few));
    }
}
