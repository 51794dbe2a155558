//! Counts of draws.

use super::*;
use crate::gpu::PointBuffer;
use crate::render::draw_density::DensityPipelines;

#[test]
fn the_density_of_draws_conserves_mass_and_is_brightest_where_they_are() {
    let Some(mut canvas) = Canvas::new(128, 96, 1.0) else {
        return;
    };
    // 10,000 in one place, 2,000 in another, some outside and some not numbers.
    let mut points = vec![[1.0f32, 0.5]; 10_000];
    points.extend(vec![[-1.5, -1.0]; 2_000]);
    points.extend([[100.0, 0.0], [f32::NAN, 0.0], [0.0, f32::INFINITY]]);
    let points = PointBuffer::from_points(&canvas.shared, &points).expect("fits");
    let (id, rect) = (ViewId(1), canvas.rect());
    let white = [[0.0, 0.0, 0.0, 0.0], [1.0; 4]];
    let map = DrawDensity {
        exponent: 1.0,
        // Cells larger than a pixel: a pixel's middle is never far from its cell's.
        resolution: 32,
        ..DrawDensity::new(id, camera(0.05), points.clone(), white)
    };
    let picture = canvas.paint(&[map.clone().paint_callback(rect)]);

    let pipelines = canvas.renderer.callback_resources.get::<DensityPipelines>();
    let (buffer, size, origin, cell) = pipelines
        .and_then(|p| p.cells_of(id))
        .expect("it was painted");
    let cells = read_floats(&canvas.shared, &buffer, (size[0] * size[1]) as usize);
    let mass: f32 = cells.iter().sum();
    // Sums of f32 in two passes.
    assert!((mass - 12_000.0).abs() < 1.0, "{mass}");
    let peak = (0..cells.len())
        .max_by(|&a, &b| cells[a].total_cmp(&cells[b]))
        .expect("cells");
    let place = [peak % size[0] as usize, peak / size[0] as usize];
    for c in 0..2 {
        let middle = origin[c] + (place[c] as f32 + 0.5) * cell;
        assert!(
            (middle - [1.0, 0.5][c]).abs() <= 0.51 * cell,
            "peak at {place:?} of {size:?}"
        );
    }

    let at = |world| picture.at(camera(0.05).screen_from_world(rect, world), 1.0)[0];
    // The place is up to half a cell from the middle of the densest.
    assert!(at([1.0, 0.5]) > 220, "{}", at([1.0, 0.5]));
    let fainter = at([-1.5, -1.0]);
    assert!((40..=60).contains(&fainter), "a fifth as bright: {fainter}");
    assert_eq!(at([-1.5, 1.0]), 0);

    // Panned by a whole cell, the cells are the same, counted in the same places of the world.
    let panned = Camera {
        center: [cell, 0.0],
        ..camera(0.05)
    };
    canvas.submit(&[DrawDensity {
        camera: panned,
        ..map
    }
    .paint_callback(rect)]);
    let pipelines = canvas.renderer.callback_resources.get::<DensityPipelines>();
    let (_, _, panned_origin, panned_cell) = pipelines
        .and_then(|p| p.cells_of(id))
        .expect("it was painted");
    assert!((panned_cell - cell).abs() < 1e-6);
    let moved = (panned_origin[0] - origin[0]) / cell;
    assert!(
        (moved - moved.round()).abs() < 1e-3,
        "by whole cells: {moved}"
    );
}
