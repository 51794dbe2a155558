//! A picture of the Studio as the gallery keeps it, with what makes it again.

use crate::session::{CheckpointRef, KeptPicture, Made, Rewarding, SteeredRecipe, StudioSettings};
use crate::steer::images::ImageFrame;

use super::images::LoadedImages;
use super::studio_message::StudioAnswer;

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
        let run = self.panels.get(row)?;
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
