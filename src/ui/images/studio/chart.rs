//! The value that each row reckons against `t`, with the clock in it.

use eframe::egui::{CursorIcon, Rect, RichText, Ui, UiBuilder};

use crate::engine::StudioAnswer;
use crate::ui::state::State;
use crate::ui::steering::scores::chart::{Axis, Chart, Scale, Series, legend};
use crate::ui::tokens::{self, size};
use crate::ui::widgets::held_at;

use super::labels;

/// Below the plot, for the legend.
const LEGEND: f32 = 54.0;

/// Shows the curves; click or drag moves the clock.
pub fn show(ui: &mut Ui, state: &mut State, answer: &StudioAnswer, area: Rect) {
    let palette = tokens::palette(ui);
    let rows = state.shown_rows();
    let series: Vec<Series> = answer
        .panels
        .iter()
        .enumerate()
        .map(|(index, run)| Series {
            name: rows
                .get(index)
                .map_or_else(String::new, |row| row.title.clone()),
            color: if index == 0 {
                palette.text_quiet
            } else {
                tokens::method_color(palette, index - 1)
            },
            width: 1.8,
            dashed: false,
            points: run
                .frames
                .iter()
                .filter_map(|frame| Some([frame.t, labels::mean(&frame.values)?.0]))
                .collect(),
            errors: Vec::new(),
            dots: false,
        })
        .collect();
    let builder = UiBuilder::new().max_rect(area).id_salt("values");
    ui.scope_builder(builder, |ui| {
        ui.label(
            RichText::new("Value against t")
                .font(tokens::strong_font())
                .color(palette.text_strong),
        )
        .on_hover_text(
            "Mean over the pictures of what each row reckons its reward will be: for draws the log-mean-exp of their rewards, else the reward of the mean. At t = 1 the reward itself.",
        );
        let axis = |label, range| Axis {
            scale: Scale::Linear,
            range,
            from_zero: false,
            label,
        };
        let chart = Chart {
            name: "Value against t",
            height: (ui.available_height() - LEGEND).max(60.0),
            x: axis("t", Some((0.0, 1.0))),
            y: axis("", None),
            series: &series,
            floor: Vec::new(),
            levels: &[],
            clock: Some(state.session.images.studio.t),
        };
        let (response, pointer) = chart.show(ui);
        let response = response.on_hover_cursor(CursorIcon::ResizeHorizontal);
        if let (Some(_), Some([t, _])) = (held_at(&response), pointer) {
            state.playing = false;
            state.set_time((t * 1000.0).round() / 1000.0);
        }
        let entries: Vec<_> = series
            .iter()
            .map(|s| (s.name.clone(), s.color, false))
            .collect();
        legend(ui, &entries);
        if let Some(text) = state.studio_note() {
            ui.label(
                RichText::new(text)
                    .size(size::TICK)
                    .color(palette.text_faint),
            );
        }
    });
}
