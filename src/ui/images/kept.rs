//! Pictures with a star, in a strip below the wall; the gallery has them all.

use eframe::egui::{
    Align, CornerRadius, Layout, Rect, RichText, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui,
    UiBuilder, WidgetInfo, pos2, vec2,
};

use crate::ui::state::State;
use crate::ui::tokens::{self, size};

use super::atlas::whole;
use super::hover::star;
use super::shares::word;

const SIDE: f32 = 56.0;
const HEIGHT: f32 = 84.0;

/// Height of the strip; none while nothing is kept.
pub fn height(state: &State) -> f32 {
    if state.session.images.kept.iter().all(|kept| !kept.starred) {
        0.0
    } else {
        HEIGHT
    }
}

/// Shows the strip.
pub fn show(ui: &mut Ui, state: &mut State, area: Rect) {
    let palette = tokens::palette(ui);
    ui.painter().hline(
        area.x_range(),
        area.top() + 6.0,
        Stroke::new(1.0, palette.outline),
    );
    let kept = state.session.images.kept.iter().enumerate();
    let starred: Vec<usize> = kept.filter(|k| k.1.starred).map(|k| k.0).collect();
    let count = starred.len();
    let (name, strip) = area.split_left_right_at_x(area.left() + 64.0);
    let middle = pos2(name.left(), name.center().y + 4.0);
    ui.painter().text(
        middle,
        eframe::egui::Align2::LEFT_CENTER,
        format!("Kept\n{count}"),
        tokens::small_font(),
        palette.text_quiet,
    );
    let builder = UiBuilder::new()
        .max_rect(strip.with_min_y(strip.top() + 14.0))
        .layout(Layout::left_to_right(Align::Center));
    let (mut branch, mut drop) = (None, None);
    ui.scope_builder(builder, |ui| {
        ScrollArea::horizontal().show(ui, |ui| {
            for index in starred {
                let done = one(ui, state, index);
                branch = done.0.or(branch);
                drop = done.1.or(drop);
            }
        });
    });
    if let Some(index) = branch {
        state.branch_from_kept(index);
    }
    if let Some(index) = drop {
        state.drop_kept(index);
    }
}

/// One picture; which is to be gone on from, or put away.
fn one(ui: &mut Ui, state: &mut State, index: usize) -> (Option<usize>, Option<usize>) {
    let palette = tokens::palette(ui);
    let smooth = state.session.images.smooth;
    let kept = &state.session.images.kept[index];
    let label = kept.label.as_deref().map(word).unwrap_or_default();
    let noise = if kept
        .made
        .as_ref()
        .is_some_and(|made| made.steered().is_some())
    {
        format!("steered, picture {}", kept.item)
    } else {
        format!("noise {}", kept.item)
    };
    let text = format!(
        "{label}{}{noise} of seed {} at t = {:.3}\nDouble click goes on from it, its star puts it away",
        if label.is_empty() { "" } else { ", " },
        kept.seed,
        kept.t
    );
    let (rect, response) = ui.allocate_exact_size(vec2(SIDE, SIDE), Sense::click());
    let spoken = format!("Kept picture {}", index + 1);
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &spoken));
    let texture = state.images.view.kept(ui.ctx(), &kept.picture, smooth);
    ui.painter()
        .image(texture, rect, whole(), tokens::coverage(1.0));
    if response.hovered() || response.has_focus() {
        let color = if response.has_focus() {
            palette.focus
        } else {
            palette.text_quiet
        };
        let stroke = Stroke::new(1.5, color);
        ui.painter()
            .rect_stroke(rect, CornerRadius::ZERO, stroke, StrokeKind::Outside);
    }
    let star_rect = super::hover::star_rect(rect);
    if response.hovered() {
        star(ui, star_rect, true);
    }
    let on_star = response
        .interact_pointer_pos()
        .is_some_and(|p| star_rect.expand(3.0).contains(p));
    let acted = (
        (response.double_clicked() && !on_star).then_some(index),
        (response.clicked() && on_star).then_some(index),
    );
    response.on_hover_ui(|ui| {
        ui.label(RichText::new(text).size(size::SMALL));
    });
    acted
}
