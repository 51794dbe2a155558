//! The Studio: what was asked for and what came back.

use std::sync::Arc;

use crate::engine::{
    Command, RequestId, STUDIO_STRENGTHS, Slot, StudioAnswer, StudioRequest, StudioRow, StudioRun,
    studio_rows,
};
use crate::session::{Middle, Rewarding, StudioNode, StudioSettings, StudioShow, StudioStart};
use crate::steer::images::ImageFrame;
use crate::ui::images::StudioView;

use super::{Place, State};

/// What the Studio knows beside the session.
#[derive(Default)]
pub struct StudioState {
    /// The runs that are shown.
    pub answer: Option<Arc<StudioAnswer>>,
    /// Textures.
    pub view: StudioView,
    /// The settings that were started, as they were then.
    pub(super) started: Option<(Rewarding, StudioSettings)>,
    /// What was asked for last.
    asked: Option<StudioRequest>,
    /// What could not be begun, or was cancelled: not to be asked for again by itself.
    is_stopped: bool,
}

impl State {
    /// Whether the Studio is in the middle.
    pub fn is_studio(&self) -> bool {
        self.is_images() && self.session.images.middle == Middle::Studio
    }

    /// The settings as they are now, with the reward.
    pub(super) fn studio_set(&self) -> (Rewarding, StudioSettings) {
        let images = &self.session.images;
        (images.rewarding.clone(), images.studio.settings.clone())
    }

    /// Those that were started; before, those that are set.
    pub(super) fn started_or_set(&self) -> (&Rewarding, &StudioSettings) {
        let images = &self.session.images;
        match &self.images.studio.started {
            Some((rewarding, settings)) => (rewarding, settings),
            None => (&images.rewarding, &images.studio.settings),
        }
    }

    fn wanted_studio(&self) -> Option<StudioRequest> {
        let studio = &self.session.images.studio;
        let model = self.images.model.clone()?;
        let (rewarding, settings) = self.started_or_set();
        let set = (rewarding, settings);
        StudioRequest::of(model, studio, set, self.scorer_files())
    }

    /// Asks for the pictures that were started, where they are not there or on their way.
    pub(super) fn submit_studio(&mut self) {
        self.load_wanted_images();
        // Runs of a map that is about to be replaced would be for nothing.
        let is_quiet = self.images.studio.is_stopped || self.dragging || self.images.is_loading();
        if !self.session.images.studio.shown || is_quiet {
            return;
        }
        let Some(wanted) = self.wanted_studio() else {
            return;
        };
        let same = |asked: &StudioRequest| {
            asked.panels.len() == wanted.panels.len()
                && (0..wanted.panels.len()).all(|i| wanted.same_panel(i, asked, i))
        };
        if self.images.studio.asked.as_ref().is_some_and(same) {
            return;
        }
        let id = self.engine.submit(Command::Studio(wanted.clone()));
        self.asks.note(Slot::Studio, id);
        if self.images.studio.started.is_none() {
            self.images.studio.started = Some(self.studio_set());
        }
        self.images.studio.asked = Some(wanted);
    }

    /// Whether nothing is left to ask for.
    pub(super) fn studio_is_asked(&self) -> bool {
        let studio = &self.images.studio;
        let is_quiet = !self.session.images.studio.shown || studio.is_stopped;
        !self.images.is_loading()
            && (is_quiet || studio.asked.is_some() || self.images.model.is_none())
    }

    pub(super) fn take_studio(&mut self, id: RequestId, answer: Arc<StudioAnswer>) {
        if !self.asks.is_open(Slot::Studio, id) {
            // Of a request that a newer one replaced.
            return;
        }
        let newest = self.images.studio.asked.as_ref();
        let is_wanted =
            newest.is_some_and(|asked| Arc::ptr_eq(&asked.model, &answer.request.model));
        if answer.complete {
            self.answered(Slot::Studio, id);
            self.notices.clear(Place::Images);
        }
        if !is_wanted {
            return;
        }
        if answer.complete {
            self.show_on_node(&answer);
        }
        let before = self.images.studio.answer.as_ref();
        let is_told = before.is_some_and(|before| before.unseen == answer.unseen);
        if let Some(why) = answer
            .unseen
            .as_ref()
            .filter(|_| !is_told && !answer.complete)
        {
            let text = format!(
                "The steps cannot be decoded on the way ({why}): they are in false colours. The runs go on, and their ends are decoded."
            );
            self.notices.note(Place::Images, text);
        }
        self.images.studio.answer = Some(answer);
    }

    pub(super) fn studio_ended(&mut self, message: Option<String>) {
        self.images.studio.is_stopped = true;
        // A run that was called off is known by what it reached.
        let asked = self.images.studio.asked.clone();
        if let (Some(answer), Some(asked)) = (self.images.studio.answer.clone(), asked)
            && (0..asked.panels.len()).all(|i| asked.same_panel(i, &answer.request, i))
        {
            self.show_on_node(&answer);
        }
        if let Some(message) = message {
            self.notices.error(Place::Images, message);
        } else {
            let text = "Cancelled. What was reached can be looked at; Start makes the rest.";
            self.notices.done(Place::Images, text);
        }
    }

    /// What was asked is asked again when the Studio is shown again.
    pub(super) fn forget_studio(&mut self) {
        self.images.studio.asked = None;
    }

    /// Another map makes other pictures.
    pub(super) fn reset_studio(&mut self) {
        let studio = &mut self.session.images.studio;
        if let Some(model) = &self.images.model {
            let classes = model.map.config().label_dim as u32;
            let plan = &mut studio.settings.plan;
            plan.class = plan.class.filter(|class| *class < classes);
            if !model.guidance_scales().contains(&plan.class_guidance) {
                plan.class_guidance = 1.0;
            }
            let fits = match &studio.settings.start {
                StudioStart::Noise => true,
                StudioStart::Renoised { picture, .. } => picture.fits(model.shape()),
                StudioStart::State { x, .. } => x
                    .values()
                    .is_some_and(|values| values.len() == model.state_numbers()),
            };
            if !fits {
                studio.settings.start = StudioStart::Noise;
                studio.node = None;
            }
        }
        self.images.studio = StudioState::default();
    }

    /// Another session has a Studio of its own.
    pub(super) fn close_studio(&mut self) {
        if self.asks.is_waiting(Slot::Studio) {
            self.engine.cancel(Slot::Studio);
            self.asks.close(Slot::Studio);
        }
        self.images.studio = StudioState::default();
    }

    /// The thumbnail of the node that was run.
    fn show_on_node(&mut self, answer: &StudioAnswer) {
        let studio = &self.session.images.studio;
        let row = match studio.show {
            StudioShow::Strength => {
                let usual = STUDIO_STRENGTHS[1..].iter().position(|s| *s == 1.0);
                1 + usual.unwrap_or(0)
            }
            _ => 1,
        };
        let started = self.images.studio.started.as_ref();
        let Some(node) = studio.node.filter(|n| {
            let node = studio.lineage.get(*n as usize);
            node.zip(started)
                .is_some_and(|(node, (rewarding, settings))| {
                    node.settings == *settings && node.rewarding == *rewarding
                })
        }) else {
            return;
        };
        let thumbnail = answer.stored((row, 0), 1.0);
        if let Some(node) = self.session.images.studio.lineage.get_mut(node as usize)
            && thumbnail.is_some()
            && node.thumbnail != thumbnail
        {
            Arc::make_mut(node).thumbnail = thumbnail;
        }
    }

    /// Makes the pictures of the settings as they are now.
    pub fn start_studio(&mut self) {
        self.remember_world();
        self.begin_studio();
    }

    /// The same as a part of another edit.
    pub(super) fn begin_studio(&mut self) {
        if self.images.model.is_none() || self.session.images.rewarding.reward.is_empty() {
            return;
        }
        let map = self.map_hash();
        let set = self.studio_set();
        let studio = &mut self.session.images.studio;
        let (rewarding, settings) = set;
        let current = studio.node.and_then(|n| studio.lineage.get(n as usize));
        let same =
            |node: &Arc<StudioNode>| node.settings == settings && node.rewarding == rewarding;
        if !current.is_some_and(same) {
            // The same beginning with other settings is a sibling; from noise it has no parent.
            let parent = current
                .filter(|node| node.settings.start == settings.start)
                .and_then(|node| node.parent);
            let node = studio.add(StudioNode {
                parent,
                settings,
                rewarding,
                map,
                thumbnail: None,
            });
            self.session.images.studio.node = Some(node);
        }
        self.run_studio();
    }

    pub(super) fn run_studio(&mut self) {
        let set = self.studio_set();
        self.session.images.studio.shown = true;
        let runtime = &mut self.images.studio;
        runtime.started = Some(set);
        runtime.asked = None;
        runtime.is_stopped = false;
        self.notices.clear(Place::Images);
        // All this was one edit, and is known.
        self.forget_edits();
    }

    /// SHA-256 of the map in use; empty without one.
    pub fn map_hash(&self) -> String {
        let model = self.images.model.as_ref();
        model.map_or_else(String::new, |model| model.hash.clone())
    }

    /// Ends the runs; what was reached stays.
    pub fn cancel_studio(&mut self) {
        self.engine.cancel(Slot::Studio);
    }

    /// What a person should know of the runs that are shown.
    pub fn studio_note(&self) -> Option<&'static str> {
        let answer = self.images.studio.answer.as_ref()?;
        if self.images.studio.is_stopped && !answer.complete {
            return Some("The runs end here: the rest was called off.");
        }
        let lost: u64 = answer.panels.iter().map(|run| run.non_finite).sum();
        (lost > 0)
            .then_some("Some pictures are not finite numbers: take more steps, or a weaker reward.")
    }

    /// Whether the settings are no longer those that were started.
    pub fn studio_is_changed(&self) -> bool {
        let started = self.images.studio.started.as_ref();
        started.is_some_and(|(rewarding, settings)| {
            let images = &self.session.images;
            *settings != images.studio.settings || *rewarding != images.rewarding
        })
    }

    /// The runs' latest common time.
    pub fn studio_reached(&self) -> f64 {
        let answer = self.images.studio.answer.as_ref();
        answer.map_or(0.0, |answer| answer.reached())
    }

    /// One row's run, and its frame at the clock.
    pub fn studio_frame(&self, row: usize) -> Option<(&StudioRun, &Arc<ImageFrame>)> {
        let run = self.images.studio.answer.as_ref()?.panels.get(row)?;
        let (_, frame) = ImageFrame::at(&run.frames, self.session.images.studio.t)?;
        Some((run, frame))
    }

    /// The rows of what is shown.
    pub fn shown_rows(&self) -> Vec<StudioRow> {
        let studio = &self.session.images.studio;
        studio_rows(studio, self.started_or_set())
    }

    /// The selected row and particle, as far as they are there.
    pub fn studio_selected(&self) -> Option<(usize, usize)> {
        let answer = self.images.studio.answer.as_ref()?;
        let (row, particle) = self.session.images.studio.selected;
        let rows = answer.panels.len().checked_sub(1)?;
        let particles = answer.request.particles.len().checked_sub(1)?;
        Some(((row as usize).min(rows), (particle as usize).min(particles)))
    }
}
