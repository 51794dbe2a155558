//! Which of ImageNet's classes a term rewards: a list with search.

use eframe::egui::Ui;

use crate::reward::picture::{IMAGENET_CLASSES, imagenet_class_name};
use crate::ui::widgets::{Picked, Searched};

/// Shows the class; changes it where another is chosen.
pub fn class(ui: &mut Ui, class: &mut u32) {
    let list = Searched {
        name: "ImageNet class of the reward",
        width: 84.0,
        none: None,
        chosen: Some(*class),
    };
    let name = |class: usize| {
        let name = imagenet_class_name(class as u32);
        name.unwrap_or("none").to_owned()
    };
    if let Some(Picked(Some(picked))) = list.show(ui, IMAGENET_CLASSES as usize, &name) {
        *class = picked;
    }
}
