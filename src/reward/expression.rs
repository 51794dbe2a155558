//! A reward as a person types it: `-(x^2 + y^2 - 4)^2 / 8`.
//!
//! The text is checked first, here: characters, names, brackets, length and depth, so that a mistake is told with its
//! place. Then the crate `exmex` parses and evaluates it over [`Dual`] numbers, which gives the gradient. In `exmex`
//! alone a sign binds tighter than a power (`-x^2` would be `x^2`) and nested `min` and `max` go wrong; what is handed
//! to it is therefore written out: signs as products, `min(a, b)` as `((a) min (b))`.

mod writer;

use std::fmt;
use std::sync::Arc;

use exmex::{BinOp, Express, FlatEx, MakeOperators, MatchLiteral, Operator};
use serde::{Deserialize, Serialize};

use super::RewardError;
use super::dual::Dual;
use crate::mixture::Point;

use writer::Writer;

/// A function of one number.
type Unary = (&'static str, fn(Dual) -> Dual);
/// A function of two.
type Binary = (&'static str, fn(Dual, Dual) -> Dual);

const UNARY: [Unary; 14] = [
    ("sin", Dual::sin),
    ("cos", Dual::cos),
    ("tan", Dual::tan),
    ("asin", Dual::asin),
    ("acos", Dual::acos),
    ("atan", Dual::atan),
    ("sinh", Dual::sinh),
    ("cosh", Dual::cosh),
    ("tanh", Dual::tanh),
    ("exp", Dual::exp),
    ("ln", Dual::ln),
    ("log", Dual::ln),
    ("sqrt", Dual::sqrt),
    ("abs", Dual::abs),
];
const BINARY: [Binary; 3] = [
    ("min", Dual::min),
    ("max", Dual::max),
    ("atan2", Dual::atan2),
];
const CONSTANTS: [(&str, f64); 2] = [("pi", std::f64::consts::PI), ("e", std::f64::consts::E)];
/// The sign before a term: binds tighter than a product, looser than a power.
const SIGN: &str = "~";

/// The operators as `exmex` takes them. None is called commutative: folding constants out of order, `exmex` would
/// apply an outer function to the folded part alone.
#[derive(Debug, Clone)]
struct Operators;

impl MakeOperators<Dual> for Operators {
    fn make<'a>() -> Vec<Operator<'a, Dual>> {
        let op = |apply, prio| BinOp {
            apply,
            prio,
            is_commutative: false,
        };
        let mut all = vec![
            Operator::make_bin("+", op(Dual::add, 0)),
            Operator::make_bin_unary("-", op(Dual::sub, 0), Dual::neg),
            Operator::make_bin("*", op(Dual::mul, 2)),
            Operator::make_bin("/", op(Dual::div, 2)),
            Operator::make_bin(SIGN, op(Dual::mul, 4)),
            Operator::make_bin("^", op(Dual::pow, 5)),
        ];
        all.extend(BINARY.map(|(name, apply)| Operator::make_bin(name, op(apply, 1))));
        all.extend(UNARY.map(|(name, apply)| Operator::make_unary(name, apply)));
        all.extend(CONSTANTS.map(|(name, v)| Operator::make_constant(name, Dual::constant(v))));
        all
    }
}

/// Numbers with an optional exponent, which the crate's own matcher does not know.
#[derive(Debug, Clone)]
struct Number;

impl MatchLiteral for Number {
    fn is_literal(text: &str) -> Option<&str> {
        number_length(text.as_bytes()).map(|length| &text[..length])
    }
}

/// Bytes of the number that a text begins with.
fn number_length(text: &[u8]) -> Option<usize> {
    let digits = |from: usize| {
        text[from.min(text.len())..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count()
    };
    let whole = digits(0);
    let mut end = whole;
    if text.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        if whole + fraction == 0 {
            return None;
        }
        end += 1 + fraction;
    }
    if end == 0 {
        return None;
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    Some(end)
}

/// A function of `x` and `y`, parsed. Cheap to clone; equal when its text is.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Expression(Arc<Parsed>);

struct Parsed {
    text: String,
    /// Whether `x` and `y` occur.
    uses: [bool; 2],
    flat: FlatEx<Dual, Operators, Number>,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({:?})", self.0.text)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

impl TryFrom<String> for Expression {
    type Error = RewardError;

    fn try_from(text: String) -> Result<Self, RewardError> {
        Self::parse(&text)
    }
}

impl From<Expression> for String {
    fn from(expression: Expression) -> Self {
        expression.0.text.clone()
    }
}

impl Expression {
    /// Longest text, in bytes.
    pub const MAX_LENGTH: usize = 500;
    /// Deepest nesting of brackets and functions.
    pub const MAX_DEPTH: usize = 32;
    /// What may be written, for messages.
    pub const ALLOWED: &'static str = "x, y, numbers, pi, e, + - * / ^, brackets, and sin, cos, tan, asin, acos, atan, \
         sinh, cosh, tanh, exp, ln, log, sqrt, abs, min(a, b), max(a, b), atan2(y, x)";

    /// Parses a text; blanks around it are dropped.
    ///
    /// # Errors
    /// [`RewardError::Expression`] with what is wrong, where, and what may be written.
    pub fn parse(text: &str) -> Result<Self, RewardError> {
        let text = text.trim();
        let written = Writer::new(text).write()?;
        let flat = FlatEx::parse(&written.out).map_err(|error| {
            // What the writer lets through is well formed: this is a second line of defence.
            wrong(text, 0, format!("it cannot be parsed ({error})"))
        })?;
        Ok(Self(Arc::new(Parsed {
            text: text.to_owned(),
            uses: written.uses,
            flat,
        })))
    }

    /// As it was typed.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Whether the value at a point is beyond all bounds, upwards.
    pub fn is_unbounded(&self, at: Point) -> bool {
        self.eval(at).is_some_and(|dual| dual.v == f64::INFINITY)
    }

    /// Value and gradient. Where the expression has no finite value it is negative infinity, with a gradient of 0: such a
    /// point is never wanted. A derivative that is not finite is 0. Allocates nothing up to 32 operands.
    pub fn value_and_gradient(&self, at: Point) -> (f64, Point) {
        match self.eval(at) {
            Some(dual) if dual.v.is_finite() => {
                (dual.v, dual.d.map(|d| if d.is_finite() { d } else { 0.0 }))
            }
            _ => (f64::NEG_INFINITY, [0.0; 2]),
        }
    }

    fn eval(&self, at: Point) -> Option<Dual> {
        let [x, y] = Dual::variables(at);
        let flat = &self.0.flat;
        let result = match self.0.uses {
            [true, true] => flat.eval(&[x, y]),
            [true, false] => flat.eval(&[x]),
            [false, true] => flat.eval(&[y]),
            [false, false] => flat.eval(&[]),
        };
        result.ok()
    }
}

fn wrong(text: &str, at: usize, problem: String) -> RewardError {
    RewardError::Expression {
        text: crate::mixture::shortened(text, 60),
        // People count characters from 1.
        place: text.get(..at).map_or(0, |before| before.chars().count()) + 1,
        problem,
    }
}

#[cfg(test)]
#[path = "expression_tests.rs"]
mod tests;
