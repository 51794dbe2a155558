//! `foresight steer`: steered samples, scored against the tilted target and charged for every evaluation.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use crate::engine::{LoadedModel, load_checkpoint, load_shipped};
use crate::lookahead::Source;
use crate::mixture::{Preset as WorldPreset, World, shortened};
use crate::reward::Reward;
use crate::session::ExportFormat;
use crate::steer::{SteerError, SteerScene, TargetSample, run};

use super::DeviceArg;
use super::report_file::{check_report, write_report};
use super::steer_args::SteerArgs;
use super::steer_gradient::Watcher;
use super::steer_pictures::{is_map_of_images, refuse_for_pictures, steer_pictures};
use super::steer_report::{Report, draws_from, print_report, write_samples};
use super::steer_setup::{network_on, refuse_if_all_are_lost, scored_against};

/// Runs the command; prints what was done.
///
/// # Errors
/// With a message for the person: an impossible plan, a missing model, an unreadable file, a full disk.
pub fn run_steer(args: &SteerArgs, device: Option<DeviceArg>) -> Result<(), String> {
    if let Some(path) = &args.checkpoint
        && is_map_of_images(path)?
    {
        return steer_pictures(args, path, device);
    }
    refuse_for_pictures(args)?;
    if let Some(path) = &args.out {
        ExportFormat::check(path).map_err(|e| e.to_string())?;
    }
    if let Some(path) = &args.json {
        check_report(path, args.out.as_deref())?;
    }
    let (plan, reward) = (args.plan()?, args.reward.get()?);
    let (world, model) = world_and_model(args)?;
    let against = scored_against(model.as_ref(), &reward.to_string());
    // Another world is a choice of one's own.
    let against = against.filter(|_| args.world.is_none());
    let (network, place) = network_on(model.as_ref(), device)?;
    let scene = SteerScene {
        world: &world.mixture,
        reward,
        model: network.as_ref(),
    };
    // Before the run: a reward without a target is told at once.
    let count = plan.particles as usize;
    let target =
        TargetSample::new(&world.mixture, reward, count, args.seed).map_err(|e| e.to_string())?;
    let bar = ProgressBar::new(1000);
    if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {percent} %, {eta} left") {
        bar.set_style(style);
    }
    bar.set_prefix(plan.method.card().title);
    let started = Instant::now();
    let mut watch = Watcher::new(&plan, args.gradient_error, |fraction| {
        bar.set_position((f64::from(fraction) * 1000.0) as u64);
    });
    let result = run(&plan, scene, &mut watch);
    let elapsed = started.elapsed();
    bar.finish_and_clear();
    let done = result.map_err(|error| hint(error, reward))?;
    refuse_if_all_are_lost(&plan, &done)?;
    let gradients = watch.measure(&plan, scene).map_err(|e| e.to_string())?;
    let n = done.samples.len();
    let score = target.score(&world.mixture, reward, &done.samples);
    let floor = target.floor(&world.mixture, n, 8);
    if let Some(path) = &args.out {
        write_samples(args, &plan, &world, model.as_ref(), &done, path)?;
    }
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        world: &world.name,
        world_fingerprint: world.fingerprint(),
        checkpoint: model
            .as_ref()
            .map(|m| [m.name.as_str(), m.checkpoint.hash.as_str()]),
        reward: reward.to_string(),
        method: plan.method.card().title,
        published_in: plan.method.card().source,
        velocity: if model.is_some() { "learned" } else { "exact" },
        draws_from: draws_from(&plan, model.is_some()),
        warning: plan.warning(),
        scored_against: against.as_deref(),
        plan: &plan,
        score: &score,
        floor,
        log_normaliser: target.log_normaliser,
        counters: done.counters,
        evaluations: done.counters.total(),
        published_cost_per_sample: plan.published_cost(),
        non_finite: done.non_finite,
        resamplings: done.resamplings,
        ess: &done.ess,
        gradient_error: gradients.as_deref(),
        device: place,
        seconds: elapsed.as_secs_f64(),
        particle_steps_per_second: f64::from(plan.particles) * f64::from(plan.steps)
            / elapsed.as_secs_f64(),
    };
    if let Some(path) = &args.json {
        write_report(path, &report)?;
    }
    print_report(&report, elapsed, args);
    Ok(())
}

fn hint(error: SteerError, reward: &Reward) -> String {
    match error {
        SteerError::NoGradient => {
            let reward = shortened(&reward.to_string(), 60);
            format!("{error} (the reward is '{reward}')")
        }
        error => error.to_string(),
    }
}

fn world_and_model(args: &SteerArgs) -> Result<(World, Option<LoadedModel>), String> {
    let named = args
        .world
        .as_deref()
        .map(|name| World::resolve(name).map_err(|e| e.to_string()))
        .transpose()?;
    if let Some(path) = &args.checkpoint {
        let model = load_checkpoint(path).map_err(|e| e.to_string())?;
        let world = named.unwrap_or_else(|| model.checkpoint.card.world.clone());
        return Ok((world, Some(model)));
    }
    let name = args.world.as_deref().unwrap_or_default();
    let world = named.ok_or("give --world or --checkpoint")?;
    // A world alone means its closed forms; learned sources take the checkpoint shipped for it.
    if !args.asked_source()?.is_some_and(Source::needs_model) {
        return Ok((world, None));
    }
    let model = WorldPreset::from_name(name)
        .and_then(load_shipped)
        .ok_or_else(|| {
            let name = shortened(name, 80);
            format!("no checkpoint is shipped for the world '{name}': give one with --checkpoint")
        })?
        .map_err(|e| e.to_string())?;
    Ok((world, Some(model)))
}
