//! What is rewarded in the pictures of the wall, and what the reward says of them.

mod add;
mod figures;
mod histogram;
mod imagenet;
mod mask;
mod prompt;
mod reference;
mod terms;

use eframe::egui::{Label, RichText, Ui};

pub use mask::MaskBrush;

use crate::ui::state::State;
use crate::ui::tokens::{self, size};
use crate::ui::widgets::{copy_link, section_with};

/// The terms, and what can be added: without what they say of the wall.
pub fn choose(ui: &mut Ui, state: &mut State) {
    ui.spacing_mut().item_spacing.y = 3.0;
    terms::show(ui, state);
    add::show(ui, state);
}

/// Whether a term needs a file that is nowhere.
fn misses_file(state: &mut State) -> bool {
    let terms = state.session.images.rewarding.reward.terms().to_vec();
    let mut kinds = terms.iter().map(|term| term.term.kind());
    kinds.any(|kind| state.missing_file(kind).is_some())
}

/// Shows the section.
pub fn section(ui: &mut Ui, state: &mut State) {
    let reward = &state.session.images.rewarding.reward;
    let text = (!reward.is_empty()).then(|| reward.to_string());
    let right = |ui: &mut Ui| {
        if let Some(text) = text {
            copy_link(ui, "copy as text", || text);
        }
    };
    section_with(ui, "Reward", right, |ui| {
        choose(ui, state);
        let Some(drawn) = state.images.view.drawn.clone() else {
            return;
        };
        // What was scored with a reward that is gone says nothing.
        if drawn.request.rewarding.reward.is_empty()
            || state.session.images.rewarding.reward.is_empty()
        {
            return;
        }
        match &drawn.rewarded {
            Some(Ok(scores)) => {
                ui.add_space(4.0);
                histogram::show(ui, scores);
                figures::show(ui, scores);
            }
            // What is not there was said of its term.
            Some(Err(_)) if misses_file(state) => {}
            Some(Err(message)) => {
                let color = tokens::palette(ui).error;
                let text = RichText::new(message).size(size::SMALL).color(color);
                ui.add(Label::new(text).wrap());
            }
            None => {}
        }
    });
}
