//! Lessons: sessions with two sentences of a teacher. Six ship with the app; any session file can be one.

use std::path::Path;

use eframe::egui::{
    self, Align, Button, CornerRadius, Frame, Id, Label, Layout, Margin, RichText, Stroke, Ui, vec2,
};

use crate::session::{Lesson, Session};
use crate::ui::state::State;
use crate::ui::tokens::{self, size};
use crate::ui::widgets::{close_button, link};

/// The lessons that ship, in their order: file name and session.
const SHIPPED: [(&str, &str); 6] = [
    (
        "1-mean-of-two-futures.ron",
        include_str!("../../../assets/lessons/1-mean-of-two-futures.ron"),
    ),
    (
        "2-unequal-weights.ron",
        include_str!("../../../assets/lessons/2-unequal-weights.ron"),
    ),
    (
        "3-more-draws-less-bias.ron",
        include_str!("../../../assets/lessons/3-more-draws-less-bias.ron"),
    ),
    (
        "4-ode-or-sde.ron",
        include_str!("../../../assets/lessons/4-ode-or-sde.ron"),
    ),
    (
        "5-too-much-guidance.ron",
        include_str!("../../../assets/lessons/5-too-much-guidance.ron"),
    ),
    (
        "6-search-is-greedy.ron",
        include_str!("../../../assets/lessons/6-search-is-greedy.ron"),
    ),
];

const YOUR_OWN: &str = "Set up a scene and save the session. Then open the file in a text editor and replace lesson: None by lesson: Some((title: \"…\", text: \"…\")). Whoever opens the file sees your words above the panels.";

/// The lessons that ship, in their order.
fn shipped() -> impl Iterator<Item = Session> {
    SHIPPED.iter().filter_map(
        |(name, text)| match Session::from_ron(text, Path::new(name)) {
            Ok(session) => Some(session),
            // A test reads every one of them.
            Err(e) => {
                tracing::error!("{e}");
                None
            }
        },
    )
}

/// The items of the menu "Lessons".
pub fn menu(ui: &mut Ui, state: &mut State) {
    ui.set_min_width(300.0);
    for (number, session) in shipped().enumerate() {
        let Some(lesson) = &session.lesson else {
            continue;
        };
        let current = state.session.lesson.as_ref() == Some(lesson);
        let text = format!("{}  {}", number + 1, lesson.title);
        let item = ui.add(Button::selectable(current, text));
        if item.on_hover_text(&lesson.text).clicked() {
            ui.data_mut(|data| data.remove::<Lesson>(closed_id()));
            ui.close();
            open(state, session);
        }
    }
    ui.separator();
    let palette = tokens::palette(ui);
    ui.label(RichText::new("Write your own").color(palette.text));
    let text = RichText::new(YOUR_OWN)
        .size(size::SMALL)
        .color(palette.text_quiet);
    ui.set_max_width(300.0);
    // Menus justify; words would stand far apart.
    ui.with_layout(Layout::top_down(Align::Min), |ui| {
        ui.add(Label::new(text).wrap());
    });
}

/// Opens a lesson; what is a person's own taste stays.
fn open(state: &mut State, lesson: Session) {
    let session = Session {
        theme: state.session.theme,
        compute: state.session.compute,
        ..lesson
    };
    state.open_session(session, None);
}

/// Whether what the sentences speak of is no longer there.
fn is_changed(lesson: &Session, now: &Session) -> bool {
    let (then, now_steering) = (&lesson.steering, &now.steering);
    lesson.world != now.world
        || then.reward != now_steering.reward
        || then.panels != now_steering.panels
        || then.learned != now_steering.learned
}

fn closed_id() -> Id {
    Id::unique("closed lesson")
}

/// What the open session's lesson says, above the panels; nothing without a lesson.
pub fn banner(ui: &mut Ui, state: &mut State) {
    let Some(lesson) = &state.session.lesson else {
        return;
    };
    // Put away until another lesson opens; the session keeps it, so that saving does not lose it.
    let closed: Option<Lesson> = ui.data(|data| data.get_temp(closed_id()));
    if closed.as_ref() == Some(lesson) {
        return;
    }
    let palette = tokens::palette(ui);
    let original = shipped().find(|session| session.lesson.as_ref() == Some(lesson));
    if original
        .as_ref()
        .is_some_and(|original| original.workspace != state.session.workspace)
    {
        return;
    }
    let changed = original.filter(|original| is_changed(original, &state.session));
    let (mut close, mut back) = (false, false);
    Frame::new()
        .fill(tokens::faded(palette.learned, 0.10))
        .stroke(Stroke::new(1.0, tokens::faded(palette.learned, 0.45)))
        .corner_radius(CornerRadius::same(size::PANEL_RADIUS))
        .inner_margin(Margin::symmetric(14, 9))
        .show(ui, |ui| {
            ui.horizontal_top(|ui| {
                let room = (ui.available_width() - 28.0).max(60.0);
                ui.allocate_ui_with_layout(vec2(room, 0.0), Layout::top_down(Align::Min), |ui| {
                    ui.set_width(room);
                    ui.spacing_mut().item_spacing.y = 3.0;
                    let title = RichText::new(&lesson.title)
                        .font(tokens::heading_font())
                        .color(palette.text_strong);
                    ui.add(Label::new(title).wrap());
                    let text = RichText::new(&lesson.text).color(palette.text);
                    ui.add(Label::new(text).wrap().selectable(true));
                    if changed.is_some() {
                        ui.horizontal(|ui| {
                            let text = RichText::new("The scene was changed since.")
                                .size(size::SMALL)
                                .color(palette.text_quiet);
                            ui.label(text);
                            back = link(ui, "back to the lesson").clicked();
                        });
                    }
                });
                ui.with_layout(Layout::right_to_left(Align::Min), |ui| {
                    close = close_button(ui, "Close lesson");
                });
            });
        });
    ui.add_space(egui::Spacing::default().item_spacing.y);
    if let Some(original) = changed.filter(|_| back) {
        open(state, original);
        return;
    }
    if close {
        let lesson = lesson.clone();
        ui.data_mut(|data| data.insert_temp(closed_id(), lesson));
    }
}

#[cfg(test)]
#[path = "lessons_tests.rs"]
mod tests;
