//! Methods that choose: Best-of-N among finished samples, search among futures.

use crate::process::{Address, Purpose};

use super::particles::{choose, softmax};
use super::plan::{Flow, Resampling, SteerPlan};
use super::registry::Scheme;
use super::run::{Runner, SteerError, SteerRun, SteerScene, Watch, run_guided};

/// Finishes N samples for each one that is kept.
///
/// Sample `p` is chosen among base samples `p N .. p N + N`, the same ones whatever else is asked.
pub(super) fn run_best_of(
    plan: &SteerPlan,
    scene: SteerScene<'_>,
    watch: &mut dyn Watch,
) -> Result<SteerRun, SteerError> {
    let soft = plan.method.card().scheme == Scheme::SoftBestOf;
    let n = plan.draws as usize;
    let all = SteerPlan {
        keep_trajectory: false,
        ..plan.clone()
    };
    let mut quiet = |fraction: f32| watch.keep_going(fraction);
    let ids = (0..plan.particles * plan.draws).collect();
    let mut base = run_guided(Runner::new(&all, scene, ids, &mut quiet))?;
    base.counters.reward += base.samples.len() as u64;
    let chosen: Vec<u32> = base
        .samples
        .chunks_exact(n)
        .enumerate()
        .map(|(p, group)| {
            let scores: Vec<f64> = group
                .iter()
                .map(|x| {
                    let score = scene.reward.score(x.map(f64::from));
                    // What is lost is never the best, whatever a reward says of infinity.
                    if score.is_finite() && x.iter().all(|v| v.is_finite()) {
                        score
                    } else {
                        f64::NEG_INFINITY
                    }
                })
                .collect();
            let pick = if soft {
                let address = Address::new(plan.seed, Purpose::Resample, p as u32);
                choose(&softmax(&scores), 1, Resampling::Multinomial, address)[0]
            } else {
                let better =
                    |best: usize, i: usize| if scores[i] > scores[best] { i } else { best };
                (0..n).fold(0, better)
            };
            (p * n + pick) as u32
        })
        .collect();
    if plan.keep_trajectory {
        // The same noise gives the same paths: the chosen ones are walked once more to be seen, and not counted.
        let shown = run_guided(Runner::new(plan, scene, chosen, watch))?;
        base.samples = shown.samples;
        base.frames = shown.frames;
    } else {
        base.samples = chosen.iter().map(|i| base.samples[*i as usize]).collect();
    }
    Ok(base)
}

/// MFM-Search: the best of N futures, noised again (SDE) or carried on its own noise (ODE).
pub(super) fn run_search(
    plan: &SteerPlan,
    scene: SteerScene<'_>,
    watch: &mut dyn Watch,
) -> Result<SteerRun, SteerError> {
    let mut runner = Runner::new(plan, scene, (0..plan.particles).collect(), watch);
    runner.show(0, None)?;
    for k in 0..runner.grid.len() - 1 {
        let estimates = runner.look(k)?;
        let (t, next) = (runner.grid[k], runner.grid[k + 1]);
        let noise = runner.noise(Purpose::SamplerStep, k as u32);
        let overall = plan.search_overall.then(|| {
            let better = |best: usize, i: usize| {
                if estimates[i].value > estimates[best].value {
                    i
                } else {
                    best
                }
            };
            (0..estimates.len()).fold(0, better)
        });
        let before = runner.x.clone();
        for (i, x) in runner.x.iter_mut().enumerate() {
            let from = overall.unwrap_or(i);
            let best = estimates[from].pick;
            for d in 0..2 {
                let own = match plan.flow {
                    Flow::Sde => noise[i][d],
                    Flow::Ode => (before[from][d] - t * best[d]) / (1.0 - t),
                };
                x[d] = next * best[d] + (1.0 - next) * own;
            }
        }
        runner.show(k + 1, None)?;
    }
    Ok(runner.finish())
}
