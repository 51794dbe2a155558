//! The class of a generated picture: buttons where there are few, a list with search where there are many.

use eframe::egui::{Button, RichText, Role, Ui, WidgetInfo, vec2};

use crate::ui::state::State;
use crate::ui::tokens::{self, size};
use crate::ui::widgets::{Picked, Searched};

/// Up to this many classes have a button each.
const BUTTONS: usize = 12;
/// Buttons of a row with names of one letter, and with longer ones.
const SHORT_ROW: usize = 6;
const LONG_ROW: usize = 3;

/// Shows the picker.
pub fn show(ui: &mut Ui, state: &mut State) {
    let Some(model) = state.images.model.clone() else {
        return;
    };
    let count = model.map.config().label_dim;
    if count <= BUTTONS {
        buttons(ui, state, count);
    } else {
        list(ui, state, count);
    }
}

fn buttons(ui: &mut Ui, state: &mut State, count: usize) {
    let names: Vec<String> = (0..count).map(|c| state.images.class_name(c)).collect();
    let short = names.iter().all(|name| name.chars().count() <= 2);
    let columns = if short { SHORT_ROW } else { LONG_ROW };
    let gap = 4.0;
    let width = (ui.available_width() - gap * (columns - 1) as f32) / columns as f32;
    let classes: Vec<Option<usize>> = (0..count).map(Some).chain([None]).collect();
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing = vec2(gap, gap);
        ui.spacing_mut().button_padding = vec2(2.0, 2.0);
        for row in classes.chunks(columns) {
            ui.horizontal(|ui| {
                for class in row {
                    let (name, spoken) = match class {
                        Some(class) => (names[*class].as_str(), format!("Class {}", names[*class])),
                        None => ("any", "Any class".to_owned()),
                    };
                    let chosen = state.session.images.class == class.map(|c| c as u32);
                    let button = Button::selectable(chosen, RichText::new(name).size(size::SMALL))
                        .frame_when_inactive(true)
                        .min_size(vec2(width, 24.0))
                        .truncate();
                    let response = ui.add_sized(vec2(width, 24.0), button);
                    response.widget_info(|| {
                        WidgetInfo::selected(Role::RadioButton, true, chosen, &spoken)
                    });
                    if response.clicked() {
                        state.choose_class(class.map(|c| c as u32));
                    }
                }
            });
        }
    });
}

fn list(ui: &mut Ui, state: &mut State, count: usize) {
    let list = Searched {
        name: "Class",
        width: ui.available_width(),
        none: Some("any class"),
        chosen: state.session.images.class,
    };
    let name = |class: usize| state.images.class_name(class);
    if let Some(Picked(class)) = list.show(ui, count, &name) {
        state.choose_class(class);
    }
}

/// What the draws know of classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The chosen one.
    Class,
    /// Each begins with one that its state becomes.
    ClassFirst,
    /// There is one, which they are not told.
    StateAlone,
    /// There is none.
    NoClass,
}

/// Says what the draws know of classes.
pub fn told_hint(ui: &mut Ui, told: Told) {
    let faint = tokens::palette(ui).text_faint;
    let text = match told {
        Told::Class => "the draws know the class",
        Told::ClassFirst => "a class is drawn first",
        Told::StateAlone => "the draws see x_t alone",
        Told::NoClass => "no class is chosen",
    };
    let hint = ui.label(RichText::new(text).size(size::SMALL).color(faint));
    if told == Told::ClassFirst {
        hint.on_hover_text(
            "Each draw begins with a class from p(class | x_t), by a small classifier of half-formed pictures that this map \
             carries, and is then drawn as a picture of that class. One jump from noise alone leaves pictures between classes \
             where t is small. GLASS and SDE rollouts follow the velocity without class.",
        );
    }
}
