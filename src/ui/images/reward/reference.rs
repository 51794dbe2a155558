//! The picture that a term refers to, and which part of it is left free.

use eframe::egui::{ComboBox, Label, Rect, RichText, Role, Sense, Ui, WidgetInfo, vec2};

use crate::session::{FreePart, StoredReference};
use crate::ui::images::atlas::whole;
use crate::ui::images::plates::THUMBNAIL;
use crate::ui::state::State;
use crate::ui::tokens::{self, size};
use crate::ui::widgets::link;

use super::add::behind;
use super::mask;

/// Shows the picture of term `index` and where another may come from.
pub fn show(ui: &mut Ui, state: &mut State, index: usize) {
    let rewarding = &state.session.images.rewarding;
    let Some(term) = rewarding.reward.terms().get(index).map(|t| t.term.clone()) else {
        return;
    };
    let current = rewarding.reference_of(&term).cloned();
    let masked = term.kind().needs.mask;
    let mut chosen = None;
    ui.horizontal(|ui| {
        let (rect, response) = ui.allocate_exact_size(vec2(THUMBNAIL, THUMBNAIL), Sense::hover());
        let from = current.as_ref().map_or("none", |r| r.from.as_str());
        response.widget_info(|| {
            WidgetInfo::labeled(Role::Image, true, format!("Reference picture, {from}"))
        });
        if let Some(reference) = &current {
            thumbnail(ui, state, reference, rect.shrink(1.0), masked);
        }
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            let quiet = tokens::palette(ui).text_quiet;
            let text = current
                .as_ref()
                .map_or("no picture yet", |r| r.from.as_str());
            ui.add(Label::new(RichText::new(text).size(size::SMALL).color(quiet)).truncate());
            ui.horizontal_wrapped(|ui| chosen = sources(ui, state));
            if masked && let Some(reference) = &current {
                let free = free_part(ui, &reference.free);
                mask::link(ui, state, index);
                if let Some(free) = free {
                    chosen = Some(StoredReference {
                        free,
                        ..reference.clone()
                    });
                }
            }
        });
    });
    if let Some(reference) = chosen {
        state.session.images.rewarding.refer(index, reference);
    }
    if masked {
        mask::show(ui, state, index);
    }
}

/// Pictures that can be taken.
fn sources(ui: &mut Ui, state: &State) -> Option<StoredReference> {
    let mut chosen = None;
    let clean =
        link(ui, "behind x_t").on_hover_text("Take the picture behind the state as it is now");
    if clean.clicked() {
        chosen = behind(state);
    }
    let selected = state.session.images.selected;
    if let Some(item) = selected
        && link(ui, "selected")
            .on_hover_text("Take the selected draw of the wall")
            .clicked()
    {
        chosen = state.picture_of(item).map(|picture| StoredReference {
            picture,
            from: format!("draw {item} at t = {:.3}", state.session.images.t),
            free: FreePart::default(),
        });
    }
    let kept = state.session.images.kept.iter().rev().find(|k| k.starred);
    if let Some(kept) = kept
        && link(ui, "kept")
            .on_hover_text("Take the picture that was kept last")
            .clicked()
    {
        chosen = Some(StoredReference {
            picture: kept.picture.clone(),
            from: format!("kept draw {} of t = {:.3}", kept.item, kept.t),
            free: FreePart::default(),
        });
    }
    chosen
}

/// Which part is left free; another one, if it was chosen.
fn free_part(ui: &mut Ui, free: &FreePart) -> Option<FreePart> {
    let mut now = free.clone();
    let combo = ComboBox::from_id_salt("free part")
        .width(120.0)
        .selected_text(RichText::new(format!("free: {}", free.name())).size(size::SMALL))
        .show_ui(ui, |ui| {
            for part in FreePart::ALL {
                let name = part.name();
                ui.selectable_value(&mut now, part, name);
            }
        });
    combo.response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ComboBox, true, "Part that is left free");
        info.current_text_value = Some(free.name().to_owned());
        info
    });
    combo
        .response
        .on_hover_text("Anything may come there; the rest is kept");
    (now != *free).then_some(now)
}

/// The picture, what is free of it veiled.
fn thumbnail(ui: &Ui, state: &mut State, reference: &StoredReference, rect: Rect, masked: bool) {
    let smooth = state.session.images.smooth;
    let texture = state.images.view.kept(ui.ctx(), &reference.picture, smooth);
    let painter = ui.painter();
    painter.image(texture, rect, whole(), tokens::coverage(1.0));
    if masked {
        mask::veil(ui, &reference.free, rect);
    }
}
