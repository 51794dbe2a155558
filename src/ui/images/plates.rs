//! Left of the wall: the noisy state, and what the draws say together.

use eframe::egui::{
    Align2, CornerRadius, Rect, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, vec2,
};

use crate::ui::format;
use crate::ui::state::State;
use crate::ui::tokens::{self, size};

use super::atlas::whole;
use super::paint;
use super::view::Plate;

/// Height of a name and its figure.
const CAPTION: f32 = 38.0;

/// Shows the pictures, one above the other.
pub fn show(ui: &mut Ui, state: &mut State) {
    let room = ui.available_size();
    let gap = 14.0;
    let square = ((room.y - 2.0 * gap) / 3.0 - CAPTION).min(room.x).max(24.0);
    let t = state.images.view.newest.as_ref().map(|n| n.request.t);
    let state_text = t.map_or_else(String::new, |t| format!("x_t at t = {t:.3}"));
    let count = state.images.view.drawn.as_ref().map_or(0, |d| d.len());
    let mean_text = match count {
        0 => String::new(),
        n => format!("mean of {} draws", format::count(n as u64)),
    };
    let most = state.images.view.most_deviation();
    let deviation_text = most.map_or_else(String::new, |most| {
        format!("at most {}", format::fixed(most.into(), 2))
    });
    for (index, (which, name, text, hover)) in [
        (
            Plate::State,
            "Noisy state",
            state_text,
            "x_t = (1 - t) noise + t picture: all that the draws see of the picture.",
        ),
        (
            Plate::Mean,
            "Denoised mean",
            mean_text,
            "The mean of the draws on the wall: an estimate of E[x_1 | x_t].",
        ),
        (
            Plate::Deviation,
            "Standard deviation",
            deviation_text,
            "Of the draws, pixel by pixel: where the picture is still open. The brightest pixel has the largest, in units of the way from black to white.",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        if index > 0 {
            ui.add_space(gap - ui.spacing().item_spacing.y);
        }
        if index == 0 && state.images.brush.is_some() {
            paint::show(ui, state, square, CAPTION);
            continue;
        }
        one(ui, state, which, (name, &text, hover), square);
    }
}

fn one(
    ui: &mut Ui,
    state: &mut State,
    which: Plate,
    (name, text, hover): (&str, &str, &str),
    square: f32,
) {
    let palette = tokens::palette(ui);
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), square + CAPTION), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("{name}, {text}")));
    let caption = Rect::from_min_size(rect.min, vec2(rect.width(), CAPTION));
    let painter = ui.painter();
    painter.text(
        caption.left_top(),
        Align2::LEFT_TOP,
        name,
        tokens::strong_font(),
        palette.text_strong,
    );
    painter.text(
        caption.left_top() + vec2(0.0, 18.0),
        Align2::LEFT_TOP,
        text,
        tokens::small_font(),
        palette.text_quiet,
    );
    let picture = Rect::from_min_size(caption.left_bottom(), vec2(square, square));
    let picture = picture.translate(vec2((rect.width() - square) / 2.0, 0.0));
    paint(ui, state, which, picture);
    response.on_hover_text(hover);
}

/// One picture in `rect`, outlined.
pub fn paint(ui: &Ui, state: &mut State, which: Plate, rect: Rect) {
    let palette = tokens::palette(ui);
    let rect = snapped(rect, ui.pixels_per_point());
    let smooth = state.session.images.smooth;
    let painter = ui.painter();
    painter.rect_filled(rect, CornerRadius::ZERO, palette.canvas);
    if let Some(texture) = state.images.view.plate(ui.ctx(), which, smooth) {
        painter.image(texture.id(), rect, whole(), tokens::coverage(1.0));
    }
    painter.rect_stroke(
        rect,
        CornerRadius::ZERO,
        Stroke::new(1.0, palette.canvas_outline),
        StrokeKind::Outside,
    );
}

/// On whole physical pixels.
pub fn snapped(rect: Rect, pixels_per_point: f32) -> Rect {
    let snap = |v: f32| (v * pixels_per_point).round() / pixels_per_point;
    let min = eframe::egui::pos2(snap(rect.min.x), snap(rect.min.y));
    Rect::from_min_size(min, vec2(snap(rect.width()), snap(rect.height())))
}

/// Points of a picture's small copy beside text.
pub const THUMBNAIL: f32 = size::CONTROL * 2.0;
