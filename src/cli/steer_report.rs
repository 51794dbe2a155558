//! What `foresight steer` tells: the report as text and as JSON, and the samples.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::steer_args::SteerArgs;
use super::steer_gradient::GradientError;
use crate::engine::LoadedModel;
use crate::metrics::Counters;
use crate::mixture::{World, shortened};
use crate::session::SamplesExport;
use crate::steer::{Floor, Knob, SteerPlan, SteerRun, SteerScore};

/// What `--json` holds.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    pub version: &'static str,
    pub world: &'a str,
    pub world_fingerprint: String,
    /// File name and SHA-256 of the network that moved and drew; null when the closed forms did.
    pub checkpoint: Option<[&'a str; 2]>,
    pub reward: String,
    pub method: &'static str,
    /// Where the method comes from.
    pub published_in: &'static str,
    /// Whose velocity moved the particles: `exact` or `learned`.
    pub velocity: &'static str,
    /// Where posterior draws truly came from, in the order of their use; empty where none were drawn.
    pub draws_from: Vec<String>,
    pub warning: Option<&'static str>,
    /// For a tuned checkpoint whose own target has no closed form, what takes its place.
    pub scored_against: Option<&'a str>,
    pub plan: &'a SteerPlan,
    pub score: &'a SteerScore,
    /// What two independent samples of the target of that size differ by.
    pub floor: Floor,
    pub log_normaliser: f64,
    pub counters: Counters,
    pub evaluations: u64,
    /// Evaluations a sample as the papers count them.
    pub published_cost_per_sample: Option<u64>,
    /// Particles that became non-finite on the way, replaced ones included.
    pub non_finite: u64,
    pub resamplings: u32,
    pub ess: &'a [f64],
    /// Where it was asked for: how far the estimated gradient of the value is from the exact one.
    pub gradient_error: Option<&'a [GradientError]>,
    /// Where it ran.
    pub device: &'static str,
    pub seconds: f64,
    pub particle_steps_per_second: f64,
}

/// The sources of the plan's draws, in words.
pub(super) fn draws_from(plan: &SteerPlan, has_model: bool) -> Vec<String> {
    let sources = plan.sources(has_model);
    sources.iter().map(ToString::to_string).collect()
}

pub(super) fn write_samples(
    args: &SteerArgs,
    plan: &SteerPlan,
    world: &World,
    model: Option<&LoadedModel>,
    done: &SteerRun,
    path: &Path,
) -> Result<(), String> {
    let mut notes = vec![
        ("method", plan.method.to_string()),
        ("dynamics", plan.flow.to_string()),
        ("reward", args.reward.get()?.to_string()),
        ("steps", plan.steps.to_string()),
        ("n", plan.draws.to_string()),
        ("world", world.name.clone()),
        ("world_fingerprint", world.fingerprint()),
    ];
    if let Some(model) = model {
        notes.push(("checkpoint", model.name.clone()));
        notes.push(("checkpoint_sha256", model.checkpoint.hash.clone()));
    }
    let export = SamplesExport {
        samples: &done.samples,
        seed: plan.seed,
        notes: &notes,
    };
    export.write(path).map_err(|e| e.to_string())
}

pub(super) fn print_report(report: &Report<'_>, elapsed: Duration, args: &SteerArgs) {
    if let Some(warning) = report.warning {
        say!("note: {warning}");
    }
    if let Some(against) = report.scored_against {
        say!("note: {against}");
    }
    let (score, floor) = (report.score, report.floor);
    let draws = match Knob::of(report.plan.method) {
        Knob::Draws => format!("{} draws, ", report.plan.draws),
        Knob::Steps => String::new(),
    };
    say!(
        "{} of '{}' toward {}: {} samples, {} steps, {draws}{:.1} s",
        report.method,
        shortened(report.world, 60),
        shortened(&report.reward, 80),
        score.samples,
        report.plan.steps,
        elapsed.as_secs_f64(),
    );
    let from = match report.draws_from.as_slice() {
        [] => String::new(),
        sources => format!("; draws from {}", sources.join(", then ")),
    };
    say!("  moved by the {} velocity{from}", report.velocity);
    say!(
        "  sliced W2   {:>9.4}   (two exact samples: {:.4}, at most {:.4})",
        score.sliced_w2,
        floor.sliced_w2,
        floor.sliced_w2_max
    );
    say!(
        "  MMD^2       {:>9.2e}   (at most {:.2e})",
        score.mmd_squared,
        floor.mmd_squared_max
    );
    say!(
        "  mode TV     {:>9.4}   (at most {:.4}; shares of the target counted over {} of its draws)",
        score.tv,
        floor.tv_max,
        score.target_draws
    );
    say!(
        "  mean reward {:>9.4} +- {:.4}   (target {:.4}, {})",
        score.mean_reward,
        score.mean_reward_error,
        score.target_mean_reward,
        score.how_the_mean_is_known(),
    );
    let c = report.counters;
    say!(
        "  evaluations {} = {} network forward + {} backward + {} reward + {} reward gradient",
        report.evaluations,
        c.network_forward,
        c.network_backward,
        c.reward,
        c.reward_gradient
    );
    if score.without_reward > 0 {
        say!(
            "  {} samples lie where the reward has no value; its mean leaves them out",
            score.without_reward
        );
    }
    if report.non_finite > 0 {
        say!(
            "  {} particles became non-finite on the way",
            report.non_finite
        );
    }
    match report.gradient_error {
        None => {}
        Some([]) => say!("  the value has no exact gradient here to compare with"),
        Some(rows) => {
            say!("  gradient of the value, estimate against exact (root mean square):");
            for row in rows {
                say!(
                    "    t {:.3}: error {:.4}, exact {:.4}, {:.0} %, {} particles",
                    row.t,
                    row.error,
                    row.exact,
                    100.0 * row.error / row.exact,
                    row.particles
                );
            }
        }
    }
    for path in [&args.out, &args.json].into_iter().flatten() {
        say!("written to {}", path.display());
    }
}
