//! A tuned velocity of images, asked like a map.

use std::sync::Arc;

use super::{DitConfig, ImageMap, ImageRows, Precision, Through};

/// A network of which `v(t, t, x; 0, 0)` alone means something, because only that was tuned: its jumps are Euler steps
/// of that velocity, so that whatever follows the flow of `t_cond = 0` in `K` jumps solves the ODE in `K` steps. It has
/// no draws of its own ([`ImageMap::has_jumps`]); GLASS and SDE rollouts follow the velocity.
pub struct VelocityOnly(Arc<dyn ImageMap>);

impl VelocityOnly {
    /// Takes a network that holds a tuned velocity.
    pub fn new(network: Arc<dyn ImageMap>) -> Self {
        Self(network)
    }
}

impl ImageMap for VelocityOnly {
    fn config(&self) -> &DitConfig {
        self.0.config()
    }

    fn has_jumps(&self) -> bool {
        false
    }

    fn through(&self, precision: Precision) -> Through {
        self.0.through(precision)
    }

    fn rows_at_once(&self) -> usize {
        self.0.rows_at_once()
    }

    fn average_velocity(&self, rows: &ImageRows<'_>, out: &mut [f32]) {
        self.0
            .average_velocity(&ImageRows { u: rows.s, ..*rows }, out);
    }

    fn pullback(&self, rows: &ImageRows<'_>, cotangent: &[f32], x: &mut [f32], x_t: &mut [f32]) {
        self.0
            .pullback(&ImageRows { u: rows.s, ..*rows }, cotangent, x, x_t);
    }
}
