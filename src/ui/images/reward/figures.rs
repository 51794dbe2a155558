//! What the reward says of the wall in numbers, and whether it is exploited.

use eframe::egui::{Label, RichText, Ui};

use crate::engine::{SecondScore, WallScores};
use crate::ui::format;
use crate::ui::tokens::{self, size};
use crate::ui::widgets::value_row;

/// Shows the figures.
pub fn show(ui: &mut Ui, scores: &WallScores) {
    ui.spacing_mut().item_spacing.y = 2.0;
    let figures = &scores.figures;
    let spread = |value: f64, error: f64| {
        format!("{} ± {}", format::fixed(value, 2), format::fixed(error, 2))
    };
    row(
        ui,
        "mean",
        spread(figures.mean, figures.deviation),
        "Mean and standard deviation of the reward over the draws.",
    );
    row(
        ui,
        "value",
        spread(figures.value, figures.value_error),
        "ln mean exp r over the draws: an estimate of the value of the state, with its standard error. Few draws in effect make it too low.",
    );
    row(
        ui,
        "draws in effect",
        format!(
            "{} of {}",
            format::fixed(figures.ess, 1),
            format::count(figures.count as u64)
        ),
        "Effective sample size of the weights exp r: how many of the draws the value rests on.",
    );
    if let Some(second) = &scores.second {
        second_score(ui, second);
    }
}

fn row(ui: &mut Ui, name: &str, value: String, hover: &str) {
    let response = ui.scope(|ui| value_row(ui, name, value)).response;
    response.on_hover_text(hover);
}

/// The second score of all draws and of those with the most reward, and a warning where it falls.
fn second_score(ui: &mut Ui, second: &SecondScore) {
    let decimals = if second.error < 0.1 { 3 } else { 1 };
    let [all, best] = [second.all, second.best].map(|v| format::fixed(v, decimals));
    let hover = format!(
        "A second score that the reward does not know: mean over all draws, then over the quarter with the most reward. {}",
        second.kind.what()
    );
    // Thin spaces: with wide ones it does not fit the row.
    let both = format!("{all}\u{2009}→\u{2009}{best}");
    row(ui, second.kind.name(), both, &hover);
    if second.falls() {
        let note = tokens::palette(ui).note;
        let text = format!(
            "Where the reward is largest the draws are less {}: the reward may be exploited rather than met.",
            second.kind.name()
        );
        let text = RichText::new(text).size(size::SMALL).color(note);
        ui.add(Label::new(text).wrap());
    }
}
