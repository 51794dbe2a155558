//! How many draws, from which noise, and what is shown.

use eframe::egui::{self, DragValue, RichText, Ui, WidgetInfo};

use crate::session::{DrawStyle, Session};
use crate::ui::shortcuts::{Action, keys_of};
use crate::ui::state::State;
use crate::ui::tokens::{self, size, space};
use crate::ui::widgets::{check_row, key_hint, link, log_slider, section, section_with};

/// Shows the sections.
pub fn show(ui: &mut Ui, state: &mut State) {
    let State {
        session,
        arrows_taken,
        ..
    } = state;
    log_slider(
        ui,
        "Draws",
        &mut session.draws,
        1..=Session::MAX_DRAWS,
        arrows_taken,
    );
    style(ui, state);
    ui.add_space(space::SECTION);
    visible(ui, state);
    noise(ui, state);
}

fn style(ui: &mut Ui, state: &mut State) {
    ui.horizontal(|ui| {
        for (style, name) in [
            (DrawStyle::Points, "Points"),
            (DrawStyle::Density, "Density"),
        ] {
            let chosen = state.session.style == style;
            if ui.selectable_label(chosen, name).clicked() {
                state.session.style = style;
            }
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            key_hint(ui, &keys_of(ui.ctx(), Action::DrawStyle));
        });
    });
}

fn visible(ui: &mut Ui, state: &mut State) {
    section(ui, "Show", |ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        let ctx = ui.ctx().clone();
        let show = &mut state.session.show;
        check_row(ui, &mut show.density, "Density of p_t", "");
        check_row(ui, &mut show.draws, "Draws", "");
        let keys = keys_of(&ctx, Action::Contours);
        check_row(ui, &mut show.contours, "Exact posterior contours", &keys);
        let keys = keys_of(&ctx, Action::Velocity);
        check_row(ui, &mut show.velocity, "Velocity field", &keys);
        check_row(ui, &mut show.mean, "Denoised mean", "");
        check_row(ui, &mut show.path, "Path of x_t", "");
        let mut carry = state.session.carry;
        if check_row(ui, &mut carry, "x_t follows the flow", "")
            .on_hover_text("When the clock moves, the probability flow carries x_t along. Off: x_t stays where it is.")
            .changed()
        {
            state.set_carry(carry);
        }
    });
}

fn noise(ui: &mut Ui, state: &mut State) {
    let keys = keys_of(ui.ctx(), Action::Redraw);
    let mut redraw = false;
    let right = |ui: &mut Ui| {
        key_hint(ui, &keys);
        redraw = link(ui, "redraw")
            .on_hover_text("New noise: the next seed. While you scrub the noise is locked, so each draw moves continuously.")
            .clicked();
    };
    section_with(ui, "Noise", right, |ui| {
        let palette = tokens::palette(ui);
        ui.horizontal(|ui| {
            ui.label("locked · seed");
            let seed = DragValue::new(&mut state.session.seed).speed(0.1);
            let response = ui.add(seed);
            let value = state.session.seed as f64;
            response.widget_info(|| {
                let mut info = WidgetInfo::drag_value(true, value);
                info.label = Some("Seed".to_owned());
                info
            });
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                if link(ui, "copy")
                    .on_hover_text("Copy the command that makes the same draws without a window")
                    .clicked()
                {
                    let command = state.command_line();
                    ui.ctx().copy_text(command);
                    state
                        .notices
                        .done(crate::ui::state::Place::Program, "Command copied");
                }
            });
        });
        let text = RichText::new("Draw i keeps its noise at any number of draws.");
        ui.add(egui::Label::new(text.size(size::TICK).color(palette.text_faint)).wrap());
    });
    if redraw {
        state.perform(Action::Redraw);
    }
}
