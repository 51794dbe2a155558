//! Distances, occupancies and counters. Must not know screens.
//!
//! Conventions are those of the figures in methods.md 6. Points are `&[[f32; 2]]` in world units; sums run in f64 and
//! in a fixed order, so a number does not depend on how many threads computed it.

mod clusters;
pub mod counters;
mod distance;
mod diversity;
mod frame_timings;
mod frechet;
mod timings;
mod value;

pub use clusters::{Clusters, GROUPS, clusters};
pub use counters::Counters;
pub use distance::{
    PROJECTIONS, floor_mmd_squared, floor_samples, floor_sliced_w2, mmd_squared_unbiased, sliced_w2,
};
pub use diversity::{
    covariance, entropy, mean, mean_pairwise_distance, mode_occupancy, total_variation,
};
pub use frame_timings::{CancelRow, FrameRow, FrameTimings};
pub(crate) use frechet::eigen;
pub use frechet::{FeatureClasses, FeatureMoments, frechet_distance};
pub use timings::{WallTimings, WindowTimings};
pub use value::ScoreFigures;
