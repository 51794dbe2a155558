//! The wall: all draws as a grid.

use eframe::egui::{
    Align, CornerRadius, CursorIcon, EventFilter, Id, Key, Layout, Popup, Rect, Response, RichText,
    Role, Sense, Stroke, StrokeKind, Ui, UiBuilder, WidgetInfo, vec2,
};

use crate::session::{Likeness, WallOrder};
use crate::ui::format;
use crate::ui::state::{Place, State};
use crate::ui::tokens::{self, Palette, size};
use crate::ui::widgets::{notice, spinner};

use super::grid::{self, Arranged};
use super::{hover, kept, shares, zoom};

/// Tiles that are not of this state yet are paler.
const PALE: f32 = 0.45;

/// The wall's id, for the focus.
pub fn id() -> Id {
    Id::unique("wall")
}

/// Shows what is said of the wall, the wall and what was kept.
pub fn show(ui: &mut Ui, state: &mut State) {
    header(ui, state);
    notice(ui, &mut state.notices, Place::Images);
    ui.add_space(2.0);
    let area = ui.available_rect_before_wrap();
    let strip = kept::height(state);
    let (above, below) = area.split_top_bottom_at_y(area.bottom() - strip);
    tiles(ui, state, above);
    if strip > 0.0 {
        kept::show(ui, state, below);
    }
    ui.advance_cursor_after_rect(area);
}

/// What the draws are of, and how the wall is arranged.
fn header(ui: &mut Ui, state: &mut State) {
    ui.horizontal(|ui| {
        ui.set_min_height(22.0);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 3.0;
            orders(ui, state);
            zoom::link(ui, state);
            ui.add_space(6.0);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                shares::sentence(ui, state);
            });
        });
    });
}

fn orders(ui: &mut Ui, state: &mut State) {
    likeness(ui, state);
    let judged = state.images.view.drawn.as_ref();
    let judged = judged.is_some_and(|drawn| drawn.figures.judged.is_some());
    let rewarded = !state.session.images.rewarding.reward.is_empty();
    for (order, name, hover) in [
        (
            WallOrder::Groups,
            "groups",
            "Together where pictures are alike: k-means, 2 to 8 groups",
        ),
        (WallOrder::Reward, "by reward", "The most reward first"),
        (
            WallOrder::Confidence,
            "by confidence",
            "Where the classifier is surest first",
        ),
        (
            WallOrder::Label,
            "by label",
            "Together where the classifier sees the same",
        ),
        (
            WallOrder::Slots,
            "fixed slots",
            "Each draw stays in its place",
        ),
    ] {
        let (possible, missing) = match order {
            WallOrder::Slots | WallOrder::Groups => (true, ""),
            WallOrder::Reward => (rewarded, "Nothing is rewarded yet."),
            _ => (judged, "There is no classifier for these pictures."),
        };
        let chosen = state.session.images.order == order;
        let button =
            eframe::egui::Button::selectable(chosen, RichText::new(name).size(size::SMALL));
        let response = ui
            .add_enabled(possible, button)
            .on_hover_text(hover)
            .on_disabled_hover_text(missing);
        if response.clicked() {
            state.session.images.order = order;
        }
    }
}

/// By what the pictures of a group are alike, where that can be chosen.
fn likeness(ui: &mut Ui, state: &mut State) {
    let judged = state.images.view.drawn.as_ref();
    let judged = judged.is_some_and(|drawn| drawn.figures.judged.is_some());
    if state.session.images.order != WallOrder::Groups || !judged {
        return;
    }
    let mut pixels = state.session.images.likeness == Likeness::Pixels;
    let text = RichText::new("pixels").size(size::SMALL);
    let hover = "On: alike in their pixels. Off: alike in what the classifier sees";
    if ui
        .toggle_value(&mut pixels, text)
        .on_hover_text(hover)
        .changed()
    {
        state.session.images.likeness = if pixels {
            Likeness::Pixels
        } else {
            Likeness::Features
        };
    }
}

fn tiles(ui: &mut Ui, state: &mut State, area: Rect) {
    let palette = tokens::palette(ui);
    let area = area.shrink2(vec2(0.0, 4.0));
    let response = ui.interact(area, id(), Sense::click_and_drag());
    zoom::navigate(ui, &mut state.images.view.zoom, &response, area);
    let tiles = &state.images.view.tiles;
    let groups = match (state.session.images.order, &state.images.groups.answer) {
        (WallOrder::Groups, Some(answer)) => grid::clustered(tiles.len(), &answer.clusters),
        (order, _) => grid::groups(tiles, order),
    };
    let mut arranged = grid::arrange(area, &groups, 1.0 / ui.pixels_per_point());
    let whole = arranged.clone();
    state.images.view.zoom.apply(area, &mut arranged);
    let count = state.images.view.tiles.len();
    response.widget_info(|| {
        let mut info =
            WidgetInfo::labeled(Role::ListBox, true, format!("Wall of {count} pictures"));
        let selected = state.session.images.selected;
        info.current_text_value = selected.map(|item| describe(state, item));
        info
    });
    if keyboard(ui, state, &response, &arranged)
        && let Some(rect) = selected_rect(state, &whole)
    {
        state.images.view.zoom.show(area, rect);
    }
    let pointed = response.hover_pos().and_then(|point| arranged.at(point));
    let pointed = pointed.filter(|_| !response.dragged());
    if let (Some(item), true) = (pointed, response.clicked()) {
        response.request_focus();
        state.takes_keys();
        if hover::star_is_at(&arranged, item, response.interact_pointer_pos()) {
            state.keep_or_drop(item as u32);
        } else if ui.input(|i| i.modifiers.alt) {
            state.compare_with(item as u32);
        } else {
            state.session.images.selected = Some(item as u32);
        }
    } else if response.clicked() {
        state.session.images.selected = None;
    }
    if let (Some(item), true) = (pointed, response.double_clicked())
        && !ui.input(|i| i.modifiers.alt)
        && !hover::star_is_at(&arranged, item, response.interact_pointer_pos())
    {
        state.branch_from(item as u32);
    }
    // What is enlarged beyond the area is cut off; outlines lie around the outermost tiles.
    let clip = ui.clip_rect();
    ui.set_clip_rect(clip.intersect(area.expand(4.0)));
    paint(ui, state, (&arranged, area), pointed);
    for (group, rect) in groups.iter().zip(&arranged.labels) {
        shares::group_label(ui, state, group, *rect);
    }
    ui.set_clip_rect(clip);
    if response.has_focus() {
        ui.painter().rect_stroke(
            area.expand2(vec2(6.0, 2.0)),
            CornerRadius::same(size::RADIUS),
            Stroke::new(1.0, tokens::faded(palette.focus, 0.6)),
            StrokeKind::Inside,
        );
    }
    // Nothing is shown over an open list.
    let pointed = pointed.filter(|_| !Popup::is_any_open(ui.ctx()));
    if let Some(item) = pointed {
        ui.ctx().set_cursor_icon(CursorIcon::PointingHand);
        if let Some(rect) = arranged.rect(item) {
            hover::show(ui, state, item, rect, response.id);
        }
    }
    if count == 0 {
        waiting(ui, area, palette);
    }
}

fn waiting(ui: &mut Ui, area: Rect, palette: &Palette) {
    let builder = UiBuilder::new()
        .max_rect(Rect::from_center_size(area.center(), vec2(200.0, 60.0)))
        .layout(Layout::top_down(Align::Center));
    ui.scope_builder(builder, |ui| {
        spinner(ui, 20.0);
        ui.label(RichText::new("drawing").color(palette.text_quiet));
    });
}

/// A draw in words: `noise 17, nine 92 %`.
pub fn describe(state: &State, item: u32) -> String {
    let tile = state.images.view.tiles.get(item as usize);
    let text = match tile.and_then(super::view::Tile::likeliest) {
        Some((class, p)) => format!(
            "noise {item}, {} {}",
            shares::word(&state.images.class_name(class)),
            format::percent(p.into())
        ),
        None => format!("noise {item}"),
    };
    match tile.and_then(|tile| tile.reward) {
        Some(reward) => format!("{text}, reward {}", format::fixed(reward.into(), 2)),
        None => text,
    }
}

fn paint(ui: &Ui, state: &State, (arranged, area): (&Arranged, Rect), pointed: Option<usize>) {
    let palette = tokens::palette(ui);
    let smooth = state.session.images.smooth;
    let painter = ui.painter();
    let view = &state.images.view;
    let drawn = |item: usize| !view.tiles[item].pixels.is_empty();
    for (_, rect) in arranged.cells.iter().filter(|cell| !drawn(cell.0)) {
        painter.rect_filled(*rect, 0.0, palette.canvas);
    }
    let opacity = |item: usize| if view.tiles[item].fresh { 1.0 } else { PALE };
    let shown = arranged.cells.iter().filter(|cell| drawn(cell.0));
    let shown = shown.map(|(item, rect)| (*item, *rect, opacity(*item)));
    view.paint(painter, "wall", shown, (area, smooth));
    if let Some(rect) = pointed.and_then(|item| arranged.rect(item)) {
        outline(ui, rect, 1.0, palette.text_quiet);
    }
    let compared = state.session.images.compare.as_ref();
    let compared = compared.and_then(|picture| state.images.view.find(picture));
    if let Some(rect) = compared.and_then(|item| arranged.rect(item)) {
        outline(ui, rect, 2.0, palette.overlay);
    }
    if let Some(rect) = selected_rect(state, arranged) {
        outline(ui, rect, 2.5, palette.learned);
    }
    if state.session.images.kept.is_empty() && pointed.is_none() {
        return;
    }
    for (item, rect) in &arranged.cells {
        let kept = state.is_starred(*item as u32);
        if kept || (pointed == Some(*item) && arranged.side >= hover::STAR_FROM) {
            hover::star(ui, hover::star_rect(*rect), kept);
        }
    }
}

/// Where the selected tile is.
fn selected_rect(state: &State, arranged: &Arranged) -> Option<Rect> {
    let selected = state.session.images.selected?;
    arranged.rect(selected as usize)
}

fn outline(ui: &Ui, rect: Rect, width: f32, color: eframe::egui::Color32) {
    let stroke = Stroke::new(width, color);
    ui.painter()
        .rect_stroke(rect, CornerRadius::ZERO, stroke, StrokeKind::Outside);
}

/// Arrow keys move the selection while the wall has the focus, Enter goes on from it.
///
/// Says whether the selection moved.
fn keyboard(ui: &Ui, state: &mut State, response: &Response, arranged: &Arranged) -> bool {
    if !response.has_focus() {
        return false;
    }
    state.takes_keys();
    let filter = EventFilter {
        horizontal_arrows: true,
        vertical_arrows: true,
        ..EventFilter::default()
    };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    let (across, down, enter) = ui.input(|i| {
        let presses = |key| i.num_presses(key) as i32;
        (
            presses(Key::ArrowRight) - presses(Key::ArrowLeft),
            presses(Key::ArrowDown) - presses(Key::ArrowUp),
            i.key_pressed(Key::Enter),
        )
    });
    let images = &mut state.session.images;
    if across != 0 || down != 0 {
        let first = arranged.cells.first().map(|cell| cell.0);
        let next = match images.selected {
            Some(item) => arranged.beside(item as usize, across, down),
            None => first,
        };
        images.selected = next.map(|item| item as u32);
    }
    if let (Some(item), true) = (images.selected, enter) {
        state.branch_from(item);
    }
    across != 0 || down != 0
}
