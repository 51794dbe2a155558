//! What the window knows: the session, the world and model it names, the last good answers.
//!
//! Panels read and change [`State`] directly. Once a frame [`State::begin_frame`] takes in what came
//! back, and [`State::end_frame`] asks the engine for what is now wanted.

mod answers;
mod asks;
mod batch;
mod budget;
mod clock;
mod decoders;
mod edits;
mod files;
mod gallery;
mod images;
mod images_asks;
mod images_export;
mod images_more;
mod model;
mod notices;
mod scorers;
mod steer_asks;
mod steer_clock;
mod steering;
mod studio;
mod studio_branch;
mod studio_kept;
mod training;
mod training_notices;
mod training_pictures;
mod undo;
mod world;

use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui;

use crate::engine::{Engine, Slot};
use crate::gpu::{AdapterSummary, SharedDevice};
use crate::lookahead::Source;
use crate::mixture::World;
use crate::session::{ColorTheme, History, RecentFiles, Session};

use super::canvas::ContourCache;
use super::errands::{Errands, Pick};
use super::shortcuts::Action;

pub use answers::Answers;
pub use edits::{SOURCES, same_kind};
pub use images::{IMAGE_SOURCES, ImagesState};
pub use images_export::ExportKind;
pub use images_more::Again;
pub use model::{ModelSlot, file_name};
pub use notices::{Notices, Place, Tone};
pub use scorers::Scorers;
pub use steer_clock::AT_ONCE;
pub use steering::SteeringState;
pub use training::TrainingState;
pub use undo::Edit;
pub use world::Cloud;

use asks::Asks;
use steer_asks::SteerAsks;
use undo::EditWatch;

/// States of the world that can be taken back.
const UNDO_LIMIT: usize = 200;

/// Everything behind the panels.
pub struct State {
    /// What decides the picture.
    pub session: Session,
    /// Where the session was last saved or read.
    pub session_path: Option<PathBuf>,
    /// The world that the session names.
    pub world: Arc<World>,
    /// Its fingerprint.
    pub fingerprint: String,
    /// The cloud it was imported from, while its bandwidth can be changed.
    pub cloud: Option<Cloud>,
    /// Worlds, rewards and methods before and after these.
    pub history: History<Edit>,
    /// The model that answers "learned".
    pub model: ModelSlot,
    /// What came back.
    pub answers: Answers,
    /// What came back about steering.
    pub steering: SteeringState,
    /// What came back about training.
    pub training: TrainingState,
    /// The map of pictures and its wall.
    pub images: ImagesState,
    /// Messages, each where the person acted.
    pub notices: Notices,
    /// Files opened before.
    pub recent: RecentFiles,
    /// The device that paints, if there is one.
    pub device: Option<Arc<SharedDevice>>,
    /// The same in words.
    pub adapter: Option<AdapterSummary>,
    /// Whether the clock runs.
    pub playing: bool,
    /// Whether something is being dragged that changes the picture.
    pub dragging: bool,
    /// The mode that is selected for editing.
    pub selected_mode: Option<usize>,
    /// The second lookahead when it was last on.
    pub last_overlay: Source,
    /// Whether the hint was put away.
    pub hint_dismissed: bool,
    /// Where files are that rewards may ask.
    pub scorers: Scorers,
    /// Whether the shortcuts are shown.
    pub help_open: bool,
    /// Set by the widget that has the focus and uses the arrow keys itself.
    pub arrows_taken: bool,
    /// Set by a custom widget that has the focus and leaves Space to the clock.
    pub space_free: bool,
    /// Corners of the plane in view, `[min, max]`, as last painted.
    pub visible: [[f64; 2]; 2],
    /// Width over height of the canvas, as last painted.
    pub canvas_aspect: f64,
    /// Contours of many modes, as last painted.
    pub contours: Option<ContourCache>,
    /// A card asked for by a panel: show the checkpoint's details.
    pub show_details: bool,
    /// Put the panels back where they were at first.
    pub reset_layout: bool,
    /// Time spent on the last frame.
    pub frame_ms: f32,
    last_x_t: [f64; 2],
    fit_wanted: bool,
    time: f64,
    edits: EditWatch,
    asks: Asks,
    steer_asks: SteerAsks,
    engine: Engine,
    errands: Errands,
}

impl State {
    /// Starts the engine and loads what `session` names.
    pub fn new(
        ctx: &egui::Context,
        device: Option<Arc<SharedDevice>>,
        session: Session,
        session_path: Option<PathBuf>,
    ) -> Self {
        let wake = ctx.clone();
        let engine = Engine::start(
            device.clone(),
            session.compute,
            Arc::new(move || wake.request_repaint()),
        );
        let (session, trouble) = world::resolvable(session);
        let world = world::resolve(&session.world);
        let mut state = Self {
            fingerprint: world.fingerprint(),
            last_x_t: session.anchor.x,
            edits: EditWatch::new(&session),
            session,
            session_path,
            world,
            cloud: None,
            history: History::new(UNDO_LIMIT),
            model: ModelSlot::default(),
            answers: Answers::default(),
            steering: SteeringState::default(),
            training: TrainingState::default(),
            images: ImagesState::default(),
            notices: Notices::default(),
            recent: RecentFiles::default(),
            adapter: device.as_ref().map(|d| d.info.clone()),
            device,
            playing: false,
            dragging: false,
            selected_mode: None,
            last_overlay: Source::Exact,
            hint_dismissed: false,
            scorers: Scorers::default(),
            help_open: false,
            arrows_taken: false,
            space_free: false,
            visible: [[-6.0; 2], [6.0; 2]],
            canvas_aspect: 1.0,
            contours: None,
            show_details: false,
            reset_layout: false,
            frame_ms: 0.0,
            fit_wanted: false,
            time: 0.0,
            asks: Asks::default(),
            steer_asks: SteerAsks::default(),
            engine,
            errands: Errands::new(ctx),
        };
        if let Some(message) = trouble {
            state.notices.error(Place::World, message);
        }
        state.load_wanted_model();
        state.fit_if_untouched();
        state
    }

    /// Takes in what came back, and what time and keys bring.
    pub fn begin_frame(&mut self, ctx: &egui::Context) {
        let time = ctx.input(|i| i.time);
        // A window that was away does not jump; one that paints slowly keeps its speed.
        let longest = if self.is_steering() { 0.4 } else { 0.1 };
        let elapsed = (time - self.time).clamp(0.0, longest);
        self.time = time;
        self.take_events();
        self.take_outcomes();
        self.take_dropped_files(ctx);
        self.run_clock(ctx, elapsed);
    }

    /// Asks the engine for what is now wanted and was not asked yet.
    pub fn end_frame(&mut self, ctx: &egui::Context) {
        if self.fit_wanted && self.canvas_aspect > 0.0 {
            self.fit_wanted = false;
            self.fit_view();
        }
        self.watch_edits(ctx);
        self.submit_asks(ctx);
        self.tend_batch();
        self.tell_share();
        self.tend_training_notices(ctx);
        self.notices.expire(ctx, self.time);
    }

    /// Whether the picture moves, so that quick answers matter more than complete ones.
    pub fn in_motion(&self) -> bool {
        self.playing || self.dragging
    }

    /// Said by a widget with a selection that has the focus, or gets it by this click: it uses the arrow keys itself and
    /// leaves Space to the clock.
    pub fn takes_keys(&mut self) {
        self.arrows_taken = true;
        self.space_free = true;
    }

    /// Does what a key or a button stands for.
    pub fn perform(&mut self, action: Action) {
        if self.is_images() && self.perform_images(action) {
            return;
        }
        match action {
            // Samples are finished: they have neither a time nor a seed of their draws.
            Action::PlayPause
            | Action::Step(_)
            | Action::ToNoise
            | Action::ToData
            | Action::Redraw
                if self.shows_samples() => {}
            Action::PlayPause => self.play_or_pause(),
            Action::Step(thousandths) if self.is_steering() && thousandths.abs() <= 10 => {
                self.step_steering(thousandths.signum());
            }
            Action::Step(thousandths) => self.step_time(f64::from(thousandths) / 1000.0),
            Action::ToNoise => self.set_time(0.0),
            Action::ToData => self.set_time(1.0),
            Action::Redraw => self.session.seed = self.session.seed.wrapping_add(1),
            Action::Fit => self.fit_wanted = true,
            Action::Edit => self.toggle_editing(),
            Action::DeleteMode => self.delete_selected_mode(),
            Action::Workspace(workspace) => self.show_workspace(workspace),
            Action::Contours if self.is_steering() => self.session.steering.show.target ^= true,
            // What follows is of the other workspace.
            Action::DrawStyle | Action::Velocity | Action::Source(_) | Action::Overlay
                if self.is_steering() => {}
            Action::Velocity | Action::Overlay if self.is_train() => {}
            Action::Source(index) if self.is_train() => self.choose_calls(index),
            Action::DrawStyle => self.toggle_style(),
            Action::Contours => self.session.show.contours ^= true,
            Action::Velocity => self.session.show.velocity ^= true,
            Action::Source(index) => self.choose_source(index),
            Action::Overlay => self.toggle_overlay(),
            Action::RewardStyle | Action::Trails | Action::Futures if !self.is_steering() => {}
            // These are of the Images workspace.
            Action::Keep | Action::Branch => {}
            Action::RewardStyle => self.next_reward_style(),
            Action::Trails => self.session.steering.show.trails ^= true,
            Action::Futures => self.session.steering.show.futures ^= true,
            Action::Train => self.start_pause_or_resume(),
            Action::Open => self.errands.pick(Pick::Open, String::new()),
            Action::SaveSession => self.save_session(),
            Action::Undo => self.undo(),
            Action::Redo => self.redo(),
            Action::Help => self.help_open ^= true,
            Action::Cancel => self.cancel(),
        }
    }

    fn cancel(&mut self) {
        if self.help_open {
            self.help_open = false;
        } else if self.images.dropped.take().is_some() {
            // What to do with it was asked; this is nothing.
        } else if self.is_train() && self.is_learning() {
            // What was learned stays, and training can go on.
            self.pause_training();
        } else if self.is_steering() && self.asks.is_waiting(Slot::Steer) {
            self.playing = false;
            self.engine.cancel(Slot::Steer);
        } else if self.is_steering() && !self.playing && self.session.steering.selected.is_some() {
            self.session.steering.selected = None;
        } else if self.playing {
            self.playing = false;
        } else if self.is_studio() && self.asks.is_waiting(Slot::Studio) {
            self.cancel_studio();
        } else if self.is_images() && !self.is_pressed() && self.session.images.selected.is_some() {
            self.session.images.selected = None;
        } else if self.is_pressed() {
            // The batch is called off when nothing else is under way.
            let busy = self.engine.busy().into_iter();
            busy.filter(|slot| *slot != Slot::Batch)
                .for_each(|slot| self.engine.cancel(slot));
        } else {
            self.engine.cancel_all();
        }
    }

    fn toggle_style(&mut self) {
        use crate::session::DrawStyle::{Density, Points};
        self.session.style = match self.session.style {
            Points => Density,
            Density => Points,
        };
    }

    /// Chooses where to compute.
    pub fn set_compute(&mut self, choice: crate::session::ComputeChoice) {
        self.session.compute = choice;
        self.engine.set_compute(choice);
        self.asks.forget();
    }

    /// The theme as egui takes it.
    pub fn theme(&self) -> egui::ThemePreference {
        match self.session.theme {
            ColorTheme::Dark => egui::ThemePreference::Dark,
            ColorTheme::Light => egui::ThemePreference::Light,
            ColorTheme::System => egui::ThemePreference::System,
        }
    }

    /// Whether nothing is under way and every figure on screen is up to date.
    pub fn is_settled(&self) -> bool {
        !self.model.is_loading()
            && !self.in_motion()
            && self.engine.busy().is_empty()
            && self.images.exports.is_done()
            && self.asks_are_answered()
    }

    /// Whether work runs or waits.
    pub fn is_busy(&self) -> bool {
        self.model.is_loading() || !self.engine.busy().is_empty()
    }

    /// Whether a person waits for work; nobody waits for the batch.
    fn is_pressed(&self) -> bool {
        let busy = self.engine.busy();
        self.model.is_loading() || busy.iter().any(|slot| *slot != Slot::Batch)
    }

    /// Shows a file dialog.
    pub fn pick(&self, pick: Pick) {
        let suggestion = match pick {
            Pick::SaveWorld => format!("{}.ron", self.world.name),
            Pick::SaveSession => "session.ron".to_owned(),
            Pick::ExportDraws => format!("{}-draws.npz", self.world.name),
            Pick::SaveModel => format!("{}.safetensors", self.run_name()),
            Pick::SaveCurves => format!("{}-training.csv", self.run_name()),
            Pick::Open
            | Pick::Checkpoint
            | Pick::World
            | Pick::Picture
            | Pick::Folder
            | Pick::Archive
            | Pick::Scorer(_)
            | Pick::Decoder(_)
            | Pick::ExportPictures(_) => String::new(),
        };
        self.errands.pick(pick, suggestion);
    }
}
