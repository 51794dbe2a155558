//! Where the tiles of the wall go: as large as the space allows.

use eframe::egui::{Rect, pos2, vec2};

use crate::metrics::Clusters;
use crate::session::WallOrder;

use super::view::Tile;

/// Left of each group, for its name and share.
pub const GUTTER: f32 = 92.0;
/// Tiles are no larger: a wall of few would be all pixels.
const MOST_SIDE: f32 = 220.0;
/// Tiles are no smaller, even where not all fit.
const LEAST_SIDE: f32 = 8.0;

/// Tiles that stand together.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Their class; `None` for all, or for those that were not judged.
    pub class: Option<usize>,
    /// Their cluster, where they stand together because they are alike.
    pub cluster: Option<usize>,
    /// Which tiles, in their order.
    pub items: Vec<usize>,
}

impl Group {
    fn of(class: Option<usize>, items: Vec<usize>) -> Self {
        Self {
            class,
            cluster: None,
            items,
        }
    }
}

/// The tiles by clusters, the largest first. Tiles that came later stand at the end, on their own.
pub fn clustered(count: usize, clusters: &Clusters) -> Vec<Group> {
    let mut groups: Vec<Group> = (0..clusters.count)
        .map(|cluster| {
            let members = clusters.of.iter().enumerate().take(count);
            let items = members
                .filter(|(_, of)| **of == cluster)
                .map(|(item, _)| item);
            Group {
                cluster: Some(cluster),
                ..Group::of(None, items.collect())
            }
        })
        .collect();
    groups.push(Group::of(None, (clusters.of.len()..count).collect()));
    groups.retain(|group| !group.items.is_empty());
    groups
}

/// The tiles in the order of the wall.
pub fn groups(tiles: &[Tile], order: WallOrder) -> Vec<Group> {
    let mut items: Vec<usize> = (0..tiles.len()).collect();
    let judged = tiles.iter().any(|tile| !tile.probabilities.is_empty());
    match order {
        WallOrder::Confidence if judged => {
            let sure = |item: &usize| tiles[*item].likeliest().map_or(-1.0, |(_, p)| p);
            items.sort_by(|a, b| sure(b).total_cmp(&sure(a)));
        }
        WallOrder::Reward => {
            let reward = |item: &usize| tiles[*item].reward.unwrap_or(f32::NEG_INFINITY);
            items.sort_by(|a, b| reward(b).total_cmp(&reward(a)));
        }
        WallOrder::Label if judged => return by_label(tiles),
        _ => {}
    }
    vec![Group::of(None, items)]
}

/// The most frequent class first; equal ones by their number.
fn by_label(tiles: &[Tile]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (item, tile) in tiles.iter().enumerate() {
        let class = tile.likeliest().map(|(class, _)| class);
        match groups.iter_mut().find(|group| group.class == class) {
            Some(group) => group.items.push(item),
            None => groups.push(Group::of(class, vec![item])),
        }
    }
    groups.sort_by_key(|g| (g.class.is_none(), std::cmp::Reverse(g.items.len()), g.class));
    groups
}

/// Where everything is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arranged {
    /// Tiles in the order of the wall.
    pub cells: Vec<(usize, Rect)>,
    /// The gutter beside each group, where there are several kinds.
    pub labels: Vec<Rect>,
    /// Tiles of a full row.
    pub columns: usize,
    /// Height and width of a tile.
    pub side: f32,
}

impl Arranged {
    /// The tile under a point.
    pub fn at(&self, point: eframe::egui::Pos2) -> Option<usize> {
        let cell = self.cells.iter().find(|(_, rect)| rect.contains(point))?;
        Some(cell.0)
    }

    /// Where a tile is.
    pub fn rect(&self, item: usize) -> Option<Rect> {
        let cell = self.cells.iter().find(|(other, _)| *other == item)?;
        Some(cell.1)
    }

    /// The tile so many columns and rows away, or the nearest there is in that direction.
    pub fn beside(&self, item: usize, across: i32, down: i32) -> Option<usize> {
        let here = self.cells.iter().position(|(other, _)| *other == item)?;
        if down == 0 {
            let to = here.saturating_add_signed(across as isize);
            return self.cells.get(to.min(self.cells.len() - 1)).map(|c| c.0);
        }
        let middle = self.cells[here].1.center();
        let rows = |rect: &Rect| (rect.center().y - middle.y) * down.signum() as f32;
        self.cells
            .iter()
            .filter(|(_, rect)| rows(rect) > self.side / 2.0)
            .min_by(|a, b| {
                let far = |rect: &Rect| {
                    // Rows first, then columns.
                    rows(rect) * 1e3 + (rect.center().x - middle.x).abs()
                };
                far(&a.1).total_cmp(&far(&b.1))
            })
            .map(|cell| cell.0)
            .or(Some(item))
    }
}

fn gap(side: f32) -> f32 {
    if side >= 24.0 { 3.0 } else { 1.0 }
}

/// Arranges groups in `area`. `pixel` is a physical pixel in points: tiles lie on whole ones.
pub fn arrange(area: Rect, groups: &[Group], pixel: f32) -> Arranged {
    let grouped = groups.len() > 1
        || groups
            .first()
            .is_some_and(|g| g.class.is_some() || g.cluster.is_some());
    let gutter = if grouped { GUTTER } else { 0.0 };
    let width = (area.width() - gutter).max(1.0);
    let columns = |side: f32| (((width + gap(side)) / (side + gap(side))) as usize).max(1);
    let between = |side: f32| (side * 0.25).clamp(4.0, 14.0).round();
    let height = |side: f32| {
        let columns = columns(side);
        let rows: usize = groups.iter().map(|g| g.items.len().div_ceil(columns)).sum();
        let breaks = groups.len().saturating_sub(1) as f32;
        rows as f32 * (side + gap(side)) - gap(side) + breaks * (between(side) - gap(side))
    };
    let mut side = (area.height().min(width).min(MOST_SIDE) / pixel).floor() * pixel;
    while side > LEAST_SIDE && height(side) > area.height() {
        side -= pixel;
    }
    let step = side + gap(side);
    // As many rows take fewer columns: sixteen are four by four, not five by three and one.
    let most = groups.iter().map(|g| g.items.len()).max().unwrap_or(0);
    let rows = most.div_ceil(columns(side)).max(1);
    let columns = if grouped {
        columns(side)
    } else {
        columns(side).min(most.div_ceil(rows).max(1))
    };
    let snap = |v: f32| (v / pixel).round() * pixel;
    // A single block stands in the middle of the width; groups begin at the left.
    let used = if grouped {
        width
    } else {
        columns.min(most) as f32 * step - gap(side)
    };
    let left = snap(area.left() + gutter + (width - used) / 2.0);
    let mut y = snap(area.top());
    let mut arranged = Arranged {
        columns,
        side,
        ..Arranged::default()
    };
    for group in groups {
        let rows = group.items.len().div_ceil(columns).max(1);
        for (index, item) in group.items.iter().enumerate() {
            let (column, row) = (index % columns, index / columns);
            let min = pos2(left + column as f32 * step, y + row as f32 * step);
            let rect = Rect::from_min_size(min, vec2(side, side));
            arranged.cells.push((*item, rect));
        }
        let bottom = y + rows as f32 * step - gap(side);
        if grouped {
            let gutter = pos2(area.left(), y);
            let right = pos2(area.left() + GUTTER, bottom);
            arranged.labels.push(Rect::from_min_max(gutter, right));
        }
        y = snap(bottom + between(side));
    }
    arranged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(probabilities: &[f32]) -> Tile {
        Tile {
            probabilities: probabilities.to_vec(),
            ..Tile::default()
        }
    }

    fn area() -> Rect {
        Rect::from_min_size(pos2(10.0, 20.0), vec2(700.0, 560.0))
    }

    #[test]
    fn every_tile_of_any_wall_lies_inside_and_none_overlap() {
        for count in [1, 16, 17, 64, 100, 1024] {
            let tiles: Vec<Tile> = (0..count)
                .map(|i| tile(&[if i % 3 == 0 { 0.9 } else { 0.2 }, 0.5]))
                .collect();
            for order in [WallOrder::Slots, WallOrder::Label, WallOrder::Confidence] {
                let arranged = arrange(area(), &groups(&tiles, order), 1.0);
                assert_eq!(arranged.cells.len(), count);
                for (i, (_, rect)) in arranged.cells.iter().enumerate() {
                    assert!(area().expand(0.6).contains_rect(*rect), "{count} {order:?}");
                    for (_, other) in &arranged.cells[..i] {
                        assert!(!rect.shrink(0.1).intersects(other.shrink(0.1)));
                    }
                }
            }
        }
    }

    #[test]
    fn a_wall_of_64_fills_most_of_its_space() {
        let tiles = vec![Tile::default(); 64];
        let arranged = arrange(area(), &groups(&tiles, WallOrder::Slots), 1.0);
        assert!(arranged.side >= 66.0, "{}", arranged.side);
    }

    #[test]
    fn groups_stand_by_their_share_and_confidence_by_its_size() {
        let tiles = [
            tile(&[0.9, 0.1]),
            tile(&[0.2, 0.8]),
            tile(&[0.3, 0.7]),
            tile(&[]),
        ];
        let classes: Vec<_> = groups(&tiles, WallOrder::Label)
            .into_iter()
            .map(|g| (g.class, g.items))
            .collect();
        assert_eq!(
            classes,
            [(Some(1), vec![1, 2]), (Some(0), vec![0]), (None, vec![3])]
        );
        let sure = groups(&tiles, WallOrder::Confidence);
        assert_eq!(sure[0].items, [0, 1, 2, 3]);
        let rewarded = [Some(1.0), None, Some(3.0), Some(-2.0)].map(|reward| Tile {
            reward,
            ..Tile::default()
        });
        let most = groups(&rewarded, WallOrder::Reward);
        assert_eq!(most[0].items, [2, 0, 3, 1]);
        let unjudged = [tile(&[]), tile(&[])];
        assert_eq!(groups(&unjudged, WallOrder::Label)[0].items, [0, 1]);
    }

    #[test]
    fn clusters_hold_every_tile_once_also_where_the_wall_has_grown() {
        let clusters = Clusters {
            of: vec![0, 1, 0, 0, 1],
            count: 2,
            silhouette: 0.5,
        };
        let items = |count| -> Vec<_> {
            let groups = clustered(count, &clusters);
            groups.into_iter().map(|g| (g.cluster, g.items)).collect()
        };
        let both = [(Some(0), vec![0, 2, 3]), (Some(1), vec![1, 4])];
        assert_eq!(items(5), both);
        assert_eq!(items(7)[2], (None, vec![5, 6]));
        assert_eq!(items(1), [(Some(0), vec![0])]);
    }

    #[test]
    fn arrows_go_to_the_next_tile_and_stop_at_the_edges() {
        let tiles = vec![Tile::default(); 64];
        let wall = arrange(area(), &groups(&tiles, WallOrder::Slots), 1.0);
        assert_eq!(wall.beside(0, 1, 0), Some(1));
        assert_eq!(wall.beside(0, -1, 0), Some(0));
        assert_eq!(wall.beside(3, 0, 1), Some(3 + wall.columns));
        assert_eq!(wall.beside(3, 0, -1), Some(3));
        assert_eq!(wall.beside(63, 1, 0), Some(63));
    }
}
