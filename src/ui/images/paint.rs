//! A brush and an eraser on the clean picture. What is painted is noised at once.

use eframe::egui::{
    Align2, CursorIcon, Pos2, Rect, Response, RichText, Role, Sense, Stroke, Ui, WidgetInfo, vec2,
};

use crate::session::{Picture, StoredPicture};
use crate::ui::state::State;
use crate::ui::tokens::{self, size};

use super::atlas::whole;
use super::plates;

/// The brush, while it is in hand.
#[derive(Clone, Debug)]
pub struct Brush {
    /// Whether it paints black.
    pub erases: bool,
    /// Radius, in shares of the picture's side.
    pub radius: f32,
    /// The picture under a stroke, `[C][H][W]`, and where the stroke was last, in pixels.
    stroke: Option<(Vec<u8>, Pos2)>,
}

impl Default for Brush {
    fn default() -> Self {
        Self {
            erases: false,
            radius: 0.045,
            stroke: None,
        }
    }
}

/// Least and most radius.
pub const RADII: [f32; 2] = [0.02, 0.2];

impl Brush {
    /// A brush of this radius, in shares of the picture's side.
    pub(super) fn of_radius(radius: f32) -> Self {
        Self {
            radius,
            ..Self::default()
        }
    }

    /// Follows the pointer over `rect`: what is painted on with what was painted now, `[C][side][side]`; `None` while
    /// nothing is. `begin` gives what a new stroke is painted on.
    pub(super) fn follow(
        &mut self,
        response: &Response,
        rect: Rect,
        side: usize,
        begin: impl FnOnce() -> Vec<u8>,
    ) -> Option<Vec<u8>> {
        // A quick click may begin and end between two frames.
        let pressed = response.is_pointer_button_down_on() || response.clicked();
        let stroke = self.stroke.take();
        let pointer = response.interact_pointer_pos().filter(|_| pressed)?;
        let scale = side as f32 / rect.width().max(1.0);
        let to = ((pointer - rect.min) * scale).to_pos2();
        let (mut pixels, from) = stroke.unwrap_or_else(|| (begin(), to));
        if pixels.is_empty() || side == 0 || !pixels.len().is_multiple_of(side * side) {
            return None;
        }
        let radius = self.radius * side as f32;
        stamp(&mut pixels, side, (from, to), radius, self.erases);
        self.stroke = Some((pixels.clone(), to));
        Some(pixels)
    }

    /// How large it is, where the pointer is.
    pub(super) fn outline(&self, ui: &Ui, response: &Response, rect: Rect) {
        if let Some(pointer) = response.hover_pos() {
            let stroke = Stroke::new(1.0, tokens::DARK.text_quiet);
            let painter = ui.painter().with_clip_rect(rect);
            painter.circle_stroke(pointer, self.radius * rect.width(), stroke);
        }
    }

    /// Brush, eraser by these names, and size.
    pub(super) fn tools(&mut self, ui: &mut Ui, names: [&str; 2], arrows_taken: &mut bool) {
        let quiet = tokens::palette(ui).text_quiet;
        ui.horizontal(|ui| {
            for (erases, name) in [false, true].into_iter().zip(names) {
                let text = RichText::new(name).size(size::SMALL);
                if ui.selectable_label(self.erases == erases, text).clicked() {
                    self.erases = erases;
                }
            }
            ui.add_space(6.0);
            ui.label(RichText::new("size").size(size::SMALL).color(quiet));
            let position = f64::from((self.radius - RADII[0]) / (RADII[1] - RADII[0]));
            let spoken = format!("{:.0} %", self.radius * 200.0);
            let (_, slid) =
                crate::ui::widgets::slider(ui, "Brush size", &spoken, position, arrows_taken);
            let position = match slid {
                Some(crate::ui::widgets::Slid::To(position)) => position,
                Some(crate::ui::widgets::Slid::Steps(by)) => position + f64::from(by) * 0.05,
                None => return,
            };
            self.radius = RADII[0] + (RADII[1] - RADII[0]) * position.clamp(0.0, 1.0) as f32;
        });
    }
}

/// Paints along a segment on `[C][side][side]` bytes: full within the radius, fading over a pixel beyond it.
fn stamp(pixels: &mut [u8], side: usize, (from, to): (Pos2, Pos2), radius: f32, erases: bool) {
    let along = to - from;
    let length = along.length_sq().max(1e-9);
    let area = side * side;
    if area == 0 {
        return;
    }
    for at in 0..area {
        let here = Pos2::new((at % side) as f32 + 0.5, (at / side) as f32 + 0.5);
        let share = ((here - from).dot(along) / length).clamp(0.0, 1.0);
        let far = here.distance(from + share * along);
        let cover = (radius + 0.5 - far).clamp(0.0, 1.0);
        if cover <= 0.0 {
            continue;
        }
        for channel in pixels.chunks_exact_mut(area) {
            let old = f32::from(channel[at]);
            channel[at] = if erases {
                (old * (1.0 - cover)) as u8
            } else {
                old.max(255.0 * cover) as u8
            };
        }
    }
}

/// The clean picture, to be painted on, with its name above it.
pub fn show(ui: &mut Ui, state: &mut State, square: f32, caption: f32) {
    let palette = tokens::palette(ui);
    let desired = vec2(ui.available_width(), square + caption);
    let (rect, _) = ui.allocate_exact_size(desired, Sense::hover());
    let painter = ui.painter();
    for (y, text, font, color) in [
        (
            0.0,
            "Clean picture",
            tokens::strong_font(),
            palette.text_strong,
        ),
        (
            18.0,
            "paint on it",
            tokens::small_font(),
            palette.text_quiet,
        ),
    ] {
        let at = rect.left_top() + vec2(0.0, y);
        painter.text(at, Align2::LEFT_TOP, text, font, color);
    }
    let min = rect.left_top() + vec2((rect.width() - square) / 2.0, caption);
    let rect = plates::snapped(
        Rect::from_min_size(min, vec2(square, square)),
        ui.pixels_per_point(),
    );
    let response = ui
        .interact(rect, ui.scope_id().with("paint"), Sense::click_and_drag())
        .on_hover_cursor(CursorIcon::Crosshair);
    response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, "Clean picture to paint on"));
    stroke(state, &response, rect);
    match &state.session.images.picture {
        Picture::Stored { picture, .. } => {
            let smooth = state.session.images.smooth;
            let texture = state.images.view.painted(ui.ctx(), picture, smooth);
            ui.painter()
                .image(texture, rect, whole(), tokens::coverage(1.0));
        }
        Picture::Generated { .. } | Picture::Running { .. } => {
            plates::paint(ui, state, super::view::Plate::Clean, rect);
        }
    }
    if let Some(brush) = &state.images.brush {
        brush.outline(ui, &response, rect);
    }
}

fn stroke(state: &mut State, response: &Response, rect: Rect) {
    let Some(mut brush) = state.images.brush.clone() else {
        return;
    };
    let [channels, side, _] = state.images.view.shape();
    let painted = brush.follow(response, rect, side, || {
        state.remember_world();
        state.clean_bytes()
    });
    state.images.brush = Some(brush);
    let Some(pixels) = painted else {
        return;
    };
    if let Some(picture) = StoredPicture::from_bytes(channels as u32, side as u32, &pixels) {
        let from = "your brush".to_owned();
        state.session.images.picture = Picture::Stored { picture, from };
    }
    state.dragging = true;
}

/// Brush, eraser and size, while painting.
pub fn tools(ui: &mut Ui, state: &mut State) {
    if let Some(mut brush) = state.images.brush.clone() {
        brush.tools(ui, ["brush", "eraser"], &mut state.arrows_taken);
        state.images.brush = Some(brush);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stroke_covers_its_width_and_the_eraser_takes_it_away() {
        let mut pixels = vec![0; 2 * 100];
        let segment = (Pos2::new(2.0, 5.0), Pos2::new(8.0, 5.0));
        stamp(&mut pixels, 10, segment, 1.5, false);
        assert_eq!((pixels[4 * 10 + 5], pixels[100 + 5 * 10 + 5]), (255, 255));
        assert_eq!((pixels[5], pixels[95]), (0, 0));
        stamp(&mut pixels, 10, segment, 3.0, true);
        assert!(pixels.iter().all(|v| *v == 0));
        stamp(&mut [], 0, segment, 1.0, false);
    }
}
