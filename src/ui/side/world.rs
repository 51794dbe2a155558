//! Which world, and how it looks.

use eframe::egui::{
    self, Align2, CornerRadius, Rect, RichText, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo,
    vec2,
};

use crate::mixture::{Preset, World};
use crate::ui::canvas::{outlined_text, paint};
use crate::ui::errands::Pick;
use crate::ui::format;
use crate::ui::shortcuts::{Action, keys_of};
use crate::ui::state::{Place, State};
use crate::ui::tokens::{self, size};
use crate::ui::widgets::{LogScale, Slid, link, notice, section_with, slider_row};

/// Shows the section.
pub fn show(ui: &mut Ui, state: &mut State) {
    let editing = state.session.show.edit;
    let mut toggle_edit = false;
    let right = |ui: &mut Ui| {
        let keys = keys_of(ui.ctx(), Action::Edit);
        let name = if editing { "done" } else { "edit" };
        toggle_edit = link(ui, name)
            .on_hover_text(format!(
                "Drag, stretch, turn, add and delete modes ({keys})"
            ))
            .clicked();
    };
    section_with(ui, "World", right, |ui| {
        picker(ui, state);
        thumbnail(ui, state);
        bandwidth(ui, state);
        notice(ui, &mut state.notices, Place::World);
        if editing {
            history(ui, state);
        }
    });
    if toggle_edit {
        state.perform(Action::Edit);
    }
}

fn picker(ui: &mut Ui, state: &mut State) {
    let strong = tokens::palette(ui).text_strong;
    let title = RichText::new(&state.world.title)
        .font(tokens::strong_font())
        .color(strong);
    let width = ui.available_width();
    let combo = egui::ComboBox::from_id_salt("world")
        .width(width)
        .selected_text(title)
        .truncate()
        .show_ui(ui, |ui| {
            ui.set_min_width(width - 20.0);
            let current = state.session.world.preset();
            for preset in Preset::ALL {
                if ui
                    .selectable_label(current == Some(preset), preset.title())
                    .clicked()
                {
                    state.choose_preset(preset);
                }
            }
            ui.separator();
            if ui
                .selectable_label(false, "Open a world or points…")
                .clicked()
            {
                state.pick(Pick::World);
            }
            if ui.selectable_label(false, "Save this world…").clicked() {
                state.pick(Pick::SaveWorld);
            }
        });
    combo.response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ComboBox, true, "World");
        info.current_text_value = Some(state.world.title.clone());
        info
    });
}

fn thumbnail(ui: &mut Ui, state: &State) {
    let palette = tokens::palette(ui);
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), size::THUMBNAIL), Sense::hover());
    response.widget_info(|| {
        let name = format!("Density of {}", state.world.title);
        WidgetInfo::labeled(Role::Image, true, name)
    });
    let radius = CornerRadius::same(3);
    ui.painter().rect_filled(rect, radius, tokens::MAGMA[0]);
    if state.device.is_some() {
        let inner = Rect::from_center_size(rect.center(), rect.size() - vec2(2.0, 2.0));
        paint::thumbnail(&ui.painter_at(inner), inner, &state.world.mixture);
    }
    outlined_text(
        ui.painter(),
        rect.left_bottom() + vec2(8.0, -6.0),
        Align2::LEFT_BOTTOM,
        &caption(state),
        tokens::tick_font(),
        tokens::DARK.text,
        tokens::MAGMA[0],
    );
    ui.painter().rect_stroke(
        rect,
        radius,
        Stroke::new(1.0, palette.canvas_outline),
        StrokeKind::Inside,
    );
}

/// How many modes, and whether they are still the preset's.
fn caption(state: &State) -> String {
    let modes = state.world.mixture.modes().len();
    let count = match (&state.cloud, modes) {
        (Some(cloud), _) => format!("{} points", format::count(cloud.points.len() as u64)),
        (None, 1) => "1 mode".to_owned(),
        (None, n) => format!("{} modes", format::count(n as u64)),
    };
    if state.is_edited() {
        format!("{count}, edited")
    } else {
        count
    }
}

fn bandwidth(ui: &mut Ui, state: &mut State) {
    let Some(cloud) = &state.cloud else { return };
    let quiet = tokens::palette(ui).text_quiet;
    ui.label(RichText::new("Bandwidth").size(size::SMALL).color(quiet))
        .on_hover_text("Standard deviation of the Gaussian around each point.");
    let scale = LogScale::new(0.005 * cloud.unit, cloud.unit);
    let (bandwidth, text) = (cloud.bandwidth, format::fixed(cloud.bandwidth, 3));
    let position = scale.position(bandwidth);
    let (response, slid) = slider_row(ui, "Bandwidth", &text, position, &mut state.arrows_taken);
    if response.drag_started() {
        state.remember_world();
    }
    state.dragging |= response.dragged();
    match slid {
        Some(Slid::To(position)) => state.set_bandwidth(scale.value(position)),
        Some(Slid::Steps(steps)) => state.set_bandwidth(bandwidth * 1.1f64.powi(steps)),
        None => {}
    }
}

fn history(ui: &mut Ui, state: &mut State) {
    ui.horizontal(|ui| {
        for (action, name, possible) in [
            (Action::Undo, "Undo", state.history.can_undo()),
            (Action::Redo, "Redo", state.history.can_redo()),
        ] {
            let keys = keys_of(ui.ctx(), action);
            if ui
                .add_enabled(possible, egui::Button::new(name))
                .on_hover_text(keys)
                .clicked()
            {
                state.perform(action);
            }
        }
        if state.is_edited()
            && let Some(preset) = Preset::from_name(&state.world.name)
            && ui
                .button("Reset")
                .on_hover_text(format!("Back to {}", World::preset(preset).title))
                .clicked()
        {
            state.reset_world(preset);
        }
    });
}
