//! The probability-flow path through a state: where `x_t` came from and where it would go.

use crate::mixture::{Mixture, Point};

/// Points of the path, `(t, x)` with rising `t` from 0 to 1: `intervals + 1` of them and the anchor.
///
/// Integrates `dx = b_t dt` with the classical Runge-Kutta rule from the anchor to both ends.
pub fn probability_flow_path(
    world: &Mixture,
    anchor_t: f64,
    anchor_x: Point,
    intervals: usize,
) -> Vec<(f64, Point)> {
    let mut back = walk(world, anchor_t, anchor_x, 0.0, intervals);
    back.reverse();
    back.push((anchor_t, anchor_x));
    back.extend(walk(world, anchor_t, anchor_x, 1.0, intervals));
    back
}

/// From the anchor (not included) to `end`, in about `intervals` steps for the whole of [0, 1].
fn walk(world: &Mixture, t: f64, x: Point, end: f64, intervals: usize) -> Vec<(f64, Point)> {
    let span = end - t;
    let steps = (span.abs() * intervals as f64).ceil() as usize;
    let mut at = x;
    let mut points = Vec::with_capacity(steps);
    for step in 0..steps {
        let now = t + span * step as f64 / steps as f64;
        let h = span / steps as f64;
        let k1 = world.velocity(now, at);
        let k2 = world.velocity(now + h / 2.0, along(at, k1, h / 2.0));
        let k3 = world.velocity(now + h / 2.0, along(at, k2, h / 2.0));
        let k4 = world.velocity((now + h).clamp(0.0, 1.0), along(at, k3, h));
        for axis in 0..2 {
            at[axis] += h / 6.0 * (k1[axis] + 2.0 * k2[axis] + 2.0 * k3[axis] + k4[axis]);
        }
        let time = if step + 1 == steps { end } else { now + h };
        points.push((time, at));
    }
    points
}

fn along(x: Point, direction: Point, h: f64) -> Point {
    [x[0] + h * direction[0], x[1] + h * direction[1]]
}

/// The state of a path (rising `t`) at time `t`, by linear interpolation; `None` for an empty path.
pub fn state_on_path(path: &[(f64, Point)], t: f64) -> Option<Point> {
    let after = path.partition_point(|(time, _)| *time < t);
    let Some(&(t1, x1)) = path.get(after) else {
        return path.last().map(|p| p.1);
    };
    let Some(&(t0, x0)) = after.checked_sub(1).and_then(|i| path.get(i)) else {
        return Some(x1);
    };
    let share = if t1 > t0 { (t - t0) / (t1 - t0) } else { 1.0 };
    Some([
        x0[0] + share * (x1[0] - x0[0]),
        x0[1] + share * (x1[1] - x0[1]),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mixture::{Cov2, Mode, Preset};

    #[test]
    fn the_path_of_one_gaussian_is_its_closed_form() {
        // For N(mu, s^2 I) the flow keeps (x - t mu) / sqrt(t^2 s^2 + (1-t)^2).
        let (mu, variance) = ([1.0, -2.0], 0.25);
        let world = Mixture::new(vec![Mode {
            weight: 1.0,
            mean: mu,
            cov: Cov2::isotropic(variance),
        }])
        .unwrap();
        let scale = |t: f64| (t * t * variance + (1.0 - t) * (1.0 - t)).sqrt();
        let (t0, x0) = (0.4, [0.9, 0.3]);
        for (t, x) in probability_flow_path(&world, t0, x0, 128) {
            for axis in 0..2 {
                let expected = t * mu[axis] + (x0[axis] - t0 * mu[axis]) * scale(t) / scale(t0);
                assert!((x[axis] - expected).abs() < 1e-6, "t {t}: {x:?}");
            }
        }
    }

    #[test]
    fn the_path_rises_in_time_and_passes_through_its_anchor() {
        let world = Preset::Ring8.mixture();
        for anchor in [0.0, 0.33, 1.0] {
            let path = probability_flow_path(&world, anchor, [0.5, 0.1], 96);
            assert!(path.windows(2).all(|w| w[0].0 < w[1].0));
            assert_eq!(path.first().unwrap().0, 0.0);
            assert_eq!(path.last().unwrap().0, 1.0);
            let here = state_on_path(&path, anchor).unwrap();
            assert!((here[0] - 0.5).abs() + (here[1] - 0.1).abs() < 1e-12);
        }
    }
}
