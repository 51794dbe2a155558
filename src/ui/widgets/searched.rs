//! A list with search: one of many names.

use eframe::egui::{
    Align, ComboBox, Id, Key, PopupCloseBehavior, Role, ScrollArea, TextEdit, Ui, WidgetInfo,
};

/// Height of the list, and its least width.
const HEIGHT: f32 = 280.0;
const WIDTH: f32 = 220.0;

/// A list that opens below its button; what is typed then narrows it, and Enter takes the first that is left.
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

/// What is searched for while the list is open.
#[derive(Clone)]
struct Search {
    text: String,
    /// The pass of the window in which the list was last shown.
    shown: u64,
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
                let kept: Option<Search> = ui.data(|data| data.get_temp(id));
                // A list that was closed begins anew.
                let pass = ui.ctx().cumulative_pass_nr();
                let kept = kept.filter(|search| pass.saturating_sub(search.shown) <= 1);
                let is_new = kept.is_none();
                let mut search = kept.map_or_else(String::new, |search| search.text);
                let edit = ui.add(TextEdit::singleline(&mut search).hint_text("search"));
                if is_new {
                    edit.request_focus();
                }
                let is_entered = edit.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
                let text = search.clone();
                ui.data_mut(|data| data.insert_temp(id, Search { text, shown: pass }));
                let search = search.to_lowercase();
                let mut found = None;
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
                        found = found.or(Some(item));
                        let is_chosen = self.chosen == Some(item);
                        let response = ui.selectable_label(is_chosen, name);
                        if is_new && is_chosen {
                            response.scroll_to_me(Some(Align::Center));
                        }
                        if response.clicked() {
                            picked = Some(Picked(Some(item)));
                        }
                    }
                    if found.is_none() {
                        ui.weak("None has this in its name.");
                    }
                });
                if is_entered && !search.is_empty() && found.is_some() {
                    picked = Some(Picked(found));
                }
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

#[cfg(test)]
mod tests {
    use egui_kittest::Harness;
    use egui_kittest::kittest::Queryable as _;

    use super::*;

    #[test]
    fn what_is_typed_narrows_the_list_and_enter_takes_the_first() {
        let show = |ui: &mut Ui, chosen: &mut Option<u32>| {
            let list = Searched {
                name: "Class",
                width: 120.0,
                none: Some("any"),
                chosen: *chosen,
            };
            let names = ["tench", "red fox", "grey fox", "cock"];
            if let Some(Picked(picked)) = list.show(ui, names.len(), &|item| names[item].to_owned())
            {
                *chosen = picked;
            }
        };
        let mut window = Harness::new_ui_state(show, Some(3));
        window.run();
        let open = |window: &mut Harness<'_, Option<u32>>| {
            let list = window.get_by_role_and_label(Role::ComboBox, "Class");
            list.click_accesskit();
            window.run();
        };
        open(&mut window);
        let kind = |text: &str| eframe::egui::Event::Text(text.to_owned());
        window.event(kind("FOX"));
        window.run();
        assert!(window.query_by_label("tench").is_none());
        window.key_press(Key::Enter);
        window.run();
        assert_eq!(*window.state(), Some(1));
        assert!(window.query_by_label("grey fox").is_none(), "it is closed");
        open(&mut window);
        window.get_by_label("tench");
        window.event(kind("dog"));
        window.run();
        window.get_by_label("None has this in its name.");
        window.key_press(Key::Enter);
        window.run();
        assert_eq!(*window.state(), Some(1), "nothing was found");
    }
}
