//! Numbers that carry their two partial derivatives: forward-mode automatic differentiation for typed expressions.

use std::str::FromStr;

/// A value and its derivatives by `x` and `y`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Dual {
    /// The value.
    pub v: f64,
    /// `[dv/dx, dv/dy]`.
    pub d: [f64; 2],
}

impl FromStr for Dual {
    type Err = std::num::ParseFloatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self::constant)
    }
}

impl Dual {
    /// A number that depends on neither.
    pub const fn constant(v: f64) -> Self {
        Self { v, d: [0.0; 2] }
    }

    /// `x` and `y` themselves.
    pub const fn variables([x, y]: [f64; 2]) -> [Self; 2] {
        [
            Self {
                v: x,
                d: [1.0, 0.0],
            },
            Self {
                v: y,
                d: [0.0, 1.0],
            },
        ]
    }

    /// `f(self)` whose slope there is `slope`. A constant stays one, also where the slope is infinite.
    pub fn chain(self, v: f64, slope: f64) -> Self {
        Self {
            v,
            d: self.d.map(|d| if d == 0.0 { 0.0 } else { slope * d }),
        }
    }

    fn mix(self, other: Self, v: f64, by_self: f64, by_other: f64) -> Self {
        let (a, b) = (self.chain(v, by_self), other.chain(v, by_other));
        Self {
            v,
            d: [a.d[0] + b.d[0], a.d[1] + b.d[1]],
        }
    }

    pub fn add(self, other: Self) -> Self {
        self.mix(other, self.v + other.v, 1.0, 1.0)
    }

    pub fn sub(self, other: Self) -> Self {
        self.mix(other, self.v - other.v, 1.0, -1.0)
    }

    pub fn mul(self, other: Self) -> Self {
        self.mix(other, self.v * other.v, other.v, self.v)
    }

    pub fn div(self, other: Self) -> Self {
        let v = self.v / other.v;
        self.mix(other, v, 1.0 / other.v, -v / other.v)
    }

    pub fn neg(self) -> Self {
        self.chain(-self.v, -1.0)
    }

    /// `self ^ other`; whole exponents also of numbers below 0.
    pub fn pow(self, other: Self) -> Self {
        let n = other.v;
        if other.d == [0.0; 2] {
            let whole = n.fract() == 0.0 && n.abs() <= 64.0;
            let power = |n: f64| {
                if whole {
                    self.v.powi(n as i32)
                } else {
                    self.v.powf(n)
                }
            };
            let slope = if n == 0.0 { 0.0 } else { n * power(n - 1.0) };
            return self.chain(power(n), slope);
        }
        let v = self.v.powf(n);
        self.mix(other, v, n * self.v.powf(n - 1.0), v * self.v.ln())
    }

    /// The smaller; at a tie the first, and with it its derivative.
    pub fn min(self, other: Self) -> Self {
        if other.v < self.v || self.v.is_nan() {
            other
        } else {
            self
        }
    }

    /// The larger; at a tie the first, and with it its derivative.
    pub fn max(self, other: Self) -> Self {
        if other.v > self.v || self.v.is_nan() {
            other
        } else {
            self
        }
    }

    /// The angle of `(other, self)`.
    pub fn atan2(self, other: Self) -> Self {
        let square = self.v * self.v + other.v * other.v;
        let v = self.v.atan2(other.v);
        self.mix(other, v, other.v / square, -self.v / square)
    }

    pub fn sin(self) -> Self {
        self.chain(self.v.sin(), self.v.cos())
    }

    pub fn cos(self) -> Self {
        self.chain(self.v.cos(), -self.v.sin())
    }

    pub fn tan(self) -> Self {
        let v = self.v.tan();
        self.chain(v, 1.0 + v * v)
    }

    pub fn asin(self) -> Self {
        self.chain(self.v.asin(), 1.0 / (1.0 - self.v * self.v).sqrt())
    }

    pub fn acos(self) -> Self {
        self.chain(self.v.acos(), -1.0 / (1.0 - self.v * self.v).sqrt())
    }

    pub fn atan(self) -> Self {
        self.chain(self.v.atan(), 1.0 / (1.0 + self.v * self.v))
    }

    pub fn sinh(self) -> Self {
        self.chain(self.v.sinh(), self.v.cosh())
    }

    pub fn cosh(self) -> Self {
        self.chain(self.v.cosh(), self.v.sinh())
    }

    pub fn tanh(self) -> Self {
        let v = self.v.tanh();
        self.chain(v, 1.0 - v * v)
    }

    pub fn exp(self) -> Self {
        let v = self.v.exp();
        self.chain(v, v)
    }

    pub fn ln(self) -> Self {
        self.chain(self.v.ln(), 1.0 / self.v)
    }

    pub fn sqrt(self) -> Self {
        let v = self.v.sqrt();
        self.chain(v, 0.5 / v)
    }

    /// The size; its slope at 0 is 0.
    pub fn abs(self) -> Self {
        let slope = if self.v == 0.0 { 0.0 } else { self.v.signum() };
        self.chain(self.v.abs(), slope)
    }
}
