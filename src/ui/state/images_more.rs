//! Groups, curves against `t`, pictures made again: what is asked of the engine about pictures beside the wall.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::{
    AgainAnswer, AgainRequest, Command, GroupsAnswer, GroupsRequest, ImageCurvesAnswer,
    ImageCurvesRequest, RequestId, Slot, WallAnswer, WallRequest,
};
use crate::lookahead::Source;
use crate::session::{
    CheckpointRef, KeptPicture, Likeness, Made, Middle, PictureSettings, StoredPicture, WallOrder,
};

use super::{Place, State, file_name};

/// Draws at each time of the curves: a few dozen tell how different they are.
const CURVE_DRAWS: u32 = 32;
/// Curves that are kept for when they are wanted again.
const KEPT_CURVES: usize = 24;

/// Groups of the wall, as they were last found.
#[derive(Default)]
pub struct Groups {
    /// The last answer; its groups hold while the wall moves.
    pub answer: Option<Arc<GroupsAnswer>>,
    pub(super) asked: Option<(Arc<WallAnswer>, Likeness)>,
}

/// Diversity against `t`, by what was asked.
#[derive(Default)]
pub struct Curves {
    /// The newest last.
    kept: Vec<Arc<ImageCurvesAnswer>>,
    pub(super) asked: Option<ImageCurvesRequest>,
    /// Cancelled by the person: not to be asked for again by itself.
    pub stopped: bool,
}

/// A picture made again, beside the one that was kept.
pub struct Again {
    /// The one that was kept.
    pub kept: StoredPicture,
    /// The same as it is now; `None` while it is made.
    pub now: Option<StoredPicture>,
    id: RequestId,
}

impl Again {
    /// Numbers that differ, and by how much at most, of 255.
    pub fn difference(&self) -> Option<(usize, u8)> {
        let (a, b) = (self.kept.bytes(), self.now.as_ref()?.bytes());
        let differ = a.iter().zip(&b).map(|(a, b)| a.abs_diff(*b));
        let most = differ.clone().max().unwrap_or(0);
        Some((differ.filter(|d| *d > 0).count(), most))
    }
}

/// An exported picture that was dropped on the window: what to do with it is asked.
pub struct Dropped {
    /// The file.
    pub path: PathBuf,
    /// What it says of itself.
    pub settings: PictureSettings,
    /// Whether the settings are shown.
    pub inspected: bool,
}

impl State {
    /// Groups of a whole wall, once it rests.
    pub(super) fn submit_groups(&mut self) {
        if self.session.images.order != WallOrder::Groups
            || self.session.images.middle != Middle::Wall
            || self.in_motion()
        {
            return;
        }
        let Some(wall) = self.whole_wall() else {
            return;
        };
        let likeness = self.session.images.likeness;
        if self.are_groups_asked(&wall) {
            return;
        }
        let request = GroupsRequest {
            wall: wall.clone(),
            likeness,
        };
        let id = self.engine.submit(Command::Groups(request));
        self.asks.note(Slot::Groups, id);
        self.images.groups.asked = Some((wall, likeness));
    }

    /// The wall that is shown, when all its draws are of now.
    fn whole_wall(&self) -> Option<Arc<WallAnswer>> {
        let wall = self.images.view.drawn.clone()?;
        let asked = self.images.asked.as_ref()?;
        (wall.complete && wall.request.same(asked)).then_some(wall)
    }

    fn are_groups_asked(&self, wall: &Arc<WallAnswer>) -> bool {
        let asked = self.images.groups.asked.as_ref();
        let likeness = self.session.images.likeness;
        asked.is_some_and(|(of, by)| *by == likeness && Arc::ptr_eq(of, wall))
    }

    pub(super) fn take_groups(&mut self, id: RequestId, answer: Arc<GroupsAnswer>) {
        self.answered(Slot::Groups, id);
        self.images.groups.answer = Some(answer);
    }

    /// The lookaheads whose curves are shown: the chosen one first.
    pub fn curve_sources(&self) -> Vec<Source> {
        let images = &self.session.images;
        let mut sources = vec![images.source];
        for source in &images.beside {
            if !sources.contains(source) {
                sources.push(*source);
            }
        }
        sources
    }

    fn wanted_image_curves(&self, source: Source) -> Option<ImageCurvesRequest> {
        let model = self.images.model.clone()?;
        let mut wall = WallRequest::of(model, &self.session.images, CURVE_DRAWS);
        wall.source = source;
        // Curves are of all times.
        wall.t = 0.0;
        Some(ImageCurvesRequest { wall })
    }

    /// Curves of a lookahead, as far as they are there.
    pub fn image_curves(&self, source: Source) -> Option<&Arc<ImageCurvesAnswer>> {
        let wanted = self.wanted_image_curves(source)?;
        let kept = self.images.curves.kept.iter().rev();
        kept.into_iter().find(|answer| answer.request.same(&wanted))
    }

    /// The next curves that are not all there.
    fn missing_curves(&self) -> Option<ImageCurvesRequest> {
        self.curve_sources().into_iter().find_map(|source| {
            let there = self.image_curves(source).is_some_and(|a| a.complete);
            (!there).then(|| self.wanted_image_curves(source))?
        })
    }

    pub(super) fn submit_image_curves(&mut self) {
        let shown = self.session.images.middle == Middle::Diversity;
        let missing = self.missing_curves().filter(|_| shown);
        let asked = &self.images.curves.asked;
        let same = |a: &ImageCurvesRequest| missing.as_ref().is_some_and(|m| m.same(a));
        if asked.as_ref().is_some_and(same) {
            return;
        }
        if self.asks.is_waiting(Slot::ImageCurves) {
            self.engine.cancel(Slot::ImageCurves);
            self.asks.close(Slot::ImageCurves);
        }
        self.images.curves.asked = None;
        let Some(missing) = missing else {
            return;
        };
        // Other curves than those that were cancelled are computed by themselves.
        self.images.curves.stopped = false;
        if self.in_motion() {
            return;
        }
        let id = self.engine.submit(Command::ImageCurves(missing.clone()));
        self.asks.note(Slot::ImageCurves, id);
        self.images.curves.asked = Some(missing);
    }

    /// Computes cancelled curves after all.
    pub fn ask_image_curves_again(&mut self) {
        self.images.curves.asked = None;
        self.images.curves.stopped = false;
    }

    pub(super) fn take_image_curves(&mut self, id: RequestId, answer: Arc<ImageCurvesAnswer>) {
        if answer.complete {
            self.answered(Slot::ImageCurves, id);
        }
        let kept = &mut self.images.curves.kept;
        kept.retain(|old| !old.request.same(&answer.request));
        if kept.len() >= KEPT_CURVES {
            kept.remove(0);
        }
        kept.push(answer);
    }

    /// Whether groups and curves that are shown were asked for.
    pub(super) fn images_more_is_asked(&self) -> bool {
        let images = &self.session.images;
        match images.middle {
            Middle::Wall if images.order == WallOrder::Groups => {
                let wall = self.whole_wall();
                wall.is_none_or(|wall| self.are_groups_asked(&wall))
            }
            Middle::Diversity => self.images.curves.stopped || self.missing_curves().is_none(),
            _ => true,
        }
    }

    /// Makes an entry of the gallery again, to be compared with what is kept.
    pub fn make_again(&mut self, index: usize) {
        let Some(kept) = self.session.images.kept.get(index).cloned() else {
            return;
        };
        let Some(made) = kept.made.clone() else {
            let text = "An older version kept this picture without what makes it again";
            self.notices.error(Place::Images, text);
            return;
        };
        let model = self.images.model.clone();
        let model = model.filter(|model| model.hash == made.hash());
        let Some(model) = model else {
            self.notices.error(Place::Images, other_map(&made));
            return;
        };
        let request = AgainRequest {
            model,
            made,
            files: self.scorer_files(),
        };
        let id = self.engine.submit(Command::Again(request));
        self.asks.note(Slot::Again, id);
        self.images.again = Some(Again {
            kept: kept.picture.clone(),
            now: None,
            id,
        });
    }

    pub(super) fn take_again(&mut self, id: RequestId, answer: &AgainAnswer) {
        self.answered(Slot::Again, id);
        if let Some(again) = self.images.again.as_mut().filter(|again| again.id == id) {
            again.now = Some(answer.picture.clone());
        }
    }

    /// Lets the wall or the Studio show an entry of the gallery with its own settings.
    pub fn restore_kept(&mut self, index: usize) {
        let Some(kept) = self.session.images.kept.get(index).cloned() else {
            return;
        };
        if let Some(made) = kept.made.clone() {
            self.restore(made, None);
        } else {
            let text = "An older version kept this picture without its settings";
            self.notices.error(Place::Images, text);
        }
    }

    /// Lets the wall or the Studio show what makes a picture. The map is the one in use if it is the same, else a file of its name
    /// that is known, or that lies in `folder`.
    pub fn restore(&mut self, mut made: Made, folder: Option<&Path>) {
        let in_use = self.images.model.as_ref();
        if in_use.is_some_and(|model| model.hash == made.hash()) {
            *made.checkpoint_mut() = self.session.images.checkpoint.clone();
        } else if let CheckpointRef::File(path) = made.checkpoint_mut()
            && !path.exists()
        {
            let name = file_name(path);
            let known = self.recent.iter().map(Path::to_owned);
            let beside = folder.map(|folder| folder.join(&name));
            let found = known
                .filter(|known| file_name(known) == name)
                .chain(beside)
                .find(|known| known.exists());
            let Some(found) = found else {
                let text = other_map(&made);
                self.notices.error(Place::Images, text);
                return;
            };
            *path = found;
        }
        self.remember_all();
        made.restore(&mut self.session.images);
        if let Some(recipe) = made.steered() {
            self.run_restored(recipe);
        }
        self.images.expected = Some(made.hash().to_owned());
        self.check_expected();
    }

    /// Says so where a map was opened for a picture that another one made.
    pub(super) fn check_expected(&mut self) {
        let Some(model) = &self.images.model else {
            return;
        };
        if model.named() != self.session.images.checkpoint {
            return;
        }
        if let Some(expected) = self.images.expected.take()
            && expected != model.hash
        {
            let text = format!(
                "{} is another map than the one that made this picture (sha256 {}…): it will differ",
                model.name,
                expected.get(..6).unwrap_or(&expected)
            );
            self.notices.error(Place::Images, text);
        }
    }

    /// What a PNG file says of itself was read.
    pub(super) fn settings_read(
        &mut self,
        path: PathBuf,
        result: Result<Option<PictureSettings>, String>,
    ) {
        match result {
            Ok(None) => self.open_picture(path),
            Ok(Some(settings)) => {
                self.show_workspace(crate::session::Workspace::Images);
                self.images.dropped = Some(Dropped {
                    path,
                    settings,
                    inspected: false,
                });
            }
            Err(message) => {
                self.show_workspace(crate::session::Workspace::Images);
                self.notices.error(Place::Images, message);
            }
        }
    }

    /// Lets the wall or the Studio show what made the picture that was dropped.
    pub fn restore_dropped(&mut self) {
        if let Some(dropped) = self.images.dropped.take() {
            self.restore(dropped.settings.made, dropped.path.parent());
        }
    }

    /// Noises the picture that was dropped, whatever it says of itself.
    pub fn noise_dropped(&mut self) {
        if let Some(dropped) = self.images.dropped.take() {
            self.open_picture(dropped.path);
        }
    }

    /// Chooses draw `item` to compare the others with, or none if it is chosen already.
    pub fn compare_with(&mut self, item: u32) {
        let picture = self.picture_of(item);
        let images = &mut self.session.images;
        images.compare = if images.compare == picture {
            None
        } else {
            picture
        };
    }

    /// The entry of the gallery that is selected, if it is there. What the gallery does not show is nothing that a key
    /// may remove.
    pub fn gallery_entry(&self) -> Option<(usize, &KeptPicture)> {
        let index = self.images.gallery_selected?;
        let kept = self.session.images.kept.get(index)?;
        let is_shown = kept.starred || !self.session.images.stars_only;
        is_shown.then_some((index, kept.as_ref()))
    }
}

fn other_map(made: &Made) -> String {
    let name = match made.checkpoint() {
        CheckpointRef::Shipped => "the map that an earlier version shipped".to_owned(),
        CheckpointRef::File(path) => file_name(path),
    };
    let hash = made.hash();
    format!(
        "This picture was made by {name} (sha256 {}…), which is not open: open that map first",
        hash.get(..6).unwrap_or(hash)
    )
}
