//! The map of pictures in use, the wall as it came back, and what a person does with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::{Command, LoadedImages, OpenImages, RequestId, Slot, WallRequest};
use crate::lookahead::Source;
use crate::session::{
    CheckpointRef, DecoderFiles, Images, Middle, Picture, StoredPicture, Workspace,
};
use crate::ui::images::{Brush, MaskBrush, View, Zoom};
use crate::ui::shortcuts::Action;

use super::images_export::Exports;
use super::images_more::{Again, Curves, Dropped, Groups};
use super::{Place, State, file_name, same_kind};

/// The lookaheads in the order of the list, with their usual step counts: each step is a call of a large network.
pub const IMAGE_SOURCES: [Source; 4] = [
    Source::OneStep,
    Source::KStep(4),
    Source::Glass(8),
    Source::Sde(32),
];

/// Jumps of a generation whose state is taken as `x_t`.
const RUNNING_STEPS: u32 = 8;

/// A map, and what decodes it.
pub(super) type WantedMap = (CheckpointRef, DecoderFiles);

/// What the Images workspace knows beside the session.
#[derive(Default)]
pub struct ImagesState {
    /// The map in use.
    pub model: Option<Arc<LoadedImages>>,
    /// The last wall, as it is shown.
    pub view: View,
    /// The brush, while the clean picture is painted on.
    pub brush: Option<Brush>,
    /// The brush, while the mask of a reward is painted.
    pub mask: Option<MaskBrush>,
    /// Groups of similar pictures.
    pub groups: Groups,
    /// Diversity against `t`.
    pub curves: Curves,
    /// A picture made again.
    pub again: Option<Again>,
    /// The entry of the gallery that is selected.
    pub gallery_selected: Option<usize>,
    /// An exported picture that was dropped on the window.
    pub dropped: Option<Dropped>,
    /// What is to be written, and how.
    pub exports: Exports,
    /// The hash of the map that a restored picture was made by.
    pub(super) expected: Option<String>,
    /// Steered pictures.
    pub studio: super::studio::StudioState,
    /// The queue of steered pictures.
    pub batch: super::batch::BatchState,
    /// The map on its way.
    loading: Option<(WantedMap, RequestId)>,
    /// What could not be opened: not to be asked for again and again.
    refused: Option<WantedMap>,
    /// What decoded the last map of latents, for the next one.
    pub(super) last_decoders: DecoderFiles,
    /// The last wall that was asked for.
    pub(super) asked: Option<WallRequest>,
    /// Draws a second, by source.
    pub(super) pace: Option<(Source, f64)>,
}

impl ImagesState {
    /// Whether a map is on its way.
    pub fn is_loading(&self) -> bool {
        self.loading.is_some()
    }

    /// What was refused may be asked for again.
    pub(super) fn forget_refused(&mut self) {
        self.refused = None;
    }

    /// The map on its way, in words.
    pub fn loading_label(&self) -> Option<String> {
        self.loading.as_ref().map(|((map, _), _)| match map {
            CheckpointRef::Shipped => "loading the shipped map".to_owned(),
            CheckpointRef::File(path) => format!("reading {}", file_name(path)),
        })
    }

    /// Whether learned draws that are told no class begin with one.
    pub fn draws_classes_first(&self) -> bool {
        let model = self.model.as_ref();
        model.is_some_and(|model| model.map.state_classifier().is_some())
    }

    /// The name of a class of the map in use; its number where it has none.
    pub fn class_name(&self, class: usize) -> String {
        let model = self.model.as_ref();
        model.map_or_else(|| class.to_string(), |model| model.class_name(class))
    }
}

impl State {
    /// Whether the wall of pictures is shown.
    pub fn is_images(&self) -> bool {
        self.session.workspace == Workspace::Images
    }

    /// What a key stands for here; `false` where it means the same everywhere.
    pub(super) fn perform_images(&mut self, action: Action) -> bool {
        if self.is_studio() {
            return self.perform_in_studio(action);
        }
        let images = &mut self.session.images;
        match action {
            Action::Redraw => images.seed = images.seed.wrapping_add(1),
            Action::DrawStyle => images.smooth ^= true,
            Action::Source(index) => {
                let usual = IMAGE_SOURCES.get(index).copied();
                if let Some(usual) = usual.filter(|usual| !same_kind(*usual, images.source)) {
                    images.source = usual;
                }
            }
            Action::Keep => self.keep_selected(),
            Action::Branch => self.branch_from_selected(),
            Action::DeleteMode if images.middle == Middle::Gallery => self.drop_selected(),
            Action::Fit => self.images.view.zoom = Zoom::default(),
            // These are of the other workspaces.
            Action::Contours
            | Action::Velocity
            | Action::Overlay
            | Action::Edit
            | Action::DeleteMode
            | Action::RewardStyle
            | Action::Trails
            | Action::Futures => {}
            _ => return false,
        }
        true
    }

    /// Opens the map that the session names, unless it is in use, on its way, or was refused.
    pub(super) fn load_wanted_images(&mut self) {
        let images = &self.session.images;
        let wanted = (images.checkpoint.clone(), images.decoders.clone());
        if self.images_in_use().as_ref() == Some(&wanted)
            || self.images.refused.as_ref() == Some(&wanted)
            || self.images.loading.as_ref().is_some_and(|l| l.0 == wanted)
        {
            return;
        }
        let path = match &wanted.0 {
            CheckpointRef::Shipped => None,
            CheckpointRef::File(path) => Some(path.as_path()),
        };
        let id = self.engine.submit(Command::OpenImages(OpenImages {
            decoders: wanted.1.clone(),
            open: self.images.model.clone(),
            ..OpenImages::of(path)
        }));
        self.asks.note(Slot::OpenImages, id);
        self.images.loading = Some((wanted, id));
    }

    pub(super) fn images_in_use(&self) -> Option<WantedMap> {
        let model = self.images.model.as_ref()?;
        Some((model.named(), model.decoders.clone()))
    }

    pub(super) fn images_opened(&mut self, id: RequestId, slot: Slot, model: Arc<LoadedImages>) {
        self.answered(slot, id);
        if slot == Slot::Open {
            // Opened by hand, as any file.
            let Some(path) = self.take_opening(id) else {
                return;
            };
            self.recent.touch(&path);
            self.session.images.checkpoint = CheckpointRef::File(path);
            self.show_workspace(Workspace::Images);
            if model.view.is_latent() {
                // Each is decoded, and large: a wall of a few is there soon.
                self.set_wall_draws(Images::MIN_DRAWS);
            }
        } else if self.images.loading.take_if(|l| l.1 == id).is_none() {
            return;
        }
        self.notices.clear(Place::Images);
        self.images.loading = None;
        self.images.refused = None;
        // What the map cannot do is no edit of a person.
        self.keep_edits();
        self.decode_as_before(&model);
        self.fit_images_to(&model);
        if let Some(trouble) = &model.trouble {
            self.notices.error(Place::Images, trouble.clone());
        }
        self.images.model = Some(model);
        self.images.view = View::default();
        self.images.groups = Groups::default();
        self.check_expected();
        self.reset_studio();
        self.forget_edits();
    }

    /// Takes back what the map cannot do.
    fn fit_images_to(&mut self, model: &LoadedImages) {
        let images = &mut self.session.images;
        let classes = model.map.config().label_dim as u32;
        images.class = images.class.filter(|class| *class < classes);
        if !model.guidance_scales().contains(&images.guidance) {
            images.guidance = 1.0;
        }
        if !model.map.has_jumps() && images.source.needs_model() {
            images.source = Source::Glass(8);
        }
        if let Picture::Stored { picture, .. } = &images.picture
            && !picture.fits(model.shape())
        {
            images.picture = Picture::Generated { seed: 1 };
        }
    }

    pub(super) fn images_refused(&mut self, id: RequestId, message: String) {
        let Some((map, _)) = self.images.loading.take_if(|l| l.1 == id) else {
            return;
        };
        if let CheckpointRef::File(path) = &map.0
            && !path.exists()
        {
            self.recent.forget(path);
        }
        self.images.refused = Some(map);
        self.notices.error(Place::Images, message);
    }

    /// The shipped map again.
    pub fn use_shipped_images(&mut self) {
        self.session.images.checkpoint = CheckpointRef::Shipped;
        self.images.refused = None;
        self.notices.clear(Place::Images);
    }

    /// Chooses the class of a generated picture.
    pub fn choose_class(&mut self, class: Option<u32>) {
        if self.session.images.class == class {
            return;
        }
        self.remember_world();
        self.session.images.class = class;
        if class.is_none() {
            self.session.images.tell_class = false;
        }
    }

    /// Another picture of the class, made by the map; the noise in `x_t` stays.
    pub fn another_picture(&mut self) {
        self.remember_world();
        let images = &mut self.session.images;
        images.picture = match images.picture {
            Picture::Generated { seed } => Picture::Generated {
                seed: seed.wrapping_add(1),
            },
            Picture::Running { seed, steps } => Picture::Running {
                seed: seed.wrapping_add(1),
                steps,
            },
            Picture::Stored { .. } => Picture::Generated { seed: 1 },
        };
    }

    /// Takes the state of the map's own generation as `x_t`, or noises a generated picture again.
    pub fn run_or_noise(&mut self) {
        self.remember_world();
        let images = &mut self.session.images;
        images.picture = match images.picture {
            Picture::Generated { seed } => Picture::Running {
                seed,
                steps: RUNNING_STEPS,
            },
            Picture::Running { seed, .. } => Picture::Generated { seed },
            Picture::Stored { .. } => Picture::Running {
                seed: 1,
                steps: RUNNING_STEPS,
            },
        };
    }

    /// The picture behind `x_t`, `[C][H][W]`, 0 black; empty where it is not known yet.
    pub fn clean_bytes(&self) -> Vec<u8> {
        match &self.session.images.picture {
            Picture::Stored { picture, .. } => picture.bytes(),
            Picture::Generated { .. } | Picture::Running { .. } => self.images.view.clean_bytes(),
        }
    }

    /// A picture from elsewhere, to be noised.
    pub fn take_picture(&mut self, picture: StoredPicture, from: String) {
        self.remember_world();
        self.session.images.picture = Picture::Stored { picture, from };
        self.session.images.selected = None;
    }

    /// Reads a picture file for the map in use.
    pub(super) fn open_picture(&mut self, path: PathBuf) {
        let Some(model) = &self.images.model else {
            let text = format!(
                "{}: a picture needs a map of pictures. Open one first, in the Images workspace",
                path.display()
            );
            self.notices.error(Place::Program, text);
            return;
        };
        let [c, h, _] = model.shape();
        self.errands.read_picture(path, c as u32, h as u32);
    }

    pub(super) fn picture_read(&mut self, path: &Path, result: Result<StoredPicture, String>) {
        match result {
            Ok(picture) => {
                self.notices.clear(Place::Images);
                self.show_workspace(Workspace::Images);
                self.take_picture(picture, file_name(path));
            }
            Err(message) => {
                self.show_workspace(Workspace::Images);
                self.notices.error(Place::Images, message);
            }
        }
    }

    /// Sets how many pictures are on the wall.
    pub fn set_wall_draws(&mut self, draws: u32) {
        self.session.images.draws = draws.clamp(Images::MIN_DRAWS, Images::MAX_DRAWS);
    }
}
