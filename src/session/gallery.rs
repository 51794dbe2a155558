//! The gallery as it is arranged.

use std::sync::Arc;

use super::images::{Images, KeptPicture};
use super::made::GalleryOrder;
use super::pictures::SheetCell;

impl Images {
    /// Which of the kept pictures the gallery shows, in its order.
    pub fn gallery(&self) -> Vec<usize> {
        arranged(&self.kept, self.gallery_order, self.stars_only)
    }

    /// Kept pictures as a contact sheet shows them; numbers that none has are left out.
    pub fn sheet_of_kept(&self, entries: &[usize]) -> Vec<SheetCell> {
        let kept = entries.iter().filter_map(|index| self.kept.get(*index));
        kept.map(|kept| SheetCell::of(kept)).collect()
    }
}

impl SheetCell {
    /// A kept picture with its label, time, noise and reward below it.
    pub fn of(kept: &KeptPicture) -> Self {
        Self {
            picture: kept.picture.clone(),
            caption: kept.caption(format!("{:.3}", kept.t)),
        }
    }
}

fn arranged(kept: &[Arc<KeptPicture>], order: GalleryOrder, stars_only: bool) -> Vec<usize> {
    let mut entries: Vec<usize> = (0..kept.len())
        .filter(|index| kept[*index].starred || !stars_only)
        .collect();
    // The newest first; what follows is stable.
    entries.reverse();
    match order {
        GalleryOrder::Newest => {}
        // Those that were not judged come last.
        GalleryOrder::Label => entries.sort_by_key(|index| {
            let label = &kept[*index].label;
            (label.is_none(), label.clone())
        }),
        GalleryOrder::Time => entries.sort_by(|a, b| kept[*a].t.total_cmp(&kept[*b].t)),
        GalleryOrder::Reward => {
            let reward = |index: &usize| kept[*index].reward.unwrap_or(f32::NEG_INFINITY);
            entries.sort_by(|a, b| reward(b).total_cmp(&reward(a)));
        }
        GalleryOrder::Seed => entries.sort_by_key(|index| (kept[*index].seed, kept[*index].item)),
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::StoredPicture;

    fn kept(label: Option<&str>, t: f64, seed: u64, item: u32, starred: bool) -> Arc<KeptPicture> {
        Arc::new(KeptPicture {
            // One pixel, black: the numbers are right.
            picture: StoredPicture::from_bytes(1, 1, &[0]).expect("a picture of one pixel"),
            label: label.map(str::to_owned),
            t,
            seed,
            item,
            starred,
            made: None,
            reward: Some(item as f32),
            by_batch: false,
        })
    }

    #[test]
    fn entries_stand_in_every_order_and_stars_alone() {
        let mut images = Images {
            kept: vec![
                kept(Some("9"), 0.5, 2, 7, true),
                kept(None, 0.1, 1, 9, false),
                kept(Some("4"), 0.9, 1, 3, true),
            ],
            ..Images::default()
        };
        for (order, expected) in [
            (GalleryOrder::Newest, [2, 1, 0]),
            (GalleryOrder::Label, [2, 0, 1]),
            (GalleryOrder::Time, [1, 0, 2]),
            (GalleryOrder::Reward, [1, 0, 2]),
            (GalleryOrder::Seed, [2, 1, 0]),
        ] {
            images.gallery_order = order;
            assert_eq!(images.gallery(), expected, "{order:?}");
        }
        images.stars_only = true;
        assert_eq!(images.gallery(), [2, 0]);
        let sheet = images.sheet_of_kept(&[1, 7]);
        assert_eq!(sheet.len(), 1, "there is no eighth");
        assert_eq!(sheet[0].caption[..2], ["not judged", "t 0.100"]);
    }
}
