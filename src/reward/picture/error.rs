//! What can be wrong with a reward of pictures.

use thiserror::Error;

use super::{PictureReward, ScorerFile};

/// What can be wrong with a reward of pictures.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum PictureRewardError {
    /// The text has not the known form.
    #[error(
        "'{text}' is no reward of pictures: {problem}. Write terms as in class:3@5 + thickness@2 - brightness@0.5; \
         'foresight rewards' lists them"
    )]
    Text {
        /// What was given, shortened.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A strength lies outside what is allowed.
    #[error(
        "the strength of '{term}' is {strength}: give a number between 0 and {}",
        PictureReward::MAX_STRENGTH
    )]
    Strength {
        /// Which term.
        term: String,
        /// Its strength.
        strength: f64,
    },
    /// There are too many terms.
    #[error("the reward has {terms} terms: {most} are the most", terms = .0, most = PictureReward::MAX_TERMS)]
    TooManyTerms(usize),
    /// Pictures of this shape have no brightness or colour.
    #[error(
        "pictures of {c} channels of {h} x {w} cannot be rewarded: grey or colour pixels up to 512 x 512 can",
        c = .0[0], h = .0[1], w = .0[2]
    )]
    Shape([usize; 3]),
    /// Nothing says which class such pictures are of.
    #[error(
        "'{term}' needs a classifier, and there is none for these pictures: take the term out or open one"
    )]
    NoJudge {
        /// Which term.
        term: String,
    },
    /// The classifier does not know the class.
    #[error("'{term}': the classifier knows {classes} classes, counted from 0")]
    Class {
        /// Which term.
        term: String,
        /// How many there are.
        classes: usize,
    },
    /// A reference picture is missing.
    #[error("'{term}' needs reference picture {number}, and there are {have}: choose one for it")]
    NoReference {
        /// Which term.
        term: String,
        /// Its number, from 1.
        number: u32,
        /// How many there are.
        have: usize,
    },
    /// A reference picture has no mask.
    #[error("'{term}' needs a mask on reference picture {number}: paint one")]
    NoMask {
        /// Which term.
        term: String,
        /// Its number, from 1.
        number: u32,
    },
    /// A reference picture is of another size.
    #[error(
        "'{term}': reference picture {number} has {have} numbers in place of {expected}: choose a picture of the same size"
    )]
    ReferenceShape {
        /// Which term.
        term: String,
        /// Its number, from 1.
        number: u32,
        /// How many numbers it has.
        have: usize,
        /// How many it should have.
        expected: usize,
    },
    /// A file that others publish is not at hand.
    #[error(
        "'{term}' needs {what}: it comes {from}. Point at it in the list of rewards or with --{option}",
        what = .file.what(), from = .file.from(), option = .file.option()
    )]
    NoFile {
        /// Which term.
        term: String,
        /// Which file.
        file: ScorerFile,
    },
    /// The head belongs to another tower.
    #[error(
        "'{term}': CLIP's embeddings have {found} numbers and the head wants {wanted}: point at CLIP ViT-L/14"
    )]
    Embedding {
        /// Which term.
        term: String,
        /// Numbers that the head wants.
        wanted: usize,
        /// Numbers of an embedding.
        found: usize,
    },
    /// Too few pixels for statistics.
    #[error(
        "'{term}' looks at statistics of at least {least} x {least} pixels, and these pictures are smaller: take it out"
    )]
    Small {
        /// Which term.
        term: String,
        /// The least height and width.
        least: usize,
    },
    /// Grey pictures have no colours.
    #[error("'{term}' looks at colours, and these pictures are grey: take it out")]
    Grey {
        /// Which term.
        term: String,
    },
}

impl PictureRewardError {
    /// At most 60 characters, for messages.
    pub(super) fn shortened(text: &str) -> String {
        crate::mixture::shortened(text, 60)
    }
}
