//! One plot of several methods: lines, error bars, a floor, a clock; linear or logarithmic axes.

use eframe::egui::{
    Color32, CornerRadius, Rect, Response, Role, Sense, Ui, Vec2b, WidgetInfo, pos2, vec2,
};
use egui_plot::{
    AxisHints, FilledArea, GridMark, HLine, HoverPosition, Line, LineStyle, Plot, PlotPoints,
    PlotUi, Points, VLine,
};

use crate::ui::format;
use crate::ui::tokens::{self, Palette, size};

/// Room of a legend's key.
const KEY: f32 = 21.0;

/// How an axis is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By factors.
    Log,
}

/// An axis.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    /// How it is divided.
    pub scale: Scale,
    /// The range, if the data do not decide it.
    pub range: Option<(f64, f64)>,
    /// Whether 0 is in view.
    pub from_zero: bool,
    /// Written beside it.
    pub label: &'static str,
}

/// One line.
#[derive(Clone, Debug)]
pub struct Series {
    /// Whose it is.
    pub name: String,
    /// Its colour.
    pub color: Color32,
    /// Its width.
    pub width: f32,
    /// Whether it is dashed.
    pub dashed: bool,
    /// `(x, y)`, rising `x`.
    pub points: Vec<[f64; 2]>,
    /// Half of each point's error bar; none if empty.
    pub errors: Vec<f64>,
    /// Whether each point is a dot.
    pub dots: bool,
}

/// A horizontal line of what is exact.
#[derive(Clone, Debug)]
pub struct Level {
    /// What it is.
    pub name: String,
    /// Where.
    pub value: f64,
    /// Its colour.
    pub color: Color32,
}

/// A plot.
pub struct Chart<'a> {
    /// Its name, for egui and for a screen reader.
    pub name: &'a str,
    /// In points.
    pub height: f32,
    /// Across.
    pub x: Axis,
    /// Up.
    pub y: Axis,
    /// The lines.
    pub series: &'a [Series],
    /// From the bottom up to these points: the floor.
    pub floor: Vec<[f64; 2]>,
    /// Horizontal lines.
    pub levels: &'a [Level],
    /// A vertical line.
    pub clock: Option<f64>,
}

impl Axis {
    fn place(self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => value,
            Scale::Log => value.max(f64::MIN_POSITIVE).log10(),
        }
    }

    fn unplace(self, place: f64) -> f64 {
        match self.scale {
            Scale::Linear => place,
            Scale::Log => 10f64.powf(place),
        }
    }

    /// From the lowest to the highest value with some room, in places.
    fn bounds(self, values: impl Iterator<Item = f64>) -> (f64, f64) {
        if let Some((low, high)) = self.range {
            return (self.place(low), self.place(high));
        }
        let log = self.scale == Scale::Log;
        let (low, high) = values
            .filter(|v| v.is_finite() && (!log || *v > 0.0))
            .map(|v| self.place(v))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| {
                (a.min(v), b.max(v))
            });
        if !low.is_finite() {
            return (0.0, 1.0);
        }
        let low = if self.from_zero && !log {
            low.min(0.0)
        } else {
            low
        };
        let room = (0.08 * (high - low)).max(if log { 0.1 } else { 1e-3 + 0.02 * high.abs() });
        let zero = self.from_zero && !log && low == 0.0;
        (low - if zero { 0.4 * room } else { room }, high + room)
    }

    /// Marks within bounds, about `count` of them.
    fn marks(self, (low, high): (f64, f64), count: f64) -> Vec<GridMark> {
        let step = if self.scale == Scale::Linear {
            format::round_step((high - low) / count)
        } else {
            (high - low).max(1e-9) / count
        };
        if self.scale == Scale::Linear || step > 1.0 {
            let step = step.max(if self.scale == Scale::Log {
                step.ceil()
            } else {
                0.0
            });
            let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
            return (first..=last.min(first + 50))
                .map(|k| GridMark {
                    value: k as f64 * step,
                    step_size: step,
                })
                .collect();
        }
        let parts: &[f64] = match high - low {
            ..1.6 => &[1.0, 2.0, 5.0],
            ..2.6 => &[1.0, 3.0],
            _ => &[1.0],
        };
        // One size: egui paints the marks of each size in turn.
        let mark = |value| GridMark {
            value,
            step_size: 1.0,
        };
        let within = |place: &f64| (low..=high).contains(place);
        let marks: Vec<GridMark> = (low.floor() as i32..=high.ceil() as i32)
            .flat_map(|decade| parts.iter().map(move |p| f64::from(decade) + p.log10()))
            .filter(within)
            .map(mark)
            .collect();
        if marks.len() > 1 {
            return marks;
        }
        // A range so short may hold none of these: evenly, as a person would count.
        let (from, to) = (self.unplace(low), self.unplace(high));
        let even = |count: f64| -> Vec<GridMark> {
            let step = format::round_step((to - from) / count);
            let (first, last) = ((from / step).ceil() as i64, (to / step).floor() as i64);
            let even = (first..=last.min(first + 50)).map(|k| self.place(k as f64 * step));
            even.filter(within).map(mark).collect()
        };
        let marks = even(count);
        if marks.len() > 1 {
            marks
        } else {
            even(2.0 * count)
        }
    }

    fn tick(self, mark: GridMark) -> String {
        match self.scale {
            Scale::Linear => format::fixed(mark.value, format::decimals(mark.step_size)),
            Scale::Log => number(10f64.powf(mark.value)),
        }
    }
}

/// A figure of any size, shortly.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 999.5 {
        format::count(value.round().abs() as u64)
    } else if size >= 10.0 {
        format::fixed(value, 0)
    } else if size >= 0.995 {
        format::fixed(value, usize::from((value - value.round()).abs() >= 1e-6))
    } else if size > 0.0 {
        let text = format::fixed(value, (-size.log10().floor()) as usize + 1);
        let short = text.trim_end_matches('0').trim_end_matches('.');
        short.to_owned()
    } else {
        "0".to_owned()
    }
}

impl Chart<'_> {
    /// Shows it. Gives its response and where the pointer is.
    pub fn show(&self, ui: &mut Ui) -> (Response, Option<[f64; 2]>) {
        let palette = tokens::palette(ui);
        let points = || self.series.iter().flat_map(|s| &s.points);
        let (x, y) = (self.x, self.y);
        let x_bounds = x.bounds(points().map(|p| p[0]));
        let tops = self.series.iter().flat_map(|s| {
            let errors = s.errors.iter().copied().chain(std::iter::repeat(0.0));
            s.points
                .iter()
                .zip(errors)
                .flat_map(|(p, e)| [p[1] + e, p[1] - e])
        });
        // An error bar that reaches below 0 does not decide a logarithmic axis.
        let values = tops
            .chain(self.floor.iter().map(|p| p[1]))
            .chain(self.levels.iter().map(|level| level.value));
        let y_bounds = y.bounds(values);
        let tall = f64::from(self.height / 34.0).max(2.0);
        let hints = |hints: AxisHints<'static>| {
            hints
                .tick_label_color(palette.text_faint)
                .tick_label_font(tokens::tick_font())
        };
        let first = x.marks(x_bounds, 5.0).first().map(|mark| mark.value);
        let x_axis = hints(AxisHints::new_x())
            .formatter(move |mark, _| {
                let tick = x.tick(mark);
                // The first mark says what the axis is.
                match x.label {
                    "t" if first == Some(mark.value) => format!("t = {tick}"),
                    "step" if first == Some(mark.value) => format!("step {tick}"),
                    _ => tick,
                }
            })
            .label_spacing(20.0..=30.0);
        let y_axis = hints(AxisHints::new_y())
            .formatter(move |mark, _| y.tick(mark))
            .min_thickness(size::PLOT_AXIS)
            .label_spacing(11.0..=15.0);
        let shown = Plot::new(self.name)
            .height(self.height)
            .width(ui.available_width())
            .allow_drag(false)
            .allow_zoom(false)
            .allow_scroll(false)
            .allow_boxed_zoom(false)
            .allow_double_click_reset(false)
            .allow_axis_zoom_drag(false)
            .auto_bounds(Vec2b::FALSE)
            .show_grid(Vec2b::new(x.scale == Scale::Log, true))
            .grid_color(palette.canvas_outline)
            .grid_fade(0.0)
            .grid_spacing(8.0..=24.0)
            .cursor_color(palette.text_faint)
            .show_crosshair(false)
            .sense(Sense::click_and_drag())
            .x_grid_spacer(move |_| x.marks(x_bounds, 5.0))
            .y_grid_spacer(move |_| y.marks(y_bounds, tall))
            .custom_x_axes(vec![x_axis])
            .custom_y_axes(vec![y_axis])
            .label_formatter(move |at| match at {
                HoverPosition::NearDataPoint {
                    plot_name,
                    position,
                    ..
                } => Some(format!(
                    "{plot_name}\n{} {}\n{}",
                    x.label,
                    number(x.unplace(position.x)),
                    number(y.unplace(position.y))
                )),
                HoverPosition::Elsewhere { .. } => None,
            })
            .show(ui, |plot| {
                plot.set_plot_bounds_x(x_bounds.0..=x_bounds.1);
                plot.set_plot_bounds_y(y_bounds.0..=y_bounds.1);
                self.floor(plot, y_bounds.0, palette);
                self.levels(plot);
                for series in self.series {
                    self.line(plot, series, y_bounds);
                }
                if let Some(t) = self.clock {
                    let clock = VLine::new("clock", x.place(t)).color(palette.text);
                    plot.vline(clock.width(1.2).allow_hover(false));
                }
                plot.pointer_coordinate()
            });
        let pointer = shown.inner.map(|p| [x.unplace(p.x), y.unplace(p.y)]);
        let spoken = self.spoken();
        shown.response.widget_info(|| {
            let mut info = WidgetInfo::labeled(Role::Figure, true, self.name);
            info.current_text_value = Some(spoken.clone());
            info
        });
        (shown.response, pointer)
    }

    fn floor(&self, plot: &mut PlotUi<'_>, low: f64, palette: &Palette) {
        if self.floor.len() < 2 {
            return;
        }
        let xs: Vec<f64> = self.floor.iter().map(|p| self.x.place(p[0])).collect();
        let tops: Vec<f64> = self
            .floor
            .iter()
            .map(|p| self.y.place(p[1]).max(low))
            .collect();
        let bottoms = vec![low; xs.len()];
        let area = FilledArea::new("floor of two exact samples", &xs, &bottoms, &tops);
        plot.add(area.fill_color(palette.floor).allow_hover(false));
    }

    fn levels(&self, plot: &mut PlotUi<'_>) {
        for level in self.levels {
            let place = self.y.place(level.value);
            let line = HLine::new(level.name.clone(), place).color(level.color);
            plot.hline(line.width(1.6).allow_hover(false));
        }
    }

    fn line(&self, plot: &mut PlotUi<'_>, series: &Series, (low, high): (f64, f64)) {
        let place = |p: &[f64; 2]| [self.x.place(p[0]), self.y.place(p[1]).clamp(low, high)];
        let finite = |p: &&[f64; 2]| p.iter().all(|v| v.is_finite());
        let points: Vec<[f64; 2]> = series.points.iter().filter(finite).map(place).collect();
        for (point, error) in series.points.iter().zip(&series.errors) {
            let [x, y] = *point;
            if !(y.is_finite() && *error > 0.0) {
                continue;
            }
            let ends = vec![place(&[x, y - error]), place(&[x, y + error])];
            let bar = Line::new("", PlotPoints::from(ends))
                .color(series.color)
                .width(1.2)
                .allow_hover(false);
            plot.line(bar);
        }
        let style = if series.dashed {
            LineStyle::dashed_dense()
        } else {
            LineStyle::Solid
        };
        if series.dots || points.len() == 1 {
            let dots = Points::new(series.name.clone(), PlotPoints::from(points.clone()));
            plot.points(dots.color(series.color).radius(2.6).allow_hover(false));
        }
        let line = Line::new(series.name.clone(), PlotPoints::from(points))
            .color(series.color)
            .width(series.width)
            .style(style);
        plot.line(line);
    }

    /// The figures at the clock, or the last ones, for a screen reader.
    fn spoken(&self) -> String {
        let near = |series: &Series| {
            let at = self.clock.unwrap_or(f64::INFINITY);
            let distance = |p: &[f64; 2]| (p[0] - at).abs();
            let nearest = if at.is_finite() {
                series
                    .points
                    .iter()
                    .min_by(|a, b| distance(a).total_cmp(&distance(b)))
            } else {
                series.points.last()
            };
            nearest.map(|p| p[1])
        };
        let values: Vec<String> = self
            .series
            .iter()
            .filter_map(|s| Some(format!("{} {}", s.name, number(near(s)?))))
            .collect();
        values.join(", ")
    }
}

/// Names and colours below a plot; a dash where lines are dashed.
pub fn legend(ui: &mut Ui, entries: &[(String, Color32, bool)]) {
    let palette = tokens::palette(ui);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(12.0, 1.0);
        ui.spacing_mut().interact_size.y = 0.0;
        for (name, color, dashed) in entries {
            let text =
                ui.painter()
                    .layout_no_wrap(name.clone(), tokens::tick_font(), palette.text_quiet);
            // As one thing, so that no line ends between the key and its name.
            let desired = vec2(KEY + text.size().x, text.size().y.max(14.0));
            let (rect, response) = ui.allocate_exact_size(desired, Sense::hover());
            response.widget_info(|| WidgetInfo::labeled(Role::Label, true, name));
            let dash = |from: f32, to: f32| {
                let at = pos2(rect.left() + from, rect.center().y - 1.0);
                Rect::from_min_size(at, vec2(to - from, 2.0))
            };
            let parts = if *dashed {
                vec![dash(0.0, 6.0), dash(9.0, 15.0)]
            } else {
                vec![dash(0.0, 15.0)]
            };
            for part in parts {
                ui.painter()
                    .rect_filled(part, CornerRadius::same(1), *color);
            }
            let at = pos2(rect.left() + KEY, rect.center().y - text.size().y / 2.0);
            ui.painter().galley(at, text, palette.text_quiet);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithmic_axes_are_marked_at_round_figures() {
        let axis = Axis {
            scale: Scale::Log,
            range: None,
            from_zero: false,
            label: "",
        };
        let bounds = axis.bounds([0.05, 2.0, -1.0].into_iter());
        assert!(10f64.powf(bounds.0) < 0.05 && 10f64.powf(bounds.1) > 2.0);
        let ticks: Vec<String> = axis
            .marks(bounds, 5.0)
            .into_iter()
            .map(|m| axis.tick(m))
            .collect();
        assert_eq!(ticks, ["0.1", "0.3", "1"]);
        // Less than a decade, and none of 1, 2 and 5 in it: still more than one mark.
        let ticks = |from: f64, to: f64| -> Vec<String> {
            let marks = axis.marks((from.log10(), to.log10()), 3.0);
            marks.into_iter().map(|m| axis.tick(m)).collect()
        };
        assert_eq!(ticks(1.1, 1.9), ["1.2", "1.4", "1.6", "1.8"]);
        assert_eq!(ticks(0.21, 0.34), ["0.25", "0.3"]);
        assert_eq!(number(1200.0), "1,200");
        assert_eq!(number(0.0), "0");
        assert_eq!(number(0.05), "0.05");
        assert_eq!(number(-0.5), "\u{2212}0.5");
    }
}
