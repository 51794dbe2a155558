//! The left panel of the Train workspace, below the world: the run, how it learns, what is shown of it.

use eframe::egui::{self, DragValue, RichText, Ui, WidgetInfo};

use crate::session::{Session, TrainFor, TrainLoss, TrainTeacher, Training};
use crate::ui::format;
use crate::ui::shortcuts::{Action, keys_of};
use crate::ui::state::State;
use crate::ui::tokens::{self, size, space};
use crate::ui::widgets::{
    Slid, check_row, count_slider, key_hint, link, radio_row, section, section_with, slider_row,
};

use super::{picture_side, run, tuned};

/// Shows the sections.
pub fn show(ui: &mut Ui, state: &mut State) {
    run::show(ui, state);
    learns(ui, state);
    if state.learns_pictures() {
        picture_side::show(ui, state);
        share(ui, state);
        seeds(ui, state);
        return;
    }
    if state.seeks_reward() {
        tuned::side(ui, state);
        share(ui, state);
        seeds(ui, state);
        return;
    }
    teacher(ui, state);
    loss(ui, state);
    let State {
        session,
        arrows_taken,
        ..
    } = state;
    let training = &mut session.training;
    count_slider(
        ui,
        "Steps",
        &mut training.steps,
        100..=100_000,
        arrows_taken,
    );
    ui.add_space(space::ROW);
    count_slider(
        ui,
        "Items of a step",
        &mut training.batch,
        Training::BATCHES,
        arrows_taken,
    );
    ui.add_space(space::SECTION);
    share(ui, state);
    shown(ui, state);
    seeds(ui, state);
}

/// What a run is for.
fn learns(ui: &mut Ui, state: &mut State) {
    let chosen = &mut state.session.training.learns;
    section(ui, "Learns", |ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        for (learns, name, hover) in [
            (
                TrainFor::World,
                "The world on the canvas",
                "A network that draws what any state could become.",
            ),
            (
                TrainFor::Reward,
                "A reward",
                "A copy of the checkpoint's velocity is tuned until its samples follow the reward; the checkpoint stays as it is.",
            ),
            (
                TrainFor::Folder,
                "The pictures of a folder",
                "A network that draws what any half-formed picture could become.",
            ),
            (
                TrainFor::PictureReward,
                "A reward of pictures",
                "A copy of the velocity of the Images workspace's map is tuned until its pictures follow the reward; the map stays as it is.",
            ),
        ] {
            if radio_row(ui, *chosen == learns, true, name, "")
                .on_hover_text(hover)
                .clicked()
            {
                *chosen = learns;
            }
        }
    });
}

fn teacher(ui: &mut Ui, state: &mut State) {
    let chosen = &mut state.session.training.teacher;
    section(ui, "Learns from", |ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        for (teacher, name, hover) in [
            (
                TrainTeacher::Exact,
                "Exact velocities",
                "The closed form tells the velocity between x_t and its futures: samples without their noise.",
            ),
            (
                TrainTeacher::Data,
                "Samples alone",
                "Nothing but draws from the world, as with real data.",
            ),
        ] {
            if radio_row(ui, *chosen == teacher, true, name, "")
                .on_hover_text(hover)
                .clicked()
            {
                *chosen = teacher;
            }
        }
    });
}

fn loss(ui: &mut Ui, state: &mut State) {
    let training = &mut state.session.training;
    let eulerian = match training.teacher {
        TrainTeacher::Exact => "Their derivative (ESD)",
        TrainTeacher::Data => "Their derivative (MeanFlow)",
    };
    section(ui, "Jumps agree with", |ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        for (loss, name, hover) in [
            (
                TrainLoss::Eulerian,
                eulerian,
                "Eulerian: a jump changes along the velocity as it must.",
            ),
            (
                TrainLoss::Lagrangian,
                "The velocity at their end (LSD)",
                "Lagrangian: the end of a jump moves as the velocity there says.",
            ),
            (
                TrainLoss::Semigroup,
                "Two shorter jumps (PSD)",
                "Semigroup: a jump ends where two shorter ones end.",
            ),
        ] {
            if radio_row(ui, training.loss == loss, true, name, "")
                .on_hover_text(hover)
                .clicked()
            {
                training.loss = loss;
            }
        }
    });
}

/// How much of the processor training may take.
fn share(ui: &mut Ui, state: &mut State) {
    let pace = run::shown(state).map(|shown| shown.pace);
    let State {
        session,
        arrows_taken,
        ..
    } = state;
    let share = &mut session.training.share;
    section(ui, "Share of the processor", |ui| {
        let text = format!("{:.0} %", *share * 100.0);
        let (_, slid) = slider_row(ui, "Share of the processor", &text, *share, arrows_taken);
        let wanted = match slid {
            Some(Slid::To(position)) => (position * 20.0).round() / 20.0,
            Some(Slid::Steps(steps)) => *share + 0.05 * f64::from(steps),
            None => *share,
        };
        *share = ((wanted * 100.0).round() / 100.0).clamp(Training::LEAST_SHARE, 1.0);
        if let Some((threads, duty)) = pace {
            let faint = tokens::palette(ui).text_faint;
            let threads = match threads {
                1 => "1 thread".to_owned(),
                n => format!("{n} threads"),
            };
            let text = if duty < 0.995 {
                format!("{threads}, {:.0} % of the time", duty * 100.0)
            } else {
                threads
            };
            ui.label(RichText::new(text).size(size::TICK).color(faint));
        }
    });
}

fn shown(ui: &mut Ui, state: &mut State) {
    let keys = |action| keys_of(ui.ctx(), action);
    let [one, four, contours, style] = [
        keys(Action::Source(0)),
        keys(Action::Source(1)),
        keys(Action::Contours),
        keys(Action::DrawStyle),
    ];
    let State {
        session,
        arrows_taken,
        ..
    } = state;
    section(ui, "Learned draws in", |ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        let calls = &mut session.training.calls;
        for (count, name, keys) in [(1, "One network call", &one), (4, "Four calls", &four)] {
            if radio_row(ui, *calls == count, true, name, keys).clicked() {
                *calls = count;
            }
        }
    });
    count_slider(
        ui,
        "Draws",
        &mut session.draws,
        1..=Session::MAX_DRAWS,
        arrows_taken,
    );
    ui.add_space(space::SECTION);
    section(ui, "Show", |ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        let mut dense = session.style == crate::session::DrawStyle::Density;
        if check_row(ui, &mut dense, "Draws as density", &style).changed() {
            session.style = if dense {
                crate::session::DrawStyle::Density
            } else {
                crate::session::DrawStyle::Points
            };
        }
        check_row(ui, &mut session.show.contours, "Exact contours", &contours);
        check_row(ui, &mut session.show.density, "Density of p_t", "");
        check_row(ui, &mut session.show.path, "Path of x_t", "");
    });
}

fn seeds(ui: &mut Ui, state: &mut State) {
    let keys = keys_of(ui.ctx(), Action::Redraw);
    // Samples of a tuned velocity have their noise for good, so that they move as it learns.
    let has_draws = !state.seeks_reward() && !state.learns_pictures();
    let mut again = false;
    let right = |ui: &mut Ui| {
        if !has_draws {
            return;
        }
        key_hint(ui, &keys);
        again = link(ui, "redraw")
            .on_hover_text("Draws from the next seed, on both canvases.")
            .clicked();
    };
    section_with(ui, "Noise", right, |ui| {
        egui::Grid::new("seeds")
            .num_columns(2)
            .spacing([12.0, 5.0])
            .show(ui, |ui| {
                let session = &mut state.session;
                if has_draws {
                    seed(ui, "seed of the draws", &mut session.seed);
                }
                seed(ui, "seed of the training", &mut session.training.seed);
            });
    });
    if again {
        state.perform(Action::Redraw);
    }
}

fn seed(ui: &mut Ui, name: &str, seed: &mut u64) {
    ui.label(name);
    let response = ui.add(DragValue::new(seed).speed(0.1));
    let value = *seed as f64;
    response.widget_info(|| {
        let mut info = WidgetInfo::drag_value(true, value);
        info.label = Some(format!("{}{}", name[..1].to_uppercase(), &name[1..]));
        info
    });
    ui.end_row();
}

/// The rate of a run, for the status line.
pub fn rate(state: &State) -> Option<String> {
    let rate = run::newest(state)?.rate;
    match rate {
        rate if rate <= 0.0 => None,
        // Networks of pictures take a second and more for a step.
        rate if rate < 10.0 => Some(format!("{} steps/s", format::fixed(rate, 1))),
        rate => Some(format!("{} steps/s", format::count(rate.round() as u64))),
    }
}
