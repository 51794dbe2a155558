//! How to look from `x_t` to `x_1`.

use eframe::egui::{self, RichText, Role, Ui, WidgetInfo};

use crate::lookahead::Source;
use crate::ui::canvas::color_of;
use crate::ui::shortcuts::{Action, keys_of};
use crate::ui::state::{SOURCES, State, same_kind};
use crate::ui::tokens::{self, size};
use crate::ui::widgets::{LogScale, Slid, radio_row, section, slider_row};

/// Shows the section.
pub fn show(ui: &mut Ui, state: &mut State) {
    section(ui, "Lookahead", |ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        for (index, usual) in SOURCES.into_iter().enumerate() {
            choice(ui, state, index, usual);
        }
        ui.add_space(8.0);
        overlay(ui, state);
    });
}

fn choice(ui: &mut Ui, state: &mut State, index: usize, usual: Source) {
    let chosen = same_kind(state.source(), usual);
    let possible = !usual.needs_model() || state.has_map() || state.model.is_loading();
    let keys = keys_of(ui.ctx(), Action::Source(index));
    let source = if chosen { state.source() } else { usual };
    let title = match source {
        Source::KStep(1) => "1 step, learned".to_owned(),
        Source::KStep(k) => format!("{k} steps, learned"),
        other => other.title().to_owned(),
    };
    let response = radio_row(ui, chosen, possible, &title, &keys)
        .on_hover_text(explanation(usual))
        .on_disabled_hover_text("This needs a checkpoint for the world.");
    if response.clicked() {
        state.perform(Action::Source(index));
    }
    if chosen {
        steps(ui, state);
    }
}

fn explanation(source: Source) -> &'static str {
    match source {
        Source::OneStep => "One call of the network for each draw: x_1 = X_{0,1}(noise; t, x_t).",
        Source::KStep(_) => "The network's map in K shorter jumps: closer, K calls for each draw.",
        Source::Glass(_) => {
            "The posterior's own flow, integrated by the midpoint rule: two velocity calls for each step."
        }
        Source::Sde(_) => "The memoryless SDE from t to 1, one velocity call for each step.",
        Source::Exact => "Drawn from the closed form of the posterior.",
    }
}

fn steps(ui: &mut Ui, state: &mut State) {
    let source = state.source();
    let most = match source {
        Source::KStep(_) => 32,
        Source::Glass(_) => 256,
        Source::Sde(_) => 1000,
        Source::OneStep | Source::Exact => return,
    };
    let steps = source.steps();
    let scale = LogScale::new(1.0, f64::from(most.max(steps)));
    let mut slid = None;
    ui.horizontal(|ui| {
        ui.add_space(14.0);
        let text = steps.to_string();
        let position = scale.position(f64::from(steps));
        slid = slider_row(ui, "Steps", &text, position, &mut state.arrows_taken).1;
    });
    let wanted = match slid {
        Some(Slid::To(position)) => scale.value(position).round() as u32,
        Some(Slid::Steps(by)) => steps.saturating_add_signed(by),
        None => return,
    };
    state.session.source = source.with_steps(wanted);
}

fn overlay(ui: &mut Ui, state: &mut State) {
    let palette = tokens::palette(ui);
    ui.horizontal(|ui| {
        ui.label(
            RichText::new("Over it")
                .size(size::SMALL)
                .color(palette.text_quiet),
        );
        let keys = keys_of(ui.ctx(), Action::Overlay);
        let chosen = state.overlay();
        let text = match chosen {
            None => RichText::new("nothing"),
            Some(source) => {
                RichText::new(source.short()).color(color_of(state, source, true, palette))
            }
        };
        let combo = egui::ComboBox::from_id_salt("overlay")
            .width(ui.available_width() - 28.0)
            .selected_text(text)
            .show_ui(ui, |ui| {
                if ui.selectable_label(chosen.is_none(), "nothing").clicked()
                    && let Some(last) = state.session.overlay.take()
                {
                    state.last_overlay = last;
                }
                for usual in SOURCES {
                    let source = match chosen {
                        Some(chosen) if same_kind(chosen, usual) => chosen,
                        _ => usual,
                    };
                    let possible =
                        source != state.source() && (!source.needs_model() || state.has_map());
                    let entry = egui::Button::selectable(chosen == Some(source), source.short());
                    if ui.add_enabled(possible, entry).clicked() {
                        state.session.overlay = Some(source);
                    }
                }
            });
        combo.response.widget_info(|| {
            let mut info = WidgetInfo::labeled(Role::ComboBox, true, "Second lookahead over it");
            info.current_text_value =
                Some(chosen.map_or_else(|| "nothing".to_owned(), Source::short));
            info
        });
        crate::ui::widgets::key_hint(ui, &keys);
    });
}
