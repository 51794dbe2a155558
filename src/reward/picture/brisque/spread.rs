//! How numbers are spread: asymmetric generalised Gaussians by their moments, with derivatives.

/// Least and largest shape.
const SHAPES: (f64, f64) = (0.2, 10.0);
/// A mean square below which nothing varies.
const EVEN: f64 = 1e-24;

/// Numbers on one side of 0.
#[derive(Clone, Copy, Default)]
pub(super) struct Side {
    /// How many there are, at least 1.
    count: f64,
    /// Mean of their squares.
    pub square: f64,
}

/// How numbers are spread.
#[derive(Clone, Copy)]
pub(super) struct Spread {
    count: f64,
    pub left: Side,
    pub right: Side,
    /// Mean of the numbers without their signs, and of their squares.
    size: f64,
    square: f64,
    /// The ratio of moments that gives the shape.
    ratio: f64,
    pub shape: f64,
    /// Of the shape by the ratio.
    shape_slope: f64,
}

impl Spread {
    pub fn of(numbers: &[f64]) -> Self {
        let count = numbers.len().max(1) as f64;
        let (mut left, mut right) = (Side::default(), Side::default());
        let mut size = 0.0;
        for v in numbers {
            let side = if *v < 0.0 { &mut left } else { &mut right };
            side.count += 1.0;
            side.square += v * v;
            size += v.abs();
        }
        let square = (left.square + right.square) / count;
        for side in [&mut left, &mut right] {
            side.count = side.count.max(1.0);
            side.square /= side.count;
        }
        size /= count;
        let ratio = if square > EVEN {
            size * size / square * lean(left.square.sqrt(), right.square.sqrt()).0
        } else {
            // An even plane is spread like nothing: as little as there is.
            0.0
        };
        let (shape, shape_slope) = shape_of(ratio);
        Self {
            count,
            left,
            right,
            size,
            square,
            ratio,
            shape,
            shape_slope,
        }
    }

    /// Deviations to the left and to the right.
    pub fn sides(&self) -> [f64; 2] {
        [self.left.square.sqrt(), self.right.square.sqrt()]
    }

    /// Mean of the asymmetric Gaussian: `(right - left) G(2/a) / sqrt(G(1/a) G(3/a))`, of which the fraction is the root
    /// of what [`shape_of`] solves for.
    pub fn mean(&self) -> f64 {
        let [left, right] = self.sides();
        (right - left)
            * self
                .ratio
                .clamp(moments(SHAPES.0).0, moments(SHAPES.1).0)
                .sqrt()
    }

    /// From derivatives by shape, mean and both variances to those by a number.
    pub fn slope(&self, [by_shape, by_mean, by_left, by_right]: [f64; 4]) -> SpreadSlope {
        if self.square <= EVEN {
            return SpreadSlope::default();
        }
        let [left, right] = self.sides();
        let (least, most) = (moments(SHAPES.0).0, moments(SHAPES.1).0);
        let root = self.ratio.clamp(least, most).sqrt();
        let mut by_ratio = by_shape * self.shape_slope;
        if (least..most).contains(&self.ratio) {
            by_ratio += by_mean * (right - left) * 0.5 / root;
        }
        let (leaning, by_sides) = lean(left, right);
        let moment = self.size * self.size / self.square;
        let side = |side: Side, deviation: f64, by_lean: f64, of_mean: f64, by_square: f64| {
            let by_deviation = of_mean * root + by_ratio * moment * by_lean;
            let through = if deviation > 0.0 {
                by_deviation / deviation
            } else {
                0.0
            };
            (through + 2.0 * by_square) / side.count
        };
        SpreadSlope {
            sign: by_ratio * leaning * 2.0 * self.size / self.square / self.count,
            both: -by_ratio * leaning * moment / self.square * 2.0 / self.count,
            left: side(self.left, left, by_sides[0], -by_mean, by_left),
            right: side(self.right, right, by_sides[1], by_mean, by_right),
        }
    }
}

/// Derivatives by a number: `sign` times its sign, and the number times `both` and `left` or `right`.
#[derive(Clone, Copy, Default)]
pub(super) struct SpreadSlope {
    sign: f64,
    both: f64,
    left: f64,
    right: f64,
}

impl SpreadSlope {
    pub fn at(&self, v: f64) -> f64 {
        let side = if v < 0.0 { self.left } else { self.right };
        let sign = if v == 0.0 { 0.0 } else { v.signum() };
        self.sign * sign + (self.both + side) * v
    }
}

/// `(l^3 + r^3)(l + r) / (l^2 + r^2)^2` of both deviations, 1 for equal ones, and its derivatives.
fn lean(left: f64, right: f64) -> (f64, [f64; 2]) {
    let squares = left * left + right * right;
    let (cubes, sum) = (left.powi(3) + right.powi(3), left + right);
    let value = cubes * sum / (squares * squares);
    let slope = |own: f64| {
        (3.0 * own * own * sum + cubes) / (squares * squares) - 4.0 * own * value / squares
    };
    (value, [slope(left), slope(right)])
}

/// `G(2/a)^2 / (G(1/a) G(3/a))`, which rises with the shape `a` from 0 to 3/4, and its derivative.
pub(super) fn moments(shape: f64) -> (f64, f64) {
    let [one, two, three] = [1.0, 2.0, 3.0].map(|k| log_gamma(k / shape));
    let value = (2.0 * two.0 - one.0 - three.0).exp();
    let slope = (one.1 + 3.0 * three.1 - 4.0 * two.1) / (shape * shape);
    (value, value * slope)
}

/// The shape at which [`moments`] has a value, and the derivative by that value; the ends of [`SHAPES`] beyond them.
pub(super) fn shape_of(ratio: f64) -> (f64, f64) {
    let (mut low, mut high) = SHAPES;
    if ratio <= moments(low).0 {
        return (low, 0.0);
    }
    if ratio >= moments(high).0 {
        return (high, 0.0);
    }
    let mut shape = 1.0;
    // Newton's steps, halvings where they leave what is known: far fewer are needed.
    for _ in 0..80 {
        let (value, slope) = moments(shape);
        if value < ratio {
            low = shape;
        } else {
            high = shape;
        }
        let next = shape - (value - ratio) / slope;
        let next = if (low..=high).contains(&next) {
            next
        } else {
            f64::midpoint(low, high)
        };
        let done = (next - shape).abs() < 1e-13 * shape;
        shape = next;
        if done {
            break;
        }
    }
    (shape, 1.0 / moments(shape).1)
}

/// The logarithm of the gamma function above 0, and its derivative: Stirling's series above 10, reached by recurrence.
fn log_gamma(x: f64) -> (f64, f64) {
    let (mut x, mut log, mut slope) = (x, 0.0, 0.0);
    while x < 10.0 {
        log -= x.ln();
        slope -= 1.0 / x;
        x += 1.0;
    }
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    let series =
        inverse / 12.0 * (1.0 - square / 30.0 * (1.0 - square * (2.0 / 7.0 - 3.0 / 14.0 * square)));
    log += (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series;
    slope += x.ln()
        - 0.5 * inverse
        - square / 12.0 * (1.0 - square / 10.0 * (1.0 - square * (10.0 / 21.0 - square / 2.0)));
    (log, slope)
}
