//! What is rewarded, and how strongly.

use eframe::egui::{
    self, Align, ComboBox, DragValue, Layout, RichText, Role, TextEdit, Ui, WidgetInfo, vec2,
};

use crate::reward::Reward;
use crate::ui::format;
use crate::ui::state::State;
use crate::ui::steering::reward::kinds::{
    EXPRESSION, Field, KINDS, Kind, body_of, from_body, from_numbers, kind_of, numbers_of,
};
use crate::ui::tokens::{self, size};
use crate::ui::widgets::{LogScale, Slid, link, section, slider, two_digits};

/// The slider of the strength: 0 at its very left, then from the least to the most.
const STRENGTH: (f64, f64) = (0.02, 20.0);
/// Share of the slider that is 0.
const NOTHING: f64 = 0.06;
/// Most bumps that have a row each; more are moved on the canvas.
const MOST_ROWS: usize = 6;

/// Shows the section.
pub fn show(ui: &mut Ui, state: &mut State) {
    section(ui, "Reward", |ui| {
        let kind = shown_kind(state);
        choose(ui, state, kind);
        if kind.name == EXPRESSION {
            typed(ui, state, kind);
        } else {
            numbers(ui, state, kind);
        }
        ui.add_space(4.0);
        strength(ui, state);
        no_target(ui, state);
    });
}

/// The kind on screen: while an expression is typed that is not understood yet, still that.
fn shown_kind(state: &State) -> &'static Kind {
    if state.steering.typed_reward.is_some() {
        // The typed kind is the last row of the table.
        return &KINDS[KINDS.len() - 1];
    }
    kind_of(&state.session.steering.reward)
}

fn choose(ui: &mut Ui, state: &mut State, kind: &'static Kind) {
    let strong = tokens::palette(ui).text_strong;
    let title = RichText::new(kind.title)
        .font(tokens::strong_font())
        .color(strong);
    let width = ui.available_width();
    let combo = ComboBox::from_id_salt("reward kind")
        .width(width)
        .selected_text(title)
        .show_ui(ui, |ui| {
            ui.set_min_width(width - 20.0);
            for other in &KINDS {
                let chosen = other.name == kind.name;
                let entry = ui.selectable_label(chosen, other.title);
                if entry.on_hover_text(other.hover).clicked() && !chosen {
                    begin(state, other);
                }
            }
        });
    combo.response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ComboBox, true, "Kind of reward");
        info.current_text_value = Some(kind.title.to_owned());
        info
    });
    combo.response.on_hover_text(kind.hover);
}

/// Another kind of reward, of the same strength.
fn begin(state: &mut State, kind: &Kind) {
    let lambda = state.session.steering.reward.lambda();
    match from_body(kind, kind.first, lambda) {
        Ok(reward) => {
            state.session.steering.reward = reward;
            state.steering.typed_reward = None;
        }
        Err(e) => {
            state.steering.typed_reward = Some((kind.first.to_owned(), Some(e.to_string())));
        }
    }
}

/// A formula, and what is wrong with it.
fn typed(ui: &mut Ui, state: &mut State, kind: &Kind) {
    let palette = tokens::palette(ui);
    let (mut text, trouble) = match &state.steering.typed_reward {
        Some((text, trouble)) => (text.clone(), trouble.clone()),
        None => (body_of(&state.session.steering.reward), None),
    };
    let edit = TextEdit::multiline(&mut text)
        .font(egui::TextStyle::Monospace)
        .desired_rows(2)
        .desired_width(f32::INFINITY)
        .hint_text("-(x^2 + y^2)");
    let response = ui.add(edit).on_hover_text(
        "A formula of x and y, as in sin(2*x) - (y - 1)^2. The highest places are the best.",
    );
    response.widget_info(|| {
        let mut info = WidgetInfo::text_edit(true, "", &text, "-(x^2 + y^2)");
        info.label = Some("Formula of the reward".to_owned());
        info
    });
    if response.changed() {
        let text = text.replace('\n', " ");
        let lambda = state.session.steering.reward.lambda();
        let parsed = from_body(kind, text.trim(), lambda);
        let trouble = parsed.as_ref().err().map(ToString::to_string);
        if let Ok(reward) = parsed {
            state.session.steering.reward = reward;
        }
        state.steering.typed_reward = Some((text, trouble));
    } else if trouble.is_none() && !response.has_focus() {
        state.steering.typed_reward = None;
    }
    if let Some(trouble) = trouble {
        let text = RichText::new(trouble)
            .size(size::SMALL)
            .color(palette.error);
        ui.add(egui::Label::new(text).wrap());
    }
}

fn numbers(ui: &mut Ui, state: &mut State, kind: &'static Kind) {
    let before = numbers_of(&state.session.steering.reward);
    let mut numbers = before.clone();
    let mut removed = None;
    let count = numbers.len();
    for (index, group) in numbers.iter_mut().enumerate().take(MOST_ROWS) {
        if kind.several {
            ui.horizontal(|ui| {
                let quiet = tokens::palette(ui).text_quiet;
                let text = format!("Bump {}", index + 1);
                ui.label(RichText::new(text).size(size::SMALL).color(quiet));
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    if count > 1 && link(ui, "remove").clicked() {
                        removed = Some(index);
                    }
                });
            });
        }
        let fields: Vec<_> = kind.fields.iter().zip(group.iter_mut()).collect();
        pairs(ui, state, fields);
    }
    if let Some(index) = removed {
        numbers.remove(index);
    }
    if kind.several && count < MOST_ROWS && link(ui, "add a bump").clicked() {
        let [x, y] = state.session.view.center;
        numbers.push(vec![0.5, x, y, 0.25]);
    }
    if numbers != before {
        let lambda = state.session.steering.reward.lambda();
        // A number outside its range is not taken over: the field shows the last good one again.
        if let Ok(reward) = from_numbers(kind, &numbers, lambda) {
            state.session.steering.reward = reward;
        }
    }
}

/// Two numbers a row.
fn pairs(ui: &mut Ui, state: &mut State, mut fields: Vec<(&'static Field, &mut f64)>) {
    let half = (ui.available_width() - 8.0) / 2.0;
    ui.spacing_mut().button_padding = vec2(5.0, 2.0);
    for row in fields.chunks_mut(2) {
        ui.horizontal(|ui| {
            for (field, value) in row {
                ui.allocate_ui_with_layout(
                    vec2(half, 22.0),
                    Layout::left_to_right(Align::Center),
                    |ui| {
                        ui.set_width(half);
                        one(ui, state, field, value);
                    },
                );
            }
        });
    }
}

fn one(ui: &mut Ui, state: &mut State, field: &Field, value: &mut f64) {
    let quiet = tokens::palette(ui).text_quiet;
    let name = RichText::new(field.name).size(size::TICK).color(quiet);
    ui.add(egui::Label::new(name).truncate())
        .on_hover_text(field.hover);
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let least = if field.positive { 0.01 } else { -100.0 };
        let number = DragValue::new(value)
            .range(least..=100.0)
            .clamp_existing_to_range(false)
            .speed(0.02)
            .max_decimals(3);
        ui.spacing_mut().interact_size.x = 44.0;
        let response = ui.add(number).on_hover_text(field.hover);
        state.dragging |= response.dragged();
        response.widget_info(|| {
            let mut info = WidgetInfo::drag_value(true, *value);
            info.label = Some(format!("Reward, {}", field.name));
            info
        });
    });
}

fn strength(ui: &mut Ui, state: &mut State) {
    let palette = tokens::palette(ui);
    let mut lambda = state.session.steering.reward.lambda();
    let before = lambda;
    ui.horizontal(|ui| {
        let text = RichText::new("Strength λ")
            .size(size::SMALL)
            .color(palette.text_quiet);
        ui.label(text)
            .on_hover_text("The target is the world times exp(λ r). At 0 nothing is steered.");
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let number = DragValue::new(&mut lambda)
                .range(0.0..=Reward::MAX_NUMBER)
                .speed((before * 0.01).max(0.005))
                .max_decimals(3);
            let response = ui.add(number);
            state.dragging |= response.dragged();
            response.widget_info(|| {
                let mut info = WidgetInfo::drag_value(true, before);
                info.label = Some("Strength, type a number".to_owned());
                info
            });
        });
    });
    let scale = LogScale::new(STRENGTH.0, STRENGTH.1);
    let position = if lambda <= 0.0 {
        0.0
    } else {
        NOTHING + (1.0 - NOTHING) * scale.position(lambda)
    };
    let spoken = format::fixed(lambda, 2);
    let taken = &mut state.arrows_taken;
    let (response, slid) = slider(ui, "Strength of the reward", &spoken, position, taken);
    state.dragging |= response.dragged();
    match slid {
        Some(Slid::To(position)) if position < NOTHING => lambda = 0.0,
        Some(Slid::To(position)) => {
            lambda = two_digits(scale.value((position - NOTHING) / (1.0 - NOTHING)));
        }
        Some(Slid::Steps(steps)) if lambda <= 0.0 && steps > 0 => lambda = STRENGTH.0,
        Some(Slid::Steps(steps)) => {
            let next = two_digits(lambda * 1.15f64.powi(steps));
            lambda = if next < STRENGTH.0 { 0.0 } else { next };
        }
        None => {}
    }
    if lambda != before
        && let Ok(reward) = state.session.steering.reward.with_lambda(lambda)
    {
        state.session.steering.reward = reward;
    }
}

/// Why there is no exact target, where there is none.
fn no_target(ui: &mut Ui, state: &State) {
    let Some(runs) = &state.steering.runs else {
        return;
    };
    let is_of_this = runs.request.stage.reward == state.session.steering.reward;
    let Err(reason) = &runs.target else { return };
    if is_of_this {
        let note = tokens::palette(ui).note;
        let text = format!("No exact target to compare with: {reason}");
        let text = RichText::new(text).size(size::SMALL).color(note);
        ui.add(egui::Label::new(text).wrap());
    }
}
