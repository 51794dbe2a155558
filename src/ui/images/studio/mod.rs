//! The Studio: steered pictures beside those of the same noise that nobody steered.
//!
//! Rows are ways to make the pictures, columns are particles; every row begins in the same noise. Left is where the
//! runs came from, right what decides the next one. What is computed is asked for in `ui::state`.

mod cells;
mod chart;
mod enlarged;
mod labels;
mod lineage;
mod settings;
mod view;
mod wipe;

use eframe::egui::{
    Align, CentralPanel, Frame, Layout, Margin, Panel, Rect, RichText, Ui, UiBuilder, vec2,
};

use crate::engine::Slot;
use crate::session::StudioShow;
use crate::ui::images::{header, left_width};
use crate::ui::state::{Place, State};
use crate::ui::tokens::{self, size};
use crate::ui::widgets::{notice, spinner};

pub use view::StudioView;

/// Room below the rows from which the wipe and the curves stand there.
const BAND: f32 = 150.0;
/// The largest wipe below the rows.
const LARGEST_WIPE: f32 = 560.0;

/// Shows everything between the bars. `card` gives a panel's frame from its margins.
pub fn show(ui: &mut Ui, state: &mut State, card: impl Fn(i8, i8, i8) -> Frame) {
    let palette = tokens::palette(ui);
    let gap = crate::ui::tokens::space::GAP as i8;
    Panel::left("lineage")
        .exact_size(left_width(ui))
        .resizable(false)
        .show_separator_line(false)
        .frame(card(gap, gap, 4))
        .show(ui, |ui| lineage::show(ui, state));
    Panel::right("studio settings")
        .default_size(size::SIDE)
        .size_range(240.0..=420.0)
        .show_separator_line(false)
        .frame(card(gap, gap, 4))
        .show(ui, |ui| settings::show(ui, state));
    CentralPanel::no_frame()
        .frame(Frame::new().fill(palette.window))
        .show(ui, |ui| {
            let mut frame = tokens::card(palette);
            frame.inner_margin = Margin {
                left: 14,
                right: 14,
                top: 10,
                bottom: 10,
            };
            frame.show(ui, |ui| {
                ui.set_min_size(ui.available_size());
                middle(ui, state);
            });
        });
}

fn middle(ui: &mut Ui, state: &mut State) {
    header::show(ui, state);
    kinds(ui, state);
    notice(ui, &mut state.notices, Place::Images);
    ui.add_space(2.0);
    let area = ui.available_rect_before_wrap();
    let Some(answer) = state.images.studio.answer.clone() else {
        empty(ui, state, area);
        ui.advance_cursor_after_rect(area);
        return;
    };
    let (rows, across) = (answer.panels.len(), answer.request.particles.len());
    let grid = cells::Grid::new(area, rows, across);
    let scale = grid.side / answer.request.model.shape()[1].max(1) as f32;
    let studio = &state.session.images.studio;
    let shown = (studio.t, studio.states);
    let look = (state.session.images.smooth, scale * ui.pixels_per_point());
    let view = &mut state.images.studio.view;
    view.prepare(ui.ctx(), &answer, shown, look);
    cells::show(ui, state, &answer, &grid);
    let below = area.with_min_y(grid.bottom() + 14.0);
    let has_band = below.height() >= BAND;
    state.images.studio.view.has_band = has_band;
    if has_band {
        band(ui, state, &answer, below);
    }
    ui.advance_cursor_after_rect(area);
}

/// Below the rows: the wipe, and the values against `t`.
fn band(ui: &mut Ui, state: &mut State, answer: &crate::engine::StudioAnswer, area: Rect) {
    let side = (area.height() - wipe::CAPTION)
        .min(LARGEST_WIPE)
        .min(area.width() * 0.45);
    let (left, right) = area.split_left_right_at_x(area.left() + side);
    let builder = UiBuilder::new().max_rect(left).id_salt("wipe");
    ui.scope_builder(builder, |ui| {
        wipe::show(ui, state, answer, ("wipe", side));
    });
    let right = right.with_min_x(right.left() + 22.0);
    chart::show(
        ui,
        state,
        answer,
        right.with_max_y(left.top() + side + wipe::CAPTION),
    );
}

/// What the rows vary, and what of a picture is shown.
fn kinds(ui: &mut Ui, state: &mut State) {
    ui.horizontal(|ui| {
        ui.set_min_height(size::CONTROL);
        ui.spacing_mut().item_spacing.x = 3.0;
        let show = &mut state.session.images.studio.show;
        for (kind, name, hover) in [
            (
                StudioShow::Compare,
                "side by side",
                "The base, and the method that steers",
            ),
            (
                StudioShow::Strength,
                "strength",
                "The reward from weak to strong, everything else the same",
            ),
            (
                StudioShow::Draws,
                "draws",
                "N from 1 up, everything else the same",
            ),
            (
                StudioShow::Methods,
                "methods",
                "Several methods on one clock",
            ),
        ] {
            let text = RichText::new(name).size(size::SMALL);
            if ui
                .selectable_label(*show == kind, text)
                .on_hover_text(hover)
                .clicked()
            {
                *show = kind;
            }
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 3.0;
            let states = &mut state.session.images.studio.states;
            for (value, name, hover) in [
                (true, "noisy state", "x_t as it is at the clock"),
                (
                    false,
                    "becoming",
                    "What the state looks like becoming: the denoised mean, for the search its best future",
                ),
            ] {
                let text = RichText::new(name).size(size::SMALL);
                if ui
                    .selectable_label(*states == value, text)
                    .on_hover_text(hover)
                    .clicked()
                {
                    *states = value;
                }
            }
        });
    });
}

/// Before anything was steered: what to do.
fn empty(ui: &mut Ui, state: &mut State, area: Rect) {
    let palette = tokens::palette(ui);
    let middle = Rect::from_center_size(area.center(), vec2(area.width().min(420.0), 150.0));
    let builder = UiBuilder::new()
        .max_rect(middle)
        .layout(Layout::top_down(Align::Center));
    ui.scope_builder(builder, |ui| {
        if state.is_waiting(Slot::Studio) {
            ui.add_space(40.0);
            spinner(ui, 20.0);
            ui.label(RichText::new("steering").color(palette.text_quiet));
            return;
        }
        ui.label(
            RichText::new("Nothing is steered yet")
                .font(tokens::heading_font())
                .color(palette.text_strong),
        );
        ui.add_space(6.0);
        let text = "Choose a reward and a method at the right, then press Start. The same noise is shown unsteered beside it; any picture or state can be branched from.";
        let text = RichText::new(text).color(palette.text_quiet);
        ui.add(eframe::egui::Label::new(text).wrap());
        ui.add_space(14.0);
        let possible = !state.session.images.rewarding.reward.is_empty();
        let response = ui
            .add_enabled(possible, eframe::egui::Button::new("Start"))
            .on_disabled_hover_text("Add a reward first, at the right.");
        if response.clicked() {
            state.start_studio();
        }
    });
}
