//! A typed text is checked, character by character, and written out as `exmex` reads it.

use std::fmt::Write as _;

use super::{BINARY, CONSTANTS, Expression, UNARY, number_length, wrong};
use crate::reward::RewardError;

/// What a bracket belongs to.
enum Bracket {
    /// A term in brackets, or the one argument of a function.
    Plain,
    /// The arguments of a function of two: its name, and whether the comma has come.
    Two(&'static str, bool),
}

/// Checks a text and writes it out for `exmex`.
pub(super) struct Writer<'a> {
    text: &'a str,
    at: usize,
    pub out: String,
    /// Whether `x` and `y` occur.
    pub uses: [bool; 2],
    /// Open brackets, with where they stand and whether the last operator before each was a power.
    open: Vec<(Bracket, usize, bool)>,
    /// Whether the last operator was a power: another one would be read two ways.
    power: bool,
}

impl<'a> Writer<'a> {
    pub fn new(text: &'a str) -> Self {
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

    /// Checks and writes all of it.
    pub fn write(mut self) -> Result<Self, RewardError> {
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
