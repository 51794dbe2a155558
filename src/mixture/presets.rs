//! The worlds that ship with the app. The first three are the scenes of methods.md 6, to the number.

use std::f64::consts::{PI, TAU};

use super::{Cov2, Mixture, Mode, Point};

/// A world that ships with the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Preset {
    /// *bimodal*: weights 0.7 and 0.3 at (-2, 0) and (2, 0), variance 0.25.
    Two,
    /// *paper3*: three equal modes at (-3, -3), (0, 0), (3, 3), variance 0.5 (arXiv 2601.14430, F.1).
    Three,
    /// *ring8*: mode `k` of 1..8 at radius 3 and angle `2 pi (k - 1) / 8` from +x, weight `k / 36`, sd 0.3.
    Ring8,
    /// Five by five equal modes, 2 apart, sd 0.2.
    Grid25,
    /// Two interleaved half-circles of eight Gaussians each.
    Moons,
    /// 24 Gaussians along two turns of an Archimedean spiral, evenly spaced by arc length.
    Spiral,
}

impl Preset {
    /// All of them, in the order that menus show.
    pub const ALL: [Self; 6] = [
        Self::Two,
        Self::Three,
        Self::Ring8,
        Self::Grid25,
        Self::Moons,
        Self::Spiral,
    ];

    /// Name on the command line and in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Two => "two",
            Self::Three => "three",
            Self::Ring8 => "ring8",
            Self::Grid25 => "grid25",
            Self::Moons => "moons",
            Self::Spiral => "spiral",
        }
    }

    /// Name on screen.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Two => "Two modes",
            Self::Three => "Three modes",
            Self::Ring8 => "Ring of eight",
            Self::Grid25 => "Grid of 25",
            Self::Moons => "Two moons",
            Self::Spiral => "Spiral",
        }
    }

    /// The preset of this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// The names of all, for messages.
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// Its distribution.
    pub fn mixture(self) -> Mixture {
        let modes = match self {
            Self::Two => vec![round(0.7, [-2.0, 0.0], 0.25), round(0.3, [2.0, 0.0], 0.25)],
            Self::Three => [-3.0, 0.0, 3.0]
                .map(|v| round(1.0 / 3.0, [v, v], 0.5))
                .to_vec(),
            Self::Ring8 => (1..=8_u32)
                .map(|k| {
                    let angle = TAU * f64::from(k - 1) / 8.0;
                    let mean = [3.0 * angle.cos(), 3.0 * angle.sin()];
                    round(f64::from(k) / 36.0, mean, 0.09)
                })
                .collect(),
            Self::Grid25 => (0..25_u32)
                .map(|k| {
                    let (row, column) = (f64::from(k / 5), f64::from(k % 5));
                    let mean = [2.0 * (column - 2.0), 2.0 * (row - 2.0)];
                    round(1.0 / 25.0, mean, 0.04)
                })
                .collect(),
            Self::Moons => moons(),
            Self::Spiral => spiral(),
        };
        // The lists above are constant and valid: the test below builds every one of them.
        Mixture::new(modes).expect("presets are valid mixtures")
    }
}

fn round(weight: f64, mean: Point, var: f64) -> Mode {
    Mode {
        weight,
        mean: mean.map(snap),
        cov: Cov2::isotropic(var),
    }
}

fn along(weight: f64, mean: Point, sd_along: f64, sd_across: f64, angle: f64) -> Mode {
    let cov = Cov2::from_axes(sd_along, sd_across, angle);
    Mode {
        weight,
        mean: mean.map(snap),
        cov: Cov2 {
            xx: snap(cov.xx),
            xy: snap(cov.xy),
            yy: snap(cov.yy),
        },
    }
}

/// Rounds to 12 decimals, so that a world is the same bits wherever `sin` and `cos` differ in the last digit.
fn snap(value: f64) -> f64 {
    // Adding 0 turns -0 into 0.
    (value * 1e12).round() / 1e12 + 0.0
}

/// The usual two half-circles of radius 1, centred and enlarged until the whole has a standard deviation of about 2.
fn moons() -> Vec<Mode> {
    const SCALE: f64 = 2.8;
    (0..16_u32)
        .map(|k| {
            let upper = k < 8;
            let theta = PI * f64::from(k % 8) / 7.0;
            let (sin, cos) = theta.sin_cos();
            let unit = if upper {
                [cos - 0.5, sin - 0.25]
            } else {
                [0.5 - cos, 0.25 - sin]
            };
            // The tangent of a circle stands at a right angle to its radius, on both halves.
            let tangent = theta + PI / 2.0;
            along(1.0 / 16.0, unit.map(|v| SCALE * v), 0.45, 0.2, tangent)
        })
        .collect()
}

/// `r = 4 theta / (4 pi)` for two turns; arc length grows about like `theta^2`, so even spacing takes its root.
fn spiral() -> Vec<Mode> {
    const RADIUS: f64 = 4.0;
    const TURNS: f64 = 2.0;
    const COUNT: u32 = 24;
    let centres: Vec<(Point, f64)> = (0..COUNT)
        .map(|k| {
            let theta = TAU * TURNS * ((f64::from(k) + 0.5) / f64::from(COUNT)).sqrt();
            let radius = RADIUS * theta / (TAU * TURNS);
            let (sin, cos) = theta.sin_cos();
            // d(r cos, r sin) / d theta, up to a factor: (cos - theta sin, sin + theta cos).
            let tangent = (sin + theta * cos).atan2(cos - theta * sin);
            ([radius * cos, radius * sin], tangent)
        })
        .collect();
    let mean: Point =
        std::array::from_fn(|i| centres.iter().map(|(c, _)| c[i]).sum::<f64>() / f64::from(COUNT));
    centres
        .iter()
        .map(|(c, tangent)| {
            let centred = [c[0] - mean[0], c[1] - mean[1]];
            along(1.0 / f64::from(COUNT), centred, 0.42, 0.2, *tangent)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_valid_and_found_by_its_name() {
        for preset in Preset::ALL {
            let mixture = preset.mixture();
            assert!((mixture.weights().iter().sum::<f64>() - 1.0).abs() < 1e-12);
            assert_eq!(Preset::from_name(preset.name()), Some(preset));
        }
        assert_eq!(Preset::from_name("nowhere"), None);
        assert_eq!(Preset::names(), "two, three, ring8, grid25, moons, spiral");
    }

    #[test]
    fn the_scenes_of_the_methods_are_met_to_the_number() {
        let two = Preset::Two.mixture();
        assert_eq!(
            two.modes()[0],
            Mode {
                weight: 0.7,
                mean: [-2.0, 0.0],
                cov: Cov2::isotropic(0.25)
            }
        );
        assert_eq!(
            two.modes()[1],
            Mode {
                weight: 0.3,
                mean: [2.0, 0.0],
                cov: Cov2::isotropic(0.25)
            }
        );
        let three = Preset::Three.mixture();
        assert_eq!(
            three.modes()[2],
            Mode {
                weight: 1.0 / 3.0,
                mean: [3.0, 3.0],
                cov: Cov2::isotropic(0.5)
            }
        );
        let ring = Preset::Ring8.mixture();
        assert_eq!(ring.modes()[2].mean, [0.0, 3.0]);
        for (k, mode) in ring.modes().iter().enumerate() {
            assert!((mode.weight - (k + 1) as f64 / 36.0).abs() < 1e-15);
            assert_eq!(mode.cov, Cov2::isotropic(0.09));
            assert!((mode.mean[0].hypot(mode.mean[1]) - 3.0).abs() < 1e-11);
        }
    }

    #[test]
    fn moons_and_spiral_are_centred_and_about_two_wide() {
        for preset in [Preset::Moons, Preset::Spiral] {
            let mixture = preset.mixture();
            let (mean, sd) = (mixture.mean(), mixture.standard_deviation());
            assert!(
                mean[0].abs() < 1e-9 && mean[1].abs() < 1e-9,
                "{preset:?}: {mean:?}"
            );
            assert!((1.8..2.2).contains(&sd), "{preset:?}: {sd}");
        }
        assert_eq!(Preset::Moons.mixture().modes().len(), 16);
        assert_eq!(Preset::Spiral.mixture().modes().len(), 24);
    }
}
