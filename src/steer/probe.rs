//! One particle under the lens: the futures it sees, its value and its gradient, beside the exact ones.

use crate::mixture::Point;
use crate::reward::TiltedTarget;

use super::estimate::Look;
use super::flow::to_f64;
use super::plan::SteerPlan;
use super::registry::Lookahead;
use super::run::{SteerError, SteerScene};

/// What a run saw from one particle at one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// The time.
    pub t: f64,
    /// Where the method has one, its estimate of `V_t(x)`, or the reward of the point it looks at.
    pub value: f64,
    /// Its estimate of `grad V_t(x)`; 0 for methods that estimate none.
    pub gradient: Point,
    /// `V_t(x)` and its gradient, in closed form or by quadrature; `None` where the reward has neither.
    pub exact: Option<(f64, Point)>,
    /// The futures it looked at `[N, 2]`: draws, or for DPS their mean; empty for methods that look at none.
    pub futures: Vec<[f32; 2]>,
}

/// Looks ahead from `x` as particle `particle` does at grid point `step`: the same noise, so the same numbers as in
/// the run. Steps beyond the last are the data, where nothing is looked for: the last but one is taken.
///
/// # Errors
/// As for [`super::run`].
pub fn probe(
    plan: &SteerPlan,
    scene: SteerScene<'_>,
    step: u32,
    particle: u32,
    x: Point,
) -> Result<Probe, SteerError> {
    let lens = Lens::new(plan, &scene, step)?;
    let look = Look::new(plan, &scene, lens.target.as_ref(), lens.t, lens.step)?;
    let exact = lens
        .target
        .as_ref()
        .map(|target| target.value_and_gradient(lens.t, x));
    let estimate = look.one(particle, x)?;
    Ok(Probe {
        t: lens.t,
        value: estimate.value,
        gradient: if plan.method.card().estimates_a_gradient() {
            estimate.gradient
        } else {
            [0.0; 2]
        },
        exact,
        futures: look.futures(particle, x),
    })
}

/// What all particles of a step are looked at with.
struct Lens {
    step: u32,
    t: f64,
    /// The exact target; `None` where there is none, as for a reward that outgrows the world. Only the method that
    /// follows it fails then.
    target: Option<TiltedTarget>,
}

impl Lens {
    fn new(plan: &SteerPlan, scene: &SteerScene<'_>, step: u32) -> Result<Self, SteerError> {
        plan.validate()?;
        let grid = plan.grid();
        let step = step.min(grid.len() as u32 - 2);
        let target = match TiltedTarget::new(scene.world, scene.reward) {
            Err(error) if plan.method.card().lookahead == Lookahead::ClosedForm => {
                return Err(error.into());
            }
            target => target.ok(),
        };
        Ok(Self {
            step,
            t: grid[step as usize],
            target,
        })
    }
}

/// Mean squared length of the error of the value's gradient, and of the gradient itself, over some particles: how far
/// a method's estimate is from the exact one. `None` where there is no exact one.
///
/// # Errors
/// As for [`super::run`].
pub fn gradient_error(
    plan: &SteerPlan,
    scene: SteerScene<'_>,
    step: u32,
    particles: &[[f32; 2]],
) -> Result<Option<(f64, f64)>, SteerError> {
    let lens = Lens::new(plan, &scene, step)?;
    let Some(target) = &lens.target else {
        return Ok(None);
    };
    let at = target.at(lens.t);
    let look = Look::new(plan, &scene, Some(target), lens.t, lens.step)?;
    let (mut error, mut size, mut count) = (0.0, 0.0, 0.0);
    for (id, x) in particles.iter().enumerate() {
        let x = to_f64(*x);
        let exact = at.value_and_gradient(x).1;
        let gradient = if plan.method.card().estimates_a_gradient() {
            look.one(id as u32, x)?.gradient
        } else {
            [0.0; 2]
        };
        let apart = (gradient[0] - exact[0]).hypot(gradient[1] - exact[1]);
        if apart.is_finite() {
            error += apart * apart;
            size += exact[0] * exact[0] + exact[1] * exact[1];
            count += 1.0;
        }
    }
    Ok(Some((error / count, size / count)))
}

#[cfg(test)]
mod tests {
    use super::super::{Flow, Method};
    use super::*;
    use crate::mixture::Preset;
    use crate::reward::Reward;

    #[test]
    fn a_probe_sees_what_the_run_saw() {
        let world = Preset::Two.mixture();
        let reward: Reward = "bowl:1,0.5,1".parse().unwrap();
        let scene = SteerScene {
            world: &world,
            reward: &reward,
            model: None,
        };
        let mut plan = SteerPlan::new(Method::MfmGf);
        (plan.steps, plan.particles, plan.draws) = (20, 8, 16);
        plan.keep_trajectory = true;
        let run = super::super::run(&plan, scene, &mut |_: f32| true).unwrap();
        let (step, particle) = (7_u32, 5_u32);
        let x = to_f64(run.frames[step as usize].x[particle as usize]);
        let probe = probe(&plan, scene, step, particle, x).unwrap();
        assert_eq!(probe.futures.len(), 16);
        assert_eq!(plan.flow, Flow::Ode);
        // The ODE step the run took is the base velocity plus the steering that the probe shows.
        let next = to_f64(run.frames[step as usize + 1].x[particle as usize]);
        let dt = run.frames[step as usize + 1].t - probe.t;
        let b = world.velocity(probe.t, x);
        for d in 0..2 {
            let steering = plan.schedule.half_sigma_sq(probe.t) * probe.gradient[d];
            // Kept frames are f32.
            assert!((x[d] + dt * (b[d] + steering) - next[d]).abs() < 1e-5);
        }
    }

    #[test]
    fn dps_looks_at_the_mean_of_all_futures_alone() {
        let world = Preset::Two.mixture();
        let reward: Reward = "bowl:1,0.5,1".parse().unwrap();
        let scene = SteerScene {
            world: &world,
            reward: &reward,
            model: None,
        };
        let x = [0.1, -0.2];
        let seen = |method| {
            let mut plan = SteerPlan::new(method);
            (plan.steps, plan.draws) = (20, 4096);
            probe(&plan, scene, 8, 3, x).unwrap()
        };
        let dps = seen(Method::Dps);
        let denoised = world.posterior(dps.t, x).mean();
        assert_eq!(dps.futures.len(), 1);
        let mean = |futures: &[[f32; 2]], d: usize| {
            futures.iter().map(|z| f64::from(z[d])).sum::<f64>() / futures.len() as f64
        };
        // LGD's cloud of 4,096 draws with a spread below 1 lies around the same point.
        for (method, tolerance) in [(Method::Dps, 1e-6), (Method::Lgd, 0.06)] {
            let futures = seen(method).futures;
            for (d, exact) in denoised.into_iter().enumerate() {
                assert!((mean(&futures, d) - exact).abs() < tolerance, "{method}");
            }
        }
    }

    #[test]
    fn estimates_near_their_closed_forms_as_draws_grow() {
        let world = Preset::Two.mixture();
        let reward: Reward = "measurement:0.3,1,0.5,0.5".parse().unwrap();
        let scene = SteerScene {
            world: &world,
            reward: &reward,
            model: None,
        };
        let states: Vec<[f32; 2]> = (0..40_u8)
            .map(|i| [f32::from(i) / 10.0 - 2.0, 0.3 - f32::from(i % 7) / 10.0])
            .collect();
        let error = |method, draws, step| {
            let mut plan = SteerPlan::new(method);
            (plan.draws, plan.steps) = (draws, 10);
            let (error, size) = gradient_error(&plan, scene, step, &states)
                .unwrap()
                .unwrap();
            (error / size).sqrt()
        };
        // Relative errors fall like 1 / sqrt(N).
        assert!(error(Method::MfmGf, 1024, 3) < 0.3 * error(Method::MfmGf, 16, 3));
        // Late, the gradient through the map is the better one (methods.md 5: 0.02 against 0.43 at t = 0.9).
        assert!(error(Method::MfmG, 16, 9) < 0.2 * error(Method::MfmGf, 16, 9));
        assert!(error(Method::Exact, 1, 5) < 1e-12);
    }
}
