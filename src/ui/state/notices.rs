//! Messages, each shown where the person acted.

use std::collections::BTreeMap;

use eframe::egui;

use crate::ui::tokens::duration;

/// Where a message belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The world section.
    World,
    /// The model section.
    Model,
    /// On the canvas.
    Canvas,
    /// The diversity panel.
    Diversity,
    /// On the comparison of methods.
    Steering,
    /// On the training.
    Training,
    /// On the wall of pictures.
    Images,
    /// Under the menus: sessions and exports.
    Program,
}

/// How a message is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Something failed. Stays until it is put away.
    Error,
    /// Something goes on, but not as it was asked for. Stays until it is put away.
    Note,
    /// Something went well. Goes away by itself.
    Done,
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// What happened and what to do.
    pub text: String,
    /// How it is meant.
    pub tone: Tone,
    since: Option<f64>,
}

/// At most one message a place: the newest.
#[derive(Debug, Default)]
pub struct Notices(BTreeMap<Place, Notice>);

impl Notices {
    /// Something failed.
    pub fn error(&mut self, place: Place, text: impl Into<String>) {
        self.put(place, text.into(), Tone::Error);
    }

    /// Something goes on, but not as it was asked for.
    pub fn note(&mut self, place: Place, text: impl Into<String>) {
        self.put(place, text.into(), Tone::Note);
    }

    /// Something went well.
    pub fn done(&mut self, place: Place, text: impl Into<String>) {
        self.put(place, text.into(), Tone::Done);
    }

    fn put(&mut self, place: Place, text: String, tone: Tone) {
        let since = None;
        self.0.insert(place, Notice { text, tone, since });
    }

    /// The message at a place.
    pub fn at(&self, place: Place) -> Option<&Notice> {
        self.0.get(&place)
    }

    /// Puts the message of a place away.
    pub fn clear(&mut self, place: Place) {
        self.0.remove(&place);
    }

    /// Takes the message of a place away, to put it back later.
    pub(super) fn take(&mut self, place: Place) -> Option<Notice> {
        self.0.remove(&place)
    }

    /// Puts a message back that was taken away.
    pub(super) fn put_back(&mut self, place: Place, notice: Notice) {
        self.0.insert(place, notice);
    }

    /// Puts good news away after a while.
    pub fn expire(&mut self, ctx: &egui::Context, now: f64) {
        for notice in self.0.values_mut().filter(|n| n.tone == Tone::Done) {
            if notice.since.is_none() {
                notice.since = Some(now);
                ctx.request_repaint_after(duration::NOTE);
            }
        }
        let life = duration::NOTE.as_secs_f64();
        self.0
            .retain(|_, n| n.since.is_none_or(|since| now - since < life));
    }
}
