//! The clock, and `x_t` as it moves with it.

use std::sync::Arc;

use eframe::egui;

use crate::lookahead::state_on_path;
use crate::mixture::Point;
use crate::session::Anchor;
use crate::ui::tokens::duration;

use super::State;

impl State {
    /// Where `x_t` is now: where it was placed, or where the probability flow carried it.
    pub fn x_t(&self) -> Point {
        self.known_x_t().unwrap_or(self.last_x_t)
    }

    /// The same, if the path to it is known already.
    pub(super) fn known_x_t(&self) -> Option<Point> {
        let Anchor { t, x } = self.session.anchor;
        if !self.session.carry || t == self.session.t {
            return Some(x);
        }
        let scene = self.answers.scene.as_ref()?;
        let request = &scene.request;
        let same_path = request.anchor_t == t
            && request.anchor_x == x
            && (Arc::ptr_eq(&request.world, &self.world)
                || request.world.mixture == self.world.mixture);
        same_path
            .then(|| state_on_path(&scene.path, self.session.t))
            .flatten()
    }

    /// Moves the clock; `x_t` follows if it is carried.
    pub fn set_time(&mut self, t: f64) {
        if self.is_steering() {
            self.session.steering.t = t.clamp(0.0, 1.0);
            return;
        }
        if self.is_studio() {
            self.session.images.studio.t = t.clamp(0.0, 1.0);
            return;
        }
        if self.is_images() {
            self.session.images.t = t.clamp(0.0, 1.0);
            return;
        }
        self.session.t = t.clamp(0.0, 1.0);
        if let Some(x) = self.known_x_t() {
            self.last_x_t = x;
        }
    }

    /// Puts `x_t` somewhere by hand.
    pub fn place_state(&mut self, x: Point) {
        let limit = 1e5;
        let x = x.map(|v| {
            if v.is_finite() {
                v.clamp(-limit, limit)
            } else {
                0.0
            }
        });
        self.session.anchor = Anchor {
            t: self.session.t,
            x,
        };
        self.last_x_t = x;
    }

    /// Whether `x_t` follows the flow from now on; it stays where it is now.
    pub fn set_carry(&mut self, carry: bool) {
        let here = self.x_t();
        self.session.carry = carry;
        self.place_state(here);
    }

    pub(super) fn step_time(&mut self, by: f64) {
        self.playing = false;
        // Steps land on round values, so that stepping there and back is exact.
        let t = self.clock() + by;
        self.set_time((t * 1000.0).round() / 1000.0);
    }

    pub(super) fn play_or_pause(&mut self) {
        if self.is_steering() {
            self.play_or_pause_steering();
            return;
        }
        self.playing ^= true;
        if self.playing && self.clock() >= 1.0 {
            self.set_time(0.0);
        }
    }

    pub(super) fn run_clock(&mut self, ctx: &egui::Context, elapsed: f64) {
        if self.is_steering() {
            self.run_steering_clock(ctx, elapsed);
            return;
        }
        if let Some(x) = self.known_x_t() {
            self.last_x_t = x;
        }
        if !self.playing {
            return;
        }
        let playback = self.session.playback;
        let t = self.clock() + elapsed * playback.speed / duration::PLAY.as_secs_f64();
        if t < 1.0 {
            self.set_time(t);
        } else if playback.repeat && self.clock() >= 1.0 {
            self.set_time(0.0);
        } else {
            self.set_time(1.0);
            self.playing = playback.repeat;
        }
        ctx.request_repaint();
    }
}
