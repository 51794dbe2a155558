//! The figures of a set of draws beside the closed form.

use crate::metrics::{
    covariance, entropy, mean, mean_pairwise_distance, mode_occupancy, sliced_w2,
};
use crate::mixture::{Cov2, Mixture};
use crate::process::{Address, Purpose};

use super::message::DrawStats;

/// Directions of the sliced distance on screen.
const PROJECTIONS: usize = 32;
/// The most draws that the figures on screen use.
pub(super) const STATS_DRAWS: usize = 2048;

/// Compares draws with the exact posterior and with exact draws of the same number.
///
/// Occupancy is the share of draws nearest to each of `world`'s modes; `state` addresses the
/// exact draws, so that figures move smoothly while only the clock moves.
pub fn draw_stats(
    world: &Mixture,
    posterior: &Mixture,
    draws: &[[f32; 2]],
    seed: u64,
    state: u32,
) -> DrawStats {
    let draws = &draws[..draws.len().min(STATS_DRAWS)];
    let mut exact = [
        vec![[0.0f32; 2]; draws.len()],
        vec![[0.0f32; 2]; draws.len()],
    ];
    for (step, set) in exact.iter_mut().enumerate() {
        let address = Address {
            seed,
            purpose: Purpose::Floor,
            state,
            step: step as u32,
        };
        posterior.sample_into(address, 0, set);
    }
    let occupancy = mode_occupancy(draws, world);
    let occupancy_exact = mode_occupancy(&exact[0], world);
    let flat = |c: Cov2| [c.xx, c.xy, c.yy];
    DrawStats {
        draws: draws.len(),
        entropy: entropy(&occupancy),
        entropy_exact: entropy(&occupancy_exact),
        occupancy,
        occupancy_exact,
        mean: mean(draws),
        mean_exact: posterior.mean(),
        covariance: flat(covariance(draws)),
        covariance_exact: flat(posterior.covariance()),
        pairwise: mean_pairwise_distance(draws),
        pairwise_exact: mean_pairwise_distance(&exact[0]),
        sliced_w2: sliced_w2(draws, &exact[0], PROJECTIONS),
        floor: sliced_w2(&exact[1], &exact[0], PROJECTIONS),
    }
}
