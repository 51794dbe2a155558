//! What was asked of the engine, and what is wanted now. Only differences are submitted.

use std::collections::BTreeMap;
use std::sync::Arc;

use eframe::egui;

use crate::engine::{
    Command, DiversityRequest, DrawAnswer, DrawRequest, LoadedModel, RequestId, SceneRequest, Slot,
};
use crate::lookahead::Source;
use crate::mixture::World;
use crate::ui::tokens::duration;

use super::State;

/// Draws at each time of the curves, for sources of few steps and of many.
const CURVE_DRAWS: u32 = 1024;
const CURVE_DRAWS_OF_ROLLOUTS: u32 = 256;
/// While something moves: the fewest and the most draws, and where slow sources begin.
const PREVIEW_LEAST: u32 = 256;
const PREVIEW_MOST: u32 = 1 << 18;
const PREVIEW_FIRST_OF_ROLLOUTS: u32 = 512;

/// The last request of each slot.
#[derive(Default)]
pub struct Asks {
    scene: Option<SceneRequest>,
    draws: Option<DrawRequest>,
    overlay: Option<DrawRequest>,
    diversity: Option<DiversityRequest>,
    /// What the curves should show, and since when: asked for when it has rested.
    resting: Option<(DiversityRequest, f64)>,
    open: BTreeMap<Slot, RequestId>,
    /// Draws that are being made: no points of theirs are there yet.
    in_flight: BTreeMap<Slot, RequestId>,
    preview: BTreeMap<String, u32>,
}

impl Asks {
    /// Somebody waits for this request from now on.
    pub fn note(&mut self, slot: Slot, id: RequestId) {
        self.open.insert(slot, id);
        self.in_flight.insert(slot, id);
    }

    /// A request was answered, failed or cancelled.
    pub fn answered(&mut self, slot: Slot, id: RequestId) {
        if self.open.get(&slot).is_some_and(|newest| *newest <= id) {
            self.open.remove(&slot);
        }
        self.drawn(slot, id);
    }

    /// The points of a request are there; its figures may still come.
    pub fn drawn(&mut self, slot: Slot, id: RequestId) {
        if self
            .in_flight
            .get(&slot)
            .is_some_and(|newest| *newest <= id)
        {
            self.in_flight.remove(&slot);
        }
    }

    /// Whether somebody waits for a request. Files are not kept track of here: they always count.
    pub fn is_open(&self, slot: Slot, id: RequestId) -> bool {
        matches!(slot, Slot::Open | Slot::Export) || self.open.get(&slot) == Some(&id)
    }

    /// Whether a request of this slot was asked for and is not answered yet.
    pub fn is_waiting(&self, slot: Slot) -> bool {
        self.open.contains_key(&slot)
    }

    /// Nobody waits for this slot any longer.
    pub fn close(&mut self, slot: Slot) {
        self.open.remove(&slot);
        self.in_flight.remove(&slot);
    }

    /// Whether new curves are about to be asked for.
    pub fn is_resting(&self) -> bool {
        self.resting.is_some()
    }

    /// Asks everything again.
    pub fn forget(&mut self) {
        self.scene = None;
        self.draws = None;
        self.overlay = None;
        self.diversity = None;
    }

    /// Learns how many draws come in time while something moves.
    pub fn adapt_preview(&mut self, answer: &DrawAnswer) {
        let n = answer.request.draws;
        // In proportion to the time it took, but not more than so much at once.
        let share = duration::PREVIEW.as_secs_f64() / answer.elapsed.as_secs_f64().max(1e-4);
        let next = if (0.6..2.5).contains(&share) {
            n
        } else {
            (f64::from(n) * share.clamp(0.05, 2.0)) as u32
        };
        self.preview.insert(
            answer.request.source.to_string(),
            next.clamp(PREVIEW_LEAST, PREVIEW_MOST),
        );
    }

    fn preview_draws(&self, source: Source) -> u32 {
        self.preview
            .get(&source.to_string())
            .copied()
            .unwrap_or(match source {
                Source::Glass(_) | Source::Sde(_) => PREVIEW_FIRST_OF_ROLLOUTS,
                _ => PREVIEW_MOST,
            })
    }
}

/// Whether two requests use the same model.
pub fn same_model(a: Option<&Arc<LoadedModel>>, b: Option<&Arc<LoadedModel>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (None, None) => true,
        _ => false,
    }
}

fn same_scene(a: &SceneRequest, b: &SceneRequest) -> bool {
    Arc::ptr_eq(&a.world, &b.world)
        && (a.anchor_t, a.anchor_x, a.t, a.carry, a.field)
            == (b.anchor_t, b.anchor_x, b.t, b.carry, b.field)
}

fn same_draws(a: &DrawRequest, b: &DrawRequest) -> bool {
    Arc::ptr_eq(&a.world, &b.world)
        && same_model(a.model.as_ref(), b.model.as_ref())
        && (a.source, a.t, a.x_t, a.seed, a.draws) == (b.source, b.t, b.x_t, b.seed, b.draws)
}

fn same_curves(a: &DiversityRequest, b: &DiversityRequest) -> bool {
    Arc::ptr_eq(&a.world, &b.world)
        && same_model(a.model.as_ref(), b.model.as_ref())
        && (a.source, a.anchor_t, a.anchor_x, a.carry, a.seed, a.draws)
            == (b.source, b.anchor_t, b.anchor_x, b.carry, b.seed, b.draws)
}

impl State {
    fn wanted_scene(&self) -> SceneRequest {
        let anchor = self.session.anchor;
        SceneRequest {
            world: self.world.clone(),
            anchor_t: anchor.t,
            anchor_x: anchor.x,
            t: self.session.t,
            carry: self.session.carry,
            field: self.session.show.velocity.then_some(self.visible),
        }
    }

    /// Whether new draws should wait for those under way. While something moves every frame wants
    /// others: if each replaced the last, a slow device would never finish any.
    pub(super) fn must_wait(&self, slot: Slot) -> bool {
        self.in_motion() && self.asks.in_flight.contains_key(&slot)
    }

    /// The world and the model behind a source's draws; `None` for a network that has not begun to learn.
    fn who_draws(&self, source: Source) -> Option<(Arc<World>, Option<Arc<LoadedModel>>)> {
        if !self.is_train() {
            return Some((self.world.clone(), self.model.current.clone()));
        }
        if self.seeks_reward() {
            // Its canvases show samples, not what one state could become.
            return None;
        }
        if source == Source::Exact {
            return Some((self.world.clone(), None));
        }
        let report = self.shown_run()?;
        let model = report.snapshot.as_ref()?.model.clone();
        Some((report.world.clone(), Some(model)))
    }

    /// `None` while the model is on its way or the path of `x_t` is not known yet.
    fn wanted_draws(&self, source: Source) -> Option<DrawRequest> {
        let (world, model) = self.who_draws(source)?;
        if !self.is_train() && self.model.is_loading() && self.model.current.is_none() {
            return None;
        }
        let full = self.session.draws;
        let draws = if self.in_motion() {
            full.min(self.asks.preview_draws(source))
        } else {
            full
        };
        Some(DrawRequest {
            world,
            model,
            source,
            t: self.session.t,
            x_t: self.known_x_t()?,
            seed: self.session.seed,
            draws,
        })
    }

    fn wanted_curves(&self) -> Option<DiversityRequest> {
        if self.model.is_loading() || self.is_train() {
            return None;
        }
        let source = self.source();
        let anchor = self.session.anchor;
        Some(DiversityRequest {
            world: self.world.clone(),
            model: self.model.current.clone(),
            source,
            anchor_t: anchor.t,
            anchor_x: anchor.x,
            carry: self.session.carry,
            seed: self.session.seed,
            draws: match source {
                Source::Glass(_) | Source::Sde(_) => CURVE_DRAWS_OF_ROLLOUTS,
                _ => CURVE_DRAWS,
            },
        })
    }

    pub(super) fn submit_asks(&mut self, ctx: &egui::Context) {
        if self.is_steering() {
            self.submit_steering(ctx);
            return;
        }
        if self.is_studio() {
            self.submit_studio();
            return;
        }
        if self.is_images() {
            self.submit_images();
            return;
        }
        if self.is_train() && self.learns_pictures() {
            // Nothing of the world is shown; the map that is tuned is that of the Images workspace.
            if !self.seeks_folder() {
                self.load_wanted_images();
            }
            return;
        }
        let scene = self.wanted_scene();
        if !self
            .asks
            .scene
            .as_ref()
            .is_some_and(|a| same_scene(a, &scene))
        {
            let id = self.engine.submit(Command::Scene(scene.clone()));
            self.asks.note(Slot::Scene, id);
            self.asks.scene = Some(scene);
        }
        if !self.must_wait(Slot::Draws)
            && let Some(draws) = self.wanted_draws(self.source())
            && !self
                .asks
                .draws
                .as_ref()
                .is_some_and(|a| same_draws(a, &draws))
        {
            let id = self.engine.submit(Command::Draws(draws.clone()));
            self.asks.note(Slot::Draws, id);
            self.asks.draws = Some(draws);
        }
        self.submit_overlay();
        self.submit_curves(ctx);
    }

    fn submit_overlay(&mut self) {
        let Some(source) = self.overlay() else {
            if self.asks.overlay.take().is_some() {
                self.engine.cancel(Slot::Overlay);
                self.asks.close(Slot::Overlay);
            }
            self.answers.overlay = super::answers::DrawnSet::default();
            return;
        };
        if !self.must_wait(Slot::Overlay)
            && let Some(draws) = self.wanted_draws(source)
            && !self
                .asks
                .overlay
                .as_ref()
                .is_some_and(|a| same_draws(a, &draws))
        {
            let id = self.engine.submit(Command::Overlay(draws.clone()));
            self.asks.note(Slot::Overlay, id);
            self.asks.overlay = Some(draws);
        }
    }

    fn submit_curves(&mut self, ctx: &egui::Context) {
        let Some(wanted) = self.wanted_curves() else {
            return;
        };
        if self
            .asks
            .diversity
            .as_ref()
            .is_some_and(|a| same_curves(a, &wanted))
        {
            self.asks.resting = None;
            return;
        }
        let rested = match &self.asks.resting {
            Some((resting, since)) if same_curves(resting, &wanted) => self.time - since,
            _ => {
                self.engine.cancel(Slot::Diversity);
                self.asks.resting = Some((wanted.clone(), self.time));
                0.0
            }
        };
        let debounce = duration::DEBOUNCE.as_secs_f64();
        if self.in_motion() {
            return;
        }
        if rested < debounce {
            ctx.request_repaint_after_secs((debounce - rested) as f32 + 0.001);
            return;
        }
        let id = self.engine.submit(Command::Diversity(wanted.clone()));
        self.asks.note(Slot::Diversity, id);
        self.asks.diversity = Some(wanted);
        self.asks.resting = None;
        self.answers.diversity_cancelled = false;
    }

    /// Draws, and the curves of draws, are asked for again, and none are shown until they are there.
    pub(super) fn forget_draws(&mut self) {
        for slot in [Slot::Draws, Slot::Overlay] {
            if self.asks.is_waiting(slot) {
                self.engine.cancel(slot);
                self.asks.close(slot);
            }
        }
        self.asks.draws = None;
        self.asks.overlay = None;
        self.answers.main = super::answers::DrawnSet::default();
        self.answers.overlay = super::answers::DrawnSet::default();
    }

    /// Whether curves show what is now wanted.
    pub fn are_current(&self, request: &DiversityRequest) -> bool {
        self.wanted_curves()
            .is_some_and(|wanted| same_curves(request, &wanted))
    }

    /// Computes cancelled curves after all.
    pub fn ask_curves_again(&mut self) {
        self.asks.diversity = None;
    }

    pub(super) fn asks_are_answered(&self) -> bool {
        if self.is_steering() {
            return self.asks.open.is_empty() && self.steering_is_asked();
        }
        if self.is_studio() {
            return self.asks.open.is_empty() && self.studio_is_asked();
        }
        if self.is_images() {
            return self.asks.open.is_empty() && self.images_are_asked();
        }
        if self.is_train() && self.learns_pictures() {
            return self.asks.open.is_empty() && !self.images.is_loading();
        }
        let same = |asked: Option<&DrawRequest>, wanted: Option<&DrawRequest>| match (asked, wanted)
        {
            (Some(asked), Some(wanted)) => same_draws(asked, wanted),
            (None, None) => true,
            _ => false,
        };
        let overlay = self.overlay().and_then(|source| self.wanted_draws(source));
        let curves = self.wanted_curves();
        self.asks.open.is_empty()
            && self
                .asks
                .scene
                .as_ref()
                .is_some_and(|a| same_scene(a, &self.wanted_scene()))
            && same(
                self.asks.draws.as_ref(),
                self.wanted_draws(self.source()).as_ref(),
            )
            && same(self.asks.overlay.as_ref(), overlay.as_ref())
            && match (&self.asks.diversity, &curves) {
                (Some(asked), Some(wanted)) => same_curves(asked, wanted),
                _ => self.is_train(),
            }
    }
}
