//! The comparison: one method a panel, all with the same view and the same clock.

pub mod fields;
mod header;
mod layers;
mod lens;
mod methods;
mod options;
mod panel;
mod particles;

use eframe::egui::{self, Rect, Response, RichText, Ui, UiBuilder, vec2};

use crate::session::{RewardStyle, Steering};
use crate::ui::canvas::legend::{self, Sign};
use crate::ui::format;
use crate::ui::state::{Place, State};
use crate::ui::tokens::{self, size};
use crate::ui::widgets;

pub use layers::{Picture, reward_and_target};

/// Between panels.
const GAP: f32 = 8.0;
/// Below the panels, for the legend.
const LEGEND: f32 = 26.0;

/// The heading. Its response can be dragged to move the whole comparison.
pub fn header(ui: &mut Ui, state: &mut State) -> Response {
    let palette = tokens::palette(ui);
    widgets::panel_header(ui, "Methods side by side", size::CONTROL, |ui| {
        let room = state.session.steering.panels.len() < Steering::MAX_PANELS;
        ui.add_enabled_ui(room, |ui| {
            let text = RichText::new("Add a method");
            methods::menu(ui, text, None, |method| state.add_panel(method))
                .on_disabled_hover_text("Six methods are the most side by side.");
        });
        let text = status(state);
        let text = RichText::new(text)
            .size(size::SMALL)
            .color(palette.text_quiet);
        ui.add(egui::Label::new(text).truncate());
    })
}

/// What is shown, in a few words.
fn status(state: &State) -> String {
    let Some(runs) = &state.steering.runs else {
        return match state.model.loading_label() {
            Some(label) if state.session.steering.learned => label,
            _ => "starting".to_owned(),
        };
    };
    let particles = |count: u32| format!("{} particles", format::count(u64::from(count)));
    let most = runs.request.plans.iter().map(|p| p.particles).max();
    let most = particles(most.unwrap_or_default());
    if runs.request.preview {
        return format!("preview, up to {most}");
    }
    if state.steering.stopped {
        return format!("{most}, cancelled at t = {:.2}", state.steering_reached());
    }
    if runs.complete {
        most
    } else {
        format!("{most}, computed to t = {:.2}", state.steering_reached())
    }
}

/// All panels, and the legend below.
pub fn show(ui: &mut Ui, state: &mut State) {
    if state.notices.at(Place::Steering).is_some() {
        widgets::notice(ui, &mut state.notices, Place::Steering);
    }
    let room = ui.available_rect_before_wrap();
    let (panels, below) = room.split_top_bottom_at_y(room.bottom() - LEGEND);
    let count = state.session.steering.panels.len();
    let columns = columns(count, panels.size());
    let rows = count.div_ceil(columns);
    let cell = vec2(
        (panels.width() - GAP * (columns - 1) as f32) / columns as f32,
        (panels.height() - GAP * (rows - 1) as f32) / rows as f32,
    );
    if cell.x < 60.0 || cell.y < header::HEIGHT + 40.0 {
        return;
    }
    // Whole points: the panels' views are then the same to the pixel.
    let cell = cell.floor();
    layers::prepare(state, ui);
    // What one panel changes is seen in all of them at once, in the next frame.
    let (view, mut moved, mut closed) = (state.session.view, None, None);
    for index in 0..count {
        let (column, row) = (index % columns, index / columns);
        let offset = vec2(column as f32 * (cell.x + GAP), row as f32 * (cell.y + GAP));
        let rect = Rect::from_min_size(panels.min.round() + offset, cell);
        let builder = UiBuilder::new().max_rect(rect).id_salt(("panel", index));
        let mut ui = ui.new_child(builder);
        let done = panel::show(&mut ui, state, index, rect, view);
        if done.close {
            closed = Some(index);
        }
        moved = done.reward.or(moved);
    }
    if moved.is_some() || state.session.view != view {
        ui.ctx().request_repaint();
    }
    if let Some(reward) = moved {
        state.session.steering.reward = reward;
    }
    if let Some(index) = closed {
        state.close_panel(index);
    }
    let below = below.with_min_y(below.top() + 5.0);
    let mut line = ui.new_child(UiBuilder::new().max_rect(below).id_salt("legend"));
    legend_line(&mut line, state);
    ui.advance_cursor_after_rect(room);
}

/// As many columns as make the panels largest.
fn columns(count: usize, room: egui::Vec2) -> usize {
    let side = |columns: usize| {
        let rows = count.div_ceil(columns);
        let width = (room.x - GAP * (columns - 1) as f32) / columns as f32;
        let height = (room.y - GAP * (rows - 1) as f32) / rows as f32 - header::HEIGHT;
        width.min(height)
    };
    (1..=count.max(1))
        .max_by(|a, b| side(*a).total_cmp(&side(*b)).then(b.cmp(a)))
        .unwrap_or(1)
}

fn legend_line(ui: &mut Ui, state: &State) {
    let palette = tokens::palette(ui);
    let steering = &state.session.steering;
    let show = steering.show;
    let mut entries = vec![(Sign::Dot(palette.learned), "particles".to_owned())];
    let has_target = state
        .steering
        .runs
        .as_ref()
        .is_some_and(|runs| runs.target.is_ok());
    if show.target && has_target {
        let text = "exact target: 50, 80, 95 %".to_owned();
        entries.push((Sign::Line(palette.exact), text));
    }
    match show.reward {
        RewardStyle::Hidden => {}
        RewardStyle::Heat => entries.push((Sign::Square(palette.reward), "reward".to_owned())),
        RewardStyle::Contours => entries.push((Sign::Line(palette.reward), "reward".to_owned())),
    }
    if show.density {
        let what = if state.session.show.edit {
            "density of the data"
        } else {
            "density of p_t"
        };
        entries.push((Sign::Square(palette.heat), what.to_owned()));
    }
    if let Some(particle) = steering.selected {
        let text = format!("path of particle {particle}");
        entries.push((Sign::Dashes(palette.state), text));
        if show.futures {
            entries.push((Sign::Dot(palette.overlay), "futures it sees".to_owned()));
        }
    }
    legend::line(ui, &entries);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_are_as_large_as_the_room_lets_them_be() {
        let wide = vec2(1200.0, 800.0);
        assert_eq!([1, 2, 4, 5, 6].map(|n| columns(n, wide)), [1, 2, 2, 3, 3]);
        assert_eq!(columns(2, vec2(500.0, 1200.0)), 1);
        assert_eq!(columns(3, vec2(1800.0, 600.0)), 3);
    }
}
