//! Pictures as text.

use serde::{Deserialize, Serialize};

/// A square picture of 8 bits a number, `[C][H][W]`, as text: a session holds all that it shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredPicture {
    /// 1, grey, or 3, colours.
    pub channels: u32,
    /// Height and width.
    pub side: u32,
    /// Two hexadecimal digits a number.
    pub pixels: String,
}

impl StoredPicture {
    /// The largest height and width.
    pub const MAX_SIDE: u32 = 256;

    /// Rounds numbers in [-1, 1] to 8 bits. `None` where there are not `channels * side * side` of them.
    pub fn new(channels: u32, side: u32, values: &[f32]) -> Option<Self> {
        Self::from_bytes(channels, side, &Self::rounded(values))
    }

    /// Numbers in [-1, 1] as 0 to 255.
    pub fn rounded(values: &[f32]) -> Vec<u8> {
        // As `round` does, which is a call for each number on processors that it must run on.
        let rounded = |v: &f32| {
            let v = ((v + 1.0) * 127.5).clamp(0.0, 255.0);
            v as u8 + u8::from(v - f32::from(v as u8) >= 0.5)
        };
        values.iter().map(rounded).collect()
    }

    /// Takes 8-bit numbers, 0 black. `None` where there are not `channels * side * side` of them.
    pub fn from_bytes(channels: u32, side: u32, bytes: &[u8]) -> Option<Self> {
        let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or('0');
        let stored = Self {
            channels,
            side,
            pixels: bytes
                .iter()
                .flat_map(|b| [digit(b >> 4), digit(b & 15)])
                .collect(),
        };
        stored.fault().is_none().then_some(stored)
    }

    /// How many numbers it has.
    fn numbers(&self) -> usize {
        let side = self.side as usize;
        (self.channels as usize).saturating_mul(side.saturating_mul(side))
    }

    /// The numbers in [-1, 1], `[C][H][W]`; empty where the text holds none.
    pub fn values(&self) -> Vec<f32> {
        self.bytes()
            .iter()
            .map(|b| f32::from(*b) / 127.5 - 1.0)
            .collect()
    }

    /// The numbers as 0 to 255, `[C][H][W]`; empty where the text holds none.
    pub fn bytes(&self) -> Vec<u8> {
        let digit = |c: u8| char::from(c).to_digit(16).map(|d| d as u8);
        let (pairs, _) = self.pixels.as_bytes().as_chunks::<2>();
        let bytes: Option<Vec<u8>> = pairs
            .iter()
            .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
            .collect();
        bytes
            .filter(|bytes| bytes.len() == self.numbers())
            .unwrap_or_default()
    }

    /// Whether it is as a map's pictures are.
    pub fn fits(&self, [c, h, w]: [usize; 3]) -> bool {
        h == w && self.channels as usize == c && self.side as usize == h
    }

    /// What is wrong with it: what is accepted.
    pub(super) fn fault(&self) -> Option<&'static str> {
        if !matches!(self.channels, 1 | 3) || !(1..=Self::MAX_SIDE).contains(&self.side) {
            return Some("a picture has 1 or 3 channels and is 1 to 256 pixels wide");
        }
        let text = self.pixels.as_bytes();
        let sound = text.len() == 2 * self.numbers() && text.iter().all(u8::is_ascii_hexdigit);
        (!sound).then_some("a picture has two hexadecimal digits a number")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn stored() -> StoredPicture {
        let bytes: Vec<u8> = (0..=255).cycle().take(16 * 16 * 3).collect();
        StoredPicture::from_bytes(3, 16, &bytes).unwrap()
    }

    #[test]
    fn a_stored_picture_keeps_every_byte() {
        let picture = stored();
        let bytes = picture.bytes();
        assert_eq!(bytes.len(), 768);
        assert_eq!((bytes[0], bytes[17], bytes[255]), (0, 17, 255));
        assert_eq!(StoredPicture::new(3, 16, &picture.values()), Some(picture));
        assert_eq!(StoredPicture::from_bytes(1, 16, &[0; 3]), None);
        let values = (-70_000..70_000).map(|k| k as f32 / 65_280.0);
        for v in values.chain([f32::NAN, f32::INFINITY]) {
            let plainly = ((v + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8;
            assert_eq!(StoredPicture::rounded(&[v]), [plainly], "{v}");
        }
    }
}
