//! A reward is given what it refers to.

use std::sync::Arc;

use crate::model::{
    BrisqueModel, ClipHead, ClipJudge, ImageJudge, ImageNetJudge, ImageRewardJudge, PromptScoreKind,
};

use super::brisque::Brisque;
use super::judged::JudgedTerms;
use super::light::{self, Slope};
use super::measure::{Bands, Measured};
use super::score::{BoundReward, Count, Look, light_of, to_unit};
use super::stroke::Plane;
use super::{
    PictureReward, PictureRewardError, PictureScore, PictureTerm, Prompt, ScorerFile, colour,
    counted,
};

/// A picture that others are compared with.
#[derive(Clone, Debug, PartialEq)]
pub struct ReferencePicture {
    /// `[C][H][W]`, -1 black and 1 white.
    pub picture: Arc<[f32]>,
    /// What is left free, `[H][W]`: 0 where the picture is to be kept, 1 where anything may come.
    pub mask: Option<Arc<[f32]>>,
}

/// What is read from files that others publish: those that are at hand.
#[derive(Clone, Default)]
pub struct PictureScorers {
    /// [`ScorerFile::Brisque`].
    pub brisque: Option<Arc<BrisqueModel>>,
    /// [`ScorerFile::EfficientNet`].
    pub imagenet: Option<Arc<ImageNetJudge>>,
    /// [`ScorerFile::ClipLarge`].
    pub clip: Option<Arc<ClipJudge>>,
    /// [`ScorerFile::AestheticHead`].
    pub aesthetic_head: Option<Arc<ClipHead>>,
    /// [`ScorerFile::PickScore`].
    pub pick: Option<Arc<ClipJudge>>,
    /// [`ScorerFile::Hps`].
    pub hps: Option<Arc<ClipJudge>>,
    /// Prompts as these towers' texts read them.
    pub prompts: Vec<PromptHead>,
    /// [`ScorerFile::ImageReward`], for each prompt.
    pub image_rewards: Vec<(Prompt, Arc<ImageRewardJudge>)>,
}

/// A prompt as the text tower of a judge reads it: read once, as it does not depend on the picture.
#[derive(Clone)]
pub struct PromptHead {
    /// By whose judgement.
    pub judge: PromptScoreKind,
    /// What pictures should show.
    pub prompt: Prompt,
    /// The judge's own score, as a function of a picture's embedding.
    pub head: Arc<ClipHead>,
}

impl PictureScorers {
    /// What is at hand here or there.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let mut prompts = self.prompts;
        prompts.extend(other.prompts);
        let mut image_rewards = self.image_rewards;
        image_rewards.extend(other.image_rewards);
        Self {
            brisque: self.brisque.or(other.brisque),
            imagenet: self.imagenet.or(other.imagenet),
            clip: self.clip.or(other.clip),
            aesthetic_head: self.aesthetic_head.or(other.aesthetic_head),
            pick: self.pick.or(other.pick),
            hps: self.hps.or(other.hps),
            prompts,
            image_rewards,
        }
    }

    /// The tower of pictures of a judge, and the file that it is read from.
    fn tower(&self, judge: PromptScoreKind) -> (Option<&Arc<ClipJudge>>, ScorerFile) {
        let file = ScorerFile::of_judge(judge);
        match judge {
            PromptScoreKind::Clip => (self.clip.as_ref(), file),
            PromptScoreKind::Pick => (self.pick.as_ref(), file),
            PromptScoreKind::Hps => (self.hps.as_ref(), file),
        }
    }
}

/// What a reward refers to.
#[derive(Clone, Default)]
pub struct PictureParts {
    /// A classifier of such pictures, where there is one.
    pub judge: Option<Arc<ImageJudge>>,
    /// Reference pictures; terms count them from 1.
    pub references: Vec<ReferencePicture>,
    /// What some terms ask.
    pub scorers: PictureScorers,
}

impl PictureReward {
    /// Largest height and width of a picture that is rewarded.
    const MAX_SIDE: usize = 512;

    /// Gives the reward what it refers to, for pictures of one shape, `[C, H, W]`.
    ///
    /// # Errors
    /// Naming the term that cannot be: for want of a classifier, of a class of it, of a reference picture, of colour.
    pub fn bind(
        &self,
        shape: [usize; 3],
        parts: &PictureParts,
    ) -> Result<Arc<dyn PictureScore>, PictureRewardError> {
        let [channels, rows, columns] = shape;
        let sides = 1..=Self::MAX_SIDE;
        if !matches!(channels, 1 | 3) || !sides.contains(&rows) || !sides.contains(&columns) {
            return Err(PictureRewardError::Shape(shape));
        }
        let judge = parts.judge.as_ref();
        let judge = judge.filter(|judge| judge.config().image == shape);
        let mut asked = Networks {
            own: judge.map(|judge| JudgedTerms::new(judge.clone(), shape)),
            ..Networks::default()
        };
        let mut bound = BoundReward {
            shape,
            judged: Vec::new(),
            of_light: Vec::new(),
            of_all: Vec::new(),
            counted: Vec::new(),
            without_gradient: self.without_gradient().map(ToString::to_string),
        };
        for weighted in self.terms() {
            let binder = Binder {
                shape,
                term: &weighted.term,
                parts,
            };
            binder.add(weighted.weight(), &mut asked, &mut bound)?;
        }
        let own = [asked.own, asked.imagenet].into_iter().flatten();
        let asked = own
            .chain(asked.towers.into_iter().flatten())
            .chain(asked.image_rewards);
        bound.judged = asked.filter(|judged| !judged.is_empty()).collect();
        Ok(Arc::new(bound))
    }
}

/// The networks that terms ask, each once for all of its terms.
#[derive(Default)]
struct Networks {
    /// The classifier of such pictures.
    own: Option<JudgedTerms>,
    imagenet: Option<JudgedTerms>,
    /// In the order of [`PromptScoreKind::ALL`].
    towers: [Option<JudgedTerms>; 3],
    /// One for each term: what it sees depends on the prompt.
    image_rewards: Vec<JudgedTerms>,
}

/// One term and what it may refer to.
struct Binder<'a> {
    shape: [usize; 3],
    term: &'a PictureTerm,
    parts: &'a PictureParts,
}

impl Binder<'_> {
    fn add(
        &self,
        weight: f64,
        asked: &mut Networks,
        bound: &mut BoundReward,
    ) -> Result<(), PictureRewardError> {
        let [channels, rows, columns] = self.shape;
        let term = || self.named();
        if self.term.kind().needs.colour && channels == 1 {
            return Err(PictureRewardError::Grey { term: term() });
        }
        let least = self.term.kind().needs.side;
        if rows.min(columns) < least {
            let term = term();
            return Err(PictureRewardError::Small { term, least });
        }
        let no_judge = || PictureRewardError::NoJudge { term: term() };
        let mut light = |unit: f64, look: Look| bound.of_light.push((weight / unit, look));
        let mut all = |unit: f64, look: Look| bound.of_all.push((weight / unit, look));
        let mut count = |unit: f64, count: Count| bound.counted.push((weight / unit, count));
        match self.term {
            PictureTerm::Class(class) => {
                let judged = asked.own.as_mut().ok_or_else(no_judge)?;
                let (class, classes) = (*class as usize, judged.known());
                if class >= classes {
                    let term = term();
                    return Err(PictureRewardError::Class { term, classes });
                }
                judged.add_class(class, weight);
            }
            PictureTerm::Similar(number) => {
                let judged = asked.own.as_mut().ok_or_else(no_judge)?;
                let reference = self.reference(*number)?;
                judged.add_similar(&reference.picture, weight / 0.25);
            }
            PictureTerm::Masked(number) => {
                let reference = self.reference(*number)?;
                let kept = self.kept(*number, reference)?;
                let [down, across] = [rows, columns].map(Bands::identity);
                let target = to_unit(&reference.picture);
                let measured = Measured::new(down, across, Some(kept), &target);
                all(0.02, Box::new(move |x, slope| measured.match_of(x, slope)));
            }
            PictureTerm::Blurred(number) => {
                let sd = |side: usize| side as f64 / 14.0;
                let [down, across] = [rows, columns].map(|n| Bands::gaussian(n, sd(n)));
                let target = to_unit(&self.reference(*number)?.picture);
                let measured = Measured::new(down, across, None, &target);
                all(0.01, Box::new(move |x, slope| measured.match_of(x, slope)));
            }
            PictureTerm::Downsampled(number) => {
                let [down, across] = [rows, columns].map(|n| Bands::averages(n, 4));
                let target = to_unit(&self.reference(*number)?.picture);
                let measured = Measured::new(down, across, None, &target);
                all(0.01, Box::new(move |x, slope| measured.match_of(x, slope)));
            }
            PictureTerm::Grey(number) => {
                let [down, across] = [rows, columns].map(Bands::identity);
                let target = light_of(&to_unit(&self.reference(*number)?.picture), self.shape);
                let measured = Measured::new(down, across, None, &target);
                light(0.02, Box::new(move |x, slope| measured.match_of(x, slope)));
            }
            PictureTerm::Brightness => light(0.05, Box::new(light::mean)),
            PictureTerm::Contrast => light(0.05, Box::new(light::contrast)),
            PictureTerm::Saturation => all(0.05, Box::new(colour::saturation)),
            PictureTerm::Colourfulness => all(15.0, Box::new(colour::colourfulness)),
            PictureTerm::Warmth => all(0.1, Box::new(colour::warmth)),
            PictureTerm::Palette(colours) => {
                let unit = |colour: &[u8; 3]| colour.map(|v| f64::from(v) / 255.0);
                let colours: Vec<[f64; 3]> = colours.iter().map(unit).collect();
                let look =
                    move |x: &[f64], slope: Option<Slope<'_>>| colour::palette(x, &colours, slope);
                all(0.04, Box::new(look));
            }
            PictureTerm::Sharpness => light(
                0.05,
                Box::new(move |x, slope| Plane::new(x, columns).sharpness(slope)),
            ),
            PictureTerm::Symmetry => light(
                0.2,
                Box::new(move |x, slope| light::symmetry(x, columns, slope)),
            ),
            PictureTerm::Edges => light(
                0.05,
                Box::new(move |x, slope| Plane::new(x, columns).edges(slope)),
            ),
            PictureTerm::Thickness => light(
                0.5,
                Box::new(move |x, slope| Plane::new(x, columns).thickness(slope)),
            ),
            PictureTerm::ImageNet(class) => {
                let judged = self.imagenet(asked)?;
                let (class, classes) = (*class as usize, judged.known());
                if class >= classes {
                    let term = term();
                    return Err(PictureRewardError::Class { term, classes });
                }
                judged.add_class(class, weight);
            }
            PictureTerm::ImageNetSimilar(number) => {
                let reference = self.reference(*number)?;
                let judged = self.imagenet(asked)?;
                judged.add_similar(&reference.picture, weight / 0.25);
            }
            PictureTerm::Aesthetic => {
                let scorers = &self.parts.scorers;
                let clip = scorers.clip.as_ref();
                let clip = clip.ok_or_else(|| self.no_file(ScorerFile::ClipLarge))?;
                let head = scorers.aesthetic_head.as_ref();
                let head = head.ok_or_else(|| self.no_file(ScorerFile::AestheticHead))?;
                let (wanted, found) = (head.direction.len(), clip.numbers());
                if wanted != found {
                    return Err(PictureRewardError::Embedding {
                        term: term(),
                        wanted,
                        found,
                    });
                }
                self.tower(PromptScoreKind::Clip, asked)?
                    .add_affine((**head).clone(), weight / 0.5);
            }
            PictureTerm::Prompt(judge, prompt) => {
                let towers = self.tower(*judge, asked)?;
                let mut heads = self.parts.scorers.prompts.iter();
                let read = heads.find(|read| read.judge == *judge && read.prompt == *prompt);
                let read = read.ok_or_else(|| self.no_file(ScorerFile::of_judge(*judge)))?;
                let unit = match judge {
                    PromptScoreKind::Clip | PromptScoreKind::Pick => 1.0,
                    PromptScoreKind::Hps => 0.01,
                };
                towers.add_affine((*read.head).clone(), weight / unit);
            }
            PictureTerm::ImageReward(prompt) => {
                let mut judges = self.parts.scorers.image_rewards.iter();
                let judge = judges.find(|(of, _)| of == prompt);
                let (_, judge) = judge.ok_or_else(|| self.no_file(ScorerFile::ImageReward))?;
                let mut terms = JudgedTerms::new(judge.clone(), self.shape);
                terms.add_affine(judge.network().head().clone(), weight);
                asked.image_rewards.push(terms);
            }
            PictureTerm::Brisque => {
                let model = self.parts.scorers.brisque.as_ref();
                let model = model.ok_or_else(|| self.no_file(ScorerFile::Brisque))?;
                let brisque = Brisque::new(model.clone(), self.shape);
                all(-40.0, Box::new(move |x, slope| brisque.score(x, slope)));
            }
            PictureTerm::HardThickness => count(
                0.5,
                Count::Light(Box::new(move |x| counted::thickness(x, columns))),
            ),
            PictureTerm::Parts => count(
                1.0,
                Count::Light(Box::new(move |x| counted::parts(x, columns))),
            ),
            PictureTerm::Holes => count(
                1.0,
                Count::Light(Box::new(move |x| counted::holes(x, columns))),
            ),
            PictureTerm::Bytes => {
                let shape = self.shape;
                let look = move |x: &[f64]| counted::bits_a_pixel(x, shape);
                count(0.25, Count::All(Box::new(look)));
            }
        }
        Ok(())
    }

    /// The term in a message: prompts may be long.
    fn named(&self) -> String {
        PictureRewardError::shortened(&self.term.to_string())
    }

    fn imagenet<'b>(
        &self,
        asked: &'b mut Networks,
    ) -> Result<&'b mut JudgedTerms, PictureRewardError> {
        let judge = self.parts.scorers.imagenet.as_ref();
        let judge = judge.ok_or_else(|| self.no_file(ScorerFile::EfficientNet))?;
        let terms = &mut asked.imagenet;
        Ok(terms.get_or_insert_with(|| JudgedTerms::new(judge.clone(), self.shape)))
    }

    /// The terms that ask a tower.
    fn tower<'b>(
        &self,
        judge: PromptScoreKind,
        asked: &'b mut Networks,
    ) -> Result<&'b mut JudgedTerms, PictureRewardError> {
        let (tower, file) = self.parts.scorers.tower(judge);
        let tower = tower.ok_or_else(|| self.no_file(file))?;
        let terms = &mut asked.towers[judge as usize];
        Ok(terms.get_or_insert_with(|| JudgedTerms::new(tower.clone(), self.shape)))
    }

    fn no_file(&self, file: ScorerFile) -> PictureRewardError {
        PictureRewardError::NoFile {
            term: self.named(),
            file,
        }
    }

    fn reference(&self, number: u32) -> Result<&ReferencePicture, PictureRewardError> {
        let term = || self.named();
        let have = self.parts.references.len();
        let index = (number as usize).checked_sub(1);
        let found = index.and_then(|index| self.parts.references.get(index));
        let reference = found.ok_or_else(|| PictureRewardError::NoReference {
            term: term(),
            number,
            have,
        })?;
        let expected = self.shape.iter().product();
        let have = reference.picture.len();
        if have != expected {
            return Err(PictureRewardError::ReferenceShape {
                term: term(),
                number,
                have,
                expected,
            });
        }
        Ok(reference)
    }

    /// How much each pixel is to be kept, `[H][W]`.
    fn kept(
        &self,
        number: u32,
        reference: &ReferencePicture,
    ) -> Result<Vec<f64>, PictureRewardError> {
        let term = || self.named();
        let mask = reference.mask.as_ref();
        let mask = mask.ok_or_else(|| PictureRewardError::NoMask {
            term: term(),
            number,
        })?;
        let expected = self.shape[1] * self.shape[2];
        if mask.len() != expected {
            return Err(PictureRewardError::ReferenceShape {
                term: term(),
                number,
                have: mask.len(),
                expected,
            });
        }
        let kept = mask.iter().map(|free| 1.0 - f64::from(*free));
        Ok(kept.map(|v| v.clamp(0.0, 1.0)).collect())
    }
}
