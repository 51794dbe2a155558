//! Contact sheets: pictures in rows with their captions below them.

use image::{Rgb, RgbImage, imageops};
use plotters::backend::BitMapBackend;
use plotters::drawing::IntoDrawingArea as _;
use plotters::element::Text;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, IntoFont as _, RGBColor, TextStyle};

use super::{Font, enlarged};
use crate::session::StoredPicture;

/// Pictures are enlarged by a whole number to at least so many pixels.
const LEAST_SIDE: u32 = 112;
/// Between two pictures and around all.
const GAP: u32 = 10;
/// Size of the captions' em, and of a line.
const EM: f64 = 11.0;
const LINE: u32 = 15;
/// Between a picture and its caption.
const ABOVE: u32 = 4;
const PAPER: u8 = 244;
const INK: RGBColor = RGBColor(40, 40, 40);
/// No sheet is larger.
const MOST_SIDE: u32 = 16_384;

/// One picture and what stands below it.
#[derive(Clone, Debug, PartialEq)]
pub struct SheetCell {
    /// The picture.
    pub picture: StoredPicture,
    /// Lines below it.
    pub caption: Vec<String>,
}

/// All cells in rows of `columns`. `None` where `watch`, told the share done, says no.
///
/// # Errors
/// When there are no cells, when the sheet would be too large, or the font cannot be read.
pub fn contact_sheet(
    cells: &[SheetCell],
    columns: usize,
    watch: &mut dyn FnMut(f32) -> bool,
) -> Result<Option<RgbImage>, String> {
    let side = cells.iter().map(|cell| cell.picture.side).max();
    let side = side.ok_or("there are no pictures for a sheet")?;
    let scale = LEAST_SIDE.div_ceil(side.max(1));
    let lines = cells.iter().map(|cell| cell.caption.len()).max();
    let caption = match lines.unwrap_or(0) as u32 {
        0 => 0,
        lines => ABOVE + lines * LINE,
    };
    let (wide, high) = (side * scale + GAP, side * scale + caption + GAP);
    let columns = columns.clamp(1, cells.len()) as u32;
    let rows = (cells.len() as u32).div_ceil(columns);
    let (width, height) = (
        columns.saturating_mul(wide).saturating_add(GAP),
        rows.saturating_mul(high).saturating_add(GAP),
    );
    if width.max(height) > MOST_SIDE {
        return Err(format!(
            "a sheet of {} pictures would be {width} x {height} pixels; {MOST_SIDE} a side are the most. Choose fewer pictures",
            cells.len()
        ));
    }
    let mut sheet = RgbImage::from_pixel(width, height, Rgb([PAPER; 3]));
    for (k, cell) in cells.iter().enumerate() {
        if !watch(k as f32 / cells.len() as f32) {
            return Ok(None);
        }
        let (left, top) = (
            GAP + (k as u32 % columns) * wide,
            GAP + (k as u32 / columns) * high,
        );
        let picture = enlarged(&cell.picture, scale).into_rgb8();
        imageops::replace(&mut sheet, &picture, left.into(), top.into());
        for (line, text) in cell.caption.iter().enumerate() {
            let y = top + side * scale + ABOVE + line as u32 * LINE;
            set_line(&mut sheet, text, (left, y), side * scale)?;
        }
    }
    Ok(Some(sheet))
}

/// Sets a line of text with its upper left corner at `place`, cut to `room` pixels.
///
/// # Errors
/// When the program's own font cannot be read.
pub fn set_line(
    sheet: &mut RgbImage,
    text: &str,
    (left, top): (u32, u32),
    room: u32,
) -> Result<(), String> {
    let font = Font::get()?;
    let size = sheet.dimensions();
    let area = BitMapBackend::with_buffer(sheet, size).into_drawing_area();
    let style = |size: f64| -> TextStyle<'static> {
        let font = (Font::NAME, size).into_font();
        font.color(&INK.mix(1.0))
            .pos(Pos::new(HPos::Left, VPos::Top))
    };
    let mut pen = 0.0;
    for letter in text.chars() {
        let (advance, bearing) = font.metrics(letter);
        if pen + advance * EM > f64::from(room) {
            break;
        }
        // Letter by letter: plotters leaves out the room that a letter has on its left.
        let x = f64::from(left) + pen + bearing * EM;
        let at = (x.round() as i32, top as i32);
        area.draw(&Text::new(letter.to_string(), at, style(font.line() * EM)))
            .map_err(|e| e.to_string())?;
        pen += advance * EM;
    }
    area.present().map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(value: u8, caption: &[&str]) -> SheetCell {
        SheetCell {
            picture: StoredPicture::from_bytes(1, 28, &[value; 784]).unwrap(),
            caption: caption.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn pictures_stand_in_rows_with_ink_below_them() {
        let cells = [
            cell(0, &["nine 92 %", "t 0.300"]),
            cell(255, &[]),
            cell(9, &["four"]),
        ];
        let sheet = contact_sheet(&cells, 2, &mut |_| true).unwrap().unwrap();
        let (wide, high) = (112 + GAP, 112 + ABOVE + 2 * LINE + GAP);
        assert_eq!(sheet.dimensions(), (2 * wide + GAP, 2 * high + GAP));
        assert_eq!(sheet.get_pixel(GAP, GAP).0, [0; 3]);
        assert_eq!(sheet.get_pixel(GAP + wide, GAP + 111).0, [255; 3]);
        assert_eq!(sheet.get_pixel(GAP, GAP + high).0, [9; 3]);
        let dark = |left: u32, top: u32, lines: u32| {
            let pixels =
                (top..top + lines * LINE).flat_map(|y| (left..left + 112).map(move |x| (x, y)));
            pixels
                .filter(|(x, y)| sheet.get_pixel(*x, *y).0[0] < 120)
                .count()
        };
        assert!(dark(GAP, GAP + 112 + ABOVE, 1) > 30, "a first line");
        assert!(dark(GAP, GAP + 112 + ABOVE + LINE, 1) > 20, "a second line");
        assert_eq!(dark(GAP + wide, GAP + 112, 2), 0, "no caption");
        let again = contact_sheet(&cells, 2, &mut |_| true).unwrap().unwrap();
        assert_eq!(sheet, again);
    }

    #[test]
    fn a_sheet_can_be_given_up_and_an_endless_one_is_refused() {
        let cells = vec![cell(0, &[]); 4];
        assert_eq!(contact_sheet(&cells, 2, &mut |share| share < 0.5), Ok(None));
        let message = contact_sheet(&vec![cell(0, &[]); 200], 200, &mut |_| true).unwrap_err();
        assert!(message.contains("fewer pictures"), "{message}");
        assert!(contact_sheet(&[], 2, &mut |_| true).is_err());
    }

    #[test]
    fn a_caption_that_is_too_long_ends_with_its_picture() {
        let mut sheet = RgbImage::from_pixel(200, 30, Rgb([PAPER; 3]));
        set_line(&mut sheet, &"m".repeat(60), (10, 5), 80).unwrap();
        assert!(
            sheet
                .enumerate_pixels()
                .all(|(x, _, p)| x < 92 || p.0 == [PAPER; 3])
        );
        assert!(sheet.pixels().any(|p| p.0[0] < 100));
    }
}
