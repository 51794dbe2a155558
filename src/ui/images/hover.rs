//! A tile enlarged beside the pointer, with what the classifier says; and the star that keeps it.

use eframe::egui::{
    Align2, Id, Pos2, Rect, RichText, Sense, Shape, Stroke, TextWrapMode, TextureId, Tooltip, Ui,
    WidgetText, pos2, vec2,
};

use crate::session::StoredPicture;

use crate::ui::format;
use crate::ui::shortcuts::{Action, keys_of};
use crate::ui::state::State;
use crate::ui::tokens::{self, size};
use crate::ui::widgets::value_row;

use super::atlas::whole;
use super::grid::Arranged;
use super::shares;

/// Points of the enlarged picture.
const LARGE: f32 = 196.0;
/// Points of each of the pictures that are compared, and between them.
const COMPARED: f32 = 150.0;
const COMPARED_GAP: f32 = 6.0;
/// Classes that are listed.
const LISTED: usize = 4;
/// The smallest tile that has a star.
pub const STAR_FROM: f32 = 34.0;
const STAR: f32 = 15.0;

/// Where a tile's star is.
pub fn star_rect(tile: Rect) -> Rect {
    let at = pos2(
        tile.right() - STAR / 2.0 - 3.0,
        tile.top() + STAR / 2.0 + 3.0,
    );
    Rect::from_center_size(at, vec2(STAR, STAR))
}

/// Whether the pointer is on a tile's star.
pub fn star_is_at(arranged: &Arranged, item: usize, pointer: Option<Pos2>) -> bool {
    let star = arranged.rect(item).map(star_rect);
    arranged.side >= STAR_FROM
        && star.is_some_and(|star| pointer.is_some_and(|p| star.expand(2.0).contains(p)))
}

/// A star, full where the picture is kept.
pub fn star(ui: &Ui, rect: Rect, full: bool) {
    let (middle, radius) = (rect.center(), rect.width() / 2.0);
    let point = |k: usize| {
        let angle = std::f32::consts::PI * (k as f32 / 5.0 - 0.5);
        let reach = if k.is_multiple_of(2) { 1.0 } else { 0.45 };
        middle + radius * reach * vec2(angle.cos(), angle.sin())
    };
    let painter = ui.painter();
    painter.circle_filled(middle, radius + 1.5, tokens::faded(tokens::DARK.halo, 0.7));
    let outline: Vec<Pos2> = (0..10).map(point).collect();
    if full {
        // A star is not convex: five kites from its middle are.
        for k in (0..10).step_by(2) {
            let kite = vec![middle, point(k + 9), point(k), point(k + 1)];
            painter.add(Shape::convex_polygon(kite, tokens::DARK.mean, Stroke::NONE));
        }
    } else {
        let stroke = Stroke::new(1.2, palette_on_pictures().text_strong);
        painter.add(Shape::closed_line(outline, stroke));
    }
}

/// What stands on a picture is as on dark, whatever the theme.
fn palette_on_pictures() -> &'static tokens::Palette {
    &tokens::DARK
}

/// Shows tile `item` enlarged beside `rect`.
pub fn show(ui: &Ui, state: &mut State, item: usize, rect: Rect, parent: Id) {
    let palette = tokens::palette(ui);
    let Some(tile) = state.images.view.tiles.get(item) else {
        return;
    };
    if tile.pixels.is_empty() {
        return;
    }
    let mut listed: Vec<(usize, f32)> = tile.probabilities.iter().copied().enumerate().collect();
    listed.sort_by(|a, b| b.1.total_cmp(&a.1));
    listed.truncate(LISTED);
    let (rewarded, second) = (tile.reward, tile.second);
    let drawn = state.images.view.drawn.as_ref();
    let scores = drawn.and_then(|drawn| drawn.scores());
    let second_name = scores.and_then(|scores| scores.second.as_ref());
    let second_name = second_name.map(|second| second.kind.name());
    let beside = compared(ui, state, item);
    let keep = keys_of(ui.ctx(), Action::Keep);
    let width = if beside.is_some() {
        3.0 * COMPARED + 2.0 * COMPARED_GAP
    } else {
        LARGE
    };
    Tooltip::always_open(
        ui.ctx().clone(),
        ui.layer_id(),
        parent.with("enlarged"),
        rect,
    )
    .gap(8.0)
    .width(width)
    .show(|ui| {
        ui.set_width(width);
        if let Some(beside) = &beside {
            side_by_side(ui, state, item, beside);
        } else if rect.width() < LARGE {
            let (large, _) = ui.allocate_exact_size(vec2(LARGE, LARGE), Sense::hover());
            enlarged(ui, state, item, large);
        }
        ui.label(
            RichText::new(format!("Noise {item}"))
                .font(tokens::strong_font())
                .color(palette.text_strong),
        );
        if let Some(reward) = rewarded {
            value_row(ui, "reward", format::fixed(reward.into(), 2));
        }
        if let (Some(second), Some(name)) = (second, second_name) {
            value_row(ui, name, format::fixed(second.into(), 2));
        }
        for (class, probability) in listed {
            let name = shares::word(&state.images.class_name(class));
            bar(ui, &name, probability);
        }
        let hint = format!("double click goes on from it · {keep} keeps it · Alt-click compares");
        ui.label(
            RichText::new(hint)
                .size(size::TICK)
                .color(palette.text_faint),
        );
    });
}

/// The picture that others are compared with, and how far this one is from it.
struct Compared {
    other: TextureId,
    difference: TextureId,
    /// Root mean square, black to white is 1.
    distance: f64,
}

fn compared(ui: &Ui, state: &mut State, item: usize) -> Option<Compared> {
    let other = state.session.images.compare.clone()?;
    let smooth = state.session.images.smooth;
    let view = &mut state.images.view;
    let (a, b) = (&view.tiles.get(item)?.pixels, other.bytes());
    if a.len() != b.len() || !other.fits(view.shape()) {
        return None;
    }
    let differ: Vec<u8> = a.iter().zip(&b).map(|(a, b)| a.abs_diff(*b)).collect();
    let squares: f64 = differ.iter().map(|d| (f64::from(*d) / 255.0).powi(2)).sum();
    let distance = (squares / differ.len().max(1) as f64).sqrt();
    let differ = StoredPicture::from_bytes(other.channels, other.side, &differ)?;
    Some(Compared {
        difference: view.kept(ui.ctx(), &differ, smooth),
        other: view.kept(ui.ctx(), &other, smooth),
        distance,
    })
}

/// A tile, as large as `rect`.
fn enlarged(ui: &Ui, state: &State, item: usize, rect: Rect) {
    let smooth = state.session.images.smooth;
    let one = std::iter::once((item, rect, 1.0));
    let view = &state.images.view;
    view.paint(ui.painter(), "wall enlarged", one, (rect, smooth));
}

/// This picture, the one it is compared with, and the difference.
fn side_by_side(ui: &mut Ui, state: &State, item: usize, beside: &Compared) {
    let palette = tokens::palette(ui);
    let distance = format!("differs by {}", format::fixed(beside.distance, 3));
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = COMPARED_GAP;
        for (texture, name) in [
            (None, "this one"),
            (Some(beside.other), "compared with"),
            (Some(beside.difference), distance.as_str()),
        ] {
            ui.vertical(|ui| {
                let side = vec2(COMPARED, COMPARED);
                let (rect, _) = ui.allocate_exact_size(side, Sense::hover());
                match texture {
                    Some(texture) => {
                        let tint = tokens::coverage(1.0);
                        ui.painter().image(texture, rect, whole(), tint);
                    }
                    None => enlarged(ui, state, item, rect),
                }
                let name = RichText::new(name).size(size::SMALL);
                ui.label(name.color(palette.text_quiet));
            });
        }
    });
}

/// A probability as a bar with its name and value.
pub fn bar(ui: &mut Ui, name: &str, share: f32) {
    let palette = tokens::palette(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 15.0), Sense::hover());
    // Bars of a list stand under one another, so what a name has does not depend on it.
    let left = rect.left() + (0.36 * rect.width()).clamp(62.0, 120.0);
    let right = rect.right() - 52.0;
    let y = rect.center().y;
    let galley = WidgetText::from(name).into_galley(
        ui,
        Some(TextWrapMode::Truncate),
        left - rect.left() - 6.0,
        tokens::small_font(),
    );
    let painter = ui.painter();
    let at = pos2(rect.left(), y - 0.5 * galley.size().y);
    painter.galley(at, galley, palette.text);
    let rail = |to: f32| Rect::from_min_max(pos2(left, y - 3.0), pos2(to, y + 3.0));
    painter.rect_filled(rail(right), 2.0, palette.control);
    if share > 0.0 {
        let to = left + (right - left) * share.clamp(0.0, 1.0);
        painter.rect_filled(rail(to.max(left + 1.0)), 2.0, palette.learned);
    }
    painter.text(
        rect.right_center(),
        Align2::RIGHT_CENTER,
        format::percent(share.into()),
        tokens::small_font(),
        palette.text_quiet,
    );
}
