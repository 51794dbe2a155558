//! The program's own typeface for what is drawn into files, and its metrics.

use std::sync::OnceLock;

use plotters::style::{FontStyle, register_font};

static INTER: &[u8] = include_bytes!("../../../assets/fonts/Inter.ttf");

/// The metrics of the program's own font, in em.
pub struct Font {
    /// From the lowest to the highest point of a line.
    line: f64,
    /// Advance and room on the left of each letter, for U+0020 to U+2FFF where it has one.
    letters: Vec<Option<(f64, f64)>>,
}

impl Font {
    /// What programs that show a drawing look for, the first one being what pictures are set in.
    pub const NAME: &'static str = "Inter, Helvetica, Arial, sans-serif";

    /// The font, ready to be drawn with.
    ///
    /// # Errors
    /// When the file that is built in is not a font, which a test excludes.
    pub fn get() -> Result<&'static Self, String> {
        static READ: OnceLock<Option<Font>> = OnceLock::new();
        READ.get_or_init(|| {
            register_font(Self::NAME, FontStyle::Normal, INTER).ok()?;
            Self::read(INTER)
        })
        .as_ref()
        .ok_or_else(|| "the program's own font cannot be read".into())
    }

    /// Advance and room on the left of a letter, in em.
    pub fn metrics(&self, letter: char) -> (f64, f64) {
        let found = self.letters.get(letter as usize).copied().flatten();
        found.unwrap_or((0.5, 0.0))
    }

    /// From the lowest to the highest point of a line, in em.
    pub fn line(&self) -> f64 {
        self.line
    }

    /// The width of a text in em.
    pub fn width(&self, text: &str) -> f64 {
        text.chars().map(|letter| self.metrics(letter).0).sum()
    }

    /// OpenType: `head`, `hhea`, `hmtx`, and the first `cmap` of format 4.
    fn read(font: &[u8]) -> Option<Self> {
        let u16_at = |at: usize| {
            let bytes = font.get(at..at + 2)?;
            Some(u16::from_be_bytes([bytes[0], bytes[1]]))
        };
        let i16_at = |at: usize| u16_at(at).map(u16::cast_signed);
        let u32_at = |at: usize| {
            let high = u32::from(u16_at(at)?);
            Some(((high << 16) | u32::from(u16_at(at + 2)?)) as usize)
        };
        let table = |tag: &[u8; 4]| {
            let count = usize::from(u16_at(4)?);
            let entry = (0..count)
                .map(|i| 12 + 16 * i)
                .find(|at| font.get(*at..at + 4) == Some(tag))?;
            u32_at(entry + 8)
        };
        let em = f64::from(u16_at(table(b"head")? + 18)?);
        let hhea = table(b"hhea")?;
        let line = f64::from(i16_at(hhea + 4)?) - f64::from(i16_at(hhea + 6)?);
        let long = usize::from(u16_at(hhea + 34)?).checked_sub(1)?;
        let hmtx = table(b"hmtx")?;
        let metrics = |glyph: usize| {
            let advance = u16_at(hmtx + 4 * glyph.min(long))?;
            // After the last advance come rooms alone.
            let room = if glyph <= long {
                hmtx + 4 * glyph + 2
            } else {
                hmtx + 4 * (long + 1) + 2 * (glyph - long - 1)
            };
            Some((f64::from(advance) / em, f64::from(i16_at(room)?) / em))
        };
        let cmap = table(b"cmap")?;
        let subtables = usize::from(u16_at(cmap + 2)?);
        let map = (0..subtables)
            .filter_map(|i| Some(cmap + u32_at(cmap + 8 + 8 * i)?))
            .find(|at| u16_at(*at) == Some(4))?;
        let segments = usize::from(u16_at(map + 6)?) / 2;
        let glyph = |code: u16| {
            let ends = map + 14;
            let segment = (0..segments).find(|s| u16_at(ends + 2 * s) >= Some(code))?;
            let starts = ends + 2 * segments + 2;
            let start = u16_at(starts + 2 * segment)?;
            let delta = u16_at(starts + 2 * (segments + segment))?;
            let offset_at = starts + 2 * (2 * segments + segment);
            let offset = usize::from(u16_at(offset_at)?);
            let in_segment = usize::from(code.checked_sub(start)?);
            let glyph = match offset {
                0 => code.wrapping_add(delta),
                _ => match u16_at(offset_at + offset + 2 * in_segment)? {
                    0 => 0,
                    glyph => glyph.wrapping_add(delta),
                },
            };
            (glyph != 0).then_some(usize::from(glyph))
        };
        let letters = (0..0x3000)
            .map(|code| glyph(code).and_then(metrics))
            .collect();
        Some(Self {
            line: line / em,
            letters,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_knows_its_letters() {
        let font = Font::get().unwrap();
        for letter in ('!'..='~').chain(['\u{2212}', '\u{e9}']) {
            let (advance, room) = font.metrics(letter);
            assert!((0.1..1.3).contains(&advance), "{letter}: {advance}");
            assert!((-0.2..0.3).contains(&room), "{letter}: {room}");
        }
        // Tabular figures: all as wide as each other.
        assert_eq!(font.width("0000"), font.width("1718"));
        assert!(font.width("mm") > font.width("ii"));
        assert!((1.0..1.5).contains(&font.line));
    }
}
