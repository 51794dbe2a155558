//! The window: panels around one state.

use std::sync::Arc;
use std::time::{Duration, Instant};

use eframe::egui::{self, CentralPanel, Frame, Margin, Panel, Ui};
use egui_tiles::Tree;

use crate::engine::Compute;
use crate::gpu::SharedDevice;
use crate::session::{Session, Workspace};

use super::autosave::Autosave;
use super::layout::{self, Pane};
use super::options::AppOptions;
use super::persist::{self, Remembered};
use super::shortcuts::Action;
use super::state::{Place, State};
use super::steering::lessons;
use super::tokens::{self, duration, size, space};
use super::{canvas, help, images, shortcuts, side, status, timeline, top_bar, widgets};

/// The window.
pub struct App {
    state: State,
    /// The panels of the Posterior workspace.
    tree: Tree<Pane>,
    /// The panels of the Steering workspace.
    steering_tree: Tree<Pane>,
    /// The panels of the Train workspace.
    training_tree: Tree<Pane>,
    /// Keeps the session for the next run, where there is a place for it.
    autosave: Option<Autosave>,
    /// Whether eframe tells how long a frame took, painting included.
    frame_time_is_told: bool,
}

impl App {
    /// The window of a frame that eframe (or a test harness) made. Without a graphics device the
    /// panels work and nothing is painted on the canvas.
    pub fn new(cc: &eframe::CreationContext<'_>, options: AppOptions) -> Self {
        let device = cc.wgpu_render_state.as_ref().map(|render| {
            canvas::paint::install(render);
            SharedDevice::from_render_state(render)
        });
        let folder = options.data_dir.as_deref();
        let (session, remembered, trouble) = persist::load(folder, cc.storage);
        let mut app = Self::build(&cc.egui_ctx, device, &options, session, remembered);
        app.autosave = folder.map(Autosave::new);
        if let Some(trouble) = trouble {
            app.state.notices.error(Place::Program, trouble);
        }
        app
    }

    /// The window on a device whose renderer the caller has prepared with [`crate::render::install`].
    pub fn for_device(
        device: Option<Arc<SharedDevice>>,
        ctx: &egui::Context,
        options: &AppOptions,
    ) -> Self {
        Self::build(ctx, device, options, None, Remembered::default())
    }

    fn build(
        ctx: &egui::Context,
        device: Option<Arc<SharedDevice>>,
        options: &AppOptions,
        session: Option<Session>,
        remembered: Remembered,
    ) -> Self {
        tokens::install(ctx);
        if device
            .as_ref()
            .is_some_and(|device| device.info.is_software)
        {
            // What paints is what works.
            widgets::spin_slowly(ctx);
        }
        // Ctrl+Q and the like stay with the system; Esc never quits.
        let session = options.resolve(session);
        let mut state = State::new(ctx, device, session, options.session_path.clone());
        state.recent = remembered.recent;
        state.hint_dismissed = remembered.hint_dismissed;
        state.scorers.remember(remembered.scorer_files);
        state.remember_decoders(remembered.decoders);
        state.keep_files_in(options.data_dir.clone());
        if let Some(path) = options.checkpoint()
            && !options.names_world()
        {
            state.adopt_world_of(path);
        }
        if let Some(path) = options.cloud() {
            state.open_file(path.to_owned());
        }
        Self {
            state,
            tree: remembered.tree,
            steering_tree: remembered.steering_tree,
            training_tree: remembered.training_tree,
            autosave: None,
            frame_time_is_told: false,
        }
    }

    /// The whole window in a root [`Ui`].
    pub fn show(&mut self, ui: &mut Ui) {
        let begun = Instant::now();
        let ctx = ui.ctx().clone();
        let state = &mut self.state;
        ctx.set_theme(state.theme());
        let late = keys(&ctx, state);
        state.begin_frame(&ctx);
        state.dragging = false;

        let palette = tokens::palette(ui);
        ui.painter().rect_filled(ui.max_rect(), 0.0, palette.window);
        let bar = |left: i8, right: i8| {
            Frame::new().fill(palette.window).inner_margin(Margin {
                left,
                right,
                top: 0,
                bottom: 0,
            })
        };
        Panel::top("top bar")
            .exact_size(size::TOP_BAR)
            .resizable(false)
            .show_separator_line(false)
            .frame(bar(20, 12))
            .show(ui, |ui| top_bar::show(ui, state));
        Panel::bottom("status bar")
            .exact_size(size::STATUS_BAR)
            .resizable(false)
            .show_separator_line(false)
            .frame(bar(20, 16))
            .show(ui, |ui| status::show(ui, state));
        let gap = space::GAP as i8;
        let card = tokens::card(palette);
        Panel::bottom("timeline panel")
            .exact_size(size::TIMELINE)
            .resizable(false)
            .show_separator_line(false)
            .frame(
                card.outer_margin(Margin {
                    left: gap,
                    right: gap,
                    top: gap,
                    bottom: 0,
                })
                .inner_margin(Margin::symmetric(16, 6)),
            )
            .show(ui, |ui| timeline::show(ui, state));
        if state.is_images() {
            images::show(ui, state);
        } else {
            Panel::left("side panel")
                .default_size(size::SIDE)
                .size_range(220.0..=420.0)
                .show_separator_line(false)
                .frame(
                    card.outer_margin(Margin {
                        left: gap,
                        right: gap,
                        top: 0,
                        bottom: 0,
                    })
                    .inner_margin(Margin {
                        left: 16,
                        right: 4,
                        top: 12,
                        bottom: 8,
                    }),
                )
                .show(ui, |ui| side::show(ui, state));
            CentralPanel::no_frame()
                .frame(Frame::new().fill(palette.window).inner_margin(Margin {
                    left: 0,
                    right: gap,
                    top: 0,
                    bottom: 0,
                }))
                .show(ui, |ui| {
                    lessons::banner(ui, state);
                    let tree = match state.session.workspace {
                        Workspace::Posterior | Workspace::Images => &mut self.tree,
                        Workspace::Steering => &mut self.steering_tree,
                        Workspace::Train => &mut self.training_tree,
                    };
                    layout::show(ui, tree, state);
                });
        }

        program_notice(&ctx, state);
        drop_veil(&ctx);
        help::show(&ctx, state);
        for action in late {
            state.perform(action);
        }
        state.end_frame(&ctx);
        if !self.frame_time_is_told {
            self.state.frame_ms = begun.elapsed().as_secs_f32() * 1e3;
        }
    }

    /// The session as it is now.
    pub fn session(&self) -> &Session {
        &self.state.session
    }

    /// What the panels show and change, for measurements.
    pub(super) fn known(&mut self) -> &mut State {
        &mut self.state
    }

    /// Whether the shortcuts are shown.
    pub fn is_help_open(&self) -> bool {
        self.state.help_open
    }

    /// Whether the clock runs.
    pub fn is_playing(&self) -> bool {
        self.state.playing
    }

    /// Where draws are computed now.
    pub fn active_compute(&self) -> Compute {
        self.state.answers.active_compute()
    }

    /// The time of the draws that are on screen.
    pub fn shown_time(&self) -> Option<f64> {
        let answer = self.state.answers.main.draws.as_ref()?;
        Some(answer.request.t)
    }

    /// The clock of the workspace that is shown.
    pub fn clock(&self) -> f64 {
        self.state.clock()
    }

    /// Whether every figure on screen is up to date.
    pub fn is_settled(&self) -> bool {
        self.state.is_settled()
    }

    /// Sets the clock.
    pub fn set_time(&mut self, t: f64) {
        self.state.set_time(t);
    }

    /// Sets the number of draws.
    pub fn set_draws(&mut self, draws: u32) {
        self.state.session.draws = draws.clamp(1, Session::MAX_DRAWS);
    }
}

/// What the keys ask for, before any panel sees them.
///
/// Gives what is to be done after the panels: where frames are slow a key comes in the same frame as the click before
/// it, and is meant for what that click chooses.
fn keys(ctx: &egui::Context, state: &mut State) -> Vec<Action> {
    let focused = ctx.memory(egui::Memory::focused);
    let keep_arrows = focused.is_some() && std::mem::take(&mut state.arrows_taken);
    let keep_space = focused.is_some() && !std::mem::take(&mut state.space_free);
    if let Some(id) = focused
        && !keep_arrows
        && !ctx.text_edit_focused()
    {
        // Left and right move the clock, not the focus.
        let filter = egui::EventFilter {
            horizontal_arrows: true,
            ..egui::EventFilter::default()
        };
        ctx.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
    }
    let arrows = [
        egui::Key::ArrowLeft,
        egui::Key::ArrowRight,
        egui::Key::ArrowUp,
        egui::Key::ArrowDown,
    ];
    if keep_arrows && ctx.input(|i| arrows.iter().any(|key| i.key_pressed(*key))) {
        // In the first frame of its focus nothing keeps egui from moving it on.
        ctx.memory_mut(|memory| memory.move_focus(egui::FocusDirection::None));
    }
    let actions = shortcuts::pressed(ctx, keep_arrows, keep_space);
    if ctx.input(|i| i.pointer.any_click()) {
        return actions;
    }
    for action in actions {
        state.perform(action);
    }
    Vec::new()
}

/// Messages of menus and of what works in the background, above the timeline: there they cover pictures and plots, but
/// nothing to click.
fn program_notice(ctx: &egui::Context, state: &mut State) {
    if state.notices.at(Place::Program).is_none() {
        return;
    }
    egui::Area::new(egui::Id::unique("program notice"))
        .anchor(
            egui::Align2::CENTER_BOTTOM,
            egui::vec2(0.0, -(size::STATUS_BAR + size::TIMELINE + 3.0 * space::GAP)),
        )
        .order(egui::Order::Foreground)
        .show(ctx, |ui| {
            let palette = tokens::palette(ui);
            Frame::new()
                .fill(palette.panel)
                .corner_radius(egui::CornerRadius::same(size::RADIUS))
                .show(ui, |ui| {
                    ui.set_width(420.0);
                    widgets::notice(ui, &mut state.notices, Place::Program);
                });
        });
}

/// What dropping would do, while files hover over the window.
fn drop_veil(ctx: &egui::Context) {
    if ctx.input(|i| i.raw.hovered_files.is_empty()) {
        return;
    }
    let palette = if ctx.theme() == egui::Theme::Dark {
        &tokens::DARK
    } else {
        &tokens::LIGHT
    };
    let layer = egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop veil"));
    let painter = ctx.layer_painter(layer);
    let rect = ctx.content_rect();
    painter.rect_filled(rect, 0.0, palette.veil);
    let text = "Drop a checkpoint (.safetensors), a world or session (.ron), points (.csv), or a picture (.png, .jpg)";
    painter.text(
        rect.center(),
        egui::Align2::CENTER_CENTER,
        text,
        tokens::heading_font(),
        tokens::DARK.text_strong,
    );
}

impl eframe::App for App {
    fn ui(&mut self, ui: &mut Ui, frame: &mut eframe::Frame) {
        if let Some(secs) = frame.info().cpu_usage {
            self.frame_time_is_told = true;
            self.state.frame_ms = secs * 1e3;
        }
        self.show(ui);
        let trees = [&self.tree, &self.steering_tree, &self.training_tree];
        let state = &self.state;
        let window = || persist::window_text(state, trees);
        let autosave = self.autosave.as_mut();
        if let Some(left) = autosave.and_then(|to| to.tend(&state.session, window)) {
            // A window at rest does not paint: what was done last would not be kept.
            ui.ctx().request_repaint_after(left);
        }
    }

    fn auto_save_interval(&self) -> Duration {
        duration::AUTO_SAVE
    }

    fn save(&mut self, _: &mut dyn eframe::Storage) {
        let trees = [&self.tree, &self.steering_tree, &self.training_tree];
        if let Some(autosave) = &mut self.autosave {
            let window = persist::window_text(&self.state, trees);
            autosave.keep(&self.state.session, window);
        }
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }
}
