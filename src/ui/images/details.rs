//! Beside the gallery: the selected picture, its settings, and what can be done with it.

use eframe::egui::{Button, Label, RichText, Role, ScrollArea, Sense, Ui, WidgetInfo, vec2};

use crate::session::{KeptPicture, Made};
use crate::ui::format;
use crate::ui::shortcuts::{Action, keys_of};
use crate::ui::state::{Again, State};
use crate::ui::tokens::{self, size, space};
use crate::ui::widgets::value_row;

use super::atlas::whole;
use super::shares::word;

/// Points of the picture, at most, and of the column's height.
const LARGE: f32 = 200.0;
const SHARE: f32 = 0.4;

/// Shows the column.
pub fn show(ui: &mut Ui, state: &mut State) {
    let Some((index, kept)) = state.gallery_entry() else {
        let faint = tokens::palette(ui).text_faint;
        ui.add_space(space::ROW);
        let text = "Select a picture to see how it was made.";
        ui.add(Label::new(RichText::new(text).size(size::SMALL).color(faint)).wrap());
        return;
    };
    let kept = kept.clone();
    let largest = LARGE.min(SHARE * ui.available_height());
    ScrollArea::vertical()
        .auto_shrink([false, false])
        .show(ui, |ui| {
            ui.set_max_width(ui.available_width() - space::SCROLL);
            pictures(ui, state, &kept, largest);
            again(ui, state, &kept);
            ui.add_space(space::ROW);
            ui.spacing_mut().item_spacing.y = 2.0;
            if let Some(reward) = kept.reward {
                value_row(ui, "reward", format::fixed(reward.into(), 2));
            }
            settings(ui, state, kept.label.as_deref(), kept.made.as_ref());
            if kept.by_batch {
                value_row(ui, "made by", "the queue");
            }
            ui.add_space(space::ROW);
            ui.spacing_mut().item_spacing.y = 4.0;
            acts(ui, state, index, &kept);
        });
}

fn of_entry<'a>(state: &'a State, kept: &KeptPicture) -> Option<&'a Again> {
    let again = state.images.again.as_ref();
    again.filter(|again| again.kept == kept.picture)
}

/// The picture, and beside it the same made again.
fn pictures(ui: &mut Ui, state: &mut State, kept: &KeptPicture, largest: f32) {
    let now = of_entry(state, kept).and_then(|again| again.now.clone());
    let smooth = state.session.images.smooth;
    let both: Vec<_> = std::iter::once(kept.picture.clone()).chain(now).collect();
    let side = (ui.available_width() / both.len() as f32 - 3.0).min(largest);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        for picture in &both {
            let (rect, _) = ui.allocate_exact_size(vec2(side, side), Sense::hover());
            let texture = state.images.view.kept(ui.ctx(), picture, smooth);
            ui.painter()
                .image(texture, rect, whole(), tokens::coverage(1.0));
        }
    });
}

/// Whether it is the same.
fn again(ui: &mut Ui, state: &State, kept: &KeptPicture) {
    let Some(again) = of_entry(state, kept) else {
        return;
    };
    let palette = tokens::palette(ui);
    let (text, color) = match again.difference() {
        None => ("making it again".to_owned(), palette.text_quiet),
        Some((0, _)) => ("Made again: the same, every byte".to_owned(), palette.good),
        Some((numbers, most)) => (
            format!(
                "Made again: {} numbers differ, by at most {most} of 255",
                format::count(numbers as u64)
            ),
            palette.note,
        ),
    };
    let text = RichText::new(text).size(size::SMALL).color(color);
    ui.add(Label::new(text).wrap());
}

/// Every setting in a row of its own.
pub fn settings(ui: &mut Ui, state: &State, label: Option<&str>, made: Option<&Made>) {
    let label = label.map_or_else(|| "not judged".to_owned(), word);
    value_row(ui, "seen as", label);
    let Some(made) = made else {
        let quiet = tokens::palette(ui).text_quiet;
        let text = "Kept by an older version, without its settings.";
        ui.add(Label::new(RichText::new(text).size(size::SMALL).color(quiet)).wrap());
        return;
    };
    let is_open = made.hash() == state.map_hash();
    for (name, value) in made.lines() {
        // A map that is not open has names of its own.
        let class = value.parse().ok().filter(|_| name == "class" && is_open);
        value_row(
            ui,
            name,
            class.map_or(value, |class| word(&state.images.class_name(class))),
        );
    }
}

fn acts(ui: &mut Ui, state: &mut State, index: usize, kept: &KeptPicture) {
    let wide = vec2(ui.available_width(), size::CONTROL);
    let faint = tokens::palette(ui).text_faint;
    let ctx = ui.ctx().clone();
    let act = |ui: &mut Ui, name: &str, action: Option<Action>, possible: bool, hover: &str| {
        let keys = action
            .map(|action| keys_of(&ctx, action))
            .unwrap_or_default();
        let keys = RichText::new(keys).size(size::TICK).color(faint);
        let button = Button::new(name).right_text(keys).min_size(wide);
        let response = ui.add_enabled(possible, button).on_hover_text(hover);
        // The keys are no part of its name.
        response.widget_info(|| WidgetInfo::labeled(Role::Button, possible, name));
        response.clicked()
    };
    let known = kept.made.is_some();
    if act(
        ui,
        "Make again",
        None,
        known,
        "Makes it from its settings and compares it with what is kept",
    ) {
        state.make_again(index);
    }
    let (name, text) = if kept
        .made
        .as_ref()
        .is_some_and(|made| made.steered().is_some())
    {
        (
            "Restore its run",
            "The Studio with these settings, the run made again. Undo brings back what is there now",
        )
    } else {
        (
            "Restore its wall",
            "The wall as it was when this was drawn. Undo brings back what is there now",
        )
    };
    if act(ui, name, None, known, text) {
        state.restore_kept(index);
    }
    let text = "Noises it: the wall shows what it could become";
    if act(ui, "Go on from it", Some(Action::Branch), true, text) {
        state.branch_from_kept(index);
    }
    if act(ui, "Export…", None, true, "As a PNG file") {
        state.export_picture(kept.clone());
    }
    let star = if kept.starred {
        "Take its star"
    } else {
        "Give it a star"
    };
    if act(
        ui,
        star,
        Some(Action::Keep),
        true,
        "Starred pictures stand below the wall",
    ) {
        state.star_kept(index);
    }
    let text = "Undo brings it back";
    if act(ui, "Remove", Some(Action::DeleteMode), true, text) {
        state.drop_kept(index);
    }
}
