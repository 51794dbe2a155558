//! The queue of steered pictures: what is to be made, how far it is, and its order.

use eframe::egui::{
    Align, Button, DragValue, Label, Layout, ProgressBar, RichText, ScrollArea, Ui, Vec2,
    WidgetInfo, vec2,
};

use crate::session::{Batch, BatchEntry};
use crate::steer::Method;
use crate::ui::format;
use crate::ui::state::State;
use crate::ui::tokens::{self, size, space};
use crate::ui::widgets::{arrow_button, close_button, link};

/// Most of a panel's height that the queue takes.
const SHARE: f32 = 0.45;

/// The button that queues the settings as they are, and for how many seeds.
pub fn add(ui: &mut Ui, state: &mut State) {
    let possible = !state.session.images.rewarding.reward.is_empty();
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        let button = Button::new("Queue").min_size(vec2(84.0, size::CONTROL));
        let response = ui
            .add_enabled(possible, button)
            .on_hover_text(
                "Makes one picture of these settings for each seed, in the background. They come to the Gallery",
            )
            .on_disabled_hover_text("Add a reward first.");
        if response.clicked() {
            state.queue_seeds();
        }
        let seeds = &mut state.images.batch.seeds;
        let response = ui.add(DragValue::new(seeds).range(1..=Batch::MAX_SEEDS).speed(0.2));
        response.widget_info(|| {
            let mut info = WidgetInfo::drag_value(true, f64::from(*seeds));
            info.label = Some("Seeds to queue".to_owned());
            info
        });
        let first = state.session.images.studio.settings.plan.seed;
        let quiet = tokens::palette(ui).text_quiet;
        let text = format!("seeds from {first}");
        let text = RichText::new(text).size(size::SMALL).color(quiet);
        ui.add(Label::new(text).truncate());
    });
}

/// How high the queue is at the end of a panel of `height`; nothing where it is empty.
pub fn height(state: &State, height: f32) -> f32 {
    let entries = state.session.images.batch.entries.len();
    if entries == 0 {
        return 0.0;
    }
    let wanted = HEAD + entries as f32 * ROW + space::SECTION;
    wanted.min(SHARE * height)
}

/// Of the heading and the links below it.
const HEAD: f32 = 64.0;
/// Of an entry.
const ROW: f32 = 80.0;

/// Shows the queue, if there is one.
pub fn show(ui: &mut Ui, state: &mut State) {
    if state.session.images.batch.entries.is_empty() {
        return;
    }
    head(ui, state);
    let entries = state.session.images.batch.entries.clone();
    let last = entries.len() - 1;
    ScrollArea::vertical()
        .id_salt("batch")
        .auto_shrink([false, false])
        // Otherwise it reaches over the end of a low panel.
        .min_scrolled_height(0.0)
        .show(ui, |ui| {
            ui.set_max_width(ui.available_width() - space::SCROLL);
            for (place, of) in entries.iter().enumerate() {
                entry(ui, state, of, (place > 0, place < last));
            }
        });
}

fn head(ui: &mut Ui, state: &mut State) {
    let palette = tokens::palette(ui);
    let batch = &state.session.images.batch;
    // Where nothing is left that can be made, what could not be is tried again.
    let paused = batch.paused || batch.next().is_none();
    ui.horizontal(|ui| {
        let name = RichText::new("Queued").font(tokens::heading_font());
        ui.label(name.color(palette.text_strong));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            // As wide as the entries.
            ui.add_space(space::SCROLL);
            let text = match state.batch_left() {
                _ if paused => "waits".to_owned(),
                Some(left) => format::left(left),
                None => String::new(),
            };
            let text = RichText::new(text).size(size::SMALL);
            ui.add(Label::new(text.color(palette.text_quiet)).truncate());
        });
    });
    ui.horizontal(|ui| {
        let (name, hover) = if paused {
            ("go on", "Makes the pictures that are still missing")
        } else {
            ("pause", "What is made stays; the rest waits")
        };
        if link(ui, name).on_hover_text(hover).clicked() {
            state.pause_batch(!paused);
        }
        if link(ui, "cancel all")
            .on_hover_text("Empties the queue. Undo brings it back; what is made stays")
            .clicked()
        {
            state.cancel_batch();
        }
    });
    ui.add_space(2.0);
}

/// What makes the pictures of an entry, in short: `MFM-GF, 30 steps, 16 draws`.
fn title(entry: &BatchEntry) -> String {
    let plan = &entry.recipe.settings.plan;
    let title = plan.method.card().title;
    let text = format!("{title}, {}", format::counted(plan.steps.into(), "step"));
    if plan.draws_matter() {
        format!("{text}, {}", format::counted(plan.draws.into(), "draw"))
    } else {
        text
    }
}

/// What they are steered toward.
fn toward(entry: &BatchEntry) -> String {
    match entry.recipe.settings.plan.method {
        Method::Base => "nothing".to_owned(),
        _ => entry.recipe.rewarding.reward.to_string(),
    }
}

fn entry(ui: &mut Ui, state: &mut State, entry: &BatchEntry, (up, down): (bool, bool)) {
    let palette = tokens::palette(ui);
    let (title, toward) = (title(entry), toward(entry));
    let name = format!("{title}, toward {toward}");
    ui.push_id(entry.id, |ui| {
        ui.spacing_mut().item_spacing.y = 3.0;
        let line = |ui: &mut Ui, text: &str, color| {
            let text = RichText::new(text).size(size::SMALL).color(color);
            ui.add(Label::new(text).truncate()).on_hover_text(&name);
        };
        line(ui, &title, palette.text_strong);
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 2.0;
            let room = vec2(ui.available_width() - 62.0, size::SMALL + 6.0);
            ui.allocate_ui_with_layout(room, Layout::left_to_right(Align::Center), |ui| {
                ui.set_min_width(room.x);
                line(ui, &toward, palette.text_quiet);
            });
            if arrow_button(ui, Vec2::UP, up, &format!("Sooner: {name}")) {
                state.shift_in_batch(entry.id, true);
            }
            if arrow_button(ui, Vec2::DOWN, down, &format!("Later: {name}")) {
                state.shift_in_batch(entry.id, false);
            }
            if close_button(ui, &format!("Take out of the queue: {name}")) {
                state.cancel_in_batch(entry.id);
            }
        });
        let share = state.batch_share(entry);
        ui.add(ProgressBar::new(share).desired_height(4.0));
        let seed = entry.recipe.settings.plan.seed;
        let last = seed.wrapping_add(u64::from(entry.seeds) - 1);
        let (text, color) = if let Some(trouble) = &entry.trouble {
            (trouble.clone(), palette.error)
        } else {
            let seeds = if entry.seeds == 1 {
                format!("seed {seed}")
            } else {
                format!("seeds {seed} to {last}")
            };
            let text = format!("{} of {}, {seeds}", entry.done, entry.seeds);
            let is_in_work = state.is_in_work(entry.id);
            let color = if is_in_work {
                palette.text
            } else {
                palette.text_quiet
            };
            (text, color)
        };
        let line = RichText::new(&text).size(size::TICK).color(color);
        ui.add(Label::new(line).truncate()).on_hover_text(&text);
        ui.add_space(8.0);
    });
}
