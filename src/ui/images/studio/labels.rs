//! Left of each row: what it is, its reward and what it cost.

use std::fmt::Write as _;

use eframe::egui::text::{LayoutJob, TextWrapping};
use eframe::egui::{Align2, Color32, FontId, Painter, Pos2, Rect, Sense, Ui, pos2, vec2};

use crate::engine::{Slot, StudioRow, StudioRun};
use crate::metrics::Counters;
use crate::ui::format;
use crate::ui::state::State;
use crate::ui::tokens::{self, Palette, size};

/// Width of the labels.
pub const WIDTH: f32 = 158.0;
/// Height of a line.
const LINE: f32 = 16.0;

/// Mean of what is finite, and its standard error where there are two or more.
pub fn mean(values: &[f64]) -> Option<(f64, Option<f64>)> {
    let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    let n = finite.len() as f64;
    if finite.is_empty() {
        return None;
    }
    let mean = finite.iter().sum::<f64>() / n;
    let square: f64 = finite.iter().map(|v| (v - mean).powi(2)).sum();
    let error = (finite.len() > 1).then(|| (square / (n - 1.0) / n).sqrt());
    Some((mean, error))
}

/// `2.31 ± 0.20`.
fn figure(values: &[f64]) -> Option<String> {
    let (mean, error) = mean(values)?;
    // As many digits as have room.
    let decimals = if mean.abs() < 9.95 { 2 } else { 1 };
    let mean = format::fixed(mean, decimals);
    Some(match error {
        Some(error) => format!("{mean} ± {}", format::fixed(error, decimals)),
        None => mean,
    })
}

/// The reward of a finished row, or what the method reckons on the way.
pub fn reward(run: &StudioRun, at_end: bool, values: &[f64]) -> (String, &'static str) {
    if at_end && run.done && !run.rewards.is_empty() {
        let text = figure(&run.rewards).unwrap_or_else(|| "none".into());
        return (
            format!("reward {text}"),
            "Mean over the pictures and its standard error, at the strength that was asked for",
        );
    }
    let text = figure(values).unwrap_or_else(|| "none".into());
    (
        format!("value {text}"),
        "What the method reckons: for draws the log-mean-exp of their rewards, else the reward of the mean",
    )
}

fn calls(counters: Counters, pictures: usize) -> String {
    let each = counters.total() as f64 / pictures.max(1) as f64;
    format::counted(each.round() as u64, "evaluation")
}

/// Shows a row's label.
pub fn show(ui: &mut Ui, state: &State, row: Option<&StudioRow>, index: usize, area: Rect) {
    let palette = tokens::palette(ui);
    let response = ui.interact(
        area,
        ui.scope_id().with(("studio row", index)),
        Sense::hover(),
    );
    let Some(row) = row else { return };
    let mut lines: Vec<(String, FontId, Color32)> = Vec::new();
    // Writing to a string never fails.
    let mut hover = row.hover.clone();
    if let Some((run, frame)) = state.studio_frame(index) {
        let (text, meaning) = reward(run, frame.t >= 1.0, &frame.values);
        lines.push((text, tokens::small_font(), palette.text));
        lines.push((
            calls(frame.counters, frame.len()),
            FontId::proportional(size::TICK),
            palette.text_quiet,
        ));
        let c = frame.counters;
        let _ = write!(
            hover,
            "\n{meaning}.\nAsked for until here, all pictures together: {} network forward, {} backward, {} rewards, {} reward gradients.",
            format::count(c.network_forward),
            format::count(c.network_backward),
            format::count(c.reward),
            format::count(c.reward_gradient),
        );
        if let Some(share) = labelled(state, run, frame.t >= 1.0) {
            lines.push((share, FontId::proportional(size::TICK), palette.text_quiet));
        }
        if let Some((text, color)) = second(state, run, index, frame.t >= 1.0, palette) {
            let font = FontId::proportional(size::TICK);
            lines.push((text, font, color));
        }
        if let Some(kind) = run.second_kind {
            let _ = write!(hover, "\n{}: {}", kind.name(), kind.what());
        }
        if !run.done {
            let text = format!("{:.0} %", 100.0 * run.fraction);
            lines.push((text, FontId::proportional(size::TICK), palette.text_faint));
        }
    } else if let Some(run) = unseen(state, index) {
        // With a large map this takes a while.
        let text = format!("first step, {:.1} %", 100.0 * run.fraction);
        lines.push((text, FontId::proportional(size::TICK), palette.text_quiet));
    }
    if let Some(warning) = row.warning {
        let _ = write!(hover, "\n\nNote: {warning}.");
    }
    let title_color = if index == 0 {
        palette.text_quiet
    } else {
        tokens::method_color(palette, index - 1)
    };
    let fits = ((area.height() / LINE) as usize).max(1);
    lines.truncate(fits.saturating_sub(1));
    let height = (lines.len() + 1) as f32 * LINE;
    let mut at: Pos2 = pos2(area.left(), area.center().y - height / 2.0);
    let painter = ui.painter().with_clip_rect(area);
    let swatch = Rect::from_min_size(at + vec2(0.0, 3.0), vec2(3.0, LINE - 5.0));
    painter.rect_filled(swatch, 1.0, title_color);
    let title = if row.warning.is_some() {
        format!("{} !", row.title)
    } else {
        row.title.clone()
    };
    let ink = palette.text_strong;
    elided(&painter, area, (at.y, title, tokens::strong_font(), ink));
    for (text, font, color) in lines {
        at.y += LINE;
        elided(&painter, area, (at.y + 1.0, text, font, color));
    }
    response.on_hover_text(hover);
}

/// A run under way of which there is nothing to see yet.
fn unseen(state: &State, index: usize) -> Option<&StudioRun> {
    let answer = state.images.studio.answer.as_ref()?;
    let run = answer.panels.get(index)?;
    (!run.done && state.is_waiting(Slot::Studio)).then_some(run)
}

/// A line as far as it has room.
fn elided(painter: &Painter, area: Rect, (y, text, font, color): (f32, String, FontId, Color32)) {
    let left = area.left() + 9.0;
    let mut job = LayoutJob::simple_singleline(text, font, color);
    job.wrap = TextWrapping::truncate_at_width(area.right() - left);
    let galley = painter.layout_job(job);
    painter.galley(pos2(left, y), galley, color);
}

/// A score that the reward does not know, and its colour: a warning where the reward rose and it clearly fell.
fn second(
    state: &State,
    run: &StudioRun,
    index: usize,
    at_end: bool,
    palette: &Palette,
) -> Option<(String, Color32)> {
    let kind = run.second_kind.filter(|_| at_end)?;
    let text = format!("{} {}", kind.name(), figure(&run.second)?);
    let base = state.images.studio.answer.as_ref()?.panels.first()?;
    Some(if index > 0 && run.exploits(base) {
        (format!("{text}, fell"), palette.note)
    } else {
        (text, palette.text_quiet)
    })
}

/// The commonest class of the finished pictures.
fn labelled(state: &State, run: &StudioRun, at_end: bool) -> Option<String> {
    let judged = run.judged.as_ref().filter(|_| at_end)?;
    let shares = judged.label_shares();
    let best = shares
        .iter()
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(b.1))?;
    let name = crate::ui::images::shares::word(&state.images.class_name(best.0));
    Some(format!("{} {name}", format::percent(*best.1)))
}

/// Why a row has no pictures, in their place.
pub fn trouble(ui: &mut Ui, text: &str, area: Rect) {
    let palette = tokens::palette(ui);
    let galley = ui.painter().layout(
        text.to_owned(),
        tokens::small_font(),
        palette.error,
        area.width() - 20.0,
    );
    let place = Align2::LEFT_CENTER.align_size_within_rect(galley.size(), area.shrink(10.0));
    ui.painter()
        .rect_filled(area, 4.0, tokens::faded(palette.error, 0.07));
    ui.painter().galley(place.min, galley, palette.error);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_says_how_sure_it_is_where_it_can() {
        assert_eq!(mean(&[]), None);
        assert_eq!(mean(&[2.0, f64::NAN]), Some((2.0, None)));
        let (mean, error) = mean(&[1.0, 3.0]).unwrap();
        assert_eq!(mean, 2.0);
        assert!((error.unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(figure(&[1.0, 3.0]).unwrap(), "2.00 ± 1.00");
    }
}
