//! A reward as a person types it: `-(x^2 + y^2 - 4)^2 / 8`.
//!
//! The text is checked first, here: characters, names, brackets, length and depth, so that a mistake is told with its
//! place. Then the crate `exmex` parses and evaluates it over [`Dual`] numbers, which gives the gradient. In `exmex`
//! alone a sign binds tighter than a power (`-x^2` would be `x^2`) and nested `min` and `max` go wrong; what is handed
//! to it is therefore written out: signs as products, `min(a, b)` as `((a) min (b))`.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use exmex::{BinOp, Express, FlatEx, MakeOperators, MatchLiteral, Operator};
use serde::{Deserialize, Serialize};

use super::RewardError;
use super::dual::Dual;
use crate::mixture::Point;

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

/// What a bracket belongs to.
enum Bracket {
    /// A term in brackets, or the one argument of a function.
    Plain,
    /// The arguments of a function of two: its name, and whether the comma has come.
    Two(&'static str, bool),
}

/// Checks a text and writes it out for `exmex`.
struct Writer<'a> {
    text: &'a str,
    at: usize,
    out: String,
    uses: [bool; 2],
    /// Open brackets, with where they stand and whether the last operator before each was a power.
    open: Vec<(Bracket, usize, bool)>,
    /// Whether the last operator was a power: another one would be read two ways.
    power: bool,
}

impl<'a> Writer<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            out: String::with_capacity(2 * text.len()),
            uses: [false; 2],
            open: Vec::new(),
            power: false,
        }
    }

    fn wrong<T>(&self, at: usize, problem: impl Into<String>) -> Result<T, RewardError> {
        Err(wrong(self.text, at, problem.into()))
    }

    fn write(mut self) -> Result<Self, RewardError> {
        if self.text.len() > Expression::MAX_LENGTH {
            let problem = format!("it is longer than {} characters", Expression::MAX_LENGTH);
            return self.wrong(0, problem);
        }
        let bytes = self.text.as_bytes();
        let mut wants_term = true;
        while let Some(&byte) = bytes.get(self.at) {
            let start = self.at;
            if byte.is_ascii_whitespace() {
                self.at += 1;
                continue;
            }
            wants_term = if wants_term {
                self.term(byte)?
            } else {
                self.after_term(byte)?
            };
            if self.open.len() > Expression::MAX_DEPTH {
                let problem = format!("brackets are nested deeper than {}", Expression::MAX_DEPTH);
                return self.wrong(start, problem);
            }
        }
        if wants_term {
            let problem = if self.out.is_empty() {
                "there is nothing"
            } else {
                "it ends where a number, x, y or a bracket should follow"
            };
            return self.wrong(self.at, problem);
        }
        if let Some((_, at, _)) = self.open.last() {
            return self.wrong(*at, "this bracket is never closed");
        }
        Ok(self)
    }

    /// Reads what a term may begin with; gives whether a term is still wanted.
    fn term(&mut self, byte: u8) -> Result<bool, RewardError> {
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        if let Some(length) = number_length(rest) {
            let literal = &self.text[start..start + length];
            if !literal.parse::<f64>().is_ok_and(f64::is_finite) {
                return self.wrong(start, format!("{literal} is no finite number"));
            }
            self.at += length;
            self.put(literal);
            return Ok(false);
        }
        match byte {
            b'(' => {
                self.at += 1;
                self.enter(Bracket::Plain, start, "(");
                Ok(true)
            }
            b'+' => {
                self.at += 1;
                Ok(true)
            }
            b'-' => {
                self.at += 1;
                // In an exponent the sign belongs to the next term alone.
                let sign = if self.power { "-" } else { "(-1)~" };
                // Several signs in an exponent: all but the last would have to be brackets.
                if self.power && self.out.ends_with('-') {
                    return self.wrong(start, "two signs follow each other: use brackets");
                }
                self.out.push_str(sign);
                Ok(true)
            }
            _ if byte.is_ascii_alphabetic() || byte == b'_' => self.name(start),
            _ => {
                let found = self.character(start);
                let message = match byte {
                    b')' if self.open.is_empty() => "this bracket was never opened".to_owned(),
                    b'*' if self.text[..start].ends_with('*') => "write ^ for a power".to_owned(),
                    _ => format!("'{found}' stands where a number, x, y or a bracket should"),
                };
                self.wrong(start, message)
            }
        }
    }

    /// Reads what may follow a term; gives whether a term is wanted then.
    fn after_term(&mut self, byte: u8) -> Result<bool, RewardError> {
        let start = self.at;
        self.at += 1;
        match byte {
            b'+' | b'-' | b'*' | b'/' => {
                self.power = false;
                let _ = write!(self.out, " {} ", byte as char);
                Ok(true)
            }
            b'^' if self.power => self.wrong(
                start,
                "a power of a power can be read two ways: use brackets",
            ),
            b'^' => {
                self.power = true;
                self.out.push_str(" ^ ");
                Ok(true)
            }
            b',' => match self.open.last_mut() {
                Some((Bracket::Two(name, comma), _, _)) if !*comma => {
                    *comma = true;
                    let _ = write!(self.out, ") {name} (");
                    self.power = false;
                    Ok(true)
                }
                Some((Bracket::Two(name, _), _, _)) => {
                    let problem = format!("{name} takes two numbers, not three");
                    self.wrong(start, problem)
                }
                _ => self.wrong(
                    start,
                    "a comma stands only between the two numbers of min, max and atan2; a decimal has a point",
                ),
            },
            b')' => match self.open.pop() {
                None => self.wrong(start, "this bracket was never opened"),
                Some((Bracket::Two(name, false), at, _)) => {
                    self.wrong(at, format!("{name} takes two numbers, with a comma between them"))
                }
                Some((bracket, _, power)) => {
                    let close = if matches!(bracket, Bracket::Plain) { ")" } else { "))" };
                    self.out.push_str(close);
                    self.power = power;
                    Ok(false)
                }
            },
            _ => {
                let found = self.character(start);
                let problem = if found.is_ascii_alphanumeric() || matches!(found, '(' | '.' | '_') {
                    format!("an operator is missing before '{found}': a product needs its *")
                } else {
                    format!("'{found}' is not understood")
                };
                self.wrong(start, problem)
            }
        }
    }

    fn name(&mut self, start: usize) -> Result<bool, RewardError> {
        let rest = &self.text[start..];
        let length = rest
            .bytes()
            .take_while(|b| b.is_ascii_alphanumeric() || *b == b'_')
            .count();
        let name = &rest[..length];
        self.at += length;
        for (axis, variable) in ["x", "y"].into_iter().enumerate() {
            if name == variable {
                self.uses[axis] = true;
                self.put(name);
                return Ok(false);
            }
        }
        if CONSTANTS.iter().any(|(constant, _)| *constant == name) {
            self.put(name);
            return Ok(false);
        }
        let one = UNARY.iter().map(|(known, _)| *known).find(|k| *k == name);
        let two = BINARY.iter().map(|(known, _)| *known).find(|k| *k == name);
        if one.or(two).is_none() {
            return self.wrong(start, format!("'{name}' is unknown"));
        }
        let blanks = rest[length..].bytes().take_while(u8::is_ascii_whitespace);
        let bracket = self.at + blanks.count();
        if self.text.as_bytes().get(bracket) != Some(&b'(') {
            return self.wrong(start, format!("{name} needs brackets: {name}(...)"));
        }
        self.at = bracket + 1;
        if let Some(name) = two {
            self.enter(Bracket::Two(name, false), start, "((");
        } else {
            let opening = format!("{name}(");
            self.enter(Bracket::Plain, start, &opening);
        }
        Ok(true)
    }

    fn enter(&mut self, bracket: Bracket, at: usize, opening: &str) {
        self.open.push((bracket, at, self.power));
        self.power = false;
        self.out.push_str(opening);
    }

    fn put(&mut self, term: &str) {
        self.out.push_str(term);
    }

    /// The character at a place where one begins.
    fn character(&self, at: usize) -> char {
        self.text[at..].chars().next().unwrap_or(' ')
    }
}

#[cfg(test)]
#[path = "expression_tests.rs"]
mod tests;
