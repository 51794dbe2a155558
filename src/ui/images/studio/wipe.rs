//! One picture with a divider to drag: the base at its left, the steered at its right.

use eframe::egui::{
    Align2, CursorIcon, EventFilter, Id, Key, Pos2, Rect, Role, Sense, Stroke, Ui, WidgetInfo,
    pos2, vec2,
};

use crate::engine::StudioAnswer;
use crate::ui::images::plates::snapped;
use crate::ui::state::State;
use crate::ui::tokens;
use crate::ui::widgets::held_at;

use super::enlarged::value;

/// Height of the names above it.
pub const CAPTION: f32 = 40.0;
/// Of one key press.
const STEP: f64 = 0.05;

/// Shows the selected picture, `side` wide, under a name for the focus.
pub fn show(
    ui: &mut Ui,
    state: &mut State,
    answer: &StudioAnswer,
    (name, side): (&'static str, f32),
) {
    let palette = tokens::palette(ui);
    let Some((row, particle)) = state.studio_selected() else {
        return;
    };
    // The base beside itself would hide nothing.
    let row = if row == 0 && answer.panels.len() > 1 {
        1
    } else {
        row
    };
    let (outer, _) = ui.allocate_exact_size(vec2(side, side + CAPTION), Sense::hover());
    let rect = Rect::from_min_size(outer.min + vec2(0.0, CAPTION), vec2(side, side));
    let rect = snapped(rect, ui.pixels_per_point());
    let response = ui
        .interact(rect, Id::unique(name), Sense::click_and_drag())
        .on_hover_cursor(CursorIcon::ResizeHorizontal);
    let wipe = &mut state.session.images.studio.wipe;
    if let Some(pointer) = held_at(&response) {
        response.request_focus();
        *wipe = f64::from((pointer.x - rect.left()) / rect.width().max(1.0)).clamp(0.0, 1.0);
    }
    if response.has_focus() {
        let filter = EventFilter {
            horizontal_arrows: true,
            ..EventFilter::default()
        };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
        let presses = ui.input(|i| {
            i.num_presses(Key::ArrowRight) as i32 - i.num_presses(Key::ArrowLeft) as i32
        });
        *wipe = (*wipe + STEP * f64::from(presses)).clamp(0.0, 1.0);
        state.arrows_taken = true;
        state.space_free = true;
    }
    let wipe = state.session.images.studio.wipe;
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::Slider, true, "Wipe between base and steered");
        info.current_text_value = Some(format!("{:.0} % base", 100.0 * wipe));
        info
    });
    let x = rect.left() + rect.width() * wipe as f32;
    let painter = ui.painter();
    painter.rect_filled(rect, 0.0, palette.canvas);
    for (from, clip) in [(0, rect.with_max_x(x)), (row, rect.with_min_x(x))] {
        if let Some((texture, uv)) = state.images.studio.view.place(from, particle) {
            painter
                .with_clip_rect(clip.intersect(ui.clip_rect()))
                .image(texture, rect, uv, tokens::coverage(1.0));
        }
    }
    divider(ui, rect, x, response.hovered() || response.dragged());
    if response.has_focus() {
        painter.rect_stroke(
            rect.expand(3.0),
            2.0,
            Stroke::new(1.0, palette.focus),
            eframe::egui::StrokeKind::Inside,
        );
    }
    captions(ui, state, outer, (row, particle));
}

fn divider(ui: &Ui, rect: Rect, x: f32, is_lively: bool) {
    let (light, dark) = (tokens::DARK.state, tokens::DARK.halo);
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    painter.vline(
        x,
        rect.y_range(),
        Stroke::new(4.0, tokens::faded(dark, 0.6)),
    );
    painter.vline(x, rect.y_range(), Stroke::new(1.5, light));
    let middle: Pos2 = pos2(x, rect.center().y);
    let radius = if is_lively { 9.0 } else { 7.5 };
    painter.circle(middle, radius, dark, Stroke::new(1.5, light));
    for side in [-1.0, 1.0] {
        let tip = middle + vec2(side * (radius - 2.5), 0.0);
        for up in [-3.0, 3.0] {
            let end = tip + vec2(-side * 3.0, up);
            painter.line_segment([tip, end], Stroke::new(1.2, light));
        }
    }
}

fn captions(ui: &Ui, state: &State, outer: Rect, (row, particle): (usize, usize)) {
    let palette = tokens::palette(ui);
    let rows = state.shown_rows();
    let painter = ui.painter();
    for (index, x, anchor) in [
        (0, outer.left(), Align2::LEFT_TOP),
        (row, outer.right(), Align2::RIGHT_TOP),
    ] {
        let title = rows.get(index).map_or("", |row| row.title.as_str());
        painter.text(
            pos2(x, outer.top()),
            anchor,
            title,
            tokens::strong_font(),
            palette.text_strong,
        );
        if let Some((run, frame)) = state.studio_frame(index) {
            painter.text(
                pos2(x, outer.top() + 18.0),
                anchor,
                short(&value(run, frame, particle)),
                tokens::small_font(),
                palette.text_quiet,
            );
        }
    }
}

/// Without the time, for which there is no room.
fn short(text: &str) -> &str {
    text.split(" at ").next().unwrap_or(text)
}
