//! Branches of the Studio and the way back: the lineage, and what keys mean there.

use std::sync::Arc;

use crate::session::{StoredState, StudioNode, StudioStart};
use crate::steer::Method;
use crate::steer::images::ImagePlan;
use crate::ui::shortcuts::Action;

use super::{Place, State};

impl State {
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
        if !self.is_picture_of_studio(row) {
            return;
        }
        let answer = self.images.studio.answer.as_ref();
        let t = self.session.images.studio.t;
        let Some(picture) = answer.and_then(|answer| answer.stored((row, particle), t)) else {
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
        let started = started.unwrap_or_else(|| self.studio_set());
        let studio = &mut self.session.images.studio;
        let (mut rewarding, mut settings) = started;
        // The same particle goes on: with nothing changed a state becomes what it would have become.
        settings.first = (settings.first + particle as u32).min(ImagePlan::LAST_PARTICLE / 2);
        if row.panel.plan.method != Method::Base {
            settings.plan = row.panel.plan.clone();
            rewarding.reward = row.panel.reward.clone();
        }
        settings.start = start;
        // Where the branch begins nothing of it is seen yet: it is shown as it becomes.
        studio.t = 1.0;
        studio.settings = settings.clone();
        self.session.images.rewarding = rewarding.clone();
        let map = self.map_hash();
        let studio = &mut self.session.images.studio;
        let node = studio.add(StudioNode {
            parent: studio.node,
            settings,
            rewarding,
            map,
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
        self.forget_edits();
    }

    /// Goes back to a run: its settings, and its pictures made again where they are not kept.
    pub fn go_to_node(&mut self, index: u32) {
        let studio = &self.session.images.studio;
        let Some(node) = studio.lineage.get(index as usize).cloned() else {
            return;
        };
        let same =
            studio.settings == node.settings && self.session.images.rewarding == node.rewarding;
        if studio.node == Some(index) && same {
            return;
        }
        self.remember_world();
        let studio = &mut self.session.images.studio;
        studio.settings = node.settings.clone();
        studio.node = Some(index);
        self.session.images.rewarding = node.rewarding.clone();
        self.run_studio();
        if !node.map.is_empty() && node.map != self.map_hash() {
            let text = "This run was of another map: its pictures are not the same with this one.";
            self.notices.done(Place::Images, text);
        }
    }

    /// Undo has put other settings there: their pictures are shown, if any were.
    pub(super) fn studio_taken_back(&mut self, is_changed: bool) {
        let studio = &self.session.images.studio;
        let node = studio.node.and_then(|n| studio.lineage.get(n as usize));
        let rewarding = &self.session.images.rewarding;
        let was_run = node
            .is_some_and(|node| node.settings == studio.settings && node.rewarding == *rewarding);
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
            Action::Branch => self.branch_here(),
            Action::Keep => {
                if let Some((row, particle)) = self.studio_selected() {
                    self.keep_steered(row, particle);
                }
            }
            Action::Step(thousandths) if thousandths.abs() <= 10 => {
                self.step_studio(thousandths.signum());
            }
            // These are of the wall, and of the other workspaces.
            Action::Source(_)
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

    /// Goes on from the selected state, or at the data from the picture that it became.
    fn branch_here(&mut self) {
        let selected = self.studio_selected();
        let frame = selected.and_then(|(row, _)| self.studio_frame(row));
        match frame.map(|(_, frame)| frame.t) {
            Some(t) if t < 1.0 => self.branch_from_state(),
            Some(_) => self.branch_from_picture(),
            None => {}
        }
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
        self.remember_world();
        let plan = &mut self.session.images.studio.settings.plan;
        plan.seed = plan.seed.wrapping_add(1);
        self.begin_studio();
    }
}
