//! What the Studio shows: steered pictures beside those of the same noise that nobody steered, and where each came from.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::rewarding::Rewarding;
use super::shared;
use super::stored::StoredPicture;
use super::studio_start::StudioStart;
use crate::steer::Method;
use crate::steer::images::ImagePlan;

/// What the rows of the Studio vary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StudioShow {
    /// The base and the steered.
    #[default]
    Compare,
    /// The strength of the reward, from none up.
    Strength,
    /// The number of draws.
    Draws,
    /// The methods.
    Methods,
}

/// Everything but the reward that decides the steered pictures: the same map gives the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StudioSettings {
    /// How the reward is followed.
    pub plan: ImagePlan,
    /// Where the pictures begin.
    pub start: StudioStart,
    /// Number of the first particle: its noise is named by it.
    pub first: u32,
}

impl Default for StudioSettings {
    fn default() -> Self {
        Self {
            plan: ImagePlan {
                seed: 1,
                keep_frames: true,
                ..ImagePlan::default()
            },
            start: StudioStart::Noise,
            first: 0,
        }
    }
}

/// One run that a person started, and where it came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudioNode {
    /// The node that it is a branch of.
    pub parent: Option<u32>,
    /// What makes its pictures again, with the reward.
    pub settings: StudioSettings,
    /// What was rewarded.
    #[serde(default)]
    pub rewarding: Rewarding,
    /// SHA-256 of the map's file, hexadecimal.
    #[serde(default)]
    pub map: String,
    /// What it is known by: the first steered picture, once there is one.
    #[serde(default)]
    pub thumbnail: Option<StoredPicture>,
}

impl StudioNode {
    fn text(&self) -> usize {
        let thumbnail = self.thumbnail.as_ref().map_or(0, |p| p.pixels.len());
        self.settings.start.text() + self.rewarding.text() + thumbnail
    }
}

/// Everything that decides what the Studio shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Studio {
    /// What decides the pictures.
    pub settings: StudioSettings,
    /// What the rows vary.
    pub show: StudioShow,
    /// The methods of the rows that vary them.
    pub methods: Vec<Method>,
    /// Pictures side by side.
    pub pictures: u32,
    /// The clock over the steps, 0 noise, 1 data.
    pub t: f64,
    /// Whether the noisy states are shown, not what they look like becoming.
    pub states: bool,
    /// The selected row and particle.
    pub selected: (u32, u32),
    /// Where the divider of the wipe is, from 0, all steered, to 1, all base.
    pub wipe: f64,
    /// Time to which a picture is noised again when it is branched from.
    pub renoise: f64,
    /// Whether pictures were asked for: a session that is opened again makes them again.
    pub shown: bool,
    /// Every run that was started, a parent before its branches.
    #[serde(with = "shared")]
    pub lineage: Vec<Arc<StudioNode>>,
    /// The run that is shown.
    pub node: Option<u32>,
}

impl Default for Studio {
    fn default() -> Self {
        Self {
            settings: StudioSettings::default(),
            show: StudioShow::Compare,
            methods: vec![Method::Dps, Method::MfmG, Method::MfmGf, Method::BestOfN],
            pictures: 6,
            t: 1.0,
            states: false,
            selected: (1, 0),
            wipe: 0.5,
            renoise: 0.5,
            shown: false,
            lineage: Vec::new(),
            node: None,
        }
    }
}

impl Studio {
    /// Most pictures side by side.
    pub const MAX_PICTURES: u32 = 16;
    /// Most steps that the window offers: every one is kept to be looked back at.
    pub const MAX_STEPS: u32 = 250;
    /// Most draws that the window offers.
    pub const MAX_DRAWS: u32 = 256;
    /// Most rows of methods.
    pub const MAX_METHODS: usize = 8;
    /// Most runs in the lineage.
    pub const MAX_NODES: usize = 200;
    /// Most characters of all of them together.
    pub const MAX_TEXT: usize = 8 << 20;

    /// Adds a run; the oldest that nothing branches from goes where there is no room.
    pub fn add(&mut self, node: StudioNode) -> u32 {
        let mut wanted = node.parent;
        let text = |nodes: &[Arc<StudioNode>]| nodes.iter().map(|n| n.text()).sum::<usize>();
        while self.lineage.len() >= Self::MAX_NODES
            || text(&self.lineage) + node.text() > Self::MAX_TEXT
        {
            let is_leaf = |i: &u32| {
                Some(*i) != wanted && !self.lineage.iter().any(|node| node.parent == Some(*i))
            };
            let Some(oldest) = (0..self.lineage.len() as u32).find(is_leaf) else {
                break;
            };
            self.remove(oldest);
            wanted = wanted.map(|parent| parent - u32::from(parent > oldest));
        }
        let node = StudioNode {
            parent: wanted,
            ..node
        };
        self.lineage.push(Arc::new(node));
        self.lineage.len() as u32 - 1
    }

    /// Takes a run away; its branches become its parent's.
    pub fn remove(&mut self, index: u32) {
        if index as usize >= self.lineage.len() {
            return;
        }
        let gone = self.lineage.remove(index as usize);
        let moved = |of: Option<u32>| match of {
            Some(i) if i == index => gone.parent,
            Some(i) => Some(i - u32::from(i > index)),
            None => None,
        };
        for node in &mut self.lineage {
            let parent = moved(node.parent);
            if parent != node.parent {
                Arc::make_mut(node).parent = parent;
            }
        }
        self.node = match self.node {
            Some(i) if i == index => None,
            other => moved(other),
        };
    }

    /// What is wrong with it, if anything: the field, its value, what is accepted.
    pub(super) fn fault(&self) -> Option<(&'static str, String, &'static str)> {
        let in_unit = |v: f64| (0.0..=1.0).contains(&v);
        for (name, value) in [
            ("images.studio.t", self.t),
            ("images.studio.wipe", self.wipe),
            ("images.studio.renoise", self.renoise),
        ] {
            if !in_unit(value) {
                return Some((name, value.to_string(), "a number in [0, 1]"));
            }
        }
        if !(1..=Self::MAX_PICTURES).contains(&self.pictures) {
            let pictures = self.pictures.to_string();
            return Some(("images.studio.pictures", pictures, "1 to 16 are possible"));
        }
        let steers = |method: &Method| ImagePlan::METHODS.contains(method);
        if self.methods.len() > Self::MAX_METHODS || !self.methods.iter().all(steers) {
            let count = format!("{} methods", self.methods.len());
            let expected = "up to 8 methods that steer pictures";
            return Some(("images.studio.methods", count, expected));
        }
        if let Some((value, expected)) = settings_fault(&self.settings) {
            return Some(("images.studio.settings", value, expected));
        }
        let text: usize = self.lineage.iter().map(|node| node.text()).sum();
        if self.lineage.len() > Self::MAX_NODES || text > Self::MAX_TEXT {
            let count = format!("{} runs", self.lineage.len());
            let expected = "200 runs in 8 MiB are the most";
            return Some(("images.studio.lineage", count, expected));
        }
        for (i, node) in self.lineage.iter().enumerate() {
            let name = format!("run {i}");
            let parent = node.parent.is_none_or(|parent| (parent as usize) < i);
            let thumbnail = node.thumbnail.as_ref().and_then(StoredPicture::fault);
            let expected = (!parent)
                .then_some("a run comes after the one that it branches from")
                .or(thumbnail)
                .or_else(|| settings_fault(&node.settings).map(|(_, expected)| expected))
                .or((node.map.len() > 64).then_some("a hash has at most 64 digits"))
                .or_else(|| node.rewarding.fault().map(|(_, expected)| expected));
            if let Some(expected) = expected {
                return Some(("images.studio.lineage", name, expected));
            }
        }
        let lost = |node: &u32| *node as usize >= self.lineage.len();
        self.node.filter(lost).map(|node| {
            let expected = "the number of a run of the lineage";
            ("images.studio.node", node.to_string(), expected)
        })
    }
}

pub(super) fn settings_fault(settings: &StudioSettings) -> Option<(String, &'static str)> {
    let plan = &settings.plan;
    if let Err(error) = plan.validate() {
        return Some((error.to_string(), "a plan that can be run"));
    }
    if plan.steps > Studio::MAX_STEPS || plan.draws > Studio::MAX_DRAWS {
        let value = format!("{} steps, {} draws", plan.steps, plan.draws);
        return Some((value, "at most 250 steps and 256 draws"));
    }
    if settings.first >= ImagePlan::LAST_PARTICLE - Studio::MAX_PICTURES {
        return Some((format!("first {}", settings.first), "a particle's number"));
    }
    let fault = settings.start.fault()?;
    Some(("start".to_owned(), fault))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::session::{Images, Middle, Session, StoredState};

    fn node(parent: Option<u32>, seed: u64) -> StudioNode {
        let mut settings = StudioSettings::default();
        settings.plan.seed = seed;
        StudioNode {
            parent,
            settings,
            rewarding: Rewarding::default(),
            map: String::new(),
            thumbnail: None,
        }
    }

    #[test]
    fn a_studio_survives_a_round_trip_and_an_old_session_opens() {
        let mut studio = Studio {
            show: StudioShow::Strength,
            shown: true,
            ..Studio::default()
        };
        studio.add(node(None, 1));
        let mut branch = node(Some(0), 2);
        branch.settings.start = StudioStart::State {
            t: 0.4,
            x: StoredState::new(&[0.5, -1.0, 2.0, 0.0]),
        };
        branch.rewarding.reward = "class:3@5 - brightness@0.5".parse().unwrap();
        branch.thumbnail = StoredPicture::from_bytes(1, 2, &[0, 1, 2, 3]);
        studio.node = Some(studio.add(branch));
        let session = Session::of_images(Images {
            studio,
            middle: Middle::Studio,
            ..Images::default()
        });
        let back = Session::from_ron(&session.to_ron(), Path::new("s.ron")).unwrap();
        assert_eq!(back, session);
        let old = Session::from_ron("(images: (t: 0.5))", Path::new("s.ron")).unwrap();
        assert_eq!(old.images.studio, Studio::default());
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_field() {
        for (text, word) in [
            ("t: 2", "studio.t"),
            ("pictures: 0", "studio.pictures"),
            ("methods: [tds]", "studio.methods"),
            ("node: Some(3)", "studio.node"),
            ("settings: (plan: (steps: 900))", "studio.settings"),
            ("settings: (first: 4000000000)", "studio.settings"),
            (
                "settings: (start: State(t: 0.5, x: (\"12\")))",
                "studio.settings",
            ),
            (
                "lineage: [(parent: Some(0), settings: ())]",
                "studio.lineage",
            ),
        ] {
            let text = format!("(images: (studio: ({text})))");
            let message = Session::from_ron(&text, Path::new("s.ron"))
                .unwrap_err()
                .to_string();
            assert!(message.contains(word), "{text}: {message}");
        }
    }

    #[test]
    fn branches_of_what_is_taken_away_become_its_parents() {
        let mut studio = Studio::default();
        for (parent, seed) in [(None, 1), (Some(0), 2), (Some(1), 3), (Some(2), 4)] {
            studio.add(node(parent, seed));
        }
        studio.node = Some(3);
        studio.remove(1);
        let parents: Vec<_> = studio.lineage.iter().map(|node| node.parent).collect();
        assert_eq!(parents, [None, Some(0), Some(1)]);
        assert_eq!(studio.node, Some(2));
        assert_eq!(studio.fault(), None);
        // When it is full, what nothing branches from goes first.
        for seed in 5..300 {
            studio.add(node(Some(0), seed));
        }
        assert_eq!(studio.lineage.len(), Studio::MAX_NODES);
        assert_eq!(studio.fault(), None);
        assert_eq!(studio.lineage[0].settings.plan.seed, 1);
    }
}
