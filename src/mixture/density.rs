//! The density of the data, prepared for the many points of a grid.

use super::velocity::ModeAt;
use super::{Mixture, Point};

/// Modes this many nats below another one do not count.
const NEGLIGIBLE: f64 = 40.0;

/// `ln p_1` of a mixture, ready for many `x`. Made by [`Mixture::density_field`].
#[derive(Debug, Clone)]
pub struct DensityField {
    modes: Vec<ModeAt>,
}

impl DensityField {
    /// `ln p_1(x)`.
    pub fn log_density(&self, x: Point) -> f64 {
        let (mut max, mut total) = (f64::NEG_INFINITY, 0.0);
        for mode in &self.modes {
            let log = mode.log_weight(x);
            if log > max {
                total = total * (max - log).exp() + 1.0;
                max = log;
            } else if log > max - NEGLIGIBLE {
                total += (log - max).exp();
            }
        }
        max + f64::ln(total)
    }

    /// `(ln p_1(x), grad ln p_1(x))`.
    pub fn log_density_and_score(&self, x: Point) -> (f64, Point) {
        let modes = self.modes.iter();
        super::velocity::weighted_mean(modes, x, |mode, offset| {
            mode.precision.mul(offset).map(|v| -v)
        })
    }

    /// The modes that count anywhere within `radius` of `centre`: the same density there, with fewer of them.
    #[must_use]
    pub fn near(&self, centre: Point, radius: f64) -> Self {
        // A mode's distance in its own standard deviations changes by at most `radius` over its shortest one.
        let bounds = |mode: &ModeAt| {
            let away = mode.precision.quadratic(mode.offset(centre)).sqrt();
            let reach = radius * mode.precision.eigenvalues().0.sqrt();
            let (near, far) = ((away - reach).max(0.0), away + reach);
            (
                mode.log_scale - 0.5 * near * near,
                mode.log_scale - 0.5 * far * far,
            )
        };
        let surely = self
            .modes
            .iter()
            .map(|mode| bounds(mode).1)
            .fold(f64::NEG_INFINITY, f64::max);
        let counts = |mode: &&ModeAt| bounds(mode).0 >= surely - NEGLIGIBLE;
        Self {
            modes: self.modes.iter().filter(counts).copied().collect(),
        }
    }
}

impl Mixture {
    /// `ln p_1`, prepared for many points.
    pub fn density_field(&self) -> DensityField {
        let modes = self.modes().iter().map(|mode| ModeAt::new(mode, 1.0));
        DensityField {
            modes: modes.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Preset;
    use super::super::reference::close;

    #[test]
    fn fewer_modes_give_the_same_density_nearby() {
        for preset in Preset::ALL {
            let world = preset.mixture();
            let field = world.density_field();
            for centre in [[0.3, -0.2], [2.5, 1.0], [-9.0, 4.0]] {
                let near = field.near(centre, 0.5);
                for x in [
                    centre,
                    [centre[0] + 0.3, centre[1] - 0.4],
                    [centre[0] - 0.5, centre[1]],
                ] {
                    let exact = world.log_density(x);
                    close(field.log_density(x), exact, 1e-9 * exact.abs().max(1.0));
                    close(near.log_density(x), exact, 1e-9 * exact.abs().max(1.0));
                    let (log, score) = near.log_density_and_score(x);
                    close(log, exact, 1e-9 * exact.abs().max(1.0));
                    let slope = world.score(1.0, x);
                    close(score[0], slope[0], 1e-9 * slope[0].abs().max(1.0));
                    close(score[1], slope[1], 1e-9 * slope[1].abs().max(1.0));
                }
            }
        }
    }
}
