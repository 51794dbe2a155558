//! Pictures of a network as it learns, beside those that it began from or is taught by.

use std::sync::Arc;

use eframe::egui::{
    Align, CornerRadius, Label, Layout, Rect, RichText, Role, Sense, Stroke, StrokeKind,
    TextureHandle, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use crate::engine::{PictureGrid, PictureReport};
use crate::ui::format;
use crate::ui::images::atlas;
use crate::ui::state::State;
use crate::ui::tokens::{self, size};
use crate::ui::widgets::{Badge, badge};

use super::halves;
use super::plane::HEADER;

/// Pictures of a row.
const COLUMNS: usize = 6;
/// Between pictures.
const GAP: f32 = 3.0;
/// Enlarged so many times a picture is worth what whole pixels leave empty.
const LARGE: f32 = 3.0;

/// What is kept between frames.
#[derive(Default)]
pub struct PictureView {
    grids: [Option<(Arc<Vec<f32>>, TextureHandle)>; 2],
}

/// Both grids.
pub(super) fn show(ui: &mut Ui, state: &mut State) {
    let room = ui.available_rect_before_wrap();
    let [learned, beside] = halves(room);
    if learned.width() < 80.0 || learned.height() < HEADER + 60.0 {
        return;
    }
    let report = state.picture_run().cloned();
    for (side, rect) in [(0, learned), (1, beside)] {
        let builder = UiBuilder::new().max_rect(rect).id_salt(("pictures", side));
        let mut ui = ui.new_child(builder);
        half(&mut ui, state, report.as_deref(), side, rect);
    }
    ui.advance_cursor_after_rect(room);
}

fn half(ui: &mut Ui, state: &mut State, report: Option<&PictureReport>, side: usize, rect: Rect) {
    let palette = tokens::palette(ui);
    let (above, below) = rect.split_top_bottom_at_y(rect.top() + HEADER);
    let tunes = !state.seeks_folder();
    let grid = report.and_then(|r| {
        if side == 0 {
            r.samples.as_ref()
        } else {
            r.beside.as_ref()
        }
    });
    let (text, color, hover) = match (side, tunes, grid) {
        (0, true, Some(grid)) => (
            format!("tuned · step {}", format::count(grid.step)),
            palette.learned,
            "By the tuned velocity, 12 steps from noise to a picture. The same noise at every look.",
        ),
        (0, true, None) => (
            "tuned".to_owned(),
            palette.text_quiet,
            "Nothing is tuned yet.",
        ),
        (0, false, Some(grid)) => (
            format!("learned · step {}", format::count(grid.step)),
            palette.learned,
            "In four jumps from noise, each column after the classes in turn. The same noise at every look.",
        ),
        (0, false, None) => (
            "learned".to_owned(),
            palette.text_quiet,
            "Nothing is learned yet.",
        ),
        (_, true, _) => (
            "before".to_owned(),
            palette.overlay,
            "By the map's own velocity from the same noise: place by place what the tuned one changes.",
        ),
        (_, false, _) => (
            "real".to_owned(),
            palette.exact,
            "Pictures of the folder, of the same classes in turn.",
        ),
    };
    let builder = UiBuilder::new()
        .max_rect(above.with_max_y(above.bottom() - 4.0))
        .id_salt("header")
        .layout(Layout::left_to_right(Align::Center));
    ui.scope_builder(builder, |ui| {
        let hover = hover.to_owned();
        badge(ui, &Badge { text, color, hover });
        let figures = grid.map_or_else(String::new, |grid| figures(grid, tunes));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let text = RichText::new(figures)
                .size(size::SMALL)
                .color(palette.text_quiet);
            ui.add(Label::new(text).truncate());
        });
    });
    let area = below.shrink(1.0);
    ui.painter()
        .rect_filled(area, CornerRadius::ZERO, palette.canvas);
    let outline = Stroke::new(1.0, palette.canvas_outline);
    ui.painter()
        .rect_stroke(area, CornerRadius::ZERO, outline, StrokeKind::Outside);
    match (grid, report) {
        (Some(grid), Some(report)) => {
            let view = &mut state.training.pictures.view.grids[side];
            tiles(ui, view, &grid.pictures, report.shape, area);
        }
        _ => nothing_yet(ui, state, area, side),
    }
}

fn figures(grid: &PictureGrid, tunes: bool) -> String {
    let mut parts = Vec::new();
    if tunes {
        parts.push(format!("reward {}", format::fixed(grid.figures.reward, 2)));
    }
    if let Some(entropy) = grid.figures.entropy {
        parts.push(format!("classes {} bits", format::fixed(entropy, 2)));
    }
    if let Some(accepted) = grid.figures.accepted {
        parts.push(format!("{:.0} % sure", 100.0 * accepted));
    }
    parts.join(" · ")
}

/// All pictures of a grid, as one texture.
fn tiles(
    ui: &mut Ui,
    view: &mut Option<(Arc<Vec<f32>>, TextureHandle)>,
    pictures: &Arc<Vec<f32>>,
    shape: [usize; 3],
    area: Rect,
) {
    let [_, side, _] = shape;
    let count = pictures.len() / shape.iter().product::<usize>();
    let rows = count.div_ceil(COLUMNS);
    if rows == 0 {
        return;
    }
    let fresh = |kept: &(Arc<Vec<f32>>, TextureHandle)| Arc::ptr_eq(&kept.0, pictures);
    if !view.as_ref().is_some_and(fresh) {
        let (bytes, whole) = mosaic(pictures, shape);
        let texture = atlas::plate(ui.ctx(), &bytes, whole, false);
        *view = Some((pictures.clone(), texture));
    }
    let Some((_, texture)) = view else { return };
    let response = ui.interact(area, ui.scope_id().with("grid"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("{count} pictures")));
    let pixel = 1.0 / ui.pixels_per_point();
    let most = (area.width() / COLUMNS as f32).min(area.height() / rows as f32) - GAP;
    // Whole physical pixels a pixel, where that does not leave much of the room empty.
    let factor = (most / (side as f32 * pixel)).floor();
    let cell = if factor >= LARGE {
        factor * side as f32 * pixel
    } else {
        most.max(1.0)
    };
    let step = cell + GAP;
    let grid = vec2(COLUMNS as f32 * step - GAP, rows as f32 * step - GAP);
    let origin = Rect::from_center_size(area.center(), grid).min;
    let origin = pos2(
        (origin.x / pixel).round() * pixel,
        (origin.y / pixel).round() * pixel,
    );
    let gap = (GAP / pixel).round() * pixel - GAP;
    for i in 0..count {
        let (column, row) = ((i % COLUMNS) as f32, (i / COLUMNS) as f32);
        let at = origin + vec2(column * (step + gap), row * (step + gap));
        let uv = |column: f32, row: f32| pos2(column / COLUMNS as f32, row / rows as f32);
        let uv = Rect::from_min_max(uv(column, row), uv(column + 1.0, row + 1.0));
        let place = Rect::from_min_size(at, vec2(cell, cell));
        ui.painter()
            .image(texture.id(), place, uv, tokens::coverage(1.0));
    }
}

/// The pictures side by side as bytes, `[C][H][W]`, and that shape.
fn mosaic(pictures: &[f32], [channels, side, _]: [usize; 3]) -> (Vec<u8>, [usize; 3]) {
    let count = pictures.len() / (channels * side * side);
    let (width, height) = (COLUMNS * side, count.div_ceil(COLUMNS) * side);
    let mut bytes = vec![0; channels * width * height];
    for (i, picture) in pictures.chunks_exact(channels * side * side).enumerate() {
        let (left, top) = (i % COLUMNS * side, i / COLUMNS * side);
        for (at, v) in picture.iter().enumerate() {
            let (channel, row, column) = (at / (side * side), at / side % side, at % side);
            bytes[(channel * height + top + row) * width + left + column] =
                ((v.clamp(-1.0, 1.0) + 1.0) * 127.5).round() as u8;
        }
    }
    (bytes, [channels, height, width])
}

/// One sentence where nothing was learned yet.
fn nothing_yet(ui: &mut Ui, state: &State, area: Rect, side: usize) {
    let palette = tokens::palette(ui);
    let text = match (side, state.is_shown_learning(), state.seeks_folder()) {
        (_, true, _) => "The first look is on its way.",
        (0, false, true) => {
            "Choose a folder of pictures and press Start: a network learns to draw what a half-formed picture could become."
        }
        (0, false, false) => {
            "Choose a reward and press Start: the map's velocity learns to follow it."
        }
        (_, false, true) => "Pictures of the folder are shown here.",
        (_, false, false) => "What the map makes without the reward is shown here.",
    };
    let width = (area.width() - 60.0).clamp(60.0, 290.0);
    let room = Rect::from_center_size(area.center(), vec2(width, 80.0));
    let builder = UiBuilder::new()
        .max_rect(room)
        .layout(Layout::top_down(Align::Center));
    ui.scope_builder(builder, |ui| {
        ui.add(Label::new(RichText::new(text).color(palette.text)).wrap());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mosaic_has_every_pixel_of_every_picture_in_its_place() {
        // Seven pictures of two channels and 2 x 2 pixels: two rows, the second nearly empty.
        let pictures: Vec<f32> = (0..7 * 8).map(|k| k as f32 / 28.0 - 1.0).collect();
        let (bytes, shape) = mosaic(&pictures, [2, 2, 2]);
        assert_eq!(shape, [2, 4, 12]);
        let byte = |k: usize| (k as f32 / 28.0 * 127.5).round() as u8;
        // Picture 1, channel 1, bottom left.
        assert_eq!(bytes[(4 + 1) * 12 + 2], byte(8 + 4 + 2));
        // Picture 6 begins the second row.
        assert_eq!(bytes[2 * 12], byte(48));
        assert_eq!(bytes[2 * 12 + 2], 0);
    }
}
