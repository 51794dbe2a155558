//! The heat map against the density in f64.

use super::*;
use crate::render::mixture_density::MixturePipelines;

#[test]
fn the_heat_map_is_the_density_of_the_mixture_in_two_views_at_once() {
    let Some(mut canvas) = Canvas::new(256, 96, 1.0) else {
        return;
    };
    // More components than a workgroup looks at in one go; one of them tilted and narrow.
    let mut many: Vec<_> = (0..100)
        .map(|i| {
            let angle = f64::from(i) * 0.37;
            let radius = 0.02 * f64::from(i);
            (
                0.01,
                [radius * angle.cos(), radius * angle.sin()],
                [0.05, 0.02, 0.04],
            )
        })
        .collect();
    many.push((0.1, [-1.0, 1.0], [0.04, 0.035, 0.04]));
    let few = three_modes(0.6);
    let ramp = Ramp::new(&[[0.0, 0.0, 0.0, 1.0], [1.0; 4]]);
    let left = Rect::from_min_size(pos2(0.0, 0.0), vec2(128.0, 96.0));
    let right = left.translate(vec2(128.0, 0.0));
    let show = |id, modes: &[_]| {
        let mixture = packed(modes);
        let map = MixtureDensity::new(ViewId(id), camera(0.05), mixture, ramp.clone());
        // Two nodes a pixel, so that interpolation is not what is tested.
        MixtureDensity {
            resolution: 256,
            ..map
        }
    };
    let picture = canvas.paint(&[
        show(1, &many).paint_callback(left),
        show(2, &few).paint_callback(right),
    ]);

    for (id, modes, rect) in [(1, &many, left), (2, &few, right)] {
        let peak = f64::from(packed(modes).log_peak());
        let pipelines = canvas.renderer.callback_resources.get::<MixturePipelines>();
        let (buffer, size) = pipelines
            .and_then(|p| p.nodes_of(ViewId(id)))
            .expect("it was painted");
        let nodes = read_floats(&canvas.shared, &buffer, (size[0] * size[1]) as usize);
        let (low, high) = camera(0.05).visible(rect);
        let mut compared = 0;
        for (i, &node) in nodes.iter().enumerate() {
            let place = [i % size[0] as usize, i / size[0] as usize];
            let x: [f64; 2] = std::array::from_fn(|c| {
                let along = place[c] as f64 / f64::from(size[c] - 1);
                f64::from(low[c]) + along * f64::from(high[c] - low[c])
            });
            let wanted = log_density(modes, x) - peak;
            // Below exp(-12) of the peak nothing is seen, and components are left out.
            if wanted > -12.0 {
                compared += 1;
                let error = (wanted - f64::from(node)).abs();
                assert!(error < 2e-3, "at {x:?}: {node}, wanted {wanted}");
            }
        }
        assert!(compared > 1000, "{compared} nodes compared");

        for world in [[0.0, 0.0], [-1.0, 1.0], [0.7, -0.4], [1.5, 1.5]] {
            let place = camera(0.05).screen_from_world(rect, world);
            // The middle of the pixel that the place lies in.
            let middle = pos2(place.x.floor() + 0.5, place.y.floor() + 0.5);
            let x = camera(0.05).world_from_screen(rect, middle).map(f64::from);
            let share = (0.5 * (log_density(modes, x) - peak)).exp().min(1.0);
            let got = f64::from(picture.at(place, 1.0)[0]);
            // One step of dithering, one of interpolation.
            assert!(
                (got - 255.0 * share).abs() < 2.5,
                "{world:?}: {got}, {}",
                255.0 * share
            );
        }
    }
}

#[test]
fn a_grid_is_computed_again_only_when_its_inputs_change() {
    let Some(mut canvas) = Canvas::new(64, 64, 1.0) else {
        return;
    };
    let rect = canvas.rect();
    let ramp = Ramp::new(&[[0.0; 4], [1.0; 4]]);
    let show = |t: f64| {
        MixtureDensity::new(
            ViewId(5),
            camera(0.1),
            packed(&three_modes(t)),
            ramp.clone(),
        )
        .paint_callback(rect)
    };
    let before = canvas.paint(&[show(0.4)]).bytes;
    assert_eq!(
        canvas.paint(&[show(0.4)]).bytes,
        before,
        "equal numbers, equal picture"
    );
    assert_ne!(
        canvas.paint(&[show(0.9)]).bytes,
        before,
        "another mixture, another picture"
    );
}
