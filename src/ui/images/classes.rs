//! The class of a generated picture: buttons where there are few, a list with search where there are many.

use eframe::egui::{
    Button, ComboBox, Id, RichText, Role, ScrollArea, TextEdit, Ui, WidgetInfo, vec2,
};

use crate::ui::state::State;
use crate::ui::tokens::{self, size};

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
    let chosen = state.session.images.class;
    let text = chosen.map_or_else(
        || "any class".to_owned(),
        |class| state.images.class_name(class as usize),
    );
    let id = Id::unique("class search");
    let mut picked = None;
    let combo = ComboBox::from_id_salt("class")
        .width(ui.available_width())
        .selected_text(&text)
        .close_behavior(eframe::egui::PopupCloseBehavior::CloseOnClickOutside)
        .show_ui(ui, |ui| {
            let mut search: String = ui.data(|data| data.get_temp(id)).unwrap_or_default();
            let edit = TextEdit::singleline(&mut search).hint_text("search");
            if ui.add(edit).changed() {
                ui.data_mut(|data| data.insert_temp(id, search.clone()));
            }
            let search = search.to_lowercase();
            ScrollArea::vertical().max_height(280.0).show(ui, |ui| {
                if search.is_empty() && ui.selectable_label(chosen.is_none(), "any class").clicked()
                {
                    picked = Some(None);
                }
                for class in 0..count {
                    let name = state.images.class_name(class);
                    if !name.to_lowercase().contains(&search) {
                        continue;
                    }
                    let class = class as u32;
                    if ui.selectable_label(chosen == Some(class), name).clicked() {
                        picked = Some(Some(class));
                    }
                }
            });
            if picked.is_some() {
                ui.close();
            }
        });
    combo.response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ComboBox, true, "Class");
        info.current_text_value = Some(text.clone());
        info
    });
    if let Some(class) = picked {
        state.choose_class(class);
    }
}

/// What the class means for the draws.
pub fn told_hint(ui: &mut Ui, class: Option<u32>, told: bool) {
    let faint = tokens::palette(ui).text_faint;
    let text = match (class, told) {
        (None, _) => "no class is chosen",
        (Some(_), true) => "the draws know the class",
        (Some(_), false) => "the draws see x_t alone",
    };
    ui.label(RichText::new(text).size(size::SMALL).color(faint));
}
