//! Where the runs came from: every run that was started, its branches below it.

use eframe::egui::{
    Align2, CornerRadius, Rect, RichText, Role, ScrollArea, Sense, Stroke, StrokeKind, TextureId,
    Ui, UiBuilder, WidgetInfo, pos2,
    text::{LayoutJob, TextWrapping},
    vec2,
};

use crate::engine::Slot;
use crate::session::{Studio, StudioNode, StudioStart};
use crate::ui::format;
use crate::ui::images::atlas::whole;
use crate::ui::images::batch;
use crate::ui::state::State;
use crate::ui::tokens::{self, size, space};
use crate::ui::widgets::{close_button, link, spinner_at};

/// Height of a run.
const ROW: f32 = 50.0;
/// Its picture.
const PICTURE: f32 = 40.0;
/// What turns while there is none yet.
const SPINNER: f32 = 14.0;
/// A branch is moved so far to the right.
const INDENT: f32 = 14.0;
/// No branch further.
const DEEPEST: usize = 6;

/// What a person did.
enum Done {
    GoTo(u32),
    Remove(u32),
}

/// Shows the tree, and below it the queue.
pub fn show(ui: &mut Ui, state: &mut State) {
    let area = ui.available_rect_before_wrap();
    let below = batch::height(state, area.height());
    let (tree_area, queue) = area.split_top_bottom_at_y(area.bottom() - below);
    let builder = UiBuilder::new().max_rect(tree_area).id_salt("tree");
    ui.scope_builder(builder, |ui| tree(ui, state));
    if below > 0.0 {
        let stroke = Stroke::new(1.0, tokens::palette(ui).outline);
        let line = area.with_max_x(area.right() - 12.0).x_range();
        ui.painter().hline(line, queue.top() + 2.0, stroke);
        let builder = UiBuilder::new()
            .max_rect(queue.with_min_y(queue.top() + 10.0))
            .id_salt("queue");
        ui.scope_builder(builder, |ui| batch::show(ui, state));
    }
    ui.advance_cursor_after_rect(area);
}

fn tree(ui: &mut Ui, state: &mut State) {
    let palette = tokens::palette(ui);
    ui.label(
        RichText::new("Lineage")
            .font(tokens::heading_font())
            .color(palette.text_strong),
    );
    ui.add_space(4.0);
    if state.session.images.studio.settings.start != StudioStart::Noise
        && link(ui, "begin in noise again")
            .on_hover_text("The next Start begins in noise, not in this branch")
            .clicked()
    {
        state.studio_from_noise();
    }
    if state.session.images.studio.lineage.is_empty() {
        let text = "Every run that you start is kept here. Branch from a picture or a state, and go back to any run exactly.";
        let text = RichText::new(text)
            .size(size::SMALL)
            .color(palette.text_quiet);
        ui.set_max_width(ui.available_width() - space::SCROLL);
        ui.add(eframe::egui::Label::new(text).wrap());
        return;
    }
    let mut done = None;
    ScrollArea::vertical()
        .auto_shrink([false, false])
        .show(ui, |ui| {
            ui.set_max_width(ui.available_width() - space::SCROLL);
            ui.spacing_mut().item_spacing.y = 2.0;
            for (index, depth) in order(&state.session.images.studio) {
                done = one(ui, state, index, depth).or(done.take());
            }
        });
    match done {
        Some(Done::GoTo(index)) => state.go_to_node(index),
        Some(Done::Remove(index)) => state.remove_node(index),
        None => {}
    }
}

/// The runs as a tree is read, each with its depth.
fn order(studio: &Studio) -> Vec<(u32, usize)> {
    let count = studio.lineage.len() as u32;
    let children = |of: Option<u32>| {
        (0..count)
            .rev()
            .filter(move |i| studio.lineage[*i as usize].parent == of)
    };
    let mut waiting: Vec<(u32, usize)> = children(None).map(|i| (i, 0)).collect();
    let mut all = Vec::new();
    while let Some((index, depth)) = waiting.pop() {
        all.push((index, depth));
        waiting.extend(children(Some(index)).map(|i| (i, depth + 1)));
    }
    all
}

/// What began where.
fn beginning(node: &StudioNode) -> String {
    match &node.settings.start {
        StudioStart::Noise => format!("noise, seed {}", node.settings.plan.seed),
        StudioStart::Renoised { t, .. } => format!("noised to t = {t:.2}"),
        StudioStart::State { t, .. } => format!("a state at t = {t:.2}"),
    }
}

/// The picture of the run that is shown, as it is at the clock, while it is still made.
fn under_way(state: &State, is_shown: bool) -> Option<(TextureId, Rect)> {
    let answer = state.images.studio.answer.as_ref().filter(|_| is_shown)?;
    let row = answer.panels.len().checked_sub(1)?.min(1);
    // What is done is of the run before, or is the node's own in a moment.
    let is_made = !answer.panels[row].done;
    let place = state.images.studio.view.place(row, 0);
    place.filter(|_| is_made)
}

fn one(ui: &mut Ui, state: &mut State, index: u32, depth: usize) -> Option<Done> {
    let palette = tokens::palette(ui);
    let node = state.session.images.studio.lineage[index as usize].clone();
    let is_shown = state.session.images.studio.node == Some(index);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
    let plan = &node.settings.plan;
    let title = plan.method.card().title;
    let from = beginning(&node);
    let spoken = format!("Run {}, {title}, from {from}", index + 1);
    response.widget_info(|| WidgetInfo::selected(Role::TreeItem, true, is_shown, &spoken));
    let painter = ui.painter();
    if is_shown || response.hovered() || response.has_focus() {
        let color = if is_shown {
            palette.control_active
        } else {
            palette.control_hovered
        };
        painter.rect_filled(rect, CornerRadius::same(size::RADIUS), color);
    }
    if response.has_focus() {
        painter.rect_stroke(
            rect,
            CornerRadius::same(size::RADIUS),
            Stroke::new(1.0, palette.focus),
            StrokeKind::Inside,
        );
    }
    let left = rect.left() + 6.0 + INDENT * depth.min(DEEPEST) as f32;
    if depth > 0 {
        let corner = pos2(left - 8.0, rect.center().y);
        let stroke = Stroke::new(1.0, palette.text_faint);
        painter.line_segment([pos2(corner.x, rect.top()), corner], stroke);
        painter.line_segment([corner, corner + vec2(6.0, 0.0)], stroke);
    }
    let picture = Rect::from_min_size(
        pos2(left, rect.center().y - PICTURE / 2.0),
        vec2(PICTURE, PICTURE),
    );
    let smooth = state.session.images.smooth;
    if let Some(thumbnail) = &node.thumbnail {
        let texture = state.images.view.kept(ui.ctx(), thumbnail, smooth);
        ui.painter()
            .image(texture, picture, whole(), tokens::coverage(1.0));
    } else if let Some((texture, uv)) = under_way(state, is_shown) {
        ui.painter()
            .image(texture, picture, uv, tokens::coverage(1.0));
    } else {
        // Nothing of it was ever seen: a place, not a black picture.
        let stroke = Stroke::new(1.0, palette.outline);
        let radius = CornerRadius::same(2);
        ui.painter()
            .rect_stroke(picture, radius, stroke, StrokeKind::Inside);
        if is_shown && state.is_waiting(Slot::Studio) {
            let middle = Rect::from_center_size(picture.center(), vec2(SPINNER, SPINNER));
            spinner_at(ui, middle);
        } else {
            let (at, font) = (picture.center(), tokens::tick_font());
            let ink = palette.text_faint;
            ui.painter()
                .text(at, Align2::CENTER_CENTER, "not run", font, ink);
        }
    }
    let words = Rect::from_min_max(
        pos2(picture.right() + 8.0, rect.top()),
        pos2(rect.right() - 4.0, rect.bottom()),
    );
    let painter = ui.painter().with_clip_rect(words.intersect(ui.clip_rect()));
    let middle = rect.center().y;
    for (text, y, font, color) in [
        (
            title.to_owned(),
            middle - 13.5,
            tokens::strong_font(),
            palette.text_strong,
        ),
        (
            node.rewarding.reward.to_string(),
            middle + 1.5,
            tokens::tick_font(),
            palette.text,
        ),
        (from, middle + 15.0, tokens::tick_font(), palette.text_quiet),
    ] {
        let mut job = LayoutJob::simple_singleline(text, font, color);
        job.wrap = TextWrapping::truncate_at_width(words.width());
        let galley = painter.layout_job(job);
        let at = pos2(words.left(), y - galley.size().y / 2.0);
        painter.galley(at, galley, color);
    }
    let mut done = response.clicked().then_some(Done::GoTo(index));
    if response.hovered() || response.contains_pointer() {
        let corner = Rect::from_min_size(
            pos2(rect.right() - 24.0, rect.top() + 2.0),
            vec2(22.0, 22.0),
        );
        let builder = eframe::egui::UiBuilder::new().max_rect(corner);
        ui.scope_builder(builder, |ui| {
            if close_button(ui, "Take this run out of the lineage") {
                done = Some(Done::Remove(index));
            }
        });
    }
    let draws = if plan.draws_matter() {
        format!(", {}", format::counted(plan.draws.into(), "draw"))
    } else {
        String::new()
    };
    response.on_hover_text(format!(
        "{title} toward {}\n{} steps{draws}, {}, seed {}\nClick goes back to it exactly",
        node.rewarding.reward,
        plan.steps,
        plan.flow.to_string().to_uppercase(),
        plan.seed
    ));
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::StudioSettings;

    #[test]
    fn branches_stand_below_what_they_came_from() {
        let mut studio = Studio::default();
        for parent in [None, None, Some(0), Some(2), Some(0)] {
            studio.add(StudioNode {
                parent,
                settings: StudioSettings::default(),
                rewarding: crate::session::Rewarding::default(),
                map: String::new(),
                thumbnail: None,
            });
        }
        assert_eq!(order(&studio), [(0, 0), (2, 1), (3, 2), (4, 1), (1, 0)]);
    }
}
