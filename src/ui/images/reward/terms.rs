//! The terms of the reward: which way, how strongly, of what.

use eframe::egui::{Align, Button, ComboBox, Label, Layout, RichText, Role, Ui, WidgetInfo, vec2};

use crate::reward::picture::{PictureKind, PictureTerm, WeightedTerm};
use crate::ui::images::shares::word;
use crate::ui::state::State;
use crate::ui::tokens::{self, size};
use crate::ui::widgets::{close_button, link, strength_row};

use super::{imagenet, prompt, reference};

/// Strengths on the slider, beside 0.
const STRENGTHS: (f64, f64) = (0.05, 50.0);
/// Classes that are listed; more are typed.
const LISTED: usize = 40;

/// Shows all terms.
pub fn show(ui: &mut Ui, state: &mut State) {
    let terms = state.session.images.rewarding.reward.terms().to_vec();
    for (index, term) in terms.iter().enumerate() {
        ui.push_id(("term", index), |ui| one(ui, state, index, term));
        ui.add_space(2.0);
    }
}

fn one(ui: &mut Ui, state: &mut State, index: usize, before: &WeightedTerm) {
    let kind = before.term.kind();
    let mut after = before.clone();
    let mut removed = false;
    ui.horizontal(|ui| {
        sign(ui, &mut after.negated, kind.title);
        let title = RichText::new(kind.title).color(tokens::palette(ui).text_strong);
        let hover = format!("{}\nAt strength 1, {}.", kind.what, kind.unit);
        ui.add(Label::new(title).truncate()).on_hover_text(hover);
        if !kind.gradient {
            let faint = tokens::palette(ui).text_faint;
            ui.label(RichText::new("no gradient").size(size::TICK).color(faint))
                .on_hover_text("It can be searched with, not followed.");
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            removed = close_button(ui, &format!("Remove {}", kind.title));
            argument(ui, state, &mut after.term);
        });
    });
    let name = format!("Strength of {}", kind.title);
    let taken = &mut state.arrows_taken;
    let (_, wanted) = strength_row(ui, &name, before.strength, STRENGTHS, taken);
    if let Some(strength) = wanted {
        after.strength = strength;
    }
    if let PictureTerm::Palette(colours) = &mut after.term {
        palette(ui, colours);
    }
    prompt::show(ui, &mut after.term);
    absent(ui, state, kind);
    let rewarding = &mut state.session.images.rewarding;
    if removed {
        // The terms below move up.
        state.images.mask = None;
        rewarding.edit(|terms| drop(terms.remove(index)));
        return;
    }
    if after != *before {
        rewarding.edit(|terms| terms[index] = after);
    }
    if kind.needs.reference {
        reference::show(ui, state, index);
    }
}

/// A file that the term needs and that is nowhere: said here and at once, not when a picture was to be scored.
fn absent(ui: &mut Ui, state: &mut State, kind: &PictureKind) {
    let Some(file) = state.missing_file(kind) else {
        return;
    };
    let note = tokens::palette(ui).note;
    let (what, from) = (file.what(), file.from());
    let text = match state.scorer_files().of(file) {
        Some(path) => {
            let path = path.display();
            format!("{path} is not there. Wanted is {what}; it comes {from}.")
        }
        None => format!("Not found: {what}. It comes {from}."),
    };
    ui.add(Label::new(RichText::new(text).size(size::SMALL).color(note)).wrap());
    if link(ui, "Point at it").clicked() {
        state.pick_scorer(file);
    }
}

/// More of it is better, or less.
fn sign(ui: &mut Ui, negated: &mut bool, title: &str) {
    let text = if *negated { "\u{2212}" } else { "+" };
    let button = Button::new(RichText::new(text).font(tokens::strong_font()));
    let response = ui
        .add(button.min_size(vec2(22.0, 20.0)))
        .on_hover_text(if *negated {
            "Less of it is better: click for more"
        } else {
            "More of it is better: click for less"
        });
    let on = *negated;
    response
        .widget_info(|| WidgetInfo::selected(Role::CheckBox, true, on, format!("Less of {title}")));
    if response.clicked() {
        *negated = !*negated;
    }
}

/// What stands after the name, where it is small: the class.
fn argument(ui: &mut Ui, state: &State, term: &mut PictureTerm) {
    let class = match term {
        PictureTerm::ImageNet(class) => return imagenet::class(ui, class),
        PictureTerm::Class(class) => class,
        _ => return,
    };
    let Some(model) = &state.images.model else {
        return;
    };
    let count = model.map.config().label_dim.min(LISTED);
    let name = word(&state.images.class_name(*class as usize));
    let combo = ComboBox::from_id_salt("class of the reward")
        .width(76.0)
        .selected_text(&name)
        .show_ui(ui, |ui| {
            for other in 0..count {
                let name = word(&state.images.class_name(other));
                ui.selectable_value(class, other as u32, name);
            }
        });
    combo.response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ComboBox, true, "Class of the reward");
        info.current_text_value = Some(name.clone());
        info
    });
}

/// The colours of a palette.
fn palette(ui: &mut Ui, colours: &mut Vec<[u8; 3]>) {
    let mut removed = None;
    ui.horizontal_wrapped(|ui| {
        for (index, colour) in colours.iter_mut().enumerate() {
            let response = ui.color_edit_button_srgb(colour);
            response.widget_info(|| {
                WidgetInfo::labeled(Role::ColorWell, true, format!("Colour {}", index + 1))
            });
            if response.secondary_clicked() {
                removed = Some(index);
            }
        }
        if colours.len() < 8 && link(ui, "more").clicked() {
            let last = colours.last().copied().unwrap_or([128; 3]);
            colours.push(last);
        }
        if colours.len() > 1 && link(ui, "fewer").clicked() {
            removed = Some(colours.len() - 1);
        }
    });
    if let Some(index) = removed.filter(|_| colours.len() > 1) {
        colours.remove(index);
    }
}
