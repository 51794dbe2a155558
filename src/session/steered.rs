//! How one steered picture was made.

use serde::{Deserialize, Serialize};

use super::document::CheckpointRef;
use super::images::Images;
use super::made::{Middle, hash_fault, map_line};
use super::rewarding::{Rewarding, StoredReference};
use super::studio::{StudioSettings, StudioShow, settings_fault};
use super::studio_start::StudioStart;
use crate::reward::picture::PictureReward;
use crate::steer::images::ImagePlan;
use crate::steer::{Method, Renormalise};

/// Everything that decides one steered picture: the same map gives the same picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SteeredRecipe {
    /// The map of pictures.
    pub checkpoint: CheckpointRef,
    /// SHA-256 of its file, hexadecimal: a file of the same name may be another map.
    pub hash: String,
    /// How the reward was followed and where the run began; `first` is the number of the particle.
    pub settings: StudioSettings,
    /// What was rewarded, the strength inside.
    pub rewarding: Rewarding,
    /// Time of the picture: 1 where it is finished, before what its state looked like becoming.
    #[serde(default = "finished")]
    pub t: f64,
}

const fn finished() -> f64 {
    1.0
}

impl SteeredRecipe {
    /// Of one particle of a run by the map with this hash. `t` is the time of the step that is shown.
    pub fn new(
        (checkpoint, hash): (CheckpointRef, String),
        (plan, start): (&ImagePlan, &StudioStart),
        (reward, references): (&PictureReward, &[StoredReference]),
        (particle, t): (u32, f64),
    ) -> Self {
        Self {
            checkpoint,
            hash,
            settings: StudioSettings {
                // Whether the steps are kept decides nothing.
                plan: ImagePlan {
                    keep_frames: true,
                    ..plan.clone()
                },
                start: start.clone(),
                first: particle,
            },
            rewarding: Rewarding {
                reward: reward.clone(),
                references: references.to_vec(),
            },
            t,
        }
    }

    /// Whether this is the picture of a particle of a run of the map with this hash.
    pub fn is_of(
        &self,
        hash: &str,
        (plan, start): (&ImagePlan, &StudioStart),
        (reward, references): (&PictureReward, &[StoredReference]),
        (particle, t): (u32, f64),
    ) -> bool {
        self.settings.first == particle
            && self.t == t
            && self.settings.plan == *plan
            && self.hash == hash
            && self.rewarding.reward == *reward
            && self.rewarding.references == references
            && self.settings.start == *start
    }

    /// The same with a seed that is larger by `by`.
    #[must_use]
    pub fn reseeded(&self, by: u32) -> Self {
        let mut other = self.clone();
        let seed = &mut other.settings.plan.seed;
        *seed = seed.wrapping_add(by.into());
        other
    }

    /// How many characters its pictures and states take in a session.
    pub fn text(&self) -> usize {
        self.settings.start.text() + self.rewarding.text()
    }

    /// Every setting and its value, in words.
    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let plan = &self.settings.plan;
        let card = plan.method.card();
        let is_steered = plan.method != Method::Base;
        let made = if is_steered { "steered" } else { "unsteered" };
        let mut lines = vec![("made as", format!("{made} picture {}", self.settings.first))];
        if self.t < 1.0 {
            lines.push(("t", format!("{:.3}, on its way", self.t)));
        }
        lines.push(("method", card.title.to_owned()));
        if is_steered {
            lines.push(("toward", self.rewarding.reward.to_string()));
        }
        lines.push(("dynamics", plan.flow.to_string().to_uppercase()));
        lines.push(("steps", plan.steps.to_string()));
        if plan.draws_matter() {
            lines.push(("draws", plan.draws.to_string()));
        }
        if card.estimates_a_gradient() && plan.guidance != 1.0 {
            lines.push(("guidance", plan.guidance.to_string()));
        }
        match plan.renormalise {
            Renormalise::Off => {}
            Renormalise::Rescale(by) => lines.push(("size", format!("rescaled, {by}"))),
            Renormalise::Clip(by) => lines.push(("size", format!("clipped, {by}"))),
        }
        if plan.method == Method::MfmMix {
            lines.push(("gradient from", format!("t = {}", plan.mix_until)));
        }
        lines.push(("seed", plan.seed.to_string()));
        let begins = match &self.settings.start {
            StudioStart::Noise => "noise".to_owned(),
            StudioStart::Renoised { t, .. } => format!("a picture noised to t = {t:.3}"),
            StudioStart::State { t, .. } => format!("a state of another run at t = {t:.3}"),
        };
        lines.push(("begins in", begins));
        let class = match plan.class {
            None => "any".to_owned(),
            Some(class) if plan.class_guidance == 1.0 => class.to_string(),
            Some(class) => format!("{class}, guidance {}", plan.class_guidance),
        };
        lines.push(("class", class));
        lines.push(map_line(&self.checkpoint, &self.hash));
        lines
    }

    /// Lets the Studio show its run, the picture selected; what does not decide it stays.
    pub(super) fn restore(&self, images: &mut Images) {
        images.checkpoint = self.checkpoint.clone();
        images.rewarding = self.rewarding.clone();
        let is_base = self.settings.plan.method == Method::Base;
        let studio = &mut images.studio;
        studio.settings = self.settings.clone();
        studio.show = StudioShow::Compare;
        studio.selected = (u32::from(!is_base), 0);
        studio.states = false;
        studio.t = self.t;
        studio.shown = true;
        images.middle = Middle::Studio;
    }

    /// What is wrong with it: what is accepted.
    pub(super) fn fault(&self) -> Option<&'static str> {
        if !(0.0..=1.0).contains(&self.t) {
            return Some("a time lies in [0, 1]");
        }
        hash_fault(&self.hash)
            .or_else(|| settings_fault(&self.settings).map(|(_, expected)| expected))
            .or_else(|| self.rewarding.fault().map(|(_, expected)| expected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Made, StoredPicture, StoredState};

    fn recipe() -> SteeredRecipe {
        let plan = ImagePlan {
            steps: 12,
            seed: 7,
            class: Some(3),
            ..ImagePlan::new(Method::MfmG)
        };
        let start = StudioStart::State {
            t: 0.25,
            x: StoredState::new(&[0.5; 4]),
        };
        let reward = "class:3@5 - masked:1@0.5".parse().unwrap();
        let reference = StoredReference {
            picture: StoredPicture::from_bytes(1, 2, &[7; 4]).unwrap(),
            from: "a draw".into(),
            free: crate::session::FreePart::Around,
        };
        let map = (CheckpointRef::File("m.safetensors".into()), "00ff".into());
        SteeredRecipe::new(map, (&plan, &start), (&reward, &[reference]), (9, 1.0))
    }

    #[test]
    fn a_recipe_survives_a_round_trip_and_brings_the_studio_back() {
        let recipe = recipe();
        let made = Made::Steered(Box::new(recipe.clone()));
        let text = ron::to_string(&made).unwrap();
        assert_eq!(ron::from_str::<Made>(&text).unwrap(), made);
        let mut images = Images {
            smooth: true,
            middle: Middle::Gallery,
            ..Images::default()
        };
        made.restore(&mut images);
        assert!(images.smooth && images.studio.shown);
        assert_eq!(images.middle, Middle::Studio);
        assert_eq!(images.studio.settings, recipe.settings);
        assert_eq!(images.rewarding, recipe.rewarding);
        assert_eq!(images.studio.selected, (1, 0));
        let lines = made.lines();
        let value = |name: &str| lines.iter().find(|l| l.0 == name).map(|l| l.1.as_str());
        assert_eq!(value("toward"), Some("class:3@5 - masked:1@0.5"));
        assert_eq!(
            value("begins in"),
            Some("a state of another run at t = 0.250")
        );
        assert_eq!(value("seed"), Some("7"));
        assert_eq!(recipe.reseeded(3).settings.plan.seed, 10);
    }

    #[test]
    fn a_recipe_that_no_studio_has_is_refused() {
        assert_eq!(recipe().fault(), None);
        let broken = |edit: fn(&mut SteeredRecipe)| {
            let mut recipe = recipe();
            edit(&mut recipe);
            Made::Steered(Box::new(recipe)).fault().is_some()
        };
        assert!(broken(|r| r.t = f64::NAN));
        assert!(broken(|r| r.hash = "../../etc".into()));
        assert!(broken(|r| r.settings.first = u32::MAX));
        assert!(broken(|r| r.settings.plan.steps = 1 << 30));
        assert!(broken(|r| r.settings.plan.method = Method::Tds));
        assert!(broken(|r| r.rewarding.references[0].picture.side = 1 << 30));
        assert!(broken(|r| r.settings.start = StudioStart::State {
            t: 2.0,
            x: StoredState::new(&[0.0]),
        }));
    }
}
