//! The clock: scrub, play, step.

use eframe::egui::{
    self, Align, Align2, ComboBox, CursorIcon, EventFilter, FontId, Id, Key, Layout, Rect,
    Response, RichText, Role, Sense, Shape, Stroke, Ui, WidgetInfo, accesskit, pos2, vec2,
};

use crate::lookahead::Source;

use super::shortcuts::Action;
use super::state::{AT_ONCE, State};
use super::tokens::{self, Palette, duration, size};
use super::widgets::held_at;

const SPEEDS: [f64; 5] = [0.25, 0.5, 1.0, 2.0, 4.0];
/// Of the Steering workspace: from slow motion to whatever is computed, at once.
const STEERING_SPEEDS: [f64; 8] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, AT_ONCE];
/// Solver steps are ticked one by one up to this many.
const MOST_TICKS: u32 = 128;
/// Room for play at the left, speed at the right.
const LEFT: f32 = 92.0;
const RIGHT: f32 = 132.0;

/// The track's id, for the focus.
pub fn id() -> Id {
    Id::unique("timeline")
}

/// Shows the timeline.
pub fn show(ui: &mut Ui, state: &mut State) {
    if state.shows_samples() {
        // What is shown is finished: no time of it can be chosen.
        state.playing = false;
        ui.disable();
    }
    let room = ui.available_rect_before_wrap();
    let (left, rest) = room.split_left_right_at_x(room.left() + LEFT);
    let (middle, right) = rest.split_left_right_at_x(rest.right() - RIGHT);
    play(ui, state, left);
    track(ui, state, middle.shrink2(vec2(10.0, 0.0)));
    let mut column = ui.new_child(
        egui::UiBuilder::new()
            .max_rect(right)
            .id_salt("speed")
            .layout(Layout::right_to_left(Align::Center)),
    );
    speed(&mut column, state);
    ui.advance_cursor_after_rect(room);
}

fn play(ui: &mut Ui, state: &mut State, area: Rect) {
    let palette = tokens::palette(ui);
    let rect = Rect::from_center_size(area.left_center() + vec2(20.0, 0.0), vec2(38.0, 38.0));
    let response = ui.interact(rect, Id::unique("play"), Sense::click());
    let name = if state.playing { "Pause" } else { "Play" };
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), name));
    let visuals = ui.style().interact(&response);
    let painter = ui.painter();
    painter.circle(
        rect.center(),
        18.0,
        visuals.bg_fill,
        Stroke::new(1.0, visuals.bg_stroke.color),
    );
    if response.has_focus() {
        painter.circle_stroke(rect.center(), 20.5, Stroke::new(1.5, palette.focus));
    }
    let middle = rect.center();
    if state.playing {
        for x in [-4.0, 4.0] {
            let bar = Rect::from_center_size(middle + vec2(x, 0.0), vec2(4.0, 14.0));
            painter.rect_filled(bar, 1.0, palette.text_strong);
        }
    } else {
        let triangle = vec![
            middle + vec2(-5.0, -7.5),
            middle + vec2(8.0, 0.0),
            middle + vec2(-5.0, 7.5),
        ];
        painter.add(Shape::convex_polygon(
            triangle,
            palette.text_strong,
            Stroke::NONE,
        ));
    }
    painter.text(
        area.left_center() + vec2(48.0, 0.0),
        Align2::LEFT_CENTER,
        "Space",
        tokens::tick_font(),
        palette.text_faint,
    );
    if response.clicked() {
        state.perform(Action::PlayPause);
    }
}

fn track(ui: &mut Ui, state: &mut State, area: Rect) {
    let palette = tokens::palette(ui);
    let y = area.center().y + 4.0;
    let (x0, x1) = (
        area.left() + size::TIME_HANDLE,
        area.right() - size::TIME_HANDLE,
    );
    let hit = Rect::from_min_max(pos2(area.left(), y - 16.0), pos2(area.right(), y + 24.0));
    let response = ui
        .interact(hit, id(), Sense::click_and_drag())
        .on_hover_cursor(CursorIcon::PointingHand)
        .on_disabled_hover_text("What is shown is finished, t = 1.");
    scrub(ui, state, &response, (x0, x1));
    keyboard(ui, state, &response);
    response.widget_info(|| {
        let mut info =
            WidgetInfo::slider(ui.is_enabled(), state.clock(), "Time t, 0 noise, 1 data");
        info.current_text_value = Some(format!("{:.3}", state.clock()));
        info
    });
    ui.ctx().accesskit_node_builder(id(), |node| {
        node.set_min_numeric_value(0.0);
        node.set_max_numeric_value(1.0);
        node.set_numeric_value_step(0.01);
        for action in [
            accesskit::Action::SetValue,
            accesskit::Action::Increment,
            accesskit::Action::Decrement,
        ] {
            node.add_action(action);
        }
    });

    let painter = ui.painter();
    let t = state.clock() as f32;
    let x = egui::lerp(x0..=x1, t);
    ticks(painter, state, (x0, x1), y, palette);
    let rail = |from: f32, to: f32| Rect::from_min_max(pos2(from, y - 2.5), pos2(to, y + 2.5));
    painter.rect_filled(rail(x0 - 2.0, x1 + 2.0), 2.5, palette.control_active);
    if state.is_steering() || state.is_studio() {
        // What all panels have reached, like the loaded part of a video.
        let reached = egui::lerp(x0..=x1, reached(state) as f32);
        let loaded = tokens::faded(palette.text_faint, 0.75);
        painter.rect_filled(rail(x0 - 2.0, reached), 2.5, loaded);
    }
    let shown = egui::lerp(x0..=x1, shown(state) as f32);
    painter.rect_filled(rail(x0 - 2.0, shown), 2.5, palette.learned);
    let lively = response.hovered() || response.dragged();
    let radius = size::TIME_HANDLE + if lively { 1.0 } else { 0.0 };
    painter.circle(
        pos2(x, y),
        radius,
        palette.state,
        Stroke::new(2.0, palette.panel),
    );
    if response.has_focus() {
        painter.circle_stroke(pos2(x, y), radius + 4.0, Stroke::new(1.5, palette.focus));
    }
    labels(painter, state, (x0, x1), x, y - 25.0, palette);
}

/// How far what is computed has got.
fn reached(state: &State) -> f64 {
    if state.is_studio() {
        state.studio_reached()
    } else {
        state.steering_reached()
    }
}

/// The time that is on screen: panels that are still computed show less than the clock says.
fn shown(state: &State) -> f64 {
    if state.is_steering() {
        state.steering_shown()
    } else {
        state.clock()
    }
}

fn labels(
    painter: &egui::Painter,
    state: &State,
    (x0, x1): (f32, f32),
    x: f32,
    y: f32,
    palette: &Palette,
) {
    let font = FontId::new(size::CLOCK, tokens::strong_family());
    let clock = painter.layout_no_wrap(
        format!("t = {:.3}", state.clock()),
        font,
        palette.text_strong,
    );
    let half = clock.size().x / 2.0;
    let center = x.clamp(x0 + half - size::TIME_HANDLE, x1 - half + size::TIME_HANDLE);
    let rect = Align2::CENTER_CENTER.anchor_size(pos2(center, y), clock.size());
    let font = tokens::small_font();
    for (text, place, anchor) in [
        (
            "noise  t = 0",
            pos2(x0 - size::TIME_HANDLE, y),
            Align2::LEFT_CENTER,
        ),
        (
            "data  t = 1",
            pos2(x1 + size::TIME_HANDLE, y),
            Align2::RIGHT_CENTER,
        ),
    ] {
        let galley = painter.layout_no_wrap(text.to_owned(), font.clone(), palette.text_quiet);
        let label = anchor.anchor_size(place, galley.size());
        // The clock comes first where they would meet.
        if !label.expand2(vec2(10.0, 0.0)).intersects(rect) {
            painter.galley(label.min, galley, palette.text_quiet);
        }
    }
    painter.galley(rect.min, clock, palette.text_strong);
}

/// Tenths, and below them the solver's steps: of the inner time from 0 to 1, or for the SDE from `t` to 1.
fn ticks(painter: &egui::Painter, state: &State, (x0, x1): (f32, f32), y: f32, palette: &Palette) {
    let at = |t: f64| egui::lerp(x0..=x1, t as f32);
    for k in 0..=10 {
        let x = at(f64::from(k) / 10.0);
        let length = if k % 5 == 0 { 8.0 } else { 5.0 };
        painter.vline(
            x,
            y + 9.0..=y + 9.0 + length,
            Stroke::new(1.0, palette.text_faint),
        );
    }
    if state.is_steering() || state.is_studio() {
        return;
    }
    let source = if state.is_images() {
        state.session.images.source
    } else {
        state.source()
    };
    let steps = source.steps();
    if steps < 2 {
        return;
    }
    let start = if matches!(source, Source::Sde(_)) {
        state.clock()
    } else {
        0.0
    };
    let color = tokens::faded(palette.learned, 0.8);
    let (top, bottom) = (y + 20.0, y + 25.0);
    if steps <= MOST_TICKS {
        for k in 0..=steps {
            let x = at(start + (1.0 - start) * f64::from(k) / f64::from(steps));
            painter.vline(x, top..=bottom, Stroke::new(1.0, color));
        }
    } else {
        let band = Rect::from_min_max(pos2(at(start), top), pos2(at(1.0), bottom));
        painter.rect_filled(band, 0.0, tokens::faded(color, 0.5));
    }
}

fn scrub(ui: &Ui, state: &mut State, response: &Response, (x0, x1): (f32, f32)) {
    if let Some(pointer) = held_at(response) {
        state.playing = false;
        // Scrubbing a finished comparison changes nothing that is computed.
        state.dragging |= response.dragged() && !state.is_steering() && !state.is_studio();
        let t = f64::from((pointer.x - x0) / (x1 - x0).max(1.0));
        state.set_time((t * 1000.0).round() / 1000.0);
        ui.ctx().set_cursor_icon(CursorIcon::Grabbing);
    }
}

fn keyboard(ui: &Ui, state: &mut State, response: &Response) {
    let (wanted, ups, downs) = ui.input(|i| {
        let wanted = i
            .accesskit_action_requests(response.id, accesskit::Action::SetValue)
            .filter_map(|request| match request.data {
                Some(accesskit::ActionData::NumericValue(value)) => Some(value),
                _ => None,
            })
            .last();
        (
            wanted,
            i.num_accesskit_action_requests(response.id, accesskit::Action::Increment),
            i.num_accesskit_action_requests(response.id, accesskit::Action::Decrement),
        )
    });
    if let Some(t) = wanted {
        state.playing = false;
        state.set_time(t);
    }
    if ups != downs {
        state.perform(Action::Step(10 * (ups as i32 - downs as i32)));
    }
    if !response.has_focus() {
        return;
    }
    state.space_free = true;
    // Up and down step too, as on any slider; left and right do so everywhere.
    let filter = EventFilter {
        horizontal_arrows: true,
        vertical_arrows: true,
        ..EventFilter::default()
    };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    let presses =
        ui.input(|i| i.num_presses(Key::ArrowUp) as i32 - i.num_presses(Key::ArrowDown) as i32);
    if presses != 0 {
        state.perform(Action::Step(10 * presses));
    }
}

fn speed(ui: &mut Ui, state: &mut State) {
    let palette = tokens::palette(ui);
    let speeds: &[f64] = if state.is_steering() {
        &STEERING_SPEEDS
    } else {
        &SPEEDS
    };
    let playback = &mut state.session.playback;
    let text = speed_name(playback.speed);
    let combo = ComboBox::from_id_salt("speed")
        .width(58.0)
        .selected_text(RichText::new(&text).size(size::SMALL))
        .show_ui(ui, |ui| {
            for speed in speeds.iter().copied() {
                ui.selectable_value(&mut playback.speed, speed, speed_name(speed));
            }
        });
    combo.response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ComboBox, true, "Speed");
        info.current_text_value = Some(text.clone());
        info
    });
    combo.response.on_hover_text(format!(
        "At 1× from noise to data in {} s",
        duration::PLAY.as_secs()
    ));
    let text = RichText::new("repeat")
        .size(size::SMALL)
        .color(if playback.repeat {
            palette.text
        } else {
            palette.text_faint
        });
    ui.toggle_value(&mut playback.repeat, text)
        .on_hover_text("Start again at the end");
}

fn speed_name(speed: f64) -> String {
    if speed >= AT_ONCE {
        "max".to_owned()
    } else {
        format!("{speed}×")
    }
}
