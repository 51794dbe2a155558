//! A picture enlarged beside the pointer, with the base of the same noise.

use eframe::egui::{Id, Rect, RichText, Sense, Tooltip, Ui, vec2};

use crate::ui::format;
use crate::ui::images::hover::bar;
use crate::ui::images::shares::word;
use crate::ui::shortcuts::{Action, keys_of};
use crate::ui::state::State;
use crate::ui::tokens::{self, size};

/// Points of each picture.
const LARGE: f32 = 148.0;
/// Classes that are listed.
const LISTED: usize = 3;

/// Shows the picture of a row and a particle beside `rect`.
pub fn show(ui: &Ui, state: &State, (row, particle): (usize, usize), rect: Rect) {
    let palette = tokens::palette(ui);
    let rows = state.shown_rows();
    let title = |row: usize| rows.get(row).map_or("", |row| row.title.as_str());
    let both: Vec<usize> = if row == 0 { vec![0] } else { vec![0, row] };
    let parent = Id::unique("studio enlarged");
    Tooltip::always_open(ui.ctx().clone(), ui.layer_id(), parent, rect)
        .gap(8.0)
        .width(LARGE * both.len() as f32 + 10.0)
        .show(|ui| {
            ui.horizontal_top(|ui| {
                for row in both {
                    ui.vertical(|ui| {
                        ui.set_width(LARGE);
                        let (large, _) = ui.allocate_exact_size(vec2(LARGE, LARGE), Sense::hover());
                        if let Some((texture, uv)) = state.images.studio.view.place(row, particle) {
                            ui.painter()
                                .image(texture, large, uv, tokens::coverage(1.0));
                        }
                        ui.label(
                            RichText::new(title(row))
                                .font(tokens::strong_font())
                                .color(palette.text_strong),
                        );
                        figures(ui, state, (row, particle));
                    });
                }
            });
            let keep = keys_of(ui.ctx(), Action::Keep);
            let hint = format!("double click goes on from it noised again · {keep} keeps it");
            ui.label(
                RichText::new(hint)
                    .size(size::TICK)
                    .color(palette.text_faint),
            );
        });
}

/// Reward of one picture, and what the classifier says of it once it is finished.
fn figures(ui: &mut Ui, state: &State, (row, particle): (usize, usize)) {
    let Some((run, frame)) = state.studio_frame(row) else {
        return;
    };
    ui.label(RichText::new(value(run, frame, particle)).size(size::SMALL));
    let classes = run.judged.as_ref().filter(|_| frame.t >= 1.0);
    if let Some(judged) = classes {
        let classes = judged.classes.max(1);
        let probabilities = judged.probabilities.chunks_exact(classes).nth(particle);
        let mut listed: Vec<(usize, f32)> = probabilities
            .unwrap_or_default()
            .iter()
            .copied()
            .enumerate()
            .collect();
        listed.sort_by(|a, b| b.1.total_cmp(&a.1));
        for (class, probability) in listed.into_iter().take(LISTED) {
            bar(ui, &word(&state.images.class_name(class)), probability);
        }
    }
}

/// `reward 2.31`, or on the way `value 1.80 at t = 0.420`.
pub fn value(
    run: &crate::engine::StudioRun,
    frame: &crate::steer::images::ImageFrame,
    particle: usize,
) -> String {
    let reward = run.rewards.get(particle).filter(|_| frame.t >= 1.0);
    match (reward, frame.values.get(particle)) {
        (Some(reward), _) => format!("reward {}", format::fixed(*reward, 2)),
        (None, Some(value)) => format!("value {} at t = {:.3}", format::fixed(*value, 2), frame.t),
        _ => String::new(),
    }
}
