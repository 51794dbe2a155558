//! Two rows above each panel: which method with which options, who computes it, and what it costs.

use eframe::egui::{
    self, Align, DragValue, Layout, Popup, PopupCloseBehavior, Rect, RichText, Role, Sense, Ui,
    UiBuilder, WidgetInfo, vec2,
};

use crate::engine::PanelRun;
use crate::steer::{Flow, Method, SteerPlan};
use crate::ui::format;
use crate::ui::state::State;
use crate::ui::tokens::{self, size};
use crate::ui::widgets::{Badge, badge, badge_width, close_button};

use crate::ui::steering::scores::remarks;

use super::{methods, options};

/// Height of both rows.
pub const HEIGHT: f32 = 54.0;
/// Below this width the first row has no room for more than the name and its buttons.
const NARROW: f32 = 270.0;
/// Below this one the options are a sign, so that the name can be read.
const TIGHT: f32 = 210.0;
/// Width of the second row that remarks leave to the cost.
const REST: f32 = 56.0;

/// Shows the header. Gives whether the panel should be closed.
pub fn show(ui: &mut Ui, state: &mut State, index: usize, area: Rect) -> bool {
    let (first, second) = area.split_top_bottom_at_fraction(0.5);
    let narrow = area.width() < NARROW;
    let tight = area.width() < TIGHT;
    let mut close = false;
    row(ui, (first, tight), "first", |ui| {
        close = first_row(ui, state, index, (narrow, tight));
    });
    row(ui, (second, tight), "second", |ui| {
        second_row(ui, state, index, narrow);
    });
    close
}

fn row(ui: &mut Ui, (area, tight): (Rect, bool), name: &str, content: impl FnOnce(&mut Ui)) {
    let builder = UiBuilder::new()
        .max_rect(area)
        .id_salt(name)
        .layout(Layout::left_to_right(Align::Center));
    ui.scope_builder(builder, |ui| {
        let (between, within) = if tight { (3.0, 4.0) } else { (6.0, 7.0) };
        ui.spacing_mut().item_spacing.x = between;
        ui.spacing_mut().button_padding = vec2(within, 2.0);
        ui.spacing_mut().interact_size.y = 22.0;
        content(ui);
    });
}

fn first_row(ui: &mut Ui, state: &mut State, index: usize, (narrow, tight): (bool, bool)) -> bool {
    let palette = tokens::palette(ui);
    let plan = &state.session.steering.panels[index];
    let card = plan.method.card();
    let several = state.session.steering.panels.len() > 1;
    let mut close = false;
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        if several {
            close = close_button(ui, &format!("Close {}", card.title));
        }
        options_button(ui, state, index, tight);
        if !narrow {
            badge(ui, &badge_of(state, ui.available_width() < 190.0, palette));
        }
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            dot(ui, tokens::method_color(palette, index));
            let title = RichText::new(card.title)
                .font(tokens::strong_font())
                .color(palette.text_strong);
            let mut chosen = None;
            methods::menu(ui, title, Some(card.method), |method| chosen = Some(method))
                .on_hover_ui(|ui| methods::describe(ui, card));
            if let Some(method) = chosen {
                state.change_method(index, method);
            }
        });
    });
    close
}

/// The colour that the method has in every plot.
fn dot(ui: &mut Ui, color: egui::Color32) {
    let (rect, response) = ui.allocate_exact_size(vec2(9.0, 9.0), Sense::hover());
    ui.painter().circle_filled(rect.center(), 4.5, color);
    response.on_hover_text("The colour of this method in the plots");
}

/// Who moves and draws.
fn badge_of(state: &State, short: bool, palette: &tokens::Palette) -> Badge {
    let model = state.model.current.as_ref();
    match model.filter(|_| state.session.steering.learned) {
        Some(model) => Badge {
            text: if short {
                "learned".to_owned()
            } else {
                format!("learned · {}", model.checkpoint.short_hash())
            },
            color: palette.learned,
            hover: format!("Moved and drawn by the network in {}.", model.name),
        },
        None => Badge {
            text: "exact".to_owned(),
            color: palette.exact,
            hover: "Velocities and futures come from the closed forms of the world. What the method makes of them is its own.".to_owned(),
        },
    }
}

fn options_button(ui: &mut Ui, state: &mut State, index: usize, tight: bool) {
    let palette = tokens::palette(ui);
    let plan = &state.session.steering.panels[index];
    let color = if options::is_usual(plan) {
        palette.text_quiet
    } else {
        palette.learned
    };
    let text = if tight { "…" } else { "options" };
    let text = RichText::new(text).size(size::SMALL).color(color);
    let mut response = ui.add(egui::Button::new(text).frame_when_inactive(false));
    let name = format!("Options of {}", plan.method.card().title);
    if tight {
        response = response.on_hover_text(&name);
    }
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
    Popup::from_toggle_button_response(&response)
        .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
        .accessible_name(name)
        .show(|ui| options::show(ui, state, index));
}

fn second_row(ui: &mut Ui, state: &mut State, index: usize, narrow: bool) {
    flow(ui, state, index);
    draws(ui, state, index);
    remark(ui, state, index);
    let palette = tokens::palette(ui);
    let runs = state.steering.runs.clone();
    let run = runs.as_ref().and_then(|runs| runs.panels.get(index));
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        if narrow {
            // The name comes first: who computes stands below it, where there is room. It is the same of all panels.
            let who = badge_of(state, true, palette);
            if badge_width(ui, &who) <= ui.available_width() {
                badge(ui, &who);
            }
        }
        let Some(run) = run else { return };
        cost(ui, run, &state.session.steering.panels[index], palette);
        if run.non_finite > 0 {
            let lost = format!("{} lost", format::count(run.non_finite));
            let lost = RichText::new(lost).size(size::SMALL).color(palette.error);
            ui.add(egui::Label::new(lost).truncate())
                .on_hover_text(
                    "Particles whose coordinates are no longer finite numbers. They are not painted, and count in every score. Fewer come with more steps, less strength, or clipping.",
                );
        }
    });
}

/// ODE or SDE, where both are defined.
fn flow(ui: &mut Ui, state: &mut State, index: usize) {
    let plan = &mut state.session.steering.panels[index];
    let flows = plan.method.card().flows;
    if let [only] = flows {
        let (name, hover) = match only {
            Flow::Ode => ("ODE", "This method has no noise."),
            Flow::Sde => ("SDE", "This method needs its noise."),
        };
        let quiet = tokens::palette(ui).text_quiet;
        ui.label(RichText::new(name).size(size::SMALL).color(quiet))
            .on_hover_text(hover);
        return;
    }
    let between = std::mem::replace(&mut ui.spacing_mut().item_spacing.x, 2.0);
    for flow in [Flow::Ode, Flow::Sde] {
        let (name, hover) = match flow {
            Flow::Ode => ("ODE", "dx = (b + σ²/2 ∇V) dt: no noise on the way."),
            Flow::Sde => (
                "SDE",
                "dx = (b + σ²/2 s + σ² ∇V) dt + σ dW: noise on the way corrects errors.",
            ),
        };
        let text = RichText::new(name).size(size::SMALL);
        let chosen = plan.flow == flow;
        let response = ui.selectable_label(chosen, text).on_hover_text(hover);
        if response.clicked() && !chosen {
            let preset = options::preset_of(plan);
            plan.flow = flow;
            if let Some(preset) = preset {
                *plan = plan.clone().with_preset(preset);
            }
        }
    }
    ui.spacing_mut().item_spacing.x = between;
}

fn draws(ui: &mut Ui, state: &mut State, index: usize) {
    let most = options::most_draws(state, index);
    let plan = &mut state.session.steering.panels[index];
    if !options::uses_draws(plan.method) {
        return;
    }
    let speed = (f64::from(plan.draws) * 0.02).max(0.1);
    let number = DragValue::new(&mut plan.draws)
        .range(1..=most)
        .speed(speed)
        .prefix("N ");
    let response = ui.add(number).on_hover_text(match plan.method {
        Method::BestOfN | Method::SoftBestOfN => {
            "Finished samples that each choice is made from. Drag, or click to type."
        }
        _ => "Futures drawn from each state. Drag, or click to type.",
    });
    response.widget_info(|| {
        let mut info = WidgetInfo::drag_value(true, f64::from(plan.draws));
        info.label = Some(format!("Draws of {}", plan.method.card().title));
        info
    });
}

/// Options that change the target, and those in which this panel differs from others of its method; cut short where
/// there is no room.
fn remark(ui: &mut Ui, state: &State, index: usize) {
    let text = remarks(&state.session.steering.panels, index);
    if text.is_empty() {
        return;
    }
    let note = tokens::palette(ui).note;
    let galley = ui
        .painter()
        .layout_no_wrap(text.clone(), tokens::small_font(), note);
    // Some room is for the cost.
    let room = (ui.available_width() - REST).max(0.0);
    let label = RichText::new(&text).size(size::SMALL).color(note);
    let wide = vec2((galley.size().x + 1.0).min(room), 22.0);
    ui.add_sized(wide, egui::Label::new(label).truncate())
        .on_hover_text(format!("{text}. See the options."));
}

/// Evaluations a sample, by kind on hovering.
fn cost(ui: &mut Ui, run: &PanelRun, plan: &SteerPlan, palette: &tokens::Palette) {
    let particles = run.frames.first().map_or(1, |frame| frame.x.len().max(1)) as u64;
    let each = |count: u64| format::count(count.div_ceil(particles));
    let counters = run.counters;
    let text = if ui.available_width() > 150.0 {
        format!("{} evaluations", each(counters.total()))
    } else {
        format!("{} ev", each(counters.total()))
    };
    let galley =
        ui.painter()
            .layout_no_wrap(text.clone(), tokens::small_font(), palette.text_quiet);
    if galley.size().x > ui.available_width() {
        return;
    }
    let (rect, response) = ui.allocate_exact_size(galley.size(), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &text));
    ui.painter().galley(rect.min, galley, palette.text_quiet);
    response.on_hover_ui(|ui| {
        ui.set_max_width(320.0);
        ui.label("Evaluations a sample until now");
        for (name, count) in [
            ("network, forward", counters.network_forward),
            ("network, backward", counters.network_backward),
            ("reward", counters.reward),
            ("gradient of the reward", counters.reward_gradient),
        ] {
            ui.label(format!("{} {name}", each(count)));
        }
        if let Some(published) = plan.published_cost() {
            ui.label(format!(
                "{} for the whole run as the papers count",
                format::count(published)
            ));
        }
        ui.label(format!("{} in all", format::duration(run.elapsed)));
    });
}
