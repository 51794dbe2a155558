//! A mask painted on a reference picture: what is left free of it.

use eframe::egui::{CursorIcon, Rect, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use crate::session::{FreePart, PaintedMask, StoredReference};
use crate::ui::images::atlas::whole;
use crate::ui::images::paint::Brush;
use crate::ui::images::plates::snapped;
use crate::ui::state::State;
use crate::ui::tokens;
use crate::ui::widgets::{self, copy_link};

/// The largest picture to paint on, points.
const LARGEST: f32 = 300.0;
/// Opacity of the veil over what is free.
const VEIL: f32 = 0.6;

/// The brush that paints a mask.
#[derive(Clone, Debug)]
pub struct MaskBrush {
    /// Of which term of the reward.
    term: usize,
    brush: Brush,
}

/// Takes the brush for the mask of a term, or puts it away.
pub fn link(ui: &mut Ui, state: &mut State, term: usize) {
    let paints = state.images.mask.as_ref().is_some_and(|m| m.term == term);
    let name = if paints { "done" } else { "paint mask" };
    if widgets::link(ui, name)
        .on_hover_text("Paint what is left free of the picture")
        .clicked()
    {
        state.images.mask = (!paints).then(|| MaskBrush {
            term,
            brush: Brush::of_radius(0.08),
        });
    }
}

/// The picture to paint on, while the brush is in hand.
pub fn show(ui: &mut Ui, state: &mut State, term: usize) {
    let Some(mut mask) = state.images.mask.clone().filter(|m| m.term == term) else {
        return;
    };
    let Some(reference) = reference_of(state, term) else {
        state.images.mask = None;
        return;
    };
    let side = reference.picture.side as usize;
    let brush = &mut mask.brush;
    brush.tools(ui, ["free", "keep"], &mut state.arrows_taken);
    let width = ui.available_width().min(LARGEST);
    let (rect, response) = ui.allocate_exact_size(vec2(width, width), Sense::click_and_drag());
    let rect = snapped(rect, ui.pixels_per_point());
    let response = response.on_hover_cursor(CursorIcon::Crosshair);
    response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, "Mask to paint"));
    let before = reference.free.mask(side);
    let painted = brush.follow(&response, rect, side, || {
        // A stroke is a step of undo.
        state.keep_edits();
        before.iter().map(|free| (free * 255.0) as u8).collect()
    });
    let smooth = state.session.images.smooth;
    let texture = state.images.view.kept(ui.ctx(), &reference.picture, smooth);
    let tint = tokens::coverage(1.0);
    ui.painter().image(texture, rect, whole(), tint);
    veil(ui, &reference.free, rect);
    brush.outline(ui, &response, rect);
    state.images.mask = Some(mask);
    let mut free: Option<Vec<bool>> = painted.map(|p| p.iter().map(|v| *v > 127).collect());
    ui.horizontal(|ui| {
        if widgets::link(ui, "invert")
            .on_hover_text("Keep what is free, free what is kept")
            .clicked()
        {
            state.keep_edits();
            free = Some(before.iter().map(|v| *v < 0.5).collect());
        }
        if widgets::link(ui, "clear")
            .on_hover_text("Keep everything")
            .clicked()
        {
            state.keep_edits();
            free = Some(vec![false; side * side]);
        }
        copy_link(ui, "copy mask", || reference.free.to_string());
    });
    let painted = free.and_then(|free| PaintedMask::new(side as u32, &free));
    if let Some(painted) = painted {
        let free = FreePart::Painted(painted);
        let painted = StoredReference { free, ..reference };
        state.session.images.rewarding.refer(term, painted);
    }
}

fn reference_of(state: &State, term: usize) -> Option<StoredReference> {
    let rewarding = &state.session.images.rewarding;
    let term = &rewarding.reward.terms().get(term)?.term;
    let masked = term.kind().needs.mask;
    rewarding.reference_of(term).filter(|_| masked).cloned()
}

/// Veils what is free of a picture in `rect`.
pub fn veil(ui: &Ui, free: &FreePart, rect: Rect) {
    // Those without a brush are halves and quarters.
    let side = match free {
        FreePart::Painted(mask) => mask.side(),
        _ => 4,
    };
    let mask = free.mask(side);
    let color = tokens::faded(tokens::palette(ui).learned, VEIL);
    let snap = 1.0 / ui.pixels_per_point();
    // On whole physical pixels: rows that overlap would show as lines.
    let place = |from: f32, length: f32, at: usize| {
        let at = from + length * at as f32 / side as f32;
        (at / snap).round() * snap
    };
    let x = |at: usize| place(rect.left(), rect.width(), at);
    let y = |at: usize| place(rect.top(), rect.height(), at);
    for (row, free) in mask.chunks_exact(side).enumerate() {
        let mut from = 0;
        for run in free.chunk_by(|a, b| a == b) {
            let to = from + run.len();
            if run[0] > 0.5 {
                let min = pos2(x(from), y(row));
                let cell = Rect::from_min_max(min, pos2(x(to), y(row + 1)));
                ui.painter().rect_filled(cell, 0.0, color);
            }
            from = to;
        }
    }
}
