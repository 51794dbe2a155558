//! Taking back edits of the world, the rewards, the methods and the pictures.

use std::sync::Arc;

use eframe::egui;

use crate::lookahead::Source;
use crate::reward::Reward;
use crate::session::{
    Batch, Images, KeptPicture, Likeness, Picture, Rewarding, Session, StoredPicture, Studio,
    StudioNode, StudioSettings, StudioShow, WallOrder, WorldRef,
};
use crate::steer::{Method, SteerPlan};

use super::State;

/// An edit of a reward or of a method is one step of undo once it has rested for this long.
const PAUSE_SECS: f64 = 0.8;

/// What can be taken back.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// The world.
    pub world: WorldRef,
    /// The reward.
    pub reward: Reward,
    /// The methods.
    pub panels: Vec<SteerPlan>,
    /// The picture on which the wall of pictures is based.
    pub picture: PictureEdit,
}

/// What of the Images workspace can be taken back.
#[derive(Clone, Debug, PartialEq)]
pub struct PictureEdit {
    class: Option<u32>,
    picture: Picture,
    settings: Settings,
    compare: Option<StoredPicture>,
    pub(super) kept: Vec<Arc<KeptPicture>>,
    /// The queue of what is still to be made.
    pub(super) batch: Batch,
    /// Everything else that decides the wall, where a step changed it: a scrub is no step of its own.
    all: Option<Box<Images>>,
    rewarding: Rewarding,
    studio: StudioEdit,
}

/// What decides the wall, and the rows of the Studio.
#[derive(Clone, Debug, PartialEq)]
struct Settings {
    noise: u64,
    seed: u64,
    draws: u32,
    source: Source,
    tell_class: bool,
    guidance: f32,
    order: WallOrder,
    likeness: Likeness,
    show: StudioShow,
    methods: Vec<Method>,
    pictures: u32,
}

impl Settings {
    fn of(images: &Images) -> Self {
        Self {
            noise: images.noise,
            seed: images.seed,
            draws: images.draws,
            source: images.source,
            tell_class: images.tell_class,
            guidance: images.guidance,
            order: images.order,
            likeness: images.likeness,
            show: images.studio.show,
            methods: images.studio.methods.clone(),
            pictures: images.studio.pictures,
        }
    }

    fn put(self, images: &mut Images) {
        images.noise = self.noise;
        images.seed = self.seed;
        images.draws = self.draws;
        images.source = self.source;
        images.tell_class = self.tell_class;
        images.guidance = self.guidance;
        images.order = self.order;
        images.likeness = self.likeness;
        images.studio.show = self.show;
        images.studio.methods = self.methods;
        images.studio.pictures = self.pictures;
    }
}

/// What of the Studio can be taken back.
#[derive(Clone, Debug, PartialEq)]
struct StudioEdit {
    settings: StudioSettings,
    lineage: Vec<Arc<StudioNode>>,
    node: Option<u32>,
}

/// What is edited bit by bit: the reward and the methods of a comparison, the reward of pictures, how they are steered,
/// how the wall is drawn.
#[derive(Clone, Debug, PartialEq)]
struct Watched {
    reward: Reward,
    panels: Vec<SteerPlan>,
    rewarding: Rewarding,
    studio: StudioSettings,
    settings: Settings,
    compare: Option<StoredPicture>,
}

/// The rewards and methods as the history knows them, and edits that are not at rest yet.
pub struct EditWatch {
    known: Watched,
    seen: Watched,
    since: f64,
    /// A step was kept in this frame: what changes with it is a part of it.
    is_recorded: bool,
}

impl EditWatch {
    /// Begins with a session.
    pub fn new(session: &Session) -> Self {
        let known = watched(session);
        Self {
            seen: known.clone(),
            known,
            since: 0.0,
            is_recorded: false,
        }
    }
}

fn watched(session: &Session) -> Watched {
    Watched {
        reward: session.steering.reward.clone(),
        panels: session.steering.panels.clone(),
        rewarding: session.images.rewarding.clone(),
        studio: session.images.studio.settings.clone(),
        settings: Settings::of(&session.images),
        compare: session.images.compare.clone(),
    }
}

impl State {
    fn edit(&self) -> Edit {
        let studio = &self.session.images.studio;
        Edit {
            world: self.session.world.clone(),
            reward: self.session.steering.reward.clone(),
            panels: self.session.steering.panels.clone(),
            picture: PictureEdit {
                class: self.session.images.class,
                picture: self.session.images.picture.clone(),
                settings: Settings::of(&self.session.images),
                compare: self.session.images.compare.clone(),
                kept: self.session.images.kept.clone(),
                batch: self.session.images.batch.clone(),
                all: None,
                rewarding: self.session.images.rewarding.clone(),
                studio: StudioEdit {
                    settings: studio.settings.clone(),
                    lineage: studio.lineage.clone(),
                    node: studio.node,
                },
            },
        }
    }

    fn differs(&self, from: &Watched) -> bool {
        from.reward != self.session.steering.reward
            || from.panels != self.session.steering.panels
            || from.rewarding != self.session.images.rewarding
            || from.studio != self.session.images.studio.settings
            || from.compare != self.session.images.compare
            || from.settings != Settings::of(&self.session.images)
    }

    /// Keeps the world, the reward and the methods as they are now for undo.
    pub fn remember_world(&mut self) {
        self.keep_edits();
        self.history.record(self.edit());
        self.edits.is_recorded = true;
    }

    /// The same with everything that decides the wall of pictures.
    pub(super) fn remember_all(&mut self) {
        self.keep_edits();
        self.history.record(self.whole_edit());
        self.edits.is_recorded = true;
    }

    fn whole_edit(&self) -> Edit {
        let mut edit = self.edit();
        let images = Images {
            kept: Vec::new(),
            studio: Studio::default(),
            batch: Batch::default(),
            ..self.session.images.clone()
        };
        edit.picture.all = Some(Box::new(images));
        edit
    }

    /// What is kept of now when a step goes to `there`.
    fn edit_beside(&self, there: Option<&Edit>) -> Edit {
        if there.is_some_and(|edit| edit.picture.all.is_some()) {
            self.whole_edit()
        } else {
            self.edit()
        }
    }

    /// Notices edits of the reward and the methods, and keeps them for undo once they rest.
    pub(super) fn watch_edits(&mut self, ctx: &egui::Context) {
        if std::mem::take(&mut self.edits.is_recorded) {
            self.forget_edits();
        }
        if !self.differs(&self.edits.known) {
            return;
        }
        if self.differs(&self.edits.seen) {
            self.edits.seen = watched(&self.session);
            self.edits.since = self.time;
            ctx.request_repaint_after_secs(PAUSE_SECS as f32 + 0.05);
        } else if !self.dragging && self.time - self.edits.since > PAUSE_SECS {
            self.keep_edits();
        }
    }

    /// Edits of rewards and methods that are not at rest yet are a step of undo from here on.
    pub fn keep_edits(&mut self) {
        if !self.differs(&self.edits.known) {
            return;
        }
        let now = self.edit();
        let known = std::mem::replace(&mut self.edits.known, watched(&self.session));
        self.edits.seen = self.edits.known.clone();
        self.history.record(Edit {
            world: now.world,
            reward: known.reward,
            panels: known.panels,
            picture: PictureEdit {
                settings: known.settings,
                compare: known.compare,
                rewarding: known.rewarding,
                studio: StudioEdit {
                    settings: known.studio,
                    ..now.picture.studio
                },
                ..now.picture
            },
        });
    }

    pub(super) fn undo(&mut self) {
        self.keep_edits();
        let now = self.edit_beside(self.history.previous());
        if let Some(edit) = self.history.undo(&now) {
            self.take_over(edit);
        }
    }

    pub(super) fn redo(&mut self) {
        self.keep_edits();
        let now = self.edit_beside(self.history.next());
        if let Some(edit) = self.history.redo(&now) {
            self.take_over(edit);
        }
    }

    fn take_over(&mut self, edit: Edit) {
        if edit.world != self.session.world {
            self.adopt_world(edit.world);
            self.load_wanted_model();
        }
        self.session.steering.reward = edit.reward;
        self.session.steering.panels = edit.panels;
        if let Some(all) = edit.picture.all {
            let studio = std::mem::take(&mut self.session.images.studio);
            let batch = std::mem::take(&mut self.session.images.batch);
            self.session.images = Images {
                studio,
                batch,
                ..*all
            };
        }
        let images = &mut self.session.images;
        images.class = edit.picture.class;
        images.picture = edit.picture.picture;
        edit.picture.settings.put(images);
        images.compare = edit.picture.compare;
        images.kept = edit.picture.kept;
        images.trim_kept();
        // Whether it waits, and which numbers it gave, is nothing that was edited.
        images.batch.entries = edit.picture.batch.entries;
        images.rewarding = edit.picture.rewarding;
        let studio = edit.picture.studio;
        let is_changed = images.studio.settings != studio.settings;
        images.studio.settings = studio.settings;
        images.studio.lineage = studio.lineage;
        images.studio.node = studio.node;
        self.studio_taken_back(is_changed);
        self.steering.typed_reward = None;
        self.forget_edits();
    }

    /// The comparison as it is now is where edits begin.
    pub(super) fn forget_edits(&mut self) {
        self.edits = EditWatch::new(&self.session);
    }
}
