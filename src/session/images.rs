//! What the Images workspace shows: a half-formed picture, and the wall of everything it could still become.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::batch::Batch;
use super::decoders::DecoderFiles;
use super::document::{CheckpointRef, Session};
use super::made::{GalleryOrder, Likeness, Made, Middle};
use super::rewarding::Rewarding;
use super::shared;
use super::steering::Workspace;
use super::stored::StoredPicture;
use super::studio::Studio;
use crate::lookahead::Source;
use crate::reward::picture::ScorerFiles;

/// How the wall is arranged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum WallOrder {
    /// Draw `i` stays in slot `i`.
    #[default]
    Slots,
    /// By what the classifier says, the most frequent first.
    Label,
    /// Where the classifier is surest first.
    Confidence,
    /// Where the reward is largest first.
    Reward,
    /// By similarity: clusters of pictures, the largest first.
    Groups,
}

/// Which clean picture is noised to `x_t`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Picture {
    /// Made by the map itself, of the chosen class.
    Generated {
        /// Root of its noise.
        seed: u64,
    },
    /// The map's own generation of the chosen class, under way: `x_t` is its state at the clock, not a noised picture.
    Running {
        /// Root of its noise.
        seed: u64,
        /// Jumps from noise to the picture, 1 to [`Picture::MOST_STEPS`].
        steps: u32,
    },
    /// One that came from elsewhere: a file, a draw of the wall, a brush.
    Stored {
        /// The picture.
        picture: StoredPicture,
        /// Where it came from, for a person.
        from: String,
    },
}

impl Picture {
    /// Most steps of a generation: the state after each is kept.
    pub const MOST_STEPS: u32 = 64;

    /// How many characters its pixels take in a session.
    pub fn text(&self) -> usize {
        match self {
            Self::Generated { .. } | Self::Running { .. } => 0,
            Self::Stored { picture, .. } => picture.pixels.len(),
        }
    }

    /// What is wrong with it: the value, and what is accepted.
    pub(super) fn fault(&self) -> Option<(String, &'static str)> {
        match self {
            Self::Generated { .. } => None,
            Self::Running { steps, .. } => (!(1..=Self::MOST_STEPS).contains(steps)).then(|| {
                let expected = "a generation has 1 to 64 steps";
                (format!("{steps} steps"), expected)
            }),
            Self::Stored { picture, from } => {
                if let Some(expected) = picture.fault() {
                    return Some((format!("{} x {}", picture.side, picture.side), expected));
                }
                (from.len() > Images::MAX_TEXT).then(|| {
                    let length = format!("from {} bytes of text", from.len());
                    (length, "1,000 bytes are the most")
                })
            }
        }
    }
}

/// A picture that was made and is kept, with what makes it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptPicture {
    /// The picture, rounded to 8 bits.
    pub picture: StoredPicture,
    /// What the classifier said, if it was asked.
    pub label: Option<String>,
    /// Time of the state that it was drawn from, or at which a steered picture is kept: 1 where it is finished.
    pub t: f64,
    /// Root of the noise.
    pub seed: u64,
    /// Its number on the wall, or of its particle.
    pub item: u32,
    /// Whether a person wants to keep it; otherwise it is here because they went on from it or exported it.
    #[serde(default = "starred")]
    pub starred: bool,
    /// What makes it again; `None` where an older version kept it.
    #[serde(default)]
    pub made: Option<Made>,
    /// What the reward of then said; `None` where nothing was rewarded.
    #[serde(default)]
    pub reward: Option<f32>,
    /// Whether the batch made it.
    #[serde(default)]
    pub by_batch: bool,
}

/// Whatever older versions kept was kept by hand.
const fn starred() -> bool {
    true
}

impl KeptPicture {
    /// What stands below it on a contact sheet; `t` is its time as it is written there.
    pub fn caption(&self, t: String) -> Vec<String> {
        let label = self.label.clone().unwrap_or_else(|| "not judged".into());
        let numbers = format!("noise {}, seed {}", self.item, self.seed);
        let mut lines = vec![label, format!("t {t}"), numbers];
        lines.extend(self.reward.map(|reward| format!("reward {reward:.2}")));
        lines
    }

    /// How many characters its pictures take in a session.
    pub fn text(&self) -> usize {
        self.picture.pixels.len() + self.made.as_ref().map_or(0, Made::text)
    }
}

/// Everything that decides what the Images workspace shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Images {
    /// The map of pictures.
    pub checkpoint: CheckpointRef,
    /// Class of a generated picture; `None` for any.
    pub class: Option<u32>,
    /// Whether the draws are told the class. Otherwise they see `x_t` alone.
    pub tell_class: bool,
    /// Guidance scale of the class where draws are told it: 1 or one that the map was trained with.
    pub guidance: f32,
    /// The clean picture behind `x_t`.
    pub picture: Picture,
    /// Root of the noise in `x_t`.
    pub noise: u64,
    /// The clock, 0 noise, 1 data.
    pub t: f64,
    /// How the draws are made.
    pub source: Source,
    /// Pictures on the wall, 16 to 1,024.
    pub draws: u32,
    /// Root of the draws' noise.
    pub seed: u64,
    /// How the wall is arranged.
    pub order: WallOrder,
    /// By what the pictures of a group are alike.
    pub likeness: Likeness,
    /// Lookaheads whose curves stand beside those of the chosen one.
    pub beside: Vec<Source>,
    /// Whether pictures are smoothed as they are enlarged.
    pub smooth: bool,
    /// The selected draw.
    pub selected: Option<u32>,
    /// What was made and kept, oldest first.
    #[serde(with = "shared")]
    pub kept: Vec<Arc<KeptPicture>>,
    /// What the middle shows.
    pub middle: Middle,
    /// How the gallery is arranged.
    pub gallery_order: GalleryOrder,
    /// Whether the gallery shows starred pictures alone.
    pub stars_only: bool,
    /// What the selected draw is compared with, and the others on hovering.
    pub compare: Option<StoredPicture>,
    /// Steered pictures.
    pub studio: Studio,
    /// What is rewarded.
    pub rewarding: Rewarding,
    /// Steered pictures that are still to be made.
    pub batch: Batch,
    /// Where files are that others publish and rewards may ask.
    #[serde(skip_serializing_if = "ScorerFiles::is_empty")]
    pub files: ScorerFiles,
    /// Where files are that decode the latents of the map.
    #[serde(skip_serializing_if = "DecoderFiles::is_empty")]
    pub decoders: DecoderFiles,
}

impl Default for Images {
    fn default() -> Self {
        Self {
            checkpoint: CheckpointRef::Shipped,
            class: Some(4),
            tell_class: false,
            guidance: 1.0,
            picture: Picture::Generated { seed: 1 },
            noise: 1,
            t: 0.3,
            source: Source::OneStep,
            draws: 64,
            seed: 1,
            order: WallOrder::Slots,
            likeness: Likeness::default(),
            beside: vec![Source::OneStep],
            smooth: false,
            selected: None,
            kept: Vec::new(),
            middle: Middle::Wall,
            gallery_order: GalleryOrder::default(),
            stars_only: false,
            compare: None,
            studio: Studio::default(),
            rewarding: Rewarding::default(),
            batch: Batch::default(),
            files: ScorerFiles::default(),
            decoders: DecoderFiles::default(),
        }
    }
}

impl Session {
    /// The Images workspace, everything else as at first.
    pub fn of_images(images: Images) -> Self {
        Self {
            workspace: Workspace::Images,
            images,
            ..Self::default()
        }
    }
}

impl Images {
    /// Fewest pictures on the wall.
    pub const MIN_DRAWS: u32 = 16;
    /// Most pictures on the wall.
    pub const MAX_DRAWS: u32 = 1024;
    /// Most kept pictures.
    pub const MAX_KEPT: usize = 500;
    /// Most characters of all kept pictures together.
    pub const MAX_KEPT_TEXT: usize = 12 << 20;
    /// Most lookaheads whose curves stand side by side.
    const MAX_BESIDE: usize = 8;
    /// Longest text about a picture.
    pub(super) const MAX_TEXT: usize = 1_000;

    /// Whether `picture` can be kept beside the others.
    pub fn has_room_for(&self, picture: &KeptPicture) -> bool {
        let text: usize = self.kept.iter().map(|kept| kept.text()).sum();
        self.kept.len() < Self::MAX_KEPT && text + picture.text() <= Self::MAX_KEPT_TEXT
    }

    /// Puts away the oldest of what is too much, first what nobody starred.
    pub fn trim_kept(&mut self) {
        let text = |kept: &[Arc<KeptPicture>]| kept.iter().map(|k| k.text()).sum::<usize>();
        while self.kept.len() > Self::MAX_KEPT || text(&self.kept) > Self::MAX_KEPT_TEXT {
            let oldest = self.kept.iter().position(|kept| !kept.starred);
            self.kept.remove(oldest.unwrap_or(0));
        }
    }

    /// What is wrong with it, if anything: the field, its value, what is accepted.
    pub(super) fn fault(&self) -> Option<(&'static str, String, &'static str)> {
        if !(0.0..=1.0).contains(&self.t) {
            return Some(("images.t", self.t.to_string(), "a time lies in [0, 1]"));
        }
        if !(Self::MIN_DRAWS..=Self::MAX_DRAWS).contains(&self.draws) {
            let draws = self.draws.to_string();
            return Some(("images.draws", draws, "16 to 1,024 are possible"));
        }
        if !(0.0..=100.0).contains(&self.guidance) {
            let guidance = self.guidance.to_string();
            return Some(("images.guidance", guidance, "0 to 100 are possible"));
        }
        if self.source == Source::Exact || self.source.steps() > Source::MAX_STEPS {
            let source = self.source.to_string();
            return Some(("images.source", source, "pictures have no closed form"));
        }
        let possible =
            |s: &Source| *s != Source::Exact && (1..=Source::MAX_STEPS).contains(&s.steps());
        if self.beside.len() > Self::MAX_BESIDE || !self.beside.iter().all(possible) {
            let count = format!("{} lookaheads", self.beside.len());
            let expected = "at most 8 are possible, none of them a closed form";
            return Some(("images.beside", count, expected));
        }
        if let Some((value, expected)) = self.picture.fault() {
            return Some(("images.picture", value, expected));
        }
        if let Some(expected) = self.compare.as_ref().and_then(StoredPicture::fault) {
            return Some(("images.compare", "a picture".to_owned(), expected));
        }
        if let Some((value, expected)) = self.rewarding.fault() {
            return Some(("images.rewarding", value, expected));
        }
        let text: usize = self.kept.iter().map(|kept| kept.text()).sum();
        if self.kept.len() > Self::MAX_KEPT || text > Self::MAX_KEPT_TEXT {
            let count = format!("{} pictures", self.kept.len());
            return Some(("images.kept", count, "500 pictures in 12 MiB are the most"));
        }
        for kept in &self.kept {
            let label = kept.label.as_ref().map_or(0, String::len);
            let expected = kept
                .picture
                .fault()
                .or((label > Self::MAX_TEXT).then_some("a label has at most 1,000 bytes"))
                .or((!(0.0..=1.0).contains(&kept.t)).then_some("a time lies in [0, 1]"))
                .or(kept.made.as_ref().and_then(Made::fault));
            if let Some(expected) = expected {
                return Some(("images.kept", format!("noise {}", kept.item), expected));
            }
        }
        self.studio.fault().or_else(|| self.batch.fault())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::session::DrawRecipe;
    use crate::session::stored::tests::stored;

    #[test]
    fn images_survive_a_round_trip_and_an_old_session_opens() {
        let session = Session {
            workspace: Workspace::Images,
            images: Images {
                picture: Picture::Stored {
                    picture: stored(),
                    from: "a draw".into(),
                },
                kept: vec![Arc::new(KeptPicture {
                    picture: stored(),
                    label: Some("9".into()),
                    t: 0.25,
                    seed: 3,
                    item: 17,
                    starred: false,
                    made: Some(Made::Draw(Box::new(DrawRecipe::of(
                        &Images::default(),
                        "0123".into(),
                        17,
                    )))),
                    reward: Some(-1.5),
                    by_batch: true,
                })],
                source: Source::KStep(4),
                selected: Some(5),
                ..Images::default()
            },
            ..Session::default()
        };
        let back = Session::from_ron(&session.to_ron(), Path::new("s.ron")).unwrap();
        assert_eq!(back, session);
        let old = Session::from_ron("(t: 0.5, seed: 7)", Path::new("s.ron")).unwrap();
        assert_eq!(old.images, Images::default());
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_field() {
        for (text, word) in [
            ("(images: (t: 2))", "images.t"),
            ("(images: (draws: 8))", "images.draws"),
            ("(images: (draws: 100000))", "images.draws"),
            ("(images: (source: Exact))", "images.source"),
            ("(images: (guidance: inf))", "images.guidance"),
            ("(images: (beside: [Exact]))", "images.beside"),
            (
                "(images: (picture: Running(seed: 1, steps: 0)))",
                "images.picture",
            ),
            (
                "(images: (compare: Some((channels: 1, side: 2, pixels: \"\"))))",
                "images.compare",
            ),
            (
                "(images: (picture: Stored(picture: (channels: 1, side: 2, pixels: \"00ff\"), from: \"x\")))",
                "images.picture",
            ),
            (
                "(images: (picture: Stored(picture: (channels: 3, side: 4000000000, pixels: \"\"), from: \"x\")))",
                "images.picture",
            ),
            (
                "(images: (kept: [(picture: (channels: 1, side: 1, pixels: \"zz\"), label: None, t: 0.5, seed: 1, item: 0)]))",
                "images.kept",
            ),
        ] {
            let message = Session::from_ron(text, Path::new("s.ron"))
                .unwrap_err()
                .to_string();
            assert!(message.contains(word), "{text}: {message}");
        }
    }
}
