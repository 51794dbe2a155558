//! The plots, for paper: white ground, lines told apart by colour and by mark, error bars over seeds.

use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::PathElement;
use plotters::style::text_anchor::HPos;

use super::axis::{Axis, together};
use super::ink::{
    Drawn, FAINT, Font, Label, PAPER, TEXT, TRUTH, UNIT, arrow, dashes, ink, mark, stroke, units,
};
use super::table::{Point, Spread};

/// Size in points.
const SIZE: [i32; 2] = [640, 400];
/// Pixels a point of the PNG; a whole part of [`UNIT`], whose squares are averaged.
const PIXELS: i32 = 2;
/// Sizes of text in points.
const TITLE: f64 = 13.0;
const AXIS: f64 = 11.0;
const SMALL: f64 = 10.0;
/// Half of the height of a capital, in em: what lies on one line with a mark.
const HALF: f64 = 0.36;

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

/// Where it is drawn, and how text is set there.
struct Sheet<'a, B: DrawingBackend> {
    area: &'a DrawingArea<B, Shift>,
    font: &'a Font,
    /// Whether texts are kept whole.
    whole: bool,
}

impl<B: DrawingBackend> Sheet<'_, B> {
    fn text(&self, label: Label<'_>, place: (i32, i32)) -> Drawn<B> {
        label.set(self.area, self.font, self.whole, place)
    }
}

impl Plot<'_> {
    /// The plot as an SVG document.
    ///
    /// # Errors
    /// When the font is not usable.
    pub fn svg(&self) -> Result<String, String> {
        let font = Font::get()?;
        let [w, h] = SIZE.map(|side| (side * UNIT) as u32);
        let mut out = String::new();
        {
            let area = &SVGBackend::with_string(&mut out, (w, h)).into_drawing_area();
            let whole = true;
            self.draw(&Sheet { area, font, whole })?;
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
        let font = Font::get()?;
        let [w, h] = SIZE.map(|side| (side * UNIT) as u32);
        let mut pixels = vec![0; (3 * w * h) as usize];
        {
            let area = &BitMapBackend::with_buffer(&mut pixels, (w, h)).into_drawing_area();
            let whole = false;
            self.draw(&Sheet { area, font, whole })?;
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

    fn draw<B: DrawingBackend>(&self, sheet: &Sheet<'_, B>) -> Result<(), String> {
        self.draw_all(sheet).map_err(|e| e.to_string())
    }

    fn draw_all<B: DrawingBackend>(&self, sheet: &Sheet<'_, B>) -> Drawn<B> {
        sheet.area.fill(&PAPER)?;
        let names: Vec<(usize, &str)> = (0..self.series.len())
            .filter(|s| self.points.iter().any(|p| p.series == *s))
            .map(|s| (s, self.series[s].as_str()))
            .collect();
        let widest = names
            .iter()
            .map(|(_, name)| SMALL * sheet.font.width(name))
            .fold(SMALL * sheet.font.width(self.truth.1), f64::max);
        let legend = (widest + 56.0).min(f64::from(SIZE[0]) * 0.45);
        let frame = self.frame(legend);
        self.ground(sheet, &frame)?;
        for (s, _) in &names {
            self.line(sheet.area, &frame, *s)?;
        }
        // Legend, in the order of the plan, exactness last.
        let (x, line) = (frame.right + units(14.0), units(16.0));
        let mut y = frame.top + units(7.0);
        let name_at = |y| (x + units(28.0), y + units(HALF * SMALL));
        for (s, name) in &names {
            let sample = [(x, y), (x + units(22.0), y)];
            let area = sheet.area;
            area.draw(&PathElement::new(sample, stroke(ink(*s), 1.4)))?;
            mark(area, (x + units(11.0), y), *s)?;
            sheet.text(Label::new(name, SMALL, HPos::Left), name_at(y))?;
            y += line;
        }
        dashes(sheet.area, (x, x + units(22.0)), y)?;
        sheet.text(Label::new(self.truth.1, SMALL, HPos::Left), name_at(y))?;
        sheet.area.present()
    }

    fn frame(&self, legend: f64) -> Frame {
        let reach = |p: &Point| {
            let v = (self.figure)(p);
            let sd = if v.sd.is_finite() { v.sd } else { 0.0 };
            // On a logarithmic axis a bar that comes near 0 would press all else together: the axis cuts it off.
            let low = if self.log_y {
                (v.mean - sd).max(0.5 * v.mean)
            } else {
                v.mean - sd
            };
            [low, v.mean + sd]
        };
        let means: Vec<f64> = self.points.iter().map(|p| (self.figure)(p).mean).collect();
        let fits = together(&means);
        let shown = self
            .points
            .iter()
            .filter(|p| self.log_y || fits((self.figure)(p).mean));
        let ys = shown.flat_map(reach).chain([self.truth.0]);
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
    fn ground<B: DrawingBackend>(&self, sheet: &Sheet<'_, B>, frame: &Frame) -> Drawn<B> {
        let area = sheet.area;
        let (left, right, top, bottom) = (frame.left, frame.right, frame.top, frame.bottom);
        for (v, label) in frame.y.ticks() {
            let y = frame.y_at(v);
            let line = [(left, y), (right, y)];
            area.draw(&PathElement::new(line, stroke(FAINT, 0.75)))?;
            let place = (left - units(6.0), y + units(HALF * SMALL));
            sheet.text(Label::new(&label, SMALL, HPos::Right), place)?;
        }
        for (v, label) in frame.x.ticks() {
            let x = frame.x_at(v);
            let line = [(x, top), (x, bottom)];
            area.draw(&PathElement::new(line, stroke(FAINT, 0.75)))?;
            let place = (x, bottom + units(15.0));
            sheet.text(Label::new(&label, SMALL, HPos::Center), place)?;
        }
        let axes = [(left, top), (left, bottom), (right, bottom)];
        area.draw(&PathElement::new(axes, stroke(TEXT, 1.0)))?;
        dashes(area, (left, right), frame.y_at(self.truth.0))?;
        let title = Label::new(self.title, TITLE, HPos::Left);
        sheet.text(title, (units(14.0), units(22.0)))?;
        let figures = self.points.iter().map(|p| (self.figure)(p).mean);
        let note = match figures.filter(|v| !frame.y.holds(*v)).count() {
            0 => self.note.clone(),
            1 => format!("{}; 1 point lies beyond the axis (arrow)", self.note),
            n => format!("{}; {n} points lie beyond the axis (arrows)", self.note),
        };
        let note = Label {
            colour: TRUTH,
            ..Label::new(&note, SMALL, HPos::Left)
        };
        sheet.text(note, (units(14.0), units(38.0)))?;
        let x_title = "Function evaluations per sample (log scale)";
        let place = (i32::midpoint(left, right), units(f64::from(SIZE[1]) - 13.0));
        sheet.text(Label::new(x_title, AXIS, HPos::Center), place)?;
        let y_title = Label {
            upward: true,
            ..Label::new(self.y_title, AXIS, HPos::Center)
        };
        sheet.text(y_title, (units(17.0), i32::midpoint(top, bottom)))
    }

    /// One method: bars, line, marks.
    fn line<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        frame: &Frame,
        series: usize,
    ) -> Drawn<B> {
        let mut points: Vec<(f64, Spread)> = self
            .points
            .iter()
            .filter(|p| p.series == series)
            .map(|p| (p.evaluations, (self.figure)(p)))
            .filter(|(_, v)| v.mean.is_finite())
            .collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (x, v) in points
            .iter()
            .filter(|(_, v)| v.sd > 0.0 && frame.y.holds(v.mean))
        {
            let (x, low) = frame.at(*x, v.mean - v.sd);
            let high = frame.y_at(v.mean + v.sd);
            let bar = stroke(ink(series), 1.0);
            area.draw(&PathElement::new([(x, low), (x, high)], bar))?;
            // No cap where the bar goes on beyond the axis.
            for y in [low, high].into_iter().filter(|y| *y < frame.bottom) {
                let cap = [(x - units(2.5), y), (x + units(2.5), y)];
                area.draw(&PathElement::new(cap, bar))?;
            }
        }
        let at: Vec<((i32, i32), f64)> = points
            .iter()
            .map(|(x, v)| (frame.at(*x, v.mean), v.mean))
            .collect();
        // A line leaves the frame for what lies beyond, and does not run along its edge.
        for pair in at.windows(2) {
            if pair.iter().any(|(_, mean)| frame.y.holds(*mean)) {
                let ends = [pair[0].0, pair[1].0];
                area.draw(&PathElement::new(ends, stroke(ink(series), 1.4)))?;
            }
        }
        for (place, mean) in at {
            if frame.y.holds(mean) {
                mark(area, place, series)?;
            } else {
                arrow(area, place, series, place.1 <= frame.top)?;
            }
        }
        Ok(())
    }
}
