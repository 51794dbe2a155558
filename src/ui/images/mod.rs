//! The Images workspace: a half-formed picture, and the wall of everything it could still become.

pub mod atlas;
mod batch;
mod classes;
mod curves;
mod curves_csv;
mod decoders;
mod details;
mod dropped;
mod empty;
mod export;
mod futures;
mod gallery;
mod grid;
mod header;
mod hover;
mod kept;
mod paint;
mod plates;
mod reward;
mod shares;
mod side;
mod studio;
mod view;
mod wall;
mod zoom;

use eframe::egui::{CentralPanel, Frame, Margin, Panel, Ui};

use crate::session::Middle;

use super::state::State;
use super::tokens::{self, size, space};

pub use paint::Brush;
pub use reward::MaskBrush;
pub use studio::StudioView;
pub use view::View;
pub use zoom::Zoom;

/// Least and most width of the pictures at the left.
const PLATES: [f32; 2] = [188.0, 420.0];
/// Left and right of them, for margins.
const PLATE_SIDES: f32 = 50.0;
/// Above each of them, for names and gaps.
const PLATE_ROOM: f32 = 38.0 + 28.0 / 3.0;

/// Width of what stands left of the middle: three square pictures one above the other. The Studio's lineage has the same,
/// so that the middle and its tabs stay where they are.
fn left_width(ui: &Ui) -> f32 {
    let square = (ui.available_height() - 20.0) / 3.0 - PLATE_ROOM;
    (square + PLATE_SIDES).clamp(PLATES[0], PLATES[1]).floor()
}

/// Shows everything between the bars.
pub fn show(ui: &mut Ui, state: &mut State) {
    let palette = tokens::palette(ui);
    let gap = space::GAP as i8;
    let card = |left: i8, right: i8, inner_right: i8| {
        tokens::card(palette)
            .outer_margin(Margin {
                left,
                right,
                top: 0,
                bottom: 0,
            })
            .inner_margin(Margin {
                left: 16,
                right: inner_right,
                top: 12,
                bottom: 8,
            })
    };
    let ctx = ui.ctx().clone();
    dropped::show(&ctx, state);
    if state.is_studio() && state.images.model.is_some() {
        studio::show(ui, state, card);
        return;
    }
    Panel::left("pictures")
        .exact_size(left_width(ui))
        .resizable(false)
        .show_separator_line(false)
        .frame(card(gap, gap, 16))
        .show(ui, |ui| plates::show(ui, state));
    Panel::right("wall settings")
        .default_size(size::SIDE)
        .size_range(240.0..=420.0)
        .show_separator_line(false)
        .frame(card(gap, gap, 4))
        .show(ui, |ui| side::show(ui, state));
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
                if state.images.model.is_none() {
                    empty::show(ui, state);
                    return;
                }
                header::show(ui, state);
                match state.session.images.middle {
                    // The Studio has panels of its own.
                    Middle::Wall | Middle::Studio => wall::show(ui, state),
                    Middle::Gallery => gallery::show(ui, state),
                    Middle::Diversity => curves::show(ui, state),
                }
            });
        });
}
