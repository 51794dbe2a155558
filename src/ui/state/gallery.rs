//! What was made and kept: stars, branches, and making a picture again.

use std::sync::Arc;

use crate::session::{DrawRecipe, KeptPicture, Made, Middle, StoredPicture};

use super::{Place, State};

impl State {
    /// Takes draw `item` of the wall as the picture that is noised; the draw stays in the gallery.
    pub fn branch_from(&mut self, item: u32) {
        let Some(kept) = self.draw_of(item, false) else {
            return;
        };
        let from = format!("draw {item} at t = {:.3}", kept.t);
        let picture = kept.picture.clone();
        self.take_picture(picture, from);
        // Of the same step of undo: the branch and its draw go together.
        self.add_to_gallery(kept);
    }

    /// Draw `item` as it is on the wall, rounded to 8 bits.
    pub fn picture_of(&self, item: u32) -> Option<StoredPicture> {
        let view = &self.images.view;
        let tile = view.tiles.get(item as usize)?;
        let [c, h, _] = view.shape();
        StoredPicture::from_bytes(c as u32, h as u32, &tile.pixels)
    }

    /// Draw `item` with what makes it again.
    pub fn draw_of(&self, item: u32, starred: bool) -> Option<KeptPicture> {
        let picture = self.picture_of(item)?;
        let tile = self.images.view.tiles.get(item as usize)?;
        let label = tile.likeliest();
        let label = label.map(|(class, _)| self.images.class_name(class));
        // A tile of before is not what the settings of now make.
        let made = self.images.model.as_ref().filter(|_| tile.fresh);
        let images = &self.session.images;
        let recipe = made.map(|model| DrawRecipe::of(images, model.hash.clone(), item));
        Some(KeptPicture {
            picture,
            label,
            t: images.t,
            seed: images.seed,
            item,
            starred,
            made: recipe.map(|recipe| Made::Draw(Box::new(recipe))),
            reward: tile.reward,
            by_batch: false,
        })
    }

    /// Adds a picture that a person did something with, unless it is there or there is no room.
    pub fn add_to_gallery(&mut self, kept: KeptPicture) {
        let images = &mut self.session.images;
        let same = |other: &Arc<KeptPicture>| {
            other.item == kept.item && other.seed == kept.seed && other.picture == kept.picture
        };
        if images.kept.iter().any(same) {
            return;
        }
        if !images.has_room_for(&kept) {
            // What nobody starred makes room for what is newer.
            if let Some(oldest) = images.kept.iter().position(|k| !k.starred) {
                images.kept.remove(oldest);
            }
        }
        if images.has_room_for(&kept) {
            images.kept.push(Arc::new(kept));
        }
    }

    /// The entry of the gallery that is draw `item` of the wall.
    pub fn kept_index(&self, item: u32) -> Option<usize> {
        let tile = self.images.view.tiles.get(item as usize)?;
        let kept = &self.session.images.kept;
        kept.iter()
            .position(|k| k.item == item && k.picture.bytes() == tile.pixels)
    }

    /// Whether draw `item` has a star.
    pub fn is_starred(&self, item: u32) -> bool {
        let index = self.kept_index(item);
        index.is_some_and(|index| self.session.images.kept[index].starred)
    }

    /// Stars what is selected, on the wall or in the gallery.
    pub(super) fn keep_selected(&mut self) {
        match (self.session.images.middle, self.session.images.selected) {
            (Middle::Gallery, _) => {
                if let Some((index, _)) = self.gallery_entry() {
                    self.star_kept(index);
                }
            }
            (_, Some(item)) => self.keep_or_drop(item),
            (_, None) => {}
        }
    }

    /// Goes on from what is selected.
    pub(super) fn branch_from_selected(&mut self) {
        match (self.session.images.middle, self.session.images.selected) {
            (Middle::Gallery, _) => {
                if let Some((index, _)) = self.gallery_entry() {
                    self.branch_from_kept(index);
                }
            }
            (_, Some(item)) => self.branch_from(item),
            (_, None) => {}
        }
    }

    /// Removes what is selected from the gallery.
    pub(super) fn drop_selected(&mut self) {
        if let Some((index, _)) = self.gallery_entry() {
            self.drop_kept(index);
        }
    }

    /// Stars a draw, or puts a starred one away.
    pub fn keep_or_drop(&mut self, item: u32) {
        if let Some(index) = self.kept_index(item) {
            if self.session.images.kept[index].starred {
                self.drop_kept(index);
            } else {
                self.star_kept(index);
            }
            return;
        }
        if let Some(kept) = self.draw_of(item, true) {
            self.keep_new(kept);
        }
    }

    /// Keeps a picture that is not there yet.
    pub(super) fn keep_new(&mut self, kept: KeptPicture) {
        if !self.session.images.has_room_for(&kept) {
            let text = "No more pictures can be kept: put some away first";
            self.notices.error(Place::Images, text);
            return;
        }
        self.remember_world();
        self.session.images.kept.push(Arc::new(kept));
    }

    /// Gives an entry of the gallery its star, or takes it.
    pub fn star_kept(&mut self, index: usize) {
        if index >= self.session.images.kept.len() {
            return;
        }
        self.remember_world();
        Arc::make_mut(&mut self.session.images.kept[index]).starred ^= true;
    }

    /// Removes an entry of the gallery.
    pub fn drop_kept(&mut self, index: usize) {
        if index >= self.session.images.kept.len() {
            return;
        }
        self.remember_world();
        // Of what is shown the next one takes its place in the selection; after the last, the one before.
        let shown = self.session.images.gallery();
        let place = shown.iter().position(|other| *other == index);
        let beside =
            place.and_then(|place| shown.get(place + 1).or(shown.get(place.wrapping_sub(1))));
        let selected = self.images.gallery_selected.take();
        let selected = selected.and_then(|s| if s == index { beside.copied() } else { Some(s) });
        self.session.images.kept.remove(index);
        self.images.gallery_selected = selected.map(|s| if s > index { s - 1 } else { s });
    }

    /// Takes an entry of the gallery as the picture that is noised.
    pub fn branch_from_kept(&mut self, index: usize) {
        let Some(kept) = self.session.images.kept.get(index) else {
            return;
        };
        let from = match &kept.made {
            Some(Made::Steered(recipe)) => {
                let seed = recipe.settings.plan.seed;
                format!("a steered picture, seed {seed}")
            }
            _ => format!("kept draw {} of t = {:.3}", kept.item, kept.t),
        };
        let picture = kept.picture.clone();
        self.take_picture(picture, from);
        self.session.images.middle = Middle::Wall;
    }
}
