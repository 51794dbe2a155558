//! What the Images workspace rewards: the reward of pictures, and the pictures that it refers to.

use serde::{Deserialize, Serialize};

use super::free::FreePart;
use super::images::Images;
use super::stored::StoredPicture;
use crate::reward::picture::{PictureReward, PictureTerm, ReferencePicture, WeightedTerm};

/// A picture that a reward refers to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredReference {
    /// The picture.
    pub picture: StoredPicture,
    /// Where it came from, for a person.
    pub from: String,
    /// What a reward that keeps a part of it leaves free.
    #[serde(default)]
    pub free: FreePart,
}

impl StoredReference {
    /// The numbers that a reward refers to.
    pub fn reference(&self) -> ReferencePicture {
        ReferencePicture {
            picture: self.picture.values().into(),
            mask: Some(self.free.mask(self.picture.side as usize).into()),
        }
    }
}

/// A reward of pictures and what it refers to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rewarding {
    /// The reward; `none` rewards nothing.
    pub reward: PictureReward,
    /// Its reference pictures, counted from 1.
    pub references: Vec<StoredReference>,
}

impl Rewarding {
    /// Adds a term, at strength 1. One that needs a reference picture takes the first, or `otherwise` where there is
    /// none. Nothing happens where there are too many terms already.
    pub fn add(&mut self, term: PictureTerm, otherwise: Option<StoredReference>) {
        let needs = term.reference().is_some();
        let mut terms = self.reward.terms().to_vec();
        terms.push(WeightedTerm::new(term));
        if let Ok(reward) = PictureReward::new(terms) {
            self.reward = reward;
            if needs && self.references.is_empty() {
                self.references.extend(otherwise);
            }
        }
    }

    /// Changes the terms; nothing happens where a strength is none, or there are too many.
    pub fn edit(&mut self, change: impl FnOnce(&mut Vec<WeightedTerm>)) {
        let mut terms = self.reward.terms().to_vec();
        change(&mut terms);
        if let Ok(reward) = PictureReward::new(terms) {
            self.reward = reward;
            self.forget_unused();
        }
    }

    /// The reference picture of a term.
    pub fn reference_of(&self, term: &PictureTerm) -> Option<&StoredReference> {
        let index = (term.reference()? as usize).checked_sub(1)?;
        self.references.get(index)
    }

    /// Gives term `index` a reference picture of its own.
    pub fn refer(&mut self, index: usize, reference: StoredReference) {
        let same = self.references.iter().position(|other| *other == reference);
        let at = same.unwrap_or_else(|| {
            self.references.push(reference);
            self.references.len() - 1
        });
        self.edit(|terms| {
            if let Some(term) = terms.get_mut(index) {
                term.term = term.term.with_reference(at as u32 + 1);
            }
        });
    }

    /// Puts away the pictures that no term refers to, and counts the others anew.
    fn forget_unused(&mut self) {
        let mut terms = self.reward.terms().to_vec();
        let mut kept: Vec<usize> = Vec::new();
        for weighted in &mut terms {
            let Some(number) = weighted.term.reference() else {
                continue;
            };
            let index = (number as usize).saturating_sub(1);
            if index >= self.references.len() {
                continue;
            }
            let at = kept.iter().position(|other| *other == index);
            let at = at.unwrap_or_else(|| {
                kept.push(index);
                kept.len() - 1
            });
            weighted.term = weighted.term.with_reference(at as u32 + 1);
        }
        if let Ok(reward) = PictureReward::new(terms) {
            self.reward = reward;
            self.references = kept.iter().map(|at| self.references[*at].clone()).collect();
        }
    }

    /// The reference pictures as numbers.
    pub fn references(&self) -> Vec<ReferencePicture> {
        let references = self.references.iter();
        references.map(StoredReference::reference).collect()
    }

    /// How many characters its pictures take in a session.
    pub fn text(&self) -> usize {
        let references = self.references.iter();
        references
            .map(|r| r.picture.pixels.len() + r.free.text())
            .sum()
    }

    /// What is wrong with it: the value, and what is accepted.
    pub(super) fn fault(&self) -> Option<(String, &'static str)> {
        if self.references.len() > PictureReward::MAX_TERMS {
            let count = format!("{} reference pictures", self.references.len());
            return Some((count, "16 are the most"));
        }
        self.references.iter().find_map(|reference| {
            let long = reference.from.len() > Images::MAX_TEXT;
            let expected = reference.picture.fault();
            let expected = expected.or(long.then_some("its text has at most 1,000 bytes"))?;
            Some(("a reference picture".to_owned(), expected))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::reward::picture::PictureParts;
    use crate::session::{PaintedMask, Session};

    fn rewarding() -> Rewarding {
        Rewarding {
            reward: "class:3@5 - masked:1@0.5".parse().unwrap(),
            references: vec![StoredReference {
                picture: StoredPicture::from_bytes(1, 4, &[7; 16]).unwrap(),
                from: "a draw".into(),
                free: FreePart::Around,
            }],
        }
    }

    /// A mask that was painted, and the gradient of the reward that keeps the rest.
    #[test]
    fn a_painted_mask_survives_a_round_trip_and_its_gradient_is_that_of_differences() {
        let mut rewarding = rewarding();
        rewarding.reward = "masked:1@3".parse().unwrap();
        let free: Vec<bool> = (0..16).map(|k| k % 5 == 1 || k > 11).collect();
        let mask = PaintedMask::new(4, &free).unwrap();
        rewarding.references[0].free = FreePart::Painted(mask);
        let mut session = Session::default();
        session.images.rewarding = rewarding.clone();
        let text = session.to_ron();
        assert!(text.contains("Painted(\"4:1,1,"), "{text}");
        let back = Session::from_ron(&text, Path::new("s.ron")).unwrap();
        assert_eq!(back, session);

        let parts = PictureParts {
            judge: None,
            references: back.images.rewarding.references(),
            ..PictureParts::default()
        };
        let score = rewarding.reward.bind([1, 4, 4], &parts).unwrap();
        let picture: Vec<f32> = (0..16).map(|k| (k as f32 * 0.7).sin()).collect();
        let (mut value, mut gradient) = ([0.0], [0.0; 16]);
        score.gradient(&picture, &mut value, &mut gradient);
        let h = 1e-2;
        for (at, is_free) in free.iter().enumerate() {
            let moved = |h: f32| {
                let (mut picture, mut value) = (picture.clone(), [0.0]);
                picture[at] += h;
                score.score(&picture, &mut value);
                value[0]
            };
            let difference = (moved(h) - moved(-h)) / (2.0 * h);
            // A parabola: differences are exact but for the rounding of f32 sums of a few hundred.
            assert!(
                (difference - gradient[at]).abs() < 2e-2,
                "{at}: {difference} {}",
                gradient[at]
            );
            assert_eq!(gradient[at] == 0.0, *is_free, "{at}");
        }
        assert!(gradient.iter().any(|g| g.abs() > 0.5), "{gradient:?}");
    }

    #[test]
    fn a_reward_and_its_pictures_survive_a_round_trip() {
        let mut session = Session::default();
        session.images.rewarding = rewarding();
        let text = session.to_ron();
        assert!(text.contains("class:3@5 - masked:1@0.5"), "{text}");
        let back = Session::from_ron(&text, Path::new("s.ron")).unwrap();
        assert_eq!(back, session);
        let old = Session::from_ron("(images: (t: 0.5))", Path::new("s.ron")).unwrap();
        assert_eq!(old.images.rewarding, Rewarding::default());
    }

    #[test]
    fn what_no_reward_is_is_refused_by_its_field() {
        for (text, word) in [
            (
                "(images: (rewarding: (reward: \"cup\")))",
                "no reward named 'cup'",
            ),
            (
                "(images: (rewarding: (references: [(picture: (channels: 1, side: 2, pixels: \"00\"), from: \"x\")])))",
                "images.rewarding",
            ),
        ] {
            let message = Session::from_ron(text, Path::new("s.ron")).unwrap_err();
            assert!(message.to_string().contains(word), "{message}");
        }
    }

    #[test]
    fn every_term_has_the_picture_that_it_was_given() {
        let grey = |v: u8| StoredReference {
            picture: StoredPicture::from_bytes(1, 2, &[v; 4]).unwrap(),
            from: format!("grey {v}"),
            free: FreePart::Lower,
        };
        let mut rewarding = Rewarding::default();
        rewarding.add(PictureTerm::Blurred(1), Some(grey(1)));
        rewarding.add(PictureTerm::Brightness, Some(grey(2)));
        rewarding.add(PictureTerm::Masked(1), Some(grey(3)));
        assert_eq!(rewarding.references, [grey(1)]);
        rewarding.refer(2, grey(4));
        assert_eq!(
            rewarding.reward.to_string(),
            "blurred:1 + brightness + masked:2"
        );
        assert_eq!(rewarding.references, [grey(1), grey(4)]);
        rewarding.refer(0, grey(5));
        assert_eq!(rewarding.references, [grey(5), grey(4)]);
        rewarding.edit(|terms| drop(terms.remove(0)));
        assert_eq!(rewarding.reward.to_string(), "brightness + masked:1");
        assert_eq!(rewarding.references, [grey(4)]);
        rewarding.edit(|terms| terms[0].strength = f64::NAN);
        assert_eq!(rewarding.reward.to_string(), "brightness + masked:1");
        for _ in 0..40 {
            rewarding.add(PictureTerm::Edges, None);
        }
        assert_eq!(rewarding.reward.terms().len(), PictureReward::MAX_TERMS);
    }
}
