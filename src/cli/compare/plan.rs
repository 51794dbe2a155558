//! The file that says what is compared.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use ron::extensions::Extensions;
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Serialize};

use crate::engine::{LoadedModel, load_checkpoint, load_shipped};
use crate::lookahead::Source;
use crate::mixture::{Preset as WorldPreset, World};
use crate::process::SigmaSchedule;
use crate::reward::Reward;
use crate::steer::{Method, Preset, Renormalise, SteerPlan};

/// Largest plan file.
const MAX_BYTES: u64 = 1 << 20;
/// Most methods of one plan.
const MAX_METHODS: usize = 64;
/// Most entries of every other list.
const MAX_LIST: usize = 1000;
/// Longest label and title.
const MAX_LABEL: usize = 80;

/// Why a plan cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The file could not be read.
    #[error("{path}: {source}. Check that the file exists and can be read")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is no file, or larger than any plan.
    #[error("{path} is {what}: give a plan file (.ron) of at most {MAX_BYTES} bytes")]
    NotAPlan {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// The text is no plan.
    #[error("{path}:{reason}. See foresight compare --help for what a plan holds")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, column and cause.
        reason: String,
    },
    /// A value cannot be used.
    #[error("{path}: {field}: {problem}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The field at fault, such as `methods[2].options.source`.
        field: String,
        /// What is wrong and what to do.
        problem: String,
    },
}

/// What the file holds, as it is written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Document {
    title: Option<String>,
    world: Option<String>,
    checkpoint: Option<String>,
    reward: Option<String>,
    particles: Option<u32>,
    seeds: Vec<u64>,
    budgets: Vec<u64>,
    draws: Vec<u32>,
    steps: Vec<u32>,
    options: Options,
    methods: Vec<Entry>,
}

/// One method.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Entry {
    name: String,
    label: Option<String>,
    options: Options,
}

/// Options that differ from a method's defaults. Names are text, as on the command line.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    flow: Option<String>,
    preset: Option<String>,
    steps: Option<u32>,
    draws: Option<u32>,
    start: Option<f64>,
    schedule: Option<SigmaSchedule>,
    source: Option<String>,
    rollout_steps: Option<u32>,
    guidance: Option<f64>,
    renormalise: Option<Renormalise>,
    damping: Option<f64>,
    mix_until: Option<f64>,
    resample_below: Option<f64>,
    resampling: Option<String>,
    population: Option<u32>,
    search_power: Option<f64>,
    search_overall: Option<bool>,
    control_variate: Option<bool>,
    control_until: Option<f64>,
    diamond_snr: Option<f64>,
    diamond_weights: Option<String>,
    control: Option<String>,
}

/// A plan whose every value can be used.
pub(super) struct Comparison {
    /// Above the plots.
    pub title: String,
    pub world: World,
    /// The network that moves and draws; `None`: the closed forms do.
    pub model: Option<LoadedModel>,
    pub reward: Reward,
    pub particles: u32,
    pub seeds: Vec<u64>,
    /// Evaluations a sample, rising.
    pub budgets: Vec<u64>,
    pub draws: Vec<u32>,
    pub steps: Vec<u32>,
    /// Label and plan of each method.
    pub methods: Vec<(String, SteerPlan)>,
}

/// Reads a plan; `seeds` take the place of its own where there are any.
pub(super) fn read(path: &Path, seeds: &[u64]) -> Result<Comparison, PlanError> {
    let text = read_text(path)?;
    let document: Document = ron::Options::default()
        .with_default_extension(Extensions::IMPLICIT_SOME)
        .from_str(&text)
        .map_err(|e| PlanError::Syntax {
            path: path.to_owned(),
            reason: e.to_string(),
        })?;
    document
        .check(path, seeds)
        .map_err(|(field, problem)| PlanError::Value {
            path: path.to_owned(),
            field,
            problem,
        })
}

fn read_text(path: &Path) -> Result<String, PlanError> {
    let io = |source| PlanError::Io {
        path: path.to_owned(),
        source,
    };
    let not_a_plan = |what| PlanError::NotAPlan {
        path: path.to_owned(),
        what,
    };
    // Asked before opening: opening a pipe without a writer would wait for ever.
    let found = std::fs::metadata(path).map_err(io)?;
    if !found.is_file() {
        return Err(not_a_plan("no file".into()));
    }
    if found.len() > MAX_BYTES {
        return Err(not_a_plan(format!("{} bytes long", found.len())));
    }
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text))
        .map_err(io)?;
    Ok(text)
}

/// The field at fault, and what is wrong with it.
type Fault = (String, String);

fn fault(field: impl Into<String>, problem: impl ToString) -> Fault {
    (field.into(), problem.to_string())
}

impl Document {
    fn check(self, path: &Path, seeds: &[u64]) -> Result<Comparison, Fault> {
        let (world, model) = self.world_and_model(path)?;
        let reward: Reward = self
            .reward
            .as_deref()
            .ok_or_else(|| fault("reward", "it is missing: give one, such as \"bowl:0,3,2\""))?
            .parse()
            .map_err(|e| fault("reward", e))?;
        let seeds = if seeds.is_empty() { &self.seeds } else { seeds };
        if seeds.is_empty() {
            return Err(fault(
                "seeds",
                "there are none: give some, such as [1, 2, 3]",
            ));
        }
        distinct("seeds", seeds)?;
        distinct("budgets", &self.budgets)?;
        distinct("draws", &self.draws)?;
        distinct("steps", &self.steps)?;
        if self.budgets.contains(&0) {
            return Err(fault("budgets", "0 evaluations are no budget"));
        }
        let particles = self.particles.unwrap_or(1024);
        let methods = self.methods(particles)?;
        let title = self.title.unwrap_or_else(|| {
            let name = if world.title.is_empty() {
                &world.name
            } else {
                &world.title
            };
            format!("{name}, {reward}")
        });
        label_fits("title", &title)?;
        let mut budgets = self.budgets;
        budgets.sort_unstable();
        Ok(Comparison {
            title,
            world,
            model,
            reward,
            particles,
            seeds: seeds.to_vec(),
            budgets,
            draws: self.draws,
            steps: self.steps,
            methods,
        })
    }

    fn world_and_model(&self, path: &Path) -> Result<(World, Option<LoadedModel>), Fault> {
        let named = self
            .world
            .as_deref()
            .map(|name| World::resolve(&beside(path, name)).map_err(|e| fault("world", e)))
            .transpose()?;
        match (named, self.checkpoint.as_deref()) {
            (None, None) => Err(fault(
                "world",
                "it is missing: give a world, such as \"two\", or a checkpoint, or both",
            )),
            (Some(world), None) => Ok((world, None)),
            (named, Some("shipped")) => {
                let world = named.ok_or_else(|| {
                    fault("checkpoint", "\"shipped\" needs a world that is a preset")
                })?;
                let model = WorldPreset::from_name(self.world.as_deref().unwrap_or_default())
                    .and_then(load_shipped)
                    .ok_or_else(|| {
                        fault(
                            "checkpoint",
                            format!("none is shipped for the world '{}'", world.name),
                        )
                    })?
                    .map_err(|e| fault("checkpoint", e))?;
                Ok((world, Some(model)))
            }
            (named, Some(file)) => {
                let model = load_checkpoint(Path::new(&beside(path, file)))
                    .map_err(|e| fault("checkpoint", e))?;
                let world = named.unwrap_or_else(|| model.checkpoint.card.world.clone());
                Ok((world, Some(model)))
            }
        }
    }

    fn methods(&self, particles: u32) -> Result<Vec<(String, SteerPlan)>, Fault> {
        let count = self.methods.len();
        if !(1..=MAX_METHODS).contains(&count) {
            return Err(fault(
                "methods",
                format!("there are {count}: give 1 to {MAX_METHODS}"),
            ));
        }
        let mut methods: Vec<(String, SteerPlan)> = Vec::with_capacity(count);
        for (i, entry) in self.methods.iter().enumerate() {
            let method: Method = entry
                .name
                .parse()
                .map_err(|e| fault(format!("methods[{i}].name"), e))?;
            let mut plan = SteerPlan::new(method);
            let own = format!("methods[{i}].options");
            let layers = [("options", &self.options), (own.as_str(), &entry.options)];
            // Which start and diffusion go together depends on the dynamics, so these come first.
            for (at, options) in layers {
                if let Some(flow) = &options.flow {
                    plan.flow = named(at, "flow", flow)?;
                }
            }
            for (at, options) in layers {
                if let Some(preset) = &options.preset {
                    let preset: Preset = named(at, "preset", preset)?;
                    plan = plan.with_preset(preset);
                }
            }
            for (at, options) in layers {
                options.apply(at, &mut plan)?;
            }
            plan.particles = particles;
            plan.validate()
                .map_err(|e| fault(format!("methods[{i}] ({method})"), e))?;
            let label = entry
                .label
                .clone()
                .unwrap_or_else(|| method.card().title.into());
            label_fits(&format!("methods[{i}].label"), &label)?;
            if let Some(other) = methods.iter().position(|(l, _)| *l == label) {
                return Err(fault(
                    format!("methods[{i}].label"),
                    format!("'{label}' is also that of methods[{other}]: give each its own"),
                ));
            }
            methods.push((label, plan));
        }
        Ok(methods)
    }
}

/// A file's name as a plan means it: beside the plan. A preset's name stays.
fn beside(plan: &Path, name: &str) -> String {
    if WorldPreset::from_name(name).is_some() {
        return name.into();
    }
    let folder = plan.parent().unwrap_or(Path::new(""));
    let file = folder.join(name);
    let looks_like_a_file =
        Path::new(name).extension().is_some() || Path::new(name).components().count() > 1;
    if looks_like_a_file || file.exists() {
        file.to_string_lossy().into_owned()
    } else {
        name.into()
    }
}

fn label_fits(field: &str, label: &str) -> Result<(), Fault> {
    let fits = !label.is_empty()
        && label.chars().count() <= MAX_LABEL
        && !label.chars().any(char::is_control);
    if fits {
        Ok(())
    } else {
        Err(fault(
            field,
            format!("give one line of 1 to {MAX_LABEL} characters"),
        ))
    }
}

fn distinct<T: Ord + std::fmt::Display>(field: &str, list: &[T]) -> Result<(), Fault> {
    if list.len() > MAX_LIST {
        return Err(fault(
            field,
            format!("there are {}: at most {MAX_LIST} are possible", list.len()),
        ));
    }
    let mut seen = BTreeSet::new();
    match list.iter().find(|value| !seen.insert(*value)) {
        Some(twice) => Err(fault(
            field,
            format!("{twice} is there twice: give it once"),
        )),
        None => Ok(()),
    }
}

/// A name as the program's own files write it.
fn named<T: DeserializeOwned>(at: &str, field: &str, text: &str) -> Result<T, Fault> {
    let problem: Result<T, serde::de::value::Error> = T::deserialize(text.into_deserializer());
    problem.map_err(|e| fault(format!("{at}.{field}"), e))
}

impl Options {
    /// All but the dynamics and the preset.
    fn apply(&self, at: &str, plan: &mut SteerPlan) -> Result<(), Fault> {
        if let Some(source) = &self.source {
            let source: Source = source
                .parse()
                .map_err(|e| fault(format!("{at}.source"), e))?;
            plan.source = Some(source);
        }
        if let Some(resampling) = &self.resampling {
            plan.resampling = named(at, "resampling", resampling)?;
        }
        if let Some(weights) = &self.diamond_weights {
            plan.diamond_weights = named(at, "diamond_weights", weights)?;
        }
        if let Some(control) = &self.control {
            plan.control = named(at, "control", control)?;
        }
        // Every field of a plan is named here: one that is added must be decided upon.
        let SteerPlan {
            method: _,
            flow: _,
            steps,
            draws,
            particles: _,
            seed: _,
            start,
            schedule,
            source: _,
            rollout_steps,
            guidance,
            renormalise,
            damping,
            mix_until,
            resample_below,
            resampling: _,
            population,
            search_power,
            search_overall,
            control_variate,
            control_until,
            diamond_snr,
            diamond_weights: _,
            control: _,
            keep_trajectory: _,
        } = plan;
        set(steps, self.steps);
        set(draws, self.draws);
        set(start, self.start);
        set(schedule, self.schedule);
        set(rollout_steps, self.rollout_steps);
        set(guidance, self.guidance);
        set(renormalise, self.renormalise);
        set(mix_until, self.mix_until);
        set(resample_below, self.resample_below);
        set(search_power, self.search_power);
        set(search_overall, self.search_overall);
        set(diamond_snr, self.diamond_snr);
        set(control_variate, self.control_variate);
        *control_until = self.control_until.or(*control_until);
        *damping = self.damping.or(*damping);
        *population = self.population.or(*population);
        Ok(())
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}
