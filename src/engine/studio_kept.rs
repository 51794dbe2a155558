//! A picture of the Studio as the gallery keeps it, with what makes it again.

use crate::session::{CheckpointRef, KeptPicture, Made, Rewarding, SteeredRecipe, StudioSettings};
use crate::steer::images::ImageFrame;

use super::images::LoadedImages;
use super::picture_view::ShownAs;
use super::studio_message::StudioAnswer;

/// Why what is seen of a run is no picture to keep, or to go on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unkept {
    /// The run has not reached the clock: what is seen is another picture in a moment.
    OnItsWay,
    /// The same of latents whose steps nothing decodes.
    OnItsWayUndecoded,
    /// A step of latents that nothing decodes.
    FalseColours,
}

impl Unkept {
    /// The same in words, with what to do.
    pub const fn text(self) -> &'static str {
        match self {
            Self::OnItsWay => {
                "This picture is still on its way. Wait for the end of its run, or move the clock back to a step that it has passed."
            }
            Self::OnItsWayUndecoded => {
                "This picture is still on its way. Wait for the end of its run."
            }
            Self::FalseColours => {
                "This step is there in false colours only, which are no picture. Move the clock to the end of the run; with a small decoder (taesd), in the section Map, steps are pictures too."
            }
        }
    }
}

impl LoadedImages {
    /// The map as a session names it.
    pub fn named(&self) -> CheckpointRef {
        match &self.path {
            None => CheckpointRef::Shipped,
            Some(path) => CheckpointRef::File(path.clone()),
        }
    }
}

impl StudioAnswer {
    /// Whether what is seen of a row at time `t` is a picture that stays as it is and that its recipe makes again. `goes_on`
    /// says that the runs are under way; where they were called off, what they reached is what there is.
    ///
    /// # Errors
    /// With why it is none.
    pub fn is_to_keep(&self, row: usize, t: f64, goes_on: bool) -> Result<(), Unkept> {
        let Some(run) = self.panels.get(row) else {
            return Ok(());
        };
        if run.done && t >= run.reached() {
            return Ok(());
        }
        let view = &self.request.model.view;
        // Without any decoder false colours are all that there is, at the end too.
        let is_decoded =
            view.seen_at_once() != ShownAs::FalseColours || view.seen() == ShownAs::FalseColours;
        let is_on_its_way = goes_on && !run.done && t > run.reached();
        match (is_on_its_way, is_decoded) {
            (true, true) => Err(Unkept::OnItsWay),
            (true, false) => Err(Unkept::OnItsWayUndecoded),
            (false, false) => Err(Unkept::FalseColours),
            (false, true) => Ok(()),
        }
    }

    /// What makes the picture of a row and a particle again, as it is at time `t`. `None` where it is not there, or where
    /// the runs did not begin as the settings say.
    pub fn recipe(
        &self,
        (rewarding, settings): (&Rewarding, &StudioSettings),
        (row, particle): (usize, usize),
        t: f64,
    ) -> Option<SteeredRecipe> {
        let request = &self.request;
        let panel = request.panels.get(row)?;
        let (_, frame) = ImageFrame::at(&self.panels.get(row)?.frames, t)?;
        if particle >= request.particles.len() || settings.start.image_start()? != request.start {
            return None;
        }
        Some(SteeredRecipe::new(
            (request.model.named(), request.model.hash.clone()),
            (&panel.plan, &settings.start),
            (&panel.reward, &rewarding.references),
            (request.particles.start + particle as u32, frame.t),
        ))
    }

    /// The picture itself, rounded to 8 bits, with what makes it again. A finished one has its label and its reward, by
    /// the measure of all rows.
    pub fn picture(
        &self,
        set: (&Rewarding, &StudioSettings),
        (row, particle): (usize, usize),
        t: f64,
    ) -> Option<KeptPicture> {
        let recipe = self.recipe(set, (row, particle), t)?;
        // Of a run that failed there is no picture, whatever it reached.
        let run = self.panels.get(row).filter(|run| run.trouble.is_none())?;
        let (_, frame) = ImageFrame::at(&run.frames, t)?;
        let model = &self.request.model;
        let picture = self.stored((row, particle), t)?;
        let is_finished = run.done && frame.t >= 1.0;
        let judged = run.judged.as_ref().filter(|_| is_finished);
        let best = judged.and_then(|judged| judged.best().nth(particle));
        let reward = run.rewards.get(particle).filter(|_| is_finished);
        Some(KeptPicture {
            picture,
            label: best.and_then(|(class, _)| model.card.classes.get(class).cloned()),
            t: frame.t,
            seed: recipe.settings.plan.seed,
            item: recipe.settings.first,
            starred: false,
            made: Some(Made::Steered(Box::new(recipe))),
            reward: reward.map(|reward| *reward as f32),
            by_batch: false,
        })
    }
}
