//! Which of ImageNet's classes a term rewards: a list with search.

use eframe::egui::{ComboBox, Id, PopupCloseBehavior, Role, ScrollArea, TextEdit, Ui, WidgetInfo};

use crate::reward::picture::{imagenet_class_name, imagenet_class_names};

/// Height of the list, and its width.
const HEIGHT: f32 = 280.0;
const WIDTH: f32 = 220.0;

/// Shows the class; changes it where another is chosen.
pub fn class(ui: &mut Ui, class: &mut u32) {
    let id = Id::unique("search of ImageNet's classes");
    let name = imagenet_class_name(*class).unwrap_or("none");
    let mut picked = None;
    let combo = ComboBox::from_id_salt("ImageNet class of the reward")
        .width(84.0)
        .selected_text(name)
        .truncate()
        .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
        .show_ui(ui, |ui| {
            ui.set_min_width(WIDTH);
            let mut search: String = ui.data(|data| data.get_temp(id)).unwrap_or_default();
            let edit = TextEdit::singleline(&mut search).hint_text("search");
            if ui.add(edit).changed() {
                ui.data_mut(|data| data.insert_temp(id, search.clone()));
            }
            let search = search.to_lowercase();
            ScrollArea::vertical().max_height(HEIGHT).show(ui, |ui| {
                for (other, name) in imagenet_class_names().enumerate() {
                    if !name.to_lowercase().contains(&search) {
                        continue;
                    }
                    let other = other as u32;
                    if ui.selectable_label(*class == other, name).clicked() {
                        picked = Some(other);
                    }
                }
            });
            if picked.is_some() {
                ui.close();
            }
        });
    combo.response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ComboBox, true, "ImageNet class of the reward");
        info.current_text_value = Some(name.to_owned());
        info
    });
    if let Some(picked) = picked {
        *class = picked;
    }
}
