//! The last good answers about steering, and what the comparison shows of them.

use std::sync::Arc;

use crate::engine::{
    BudgetAnswer, LensAnswer, ScoreCurvesAnswer, ScoresAnswer, SteerAnswer, TraceAnswer,
};
use crate::session::{RewardStyle, Steering, View, Workspace};
use crate::steer::{Method, SteerPlan};
use crate::ui::steering::Picture;

use super::State;

/// What came back about the comparison, newest only.
#[derive(Default)]
pub struct SteeringState {
    /// The runs, growing while they are computed.
    pub runs: Option<Arc<SteerAnswer>>,
    /// Scores at the clock's time, or slightly before it.
    pub scores: Option<Arc<ScoresAnswer>>,
    /// Scores against `t`.
    pub curves: Option<Arc<ScoreCurvesAnswer>>,
    /// The futures that the selected particle sees.
    pub lens: Option<Arc<LensAnswer>>,
    /// The value along the selected particle's way.
    pub trace: Option<Arc<TraceAnswer>>,
    /// Methods at equal compute.
    pub budget: Option<Arc<BudgetAnswer>>,
    /// Full runs that have not reached the clock yet, while `runs` is their preview.
    pub arriving: Option<Arc<SteerAnswer>>,
    /// The runs were cancelled before their end.
    pub stopped: bool,
    /// Text of a typed reward that is not understood yet, and why.
    pub typed_reward: Option<(String, Option<String>)>,
    /// What is kept between frames of the painted panels.
    pub picture: Picture,
    /// Whether the clock has been played since the start: the first time begins at noise.
    pub(super) played: bool,
    /// For how long the clock has rested at its end.
    pub(super) held_secs: f64,
}

impl State {
    /// Whether the comparison of methods is shown.
    pub fn is_steering(&self) -> bool {
        self.session.workspace == Workspace::Steering
    }

    /// The clock of the workspace that is shown.
    pub fn clock(&self) -> f64 {
        if self.is_steering() {
            self.session.steering.t
        } else if self.is_studio() {
            self.session.images.studio.t
        } else if self.is_images() {
            self.session.images.t
        } else {
            self.session.t
        }
    }

    /// How far the newest runs of all panels have got.
    pub fn steering_reached(&self) -> f64 {
        let newest = self.steering.arriving.as_ref();
        let runs = newest.or(self.steering.runs.as_ref());
        runs.map_or(0.0, |runs| runs.reached())
    }

    /// The time that the panels show: the clock's, or as far as all of them are.
    pub fn steering_shown(&self) -> f64 {
        let reached = self.steering.runs.as_ref().map_or(0.0, |r| r.reached());
        self.session.steering.t.min(reached)
    }

    /// Goes to a workspace.
    pub fn show_workspace(&mut self, workspace: Workspace) {
        if self.session.workspace == workspace {
            return;
        }
        self.session.workspace = workspace;
        self.playing = false;
        self.selected_mode = None;
        self.leave_workspace(workspace);
        // Draws of one workspace are not those of another.
        self.forget_draws();
        self.fit_if_untouched();
    }

    /// Small panels have no room to spare: the first view is of the world alone.
    pub(super) fn fit_if_untouched(&mut self) {
        if self.session.workspace != Workspace::Posterior && self.session.view == View::default() {
            self.fit_wanted = true;
        }
    }

    /// Adds a panel, if there is room.
    pub fn add_panel(&mut self, method: Method) {
        let panels = &mut self.session.steering.panels;
        if panels.len() < Steering::MAX_PANELS {
            let steps = panels.first().map_or(100, |plan| plan.steps);
            panels.push(usual_plan(method, steps));
        }
    }

    /// Gives a panel another method; its number of steps stays.
    pub fn change_method(&mut self, panel: usize, method: Method) {
        if let Some(plan) = self.session.steering.panels.get_mut(panel)
            && plan.method != method
        {
            *plan = usual_plan(method, plan.steps);
        }
    }

    /// Closes a panel; the last one stays.
    pub fn close_panel(&mut self, panel: usize) {
        let panels = &mut self.session.steering.panels;
        if panels.len() > 1 && panel < panels.len() {
            panels.remove(panel);
        }
    }

    pub(super) fn next_reward_style(&mut self) {
        let show = &mut self.session.steering.show;
        show.reward = match show.reward {
            RewardStyle::Heat => RewardStyle::Contours,
            RewardStyle::Contours => RewardStyle::Hidden,
            RewardStyle::Hidden => RewardStyle::Heat,
        };
    }
}

/// A method as it is first shown: enough draws to steer well, few enough to run while one waits.
fn usual_plan(method: Method, steps: u32) -> SteerPlan {
    let draws = match method {
        Method::MfmG
        | Method::MfmMix
        | Method::RolloutSde
        | Method::RolloutGlass
        | Method::Search
        | Method::ValueSmc => 16,
        Method::Base
        | Method::Exact
        | Method::Dps
        | Method::Tds
        | Method::Fk
        | Method::Fmtt
        | Method::Fmrg => 1,
        _ => 64,
    };
    SteerPlan {
        steps,
        draws,
        ..SteerPlan::new(method)
    }
}
