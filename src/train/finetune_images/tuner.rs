//! One run of fine-tuning a velocity of images: it can be stepped, watched, stopped, saved and taken up again.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;

use super::super::finetune::{FinetuneLoss, Objective};
use super::super::optimizer::{OptimizerState, ema_decay};
use super::super::trainer::TrainError;
use super::draws::{Drawing, Lessons};
use super::learner::{Learner, Taught};
use super::maximise;
use super::pool::Pool;
use super::recipe::{ImageTuneRecipe, TunedClass};
use super::states::States;
use crate::checkpoint::{
    CheckpointError, FORMAT, ImageCard, StateWeights, TunedImages, beginning_with_classes, inspect,
    read_image_map, read_shipped_image_map, read_shipped_states, read_states, sha256_hex,
    shipped_image_map,
};
use crate::model::dit::native::FlatLayout;
use crate::model::simd::Buffer;
use crate::model::{Dit, DitConfig, ImageMap, StateClassifier, VelocityOnly};
use crate::reward::picture::PictureScore;
use crate::train::ImageSet;

/// The Meta Flow Map that is tuned.
#[derive(Debug, Clone)]
pub struct TuneParent {
    /// SHA-256 of its file.
    pub hash: String,
    /// What it says of itself.
    pub card: ImageCard,
    /// Its weights, on the processor.
    pub net: Dit,
    /// Where it is tuned.
    pub(super) device: Device,
    /// Whether that is on the processor's own kernels, where they know its shape.
    pub(super) native: bool,
    /// What says which class a state becomes, where the map carries it.
    pub(super) states: Option<Arc<StateClassifier>>,
}

impl TuneParent {
    /// Opens a file; the shipped map without one.
    ///
    /// # Errors
    /// When it is no map of images.
    pub fn open(path: Option<&Path>) -> Result<Self, CheckpointError> {
        if let Some(path) = path {
            let (card, net) = read_image_map(path, &Device::flex())?;
            let states = read_states(path)?;
            let name = path.display().to_string();
            return Self::new(inspect(path)?.hash, card, net).knowing(states, &name);
        }
        let (card, net) = read_shipped_image_map()?;
        let parent = Self::new(sha256_hex(shipped_image_map()), card, net);
        parent.knowing(read_shipped_states()?, "the shipped map")
    }

    /// A map that is tuned on the processor. `net` lies there and has the shape that the card says.
    pub(super) fn new(hash: String, card: ImageCard, net: Dit) -> Self {
        Self {
            hash,
            card,
            net,
            device: Device::flex(),
            native: true,
            states: None,
        }
    }

    fn knowing(self, states: Option<StateWeights>, name: &str) -> Result<Self, CheckpointError> {
        let states = states.map(|states| states.classifier(name)).transpose()?;
        Ok(Self { states, ..self })
    }

    /// To be tuned on `device`, not an autodiff one. The steps are the same up to rounding.
    #[must_use]
    pub fn on(self, device: &Device) -> Self {
        Self {
            native: *device == Device::flex(),
            device: device.clone(),
            ..self
        }
    }

    /// To be tuned through burn, on the processor too.
    #[must_use]
    pub fn through_burn(self) -> Self {
        Self {
            native: false,
            ..self
        }
    }
}

/// A run.
pub struct ImageTuner {
    pub(super) parent_hash: String,
    card: ImageCard,
    base: Arc<dyn ImageMap>,
    reward: Arc<dyn PictureScore>,
    pub(super) text: String,
    pub(super) recipe: ImageTuneRecipe,
    pub(super) state: OptimizerState,
    /// Steps done.
    pub(super) step: u64,
    pub(super) smooth: FinetuneLoss,
    /// Mean reward of the draws, smoothed like the losses.
    pub(super) reward_mean: f64,
    pub(super) pool: Pool,
    /// Whether the pool is of a data set.
    pub(super) from_data: bool,
    layout: FlatLayout,
    pub(super) net: Learner,
    pub(super) gradient: Buffer,
}

impl std::fmt::Debug for ImageTuner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageTuner")
            .field("reward", &self.text)
            .field("recipe", &self.recipe)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}

impl ImageTuner {
    /// A run at its beginning: the tuned velocity is the map's own. `text` is the reward as a person wrote it. Without
    /// `data` the map makes the pictures behind the states itself; `watch` is told the share of them that is there and
    /// says whether to go on.
    ///
    /// # Errors
    /// A recipe, a map or a reward that cannot be used; [`TrainError::Cancelled`] when `watch` says no.
    pub fn new(
        parent: &TuneParent,
        (reward, text): (Arc<dyn PictureScore>, &str),
        data: Option<&ImageSet>,
        recipe: ImageTuneRecipe,
        watch: &mut dyn FnMut(f32) -> bool,
    ) -> Result<Self, TrainError> {
        let state =
            OptimizerState::new(FlatLayout::new(&parent.card.model).gather(&parent.net.weights()));
        Self::from_state(parent, (reward, text), data, recipe, state, watch)
    }

    pub(super) fn from_state(
        parent: &TuneParent,
        (reward, text): (Arc<dyn PictureScore>, &str),
        data: Option<&ImageSet>,
        recipe: ImageTuneRecipe,
        state: OptimizerState,
        watch: &mut dyn FnMut(f32) -> bool,
    ) -> Result<Self, TrainError> {
        recipe.validate()?;
        check(parent, &*reward, &recipe)?;
        let layout = FlatLayout::new(&parent.card.model);
        let mut net = Learner::new(&parent.net, parent.native, &parent.device);
        let base = beginning_with_classes(net.frozen(&parent.net), parent.states.as_ref());
        net.load(state.weights.as_slice());
        let pool = match data {
            Some(data) => Pool::from_data(data, parent.card.model.label_dim, &*reward, &recipe)?,
            None => Pool::generated(&*base, &*reward, &recipe, watch)?,
        };
        Ok(Self {
            parent_hash: parent.hash.clone(),
            card: parent.card.clone(),
            base,
            reward,
            text: text.to_owned(),
            recipe,
            step: 0,
            smooth: FinetuneLoss::default(),
            reward_mean: 0.0,
            pool,
            from_data: data.is_some(),
            gradient: Buffer::zeroed(layout.len()),
            layout,
            net,
            state,
        })
    }

    /// The network's shape.
    pub fn model(&self) -> &DitConfig {
        &self.card.model
    }

    /// The reward as a person wrote it.
    pub fn reward(&self) -> &str {
        &self.text
    }

    /// The recipe.
    pub fn recipe(&self) -> &ImageTuneRecipe {
        &self.recipe
    }

    /// Steps done.
    pub fn steps_done(&self) -> u64 {
        self.step
    }

    /// Whether all steps are done.
    pub fn is_done(&self) -> bool {
        self.step >= self.recipe.steps
    }

    /// The last losses, averaged over about thirty steps.
    pub fn loss(&self) -> FinetuneLoss {
        self.smooth
    }

    /// Mean reward of the draws of the last steps: of the frozen map's draws, and where the reward is maximised of the
    /// ends that the velocity predicts.
    pub fn reward_mean(&self) -> f64 {
        self.reward_mean
    }

    /// How many of the pool's pictures count under `exp r`: with a handful, the reward is too strong for the map.
    pub fn effective_pictures(&self) -> f64 {
        self.pool.effective
    }

    /// Mean reward of the tilted target, as far as the pool tells: by its pictures, weighted with `exp r`.
    pub fn target_reward(&self) -> f64 {
        self.pool.tilted_reward
    }

    /// One step.
    ///
    /// # Errors
    /// [`TrainError::Diverged`]; the weights are then as before the step.
    pub fn advance(&mut self) -> Result<FinetuneLoss, TrainError> {
        // Recipes are refused when they have more than u32::MAX - 1 steps.
        let step = self.step as u32;
        let (states, lessons, base) = match self.recipe.objective {
            Objective::Tilt => {
                let states = States::at(step, &self.recipe, &self.pool);
                let lessons = self.drawing().lessons(step, &states);
                let base = self.base_velocity(&states);
                (states, lessons, base)
            }
            Objective::Maximise => {
                maximise::lessons(step, &self.recipe, &*self.reward, self.net.map())
            }
        };
        let error = self.add_gradients(&states, &lessons, &base);
        let adam = &self.recipe.adam;
        let rate = self.recipe.course().at(self.step);
        let decay = ema_decay(self.step, self.recipe.ema_limit);
        let norm = self
            .state
            .update(&self.gradient, adam, rate, decay, self.step);
        if !norm.is_finite() {
            return Err(TrainError::Diverged {
                step: self.step,
                rate: self.recipe.rate,
            });
        }
        self.net.load(self.state.weights.as_slice());
        let n = lessons.hold.len() as f64;
        let total: f64 = lessons.hold.iter().sum();
        let squares: f64 = lessons.hold.iter().map(|h| h * h).sum();
        let tilts = self.recipe.objective == Objective::Tilt;
        let loss = FinetuneLoss {
            error: if tilts { error } else { -lessons.reward },
            hold: if tilts { total / n } else { 0.0 },
            effective: if squares > 0.0 {
                total * total / (n * squares)
            } else {
                0.0
            },
            norm,
            clipped: f64::from(u8::from(norm > adam.clip)),
            without_reward: lessons.without_reward,
        };
        self.follow(loss, lessons.reward);
        self.step += 1;
        Ok(loss)
    }

    pub(super) fn drawing(&self) -> Drawing<'_> {
        Drawing {
            map: &*self.base,
            reward: &*self.reward,
            draws: self.recipe.draws,
            jumps: self.recipe.jumps,
            guidance: self.recipe.guidance,
            seed: self.recipe.seed,
        }
    }

    /// `b_t(x_t)` of the frozen map.
    pub(super) fn base_velocity(&self, states: &States) -> Vec<f32> {
        let mut v = vec![0.0; states.x_t.len()];
        let still = states.still(self.recipe.guidance);
        self.base
            .average_velocity(&still.rows(0..states.t.len()), &mut v);
        v
    }

    /// The gradient of the loss into `self.gradient`; gives the mean of the weighted squared errors a number.
    pub(super) fn add_gradients(
        &mut self,
        states: &States,
        lessons: &Lessons,
        base: &[f32],
    ) -> f64 {
        let taught = Taught {
            states,
            lessons,
            base,
            guidance: self.recipe.guidance,
            micro_batch: self.recipe.micro_batch,
        };
        self.net.gradient(&taught, &mut self.gradient)
    }

    /// Takes a step's losses into the running means; counts are added up.
    fn follow(&mut self, new: FinetuneLoss, reward: f64) {
        let share = 1.0 / (self.step + 1).min(30) as f64;
        let mix = |old: f64, new: f64| old + share * (new - old);
        let old = self.smooth;
        self.reward_mean = mix(self.reward_mean, reward);
        self.smooth = FinetuneLoss {
            error: mix(old.error, new.error),
            hold: mix(old.hold, new.hold),
            effective: mix(old.effective, new.effective),
            norm: mix(old.norm, new.norm),
            clipped: mix(old.clipped, new.clipped),
            without_reward: old.without_reward + new.without_reward,
        };
    }

    /// The frozen velocity, asked as the tuned one is.
    pub fn base(&self) -> Arc<dyn ImageMap> {
        Arc::new(VelocityOnly::new(self.base.clone()))
    }

    /// The averaged tuned velocity, ready to move samples. It is no flow map.
    pub fn velocity(&self) -> Arc<dyn ImageMap> {
        let net = self.net.map_of(self.state.average.as_slice());
        Arc::new(VelocityOnly::new(net))
    }

    /// The averaged weights as a network to be written.
    pub fn averaged(&self) -> Dit {
        self.layout
            .network(&self.card.model, self.state.average.as_slice())
    }

    /// The card of a file of [`Self::averaged`]: the parent's, with the reward and this recipe.
    pub fn card(&self) -> ImageCard {
        ImageCard {
            format: FORMAT,
            // A recipe of numbers and names always serialises.
            recipe: serde_json::to_value(self.recipe).unwrap_or_default(),
            seed: self.recipe.seed,
            steps: self.step,
            code_version: env!("CARGO_PKG_VERSION").into(),
            hours: None,
            hardware: None,
            figures: std::collections::BTreeMap::new(),
            tuned: Some(TunedImages {
                parent: self.parent_hash.clone(),
                parent_steps: self.card.steps,
                reward: self.text.clone(),
                maximised: self.recipe.objective == Objective::Maximise,
                class: self.recipe.class.to_string(),
                guidance: self.recipe.guidance,
            }),
            ..self.card.clone()
        }
    }
}

/// Refuses what cannot be tuned.
fn check(
    parent: &TuneParent,
    reward: &dyn PictureScore,
    recipe: &ImageTuneRecipe,
) -> Result<(), TrainError> {
    let refuse = |text: String| Err(TrainError::Parent(text));
    let model = &parent.card.model;
    if parent.card.tuned.is_some() {
        return refuse(
            "it is a fine-tuned velocity, whose jumps are no flow map. Fine-tune the model it came from, toward both rewards"
                .into(),
        );
    }
    if reward.shape() != model.state() {
        return refuse(format!(
            "the reward scores pictures of {:?}, the model makes {:?}",
            reward.shape(),
            model.state()
        ));
    }
    let known = model.class_scales();
    if !known.iter().any(|w| (w - recipe.guidance).abs() < 1e-3) {
        return refuse(format!(
            "it was not trained with guidance {}: choose one of {known:?}",
            recipe.guidance
        ));
    }
    match recipe.class {
        TunedClass::None if (recipe.guidance - 1.0).abs() > 1e-3 => {
            return refuse("without a class there is no guidance: leave it at 1".into());
        }
        TunedClass::Only(class) if class as usize >= model.label_dim => {
            return refuse(format!(
                "it has no class {class}: it knows 0 to {}",
                model.label_dim.saturating_sub(1)
            ));
        }
        _ => {}
    }
    if recipe.objective == Objective::Maximise
        && let Some(part) = reward.without_gradient()
    {
        return refuse(format!(
            "{part} has no gradient, which maximising follows: tune toward it instead"
        ));
    }
    Ok(())
}
