//! How a picture was made: the part of a session that makes it again, and how what was made is shown.

use serde::{Deserialize, Serialize};

use super::document::CheckpointRef;
use super::images::{Images, Picture};
use super::steered::SteeredRecipe;
use crate::lookahead::Source;

/// What the middle of the Images workspace shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Middle {
    /// The wall of draws.
    #[default]
    Wall,
    /// Everything that was made and kept.
    Gallery,
    /// How different the draws are, against `t`.
    Diversity,
    /// Steered pictures beside unsteered ones.
    Studio,
}

/// How the gallery is arranged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum GalleryOrder {
    /// The newest first.
    #[default]
    Newest,
    /// By what the classifier said.
    Label,
    /// By the time of the state, noise first.
    Time,
    /// By the seed of the draws' noise, then by the draw's number.
    Seed,
    /// By what the reward said, the most first; those without one last.
    Reward,
}

/// By what pictures are alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Likeness {
    /// What the classifier sees; pixels where there is none.
    #[default]
    Features,
    /// Their pixels.
    Pixels,
}

/// How a picture was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Made {
    /// As a draw of the wall.
    Draw(Box<DrawRecipe>),
    /// In the Studio.
    Steered(Box<SteeredRecipe>),
}

impl Made {
    /// How many characters its pictures take in a session.
    pub fn text(&self) -> usize {
        match self {
            Self::Draw(recipe) => recipe.picture.text(),
            Self::Steered(recipe) => recipe.text(),
        }
    }

    /// The map that made it.
    pub fn checkpoint(&self) -> &CheckpointRef {
        match self {
            Self::Draw(recipe) => &recipe.checkpoint,
            Self::Steered(recipe) => &recipe.checkpoint,
        }
    }

    /// The same, to be replaced by where the map is now.
    pub fn checkpoint_mut(&mut self) -> &mut CheckpointRef {
        match self {
            Self::Draw(recipe) => &mut recipe.checkpoint,
            Self::Steered(recipe) => &mut recipe.checkpoint,
        }
    }

    /// What makes it again in the Studio, if it was made there.
    pub fn steered(&self) -> Option<&SteeredRecipe> {
        match self {
            Self::Draw(_) => None,
            Self::Steered(recipe) => Some(recipe),
        }
    }

    /// Lets the Images workspace show it as it was made; what does not decide it stays.
    pub fn restore(&self, images: &mut Images) {
        match self {
            Self::Draw(recipe) => recipe.restore(images),
            Self::Steered(recipe) => recipe.restore(images),
        }
    }

    /// SHA-256 of the map's file, hexadecimal.
    pub fn hash(&self) -> &str {
        match self {
            Self::Draw(recipe) => &recipe.hash,
            Self::Steered(recipe) => &recipe.hash,
        }
    }

    /// Every setting and its value, in words.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Draw(recipe) => recipe.lines(),
            Self::Steered(recipe) => recipe.lines(),
        }
    }

    /// What is wrong with it: what is accepted.
    pub(super) fn fault(&self) -> Option<&'static str> {
        match self {
            Self::Draw(recipe) => recipe.fault(),
            Self::Steered(recipe) => recipe.fault(),
        }
    }
}

/// Everything that decides one draw of the wall: the same map gives the same picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrawRecipe {
    /// The map of pictures.
    pub checkpoint: CheckpointRef,
    /// SHA-256 of its file, hexadecimal: a file of the same name may be another map.
    pub hash: String,
    /// Class of a generated picture; `None` for any.
    pub class: Option<u32>,
    /// Whether the draws were told the class.
    pub tell_class: bool,
    /// Guidance scale of the class where they were.
    pub guidance: f32,
    /// The clean picture behind `x_t`.
    pub picture: Picture,
    /// Root of the noise in `x_t`.
    pub noise: u64,
    /// Time of the state, 0 noise, 1 data.
    pub t: f64,
    /// How the draw was made.
    pub source: Source,
    /// Root of the draws' noise.
    pub seed: u64,
    /// Number of the draw.
    pub item: u32,
}

impl DrawRecipe {
    /// Of draw `item` of a wall by the map with this hash.
    pub fn of(images: &Images, hash: String, item: u32) -> Self {
        Self {
            checkpoint: images.checkpoint.clone(),
            hash,
            class: images.class,
            tell_class: images.tell_class,
            guidance: images.guidance,
            picture: images.picture.clone(),
            noise: images.noise,
            t: images.t,
            source: images.source,
            seed: images.seed,
            item,
        }
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        let picture = match &self.picture {
            Picture::Generated { seed } => format!("generated, seed {seed}"),
            Picture::Running { seed, steps } => format!("as it forms, {steps} steps, seed {seed}"),
            Picture::Stored { from, .. } => format!("from {from}"),
        };
        let class = match self.class {
            None => "any".to_owned(),
            Some(class) if self.tell_class => {
                format!("{class}, told to the draws, guidance {}", self.guidance)
            }
            Some(class) => class.to_string(),
        };
        vec![
            ("made as", format!("draw {} of a wall", self.item)),
            ("t", self.t.to_string()),
            ("lookahead", self.source.to_string()),
            ("seed of the draws", self.seed.to_string()),
            ("picture behind", picture),
            ("class", class),
            ("seed of x_t", self.noise.to_string()),
            map_line(&self.checkpoint, &self.hash),
        ]
    }

    /// Lets the wall show the draw, selected; what does not decide the draw stays.
    pub fn restore(&self, images: &mut Images) {
        images.checkpoint = self.checkpoint.clone();
        images.class = self.class;
        images.tell_class = self.tell_class;
        images.guidance = self.guidance;
        images.picture = self.picture.clone();
        images.noise = self.noise;
        images.t = self.t;
        images.source = self.source;
        images.seed = self.seed;
        images.selected = Some(self.item);
        // The draw must be on the wall.
        images.draws = images.draws.max(self.item.saturating_add(1));
        images.middle = Middle::Wall;
    }

    /// What is wrong with it: what is accepted.
    pub(super) fn fault(&self) -> Option<&'static str> {
        if let Some(expected) = hash_fault(&self.hash) {
            return Some(expected);
        }
        if !(0.0..=1.0).contains(&self.t) {
            return Some("a time lies in [0, 1]");
        }
        if !(0.0..=100.0).contains(&self.guidance) {
            return Some("a guidance scale is 0 to 100");
        }
        if self.source == Source::Exact || self.source.steps() > Source::MAX_STEPS {
            return Some("pictures have no closed form");
        }
        if self.item >= Images::MAX_DRAWS {
            return Some("a wall has at most 1,024 draws");
        }
        self.picture.fault().map(|(_, expected)| expected)
    }
}

/// The map in words, with the first digits of its hash.
pub(super) fn map_line(checkpoint: &CheckpointRef, hash: &str) -> (&'static str, String) {
    let map = match checkpoint {
        CheckpointRef::Shipped => "shipped".to_owned(),
        CheckpointRef::File(path) => match path.file_name() {
            Some(name) => name.to_string_lossy().into_owned(),
            None => path.display().to_string(),
        },
    };
    let short = hash.get(..6).unwrap_or(hash);
    ("map", format!("{map} · {short}"))
}

/// What is wrong with the hash of a file: what is accepted.
pub(super) fn hash_fault(hash: &str) -> Option<&'static str> {
    let sound = hash.len() <= 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    (!sound).then_some("a hash has at most 64 hexadecimal digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_takes_the_wall_to_its_draw_and_leaves_the_rest() {
        let there = Images {
            t: 0.7,
            seed: 9,
            noise: 4,
            class: None,
            source: Source::KStep(4),
            picture: Picture::Running { seed: 3, steps: 8 },
            ..Images::default()
        };
        let recipe = DrawRecipe::of(&there, "00ff".into(), 90);
        let mut here = Images {
            smooth: true,
            draws: 16,
            middle: Middle::Gallery,
            ..Images::default()
        };
        recipe.restore(&mut here);
        assert!(here.smooth);
        assert_eq!((here.draws, here.selected), (91, Some(90)));
        assert_eq!(here.middle, Middle::Wall);
        assert_eq!(DrawRecipe::of(&here, "00ff".into(), 90), recipe);
        let lines = Made::Draw(Box::new(recipe)).lines();
        let value = |name: &str| lines.iter().find(|l| l.0 == name).map(|l| l.1.as_str());
        assert_eq!(
            value("picture behind"),
            Some("as it forms, 8 steps, seed 3")
        );
        assert_eq!(value("lookahead"), Some("k-step:4"));
        assert_eq!(value("class"), Some("any"));
    }

    #[test]
    fn a_recipe_that_no_wall_has_is_refused() {
        let sound = DrawRecipe::of(&Images::default(), "00ff".into(), 0);
        assert_eq!(sound.fault(), None);
        let broken = |edit: fn(&mut DrawRecipe)| {
            let mut recipe = sound.clone();
            edit(&mut recipe);
            Made::Draw(Box::new(recipe)).fault().is_some()
        };
        assert!(broken(|r| r.t = f64::NAN));
        assert!(broken(|r| r.item = 1024));
        assert!(broken(|r| r.source = Source::Exact));
        assert!(broken(|r| r.hash = "../../etc".into()));
        assert!(broken(|r| r.guidance = -1.0));
        assert!(broken(|r| r.picture = Picture::Running {
            seed: 1,
            steps: 1 << 30
        }));
    }
}
