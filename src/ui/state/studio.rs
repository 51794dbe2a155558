//! The Studio: what its rows are, what was asked for, branches and the way back.

use std::sync::Arc;

use crate::engine::{
    Command, RequestId, Slot, StudioAnswer, StudioPanel, StudioRequest, StudioRun,
};
use crate::reward::picture::PictureReward;
use crate::session::{
    Middle, StoredPicture, StoredState, Studio, StudioNode, StudioSettings, StudioShow, StudioStart,
};
use crate::steer::images::{ImageFrame, ImagePlan};
use crate::steer::{Method, Renormalise};
use crate::ui::images::StudioView;
use crate::ui::shortcuts::Action;

use super::{Place, State};

/// Strengths of the rows that vary them.
const STRENGTHS: [f64; 6] = [0.0, 0.25, 0.5, 1.0, 2.0, 4.0];
/// Draws of the rows that vary them.
const DRAWS: [u32; 6] = [1, 2, 4, 8, 16, 32];

/// What the Studio knows beside the session.
#[derive(Default)]
pub struct StudioState {
    /// The runs that are shown.
    pub answer: Option<Arc<StudioAnswer>>,
    /// Textures.
    pub view: StudioView,
    /// The settings that were started, as they were then.
    started: Option<StudioSettings>,
    /// What was asked for last.
    asked: Option<StudioRequest>,
    /// What could not be begun, or was cancelled: not to be asked for again by itself.
    is_stopped: bool,
}

/// One row: a way to make the pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct StudioRow {
    /// What it is called.
    pub title: String,
    /// More about it, on hovering.
    pub hover: String,
    /// How.
    pub panel: StudioPanel,
    /// What a person should know before they trust it.
    pub warning: Option<&'static str>,
}

/// Unsteered, as far as the plan decides it.
fn base(plan: &ImagePlan) -> ImagePlan {
    let usual = ImagePlan::new(Method::Base);
    ImagePlan {
        method: Method::Base,
        draws: usual.draws,
        guidance: usual.guidance,
        renormalise: Renormalise::Off,
        mix_until: usual.mix_until,
        control_variate: usual.control_variate,
        search_power: usual.search_power,
        ..plan.clone()
    }
}

/// The rows of what is to be shown, the base first.
pub fn studio_rows(studio: &Studio, settings: &StudioSettings) -> Vec<StudioRow> {
    let plan = ImagePlan {
        keep_frames: true,
        ..settings.plan.clone()
    };
    let row = |title: String, plan: ImagePlan, reward: &PictureReward| StudioRow {
        title,
        hover: plan.method.card().summary.to_owned(),
        warning: plan.warning(),
        panel: StudioPanel {
            plan,
            reward: reward.clone(),
        },
    };
    let reward = &settings.reward;
    let unsteered = row("Base".to_owned(), base(&plan), reward);
    let name = plan.method.card().title;
    let mut rows = vec![unsteered];
    match studio.show {
        StudioShow::Compare => rows.push(row(name.to_owned(), plan, reward)),
        StudioShow::Strength => {
            for factor in &STRENGTHS[1..] {
                if let Ok(reward) = reward.times(*factor) {
                    let mut row = row(format!("\u{3bb} \u{d7} {factor}"), plan.clone(), &reward);
                    row.hover = format!("{name} toward {reward}");
                    rows.push(row);
                }
            }
        }
        StudioShow::Draws if !plan.draws_matter() => rows.push(row(name.to_owned(), plan, reward)),
        StudioShow::Draws => {
            for draws in DRAWS {
                let plan = ImagePlan {
                    draws,
                    ..plan.clone()
                };
                rows.push(row(format!("N = {draws}"), plan, reward));
            }
        }
        StudioShow::Methods => {
            for method in &studio.methods {
                let plan = ImagePlan {
                    method: *method,
                    ..plan.clone()
                };
                rows.push(row(method.card().title.to_owned(), plan, reward));
            }
        }
    }
    rows
}

impl State {
    /// Whether the Studio is in the middle.
    pub fn is_studio(&self) -> bool {
        self.is_images() && self.session.images.middle == Middle::Studio
    }

    fn wanted_studio(&self) -> Option<StudioRequest> {
        let studio = &self.session.images.studio;
        let model = self.images.model.clone()?;
        let settings = self.images.studio.started.as_ref();
        let settings = settings.unwrap_or(&studio.settings);
        let rows = studio_rows(studio, settings);
        Some(StudioRequest {
            model,
            panels: rows.into_iter().map(|row| row.panel).collect(),
            start: settings.start.image_start()?,
            particles: settings.first..settings.first + studio.pictures,
            measure: settings.reward.clone(),
            second: None,
            references: Vec::new(),
        })
    }

    /// Asks for the pictures that were started, where they are not there or on their way.
    pub(super) fn submit_studio(&mut self) {
        self.load_wanted_images();
        if !self.session.images.studio.shown || self.images.studio.is_stopped || self.dragging {
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
            let settings = self.session.images.studio.settings.clone();
            self.images.studio.started = Some(settings);
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
        self.images.studio.answer = Some(answer);
    }

    pub(super) fn studio_ended(&mut self, message: Option<String>) {
        self.images.studio.is_stopped = true;
        match message {
            Some(message) => self.notices.error(Place::Images, message),
            None => {
                let text = "Cancelled. What was reached can be looked at; Start makes the rest.";
                self.notices.done(Place::Images, text);
            }
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
                    .is_some_and(|values| values.len() == model.numbers()),
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
            StudioShow::Strength => 1 + STRENGTHS[1..].iter().position(|s| *s == 1.0).unwrap_or(0),
            _ => 1,
        };
        let started = self.images.studio.started.as_ref();
        let Some(node) = studio.node.filter(|n| {
            let node = studio.lineage.get(*n as usize);
            node.is_some_and(|node| Some(&node.settings) == started)
        }) else {
            return;
        };
        let frame = answer.panels.get(row).and_then(|run| run.frames.last());
        let picture = frame.and_then(|frame| frame.expected(0));
        let [c, h, _] = answer.request.model.shape();
        let thumbnail = picture.and_then(|p| StoredPicture::new(c as u32, h as u32, p));
        if let Some(node) = self.session.images.studio.lineage.get_mut(node as usize)
            && node.thumbnail.is_none()
            && thumbnail.is_some()
        {
            Arc::make_mut(node).thumbnail = thumbnail;
        }
    }

    /// Makes the pictures of the settings as they are now.
    pub fn start_studio(&mut self) {
        if self.images.model.is_none() {
            return;
        }
        self.remember_world();
        let studio = &mut self.session.images.studio;
        let settings = studio.settings.clone();
        let current = studio.node.and_then(|n| studio.lineage.get(n as usize));
        if current.is_none_or(|node| node.settings != settings) {
            // The same beginning with other settings is a sibling; from noise it has no parent.
            let parent = current
                .filter(|node| node.settings.start == settings.start)
                .and_then(|node| node.parent);
            let node = studio.add(StudioNode {
                parent,
                settings,
                thumbnail: None,
            });
            self.session.images.studio.node = Some(node);
        }
        self.run_studio();
    }

    fn run_studio(&mut self) {
        let studio = &mut self.session.images.studio;
        studio.shown = true;
        let runtime = &mut self.images.studio;
        runtime.started = Some(studio.settings.clone());
        runtime.asked = None;
        runtime.is_stopped = false;
        self.notices.clear(Place::Images);
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
        started.is_some_and(|started| *started != self.session.images.studio.settings)
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
        let settings = self.images.studio.started.as_ref();
        studio_rows(studio, settings.unwrap_or(&studio.settings))
    }

    /// The selected row and particle, as far as they are there.
    pub fn studio_selected(&self) -> Option<(usize, usize)> {
        let answer = self.images.studio.answer.as_ref()?;
        let (row, particle) = self.session.images.studio.selected;
        let rows = answer.panels.len().checked_sub(1)?;
        let particles = answer.request.particles.len().checked_sub(1)?;
        Some(((row as usize).min(rows), (particle as usize).min(particles)))
    }

    /// Goes on from the selected state as it is at the clock: a branch of the run that is shown.
    pub fn branch_from_state(&mut self) {
        let Some((row, particle)) = self.studio_selected() else {
            return;
        };
        let Some((_, frame)) = self.studio_frame(row) else {
            return;
        };
        let Some(state) = frame.state(particle).filter(|_| frame.t < 1.0) else {
            return;
        };
        let start = StudioStart::State {
            t: frame.t,
            x: StoredState::new(state),
        };
        self.branch(row, particle, start);
    }

    /// Noises the selected picture again, as it looks at the clock, and goes on from there.
    pub fn branch_from_picture(&mut self) {
        let Some((row, particle)) = self.studio_selected() else {
            return;
        };
        let Some((_, frame)) = self.studio_frame(row) else {
            return;
        };
        let shape = self.images.studio.answer.as_ref();
        let shape = shape.map(|answer| answer.request.model.shape());
        let (Some(picture), Some([c, h, _])) = (frame.expected(particle), shape) else {
            return;
        };
        let Some(picture) = StoredPicture::new(c as u32, h as u32, picture) else {
            return;
        };
        // Neither end can be branched from.
        let t = self.session.images.studio.renoise.clamp(0.02, 0.98);
        self.branch(row, particle, StudioStart::Renoised { t, picture });
    }

    fn branch(&mut self, row: usize, particle: usize, start: StudioStart) {
        let rows = self.shown_rows();
        let Some(row) = rows.get(row) else {
            return;
        };
        self.remember_world();
        let started = self.images.studio.started.clone();
        let studio = &mut self.session.images.studio;
        let mut settings = started.unwrap_or_else(|| studio.settings.clone());
        // The same particle goes on: with nothing changed a state becomes what it would have become.
        settings.first = (settings.first + particle as u32).min(ImagePlan::LAST_PARTICLE / 2);
        if row.panel.plan.method != Method::Base {
            settings.plan = row.panel.plan.clone();
            settings.reward = row.panel.reward.clone();
        }
        settings.start = start;
        studio.settings = settings.clone();
        let node = studio.add(StudioNode {
            parent: studio.node,
            settings,
            thumbnail: None,
        });
        self.session.images.studio.node = Some(node);
        self.run_studio();
    }

    /// Begins in noise again.
    pub fn studio_from_noise(&mut self) {
        self.remember_world();
        let studio = &mut self.session.images.studio;
        studio.settings.start = StudioStart::Noise;
        studio.settings.first = 0;
        studio.node = None;
    }

    /// Goes back to a run: its settings, and its pictures made again where they are not kept.
    pub fn go_to_node(&mut self, index: u32) {
        let studio = &self.session.images.studio;
        let Some(node) = studio.lineage.get(index as usize).cloned() else {
            return;
        };
        if studio.node == Some(index) && studio.settings == node.settings {
            return;
        }
        self.remember_world();
        let studio = &mut self.session.images.studio;
        studio.settings = node.settings.clone();
        studio.node = Some(index);
        self.run_studio();
    }

    /// Undo has put other settings there: their pictures are shown, if any were.
    pub(super) fn studio_taken_back(&mut self, is_changed: bool) {
        let studio = &self.session.images.studio;
        let node = studio.node.and_then(|n| studio.lineage.get(n as usize));
        let was_run = node.is_some_and(|node| node.settings == studio.settings);
        if is_changed && was_run && studio.shown {
            self.run_studio();
        }
    }

    /// Takes a run out of the lineage.
    pub fn remove_node(&mut self, index: u32) {
        self.remember_world();
        self.session.images.studio.remove(index);
    }

    /// What a key stands for in the Studio; `false` where it means the same everywhere.
    pub(super) fn perform_in_studio(&mut self, action: Action) -> bool {
        match action {
            Action::Redraw => self.reseed_studio(),
            Action::DrawStyle => self.session.images.smooth ^= true,
            Action::Branch => self.branch_from_state(),
            Action::Step(thousandths) if thousandths.abs() <= 10 => {
                self.step_studio(thousandths.signum());
            }
            // These are of the wall, and of the other workspaces.
            Action::Source(_)
            | Action::Keep
            | Action::Contours
            | Action::Velocity
            | Action::Overlay
            | Action::Fit
            | Action::Edit
            | Action::DeleteMode
            | Action::RewardStyle
            | Action::Trails
            | Action::Futures => {}
            _ => return false,
        }
        true
    }

    /// The clock, to the next kept step or the one before.
    fn step_studio(&mut self, by: i32) {
        self.playing = false;
        let Some((row, _)) = self.studio_selected() else {
            return;
        };
        let Some((run, frame)) = self.studio_frame(row) else {
            return;
        };
        let at = run.frames.iter().position(|f| Arc::ptr_eq(f, frame));
        let next = at.unwrap_or(0).saturating_add_signed(by as isize);
        if let Some(frame) = run.frames.get(next) {
            self.session.images.studio.t = frame.t;
        }
    }

    /// Other noise.
    pub fn reseed_studio(&mut self) {
        let plan = &mut self.session.images.studio.settings.plan;
        plan.seed = plan.seed.wrapping_add(1);
        self.start_studio();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_begin_with_the_base_and_share_everything_else() {
        let mut studio = Studio::default();
        let settings = studio.settings.clone();
        let rows = |studio: &Studio| studio_rows(studio, &settings);
        assert_eq!(rows(&studio).len(), 2);
        studio.show = StudioShow::Strength;
        let strengths = rows(&studio);
        assert_eq!(strengths.len(), STRENGTHS.len());
        let texts: Vec<_> = strengths
            .iter()
            .map(|r| r.panel.reward.to_string())
            .collect();
        assert_eq!(
            texts[1..4],
            ["brightness@0.5", "brightness", "brightness@2"]
        );
        studio.show = StudioShow::Draws;
        let draws = rows(&studio);
        assert!(draws[1].warning.is_some(), "one draw does not steer");
        assert_eq!(draws[6].panel.plan.draws, 32);
        studio.show = StudioShow::Methods;
        for row in rows(&studio) {
            assert_eq!(row.panel.plan.seed, settings.plan.seed);
            assert!(row.panel.plan.keep_frames && row.panel.plan.validate().is_ok());
        }
        // The base does not change with the options of what steers, so it is not made again.
        let mut other = settings.clone();
        other.plan.draws = 3;
        other.plan.guidance = 2.0;
        assert_eq!(studio_rows(&studio, &other)[0], rows(&studio)[0]);
    }
}
