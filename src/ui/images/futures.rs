//! How the draws of the wall are made, and how many.

use eframe::egui::{DragValue, RichText, Ui, WidgetInfo};

use crate::lookahead::Source;
use crate::session::Images;
use crate::ui::shortcuts::{Action, keys_of};
use crate::ui::state::{IMAGE_SOURCES, State, same_kind};
use crate::ui::tokens::{self, size, space};
use crate::ui::widgets::{
    LogScale, Slid, check_row, count_slider, key_hint, link, radio_row, section_with, slider_row,
};

use super::classes::{self, Told};

/// Shows the sections.
pub fn show(ui: &mut Ui, state: &mut State) {
    lookahead(ui, state);
    let mut draws = state.session.images.draws;
    let range = Images::MIN_DRAWS..=Images::MAX_DRAWS;
    count_slider(ui, "Pictures", &mut draws, range, &mut state.arrows_taken);
    state.set_wall_draws(draws);
    ui.add_space(space::SECTION);
    noise(ui, state);
}

fn lookahead(ui: &mut Ui, state: &mut State) {
    let images = &state.session.images;
    let known = images.class.filter(|_| images.tell_class);
    let told = match (known, images.class) {
        (Some(_), _) => Told::Class,
        (None, _) if images.source.needs_model() && state.images.draws_classes_first() => {
            Told::ClassFirst
        }
        (None, Some(_)) => Told::StateAlone,
        (None, None) => Told::NoClass,
    };
    section_with(
        ui,
        "Lookahead",
        |ui| classes::told_hint(ui, told),
        |ui| {
            ui.spacing_mut().item_spacing.y = 1.0;
            for (index, usual) in IMAGE_SOURCES.into_iter().enumerate() {
                choice(ui, state, index, usual);
            }
            ui.add_space(4.0);
            tell(ui, state);
        },
    );
}

fn choice(ui: &mut Ui, state: &mut State, index: usize, usual: Source) {
    let source = state.session.images.source;
    let chosen = same_kind(source, usual);
    let title = match source {
        Source::KStep(k) if chosen => format!("{k} steps, learned"),
        _ => usual.title().to_owned(),
    };
    let hover = match usual {
        Source::KStep(_) => {
            "The network's map in K shorter jumps: closer, K calls for each picture."
        }
        Source::Glass(_) => {
            "The posterior's own flow, integrated by the midpoint rule: two calls for each step of each picture."
        }
        Source::Sde(_) => "The memoryless SDE from t to 1, one call for each step of each picture.",
        _ => "One call of the network for each picture: x_1 = X_{0,1}(noise; t, x_t).",
    };
    let keys = keys_of(ui.ctx(), Action::Source(index));
    if radio_row(ui, chosen, true, &title, &keys)
        .on_hover_text(hover)
        .clicked()
    {
        state.perform(Action::Source(index));
    }
    if chosen && source != Source::OneStep {
        steps(ui, state);
    }
}

fn steps(ui: &mut Ui, state: &mut State) {
    let source = state.session.images.source;
    let most = match source {
        Source::KStep(_) => 32,
        _ => 128,
    }
    .max(source.steps());
    let scale = LogScale::new(1.0, f64::from(most));
    let steps = source.steps();
    let mut slid = None;
    ui.horizontal(|ui| {
        ui.add_space(14.0);
        let position = scale.position(f64::from(steps));
        let text = steps.to_string();
        slid = slider_row(ui, "Steps", &text, position, &mut state.arrows_taken).1;
    });
    let wanted = match slid {
        Some(Slid::To(position)) => scale.value(position).round() as u32,
        Some(Slid::Steps(by)) => steps.saturating_add_signed(by),
        None => return,
    };
    state.session.images.source = source.with_steps(wanted.min(most));
}

/// Whether the draws are told the class, and how much they are guided by it.
fn tell(ui: &mut Ui, state: &mut State) {
    let possible = state.session.images.class.is_some();
    ui.add_enabled_ui(possible, |ui| {
        let tell = &mut state.session.images.tell_class;
        check_row(ui, tell, "Tell the draws the class", "").on_hover_text(
            "On: draws from p(x_1 | x_t, class). Off: the draws see x_t alone, whatever it was made from.",
        );
    });
    let Some(model) = state.images.model.clone() else {
        return;
    };
    let scales = model.guidance_scales();
    if scales.len() < 2 || !state.session.images.tell_class {
        return;
    }
    ui.horizontal(|ui| {
        ui.add_space(22.0);
        let quiet = tokens::palette(ui).text_quiet;
        ui.label(RichText::new("guidance").size(size::SMALL).color(quiet))
            .on_hover_text(
                "How much more than its share the class counts. The map knows these scales.",
            );
        for scale in scales {
            let chosen = state.session.images.guidance == scale;
            let text = RichText::new(scale.to_string()).size(size::SMALL);
            if ui.selectable_label(chosen, text).clicked() {
                state.session.images.guidance = scale;
            }
        }
    });
}

fn noise(ui: &mut Ui, state: &mut State) {
    let keys = keys_of(ui.ctx(), Action::Redraw);
    let mut redraw = false;
    let right = |ui: &mut Ui| {
        key_hint(ui, &keys);
        redraw = link(ui, "redraw")
            .on_hover_text("New noise for the draws: the next seed. While you scrub the noise is locked, so each picture morphs.")
            .clicked();
    };
    section_with(ui, "Noise", right, |ui| {
        ui.horizontal(|ui| {
            let images = &mut state.session.images;
            seed(ui, "of the draws", &mut images.seed);
            ui.add_space(10.0);
            seed(ui, "in x_t", &mut images.noise);
        });
    });
    if redraw {
        state.perform(Action::Redraw);
    }
}

fn seed(ui: &mut Ui, name: &str, value: &mut u64) {
    ui.label(name);
    let response = ui.add(DragValue::new(value).speed(0.1));
    let now = *value as f64;
    response.widget_info(|| {
        let mut info = WidgetInfo::drag_value(true, now);
        info.label = Some(format!("Seed of the noise {name}"));
        info
    });
}
