//! What editing is about, at the upper left of the canvas: the selected mode's weight, or a hint.

use eframe::egui::{Button, Margin, Rect, Ui, UiBuilder, vec2};

use crate::ui::format;
use crate::ui::shortcuts::Action;
use crate::ui::state::State;
use crate::ui::tokens;
use crate::ui::widgets::{LogScale, Slid, slider};

use super::modes::{MOST_HANDLES, remember_gesture};
use super::projection::Projection;

/// Shows the tools.
pub fn show(ui: &mut Ui, state: &mut State, projection: &Projection) {
    let area = Rect::from_min_size(
        projection.rect.min + vec2(10.0, 10.0),
        vec2((projection.rect.width() - 20.0).clamp(120.0, 440.0), 40.0),
    );
    let mut ui = ui.new_child(UiBuilder::new().max_rect(area).id_salt("edit tools"));
    let palette = tokens::palette(&ui);
    tokens::card(palette)
        .fill(palette.control)
        .inner_margin(Margin::symmetric(12, 7))
        .show(&mut ui, |ui| {
            ui.horizontal(|ui| contents(ui, state));
        });
}

fn contents(ui: &mut Ui, state: &mut State) {
    let count = state.world.mixture.modes().len();
    if count > MOST_HANDLES {
        ui.label(format!(
            "{} modes are too many for handles; change the bandwidth at the left",
            format::count(count as u64)
        ));
        return;
    }
    let selected = state
        .selected_mode
        .and_then(|i| Some((i, *state.world.mixture.modes().get(i)?)));
    let Some((index, mode)) = selected else {
        ui.label("Drag a mode. Double click adds one.");
        if ui.button("Add a mode").clicked() {
            state.add_mode(state.session.view.center);
        }
        return;
    };
    ui.label(format!("Mode {} weight", index + 1));
    let scale = LogScale::new(0.002, 0.998);
    let text = format::percent(mode.weight);
    let several = count > 1;
    let (response, slid) = ui
        .add_enabled_ui(several, |ui| {
            ui.set_width(130.0);
            let position = scale.position(mode.weight);
            slider(
                ui,
                "Weight of the mode",
                &text,
                position,
                &mut state.arrows_taken,
            )
        })
        .inner;
    if response.drag_started() {
        state.remember_world();
    }
    state.dragging |= response.dragged();
    let wanted = match slid {
        Some(Slid::To(position)) => Some(scale.value(position)),
        Some(Slid::Steps(steps)) => {
            remember_gesture(ui, state);
            Some((mode.weight * 1.1f64.powi(steps)).min(0.998))
        }
        None => None,
    };
    if let Some(weight) = wanted {
        if !(response.dragged() || response.drag_stopped()) {
            remember_gesture(ui, state);
        }
        let edited = state.world.mixture.with_mode_weight(index, weight);
        state.try_edit(edited);
    }
    ui.label(text);
    if ui.add_enabled(several, Button::new("Delete")).clicked() {
        state.perform(Action::DeleteMode);
    }
}
