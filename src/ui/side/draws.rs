//! How many draws, from which noise, and what is shown.

use eframe::egui::{
    self, Align, DragValue, Layout, Rect, RichText, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use crate::session::{DrawStyle, Session};
use crate::ui::shortcuts::{Action, keys_of};
use crate::ui::state::State;
use crate::ui::tokens::{size, space};
use crate::ui::widgets::{check_row, count_slider, key_hint, link, section, section_with};

/// Shows the sections.
pub fn show(ui: &mut Ui, state: &mut State) {
    let State {
        session,
        arrows_taken,
        ..
    } = state;
    count_slider(
        ui,
        "Draws",
        &mut session.draws,
        1..=Session::MAX_DRAWS,
        arrows_taken,
    );
    ui.add_space(space::SECTION);
    visible(ui, state);
    noise(ui, state);
}

/// Points or density, at the right end of the row of draws.
fn style(ui: &mut Ui, state: &mut State, row: Rect) {
    let area = Rect::from_min_max(pos2(row.left() + 70.0, row.top()), row.max);
    let builder = UiBuilder::new()
        .max_rect(area)
        .id_salt("style")
        .layout(Layout::right_to_left(Align::Center));
    ui.scope_builder(builder, |ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.spacing_mut().button_padding = vec2(7.0, 1.0);
        ui.spacing_mut().interact_size.y = 19.0;
        key_hint(ui, &keys_of(ui.ctx(), Action::DrawStyle));
        ui.add_space(4.0);
        for (style, name) in [
            (DrawStyle::Density, "density"),
            (DrawStyle::Points, "points"),
        ] {
            let chosen = state.session.style == style;
            let text = RichText::new(name).size(size::SMALL);
            if ui.selectable_label(chosen, text).clicked() {
                state.session.style = style;
            }
        }
    });
}

fn visible(ui: &mut Ui, state: &mut State) {
    section(ui, "Show", |ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        let ctx = ui.ctx().clone();
        let show = &mut state.session.show;
        check_row(ui, &mut show.density, "Density of p_t", "");
        let row = check_row(ui, &mut show.draws, "Draws", "").rect;
        style(ui, state, row);
        let show = &mut state.session.show;
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
            .on_hover_text("New noise: the next seed. While you scrub the noise is locked, so each draw moves continuously. Draw i keeps its noise at any number of draws.")
            .clicked();
    };
    section_with(ui, "Noise", right, |ui| {
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
    });
    if redraw {
        state.perform(Action::Redraw);
    }
}
