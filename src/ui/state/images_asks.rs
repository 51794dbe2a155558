//! What wall was asked for, and what is wanted now: few pictures while something moves, all of them at rest.

use std::sync::Arc;

use crate::engine::{Command, RequestId, Slot, WallAnswer, WallRequest};
use crate::ui::tokens::duration;

use super::{Place, State};

/// Fewest pictures while something moves.
const LEAST: u32 = 4;
/// As many at first, before it is known how long they take.
const FIRST: u32 = 16;

impl State {
    fn wanted_wall(&self) -> Option<WallRequest> {
        let images = &self.session.images;
        let model = self.images.model.clone()?;
        let draws = if self.in_motion() {
            images.draws.min(self.preview_pictures())
        } else {
            images.draws
        };
        let mut wanted = WallRequest::of(model, images, draws);
        wanted.files = self.scorer_files();
        Some(wanted)
    }

    fn preview_pictures(&self) -> u32 {
        match self.images.pace {
            Some((source, pace)) if source == self.session.images.source => {
                let affordable = pace * duration::WALL_PREVIEW.as_secs_f64();
                // In powers of two: the number does not flicker as the pace varies.
                (affordable.max(1.0).log2().floor().exp2() as u32).max(LEAST)
            }
            _ => FIRST,
        }
    }

    pub(super) fn submit_images(&mut self) {
        self.load_wanted_images();
        self.submit_groups();
        self.submit_image_curves();
        if self.must_wait(Slot::Wall) {
            return;
        }
        let Some(wanted) = self.wanted_wall() else {
            return;
        };
        if self.images.asked.as_ref().is_some_and(|a| a.same(&wanted)) {
            return;
        }
        let id = self.engine.submit(Command::Wall(wanted.clone()));
        self.asks.note(Slot::Wall, id);
        self.images.asked = Some(wanted);
    }

    pub(super) fn take_wall(&mut self, id: RequestId, answer: &Arc<WallAnswer>) {
        if answer.complete {
            self.answered(Slot::Wall, id);
            self.notices.clear(Place::Images);
        }
        let secs = answer.elapsed.as_secs_f64();
        if answer.drawn > 0 && secs > 0.0 {
            let pace = f64::from(answer.drawn) / secs;
            self.images.pace = Some((answer.request.source, pace));
        }
        let current = self.images.model.as_ref();
        if current.is_some_and(|model| Arc::ptr_eq(model, &answer.request.model)) {
            let wanted = self.session.images.draws as usize;
            self.images.view.take(answer, wanted);
        }
    }

    /// What was asked of the wall is forgotten: it is asked for again when it is shown again.
    pub(super) fn forget_wall(&mut self) {
        self.images.asked = None;
        self.images.groups.asked = None;
        self.images.curves.asked = None;
    }

    /// Whether everything that the wall should show was asked for.
    pub(super) fn images_are_asked(&self) -> bool {
        if self.images.is_loading() {
            return false;
        }
        match (&self.images.asked, self.wanted_wall()) {
            (Some(asked), Some(wanted)) => asked.same(&wanted) && self.images_more_is_asked(),
            // Without a map there is nothing to ask; a map that is still to be opened was not asked for.
            (_, None) => self.notices.at(Place::Images).is_some(),
            (None, Some(_)) => false,
        }
    }
}
