//! The part of a reference picture that a reward leaves free: half of it, or what a person painted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::stored::StoredPicture;

/// The part of a reference picture that is left free: the rest is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FreePart {
    /// The lower half.
    #[default]
    Lower,
    /// The upper half.
    Upper,
    /// The left half.
    Left,
    /// The right half.
    Right,
    /// The middle: half of the height and half of the width.
    Middle,
    /// All but the middle.
    Around,
    /// What was painted.
    Painted(PaintedMask),
}

impl FreePart {
    /// Those that need no brush, in the order of lists.
    pub const ALL: [Self; 6] = [
        Self::Lower,
        Self::Upper,
        Self::Left,
        Self::Right,
        Self::Middle,
        Self::Around,
    ];

    /// `lower half`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Lower => "lower half",
            Self::Upper => "upper half",
            Self::Left => "left half",
            Self::Right => "right half",
            Self::Middle => "middle",
            Self::Around => "all but the middle",
            Self::Painted(_) => "painted",
        }
    }

    /// As text; what was painted has more to it.
    fn word(&self) -> &'static str {
        match self {
            Self::Lower => "lower",
            Self::Upper => "upper",
            Self::Left => "left",
            Self::Right => "right",
            Self::Middle => "middle",
            Self::Around => "around",
            Self::Painted(_) => "painted",
        }
    }

    /// As a mask of a square picture, `[side][side]`: 1 where it is free, 0 where it is kept. A mask that was painted on a
    /// picture of another size takes the nearest of its pixels.
    pub fn mask(&self, side: usize) -> Vec<f32> {
        let painted = match self {
            Self::Painted(mask) => Some((mask.side as usize, mask.free())),
            _ => None,
        };
        let free = |y: usize, x: usize| {
            let inside = |v: usize| (side / 4..side - side / 4).contains(&v);
            let middle = inside(y) && inside(x);
            match self {
                Self::Lower => y >= side / 2,
                Self::Upper => y < side / 2,
                Self::Left => x < side / 2,
                Self::Right => x >= side / 2,
                Self::Middle => middle,
                Self::Around => !middle,
                Self::Painted(_) => painted.as_ref().is_some_and(|(of, free)| {
                    let near = |v: usize| (2 * v + 1) * of / (2 * side);
                    free[near(y) * of + near(x)]
                }),
            }
        };
        (0..side * side)
            .map(|at| f32::from(u8::from(free(at / side, at % side))))
            .collect()
    }

    /// How many characters it takes in a session.
    pub(super) fn text(&self) -> usize {
        match self {
            Self::Painted(mask) => mask.to_string().len(),
            _ => 0,
        }
    }
}

/// `lower`, or `painted(28:112,5,23,5,639)`.
impl fmt::Display for FreePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self {
            Self::Painted(mask) => write!(f, "({mask})"),
            _ => Ok(()),
        }
    }
}

impl FromStr for FreePart {
    type Err = ParseMaskError;

    fn from_str(text: &str) -> Result<Self, ParseMaskError> {
        let painted = text.strip_prefix("painted(");
        if let Some(mask) = painted.and_then(|rest| rest.strip_suffix(')')) {
            return mask.parse().map(Self::Painted);
        }
        let named = Self::ALL.into_iter().find(|part| part.word() == text);
        named.ok_or_else(|| ParseMaskError::Part(crate::mixture::shortened(text, 60)))
    }
}

/// Which pixels of a square picture are free. As text `28:112,5,23,5,639`: its side, then the lengths of runs along the
/// rows, one row after the other, kept and free in turn, kept first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PaintedMask {
    side: u32,
    /// The first may be 0, no other is; together they cover the picture.
    runs: Vec<u32>,
}

/// The text is no mask.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseMaskError {
    /// Nothing known by that name.
    #[error(
        "'{0}' is no part of a picture: lower, upper, left, right, middle, around and painted(SIDE:RUNS) are"
    )]
    Part(String),
    /// The side is none.
    #[error(
        "'{0}' is no painted mask: it begins with the side of the picture, 1 to {most}, and a colon, as in 28:392,392",
        most = StoredPicture::MAX_SIDE
    )]
    Side(String),
    /// The runs are none.
    #[error(
        "the runs of the mask do not cover {side} x {side} pixels: their lengths, kept and free in turn, are whole numbers above 0 that sum to {area}",
        area = u64::from(*side) * u64::from(*side)
    )]
    Runs {
        /// The side of the picture.
        side: u32,
    },
}

impl PaintedMask {
    /// Of `[side][side]`; `None` where there are not so many, or the side is 0 or too large.
    pub fn new(side: u32, free: &[bool]) -> Option<Self> {
        let area = (side as usize).checked_mul(side as usize)?;
        if !(1..=StoredPicture::MAX_SIDE).contains(&side) || free.len() != area {
            return None;
        }
        let (mut runs, mut is_free) = (vec![0], false);
        for now in free {
            if *now != is_free {
                runs.push(0);
                is_free = *now;
            }
            if let Some(run) = runs.last_mut() {
                *run += 1;
            }
        }
        Some(Self { side, runs })
    }

    /// Height and width of the picture that it was painted on.
    pub fn side(&self) -> usize {
        self.side as usize
    }

    /// `[side][side]`: whether each pixel is free.
    pub fn free(&self) -> Vec<bool> {
        let runs = (0..).zip(&self.runs);
        let pixels = runs.flat_map(|(k, run): (u32, &u32)| {
            std::iter::repeat_n(!k.is_multiple_of(2), *run as usize)
        });
        pixels.collect()
    }
}

impl fmt::Display for PaintedMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs: Vec<String> = self.runs.iter().map(u32::to_string).collect();
        write!(f, "{}:{}", self.side, runs.join(","))
    }
}

impl FromStr for PaintedMask {
    type Err = ParseMaskError;

    fn from_str(text: &str) -> Result<Self, ParseMaskError> {
        let wrong = || ParseMaskError::Side(crate::mixture::shortened(text, 60));
        let (side, runs) = text.split_once(':').ok_or_else(wrong)?;
        let side: u32 = side.parse().map_err(|_| wrong())?;
        if !(1..=StoredPicture::MAX_SIDE).contains(&side) {
            return Err(wrong());
        }
        let wrong = || ParseMaskError::Runs { side };
        let area = side * side;
        let (mut lengths, mut covered) = (Vec::new(), 0_u32);
        for run in runs.split(',') {
            let run: u32 = run.trim().parse().map_err(|_| wrong())?;
            // An empty run would stand for nothing: memory stays within the picture's own.
            if (run == 0 && !lengths.is_empty()) || run > area - covered {
                return Err(wrong());
            }
            covered += run;
            lengths.push(run);
        }
        if covered != area {
            return Err(wrong());
        }
        Ok(Self {
            side,
            runs: lengths,
        })
    }
}

impl TryFrom<String> for PaintedMask {
    type Error = ParseMaskError;

    fn try_from(text: String) -> Result<Self, ParseMaskError> {
        text.parse()
    }
}

impl From<PaintedMask> for String {
    fn from(mask: PaintedMask) -> Self {
        mask.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(rows: [&str; 4]) -> PaintedMask {
        let free: Vec<bool> = rows.concat().chars().map(|c| c == '#').collect();
        PaintedMask::new(4, &free).unwrap()
    }

    #[test]
    fn a_free_part_is_half_or_a_quarter() {
        for part in FreePart::ALL {
            let mask = part.mask(8);
            let free: f32 = mask.iter().sum();
            let expected = match part {
                FreePart::Middle => 16.0,
                FreePart::Around => 48.0,
                _ => 32.0,
            };
            assert_eq!(free, expected, "{}", part.name());
        }
        assert_eq!(FreePart::Left.mask(2), [1.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn every_part_reads_back_what_it_prints_also_in_a_session() {
        let painted = [
            mask(["....", ".##.", ".#..", "...."]),
            mask(["#...", "....", "....", "...#"]),
            mask(["####", "####", "####", "####"]),
            mask(["....", "....", "....", "...."]),
        ];
        let texts = painted.clone().map(|mask| mask.to_string());
        assert_eq!(texts, ["4:5,2,2,1,6", "4:0,1,14,1", "4:0,16", "4:16"]);
        let painted = painted.map(FreePart::Painted);
        for part in FreePart::ALL.into_iter().chain(painted) {
            assert_eq!(part.to_string().parse(), Ok(part.clone()));
            let ron = ron::to_string(&part).unwrap();
            assert_eq!(ron::from_str::<FreePart>(&ron).unwrap(), part, "{ron}");
        }
    }

    #[test]
    fn a_painted_mask_is_what_was_painted_at_any_size() {
        let mask = mask(["....", ".##.", ".#..", "...."]);
        let of = |side: usize| FreePart::Painted(mask.clone()).mask(side);
        let same: Vec<bool> = of(4).iter().map(|v| *v > 0.5).collect();
        assert_eq!(same, mask.free());
        assert_eq!(of(8).iter().sum::<f32>(), 12.0);
        assert_eq!(of(8)[2 * 8 + 5], 1.0);
        assert_eq!(of(2), [1.0, 0.0, 0.0, 0.0]);
        assert_eq!(PaintedMask::new(4, &[true; 15]), None);
        assert_eq!(PaintedMask::new(0, &[]), None);
    }

    #[test]
    fn what_is_no_mask_is_refused_with_what_is_expected() {
        for (text, word) in [
            ("half", "'half' is no part"),
            ("painted", "'painted' is no part"),
            ("painted()", "begins with the side"),
            ("painted(0:0)", "begins with the side"),
            ("painted(257:66049)", "1 to 256"),
            ("painted(-4:16)", "begins with the side"),
            ("painted(4:15)", "sum to 16"),
            ("painted(4:17)", "sum to 16"),
            ("painted(4:4294967295,4294967295)", "sum to 16"),
            ("painted(4:8,0,8)", "above 0"),
            ("painted(4:8,8,)", "whole numbers"),
            ("painted(4:8;8)", "whole numbers"),
        ] {
            let message = text.parse::<FreePart>().unwrap_err().to_string();
            assert!(message.contains(word), "{text}: {message}");
        }
        let long = format!("painted(4:{})", "0,".repeat(1 << 20));
        assert!(long.parse::<FreePart>().is_err());
    }
}
