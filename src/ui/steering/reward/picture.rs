//! The reward as a heat map or as lines, worked out again only when the reward or the view changes.

use eframe::egui::{
    ColorImage, Context, Painter, Pos2, Rect, Shape, Stroke, TextureHandle, TextureOptions, pos2,
};

use crate::mixture::Point;
use crate::reward::Reward;
use crate::session::RewardStyle;
use crate::ui::canvas::contours::Sampled;
use crate::ui::canvas::projection::Projection;
use crate::ui::tokens::{self, Palette, size};

/// Cells along the longer side of the view.
const CELLS: usize = 88;
/// Where lines are drawn, on the scale from the worst to the best in view.
const LEVELS: [f64; 8] = [0.12, 0.2, 0.3, 0.42, 0.55, 0.68, 0.8, 0.92];
/// Opacity of the best place in view: particles must stand out.
const STRONGEST: f32 = 0.40;

/// The last picture of the reward.
pub struct RewardPicture {
    reward: Reward,
    visible: [Point; 2],
    dark: bool,
    heat: Option<TextureHandle>,
    region: [Point; 2],
    lines: Vec<(f32, Vec<[Point; 2]>)>,
}

/// Paints the reward. All panels share one picture: their views are the same.
pub fn show(
    painter: &Painter,
    projection: &Projection,
    (reward, style): (&Reward, RewardStyle),
    cache: &mut Option<RewardPicture>,
    palette: &Palette,
) {
    let visible = projection.visible();
    let dark = painter.ctx().theme() == eframe::egui::Theme::Dark;
    let near = |a: [Point; 2], b: [Point; 2]| {
        // Panels differ by the fraction of a pixel.
        let room = 2.0 * projection.units_per_point;
        (0..2).all(|i| (0..2).all(|axis| (a[i][axis] - b[i][axis]).abs() <= room))
    };
    let fresh = cache
        .as_ref()
        .is_some_and(|c| near(c.visible, visible) && c.dark == dark && c.reward == *reward);
    if !fresh {
        // The texture is kept: only its pixels are new.
        let texture = cache.take().and_then(|old| old.heat);
        *cache = Some(picture(painter.ctx(), visible, reward, dark, texture));
    }
    let Some(cache) = cache else { return };
    let corner = |x: Point| projection.to_screen(x);
    match style {
        RewardStyle::Hidden => {}
        RewardStyle::Heat => {
            if let Some(heat) = &cache.heat {
                let [min, max] = cache.region;
                let rect = Rect::from_two_pos(corner(min), corner(max));
                let all = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
                painter.image(heat.id(), rect, all, palette.reward);
            }
        }
        RewardStyle::Contours => {
            for (share, lines) in &cache.lines {
                // Mixed with the ground rather than clear: pieces of a line meet without darker joints.
                let color = palette
                    .canvas
                    .lerp_to_gamma(palette.reward, 0.3 + 0.45 * share);
                let stroke = Stroke::new(0.8 * size::LINE, color);
                painter.extend(
                    lines
                        .iter()
                        .map(|line| Shape::line_segment(line.map(corner), stroke)),
                );
            }
        }
    }
}

/// From 0, far worse than the best in view, to 1: rewards fall without bound, so that the scale is
/// `1 / (1 + (best - r) / c)` with a `c` that suits what is in view.
fn scale(values: &[f64]) -> Option<impl Fn(f64) -> f64> {
    let mut finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    finite.sort_by(f64::total_cmp);
    let best = *finite.last()?;
    let usual = best - finite[finite.len() / 2];
    let unit = usual / 6.0;
    (unit > 0.0).then_some(move |r: f64| {
        if r.is_finite() {
            1.0 / (1.0 + (best - r).max(0.0) / unit)
        } else {
            0.0
        }
    })
}

fn picture(
    ctx: &Context,
    visible: [Point; 2],
    reward: &Reward,
    dark: bool,
    texture: Option<TextureHandle>,
) -> RewardPicture {
    let sampled = Sampled::new(visible, CELLS, |x| reward.score(x));
    let region = sampled.region();
    let mut answer = RewardPicture {
        reward: reward.clone(),
        visible,
        dark,
        heat: texture,
        region,
        lines: Vec::new(),
    };
    let Some(scale) = scale(sampled.values()) else {
        // The same everywhere: there is nothing to show.
        answer.heat = None;
        return answer;
    };
    let [columns, rows] = sampled.size();
    let mut pixels = Vec::with_capacity(columns * rows);
    for row in (0..rows).rev() {
        for value in &sampled.values()[row * columns..(row + 1) * columns] {
            let share = scale(*value) as f32;
            pixels.push(tokens::coverage(STRONGEST * share));
        }
    }
    // Nodes are pixel centres: the picture reaches half a cell further than they do.
    let half = [0, 1].map(|axis| {
        let count = [columns, rows][axis].max(2) as f64 - 1.0;
        0.5 * (region[1][axis] - region[0][axis]) / count
    });
    answer.region = [
        [region[0][0] - half[0], region[0][1] - half[1]],
        [region[1][0] + half[0], region[1][1] + half[1]],
    ];
    let image = ColorImage::new([columns, rows], pixels);
    match &mut answer.heat {
        Some(texture) => texture.set(image, TextureOptions::LINEAR),
        None => answer.heat = Some(ctx.load_texture("reward", image, TextureOptions::LINEAR)),
    }
    let shares = Sampled::new(visible, CELLS, |x| scale(reward.score(x)));
    answer.lines = LEVELS
        .into_iter()
        .map(|level| (level as f32, shares.lines(level)))
        .collect();
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_runs_from_the_worst_to_the_best_and_survives_what_is_not_finite() {
        let values = [f64::NAN, -9.0, -4.0, -1.0, 0.0, f64::NEG_INFINITY];
        let scale = scale(&values).unwrap();
        assert_eq!(scale(0.0), 1.0);
        assert!(scale(-1.0) > scale(-4.0) && scale(-9.0) > 0.0);
        assert_eq!(scale(f64::NAN), 0.0);
        assert!(super::scale(&[2.0, 2.0]).is_none());
        assert!(super::scale(&[f64::NAN]).is_none());
    }
}
