//! A plot against `t` with the clock in it; clicking or dragging in it moves the clock.

use eframe::egui::{CursorIcon, Response, RichText, Role, Sense, Ui, Vec2, Vec2b, WidgetInfo};
use egui_plot::{AxisHints, GridMark, HoverPosition, Plot, PlotUi, VLine};

use crate::ui::format;
use crate::ui::state::State;
use crate::ui::tokens::{self, size};

use super::held_at;

/// What a plot shows beside its curves.
pub struct TimePlot<'a> {
    /// Names the plot, above it and to a screen reader.
    pub title: &'a str,
    /// More about it, on hovering over its title.
    pub hover: &'a str,
    /// Points on the screen.
    pub size: Vec2,
    /// Lowest and highest value.
    pub range: (f64, f64),
    /// About so many steps between the lines of the grid.
    pub divisions: f64,
    /// Where the clock stands.
    pub t: f64,
    /// The values at the clock, for a screen reader: [`values_at`].
    pub spoken: String,
}

impl TimePlot<'_> {
    /// Shows what `paint` adds, under the clock. Gives its response, and time and value below the pointer.
    pub fn show(
        self,
        ui: &mut Ui,
        state: &mut State,
        paint: impl FnOnce(&mut PlotUi<'_>),
    ) -> (Response, Option<[f64; 2]>) {
        let palette = tokens::palette(ui);
        let title = RichText::new(self.title)
            .size(size::SMALL)
            .color(palette.text_quiet);
        ui.label(title).on_hover_text(self.hover);
        let (low, high) = self.range;
        let step = format::round_step((high - low) / self.divisions);
        let (low, high) = with_room_for_marks((low, high), step, self.size.y);
        let decimals = format::decimals(step);
        let axis = |hints: AxisHints<'static>| {
            hints
                .tick_label_color(palette.text_faint)
                .tick_label_font(tokens::tick_font())
        };
        let x_axis = axis(AxisHints::new_x())
            // The first mark says what the axis is.
            .formatter(|mark, _| match mark.value {
                0.0 => "t = 0".to_owned(),
                t => format::fixed(t, 1),
            })
            .label_spacing(20.0..=30.0);
        let y_axis = axis(AxisHints::new_y())
            .formatter(move |mark, _| format::fixed(mark.value, decimals))
            .min_thickness(size::PLOT_AXIS)
            .label_spacing(12.0..=16.0);
        let response = Plot::new(self.title)
            .height(self.size.y)
            .width(self.size.x)
            .allow_drag(false)
            .allow_zoom(false)
            .allow_scroll(false)
            .allow_boxed_zoom(false)
            .allow_double_click_reset(false)
            .allow_axis_zoom_drag(false)
            .auto_bounds(Vec2b::FALSE)
            .show_grid(Vec2b::new(false, true))
            .grid_color(palette.canvas_outline)
            .grid_fade(0.0)
            .grid_spacing(8.0..=24.0)
            .cursor_color(palette.text_faint)
            .show_crosshair(false)
            .sense(Sense::click_and_drag())
            .x_grid_spacer(|_| marks(0.2, (0.0, 1.0)))
            .y_grid_spacer(move |_| marks(step, (low, high)))
            .custom_x_axes(vec![x_axis])
            .custom_y_axes(vec![y_axis])
            .label_formatter(|at| match at {
                HoverPosition::NearDataPoint {
                    plot_name,
                    position,
                    ..
                } => Some(format!(
                    "{plot_name}\nt = {:.2}\n{}",
                    position.x,
                    format::fixed(position.y, 3)
                )),
                HoverPosition::Elsewhere { .. } => None,
            })
            .show(ui, |plot| {
                plot.set_plot_bounds_x(0.0..=1.0);
                plot.set_plot_bounds_y(low..=high);
                paint(plot);
                let clock = VLine::new("clock", self.t).color(palette.text).width(1.2);
                plot.vline(clock.allow_hover(false));
                plot.pointer_coordinate()
            });
        let pointer = response.inner;
        let frame = response
            .response
            .on_hover_cursor(CursorIcon::ResizeHorizontal);
        if let (Some(_), Some(pointer)) = (held_at(&frame), pointer) {
            state.playing = false;
            state.dragging |= frame.dragged();
            state.set_time((pointer.x * 1000.0).round() / 1000.0);
        }
        frame.widget_info(|| {
            let mut info = WidgetInfo::labeled(Role::Figure, true, self.title);
            info.current_text_value = Some(self.spoken.clone());
            info
        });
        (frame, pointer.map(|p| [p.x, p.y]))
    }
}

/// Points between a mark's middle and the ends of its axis, so that its figure touches neither the title nor those of
/// the other axis.
const MARK_ROOM: f32 = 8.0;

/// A range whose lowest and highest marks have room within `height` points.
fn with_room_for_marks((low, high): (f64, f64), step: f64, height: f32) -> (f64, f64) {
    let room = (high - low) * f64::from(MARK_ROOM / height.max(4.0 * MARK_ROOM));
    let marks = marks(step, (low, high));
    let (Some(first), Some(last)) = (marks.first(), marks.last()) else {
        return (low, high);
    };
    (low.min(first.value - room), high.max(last.value + room))
}

/// What each named series has nearest to the clock, in words.
pub fn values_at<'a>(series: impl Iterator<Item = (&'a str, &'a [[f64; 2]])>, t: f64) -> String {
    let values: Vec<String> = series
        .filter_map(|(name, points)| {
            let near = |p: &&[f64; 2]| (p[0] - t).abs();
            let at = points.iter().min_by(|a, b| near(a).total_cmp(&near(b)))?;
            Some(format!("{name} {:.3}", at[1]))
        })
        .collect();
    format!("at t = {t:.2}: {}", values.join(", "))
}

/// Marks at the multiples of `step` within a range, at most 51 of them.
fn marks(step: f64, (low, high): (f64, f64)) -> Vec<GridMark> {
    // A multiple at the very end counts although it cannot be written exactly.
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last.min(first.saturating_add(50)))
        .map(|k| GridMark {
            value: k as f64 * step,
            step_size: step,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_reach_both_ends_and_are_not_without_number() {
        let values = |step, range| -> Vec<f64> {
            let all = marks(step, range);
            all.iter()
                .map(|m| (10.0 * m.value).round() / 10.0)
                .collect()
        };
        assert_eq!(values(0.2, (0.0, 1.0)), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        assert_eq!(values(0.5, (-0.6, 0.4)), [-0.5, 0.0]);
        assert_eq!(values(1e-9, (0.0, 1.0)).len(), 51);
    }

    #[test]
    fn the_outermost_marks_have_room() {
        let (low, high) = with_room_for_marks((0.0, 1.0), 0.2, 80.0);
        // Points on the screen are f32.
        assert!((low + 0.1).abs() < 1e-6 && (high - 1.1).abs() < 1e-6);
        assert_eq!(with_room_for_marks((-0.5, 1.5), 1.0, 80.0), (-0.5, 1.5));
    }

    #[test]
    fn the_values_are_those_nearest_to_the_clock() {
        let (few, none): (&[[f64; 2]], &[[f64; 2]]) = (&[[0.1, 1.0], [0.6, 2.0]], &[]);
        let series = [("first", few), ("empty", none)];
        let text = values_at(series.into_iter(), 0.5);
        assert_eq!(text, "at t = 0.50: first 2.000");
    }
}
