//! Particle methods: weights, effective numbers, resampling.

use crate::process::{Address, Purpose, uniforms};

use super::draws::Ancestral;
use super::estimate::Estimate;
use super::plan::{Resampling, SteerPlan};
use super::registry::Scheme;
use super::run::{Runner, SteerError, SteerRun, SteerScene, Watch, is_lost, steering};

/// Particles with weights, resampled whenever their effective number falls below the plan's share.
pub(super) fn run_weighted(
    plan: &SteerPlan,
    scene: SteerScene<'_>,
    watch: &mut dyn Watch,
) -> Result<SteerRun, SteerError> {
    let scheme = plan.method.card().scheme;
    let mut runner = Runner::new(plan, scene, (0..plan.particles).collect(), watch);
    runner.show(0, None)?;
    let last = runner.grid.len() - 1;
    let mut estimates = runner.look(0)?;
    // At the first time the target is p_t exp V_t, or p_t exp(t r) under flow-map tilting.
    let mut log_weights: Vec<f64> = estimates
        .iter()
        .map(|e| {
            if scheme == Scheme::Tilting {
                runner.grid[0] * e.value
            } else {
                e.value
            }
        })
        .collect();
    for k in 0..last {
        let (t, next) = (runner.grid[k], runner.grid[k + 1]);
        let corrections = propose(&mut runner, scheme, &estimates, (t, next), k);
        let before: Vec<f64> = estimates.iter().map(|e| e.value).collect();
        estimates = if k + 1 == last {
            let rewards = runner.rewards();
            let at_data = |value| Estimate {
                value,
                ..Estimate::default()
            };
            rewards.into_iter().map(at_data).collect()
        } else {
            runner.look(k + 1)?
        };
        for (i, weight) in log_weights.iter_mut().enumerate() {
            let value = estimates[i].value;
            *weight += match scheme {
                // The integral of r(X_{t,1}(x_t)) dt, by the trapezoid.
                Scheme::Tilting => 0.5 * (next - t) * (before[i] + value),
                _ => corrections[i] + value - before[i],
            };
            // What is lost weighs nothing; a sum that is not a number would spoil all others.
            if !weight.is_finite() || is_lost(&runner.x[i]) {
                *weight = f64::NEG_INFINITY;
            }
        }
        let share = if k + 1 == last {
            f64::INFINITY
        } else {
            plan.resample_below
        };
        let weighed = log_weights.clone();
        let (ess, ancestors) = resample(
            plan,
            &mut log_weights,
            share,
            k as u32,
            &mut runner.resamplings,
        );
        // Lost particles are counted before they are replaced.
        runner.show(k + 1, Some((ess, &weighed)))?;
        if let Some(ancestors) = ancestors {
            runner.x = ancestors.iter().map(|a| runner.x[*a as usize]).collect();
            estimates = ancestors.iter().map(|a| estimates[*a as usize]).collect();
            runner.note_ancestors(k + 1, &ancestors, &log_weights);
        }
    }
    Ok(runner.finish())
}

/// Moves all particles and returns `ln p(step) - ln q(step)` of each.
fn propose(
    runner: &mut Runner<'_, '_>,
    scheme: Scheme,
    estimates: &[Estimate],
    (t, next): (f64, f64),
    k: usize,
) -> Vec<f64> {
    let plan = runner.plan;
    let noise = runner.noise(Purpose::SamplerStep, k as u32);
    let mut corrections = vec![0.0; runner.x.len()];
    if scheme == Scheme::ValueSmc {
        let step = Ancestral::new(t, next);
        for ((x, estimate), noise) in runner.x.iter_mut().zip(estimates).zip(noise) {
            *x = step.step(*x, estimate.pick, noise);
        }
        return corrections;
    }
    let dt = next - t;
    let sigma_sq = plan.schedule.sigma_sq(t);
    let size = (sigma_sq * dt).sqrt();
    for (i, (x, estimate)) in runner.x.iter_mut().zip(estimates).enumerate() {
        let base = plan.schedule.sde_drift(*x, estimate.velocity, t);
        let push = match scheme {
            Scheme::Twisted => steering(plan, sigma_sq, estimate, base),
            // b + sigma^2/2 (score + t grad r(X)).
            Scheme::Tilting => steering(plan, 0.5 * t * sigma_sq, estimate, base),
            _ => [0.0; 2],
        };
        if scheme == Scheme::Twisted && sigma_sq > 0.0 {
            // With x' = x + dt (f + push) + size eps: ln p - ln q = -(dt |push|^2 / 2 + size push . eps) / sigma^2.
            let (mut square, mut along) = (0.0, 0.0);
            for d in 0..2 {
                square += push[d] * push[d];
                along += push[d] * noise[i][d];
            }
            corrections[i] = -(0.5 * dt * square + size * along) / sigma_sq;
        }
        for d in 0..2 {
            x[d] += dt * (base[d] + push[d]) + size * noise[i][d];
        }
    }
    corrections
}

/// Effective share of the particles, and new ancestors where it fell below `share`. Weights restart at 0 there.
fn resample(
    plan: &SteerPlan,
    log_weights: &mut [f64],
    share: f64,
    step: u32,
    resamplings: &mut u32,
) -> (f64, Option<Vec<u32>>) {
    let size = plan
        .population
        .unwrap_or(plan.particles)
        .clamp(1, plan.particles) as usize;
    let populations = log_weights.len().div_ceil(size);
    let mut ancestors: Vec<u32> = (0..log_weights.len() as u32).collect();
    let (mut total_ess, mut any) = (0.0, false);
    for (p, weights) in log_weights.chunks_mut(size).enumerate() {
        let probabilities = softmax(weights);
        let count = weights.len() as f64;
        let effective = 1.0 / probabilities.iter().map(|w| w * w).sum::<f64>();
        total_ess += effective / count;
        if effective / count >= share || !effective.is_finite() {
            continue;
        }
        any = true;
        *resamplings += 1;
        let address = Address::new(plan.seed, Purpose::Resample, p as u32).at_step(step);
        let chosen = choose(&probabilities, weights.len(), plan.resampling, address);
        let first = p * size;
        for (slot, from) in ancestors[first..].iter_mut().zip(chosen) {
            *slot = (first + from) as u32;
        }
        weights.fill(0.0);
    }
    (total_ess / populations as f64, any.then_some(ancestors))
}

/// Softmax; even where every weight is 0.
pub(super) fn softmax(log_weights: &[f64]) -> Vec<f64> {
    let max = log_weights
        .iter()
        .copied()
        .fold(f64::NEG_INFINITY, f64::max);
    if max == f64::NEG_INFINITY {
        return vec![1.0 / log_weights.len() as f64; log_weights.len()];
    }
    let weights: Vec<f64> = log_weights.iter().map(|w| (w - max).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|w| w / total).collect()
}

/// `count` indices, index `i` appearing `count w_i` times on average; in rising order unless multinomial.
pub(super) fn choose(
    weights: &[f64],
    count: usize,
    how: Resampling,
    address: Address,
) -> Vec<usize> {
    let mut u = vec![
        0.0_f32;
        if how == Resampling::Systematic {
            1
        } else {
            count
        }
    ];
    uniforms(address, 0, &mut u);
    let at = |i: usize| match how {
        Resampling::Systematic => (i as f64 + f64::from(u[0])) / count as f64,
        Resampling::Stratified => (i as f64 + f64::from(u[i])) / count as f64,
        Resampling::Multinomial => f64::from(u[i]),
    };
    let mut sum = 0.0;
    let cumulated: Vec<f64> = weights
        .iter()
        .map(|w| {
            sum += w;
            sum
        })
        .collect();
    (0..count)
        .map(|i| {
            let target = at(i) * sum;
            cumulated
                .partition_point(|c| *c <= target)
                .min(weights.len() - 1)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resampling_keeps_expectations_and_leaves_out_what_weighs_nothing() {
        let weights = softmax(&[0.0, f64::NEG_INFINITY, 1.0, 2.0]);
        for how in [
            Resampling::Systematic,
            Resampling::Stratified,
            Resampling::Multinomial,
        ] {
            let n = 100_000;
            let chosen = choose(&weights, n, how, Address::new(3, Purpose::Test, 0));
            for (i, w) in weights.iter().enumerate() {
                let share = chosen.iter().filter(|c| **c == i).count() as f64 / n as f64;
                // Multinomial: standard error below 0.0016.
                assert!((share - w).abs() < 0.008, "{how:?}: {share} is not {w}");
            }
            assert!(!chosen.contains(&1));
        }
        assert_eq!(softmax(&[f64::NEG_INFINITY; 4]), [0.25; 4]);
    }

    #[test]
    fn on_the_way_particles_count_by_their_weights() {
        use super::super::{KeptFrame, Method, SteerPlan, TargetSample, run};
        use crate::mixture::Preset;

        // Never resampled until the end: the particles are the base process, the weights alone know the reward.
        let plan = SteerPlan {
            steps: 50,
            particles: 4096,
            resample_below: 0.0,
            keep_trajectory: true,
            ..SteerPlan::new(Method::Fk)
        };
        let world = Preset::Two.mixture();
        let reward = "measurement:0.3,1,0.5,0.5".parse().unwrap();
        let scene = SteerScene {
            world: &world,
            reward: &reward,
            model: None,
        };
        let run = run(&plan, scene, &mut |_: f32| true).unwrap();
        let (_, frame) = KeptFrame::at(&run.frames, 0.9).unwrap();
        let target = TargetSample::new(&world, &reward, 4096, 5).unwrap();
        let goal = target.noised(&world, &reward, frame.t, 5);
        let marginal = world.marginal(frame.t);
        let tv = |x: &[[f32; 2]]| goal.score(&marginal, &reward, x).tv;
        // The base process is 0.27 away from the tilted shares of the modes (methods.md 6).
        assert!(tv(&frame.x) > 0.2);
        assert!(tv(&frame.equally_weighted(&plan)) < 0.05);
        // At the end they were drawn anew: all weigh the same.
        let last = run.frames.last().unwrap();
        assert_eq!(last.equally_weighted(&plan), run.samples);
    }
}
