//! Above the middle: what it shows, who says so, how pictures are painted, and ways to files.

use eframe::egui::{self, Align, Button, Layout, RichText, Role, Stroke, Ui, WidgetInfo, vec2};

use crate::engine::{PictureView, ShownAs, StudioRun};
use crate::session::Middle;
use crate::steer::images::ImageFrame;
use crate::ui::shortcuts::{Action, keys_of};
use crate::ui::state::State;
use crate::ui::tokens::{self, size};
use crate::ui::widgets::{Badge, badge};

use super::export;

/// Shows the row.
pub fn show(ui: &mut Ui, state: &mut State) {
    ui.horizontal(|ui| {
        ui.set_min_height(size::CONTROL);
        ui.spacing_mut().item_spacing.x = 12.0;
        tabs(ui, state);
        ui.add_space(8.0);
        title(ui, state);
        who(ui, state);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 3.0;
            export::menu(ui, state);
            let keys = keys_of(ui.ctx(), Action::DrawStyle);
            let smooth = &mut state.session.images.smooth;
            ui.toggle_value(smooth, RichText::new("smooth").size(size::SMALL))
                .on_hover_text(format!("Smooth the pixels as they are enlarged  {keys}"));
        });
    });
}

/// From how many points on the Studio's title has room beside what stands right of it, and what the way latents are shown
/// takes besides.
const TITLE_FROM: f32 = 500.0;
const SHOWN_AS: f32 = 160.0;

/// What the Studio's rows have in common, where there is room to say it.
fn title(ui: &mut Ui, state: &State) {
    let is_latent = state
        .images
        .model
        .as_ref()
        .is_some_and(|m| m.view.is_latent());
    let wanted = TITLE_FROM + if is_latent { SHOWN_AS } else { 0.0 };
    if !state.is_studio() || ui.available_width() < wanted {
        return;
    }
    let text = RichText::new("Steered from the same noise").font(tokens::heading_font());
    ui.label(text.color(tokens::palette(ui).text_strong));
}

/// Chooses what the middle shows.
fn tabs(ui: &mut Ui, state: &mut State) {
    for (middle, name, hover) in [
        (
            Middle::Wall,
            "Wall",
            "Everything that a half-formed picture could still become",
        ),
        (
            Middle::Studio,
            "Studio",
            "Steer pictures toward a reward, beside the same noise unsteered",
        ),
        (
            Middle::Gallery,
            "Gallery",
            "Everything that was made and kept, with its settings",
        ),
        (
            Middle::Diversity,
            "Diversity",
            "How different the draws are, against t",
        ),
    ] {
        tab(ui, state, middle, (name, hover));
    }
}

fn tab(ui: &mut Ui, state: &mut State, middle: Middle, (name, hover): (&str, &str)) {
    let palette = tokens::palette(ui);
    let chosen = state.session.images.middle == middle;
    let color = if chosen {
        palette.text_strong
    } else {
        palette.text_faint
    };
    let text = RichText::new(name)
        .font(tokens::heading_font())
        .color(color);
    let response = ui.add(
        Button::new(text)
            .frame(false)
            .min_size(vec2(0.0, size::CONTROL)),
    );
    response.widget_info(|| WidgetInfo::selected(Role::Tab, true, chosen, name));
    if chosen {
        let rect = response.rect;
        let y = rect.bottom() - 1.0;
        let stroke = Stroke::new(2.0, palette.learned);
        ui.painter().hline(rect.x_range(), y, stroke);
    }
    if response
        .on_hover_text(hover)
        .on_hover_cursor(egui::CursorIcon::PointingHand)
        .clicked()
    {
        state.session.images.middle = middle;
    }
}

fn who(ui: &mut Ui, state: &State) {
    let Some(model) = &state.images.model else {
        return;
    };
    let name = model.name.trim_end_matches(".safetensors").to_owned();
    let text = format!("learned · {}", model.short_hash());
    let color = tokens::palette(ui).learned;
    let hover = if state.is_studio() {
        format!("Moved and drawn by {name}")
    } else {
        format!("Draws of {name}, {}", state.session.images.source)
    };
    badge(ui, &Badge { text, color, hover });
    shown_as(ui, state);
}

/// What the pictures are where the map makes latents.
fn shown_as(ui: &mut Ui, state: &State) {
    let Some(model) = state.images.model.as_ref().filter(|m| m.view.is_latent()) else {
        return;
    };
    let (text, hover) = match state.session.images.middle {
        Middle::Studio => in_studio(state, &model.view),
        Middle::Wall => on_wall(state, &model.view),
        Middle::Gallery | Middle::Diversity => said(model.view.seen()),
    };
    let color = tokens::palette(ui).text_quiet;
    badge(ui, &Badge { text, color, hover });
}

fn said(shown: ShownAs) -> (String, String) {
    let (text, hover) = match shown {
        ShownAs::FalseColours => (
            "false colours",
            "Three of a latent's numbers as red, green and blue: not what it looks like. A decoder, in the section Map at the right, shows that",
        ),
        ShownAs::Preview => (
            "preview",
            "By the small decoder: colours and shapes are right, fine detail is not",
        ),
        ShownAs::Decoded | ShownAs::Pixels => ("decoded", "Latents, decoded by the autoencoder"),
    };
    (text.to_owned(), hover.to_owned())
}

fn on_wall(state: &State, view: &PictureView) -> (String, String) {
    let answer = state.images.view.drawn.as_ref();
    let Some(answer) = answer.filter(|answer| answer.decoded < answer.len()) else {
        return said(view.seen());
    };
    let (text, hover) = said(view.seen_at_once());
    let count = answer.len() - answer.decoded;
    (
        format!("{text} · {count} to decode"),
        format!("{hover}. The rest is decoded one by one"),
    )
}

/// Finished pictures are decoded; steps before them as soon as can be.
fn in_studio(state: &State, view: &PictureView) -> (String, String) {
    let set = &state.session.images.studio;
    let Some(answer) = &state.images.studio.answer else {
        return said(view.seen());
    };
    let at = |run: &StudioRun| ImageFrame::at(&run.frames, set.t).map(|(number, _)| number);
    let is_previewed = |run: &StudioRun| at(run).is_some_and(|n| run.preview_of(n).is_some());
    let is_finished = |run: &StudioRun| run.done && at(run) == run.frames.len().checked_sub(1);
    if set.states {
        said(ShownAs::FalseColours)
    } else if answer.panels.iter().any(is_previewed) {
        (
            "preview at half size".to_owned(),
            "Decoded at half the resolution while it runs; the finished pictures are decoded whole"
                .to_owned(),
        )
    } else if answer.panels.iter().all(is_finished) {
        said(view.seen())
    } else {
        said(view.seen_at_once())
    }
}
