//! Messages of the Train workspace stand by the kind of run that they are about.

use eframe::egui;

use crate::session::TrainFor;

use super::notices::Notice;
use super::{Place, State, Tone};

/// Which kind of run is shown, and the messages about others.
#[derive(Default)]
pub struct TrainingNotices {
    shown: TrainFor,
    aside: Vec<(TrainFor, Notice)>,
}

impl State {
    /// Puts the message of the kind of run that was shown aside when another is chosen, and shows what there was about that
    /// one.
    pub(super) fn tend_training_notices(&mut self, ctx: &egui::Context) {
        let shown = self.session.training.learns;
        let known = &mut self.training.notices;
        if known.shown == shown {
            return;
        }
        ctx.request_repaint();
        let before = std::mem::replace(&mut known.shown, shown);
        // Good news is gone by the time that somebody comes back.
        let said = self.notices.take(Place::Training);
        known.aside.retain(|(of, _)| *of != before);
        let lasting = said.filter(|notice| notice.tone != Tone::Done);
        known.aside.extend(lasting.map(|notice| (before, notice)));
        if let Some(at) = known.aside.iter().position(|(of, _)| *of == shown) {
            let (_, notice) = known.aside.remove(at);
            self.notices.put_back(Place::Training, notice);
        }
    }
}
