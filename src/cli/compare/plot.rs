//! The plots, for paper: white ground, lines told apart by colour and by mark, error bars over seeds.

use std::sync::OnceLock;

use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color as _, FontStyle, FontTransform, IntoFont as _, RGBColor, TextStyle, register_font,
};

use super::axis::Axis;
use super::table::{Point, Spread};

/// Size in points.
const SIZE: [i32; 2] = [640, 400];
/// Drawing units a point: whole numbers of them place everything finely enough.
const UNIT: i32 = 4;
/// Pixels a point of the PNG; a whole part of [`UNIT`], whose squares are averaged.
const PIXELS: i32 = 2;

/// What programs that show the SVG look for, the first one being what it was laid out with.
const FONT: &str = "Inter, Helvetica, Arial, sans-serif";
static INTER: &[u8] = include_bytes!("../../../assets/fonts/Inter.ttf");

/// Okabe and Ito's colours, which people with any colour vision tell apart, without the yellow that white swallows.
/// A document's ink, not the window's: the window's colours are its own.
const INK: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(40, 40, 40),
];
const PAPER: RGBColor = RGBColor(255, 255, 255);
const TEXT: RGBColor = RGBColor(30, 30, 30);
const FAINT: RGBColor = RGBColor(225, 225, 225);
const TRUTH: RGBColor = RGBColor(110, 110, 110);

/// One plot.
pub(super) struct Plot<'a> {
    pub title: &'a str,
    /// Under the title, small.
    pub note: String,
    pub y_title: &'a str,
    pub log_y: bool,
    pub figure: fn(&Point) -> Spread,
    /// Where exactness lies, and what to call it.
    pub truth: (f64, &'a str),
    pub points: &'a [Point],
    pub series: &'a [String],
}

/// Text, styled.
type Style = TextStyle<'static>;

/// The plot's parts, in drawing units.
struct Frame {
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
    x: Axis,
    y: Axis,
}

impl Frame {
    fn at(&self, x: f64, y: f64) -> (i32, i32) {
        (self.x_at(x), self.y_at(y))
    }

    fn x_at(&self, x: f64) -> i32 {
        self.left + (f64::from(self.right - self.left) * self.x.place(x)).round() as i32
    }

    fn y_at(&self, y: f64) -> i32 {
        self.bottom - (f64::from(self.bottom - self.top) * self.y.place(y)).round() as i32
    }
}

fn units(points: f64) -> i32 {
    (points * f64::from(UNIT)).round() as i32
}

fn style(size: f64, colour: RGBColor, h: HPos, v: VPos) -> Style {
    // plotters' sizes are 1.24 of an em.
    (FONT, 1.24 * size * f64::from(UNIT))
        .into_font()
        .color(&colour)
        .pos(Pos::new(h, v))
}

/// The width of a text in points.
fn width(text: &str, size: f64) -> f64 {
    let font = (FONT, 1.24 * size).into_font();
    font.box_size(text).map_or(0.0, |(w, _)| f64::from(w))
}

fn load_font() -> Result<(), String> {
    static FINE: OnceLock<bool> = OnceLock::new();
    let fine = FINE.get_or_init(|| register_font(FONT, FontStyle::Normal, INTER).is_ok());
    fine.then_some(())
        .ok_or_else(|| "the program's own font cannot be read".into())
}

impl Plot<'_> {
    /// The plot as an SVG document.
    ///
    /// # Errors
    /// When the font is not usable.
    pub fn svg(&self) -> Result<String, String> {
        load_font()?;
        let [w, h] = SIZE.map(|side| (side * UNIT) as u32);
        let mut out = String::new();
        {
            let area = SVGBackend::with_string(&mut out, (w, h)).into_drawing_area();
            self.draw(&area)?;
        }
        // Drawn in units, shown in points: the view box stays.
        let was = format!("width=\"{w}\" height=\"{h}\"");
        let [w, h] = SIZE;
        Ok(out.replacen(&was, &format!("width=\"{w}\" height=\"{h}\""), 1))
    }

    /// The plot as a PNG file.
    ///
    /// # Errors
    /// When the font is not usable.
    pub fn png(&self) -> Result<Vec<u8>, String> {
        load_font()?;
        let [w, h] = SIZE.map(|side| (side * UNIT) as u32);
        let mut pixels = vec![0; (3 * w * h) as usize];
        {
            let area = BitMapBackend::with_buffer(&mut pixels, (w, h)).into_drawing_area();
            self.draw(&area)?;
        }
        let image = image::RgbImage::from_raw(w, h, pixels).ok_or("the picture has no pixels")?;
        let [w, h] = SIZE.map(|side| (side * PIXELS) as u32);
        let small = image::imageops::thumbnail(&image, w, h);
        let mut png = std::io::Cursor::new(Vec::new());
        small
            .write_to(&mut png, image::ImageFormat::Png)
            .map_err(|e| e.to_string())?;
        Ok(png.into_inner())
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Result<(), String> {
        self.draw_all(area).map_err(|e| e.to_string())
    }

    fn draw_all<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
    ) -> Result<(), plotters::drawing::DrawingAreaErrorKind<B::ErrorType>> {
        area.fill(&PAPER)?;
        let names: Vec<(usize, &str)> = (0..self.series.len())
            .filter(|s| self.points.iter().any(|p| p.series == *s))
            .map(|s| (s, self.series[s].as_str()))
            .collect();
        let widest = names
            .iter()
            .map(|(_, name)| width(name, 10.0))
            .fold(width(self.truth.1, 10.0), f64::max);
        let legend = (widest + 46.0).min(f64::from(SIZE[0]) * 0.4);
        let frame = self.frame(legend);
        self.ground(area, &frame)?;
        for (s, _) in &names {
            self.line(area, &frame, *s)?;
        }
        // Legend, in the order of the plan, exactness last.
        let x = frame.right + units(14.0);
        let line = units(16.0);
        let mut y = frame.top + units(7.0);
        let left = |colour| style(10.0, colour, HPos::Left, VPos::Center);
        for (s, name) in &names {
            let ink = INK[s % INK.len()];
            area.draw(&PathElement::new(
                [(x, y), (x + units(22.0), y)],
                ink.stroke_width(units(1.4) as u32),
            ))?;
            mark(area, (x + units(11.0), y), *s)?;
            area.draw(&Text::new(*name, (x + units(28.0), y), left(TEXT)))?;
            y += line;
        }
        dashes(area, (x, x + units(22.0)), y)?;
        area.draw(&Text::new(self.truth.1, (x + units(28.0), y), left(TEXT)))?;
        area.present()
    }

    fn frame(&self, legend: f64) -> Frame {
        let reach = |p: &Point| {
            let v = (self.figure)(p);
            let sd = if v.sd.is_finite() { v.sd } else { 0.0 };
            // A bar that would reach below 0 on a logarithmic axis is cut off at the axis' end.
            let low = if self.log_y && v.mean - sd <= 0.0 {
                0.5 * v.mean
            } else {
                v.mean - sd
            };
            [low, v.mean + sd]
        };
        let ys = self.points.iter().flat_map(reach).chain([self.truth.0]);
        Frame {
            left: units(62.0),
            right: units(f64::from(SIZE[0]) - legend),
            top: units(52.0),
            bottom: units(f64::from(SIZE[1]) - 48.0),
            x: Axis::of(true, self.points.iter().map(|p| p.evaluations)),
            y: Axis::of(self.log_y, ys),
        }
    }

    /// Titles, axes, ticks, and where exactness lies.
    fn ground<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        frame: &Frame,
    ) -> Result<(), plotters::drawing::DrawingAreaErrorKind<B::ErrorType>> {
        let hair = units(0.75) as u32;
        let (left, right, top, bottom) = (frame.left, frame.right, frame.top, frame.bottom);
        for (v, label) in frame.y.ticks() {
            let y = frame.y_at(v);
            area.draw(&PathElement::new(
                [(left, y), (right, y)],
                FAINT.stroke_width(hair),
            ))?;
            let place = (left - units(6.0), y);
            let right = style(10.0, TEXT, HPos::Right, VPos::Center);
            area.draw(&Text::new(label, place, right))?;
        }
        for (v, label) in frame.x.ticks() {
            let x = frame.x_at(v);
            area.draw(&PathElement::new(
                [(x, top), (x, bottom)],
                FAINT.stroke_width(hair),
            ))?;
            let place = (x, bottom + units(6.0));
            let centre = style(10.0, TEXT, HPos::Center, VPos::Top);
            area.draw(&Text::new(label, place, centre))?;
        }
        area.draw(&PathElement::new(
            [(left, top), (left, bottom), (right, bottom)],
            TEXT.stroke_width(units(1.0) as u32),
        ))?;
        dashes(area, (left, right), frame.y_at(self.truth.0))?;
        let title = style(13.0, TEXT, HPos::Left, VPos::Top);
        area.draw(&Text::new(self.title, (units(14.0), units(11.0)), title))?;
        let note = style(10.0, TRUTH, HPos::Left, VPos::Top);
        area.draw(&Text::new(
            self.note.as_str(),
            (units(14.0), units(30.0)),
            note,
        ))?;
        let centre = style(11.0, TEXT, HPos::Center, VPos::Bottom);
        let place = (i32::midpoint(left, right), units(f64::from(SIZE[1]) - 9.0));
        area.draw(&Text::new(
            "Function evaluations per sample (log scale)",
            place,
            centre,
        ))?;
        let turned = style(11.0, TEXT, HPos::Center, VPos::Top).transform(FontTransform::Rotate270);
        let place = (units(10.0), i32::midpoint(top, bottom));
        area.draw(&Text::new(self.y_title, place, turned))
    }

    /// One method: bars, line, marks.
    fn line<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        frame: &Frame,
        series: usize,
    ) -> Result<(), plotters::drawing::DrawingAreaErrorKind<B::ErrorType>> {
        let ink = INK[series % INK.len()];
        let mut points: Vec<(f64, Spread)> = self
            .points
            .iter()
            .filter(|p| p.series == series)
            .map(|p| (p.evaluations, (self.figure)(p)))
            .filter(|(_, v)| v.mean.is_finite())
            .collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (x, v) in points.iter().filter(|(_, v)| v.sd > 0.0) {
            let (x, low) = frame.at(*x, v.mean - v.sd);
            let high = frame.y_at(v.mean + v.sd);
            let bar = ink.stroke_width(units(1.0) as u32);
            area.draw(&PathElement::new([(x, low), (x, high)], bar))?;
            for y in [low, high] {
                let cap = [(x - units(2.5), y), (x + units(2.5), y)];
                area.draw(&PathElement::new(cap, bar))?;
            }
        }
        let places: Vec<(i32, i32)> = points.iter().map(|(x, v)| frame.at(*x, v.mean)).collect();
        area.draw(&PathElement::new(
            places.clone(),
            ink.stroke_width(units(1.4) as u32),
        ))?;
        for place in places {
            mark(area, place, series)?;
        }
        Ok(())
    }
}

/// A line of dashes, in the colour of exactness.
fn dashes<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    (from, to): (i32, i32),
    y: i32,
) -> Result<(), plotters::drawing::DrawingAreaErrorKind<B::ErrorType>> {
    let (dash, gap) = (units(5.0), units(3.5));
    let mut x = from;
    while x < to {
        let ends = [(x, y), ((x + dash).min(to), y)];
        area.draw(&PathElement::new(
            ends,
            TRUTH.stroke_width(units(1.4) as u32),
        ))?;
        x += dash + gap;
    }
    Ok(())
}

/// A method's mark: colours alone do not tell more than seven apart, and not on a grey printer.
fn mark<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    (x, y): (i32, i32),
    series: usize,
) -> Result<(), plotters::drawing::DrawingAreaErrorKind<B::ErrorType>> {
    let ink = INK[series % INK.len()].filled();
    let r = units(3.2);
    let shape = |corners: &[(f64, f64)]| -> Vec<(i32, i32)> {
        let at = |c: f64| (c * f64::from(r)).round() as i32;
        corners.iter().map(|c| (x + at(c.0), y + at(c.1))).collect()
    };
    match series % 6 {
        0 => area.draw(&Circle::new((x, y), r, ink)),
        1 => {
            let side = r * 9 / 10;
            area.draw(&Rectangle::new(
                [(x - side, y - side), (x + side, y + side)],
                ink,
            ))
        }
        2 => area.draw(&Polygon::new(
            shape(&[(0.0, -1.25), (1.15, 0.85), (-1.15, 0.85)]),
            ink,
        )),
        3 => area.draw(&Polygon::new(
            shape(&[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)]),
            ink,
        )),
        4 => area.draw(&Polygon::new(
            shape(&[(0.0, 1.25), (1.15, -0.85), (-1.15, -0.85)]),
            ink,
        )),
        _ => {
            area.draw(&Circle::new((x, y), r, PAPER.filled()))?;
            let ring = INK[series % INK.len()].stroke_width(units(1.4) as u32);
            area.draw(&Circle::new((x, y), r, ring))
        }
    }
}
