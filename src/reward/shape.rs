//! The rewards, their gradients and the factors that mixtures understand.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Expression;
use crate::mixture::{Bump, Cov2, Mixture, Mode, Point, Tilt, TiltError, TiltedMixture, shortened};

/// Most characters of a reward in a message.
const SHOWN: usize = 60;

/// What is rewarded, at strength 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Shape {
    /// `a . x`.
    Linear {
        /// `a`.
        direction: Point,
    },
    /// `-|x - c|^2 / (2 v)`.
    Bowl {
        /// `c`.
        centre: Point,
        /// `v`, in squared world units.
        variance: f64,
    },
    /// `-(y - a . x)^2 / (2 sd^2)`: the log-likelihood of a noisy linear measurement, up to a constant.
    Measurement {
        /// `a`.
        direction: Point,
        /// `y`.
        observed: f64,
        /// Standard deviation of the noise.
        sd: f64,
    },
    /// `ln sum_j c_j N(x; nu_j, L_j)`.
    Bumps(Vec<Bump>),
    /// `ln sigmoid((a . x - c) / w)`: 0 deep inside the half-plane `a . x > c`, falling linearly outside.
    HalfPlane {
        /// `a`.
        direction: Point,
        /// `c`.
        offset: f64,
        /// `w`: how soft the border is, in units of `a . x`.
        softness: f64,
    },
    /// `-(|x - c|^2 - R^2)^2 / (8 R^2 sd^2)`: near the circle `-(|x - c| - R)^2 / (2 sd^2)`, smooth at the centre too.
    Ring {
        /// `c`.
        centre: Point,
        /// `R`.
        radius: f64,
        /// Width of the ring.
        sd: f64,
    },
    /// What a person typed, a function of `x` and `y`.
    Expression(Expression),
}

/// A reward `r(x_1)`: a shape times its strength.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RewardDocument", into = "RewardDocument")]
pub struct Reward {
    shape: Shape,
    lambda: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "Reward", deny_unknown_fields)]
struct RewardDocument {
    shape: Shape,
    lambda: f64,
}

impl TryFrom<RewardDocument> for Reward {
    type Error = RewardError;

    fn try_from(document: RewardDocument) -> Result<Self, RewardError> {
        Self::new(document.shape, document.lambda)
    }
}

impl From<Reward> for RewardDocument {
    fn from(reward: Reward) -> Self {
        Self {
            shape: reward.shape,
            lambda: reward.lambda,
        }
    }
}

/// What can be wrong with a reward.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum RewardError {
    /// The text has none of the known forms.
    #[error("'{text}' is no reward: {problem}. Write {}", Reward::FORMS)]
    Text {
        /// What was given.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A typed expression is wrong.
    #[error(
        "the expression '{text}' is wrong at character {place}: {problem}. It may hold {}",
        Expression::ALLOWED
    )]
    Expression {
        /// The expression, shortened.
        text: String,
        /// Where, counted from 1.
        place: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A number lies outside what is allowed.
    #[error("the reward's {name} is {value}: give {want}")]
    Value {
        /// Which number.
        name: &'static str,
        /// What it is.
        value: f64,
        /// What it may be.
        want: &'static str,
    },
    /// No closed form exists.
    #[error(
        "the reward '{}' has no closed form on a mixture: linear, bowl and measurement have one, and bumps at lambda 1",
        shortened(.0, SHOWN)
    )]
    NoClosedForm(String),
    /// The reward grows faster than the data's density falls.
    #[error(
        "the reward '{}' outgrows the world: p(x) exp r(x) has no finite integral. Lower lambda, or bound it, as in \
         expr:min(..., 10)",
        shortened(.0, SHOWN)
    )]
    Outgrows(String),
    /// The reward has no value where there are data.
    #[error("the reward '{}' has no finite value anywhere near the world's data", shortened(.0, SHOWN))]
    NowhereFinite(String),
    /// No grid resolves the target.
    #[error(
        "the target of '{}' is too fine for the grid it is computed on: widen the reward, or lower lambda",
        shortened(.0, SHOWN)
    )]
    TooFine(String),
    /// The tilted target does not exist.
    #[error(transparent)]
    Tilt(#[from] TiltError),
}

impl Reward {
    /// The text forms, for messages.
    pub const FORMS: &'static str = "linear:AX,AY, bowl:CX,CY,VARIANCE, measurement:AX,AY,Y,SD, \
         bumps:W,X,Y,VARIANCE/W,X,Y,VARIANCE/..., half-plane:AX,AY,C,SOFTNESS, ring:CX,CY,RADIUS,SD \
         or expr:TEXT (a function of x and y, such as expr:-(x^2 + y^2 - 4)^2), each with an optional @LAMBDA at the end";
    /// Most bumps of a reward.
    pub const MAX_BUMPS: usize = 64;
    /// Largest size of any number of a reward.
    pub const MAX_NUMBER: f64 = 1e6;
    /// Smallest standard deviation, variance or softness of a reward.
    pub const MIN_WIDTH: f64 = 1e-6;

    /// Checks every number.
    ///
    /// # Errors
    /// [`RewardError::Value`] naming the number at fault.
    pub fn new(shape: Shape, lambda: f64) -> Result<Self, RewardError> {
        let signed = |name, value: f64| {
            let want = "a number between -1000000 and 1000000";
            let fine = value.abs() <= Self::MAX_NUMBER;
            fine.then_some(())
                .ok_or(RewardError::Value { name, value, want })
        };
        let width = |name, value: f64| {
            let want = "a number between 0.000001 and 1000000";
            let fine = (Self::MIN_WIDTH..=Self::MAX_NUMBER).contains(&value);
            fine.then_some(())
                .ok_or(RewardError::Value { name, value, want })
        };
        let pair = |name, [x, y]: Point| signed(name, x).and_then(|()| signed(name, y));
        if !(0.0..=Self::MAX_NUMBER).contains(&lambda) {
            return Err(RewardError::Value {
                name: "lambda",
                value: lambda,
                want: "a number between 0 and 1000000",
            });
        }
        match &shape {
            Shape::Linear { direction } => pair("direction", *direction)?,
            Shape::Bowl { centre, variance } => {
                pair("centre", *centre)?;
                width("variance", *variance)?;
            }
            Shape::Measurement {
                direction,
                observed,
                sd,
            } => {
                pair("direction", *direction)?;
                signed("observed value", *observed)?;
                width("noise", *sd)?;
            }
            Shape::Bumps(bumps) => {
                if bumps.is_empty() || bumps.len() > Self::MAX_BUMPS {
                    return Err(RewardError::Value {
                        name: "number of bumps",
                        value: bumps.len() as f64,
                        want: "1 to 64 of them",
                    });
                }
                for bump in bumps {
                    width("bump's weight", bump.weight)?;
                    pair("bump's centre", bump.mean)?;
                    width("bump's variance", bump.cov.eigenvalues().1)?;
                    width("bump's variance", bump.cov.eigenvalues().0)?;
                }
            }
            Shape::HalfPlane {
                direction,
                offset,
                softness,
            } => {
                pair("direction", *direction)?;
                signed("offset", *offset)?;
                width("softness", *softness)?;
            }
            Shape::Ring { centre, radius, sd } => {
                pair("centre", *centre)?;
                width("radius", *radius)?;
                width("width", *sd)?;
            }
            // Checked when it was parsed.
            Shape::Expression(_) => {}
        }
        Ok(Self { shape, lambda })
    }

    /// What is rewarded.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Its strength.
    pub fn lambda(&self) -> f64 {
        self.lambda
    }

    /// The same shape at another strength.
    ///
    /// # Errors
    /// When the strength is below 0 or not finite.
    pub fn with_lambda(&self, lambda: f64) -> Result<Self, RewardError> {
        Self::new(self.shape.clone(), lambda)
    }

    /// `r(x)`, `lambda` included.
    pub fn score(&self, x: Point) -> f64 {
        self.score_and_gradient(x).0
    }

    /// `grad r(x)`, `lambda` included.
    pub fn gradient(&self, x: Point) -> Point {
        self.score_and_gradient(x).1
    }

    /// Both for the price of one.
    pub fn score_and_gradient(&self, x: Point) -> (f64, Point) {
        let (score, gradient) = match &self.shape {
            Shape::Linear { direction } => (dot(*direction, x), *direction),
            Shape::Bowl { centre, variance } => {
                let d = [x[0] - centre[0], x[1] - centre[1]];
                (-0.5 * dot(d, d) / variance, d.map(|v| -v / variance))
            }
            Shape::Measurement {
                direction,
                observed,
                sd,
            } => {
                let miss = (observed - dot(*direction, x)) / sd;
                (-0.5 * miss * miss, direction.map(|a| miss / sd * a))
            }
            Shape::Bumps(bumps) => bumps_score(bumps, x),
            Shape::HalfPlane {
                direction,
                offset,
                softness,
            } => {
                let z = (dot(*direction, x) - offset) / softness;
                // ln sigmoid(z) and its slope sigmoid(-z), without overflow on either side.
                let e = (-z.abs()).exp();
                let slope = if z > 0.0 {
                    e / (1.0 + e)
                } else {
                    1.0 / (1.0 + e)
                };
                (
                    z.min(0.0) - e.ln_1p(),
                    direction.map(|a| slope / softness * a),
                )
            }
            Shape::Ring { centre, radius, sd } => {
                let d = [x[0] - centre[0], x[1] - centre[1]];
                let beyond = dot(d, d) - radius * radius;
                let scale = 1.0 / (8.0 * radius * radius * sd * sd);
                (
                    -scale * beyond * beyond,
                    d.map(|v| -4.0 * scale * beyond * v),
                )
            }
            Shape::Expression(_) if self.lambda == 0.0 => (0.0, [0.0; 2]),
            Shape::Expression(expression) => expression.value_and_gradient(x),
        };
        (self.lambda * score, gradient.map(|v| self.lambda * v))
    }

    /// `exp r` as a factor under which mixtures stay mixtures; `None` where there is no closed form (half-plane, ring
    /// and expressions, and several bumps at a strength other than 0 and 1).
    pub fn tilt(&self) -> Option<Tilt> {
        let lambda = self.lambda;
        let about = |a: Cov2, c0: Point, c: f64| Tilt::Quadratic {
            a,
            b: a.mul(c0),
            c: c - 0.5 * a.quadratic(c0),
        };
        Some(match &self.shape {
            _ if lambda == 0.0 => Tilt::Quadratic {
                a: Cov2::isotropic(0.0),
                b: [0.0; 2],
                c: 0.0,
            },
            Shape::Linear { direction } => Tilt::Quadratic {
                a: Cov2::isotropic(0.0),
                b: direction.map(|v| lambda * v),
                c: 0.0,
            },
            Shape::Bowl { centre, variance } => {
                about(Cov2::isotropic(lambda / variance), *centre, 0.0)
            }
            Shape::Measurement {
                direction,
                observed,
                sd,
            } => {
                let precision = lambda / (sd * sd);
                Tilt::Quadratic {
                    a: Cov2::outer(*direction).scaled(precision),
                    b: direction.map(|a| precision * observed * a),
                    c: -0.5 * precision * observed * observed,
                }
            }
            Shape::Bumps(bumps) => match bumps.as_slice() {
                [one] => {
                    let peak = one.log_density(one.mean);
                    about(one.cov.inverse().scaled(lambda), one.mean, lambda * peak)
                }
                _ if lambda == 1.0 => Tilt::Bumps(bumps.clone()),
                _ => return None,
            },
            Shape::HalfPlane { .. } | Shape::Ring { .. } | Shape::Expression(_) => return None,
        })
    }

    /// The tilted target, value and gradient on a mixture, exactly.
    ///
    /// # Errors
    /// When there is no closed form, or the target cannot be normalised.
    pub fn tilted(&self, world: &Mixture) -> Result<TiltedMixture, RewardError> {
        let tilt = self
            .tilt()
            .ok_or_else(|| RewardError::NoClosedForm(self.to_string()))?;
        Ok(TiltedMixture::new(world.clone(), tilt)?)
    }

    /// `E r(x)` over a mixture, `lambda` included: `sum_k w_k (-(mu' A mu + tr(A S)) / 2 + b' mu + c)`. `None` where `r`
    /// is no quadratic.
    pub fn mean_over(&self, mixture: &Mixture) -> Option<f64> {
        let Some(Tilt::Quadratic { a, b, c }) = self.tilt() else {
            return None;
        };
        let of_mode = |mode: &Mode| {
            let (s, mean) = (&mode.cov, mode.mean);
            let trace = a.xx * s.xx + 2.0 * a.xy * s.xy + a.yy * s.yy;
            mode.weight * (-0.5 * (a.quadratic(mean) + trace) + dot(b, mean) + c)
        };
        Some(mixture.modes().iter().map(of_mode).sum())
    }

    /// `lambda` of methods.md 5, the factor of `-|x - c|^2` in a bowl and the plain strength elsewhere: what damping
    /// is computed from.
    pub fn curvature(&self) -> f64 {
        match &self.shape {
            Shape::Bowl { variance, .. } => 0.5 * self.lambda / variance,
            _ => self.lambda,
        }
    }
}

fn dot(a: Point, b: Point) -> f64 {
    a[0] * b[0] + a[1] * b[1]
}

/// `ln sum_j c_j N(x; nu_j, L_j)` and its gradient, by log-sum-exp.
fn bumps_score(bumps: &[Bump], x: Point) -> (f64, Point) {
    let (mut max, mut total, mut sum) = (f64::NEG_INFINITY, 0.0, [0.0; 2]);
    for bump in bumps {
        let log = bump.log_density(x);
        let pull = bump
            .cov
            .inverse()
            .mul([bump.mean[0] - x[0], bump.mean[1] - x[1]]);
        if log > max {
            let keep = (max - log).exp();
            total *= keep;
            sum = sum.map(|v| v * keep);
            max = log;
        }
        let weight = (log - max).exp();
        total += weight;
        sum = [sum[0] + weight * pull[0], sum[1] + weight * pull[1]];
    }
    (max + total.ln(), sum.map(|v| v / total))
}

#[cfg(test)]
#[path = "shape_tests.rs"]
mod tests;
