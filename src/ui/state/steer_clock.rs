//! The clock of the comparison: it plays what is computed and waits for the slowest panel.

use eframe::egui;

use crate::steer::SteerPlan;
use crate::ui::tokens::duration;

use super::State;

/// At this speed and above the clock shows whatever is computed, at once.
pub const AT_ONCE: f64 = 100.0;

impl State {
    /// From noise the first time, and again at the end; else on from here.
    pub(super) fn play_or_pause_steering(&mut self) {
        self.playing ^= true;
        self.steering.held_secs = 0.0;
        if !self.playing {
            return;
        }
        let first = !std::mem::replace(&mut self.steering.played, true);
        if first || self.session.steering.t >= self.steering_end() {
            self.session.steering.t = 0.0;
        }
    }

    /// The last time that will be there: where a cancelled run stopped, else 1.
    fn steering_end(&self) -> f64 {
        if self.steering.stopped {
            self.steering_reached()
        } else {
            1.0
        }
    }

    pub(super) fn run_steering_clock(&mut self, ctx: &egui::Context, elapsed: f64) {
        if !self.playing {
            return;
        }
        ctx.request_repaint();
        let playback = self.session.playback;
        let (t, end) = (self.session.steering.t, self.steering_end());
        if t >= end {
            self.steering.held_secs += elapsed;
            if !playback.repeat {
                self.playing = false;
            } else if self.steering.held_secs >= duration::HOLD.as_secs_f64() {
                self.steering.held_secs = 0.0;
                self.session.steering.t = 0.0;
            }
            return;
        }
        let reached = self.steering_reached().max(t);
        let next = if playback.speed >= AT_ONCE {
            reached
        } else {
            t + elapsed * playback.speed / duration::PLAY.as_secs_f64()
        };
        // The clock waits for the slowest panel.
        self.session.steering.t = next.min(reached).min(1.0);
    }

    /// By so many steps of the sampler with the most steps.
    pub(super) fn step_steering(&mut self, by: i32) {
        self.playing = false;
        let finest = |plan: &&SteerPlan| plan.steps;
        let Some(plan) = self.session.steering.panels.iter().max_by_key(finest) else {
            return;
        };
        let mut grid = plan.grid();
        grid.insert(0, 0.0);
        // At rest the clock shows no more than is there: steps go from what is seen.
        let t = self.session.steering.t;
        let next = if by > 0 {
            let after = grid.partition_point(|g| *g <= t + 1e-9);
            grid.get((after + by as usize - 1).min(grid.len() - 1))
        } else {
            let before = grid.partition_point(|g| *g < t - 1e-9);
            grid.get(before.saturating_sub(by.unsigned_abs() as usize))
        };
        if let Some(t) = next {
            self.session.steering.t = t.clamp(0.0, 1.0);
        }
    }
}
