//! `foresight steer`: steered samples, scored against the tilted target and charged for every evaluation.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{ArgGroup, Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::engine::{LoadedModel, load_checkpoint, load_shipped};
use crate::lookahead::Source;
use crate::metrics::Counters;
use crate::mixture::{Preset as WorldPreset, World};
use crate::process::SigmaSchedule;
use crate::reward::{Expression, Reward};
use crate::session::{ExportFormat, SamplesExport};
use crate::steer::{
    ControlForm, DiamondWeights, Floor, Flow, METHODS, Method, Preset, Renormalise, Resampling,
    SteerError, SteerPlan, SteerRun, SteerScene, SteerScore, TargetKind, TargetSample, run,
};

use super::DeviceArg;
use super::steer_setup::{check_report, network_on};

/// `foresight steer`
#[derive(Debug, Args)]
#[command(after_help = methods_help(), group = ArgGroup::new("scene").required(true).multiple(true).args(["world", "checkpoint"]))]
pub struct SteerArgs {
    /// A preset's name (two, three, ring8, grid25, moons, spiral) or a world file: the exact velocity and posterior
    /// move and draw, unless --source asks for a network.
    #[arg(long, value_name = "NAME|FILE.ron")]
    pub world: Option<String>,
    /// A checkpoint: its network moves and draws. Its own world is scored against unless --world is given too.
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// linear:AX,AY, bowl:CX,CY,VARIANCE, measurement:AX,AY,Y,SD, bumps:W,X,Y,VARIANCE/..., half-plane:AX,AY,C,SOFTNESS,
    /// ring:CX,CY,RADIUS,SD or expr:TEXT, a function of x and y such as "expr:-(x^2 + y^2 - 4)^2": each with an optional
    /// @LAMBDA. See below for what TEXT may hold.
    #[arg(long, value_name = "SPEC")]
    pub reward: Reward,
    /// How to steer: a name of the table below.
    #[arg(long, value_name = "NAME")]
    pub method: Method,
    /// Base dynamics; the method's usual one if not given.
    #[arg(long, value_enum)]
    pub dynamics: Option<FlowArg>,
    /// Steps from noise to data.
    #[arg(long, default_value_t = 150)]
    pub steps: u32,
    /// Draws per state; for best-of-n the finished samples each one is chosen from.
    #[arg(long, default_value_t = 64)]
    pub n: u32,
    /// Samples.
    #[arg(long, default_value_t = 2048)]
    pub particles: u32,
    /// Root of the noise.
    #[arg(long, default_value_t = 11)]
    pub seed: u64,
    /// Where posterior draws come from: one-step, k-step:K, glass:STEPS, sde:STEPS or exact. One step of the
    /// checkpoint if not given, or without one the closed form (the GLASS ODE for MFM-G).
    #[arg(long)]
    pub source: Option<Source>,
    /// Start and diffusion that go together: start 0.01 and cap 25, or for the ODE start 0.001 and no cap.
    #[arg(long, value_enum, default_value_t = PresetArg::AsPublished)]
    pub preset: PresetArg,
    /// First time, instead of the preset's.
    #[arg(long)]
    pub start: Option<f64>,
    /// Cap on (1 - t) / t in sigma_t, instead of the preset's.
    #[arg(long)]
    pub cap: Option<f64>,
    /// Factor on the steering part; 1 is the tilt.
    #[arg(long, default_value_t = 1.0)]
    pub guidance: f64,
    /// Set the steering part to this many times the base drift. Not the tilt.
    #[arg(long, value_name = "SCALE", conflicts_with = "clip")]
    pub rescale: Option<f64>,
    /// Bound the steering part to this many times the base drift. Not the tilt.
    #[arg(long, value_name = "SCALE")]
    pub clip: Option<f64>,
    /// Damp the reward for data of this standard deviation.
    #[arg(long, value_name = "SD")]
    pub damping: Option<f64>,
    /// Time at which mfm-mix goes over to gradients.
    #[arg(long, default_value_t = 0.6)]
    pub mix_until: f64,
    /// Measure gradient-free steering from the denoiser, as the paper writes it, instead of from the mean of its own
    /// draws, as the released code does: unbiased in the mean of the futures, and noisier.
    #[arg(long)]
    pub no_control_variate: bool,
    /// Steps of an inner rollout.
    #[arg(long, default_value_t = 16)]
    pub rollout_steps: u32,
    /// Resample when the effective share of the particles falls below this.
    #[arg(long, default_value_t = 0.5)]
    pub resample_below: f64,
    /// How to resample.
    #[arg(long, value_enum, default_value_t = ResamplingArg::Systematic)]
    pub resampling: ResamplingArg,
    /// Particles of one independent population; all together if not given.
    #[arg(long)]
    pub population: Option<u32>,
    /// Power of the search's time grid.
    #[arg(long, default_value_t = 2.5)]
    pub search_power: f64,
    /// Let the search keep one future for all particles.
    #[arg(long)]
    pub search_overall: bool,
    /// Signal-to-noise factor of wdm.
    #[arg(long, default_value_t = 20.0)]
    pub snr: f64,
    /// Weigh wdm by the reward alone, as the released code does (biased in 2D).
    #[arg(long)]
    pub reward_weights: bool,
    /// Leave the map's Jacobian out of fmrg.
    #[arg(long)]
    pub without_jacobian: bool,
    /// Time at which fmrg stops guiding: its last step is then one jump of the map to the data. With
    /// --without-jacobian and a checkpoint 3 steps are 3 evaluations in all.
    #[arg(long, value_name = "T")]
    pub early_stop: Option<f64>,
    /// Where to write the samples; the ending decides the format.
    #[arg(long, value_name = "FILE.{csv,npz,safetensors}")]
    pub out: Option<PathBuf>,
    /// Where to write the report.
    #[arg(long, value_name = "FILE.json")]
    pub json: Option<PathBuf>,
}

/// Base dynamics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FlowArg {
    /// Deterministic.
    Ode,
    /// With noise.
    Sde,
}

/// Start and diffusion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PresetArg {
    /// Start 0.01, cap 25.
    AsPublished,
    /// Start 0.001 and no cap for the ODE.
    Exact,
}

/// How to resample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ResamplingArg {
    /// One uniform for all.
    Systematic,
    /// One for each stratum.
    Stratified,
    /// Independent.
    Multinomial,
}

/// What `--json` holds.
#[derive(Debug, Serialize)]
struct Report<'a> {
    version: &'static str,
    world: &'a str,
    world_fingerprint: String,
    /// File name and SHA-256 of the network that moved and drew; null when the closed forms did.
    checkpoint: Option<[&'a str; 2]>,
    reward: String,
    method: &'static str,
    source: &'static str,
    warning: Option<&'static str>,
    plan: &'a SteerPlan,
    score: &'a SteerScore,
    /// What two independent samples of the target of that size differ by.
    floor: Floor,
    log_normaliser: f64,
    counters: Counters,
    evaluations: u64,
    /// Evaluations a sample as the papers count them.
    published_cost_per_sample: Option<u64>,
    /// Particles that became non-finite on the way, replaced ones included.
    non_finite: u64,
    resamplings: u32,
    ess: &'a [f64],
    /// Where it ran.
    device: &'static str,
    seconds: f64,
    particle_steps_per_second: f64,
}

/// Runs the command; prints what was done.
///
/// # Errors
/// With a message for the person: an impossible plan, a missing model, an unreadable file, a full disk.
pub fn run_steer(args: &SteerArgs, device: Option<DeviceArg>) -> Result<(), String> {
    if let Some(path) = &args.out {
        ExportFormat::check(path).map_err(|e| e.to_string())?;
    }
    if let Some(path) = &args.json {
        check_report(path, args.out.as_deref())?;
    }
    let plan = args.plan();
    plan.validate().map_err(|e| e.to_string())?;
    let (world, model) = world_and_model(args)?;
    let (network, place) = network_on(model.as_ref(), device)?;
    let scene = SteerScene {
        world: &world.mixture,
        reward: &args.reward,
        model: network.as_ref(),
    };
    // Before the run: a reward without a target is told at once.
    let count = plan.particles as usize;
    let target = TargetSample::new(&world.mixture, &args.reward, count, args.seed)
        .map_err(|e| e.to_string())?;
    let bar = ProgressBar::new(1000);
    if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {percent} %, {eta} left") {
        bar.set_style(style);
    }
    bar.set_prefix(plan.method.card().title);
    let started = Instant::now();
    let result = run(&plan, scene, &mut |fraction: f32| {
        bar.set_position((f64::from(fraction) * 1000.0) as u64);
        true
    });
    let elapsed = started.elapsed();
    bar.finish_and_clear();
    let done = result.map_err(|error| hint(error, &args.reward))?;
    let n = done.samples.len();
    let score = target.score(&world.mixture, &args.reward, &done.samples);
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
        reward: args.reward.to_string(),
        method: plan.method.card().title,
        source: plan.method.card().source,
        warning: plan.warning(),
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
        device: place,
        seconds: elapsed.as_secs_f64(),
        particle_steps_per_second: f64::from(plan.particles) * f64::from(plan.steps)
            / elapsed.as_secs_f64(),
    };
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&report).map_err(|e| e.to_string())?;
        std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    print_report(&report, elapsed, args);
    Ok(())
}

fn hint(error: SteerError, reward: &Reward) -> String {
    match error {
        SteerError::NoGradient => format!("{error} (the reward is '{reward}')"),
        error => error.to_string(),
    }
}

impl SteerArgs {
    fn plan(&self) -> SteerPlan {
        let mut plan = SteerPlan::new(self.method);
        if let Some(flow) = self.dynamics {
            plan.flow = match flow {
                FlowArg::Ode => Flow::Ode,
                FlowArg::Sde => Flow::Sde,
            };
        }
        let mut plan = plan.with_preset(match self.preset {
            PresetArg::AsPublished => Preset::AsPublished,
            PresetArg::Exact => Preset::Exact,
        });
        plan.start = self.start.unwrap_or(plan.start);
        if let Some(cap) = self.cap {
            plan.schedule = SigmaSchedule { cap: Some(cap) };
        }
        plan.renormalise = match (self.rescale, self.clip) {
            (Some(scale), _) => Renormalise::Rescale(scale),
            (_, Some(scale)) => Renormalise::Clip(scale),
            _ => Renormalise::Off,
        };
        plan.resampling = match self.resampling {
            ResamplingArg::Systematic => Resampling::Systematic,
            ResamplingArg::Stratified => Resampling::Stratified,
            ResamplingArg::Multinomial => Resampling::Multinomial,
        };
        if self.reward_weights {
            plan.diamond_weights = DiamondWeights::RewardOnly;
        }
        if self.without_jacobian {
            plan.control = ControlForm::Euclidean;
        }
        SteerPlan {
            steps: self.steps,
            draws: self.n,
            particles: self.particles,
            seed: self.seed,
            source: self.source,
            rollout_steps: self.rollout_steps,
            guidance: self.guidance,
            damping: self.damping,
            mix_until: self.mix_until,
            control_variate: !self.no_control_variate,
            control_until: self.early_stop,
            resample_below: self.resample_below,
            population: self.population,
            search_power: self.search_power,
            search_overall: self.search_overall,
            diamond_snr: self.snr,
            ..plan
        }
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
    if !args.source.is_some_and(Source::needs_model) {
        return Ok((world, None));
    }
    let model = WorldPreset::from_name(name)
        .and_then(load_shipped)
        .ok_or_else(|| {
            format!("no checkpoint is shipped for the world '{name}': give one with --checkpoint")
        })?
        .map_err(|e| e.to_string())?;
    Ok((world, Some(model)))
}

fn write_samples(
    args: &SteerArgs,
    plan: &SteerPlan,
    world: &World,
    model: Option<&LoadedModel>,
    done: &SteerRun,
    path: &Path,
) -> Result<(), String> {
    let mut notes = vec![
        ("method", plan.method.to_string()),
        ("dynamics", format!("{:?}", plan.flow).to_lowercase()),
        ("reward", args.reward.to_string()),
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

fn print_report(report: &Report<'_>, elapsed: Duration, args: &SteerArgs) {
    if let Some(warning) = report.warning {
        say!("note: {warning}");
    }
    let (score, floor) = (report.score, report.floor);
    say!(
        "{} of '{}' toward {}: {} samples, {} steps, {} draws, {:.1} s",
        report.method,
        report.world,
        report.reward,
        score.samples,
        report.plan.steps,
        report.plan.draws,
        elapsed.as_secs_f64(),
    );
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
        "  mode TV     {:>9.4}   (at most {:.4})",
        score.tv,
        floor.tv_max
    );
    say!(
        "  mean reward {:>9.4} +- {:.4}   (target {:.4}{})",
        score.mean_reward,
        score.mean_reward_error,
        score.target_mean_reward,
        match score.target {
            TargetKind::ClosedForm => "",
            TargetKind::Quadrature => ", by quadrature",
            TargetKind::Estimated => ", estimated from weighted samples",
        },
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
    for path in [&args.out, &args.json].into_iter().flatten() {
        say!("written to {}", path.display());
    }
}

/// The table of methods, for `foresight steer --help`.
pub fn methods_help() -> String {
    let mut text = String::from("Methods:\n");
    for card in &METHODS {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "  {:<15} {} [{}]",
            card.name, card.summary, card.source
        );
    }
    let _ = writeln!(
        text,
        "\nExpressions: expr:TEXT holds {}. Where it has no finite value nothing is wanted.",
        Expression::ALLOWED
    );
    text
}
