//! Where steered pictures begin: in noise, in a picture, in a state of another run.

use serde::{Deserialize, Serialize};

use super::stored::StoredPicture;
use crate::steer::images::ImageStart;

/// Numbers of a state, not rounded, as text: eight hexadecimal digits each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredState(String);

impl StoredState {
    /// Keeps every bit.
    pub fn new(values: &[f32]) -> Self {
        use std::fmt::Write as _;
        let mut text = String::with_capacity(8 * values.len());
        for v in values {
            // Writing to a string never fails.
            let _ = write!(text, "{:08x}", v.to_bits());
        }
        Self(text)
    }

    /// The numbers; `None` where the text holds none.
    pub fn values(&self) -> Option<Vec<f32>> {
        let (words, rest) = self.0.as_bytes().as_chunks::<8>();
        if !rest.is_empty() {
            return None;
        }
        let number = |word: &[u8; 8]| {
            let bits = word.iter().try_fold(0_u32, |bits, c| {
                Some(bits << 4 | char::from(*c).to_digit(16)?)
            })?;
            Some(f32::from_bits(bits)).filter(|v| v.is_finite())
        };
        words.iter().map(number).collect()
    }
}

/// Where the pictures begin.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum StudioStart {
    /// In noise.
    #[default]
    Noise,
    /// In a picture that is noised again.
    Renoised {
        /// To this time.
        t: f64,
        /// The picture.
        picture: StoredPicture,
    },
    /// In a state of another run, the same for all.
    State {
        /// Its time.
        t: f64,
        /// The state.
        x: StoredState,
    },
}

impl StudioStart {
    /// As steering takes it; `None` where its text holds no numbers.
    pub fn image_start(&self) -> Option<ImageStart> {
        Some(match self {
            Self::Noise => ImageStart::Noise,
            Self::Renoised { t, picture } => ImageStart::Renoised {
                t: *t,
                picture: picture.values().into(),
            },
            Self::State { t, x } => ImageStart::State {
                t: *t,
                x: x.values()?.into(),
            },
        })
    }

    /// Its time; `None` in noise.
    pub fn t(&self) -> Option<f64> {
        match self {
            Self::Noise => None,
            Self::Renoised { t, .. } | Self::State { t, .. } => Some(*t),
        }
    }

    /// How many characters its numbers take in a session.
    pub(super) fn text(&self) -> usize {
        match self {
            Self::Noise => 0,
            Self::Renoised { picture, .. } => picture.pixels.len(),
            Self::State { x, .. } => x.0.len(),
        }
    }

    pub(super) fn fault(&self) -> Option<&'static str> {
        if let Some(t) = self.t()
            && !(t > 0.0 && t < 1.0)
        {
            return Some("a branch begins between the times 0 and 1");
        }
        match self {
            Self::Noise => None,
            Self::Renoised { picture, .. } => picture.fault(),
            Self::State { x, .. } => x
                .values()
                .is_none()
                .then_some("a state has eight hexadecimal digits a number"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_keeps_every_bit() {
        let values = [0.1, -3.5e-20, 0.0, -0.0, f32::MAX];
        let stored = StoredState::new(&values);
        let back = stored.values().unwrap();
        assert!(
            values
                .iter()
                .zip(&back)
                .all(|(a, b)| a.to_bits() == b.to_bits())
        );
        for wrong in ["1234567", "zzzzzzzz", "7fc00000"] {
            assert_eq!(StoredState(wrong.into()).values(), None, "{wrong}");
        }
    }
}
