//! Right of the pictures: the reward, the method, and what can be done with the selected picture.

use eframe::egui::{
    Align, Button, ComboBox, DragValue, Label, Layout, ProgressBar, RichText, ScrollArea, Ui,
    WidgetInfo, vec2,
};

use crate::engine::{LoadedImages, Slot};
use crate::session::{Studio, StudioShow};
use crate::steer::images::ImagePlan;
use crate::steer::{Flow, Renormalise};
use crate::ui::images::{batch, reward, side};
use crate::ui::shortcuts::{Action, keys_of};
use crate::ui::state::State;
use crate::ui::steering::stage::fields::{choice, named};
use crate::ui::tokens::{self, size, space};
use crate::ui::widgets::{Picked, Searched, Slid};
use crate::ui::widgets::{check_row, count_slider, link, section, slider_row};

use super::wipe;

/// Shows the panel.
pub fn show(ui: &mut Ui, state: &mut State) {
    ScrollArea::vertical()
        .auto_shrink([false, false])
        .show(ui, |ui| {
            ui.set_max_width(ui.available_width() - space::SCROLL);
            start(ui, state);
            batch::add(ui, state);
            ui.add_space(10.0);
            section(ui, "Reward", |ui| reward::choose(ui, state));
            section(ui, "Steering", |ui| method(ui, state));
            section(ui, "Pictures", |ui| pictures(ui, state));
            selected(ui, state);
            side::map(ui, state);
        });
}

/// Width of the names.
const NAMES: f32 = 74.0;

/// A name, and what stands beside it on one line; both say more on hovering.
fn row(ui: &mut Ui, name: &str, hover: &str, content: impl FnOnce(&mut Ui)) {
    let quiet = tokens::palette(ui).text_quiet;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 3.0;
        let text = RichText::new(name).size(size::SMALL).color(quiet);
        let label = ui
            .allocate_ui_with_layout(
                vec2(NAMES, size::CONTROL),
                Layout::left_to_right(Align::Center),
                |ui| {
                    ui.set_min_width(NAMES);
                    ui.add(Label::new(text).sense(eframe::egui::Sense::hover()))
                },
            )
            .inner;
        label.on_hover_text(hover);
        content(ui);
    });
}

/// A number to drag or type.
fn number<N: eframe::egui::emath::Numeric>(
    ui: &mut Ui,
    (name, hover): (&str, &str),
    value: &mut N,
    range: std::ops::RangeInclusive<N>,
    speed: f64,
) {
    row(ui, name, hover, |ui| {
        let mut drag = DragValue::new(value).range(range).speed(speed);
        if N::INTEGRAL {
            drag = drag.fixed_decimals(0);
        }
        let response = ui.add(drag);
        named(&response, name, value.to_f64());
    });
}

/// Start, or how far it is and Cancel.
fn start(ui: &mut Ui, state: &mut State) {
    let palette = tokens::palette(ui);
    let width = ui.available_width();
    if state.is_waiting(Slot::Studio) {
        let progress = state.answers.progress_of(Slot::Studio);
        let fraction = progress.and_then(|p| p.fraction).unwrap_or(0.0);
        let left = progress.map_or_else(String::new, |progress| match progress.left {
            Some(left) => crate::ui::format::left(left),
            // What is waited for before anything can be reckoned.
            None if progress.fraction.is_none() => progress.label.clone(),
            None => String::new(),
        });
        ui.add(ProgressBar::new(fraction).desired_height(5.0));
        ui.horizontal(|ui| {
            if ui
                .add(Button::new("Cancel").min_size(vec2(84.0, size::CONTROL)))
                .on_hover_text("Esc")
                .clicked()
            {
                state.cancel_studio();
            }
            let text = RichText::new(left)
                .size(size::SMALL)
                .color(palette.text_quiet);
            ui.add(Label::new(text).truncate());
        });
    } else {
        // Where nothing was made there are no settings of before.
        let is_changed = state.images.studio.answer.is_some() && state.studio_is_changed();
        let mut button = Button::new(if is_changed { "Start again" } else { "Start" })
            .min_size(vec2(width, size::CONTROL + 2.0));
        if is_changed || state.images.studio.answer.is_none() {
            button = button.fill(tokens::faded(palette.learned, 0.25));
        }
        let possible = !state.session.images.rewarding.reward.is_empty();
        let response = ui
            .add_enabled(possible, button)
            .on_disabled_hover_text("Add a reward first.");
        if response.clicked() {
            state.start_studio();
        }
        if is_changed {
            let text = "The settings are not those of the pictures.";
            let text = RichText::new(text)
                .size(size::TICK)
                .color(palette.text_faint);
            ui.add(Label::new(text).wrap());
        }
        memory(ui, state);
    }
    ui.add_space(4.0);
}

/// What a run takes of the memory, where that is much.
fn memory(ui: &mut Ui, state: &State) {
    /// From how many bytes on it is said.
    const WORTH_SAYING: u64 = 1 << 30;
    let images = &state.session.images;
    let plan = &images.studio.settings.plan;
    let Some(model) = &state.images.model else {
        return;
    };
    let judges = (&images.rewarding.reward, &images.files);
    let takes = model.steering_memory(plan, images.studio.pictures, judges);
    if takes.bytes() > WORTH_SAYING {
        let gib = takes.bytes() as f64 / (1_u64 << 30) as f64;
        let text = RichText::new(format!("Takes about {gib:.1} GiB of memory."))
            .size(size::TICK)
            .color(tokens::palette(ui).text_quiet);
        ui.add(Label::new(text).wrap()).on_hover_text(
            "The map, what decodes it, and the judges of the reward, with what is alive while they work. Fewer draws or pictures take less.",
        );
    }
}

fn method(ui: &mut Ui, state: &mut State) {
    let palette = tokens::palette(ui);
    ui.spacing_mut().item_spacing.y = 4.0;
    let scales = state.images.model.as_ref().map(|m| m.guidance_scales());
    let model = state.images.model.clone();
    let plan = &mut state.session.images.studio.settings.plan;
    let card = plan.method.card();
    let combo = ComboBox::from_id_salt("studio method")
        .width(ui.available_width())
        .selected_text(card.title)
        .show_ui(ui, |ui| {
            for card in ImagePlan::methods() {
                let response = ui
                    .selectable_label(plan.method == card.method, card.title)
                    .on_hover_text(card.summary);
                if response.clicked() && plan.method != card.method {
                    plan.method = card.method;
                    if !card.flows.contains(&plan.flow) {
                        plan.flow = card.flows[0];
                    }
                }
            }
        });
    combo.response.widget_info(|| {
        let mut info = WidgetInfo::labeled(eframe::egui::Role::ComboBox, true, "Method");
        info.current_text_value = Some(card.title.to_owned());
        info
    });
    let summary = RichText::new(card.summary)
        .size(size::TICK)
        .color(palette.text_quiet);
    ui.add(Label::new(summary).wrap());
    if let Some(warning) = plan.warning() {
        let text = RichText::new(format!("Note: {warning}."))
            .size(size::TICK)
            .color(palette.note);
        ui.add(Label::new(text).wrap());
    }
    row(
        ui,
        "Dynamics",
        "ODE: one noise decides the picture. SDE: noise on the way, which forgives errors of the early steps.",
        |ui| {
            choice(
                ui,
                &mut plan.flow,
                &[(Flow::Ode, "ODE", ""), (Flow::Sde, "SDE", "")],
            );
        },
    );
    number(
        ui,
        ("Steps", "K, from noise to data."),
        &mut plan.steps,
        1..=Studio::MAX_STEPS,
        0.2,
    );
    if plan.draws_matter() {
        let hover = "N: futures drawn from each state, or finished pictures to choose from.";
        number(
            ui,
            ("Draws", hover),
            &mut plan.draws,
            1..=Studio::MAX_DRAWS,
            0.1,
        );
    }
    if plan.method.card().estimates_a_gradient() {
        let hover = "Factor on the steering part; 1 is the tilt, more over-optimises.";
        number(
            ui,
            ("Guidance", hover),
            &mut plan.guidance,
            0.0..=100.0,
            0.02,
        );
        size_of_steering(ui, plan);
    }
    if plan.method == crate::steer::Method::MfmMix {
        let hover = "Time at which the mix goes over from gradient-free to gradient.";
        number(
            ui,
            ("Gradient from", hover),
            &mut plan.mix_until,
            0.0..=1.0,
            0.01,
        );
    }
    if let Some(model) = &model {
        class(ui, plan, model, scales.unwrap_or_default());
    }
    row(
        ui,
        "Seed",
        "Root of all noise: the same seed gives the same pictures.",
        |ui| {
            let response = ui.add(DragValue::new(&mut plan.seed).speed(0.1));
            named(&response, "Seed", plan.seed as f64);
        },
    );
    let keys = keys_of(ui.ctx(), Action::Redraw);
    if link(ui, "other noise")
        .on_hover_text(format!("The next seed, started at once  {keys}"))
        .clicked()
    {
        state.reseed_studio();
    }
}

fn size_of_steering(ui: &mut Ui, plan: &mut ImagePlan) {
    let hover = "How long the steering part is. Off: the tilt. Rescaled: always as long as the base drift, as published for images; the strength of the reward then cancels.";
    row(ui, "Renormalise", hover, |ui| {
        // Three words beside a long name: a row that is too wide would widen what stands below it.
        ui.spacing_mut().button_padding.x = 8.0;
        let mut kind = match plan.renormalise {
            Renormalise::Off => 0,
            Renormalise::Rescale(_) => 1,
            Renormalise::Clip(_) => 2,
        };
        let options = [
            (0, "off", ""),
            (1, "rescale", "Not the tilt"),
            (2, "clip", "At most as long as the base drift. Not the tilt"),
        ];
        if choice(ui, &mut kind, &options) {
            plan.renormalise = match kind {
                0 => Renormalise::Off,
                1 => Renormalise::Rescale(1.0),
                _ => Renormalise::Clip(1.0),
            };
        }
    });
}

fn class(ui: &mut Ui, plan: &mut ImagePlan, model: &LoadedImages, scales: Vec<f32>) {
    let count = model.map.config().label_dim;
    if count == 0 {
        return;
    }
    let hover = "Class that the velocity and the draws are told: what is steered is the map's own law of it.";
    row(ui, "Class", hover, |ui| {
        let list = Searched {
            name: "Class that is told",
            width: 86.0,
            none: Some("any"),
            chosen: plan.class,
        };
        let name = |class: usize| model.class_name(class);
        if let Some(Picked(picked)) = list.show(ui, count, &name) {
            plan.class = picked;
        }
    });
    if plan.class.is_some() && scales.len() > 1 {
        let hover = "How much more than its share the class counts. The map knows these scales.";
        row(ui, "Class guidance", hover, |ui| {
            for scale in scales {
                let text = RichText::new(format!("{scale}")).size(size::SMALL);
                let chosen = plan.class_guidance == scale;
                if ui.selectable_label(chosen, text).clicked() {
                    plan.class_guidance = scale;
                }
            }
        });
    }
}

fn pictures(ui: &mut Ui, state: &mut State) {
    let mut pictures = state.session.images.studio.pictures;
    let most = 1..=Studio::MAX_PICTURES;
    count_slider(
        ui,
        "Side by side",
        &mut pictures,
        most,
        &mut state.arrows_taken,
    );
    state.session.images.studio.pictures = pictures;
    if state.session.images.studio.show != StudioShow::Methods {
        return;
    }
    ui.add_space(4.0);
    ui.spacing_mut().item_spacing.y = 1.0;
    let methods = &mut state.session.images.studio.methods;
    for card in ImagePlan::methods().skip(1) {
        let mut is_on = methods.contains(&card.method);
        if check_row(ui, &mut is_on, card.title, "")
            .on_hover_text(card.summary)
            .changed()
        {
            if is_on {
                methods.push(card.method);
            } else {
                methods.retain(|method| *method != card.method);
            }
        }
    }
}

/// The selected picture, and what can come of it.
fn selected(ui: &mut Ui, state: &mut State) {
    let Some(answer) = state.images.studio.answer.clone() else {
        return;
    };
    let Some((row, particle)) = state.studio_selected() else {
        return;
    };
    let rows = state.shown_rows();
    let title = rows
        .get(row)
        .map_or_else(String::new, |row| row.title.clone());
    section(ui, "Branch", |ui| {
        let palette = tokens::palette(ui);
        if !state.images.studio.view.has_band {
            let side = ui.available_width().min(320.0);
            wipe::show(ui, state, &answer, ("wipe aside", side));
            ui.add_space(4.0);
        }
        ui.with_layout(Layout::top_down(Align::Min), |ui| {
            let t = state.studio_frame(row).map(|(_, frame)| frame.t);
            // As the Gallery and the command line count: by its noise.
            let number = answer.request.particles.start as usize + particle;
            let text = format!("{title}, picture {number}");
            ui.label(
                RichText::new(text)
                    .font(tokens::strong_font())
                    .color(palette.text_strong),
            );
            let is_ready = !state.is_waiting(Slot::Studio);
            let from_state = is_ready && t.is_some_and(|t| t < 1.0);
            let name = match t {
                Some(t) if t < 1.0 => format!("Go on from its state at t = {t:.3}"),
                _ => "Go on from its state".to_owned(),
            };
            let wide = vec2(ui.available_width(), size::CONTROL);
            let keys = keys_of(ui.ctx(), Action::Branch);
            if ui
                .add_enabled(from_state, Button::new(RichText::new(name).size(size::SMALL)).min_size(wide))
                .on_hover_text(format!(
                    "A child run that begins exactly here, with the settings as you change them  {keys}"
                ))
                .on_disabled_hover_text("Move the clock to a time before 1 first.")
                .clicked()
            {
                state.branch_from_state();
            }
            let renoise = state.session.images.studio.renoise;
            let again = format!("Noise it again to t = {renoise:.2}");
            let again = RichText::new(again).size(size::SMALL);
            if ui
                .add_enabled(
                    is_ready,
                    Button::new(again).min_size(wide),
                )
                .on_hover_text("A child run from this picture, half formed: each column with noise of its own")
                .clicked()
            {
                state.branch_from_picture();
            }
            let text = format!("{renoise:.2}");
            let taken = &mut state.arrows_taken;
            let (_, slid) = slider_row(ui, "Time to which it is noised", &text, renoise, taken);
            let wanted = match slid {
                Some(Slid::To(t)) => (t * 100.0).round() / 100.0,
                Some(Slid::Steps(by)) => renoise + 0.05 * f64::from(by),
                None => return,
            };
            state.session.images.studio.renoise = wanted.clamp(0.05, 0.95);
        });
    });
}
