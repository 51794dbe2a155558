//! The mixture itself: validation, editing, and what does not depend on time.

use serde::{Deserialize, Serialize};

use super::{Cov2, MixtureError, ModeProblem, Point};

/// One Gaussian of a mixture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mode {
    /// Its share. Any positive number goes in; inside a [`Mixture`] the weights sum to 1.
    pub weight: f64,
    /// Its centre.
    pub mean: Point,
    /// Its covariance.
    pub cov: Cov2,
}

impl Mode {
    /// A round mode of standard deviation `sd`.
    pub const fn isotropic(weight: f64, mean: Point, sd: f64) -> Self {
        Self {
            weight,
            mean,
            cov: Cov2::isotropic(sd * sd),
        }
    }

    fn problem(&self) -> Option<ModeProblem> {
        if !(self.weight > 0.0 && self.weight.is_finite()) {
            return Some(ModeProblem::Weight(self.weight));
        }
        if !self.mean.iter().all(|v| v.abs() <= Mixture::MAX_COORDINATE) {
            return Some(ModeProblem::Mean(self.mean[0], self.mean[1]));
        }
        if !self.cov.is_finite() {
            return Some(ModeProblem::CovarianceNotFinite);
        }
        if !self.cov.is_positive_definite() {
            let Cov2 { xx, xy, yy } = self.cov;
            return Some(ModeProblem::Singular { xx, xy, yy });
        }
        let (major, minor, _) = self.cov.axes();
        // A hair of slack: squaring and rooting an allowed standard deviation may round past the limit.
        let allowed = Mixture::MIN_SD * (1.0 - 1e-9)..=Mixture::MAX_SD * (1.0 + 1e-9);
        if !allowed.contains(&major) || !allowed.contains(&minor) {
            return Some(ModeProblem::Axes { major, minor });
        }
        let ratio = major / minor;
        (ratio > Mixture::MAX_AXIS_RATIO).then_some(ModeProblem::Stretched { ratio })
    }
}

/// `p_1 = sum_k w_k N(mu_k, S_k)` in the plane: one or more valid modes, weights summing to 1.
///
/// The only ways to make one check everything, deserialising included; times passed to its methods are clamped to
/// `[0, 1]` (people's input is refused earlier, by [`crate::process::valid_time`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "MixtureDocument", into = "MixtureDocument")]
pub struct Mixture {
    modes: Vec<Mode>,
}

/// What a file holds, before it is checked.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Mixture", deny_unknown_fields)]
struct MixtureDocument {
    modes: Vec<Mode>,
}

impl TryFrom<MixtureDocument> for Mixture {
    type Error = MixtureError;

    fn try_from(document: MixtureDocument) -> Result<Self, MixtureError> {
        Self::new(document.modes)
    }
}

impl From<Mixture> for MixtureDocument {
    fn from(mixture: Mixture) -> Self {
        Self {
            modes: mixture.modes,
        }
    }
}

impl Mixture {
    /// Most modes a mixture may have.
    pub const MAX_MODES: usize = 4096;
    /// Farthest a mean may lie from 0 on either axis, in world units.
    pub const MAX_COORDINATE: f64 = 1e6;
    /// Shortest standard deviation of a mode.
    pub const MIN_SD: f64 = 1e-6;
    /// Longest standard deviation of a mode.
    pub const MAX_SD: f64 = 1e6;
    /// Largest ratio of a mode's two standard deviations (the square root of the condition number).
    pub const MAX_AXIS_RATIO: f64 = 1e4;

    /// Checks the modes and normalises their weights.
    ///
    /// # Errors
    /// No mode, more than [`Mixture::MAX_MODES`], or a mode that is not usable: the error says which and what to do.
    pub fn new(mut modes: Vec<Mode>) -> Result<Self, MixtureError> {
        if modes.is_empty() {
            return Err(MixtureError::NoModes);
        }
        if modes.len() > Self::MAX_MODES {
            return Err(MixtureError::TooManyModes { count: modes.len() });
        }
        for (index, mode) in modes.iter().enumerate() {
            if let Some(problem) = mode.problem() {
                return Err(MixtureError::Mode { index, problem });
            }
        }
        // Weights near the end of f64's range must not overflow their own sum.
        let largest = modes.iter().map(|m| m.weight).fold(0.0, f64::max);
        let total: f64 = modes.iter().map(|m| m.weight / largest).sum::<f64>() * largest;
        // Weights that sum to 1 already stay the same bits, so a saved world reads back equal.
        if (total - 1.0).abs() > 1e-12 {
            let sum: f64 = modes.iter().map(|m| m.weight / largest).sum();
            for mode in &mut modes {
                mode.weight = (mode.weight / largest / sum).max(f64::MIN_POSITIVE);
            }
        }
        Ok(Self { modes })
    }

    /// Modes that this room computed itself and that need no check; their weights sum to 1.
    pub(super) fn from_computed(modes: Vec<Mode>) -> Self {
        Self { modes }
    }

    /// The modes; the weights sum to 1.
    pub fn modes(&self) -> &[Mode] {
        &self.modes
    }

    /// The weights of the modes.
    pub fn weights(&self) -> Vec<f64> {
        self.modes.iter().map(|m| m.weight).collect()
    }

    /// `E[x]`.
    pub fn mean(&self) -> Point {
        self.modes.iter().fold([0.0; 2], |sum, m| {
            [sum[0] + m.weight * m.mean[0], sum[1] + m.weight * m.mean[1]]
        })
    }

    /// `Cov[x]`.
    pub fn covariance(&self) -> Cov2 {
        let mean = self.mean();
        self.modes.iter().fold(Cov2::isotropic(0.0), |sum, m| {
            let d = [m.mean[0] - mean[0], m.mean[1] - mean[1]];
            sum.plus(m.cov.plus(Cov2::outer(d)).scaled(m.weight))
        })
    }

    /// `sqrt(trace(Cov) / 2)`: the world's own unit of length.
    pub fn standard_deviation(&self) -> f64 {
        (0.5 * self.covariance().trace()).sqrt()
    }

    /// The mode whose mean is nearest in Euclidean distance (the occupancy convention of methods.md 6).
    pub fn nearest_mode(&self, x: Point) -> usize {
        let mut best = (f64::INFINITY, 0);
        for (k, mode) in self.modes.iter().enumerate() {
            let d = [x[0] - mode.mean[0], x[1] - mode.mean[1]];
            let distance = d[0] * d[0] + d[1] * d[1];
            if distance < best.0 {
                best = (distance, k);
            }
        }
        best.1
    }

    fn edited(&self, index: usize, edit: impl FnOnce(&mut Mode)) -> Result<Self, MixtureError> {
        let mut modes = self.modes.clone();
        let count = modes.len();
        edit(
            modes
                .get_mut(index)
                .ok_or(MixtureError::NoSuchMode { index, count })?,
        );
        Self::new(modes)
    }

    /// The same world with one mode's mean elsewhere.
    ///
    /// # Errors
    /// No such mode, or a mean that is not usable.
    pub fn with_mode_moved(&self, index: usize, mean: Point) -> Result<Self, MixtureError> {
        self.edited(index, |mode| mode.mean = mean)
    }

    /// The same world with one mode exchanged. The new weight is relative to the others, which sum to 1 with the old.
    ///
    /// # Errors
    /// No such mode, or a mode that is not usable.
    pub fn with_mode_replaced(&self, index: usize, mode: Mode) -> Result<Self, MixtureError> {
        self.edited(index, |old| *old = mode)
    }

    /// The same world where one mode has the share `weight` of the whole and the others keep their proportions.
    ///
    /// # Errors
    /// No such mode, or a share outside `(0, 1)` (any positive share when it is the only mode).
    pub fn with_mode_weight(&self, index: usize, weight: f64) -> Result<Self, MixtureError> {
        let count = self.modes.len();
        let old = self
            .modes
            .get(index)
            .ok_or(MixtureError::NoSuchMode { index, count })?
            .weight;
        if count == 1 {
            return self.edited(index, |mode| mode.weight = weight);
        }
        if !(weight > 0.0 && weight < 1.0) {
            let problem = ModeProblem::Weight(weight);
            return Err(MixtureError::Mode { index, problem });
        }
        // weight / (1 - weight) times the others' sum, which is 1 - old.
        let others = (1.0 - old).max(f64::MIN_POSITIVE);
        self.edited(index, |mode| mode.weight = others * weight / (1.0 - weight))
    }

    /// The same world with a mode added at the end. Its weight is relative to the others' sum, which is 1.
    ///
    /// # Errors
    /// Too many modes, or a mode that is not usable.
    pub fn with_mode_added(&self, mode: Mode) -> Result<Self, MixtureError> {
        let mut modes = self.modes.clone();
        modes.push(mode);
        Self::new(modes)
    }

    /// The same world without one mode.
    ///
    /// # Errors
    /// No such mode, or the last one.
    pub fn with_mode_removed(&self, index: usize) -> Result<Self, MixtureError> {
        let mut modes = self.modes.clone();
        let count = modes.len();
        if index >= count {
            return Err(MixtureError::NoSuchMode { index, count });
        }
        modes.remove(index);
        Self::new(modes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Mixture {
        Mixture::new(vec![
            Mode::isotropic(7.0, [-2.0, 0.0], 0.5),
            Mode::isotropic(3.0, [2.0, 0.0], 0.5),
        ])
        .unwrap()
    }

    fn refused(mode: Mode) -> String {
        Mixture::new(vec![Mode::isotropic(1.0, [0.0; 2], 1.0), mode])
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn weights_are_normalised_once_and_then_keep_their_bits() {
        let mixture = two();
        assert_eq!(mixture.weights(), [0.7, 0.3]);
        let ring: Vec<Mode> = (1..=8)
            .map(|k| Mode::isotropic(f64::from(k), [0.0; 2], 0.3))
            .collect();
        let once = Mixture::new(ring).unwrap();
        assert_eq!(Mixture::new(once.modes().to_vec()).unwrap(), once);
        let huge = Mixture::new(vec![Mode::isotropic(1e308, [0.0; 2], 1.0); 4]).unwrap();
        assert_eq!(huge.weights(), [0.25; 4]);
    }

    #[test]
    fn mean_and_covariance_are_those_of_the_whole() {
        let mixture = two();
        assert!((mixture.mean()[0] + 0.8).abs() < 1e-15);
        // Var x = 0.25 + 0.7 * 1.2^2 + 0.3 * 2.8^2.
        assert!((mixture.covariance().xx - 3.61).abs() < 1e-14);
        assert!((mixture.covariance().yy - 0.25).abs() < 1e-15);
        assert!((mixture.standard_deviation() - (3.86_f64 / 2.0).sqrt()).abs() < 1e-14);
    }

    #[test]
    fn an_unusable_mode_is_refused_by_number_and_reason() {
        let good = Mode::isotropic(1.0, [0.0; 2], 1.0);
        for weight in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let message = refused(Mode { weight, ..good });
            assert!(
                message.starts_with("mode 2") && message.contains("weight"),
                "{message}"
            );
        }
        for x in [f64::NAN, f64::INFINITY, 1e7] {
            assert!(
                refused(Mode {
                    mean: [x, 0.0],
                    ..good
                })
                .contains("mean")
            );
        }
        for cov in [
            Cov2::isotropic(0.0),
            Cov2 {
                xx: 1.0,
                xy: 1.0,
                yy: 1.0,
            },
            Cov2 {
                xx: 1.0,
                xy: 2.0,
                yy: 1.0,
            },
            Cov2::isotropic(-1.0),
        ] {
            assert!(refused(Mode { cov, ..good }).contains("singular"));
        }
        assert!(
            refused(Mode {
                cov: Cov2::isotropic(f64::NAN),
                ..good
            })
            .contains("not finite")
        );
        assert!(
            refused(Mode {
                cov: Cov2::isotropic(1e-14),
                ..good
            })
            .contains("between")
        );
        assert!(
            refused(Mode {
                cov: Cov2::isotropic(1e14),
                ..good
            })
            .contains("between")
        );
        assert!(
            refused(Mode {
                cov: Cov2::from_axes(10.0, 1e-4, 0.0),
                ..good
            })
            .contains("times as long")
        );
        assert!(matches!(Mixture::new(vec![]), Err(MixtureError::NoModes)));
        let many = Mixture::new(vec![good; Mixture::MAX_MODES + 1])
            .unwrap_err()
            .to_string();
        assert!(many.contains("4097") && many.contains("4096"), "{many}");
        assert!(Mixture::new(vec![Mode::isotropic(1.0, [0.0; 2], Mixture::MIN_SD)]).is_ok());
        assert!(Mixture::new(vec![Mode::isotropic(1.0, [0.0; 2], Mixture::MAX_SD)]).is_ok());
    }

    #[test]
    fn edits_give_a_new_valid_world_or_a_reason() {
        let mixture = two();
        assert_eq!(
            mixture.with_mode_moved(1, [0.0, 1.0]).unwrap().modes()[1].mean,
            [0.0, 1.0]
        );
        assert_eq!(mixture.with_mode_removed(0).unwrap().weights(), [1.0]);
        let added = mixture
            .with_mode_added(Mode::isotropic(1.0, [0.0; 2], 0.1))
            .unwrap();
        assert!((added.weights()[2] - 0.5).abs() < 1e-15);
        let weighted = added.with_mode_weight(0, 0.6).unwrap().weights();
        assert!((weighted[0] - 0.6).abs() < 1e-14);
        assert!((weighted[1] / weighted[2] - 0.3).abs() < 1e-14);
        assert!(mixture.with_mode_weight(0, 1.0).is_err());
        assert!(mixture.with_mode_moved(1, [f64::NAN, 0.0]).is_err());
        assert!(
            mixture
                .with_mode_moved(2, [0.0; 2])
                .unwrap_err()
                .to_string()
                .contains("no mode 3")
        );
        let last = mixture.with_mode_removed(0).unwrap().with_mode_removed(0);
        assert!(matches!(last, Err(MixtureError::NoModes)));
    }

    #[test]
    fn the_nearest_mode_is_nearest_to_its_mean() {
        assert_eq!(two().nearest_mode([-0.1, 5.0]), 0);
        assert_eq!(two().nearest_mode([0.1, -5.0]), 1);
    }
}
