//! What plots are drawn with: colours, marks, dashes, and text that looks the same in both kinds of file.

use plotters::backend::DrawingBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind};
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, FontTransform, IntoFont as _, RGBColor, ShapeStyle, TextStyle};

pub(super) use crate::session::Font;

/// Drawing units a point: whole numbers of them place everything finely enough.
pub(super) const UNIT: i32 = 4;

/// Okabe and Ito's colours without the yellow that white swallows, and three of Tol's: people with any colour vision
/// tell them apart. A document's ink, not the window's: the window's colours are its own.
const INK: [RGBColor; 10] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(40, 40, 40),
    RGBColor(136, 34, 85),
    RGBColor(153, 153, 51),
    RGBColor(51, 34, 136),
];
pub(super) const PAPER: RGBColor = RGBColor(255, 255, 255);
pub(super) const TEXT: RGBColor = RGBColor(30, 30, 30);
pub(super) const FAINT: RGBColor = RGBColor(225, 225, 225);
/// Of what is exact, and of notes.
pub(super) const TRUTH: RGBColor = RGBColor(110, 110, 110);

/// How drawing ends.
pub(super) type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// Drawing units of a length in points.
pub(super) fn units(points: f64) -> i32 {
    (points * f64::from(UNIT)).round() as i32
}

/// A line of this many points.
pub(super) fn stroke(colour: RGBColor, points: f64) -> ShapeStyle {
    colour.stroke_width(units(points) as u32)
}

/// The colour of a line of the plot.
pub(super) fn ink(series: usize) -> RGBColor {
    INK[series % INK.len()]
}

/// A line of dashes, in the colour of exactness.
pub(super) fn dashes<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    (from, to): (i32, i32),
    y: i32,
) -> Drawn<B> {
    let (dash, gap) = (units(5.0), units(3.5));
    let mut x = from;
    while x < to {
        let ends = [(x, y), ((x + dash).min(to), y)];
        area.draw(&PathElement::new(ends, stroke(TRUTH, 1.4)))?;
        x += dash + gap;
    }
    Ok(())
}

/// A method's mark: colours alone do not tell more than ten apart, and not on a grey printer.
pub(super) fn mark<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    (x, y): (i32, i32),
    series: usize,
) -> Drawn<B> {
    let colour = ink(series);
    let fill = colour.filled();
    let r = units(3.2);
    let shape = |corners: &[(f64, f64)]| -> Vec<(i32, i32)> {
        let at = |c: f64| (c * f64::from(r)).round() as i32;
        corners.iter().map(|c| (x + at(c.0), y + at(c.1))).collect()
    };
    match series % 6 {
        0 => area.draw(&Circle::new((x, y), r, fill)),
        1 => {
            let side = r * 9 / 10;
            let corners = [(x - side, y - side), (x + side, y + side)];
            area.draw(&Rectangle::new(corners, fill))
        }
        2 => {
            let up = shape(&[(0.0, -1.25), (1.15, 0.85), (-1.15, 0.85)]);
            area.draw(&Polygon::new(up, fill))
        }
        3 => {
            let diamond = shape(&[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)]);
            area.draw(&Polygon::new(diamond, fill))
        }
        4 => {
            let down = shape(&[(0.0, 1.25), (1.15, -0.85), (-1.15, -0.85)]);
            area.draw(&Polygon::new(down, fill))
        }
        _ => {
            area.draw(&Circle::new((x, y), r, colour.filled()))?;
            area.draw(&Circle::new((x, y), r - units(1.4), PAPER.filled()))
        }
    }
}

/// A hollow arrow head at the edge of the frame: a method's point lies beyond it.
pub(super) fn arrow<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    (x, y): (i32, i32),
    series: usize,
    upward: bool,
) -> Drawn<B> {
    let (half, long) = (units(3.2), if upward { -units(6.0) } else { units(6.0) });
    let corners = vec![(x - half, y), (x, y + long), (x + half, y), (x - half, y)];
    area.draw(&Polygon::new(corners.clone(), PAPER.filled()))?;
    area.draw(&PathElement::new(corners, stroke(ink(series), 1.2)))
}

/// A text to be set.
#[derive(Clone, Copy)]
pub(super) struct Label<'a> {
    pub text: &'a str,
    /// Size of its em in points.
    pub size: f64,
    pub colour: RGBColor,
    /// Which of its ends, or its middle, lies at the place.
    pub anchor: HPos,
    /// Whether it reads upward.
    pub upward: bool,
}

impl<'a> Label<'a> {
    pub fn new(text: &'a str, size: f64, anchor: HPos) -> Self {
        Self {
            text,
            size,
            colour: TEXT,
            anchor,
            upward: false,
        }
    }

    /// Sets the text with its base line through `place`.
    ///
    /// `whole`: as one text, for files that keep text. Else letter by letter: plotters leaves out the room that a
    /// letter has on its left, so that words set by it are uneven.
    pub fn set<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        font: &Font,
        whole: bool,
        place: (i32, i32),
    ) -> Drawn<B> {
        let em = self.size * f64::from(UNIT);
        // Along the text and down from its base line, in units.
        let at = |along: f64, down: f64| {
            let (a, d) = (along.round() as i32, down.round() as i32);
            if self.upward {
                (place.0 + d, place.1 - a)
            } else {
                (place.0 + a, place.1 + d)
            }
        };
        let turn = if self.upward {
            FontTransform::Rotate270
        } else {
            FontTransform::None
        };
        let style = |size: f64, h: HPos, v: VPos| -> TextStyle<'static> {
            let font = (Font::NAME, size).into_font().transform(turn.clone());
            font.color(&self.colour).pos(Pos::new(h, v))
        };
        if whole {
            // Centred means half of the height of an x above the base line, 0.27 of an em in faces such as these; and
            // plotters' sizes are 1.24 of an em.
            let style = style(1.24 * em, self.anchor, VPos::Center);
            return area.draw(&Text::new(self.text, at(0.0, -0.27 * em), style));
        }
        let width = font.width(self.text) * em;
        let mut pen = match self.anchor {
            HPos::Left => 0.0,
            HPos::Center => -0.5 * width,
            HPos::Right => -width,
        };
        let size = font.line() * em;
        for letter in self.text.chars() {
            let (advance, room) = font.metrics(letter);
            // plotters puts the base line half of the size below the top.
            let place = at(pen + room * em, -0.5 * size);
            let style = style(size, HPos::Left, VPos::Top);
            area.draw(&Text::new(letter.to_string(), place, style))?;
            pen += advance * em;
        }
        Ok(())
    }
}
