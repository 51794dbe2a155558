//! The list of everything that can be rewarded.

use eframe::egui::{
    Align2, AtomExt as _, Button, ComboBox, Label, RichText, Role, Ui, WidgetInfo, vec2,
};

use crate::reward::picture::{PictureKind, PictureReward, PictureTerm, ScorerFile};
use crate::session::{FreePart, StoredPicture, StoredReference};
use crate::ui::state::State;
use crate::ui::tokens::{self, size};
use crate::ui::widgets::link;

/// Width of the list, and of the names in it.
const LIST: f32 = 650.0;
const NAMES: f32 = 148.0;
/// Height of the list, at most.
const HEIGHT: f32 = 480.0;

/// Shows the list while it is open.
pub fn show(ui: &mut Ui, state: &mut State) {
    let full = state.session.images.rewarding.reward.terms().len() >= PictureReward::MAX_TERMS;
    let empty = state.session.images.rewarding.reward.is_empty();
    let text = if empty { "Add a reward" } else { "Add another" };
    let quiet = tokens::palette(ui).text_quiet;
    let width = ui.available_width();
    let (mut chosen, mut pointed) = (None, None);
    ui.add_enabled_ui(!full, |ui| {
        let combo = ComboBox::from_id_salt("add reward")
            .width(width)
            .height(HEIGHT)
            .selected_text(RichText::new(text).color(quiet))
            .show_ui(ui, |ui| {
                ui.set_width(LIST);
                ui.spacing_mut().item_spacing.y = 1.0;
                for kind in PictureKind::ALL {
                    let reason = missing(state, kind);
                    let file = state.missing_file(kind).filter(|_| reason.is_none());
                    if let Some(file) = file {
                        entry(ui, kind, Some(&format!("Needs {}.", file.what())));
                        if absent(ui, file) {
                            pointed = Some(file);
                        }
                    } else if entry(ui, kind, reason.as_deref()) {
                        chosen = Some(kind);
                    }
                }
            });
        combo
            .response
            .widget_info(|| WidgetInfo::labeled(Role::ComboBox, !full, "Add a reward"));
    });
    if let Some(file) = pointed {
        state.pick_scorer(file);
    }
    if let Some(kind) = chosen {
        let term = match kind.usual() {
            // Of the picture's own class, where it has one.
            PictureTerm::Class(_) => PictureTerm::Class(state.session.images.class.unwrap_or(0)),
            other => other,
        };
        let reference = behind(state);
        state.session.images.rewarding.add(term, reference);
    }
}

/// The picture behind `x_t`, as a reference.
pub fn behind(state: &State) -> Option<StoredReference> {
    let [c, h, _] = state.images.view.shape();
    let picture = StoredPicture::from_bytes(c as u32, h as u32, &state.clean_bytes())?;
    Some(StoredReference {
        picture,
        from: "the picture behind x_t".to_owned(),
        free: FreePart::default(),
    })
}

/// Why a kind cannot be rewarded here, if it cannot.
fn missing(state: &State, kind: &PictureKind) -> Option<String> {
    let drawn = state.images.view.drawn.as_ref();
    let judged = drawn.is_none_or(|drawn| drawn.figures.judged.is_some());
    let [channels, side, _] = state.images.view.shape();
    let grey = channels == 1;
    if kind.needs.colour && grey {
        Some("These pictures are grey.".to_owned())
    } else if kind.needs.judge && !judged {
        Some("There is no classifier for these pictures.".to_owned())
    } else if side < kind.needs.side {
        let least = kind.needs.side;
        Some(format!(
            "These pictures are smaller than {least} x {least}."
        ))
    } else {
        None
    }
}

/// Where a file comes from that is not here. Whether the person wants to point at it.
fn absent(ui: &mut Ui, file: ScorerFile) -> bool {
    ui.horizontal(|ui| {
        let spacing = ui.spacing();
        ui.add_space(NAMES + spacing.button_padding.x + spacing.item_spacing.x);
        let from = format!("Not found. It comes {}.", file.from());
        let faint = tokens::palette(ui).text_faint;
        let hover = format!("Choose {}", file.what());
        let response = link(ui, "point at it").on_hover_text(hover);
        let from = RichText::new(from).size(size::TICK).color(faint);
        ui.add(Label::new(from).truncate());
        response.clicked()
    })
    .inner
}

/// One kind: its name, what it rewards. Whether it was chosen.
fn entry(ui: &mut Ui, kind: &PictureKind, missing: Option<&str>) -> bool {
    let palette = tokens::palette(ui);
    // The line itself may be cut off.
    let mut hover = format!("{}\n{}.", kind.what, kind.unit);
    if !kind.gradient {
        hover += " It has no gradient: it can be searched with, not followed.";
    }
    let name = kind.title.atom_size(vec2(NAMES, size::BODY + 3.0));
    let name = name.atom_align(Align2::LEFT_CENTER);
    let what = RichText::new(kind.what)
        .size(size::SMALL)
        .color(palette.text_quiet);
    let what = what.atom_grow(true).atom_shrink(true);
    let what = what.atom_align(Align2::LEFT_CENTER);
    let button = Button::selectable(false, (name, what))
        .truncate()
        .min_size(vec2(ui.available_width(), 0.0));
    let possible = missing.is_none();
    let response = ui.add_enabled(possible, button);
    // What it rewards is no part of its name.
    response.widget_info(|| WidgetInfo::labeled(Role::Button, possible, kind.title));
    let greyed = format!("{}\n{}", kind.what, missing.unwrap_or_default());
    response
        .on_hover_text(hover)
        .on_disabled_hover_text(greyed)
        .clicked()
}
