//! The left panel of the Steering workspace: what is steered, towards what, and what is shown of it.

pub(in crate::ui) mod reward;

use eframe::egui::{self, DragValue, RichText, Ui, WidgetInfo};

use crate::session::{RewardStyle, Steering};
use crate::ui::shortcuts::{Action, keys_of};
use crate::ui::state::State;
use crate::ui::tokens::{self, size, space};
use crate::ui::widgets::{
    check_row, count_slider, key_hint, link, radio_row, section, section_with,
};

/// Shows what is steered; the world above it is every workspace's.
pub fn show(ui: &mut Ui, state: &mut State) {
    if state.session.show.edit {
        let quiet = tokens::palette(ui).text_quiet;
        let text = "Drag a mode in any panel. The wheel over it changes its weight; a double click on the ground adds one.";
        ui.label(RichText::new(text).size(size::SMALL).color(quiet));
        ui.add_space(space::SECTION);
    }
    origin(ui, state);
    reward::show(ui, state);
    let State {
        session,
        arrows_taken,
        ..
    } = state;
    count_slider(
        ui,
        "Particles",
        &mut session.steering.particles,
        1..=Steering::MAX_PARTICLES,
        arrows_taken,
    );
    limit_draws(&mut session.steering);
    ui.add_space(space::SECTION);
    visible(ui, state);
    noise(ui, state);
}

/// Best-of-N must fit: its finished samples are limited.
fn limit_draws(steering: &mut Steering) {
    let particles = steering.particles;
    for plan in &mut steering.panels {
        let mut probe = plan.clone();
        probe.particles = particles;
        while probe.validate().is_err() && probe.draws > 1 {
            probe.draws /= 2;
        }
        plan.draws = probe.draws;
    }
}

/// Who moves and draws.
fn origin(ui: &mut Ui, state: &mut State) {
    section(ui, "Futures from", |ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        let learned = state.session.steering.learned;
        if radio_row(ui, !learned, true, "Exact closed forms", "")
            .on_hover_text("Velocities and futures of the world itself: what is left is the method's own error.")
            .clicked()
        {
            state.session.steering.learned = false;
        }
        let possible = state.model.current.is_some() || state.model.is_loading();
        let name = state.model.current.as_ref();
        let name = name.map_or("The checkpoint".to_owned(), |model| model.name.clone());
        if radio_row(ui, learned, possible, &name, "")
            .on_hover_text(
                "The network moves the particles and draws their futures, one call each.",
            )
            .on_disabled_hover_text("There is no checkpoint for this world.")
            .clicked()
        {
            state.session.steering.learned = true;
        }
        if !learned {
            return;
        }
        let palette = tokens::palette(ui);
        let text = match &state.model.current {
            None if !possible => "No checkpoint for this world: the closed forms are used.",
            Some(_) if state.model.trained_on != state.fingerprint => {
                "The checkpoint was trained on another world than the one shown; scores are against the one shown."
            }
            _ => return,
        };
        ui.add_space(3.0);
        let text = RichText::new(text).size(size::SMALL).color(palette.note);
        ui.add(egui::Label::new(text).wrap());
    });
}

fn visible(ui: &mut Ui, state: &mut State) {
    section(ui, "Show", |ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        let keys = |action| keys_of(ui.ctx(), action);
        let [target, trails, futures, reward] = [
            keys(Action::Contours),
            keys(Action::Trails),
            keys(Action::Futures),
            keys(Action::RewardStyle),
        ];
        let show = &mut state.session.steering.show;
        check_row(ui, &mut show.target, "Exact target contours", &target);
        check_row(ui, &mut show.trails, "Trails", &trails);
        check_row(ui, &mut show.futures, "Futures of the selected", &futures).on_hover_text(
            "Click a particle in any panel: its path and what it sees are shown in all.",
        );
        check_row(ui, &mut show.density, "Density of p_t", "");
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 3.0;
            ui.spacing_mut().button_padding = egui::vec2(6.0, 1.0);
            ui.spacing_mut().interact_size.y = 19.0;
            let text = tokens::palette(ui).text;
            ui.label(RichText::new("Reward").color(text));
            ui.add_space(4.0);
            for (style, name) in [
                (RewardStyle::Heat, "heat"),
                (RewardStyle::Contours, "lines"),
                (RewardStyle::Hidden, "hidden"),
            ] {
                let text = RichText::new(name).size(size::SMALL);
                ui.selectable_value(&mut show.reward, style, text);
            }
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                key_hint(ui, &reward);
            });
        });
    });
}

fn noise(ui: &mut Ui, state: &mut State) {
    let keys = keys_of(ui.ctx(), Action::Redraw);
    let mut again = false;
    let right = |ui: &mut Ui| {
        key_hint(ui, &keys);
        again = link(ui, "run again")
            .on_hover_text("With the next seed. Every method starts from the same noise.")
            .clicked();
    };
    section_with(ui, "Noise", right, |ui| {
        ui.horizontal(|ui| {
            ui.label("seed");
            let response = ui.add(DragValue::new(&mut state.session.seed).speed(0.1));
            let value = state.session.seed as f64;
            response.widget_info(|| {
                let mut info = WidgetInfo::drag_value(true, value);
                info.label = Some("Seed".to_owned());
                info
            });
        });
    });
    if again {
        state.perform(Action::Redraw);
    }
}
