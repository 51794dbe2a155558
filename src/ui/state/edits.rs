//! Editing the world's modes, and choosing lookaheads.

use crate::lookahead::Source;
use crate::mixture::{Cov2, Mixture, MixtureError, Mode, Point, World};

use super::{Place, State};

/// The lookaheads in the order of the list, with their usual step counts.
pub const SOURCES: [Source; 5] = [
    Source::OneStep,
    Source::KStep(4),
    Source::Glass(32),
    Source::Sde(100),
    Source::Exact,
];

/// Whether two sources are the same but for their step counts.
pub fn same_kind(a: Source, b: Source) -> bool {
    std::mem::discriminant(&a) == std::mem::discriminant(&b)
}

impl State {
    /// The lookahead whose draws are shown: exact where the chosen one needs a model and there is none.
    pub fn source(&self) -> Source {
        if self.is_train() {
            return self.training_source();
        }
        self.available(self.session.source)
    }

    /// The second lookahead, if one is shown.
    pub fn overlay(&self) -> Option<Source> {
        if self.is_train() {
            return Some(Source::Exact);
        }
        self.session
            .overlay
            .map(|source| self.available(source))
            .filter(|source| *source != self.source())
    }

    fn available(&self, source: Source) -> Source {
        match &self.model.current {
            None if source.needs_model() => Source::Exact,
            // A fine-tuned velocity draws by its own GLASS ODE.
            Some(model) if source.needs_model() && !model.network.is_map() => Source::Glass(32),
            _ => source,
        }
    }

    /// Whether the model in use has a flow map, which learned draws need.
    pub fn has_map(&self) -> bool {
        let current = self.model.current.as_ref();
        current.is_some_and(|model| model.network.is_map())
    }

    /// Whether draws of a source come from a network.
    pub fn is_learned(&self, source: Source) -> bool {
        source != Source::Exact && self.model.current.is_some()
    }

    pub(super) fn choose_source(&mut self, index: usize) {
        let Some(usual) = SOURCES.get(index).copied() else {
            return;
        };
        if usual.needs_model() && !self.has_map() {
            return;
        }
        if !same_kind(usual, self.session.source) {
            self.session.source = usual;
        }
    }

    pub(super) fn toggle_overlay(&mut self) {
        match self.session.overlay.take() {
            Some(source) => self.last_overlay = source,
            None if self.last_overlay == self.source() => {
                self.session.overlay = Some(if self.source() == Source::Exact {
                    Source::OneStep
                } else {
                    Source::Exact
                });
            }
            None => self.session.overlay = Some(self.last_overlay),
        }
    }

    pub(super) fn toggle_editing(&mut self) {
        self.session.show.edit ^= true;
        if !self.session.show.edit {
            self.selected_mode = None;
        }
    }

    /// Takes over an edit of the mixture, or says why it is not possible.
    pub fn try_edit(&mut self, edited: Result<Mixture, MixtureError>) {
        match edited {
            Ok(mixture) => {
                self.notices.clear(Place::World);
                let world = World {
                    mixture,
                    ..(*self.world).clone()
                };
                self.edit_world(world);
            }
            Err(e) => self.notices.error(Place::World, e.to_string()),
        }
    }

    /// Adds a mode of average weight and selects it.
    pub fn add_mode(&mut self, mean: Point) {
        let mixture = &self.world.mixture;
        let n = mixture.modes().len() as f64;
        let variance = mixture
            .modes()
            .iter()
            .map(|m| f64::midpoint(m.cov.xx, m.cov.yy))
            .sum::<f64>()
            / n;
        let edited = mixture.with_mode_added(Mode {
            weight: 1.0 / n,
            mean,
            cov: Cov2::isotropic(variance),
        });
        self.remember_world();
        self.try_edit(edited);
        self.selected_mode = self.world.mixture.modes().len().checked_sub(1);
    }

    pub(super) fn delete_selected_mode(&mut self) {
        let (true, Some(mode)) = (self.session.show.edit, self.selected_mode) else {
            return;
        };
        let edited = self.world.mixture.with_mode_removed(mode);
        self.remember_world();
        self.try_edit(edited);
        self.selected_mode = None;
    }
}
