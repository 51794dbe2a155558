//! Fine-tuning: samples of a velocity that is tuned toward a reward, beside the exact target and beside steering.

use std::sync::Arc;

use eframe::egui::{Painter, RichText, Ui};

use crate::engine::{Sampled, TrainBeside, TrainCheck, TunedCheck};
use crate::gpu::PointBuffer;
use crate::reward::Reward;
use crate::session::TunedBeside;
use crate::ui::canvas::legend::Sign;
use crate::ui::canvas::paint::{self, Layer};
use crate::ui::canvas::projection::Projection;
use crate::ui::format;
use crate::ui::state::State;
use crate::ui::steering::reward::handles;
use crate::ui::steering::{side, stage};
use crate::ui::tokens::{self, Palette, size, space};
use crate::ui::widgets::{Badge, count_slider, radio_row, section};

use super::plane::Side;

/// What is kept between frames.
#[derive(Default)]
pub struct Picture {
    dots: [Option<Dots>; 2],
    moved: Option<Reward>,
}

/// Samples that are on the device.
struct Dots {
    of: Arc<Vec<[f32; 2]>>,
    buffer: PointBuffer,
}

/// The left panel: the reward, and what stands beside.
pub fn side(ui: &mut Ui, state: &mut State) {
    if let Err(why) = state.tunable() {
        let note = tokens::palette(ui).note;
        let text = RichText::new(why).size(size::SMALL).color(note);
        ui.add(eframe::egui::Label::new(text).wrap());
        ui.add_space(space::SECTION);
    }
    side::reward::show(ui, state);
    let State {
        session,
        arrows_taken,
        ..
    } = state;
    let training = &mut session.training;
    count_slider(
        ui,
        "Steps",
        &mut training.tune_steps,
        100..=20_000,
        arrows_taken,
    );
    ui.add_space(space::SECTION);
    section(ui, "Beside its samples", |ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        for (beside, name, hover) in [
            (
                TunedBeside::Exact,
                "The exact tilted target",
                "Samples of the world, tilted by the reward.",
            ),
            (
                TunedBeside::Steered,
                "Steering at inference",
                "MFM-GF with the same checkpoint and the same noise: nothing is tuned, every sample costs more.",
            ),
            (
                TunedBeside::Before,
                "The velocity as it was",
                "The same noise, before the first step.",
            ),
        ] {
            if radio_row(ui, training.beside == beside, true, name, "")
                .on_hover_text(hover)
                .clicked()
            {
                training.beside = beside;
            }
        }
    });
}

fn beside(state: &State) -> Option<&Arc<TrainBeside>> {
    state.shown_run()?.beside.as_ref()
}

/// Whose samples the right canvas shows.
fn shown(state: &State) -> Option<&Sampled> {
    let beside = beside(state)?;
    match state.session.training.beside {
        TunedBeside::Exact => None,
        TunedBeside::Steered => Some(&beside.steered),
        TunedBeside::Before => Some(&beside.untuned),
    }
}

/// Who a canvas shows, and how far that is from the target.
pub fn header(state: &State, side: Side, palette: &Palette) -> (Badge, Option<String>) {
    let badge = |text: String, color, hover: &str| Badge {
        text,
        color,
        hover: hover.to_owned(),
    };
    if side == Side::Learned {
        let Some(snapshot) = state.snapshot() else {
            let empty = badge(
                "tuned".to_owned(),
                palette.text_quiet,
                "Nothing is tuned yet.",
            );
            return (empty, None);
        };
        let check = match snapshot.check {
            Some(TrainCheck::Tuned(check)) => Some(check),
            _ => None,
        };
        let text = format!("tuned · step {}", format::count(snapshot.step));
        let hover = "Samples of the tuned velocity, 40 steps from noise to data.";
        return (badge(text, palette.learned, hover), check.map(figures));
    }
    match (state.session.training.beside, shown(state)) {
        (TunedBeside::Exact, _) => {
            let hover = "Samples of the tilted target, in closed form or by quadrature.";
            (badge("exact target".to_owned(), palette.exact, hover), None)
        }
        (_, Some(sampled)) => {
            let hover = "From the same noise, with the checkpoint as it is.";
            let badge = badge(sampled.name.clone(), palette.overlay, hover);
            (badge, sampled.check.map(figures))
        }
        (_, None) => {
            let hover = "Computed when a run begins.";
            (
                badge("not there yet".to_owned(), palette.text_quiet, hover),
                None,
            )
        }
    }
}

fn figures(check: TunedCheck) -> String {
    format!(
        "sliced W2 {} · reward {} of {}",
        format::fixed(check.distance, 3),
        format::fixed(check.mean_reward, 2),
        format::fixed(check.target_mean_reward, 2)
    )
}

/// The reward, the target's contours, the samples.
pub fn layers(
    painter: &Painter,
    state: &mut State,
    projection: &Projection,
    side: Side,
    palette: &Palette,
) {
    let canvas = side.canvas();
    let target = beside(state).and_then(|b| b.target.clone());
    stage::reward_and_target(painter, state, projection, canvas, target.as_ref(), palette);
    let (samples, color) = match (side, shown(state)) {
        (Side::Learned, _) => {
            let samples = state.snapshot().and_then(|s| s.samples.clone());
            (samples, palette.learned)
        }
        (Side::Exact, Some(sampled)) => (Some(sampled.samples.clone()), palette.overlay),
        (Side::Exact, None) if state.session.training.beside == TunedBeside::Exact => {
            (beside(state).map(|b| b.exact.clone()), palette.exact)
        }
        (Side::Exact, None) => (None, palette.overlay),
    };
    let (Some(samples), Some(device)) = (samples, &state.device) else {
        return;
    };
    let slot = &mut state.training.picture.dots[canvas];
    let fresh = |dots: &Dots| Arc::ptr_eq(&dots.of, &samples);
    if !slot.as_ref().is_some_and(fresh) {
        *slot = PointBuffer::from_points(device, &samples)
            .inspect_err(|e| tracing::warn!("the samples are not painted: {e}"))
            .ok()
            .map(|buffer| Dots {
                of: samples,
                buffer,
            });
    }
    if let Some(dots) = slot {
        paint::particles(
            painter,
            projection,
            &dots.buffer,
            color,
            Layer::Panel(canvas),
        );
    }
}

/// The handles of the reward. What they change is seen on both canvases at once, in the next frame.
pub fn reward_handles(ui: &mut Ui, state: &mut State, projection: &Projection, side: Side) {
    let moved = handles::show(ui, state, projection, side.canvas());
    if moved.is_some() {
        state.training.picture.moved = moved;
    }
}

/// Takes over what the handles changed.
pub fn take_moved(state: &mut State) {
    if let Some(reward) = state.training.picture.moved.take() {
        state.session.steering.reward = reward;
    }
}

/// What the colours mean.
pub fn legend(state: &State, entries: &mut Vec<(Sign, String)>, palette: &Palette) {
    if state.snapshot().is_some() {
        entries.push((
            Sign::Dot(palette.learned),
            "tuned samples, t = 1".to_owned(),
        ));
    }
    if let Some(sampled) = shown(state) {
        entries.push((Sign::Dot(palette.overlay), sampled.name.clone()));
    } else if beside(state).is_some_and(|b| !b.exact.is_empty()) {
        entries.push((Sign::Dot(palette.exact), "exact samples".to_owned()));
    }
    if beside(state).is_some_and(|b| b.target.is_some()) {
        let text = "exact target: 50, 80, 95 %".to_owned();
        entries.push((Sign::Line(palette.exact), text));
    }
    entries.push((Sign::Square(palette.reward), "reward".to_owned()));
}
