//! Curves of runs that learn pictures.

use eframe::egui::Color32;

use crate::engine::{PictureLosses, PicturePoint, PictureReport};
use crate::train::StepLoss;
use crate::ui::steering::scores::chart::{Level, Scale, Series};
use crate::ui::tokens::Palette;

use super::curves::{Panel, series};

/// Both plots.
pub(super) fn panels(report: &PictureReport, palette: &Palette) -> [Panel; 2] {
    if report.goal.tuning().is_some() {
        [errors(report, palette), rewards(report, palette)]
    } else {
        [losses(report, palette), classes(report, palette)]
    }
}

fn line(
    report: &PictureReport,
    (name, color): (&str, Color32),
    value: impl Fn(&PicturePoint) -> Option<f64>,
) -> Series {
    let points = report.curve.iter();
    let points = points.filter_map(|p| Some([p.step as f64, value(p)?]));
    let points = points.filter(|p| p[1].is_finite()).collect();
    series(name, color, false, points)
}

fn map_loss(point: &PicturePoint) -> Option<StepLoss> {
    match point.loss {
        PictureLosses::Map(loss) => Some(loss),
        PictureLosses::Tuned(_) => None,
    }
}

fn losses(report: &PictureReport, palette: &Palette) -> Panel {
    let positive = |v: f64| (v > 0.0).then_some(v);
    Panel {
        title: "Losses, mean squared error",
        hover: "Of velocities, and of jumps against what they must agree with. Jumps are learned after a third of the steps: what they are taught comes from the velocities.",
        scale: Scale::Log,
        series: vec![
            line(report, ("velocities", palette.learned), |p| {
                positive(map_loss(p)?.diagonal)
            }),
            line(report, ("jumps", palette.overlay), |p| {
                positive(map_loss(p)?.consistency)
            }),
        ],
        floor: Vec::new(),
        levels: Vec::new(),
    }
}

fn classes(report: &PictureReport, palette: &Palette) -> Panel {
    let entropy = |grid: &crate::engine::PictureGrid| grid.figures.entropy;
    let real = report.beside.as_ref().and_then(|grid| entropy(grid));
    Panel {
        title: "Variety of classes, bits",
        hover: "Entropy of what the classifier sees in the pictures shown above, where there is a classifier of such pictures. Real ones of every class have the most.",
        scale: Scale::Linear,
        series: vec![line(report, ("learned", palette.learned), |p| p.entropy)],
        floor: Vec::new(),
        levels: level("real pictures", real, palette.text_faint)
            .into_iter()
            .collect(),
    }
}

fn errors(report: &PictureReport, palette: &Palette) -> Panel {
    let maximises = report
        .goal
        .tuning()
        .is_some_and(|t| t.recipe.objective == crate::train::finetune::Objective::Maximise);
    let error = |p: &PicturePoint| match p.loss {
        PictureLosses::Tuned(loss) => Some(loss.error),
        PictureLosses::Map(_) => None,
    };
    Panel {
        title: if maximises {
            "Reward at its ends, negated"
        } else {
            "Error, mean squared"
        },
        hover: if maximises {
            "What is minimised: the reward where the velocity points, with its sign turned."
        } else {
            "Of the tuned drift against its target. Most of it is the noise of the draws, which stays."
        },
        scale: if maximises { Scale::Linear } else { Scale::Log },
        series: vec![line(report, ("error", palette.learned), move |p| {
            error(p).filter(|v| maximises || *v > 0.0)
        })],
        floor: Vec::new(),
        levels: Vec::new(),
    }
}

fn rewards(report: &PictureReport, palette: &Palette) -> Panel {
    let before = report.beside.as_ref().map(|grid| grid.figures.reward);
    Panel {
        title: "Reward of its pictures",
        hover: "Mean over the pictures shown above, strength included. The lines are the map's own velocity with the same noise, and what the tilt of the map's pictures has: their mean, weighted by exp r.",
        scale: Scale::Linear,
        series: vec![line(report, ("tuned", palette.learned), |p| p.reward)],
        floor: Vec::new(),
        levels: level("before", before, palette.text_faint)
            .into_iter()
            .chain(level("target", report.target_reward, palette.exact))
            .collect(),
    }
}

fn level(name: &str, value: Option<f64>, color: Color32) -> Option<Level> {
    let value = value.filter(|v| v.is_finite())?;
    Some(Level {
        name: name.to_owned(),
        value,
        color,
    })
}
