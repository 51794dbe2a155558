//! Every option of one method, with what it does and where it comes from.

use eframe::egui::{Align, DragValue, Layout, RichText, ScrollArea, Ui, vec2};

use crate::lookahead::Source;
use crate::process::SigmaSchedule;
use crate::session::Steering;
use crate::steer::{
    ControlForm, DiamondWeights, Estimator, Flow, Lookahead, Method, Preset, Renormalise,
    Resampling, Scheme, SteerPlan,
};
use crate::ui::state::State;
use crate::ui::tokens::{self, size};
use crate::ui::widgets::link;

use super::fields::{choice, named, number, row};

/// Width of the popover.
const WIDTH: f32 = 330.0;
/// Most draws that the window offers.
const MOST_DRAWS: u32 = 1024;

/// Whether a method draws futures, or samples to choose from.
pub fn uses_draws(method: Method) -> bool {
    let card = method.card();
    matches!(card.scheme, Scheme::BestOf | Scheme::SoftBestOf)
        || matches!(
            card.lookahead,
            Lookahead::Posterior
                | Lookahead::SdeRollout
                | Lookahead::GlassRollout
                | Lookahead::Gaussian
                | Lookahead::Renoised
        )
}

/// The most draws that are possible with the particles that there are.
pub fn most_draws(state: &State, index: usize) -> u32 {
    let steering = &state.session.steering;
    let particles = u64::from(steering.particles.max(1));
    let scheme = steering.panels[index].method.card().scheme;
    let limit = if matches!(scheme, Scheme::BestOf | Scheme::SoftBestOf) {
        SteerPlan::MAX_CANDIDATES
    } else {
        SteerPlan::MAX_BATCH
    };
    MOST_DRAWS.min((limit / particles).max(1) as u32)
}

/// Which pair of start and diffusion a plan has.
pub fn preset_of(plan: &SteerPlan) -> Option<Preset> {
    [Preset::AsPublished, Preset::Exact]
        .into_iter()
        .find(|preset| {
            let set = plan.clone().with_preset(*preset);
            set.start == plan.start && set.schedule == plan.schedule
        })
}

/// The same method with every option at its default but those that the header shows.
fn usual(plan: &SteerPlan) -> SteerPlan {
    SteerPlan {
        flow: plan.flow,
        steps: plan.steps,
        draws: plan.draws,
        particles: plan.particles,
        seed: plan.seed,
        keep_trajectory: plan.keep_trajectory,
        ..SteerPlan::new(plan.method)
    }
}

/// Whether a plan has no option that a reader would not expect.
pub fn is_usual(plan: &SteerPlan) -> bool {
    *plan == usual(plan)
}

/// Whether draws are differentiated, so that exact ones will not do.
fn differentiates(method: Method) -> bool {
    matches!(
        method.card().estimator,
        Estimator::Gradient | Estimator::Mix
    )
}

/// Shows the options of a panel.
pub fn show(ui: &mut Ui, state: &mut State, index: usize) {
    let most_draws = most_draws(state, index);
    let has_model = state.session.steering.learned && state.model.current.is_some();
    let Some(plan) = state.session.steering.panels.get_mut(index) else {
        return;
    };
    let palette = tokens::palette(ui);
    ui.set_width(WIDTH);
    ui.spacing_mut().item_spacing = vec2(5.0, 4.0);
    ui.spacing_mut().button_padding = vec2(7.0, 2.0);
    ui.spacing_mut().interact_size.y = 22.0;
    ui.horizontal(|ui| {
        let title = format!("{} options", plan.method.card().title);
        let title = RichText::new(title)
            .font(tokens::strong_font())
            .color(palette.text_strong);
        ui.label(title);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if !is_usual(plan) && link(ui, "defaults").clicked() {
                *plan = usual(plan);
            }
        });
    });
    let most = (ui.ctx().content_rect().height() - 140.0).max(160.0);
    let scroll = ScrollArea::vertical().max_height(most);
    // A popup has no height of its own before its content has.
    scroll.min_scrolled_height(most).show(ui, |ui| {
        ui.set_width(WIDTH - 8.0);
        sampling(ui, plan, most_draws);
        futures(ui, plan, has_model);
        strength(ui, plan);
        weights(ui, plan);
        special(ui, plan);
    });
}

fn sampling(ui: &mut Ui, plan: &mut SteerPlan, most_draws: u32) {
    number(
        ui,
        "Steps",
        "K, from noise to data. 100 are as good as 250 here, 25 lose little; the SDE wants at least 100.",
        &mut plan.steps,
        1..=Steering::MAX_STEPS,
        1.0,
    );
    if uses_draws(plan.method) {
        let hover = "N: futures drawn from each state, or finished samples to choose from. The error falls about like 1/N.";
        number(ui, "Draws", hover, &mut plan.draws, 1..=most_draws, 0.5);
    }
    let hover = "Where the run starts and how large σ_t may be, two that go together. As published: from t = 0.01, (1-t)/t capped at 25. Exact: for the ODE from 0.001 without a cap, which leaves less of the early tilt out. arXiv 2601.14430, and our measurements.";
    row(ui, "Start and σ_t", hover, |ui| {
        let mut preset = preset_of(plan);
        let options = [
            (Some(Preset::AsPublished), "as published", ""),
            (Some(Preset::Exact), "exact", ""),
        ];
        if choice(ui, &mut preset, &options)
            && let Some(preset) = preset
        {
            *plan = plan.clone().with_preset(preset);
        }
    });
    let hover = "The first time. At 0 the noise of the SDE is infinite.";
    number(
        ui,
        "First time",
        hover,
        &mut plan.start,
        0.0001..=0.3,
        0.001,
    );
    let hover = "Largest (1-t)/t that is used in σ_t² = 2 (1-t)/t. Published: 25.";
    row(ui, "Cap of σ_t", hover, |ui| {
        let mut capped = plan.schedule.cap.is_some();
        if choice(ui, &mut capped, &[(true, "cap", ""), (false, "none", "")]) {
            plan.schedule = if capped {
                SigmaSchedule::PUBLISHED
            } else {
                SigmaSchedule::UNCAPPED
            };
        }
        if let Some(cap) = &mut plan.schedule.cap {
            let response = ui.add(DragValue::new(cap).range(0.1..=1000.0).speed(0.25));
            named(&response, "Cap of σ_t", *cap);
        }
    });
}

fn futures(ui: &mut Ui, plan: &mut SteerPlan, has_model: bool) {
    let card = plan.method.card();
    if card.lookahead == Lookahead::Posterior {
        let hover = "Where the futures come from. By itself: one step of the checkpoint; without one the closed form, or the GLASS ODE where gradients pass through the draws. arXiv 2509.25170.";
        row(ui, "Futures from", hover, |ui| {
            let steps = plan.rollout_steps;
            let mut options = vec![(None, "by itself", "")];
            if has_model {
                options.push((
                    Some(Source::OneStep),
                    "one step",
                    "One call of the network.",
                ));
                options.push((Some(Source::KStep(4)), "4 steps", "Four calls: closer."));
            }
            options.push((
                Some(Source::Glass(steps)),
                "GLASS",
                "The posterior's own flow, integrated.",
            ));
            if !differentiates(plan.method) {
                options.push((
                    Some(Source::Sde(steps)),
                    "SDE",
                    "The memoryless SDE, simulated to the end.",
                ));
                options.push((Some(Source::Exact), "exact", "Drawn from the closed form."));
            }
            choice(ui, &mut plan.source, &options);
        });
    }
    let rolls = match card.lookahead {
        Lookahead::SdeRollout
        | Lookahead::GlassRollout
        | Lookahead::FlowMap
        | Lookahead::Renoised => true,
        Lookahead::Posterior => matches!(
            plan.draws_source(has_model, differentiates(plan.method)),
            Source::Glass(_) | Source::Sde(_)
        ),
        _ => false,
    };
    if rolls {
        let hover = "Steps of each inner rollout, or of the exact flow map. 16 midpoint steps of GLASS equal 64 Euler steps.";
        let before = plan.rollout_steps;
        number(
            ui,
            "Rollout steps",
            hover,
            &mut plan.rollout_steps,
            1..=256,
            0.2,
        );
        if plan.rollout_steps != before {
            plan.source = plan.source.map(|source| match source {
                Source::Glass(_) | Source::Sde(_) => source.with_steps(plan.rollout_steps),
                other => other,
            });
        }
    }
}

/// Whether a method adds an estimated gradient to its drift.
fn is_guided(method: Method) -> bool {
    let card = method.card();
    !matches!(
        card.estimator,
        Estimator::None | Estimator::Best | Estimator::Value
    )
}

fn strength(ui: &mut Ui, plan: &mut SteerPlan) {
    if !is_guided(plan.method) {
        return;
    }
    let hover = "Factor on the steering part; 1 is the tilt, more over-optimises.";
    number(ui, "Guidance", hover, &mut plan.guidance, 0.0..=100.0, 0.02);
    if plan.method.card().scheme == Scheme::Guided {
        renormalise(ui, plan);
    }
    if plan.method.card().estimator != Estimator::ClosedForm {
        damping(ui, plan);
    }
}

fn renormalise(ui: &mut Ui, plan: &mut SteerPlan) {
    let hover = "Size of the steering part against the base drift. Rescale: always that many times it, the published default for images (arXiv 2601.14430). Clip: at most. Neither is the tilt: the strength of the reward cancels.";
    row(ui, "Renormalise", hover, |ui| {
        let scale = match plan.renormalise {
            Renormalise::Off => 1.0,
            Renormalise::Rescale(scale) | Renormalise::Clip(scale) => scale,
        };
        let options = [
            (Renormalise::Off, "off", "The tilt."),
            (Renormalise::Rescale(scale), "rescale", ""),
            (Renormalise::Clip(scale), "clip", ""),
        ];
        choice(ui, &mut plan.renormalise, &options);
        if let Renormalise::Rescale(scale) | Renormalise::Clip(scale) = &mut plan.renormalise {
            let response = ui.add(DragValue::new(scale).range(0.01..=20.0).speed(0.02));
            named(&response, "Scale of the steering part", *scale);
        }
    });
}

fn damping(ui: &mut Ui, plan: &mut SteerPlan) {
    let hover = "λ_t = λ / (1 + 2 λ s² (1-t)² / ((1-t)² + t² s²)) for data of standard deviation s: makes one draw of MFM-G exact on a Gaussian. Are we really tilting?";
    row(ui, "Damping", hover, |ui| {
        let mut damped = plan.damping.is_some();
        if choice(ui, &mut damped, &[(false, "off", ""), (true, "on", "")]) {
            plan.damping = damped.then_some(1.0);
        }
        if let Some(sd) = &mut plan.damping {
            let number = DragValue::new(sd).range(0.01..=100.0).speed(0.02);
            let response = ui.add(number.prefix("s "));
            named(&response, "Standard deviation of the data", *sd);
        }
    });
}

fn weights(ui: &mut Ui, plan: &mut SteerPlan) {
    if !plan.method.card().scheme.is_weighted() {
        return;
    }
    let hover = "Particles are drawn anew when their effective number falls below this share. 0.5 is usual.";
    number(
        ui,
        "Resample below",
        hover,
        &mut plan.resample_below,
        0.0..=1.0,
        0.01,
    );
    let hover = "How particles are drawn from their weights; systematic adds the least noise.";
    row(ui, "Scheme", hover, |ui| {
        let options = [
            (
                Resampling::Systematic,
                "systematic",
                "One uniform for all, evenly spaced.",
            ),
            (
                Resampling::Stratified,
                "stratified",
                "One uniform for each stratum.",
            ),
            (Resampling::Multinomial, "multinomial", "Independent draws."),
        ];
        choice(ui, &mut plan.resampling, &options);
    });
    let hover = "Particles of one independent population: many small ones, or all as one.";
    row(ui, "Population", hover, |ui| {
        let mut together = plan.population.is_none();
        if choice(ui, &mut together, &[(true, "all", ""), (false, "of", "")]) {
            plan.population = (!together).then_some(64);
        }
        if let Some(size) = &mut plan.population {
            let response = ui.add(DragValue::new(size).range(1..=16_384).speed(1.0));
            named(&response, "Particles of a population", f64::from(*size));
        }
    });
}

/// What some methods alone have.
fn special(ui: &mut Ui, plan: &mut SteerPlan) {
    if matches!(
        plan.method.card().estimator,
        Estimator::GradientFree | Estimator::Mix
    ) {
        let hover = "What gradient-free steering is measured from. The mean of its own draws, as in the released code: their common noise cancels. The denoiser, as in the paper's formula: unbiased and noisier. arXiv 2601.14430.";
        row(ui, "Measured from", hover, |ui| {
            let options = [(true, "own mean", ""), (false, "denoiser", "")];
            choice(ui, &mut plan.control_variate, &options);
        });
    }
    if plan.method.card().estimator == Estimator::Mix {
        let hover = "Gradient-free before this time, while the future is undecided; through the map after it.";
        number(
            ui,
            "Mix until",
            hover,
            &mut plan.mix_until,
            0.0..=1.0,
            0.005,
        );
    }
    if plan.method == Method::Search {
        let hover = "The grid is t to this power: 2.5 as published, more steps early.";
        number(
            ui,
            "Power of the grid",
            hover,
            &mut plan.search_power,
            0.5..=6.0,
            0.02,
        );
        let hover = "Keep the best future of each particle, or the best of all for every particle. arXiv 2601.14430.";
        row(ui, "Keep the best", hover, |ui| {
            let options = [(false, "of each", ""), (true, "of all", "")];
            choice(ui, &mut plan.search_overall, &options);
        });
    }
    if plan.method == Method::Wdm {
        let hover = "How much earlier the state is noised again. 20 does well in 2D; at 1.5 the weights degenerate. arXiv 2602.05993.";
        number(
            ui,
            "Signal to noise",
            hover,
            &mut plan.diamond_snr,
            1.0..=1000.0,
            0.2,
        );
        let hover = "All terms of the weight are consistent; the reward alone, as in the released code, is biased here.";
        row(ui, "Weights", hover, |ui| {
            let options = [
                (DiamondWeights::Full, "all terms", ""),
                (DiamondWeights::RewardOnly, "reward alone", ""),
            ];
            choice(ui, &mut plan.diamond_weights, &options);
        });
    }
    if plan.method == Method::Fmrg {
        let hover = "With the Jacobian of the flow map, or without it. arXiv 2604.27147.";
        row(ui, "Form", hover, |ui| {
            let options = [
                (ControlForm::Jacobian, "Jacobian", ""),
                (ControlForm::Euclidean, "Euclidean", ""),
            ];
            choice(ui, &mut plan.control, &options);
        });
        let hover = "Guide until this time only, then jump to the data with one call of the map. arXiv 2604.27147.";
        row(ui, "Early stop", hover, |ui| {
            let mut stops = plan.control_until.is_some();
            if choice(ui, &mut stops, &[(false, "off", ""), (true, "at", "")]) {
                plan.control_until = (stops && plan.steps > 1).then_some(0.6);
            }
            let least = plan.start + 0.01;
            if let Some(until) = &mut plan.control_until {
                let number = DragValue::new(until).range(least..=0.99).speed(0.005);
                named(&ui.add(number), "Time of the early stop", *until);
            }
        });
        if plan.steps < 2 {
            plan.control_until = None;
        }
    }
    if plan.flow == Flow::Sde && plan.steps < 50 {
        let note = tokens::palette(ui).note;
        let text = "The SDE from t = 0.01 wants at least 50 steps.";
        ui.label(RichText::new(text).size(size::SMALL).color(note));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_recognised_and_defaults_are_usual() {
        let plan = SteerPlan::new(Method::MfmGf);
        assert!(is_usual(&plan));
        assert!(preset_of(&plan).is_some());
        let exact = plan.clone().with_preset(Preset::Exact);
        assert_eq!(preset_of(&exact), Some(Preset::Exact));
        assert!(!is_usual(&exact));
        let other = SteerPlan { start: 0.1, ..plan };
        assert_eq!(preset_of(&other), None);
    }

    #[test]
    fn methods_without_draws_offer_none() {
        assert!(!uses_draws(Method::Dps) && !uses_draws(Method::Exact));
        assert!(uses_draws(Method::MfmGf) && uses_draws(Method::BestOfN));
    }
}
