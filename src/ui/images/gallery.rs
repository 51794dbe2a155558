//! The gallery: everything that was made and kept, with the settings of each.

use eframe::egui::{
    Align2, CornerRadius, CursorIcon, EventFilter, Id, Key, Label, Rect, Response, RichText, Role,
    ScrollArea, Sense, Shape, Stroke, StrokeKind, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use crate::session::{GalleryOrder, KeptPicture, Made};
use crate::ui::format;
use crate::ui::state::{Place, State};
use crate::ui::tokens::{self, size, space};
use crate::ui::widgets::notice;

use super::atlas::whole;
use super::shares::word;
use super::{batch, details, hover};

/// Least and largest side of a picture, and the line below it.
const SIDE: f32 = 92.0;
const MOST: f32 = 224.0;
const LINE: f32 = 19.0;
const GAP: f32 = 8.0;
/// Around all pictures: the outlines of the outermost lie there.
const EDGE: f32 = 3.0;
/// The settings at the right.
const DETAILS: f32 = 252.0;

/// The grid's id, for the focus.
pub fn id() -> Id {
    Id::unique("gallery")
}

/// Shows the gallery.
pub fn show(ui: &mut Ui, state: &mut State) {
    let entries = state.session.images.gallery();
    tools(ui, state, entries.len());
    notice(ui, &mut state.notices, Place::Images);
    let area = ui.available_rect_before_wrap();
    let (left, right) = area.split_left_right_at_x(area.right() - DETAILS);
    let mut column = ui.new_child(UiBuilder::new().max_rect(left.with_max_x(left.right() - GAP)));
    grid(&mut column, state, &entries);
    let right = right.with_min_x(right.left() + 8.0);
    ui.painter().vline(
        right.left() - 8.0,
        right.y_range(),
        Stroke::new(1.0, tokens::palette(ui).outline),
    );
    let below = batch::height(state, right.height());
    let (right, queue) = right.split_top_bottom_at_y(right.bottom() - below);
    let mut column = ui.new_child(UiBuilder::new().max_rect(right).id_salt("details"));
    details::show(&mut column, state);
    if below > 0.0 {
        let stroke = Stroke::new(1.0, tokens::palette(ui).outline);
        ui.painter()
            .hline(queue.x_range(), queue.top() + 2.0, stroke);
        let queue = queue.with_min_y(queue.top() + 10.0);
        let mut column = ui.new_child(UiBuilder::new().max_rect(queue).id_salt("queue"));
        batch::show(&mut column, state);
    }
    ui.advance_cursor_after_rect(area);
}

fn tools(ui: &mut Ui, state: &mut State, count: usize) {
    let palette = tokens::palette(ui);
    ui.horizontal(|ui| {
        ui.set_min_height(size::CONTROL);
        ui.spacing_mut().item_spacing.x = 3.0;
        let images = &mut state.session.images;
        for (order, name, hover) in [
            (GalleryOrder::Newest, "newest", "The newest first"),
            (
                GalleryOrder::Label,
                "by label",
                "Together where the classifier saw the same",
            ),
            (
                GalleryOrder::Time,
                "by t",
                "By the time of the state; finished pictures last",
            ),
            (GalleryOrder::Seed, "by seed", "By the seed of the noise"),
            (GalleryOrder::Reward, "by reward", "The most reward first"),
        ] {
            let unrewarded = images.kept.iter().all(|kept| kept.reward.is_none());
            if order == GalleryOrder::Reward && unrewarded {
                continue;
            }
            let chosen = images.gallery_order == order;
            let text = RichText::new(name).size(size::SMALL);
            if ui
                .selectable_label(chosen, text)
                .on_hover_text(hover)
                .clicked()
            {
                images.gallery_order = order;
            }
        }
        ui.add_space(8.0);
        ui.toggle_value(
            &mut images.stars_only,
            RichText::new("stars only").size(size::SMALL),
        );
        ui.add_space(8.0);
        let text = match count {
            1 => "1 picture".to_owned(),
            n => format!("{} pictures", format::count(n as u64)),
        };
        ui.label(
            RichText::new(text)
                .size(size::SMALL)
                .color(palette.text_quiet),
        );
    });
}

fn empty(ui: &mut Ui, stars_only: bool) {
    let quiet = tokens::palette(ui).text_quiet;
    ui.add_space(space::SECTION);
    let text = if stars_only {
        "No picture has a star. Press S on the wall, in the Studio or here."
    } else {
        "Nothing was kept yet. Pictures come here when you star them on the wall or in the Studio, go on from them, or export them, and from the queue."
    };
    ui.add(Label::new(RichText::new(text).color(quiet)).wrap());
}

fn grid(ui: &mut Ui, state: &mut State, entries: &[usize]) {
    if entries.is_empty() {
        empty(ui, state.session.images.stars_only);
        return;
    }
    let height = ui.available_height() - 2.0 * EDGE;
    ScrollArea::vertical()
        .auto_shrink([false, false])
        .show(ui, |ui| {
            let width = ui.available_width() - space::SCROLL - 2.0 * EDGE;
            let (columns, side) = arranged((width, height), entries.len());
            let rows = entries.len().div_ceil(columns);
            let high = side + LINE + GAP;
            let needed = vec2(width, rows as f32 * high) + vec2(2.0 * EDGE, 2.0 * EDGE);
            let (whole, _) = ui.allocate_exact_size(needed, Sense::hover());
            let response = ui.interact(whole, id(), Sense::click());
            let rect = whole.shrink(EDGE);
            let cells: Vec<(usize, Rect)> = entries
                .iter()
                .enumerate()
                .map(|(place, index)| {
                    let column = (place % columns) as f32 * (side + GAP);
                    let row = (place / columns) as f32 * high;
                    let min = rect.min + vec2(column, row);
                    (*index, Rect::from_min_size(min, vec2(side, side)))
                })
                .collect();
            said(state, &response, entries.len());
            keyboard(ui, state, &response, (&cells, columns));
            pointer(state, &response, &cells);
            paint(ui, state, &response, &cells);
        });
}

/// Pictures of a row, and their side: as large as all of them have room, and small where they have to be scrolled.
fn arranged((width, height): (f32, f32), count: usize) -> (usize, f32) {
    let side = |columns: usize| ((width + GAP) / columns as f32 - GAP).min(MOST).floor();
    let most = (((width + GAP) / (SIDE + GAP)) as usize).max(1);
    let fits = |columns: &usize| {
        let rows = count.div_ceil(*columns) as f32;
        rows * (side(*columns) + LINE + GAP) <= height
    };
    let columns = (1..=most).find(fits).unwrap_or(most);
    (columns, side(columns))
}

fn said(state: &State, response: &Response, count: usize) {
    let selected = state.gallery_entry().map(|(_, kept)| describe(kept));
    response.widget_info(|| {
        let mut info =
            WidgetInfo::labeled(Role::ListBox, true, format!("Gallery of {count} pictures"));
        info.current_text_value.clone_from(&selected);
        info
    });
}

/// An entry in words: `nine, noise 17 of seed 1, t = 0.300, starred`.
fn describe(kept: &KeptPicture) -> String {
    let label = kept
        .label
        .as_deref()
        .map_or_else(|| "not judged".into(), word);
    let star = if kept.starred { ", starred" } else { "" };
    if let Some(Made::Steered(recipe)) = &kept.made {
        let title = recipe.settings.plan.method.card().title;
        let batch = if kept.by_batch { ", by the queue" } else { "" };
        let seed = kept.seed;
        return format!(
            "{label}, {title}, seed {seed}, picture {}{batch}{star}",
            kept.item
        );
    }
    format!(
        "{label}, noise {} of seed {}, t = {:.3}{star}",
        kept.item, kept.seed, kept.t
    )
}

fn pointer(state: &mut State, response: &Response, cells: &[(usize, Rect)]) {
    let Some(pointer) = response
        .interact_pointer_pos()
        .filter(|_| response.clicked())
    else {
        return;
    };
    response.request_focus();
    state.takes_keys();
    let at = cells
        .iter()
        .find(|(_, rect)| rect.contains(pointer))
        .copied();
    state.images.gallery_selected = at.map(|(index, _)| index);
    let Some((index, rect)) = at else {
        return;
    };
    let on_star = hover::star_rect(rect).expand(3.0).contains(pointer);
    if on_star {
        state.star_kept(index);
    } else if response.double_clicked() {
        state.branch_from_kept(index);
    }
}

/// Arrow keys move the selection while the gallery has the focus, Enter goes on from it.
fn keyboard(
    ui: &Ui,
    state: &mut State,
    response: &Response,
    (cells, columns): (&[(usize, Rect)], usize),
) {
    if !response.has_focus() {
        return;
    }
    state.takes_keys();
    let filter = EventFilter {
        horizontal_arrows: true,
        vertical_arrows: true,
        ..EventFilter::default()
    };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    let (across, down, enter) = ui.input(|i| {
        let presses = |key| i.num_presses(key) as isize;
        (
            presses(Key::ArrowRight) - presses(Key::ArrowLeft),
            presses(Key::ArrowDown) - presses(Key::ArrowUp),
            i.key_pressed(Key::Enter),
        )
    });
    let selected = state.images.gallery_selected;
    let place = selected.and_then(|index| cells.iter().position(|(other, _)| *other == index));
    let by = across + down * columns as isize;
    if by != 0 {
        let next = place.map_or(0, |place| {
            let next = place.saturating_add_signed(by);
            // A row that is not there is not entered.
            if next < cells.len() || down == 0 {
                next.min(cells.len() - 1)
            } else {
                place
            }
        });
        state.images.gallery_selected = Some(cells[next].0);
        ui.scroll_to_rect(cells[next].1.expand(GAP), None);
    }
    if let (Some((index, _)), true) = (state.gallery_entry(), enter) {
        state.branch_from_kept(index);
    }
}

/// What stands at the right below a picture: of a finished one its reward, of others their time.
fn figure(kept: &KeptPicture) -> String {
    match (&kept.made, kept.reward) {
        (Some(Made::Steered(_)), Some(reward)) => format::fixed(reward.into(), 1),
        (Some(Made::Steered(_)), None) if kept.t >= 1.0 => String::new(),
        _ => format!("t {}", format::fixed(kept.t, 2)),
    }
}

fn paint(ui: &Ui, state: &mut State, response: &Response, cells: &[(usize, Rect)]) {
    let palette = tokens::palette(ui);
    let smooth = state.session.images.smooth;
    let pointed = response.hover_pos();
    for (index, rect) in cells {
        if !ui.is_rect_visible(rect.expand2(vec2(0.0, LINE))) {
            continue;
        }
        let Some(kept) = state.session.images.kept.get(*index) else {
            continue;
        };
        let texture = state.images.view.kept(ui.ctx(), &kept.picture, smooth);
        let painter = ui.painter();
        painter.image(texture, *rect, whole(), tokens::coverage(1.0));
        let hovered = pointed.is_some_and(|p| rect.contains(p));
        let selected = state.images.gallery_selected == Some(*index);
        if selected || hovered {
            let (width, color) = if selected {
                (2.5, palette.learned)
            } else {
                (1.0, palette.text_quiet)
            };
            let stroke = Stroke::new(width, color);
            painter.rect_stroke(*rect, CornerRadius::ZERO, stroke, StrokeKind::Outside);
        }
        if kept.starred || hovered {
            hover::star(ui, hover::star_rect(*rect), kept.starred);
        }
        let label = kept.label.as_deref().map(word).unwrap_or_default();
        let line = pos2(rect.left(), rect.bottom() + 4.0);
        painter.text(
            line,
            Align2::LEFT_TOP,
            label,
            tokens::small_font(),
            palette.text,
        );
        let right = pos2(rect.right(), line.y);
        painter.text(
            right,
            Align2::RIGHT_TOP,
            figure(kept),
            tokens::small_font(),
            palette.text_faint,
        );
        if kept.by_batch {
            // A corner, as of a sheet among others.
            let corner = rect.right_bottom();
            let mark = [corner, corner - vec2(11.0, 0.0), corner - vec2(0.0, 11.0)];
            let shape = Shape::convex_polygon(mark.to_vec(), palette.learned, Stroke::NONE);
            painter.add(shape);
        }
        if hovered {
            ui.ctx().set_cursor_icon(CursorIcon::PointingHand);
            response.clone().on_hover_text_at_pointer(describe(kept));
        }
    }
    if response.has_focus() {
        // Of what is in sight: the frame of all pictures is longer than the panel.
        let around = response.rect.intersect(ui.clip_rect());
        let stroke = Stroke::new(1.0, tokens::faded(palette.focus, 0.6));
        let radius = CornerRadius::same(size::RADIUS);
        ui.painter()
            .rect_stroke(around, radius, stroke, StrokeKind::Inside);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_as_large_as_all_of_them_have_room() {
        let (columns, side) = arranged((500.0, 550.0), 5);
        assert_eq!((columns, side), (3, 161.0));
        assert_eq!(
            arranged((500.0, 550.0), 400).0,
            5,
            "small where they scroll"
        );
        assert!(arranged((500.0, 550.0), 400).1 >= SIDE);
        assert_eq!(arranged((1500.0, 1200.0), 1).1, MOST);
        assert_eq!(arranged((40.0, 40.0), 3).0, 1);
    }
}
