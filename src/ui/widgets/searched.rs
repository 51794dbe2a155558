//! A list with search: one of many names.

use eframe::egui::{ComboBox, Id, PopupCloseBehavior, Role, ScrollArea, TextEdit, Ui, WidgetInfo};

/// Height of the list, and its least width.
const HEIGHT: f32 = 280.0;
const WIDTH: f32 = 220.0;

/// A list that opens below its button.
pub struct Searched<'a> {
    /// What is chosen, for those who hear it.
    pub name: &'a str,
    /// Width of the button.
    pub width: f32,
    /// What none is called; nothing where one must be chosen.
    pub none: Option<&'a str>,
    /// Which is chosen.
    pub chosen: Option<u32>,
}

/// What was picked just now: an item, or none of them.
pub struct Picked(pub Option<u32>);

impl Searched<'_> {
    /// Shows the list of `count` names; gives what was picked, where something was.
    pub fn show(
        &self,
        ui: &mut Ui,
        count: usize,
        name: &dyn Fn(usize) -> String,
    ) -> Option<Picked> {
        let none = self.none.unwrap_or_default();
        let text = self
            .chosen
            .map_or_else(|| none.to_owned(), |chosen| name(chosen as usize));
        let id = Id::unique(("search", self.name));
        let mut picked = None;
        let combo = ComboBox::from_id_salt(self.name)
            .width(self.width)
            .selected_text(&text)
            .truncate()
            .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
            .show_ui(ui, |ui| {
                ui.set_min_width(WIDTH.max(self.width));
                let mut search: String = ui.data(|data| data.get_temp(id)).unwrap_or_default();
                let edit = TextEdit::singleline(&mut search).hint_text("search");
                if ui.add(edit).changed() {
                    ui.data_mut(|data| data.insert_temp(id, search.clone()));
                }
                let search = search.to_lowercase();
                ScrollArea::vertical().max_height(HEIGHT).show(ui, |ui| {
                    if search.is_empty()
                        && self.none.is_some()
                        && ui.selectable_label(self.chosen.is_none(), none).clicked()
                    {
                        picked = Some(Picked(None));
                    }
                    for item in 0..count {
                        let name = name(item);
                        if !name.to_lowercase().contains(&search) {
                            continue;
                        }
                        let item = item as u32;
                        if ui
                            .selectable_label(self.chosen == Some(item), name)
                            .clicked()
                        {
                            picked = Some(Picked(Some(item)));
                        }
                    }
                });
                if picked.is_some() {
                    ui.close();
                }
            });
        combo.response.widget_info(|| {
            let mut info = WidgetInfo::labeled(Role::ComboBox, true, self.name);
            info.current_text_value = Some(text.clone());
            info
        });
        picked
    }
}
