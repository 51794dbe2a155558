//! Steered pictures that are kept: what makes each again, their stars, and their ways to files.

use crate::engine::{PicturesExport, Slot, SteeringFilm};
use crate::session::{KeptPicture, Rewarding, SheetCell, SteeredRecipe, StudioNode};
use crate::steer::Method;

use super::images_export::ExportKind;
use super::{Place, State};

impl State {
    /// A picture of the Studio, as it is at the clock, with what makes it again.
    pub fn steered_picture(&self, row: usize, particle: usize) -> Option<KeptPicture> {
        let answer = self.images.studio.answer.as_ref()?;
        let t = self.session.images.studio.t;
        answer.picture(self.started_or_set(), (row, particle), t)
    }

    /// Whether what is seen of a row at the clock is a picture to keep; else a notice says why it is not.
    pub(super) fn is_picture_of_studio(&mut self, row: usize) -> bool {
        let goes_on = self.is_waiting(Slot::Studio);
        let t = self.session.images.studio.t;
        let answer = self.images.studio.answer.as_ref();
        let unkept = answer.and_then(|answer| answer.is_to_keep(row, t, goes_on).err());
        if let Some(why) = unkept {
            self.notices.note(Place::Images, why.text());
        }
        unkept.is_none()
    }

    /// Rows and particles of the pictures that are shown and have a star.
    pub fn starred_cells(&self) -> Vec<(usize, usize)> {
        let Some(answer) = &self.images.studio.answer else {
            return Vec::new();
        };
        let request = &answer.request;
        let (rewarding, settings) = self.started_or_set();
        let kept = self.session.images.kept.iter().filter(|kept| kept.starred);
        let recipes: Vec<&SteeredRecipe> = kept
            .filter_map(|kept| kept.made.as_ref()?.steered())
            .collect();
        let mut cells = Vec::new();
        for (row, panel) in request.panels.iter().enumerate() {
            let Some((_, frame)) = self.studio_frame(row) else {
                continue;
            };
            for (particle, number) in request.particles.clone().enumerate() {
                let is_this = |recipe: &&&SteeredRecipe| {
                    recipe.is_of(
                        &request.model.hash,
                        (&panel.plan, &settings.start),
                        (&panel.reward, &rewarding.references),
                        (number, frame.t),
                    )
                };
                if recipes.iter().any(|recipe| is_this(&recipe)) {
                    cells.push((row, particle));
                }
            }
        }
        cells
    }

    /// Stars a picture of the Studio, or puts a starred one away. What is no picture yet is refused with a notice.
    pub fn keep_steered(&mut self, row: usize, particle: usize) {
        let Some(mut kept) = self.steered_picture(row, particle) else {
            // Before the first step there is nothing to keep either.
            self.is_picture_of_studio(row);
            return;
        };
        kept.starred = true;
        let same = self
            .session
            .images
            .kept
            .iter()
            .position(|k| k.made == kept.made);
        match same {
            Some(index) if self.session.images.kept[index].starred => self.drop_kept(index),
            _ if !self.is_picture_of_studio(row) => {}
            Some(index) => self.star_kept(index),
            None => self.keep_new(kept),
        }
    }

    /// Asks where to write the selected picture of the Studio. It stays in the gallery.
    pub fn export_steered(&mut self) {
        let selected = self.studio_selected();
        if selected.is_some_and(|(row, _)| !self.is_picture_of_studio(row)) {
            return;
        }
        let kept = selected.and_then(|(row, of)| self.steered_picture(row, of));
        let Some(kept) = kept else {
            let text = "Select a picture of the Studio first";
            self.notices.error(Place::Images, text);
            return;
        };
        self.add_to_gallery(kept.clone());
        self.export_picture(kept);
    }

    /// Asks where to write all pictures of the Studio as a contact sheet.
    pub fn export_studio_sheet(&mut self) {
        let titles = self.row_titles();
        if !(0..titles.len()).all(|row| self.is_picture_of_studio(row)) {
            return;
        }
        let answer = self.images.studio.answer.as_ref();
        let across = answer.map_or(0, |answer| answer.request.particles.len());
        let cells: Vec<SheetCell> = titles
            .iter()
            .enumerate()
            .flat_map(|(row, title)| (0..across).map(move |of| (row, of, title)))
            .filter_map(|(row, of, title)| {
                let kept = self.steered_picture(row, of)?;
                let mut cell = SheetCell::of(&kept);
                cell.caption.insert(0, title.clone());
                Some(cell)
            })
            .collect();
        let what = PicturesExport::Sheet(cells);
        self.ask_where(what, ExportKind::Sheet, "studio.png".into());
    }

    /// Asks where to write the runs step by step: all of them, or the selected picture beside its base.
    pub fn export_steering(&mut self, selected: bool) {
        let cell = self.studio_selected().filter(|_| selected);
        let titles = self.row_titles();
        let states = self.session.images.studio.states;
        if let Some(answer) = &self.images.studio.answer {
            let film = SteeringFilm::of(answer, &titles, cell, states);
            let what = PicturesExport::Steering(film);
            self.ask_where(what, ExportKind::Scrub, "steering.gif".into());
        }
    }

    fn row_titles(&self) -> Vec<String> {
        let rows = self.shown_rows();
        rows.into_iter().map(|row| row.title).collect()
    }

    /// The run of a picture that is brought back is one of the lineage, and its pictures are made.
    pub(super) fn run_restored(&mut self, recipe: &SteeredRecipe) {
        let same = |node: &StudioNode| {
            node.settings == recipe.settings && node.rewarding == recipe.rewarding
        };
        let studio = &mut self.session.images.studio;
        let known = studio.lineage.iter().position(|node| same(node));
        let node = known.map_or_else(
            || {
                studio.add(StudioNode {
                    parent: None,
                    settings: recipe.settings.clone(),
                    rewarding: recipe.rewarding.clone(),
                    map: recipe.hash.clone(),
                    thumbnail: None,
                })
            },
            |at| at as u32,
        );
        studio.node = Some(node);
        self.run_studio();
    }

    /// What makes the first picture of the settings as they are, where they can be started.
    pub(super) fn recipe_as_set(&self) -> Option<SteeredRecipe> {
        let model = self.images.model.as_ref()?;
        let images = &self.session.images;
        let Rewarding { reward, references } = &images.rewarding;
        let settings = &images.studio.settings;
        if reward.is_empty() && settings.plan.method != Method::Base {
            return None;
        }
        Some(SteeredRecipe::new(
            (model.named(), model.hash.clone()),
            (&settings.plan, &settings.start),
            (reward, references),
            (settings.first, 1.0),
        ))
    }
}
