//! The arguments of `foresight steer`, and the plan they make.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgGroup, Args, ValueEnum};

use super::futures_reward::FreeArg;
use super::scorers::ScorerOptions;
use super::steer_options::refuse_idle;
use crate::lookahead::Source;
use crate::process::SigmaSchedule;
use crate::reward::{Expression, Reward};
use crate::steer::{
    ControlForm, DiamondWeights, Flow, METHODS, Method, Preset, Renormalise, Resampling, SteerPlan,
};

/// A value whose fault the command tells, shortened; the reader of arguments would repeat all of it.
#[derive(Debug, Clone)]
pub struct Told<T> {
    text: String,
    value: Result<T, String>,
}

impl<T: FromStr<Err: std::fmt::Display>> FromStr for Told<T> {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self {
            text: text.to_owned(),
            value: text.parse().map_err(|e: T::Err| e.to_string()),
        })
    }
}

impl<T> Told<T> {
    /// The value.
    ///
    /// # Errors
    /// What was wrong with its text.
    pub fn get(&self) -> Result<&T, String> {
        self.value.as_ref().map_err(Clone::clone)
    }

    /// What was given.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// `foresight steer`
#[derive(Debug, Args)]
#[command(after_help = methods_help(), group = ArgGroup::new("scene").required(true).multiple(true).args(["world", "checkpoint"]))]
pub struct SteerArgs {
    /// A preset's name (two, three, ring8, grid25, moons, spiral) or a world file: the exact velocity and posterior
    /// move and draw, unless --source asks for a network.
    #[arg(long, value_name = "NAME|FILE.ron")]
    pub world: Option<String>,
    /// A checkpoint: its network moves and draws. Its own world is scored against unless --world is given too. With a
    /// map of images pictures are steered.
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// linear:AX,AY, bowl:CX,CY,VARIANCE, measurement:AX,AY,Y,SD, bumps:W,X,Y,VARIANCE/..., half-plane:AX,AY,C,SOFTNESS,
    /// ring:CX,CY,RADIUS,SD or expr:TEXT, a function of x and y such as "expr:-(x^2 + y^2 - 4)^2": each with an optional
    /// @LAMBDA. See below for what TEXT may hold. For pictures a sum of terms such as "class:3@5 + thickness@2".
    #[arg(long, value_name = "SPEC")]
    pub reward: Told<Reward>,
    /// How to steer: a name of the table below.
    #[arg(long, value_name = "NAME")]
    pub method: Told<Method>,
    /// Base dynamics; the method's usual one if not given.
    #[arg(long, value_enum)]
    pub dynamics: Option<FlowArg>,
    /// Steps from noise to data. 150 if not given, 30 for pictures.
    #[arg(long)]
    pub steps: Option<u32>,
    /// Draws per state; for best-of-n the finished samples each one is chosen from. 64 if not given, 16 for pictures.
    #[arg(long)]
    pub n: Option<u32>,
    /// Samples. 2048 if not given, 16 for pictures.
    #[arg(long, visible_alias = "count")]
    pub particles: Option<u32>,
    /// Root of the noise.
    #[arg(long, default_value_t = 11)]
    pub seed: u64,
    /// Where posterior draws come from: one-step, k-step:K, glass:STEPS, sde:STEPS or exact. One step of the
    /// checkpoint if not given, or without one the closed form (the GLASS ODE for MFM-G).
    #[arg(long)]
    pub source: Option<Told<Source>>,
    /// Start and diffusion that go together: start 0.01 and cap 25 if not given, or for the ODE start 0.001 and no cap.
    #[arg(long, value_enum)]
    pub preset: Option<PresetArg>,
    /// First time, instead of the preset's.
    #[arg(long)]
    pub start: Option<f64>,
    /// Cap on (1 - t) / t in sigma_t, instead of the preset's.
    #[arg(long)]
    pub cap: Option<f64>,
    /// Factor on the steering part; 1 is the tilt.
    #[arg(long)]
    pub guidance: Option<f64>,
    /// Set the steering part to this many times the base drift. Not the tilt.
    #[arg(long, value_name = "SCALE", conflicts_with = "clip")]
    pub rescale: Option<f64>,
    /// Bound the steering part to this many times the base drift. Not the tilt.
    #[arg(long, value_name = "SCALE")]
    pub clip: Option<f64>,
    /// Damp the reward for data of this standard deviation.
    #[arg(long, value_name = "SD")]
    pub damping: Option<f64>,
    /// Time at which mfm-mix goes over to gradients. 0.6 if not given.
    #[arg(long)]
    pub mix_until: Option<f64>,
    /// Measure gradient-free steering from the denoiser, as the paper writes it, instead of from the mean of its own
    /// draws, as the released code does: unbiased in the mean of the futures, and noisier.
    #[arg(long)]
    pub no_control_variate: bool,
    /// Steps of an inner rollout. 16 if not given.
    #[arg(long)]
    pub rollout_steps: Option<u32>,
    /// Resample when the effective share of the particles falls below this. 0.5 if not given.
    #[arg(long)]
    pub resample_below: Option<f64>,
    /// How to resample; systematic if not given.
    #[arg(long, value_enum)]
    pub resampling: Option<ResamplingArg>,
    /// Particles of one independent population; all together if not given.
    #[arg(long)]
    pub population: Option<u32>,
    /// Power of the search's time grid. 2.5 if not given.
    #[arg(long)]
    pub search_power: Option<f64>,
    /// Let the search keep one future for all particles.
    #[arg(long)]
    pub search_overall: bool,
    /// Signal-to-noise factor of wdm. 20 if not given.
    #[arg(long)]
    pub snr: Option<f64>,
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
    /// Also measure how far the estimated gradient of the value is from the exact one, at five times of the run.
    #[arg(long)]
    pub gradient_error: bool,
    /// Pictures: tell the velocity and the draws a class, by number or name; any if not given.
    #[arg(long, value_name = "CLASS")]
    pub class: Option<String>,
    /// Pictures: guidance scale of the class, 1 or one that the map was trained with. 1 if not given.
    #[arg(long, value_name = "SCALE")]
    pub class_guidance: Option<f32>,
    /// Pictures: a reference picture for rewards that need one, PNG or JPEG; the first is number 1.
    #[arg(long, value_name = "PICTURE")]
    pub reference: Vec<PathBuf>,
    /// Pictures: what 'masked' leaves free of every reference picture: lower, upper, left, right, middle, around, a mask
    /// that was painted in the window as 'painted(28:112,5,...)', or a PNG or JPEG file that is light where it is free. The
    /// lower half if not given.
    #[arg(long, value_name = "PART|PICTURE")]
    pub free: Option<FreeArg>,
    /// Pictures: where the files are that rewards ask.
    #[command(flatten)]
    pub scorers: ScorerOptions,
    /// Pictures: a classifier for rewards and labels; the shipped one of such pictures and classes if not given.
    #[arg(long, value_name = "FILE")]
    pub classifier: Option<PathBuf>,
    /// Latents: the autoencoder that decodes them for rewards and sheets.
    #[arg(long, value_name = "FILE")]
    pub vae: Option<PathBuf>,
    /// Decode in overlapping tiles of that many latents a side, a multiple of 4, where memory is small.
    #[arg(long, requires = "vae", value_name = "LATENTS", value_parser = clap::value_parser!(u32).range(4..=1024))]
    pub vae_tile: Option<u32>,
    /// Where to write the samples; the ending decides the format. Of pictures a sheet with the base beside them (.png)
    /// or arrays (.npz).
    #[arg(long, value_name = "FILE.{csv,npz,safetensors,png}")]
    pub out: Option<PathBuf>,
    /// Pictures: the base and the steered ones step by step, as one moving .gif or as numbered .png files.
    #[arg(long, value_name = "FILE.{gif,png}")]
    pub frames: Option<PathBuf>,
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

impl SteerArgs {
    /// The plan. Options that the method has no use for are refused.
    ///
    /// # Errors
    /// With a message for the person.
    pub(super) fn plan(&self) -> Result<SteerPlan, String> {
        let mut plan = SteerPlan::new(*self.method.get()?);
        if let Some(flow) = self.dynamics {
            plan.flow = match flow {
                FlowArg::Ode => Flow::Ode,
                FlowArg::Sde => Flow::Sde,
            };
        }
        let mut plan = plan.with_preset(match self.preset {
            None | Some(PresetArg::AsPublished) => Preset::AsPublished,
            Some(PresetArg::Exact) => Preset::Exact,
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
        match self.resampling {
            None => {}
            Some(ResamplingArg::Systematic) => plan.resampling = Resampling::Systematic,
            Some(ResamplingArg::Stratified) => plan.resampling = Resampling::Stratified,
            Some(ResamplingArg::Multinomial) => plan.resampling = Resampling::Multinomial,
        }
        if self.reward_weights {
            plan.diamond_weights = DiamondWeights::RewardOnly;
        }
        if self.without_jacobian {
            plan.control = ControlForm::Euclidean;
        }
        let plan = SteerPlan {
            steps: self.steps.unwrap_or(plan.steps),
            draws: self.n.unwrap_or(plan.draws),
            particles: self.particles.unwrap_or(plan.particles),
            seed: self.seed,
            source: self.asked_source()?,
            rollout_steps: self.rollout_steps.unwrap_or(plan.rollout_steps),
            guidance: self.guidance.unwrap_or(plan.guidance),
            damping: self.damping,
            mix_until: self.mix_until.unwrap_or(plan.mix_until),
            control_variate: !self.no_control_variate,
            control_until: self.early_stop,
            resample_below: self.resample_below.unwrap_or(plan.resample_below),
            population: self.population,
            search_power: self.search_power.unwrap_or(plan.search_power),
            search_overall: self.search_overall,
            diamond_snr: self.snr.unwrap_or(plan.diamond_snr),
            ..plan
        };
        plan.validate().map_err(|e| e.to_string())?;
        refuse_idle(self, &plan)?;
        Ok(plan)
    }

    /// The source that was asked for.
    pub(super) fn asked_source(&self) -> Result<Option<Source>, String> {
        let source = self.source.as_ref().map(Told::get).transpose()?;
        Ok(source.copied())
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
