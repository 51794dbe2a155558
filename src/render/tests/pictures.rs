//! Scenes for the eye, and how long they take. Not checks: run with `--ignored --nocapture`.

use std::time::Instant;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::gpu::PointBuffer;

const BLUE: [f32; 3] = [0.337, 0.706, 0.914];
const ORANGE: [f32; 3] = [0.902, 0.624, 0.0];

fn with_alpha([r, g, b]: [f32; 3], alpha: f32) -> [f32; 4] {
    [r, g, b, alpha]
}

/// Draws of two of the three modes, as a posterior might be.
fn draws(n: usize) -> Vec<[f32; 2]> {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    (0..n)
        .map(|_| {
            let length = (-2.0 * rng.random_range(1e-7f32..1.0).ln()).sqrt();
            let angle = rng.random_range(0.0..std::f32::consts::TAU);
            let (center, sd) = if rng.random_bool(0.69) {
                ([-2.9, -2.9], 0.6)
            } else {
                ([-0.2, -0.2], 0.6)
            };
            [
                center[0] + sd * length * angle.cos(),
                center[1] + sd * length * angle.sin(),
            ]
        })
        .collect()
}

fn posterior() -> Vec<(f64, [f64; 2], [f64; 3])> {
    vec![
        (0.69, [-2.9, -2.9], [0.36, 0.0, 0.36]),
        (0.31, [-0.2, -0.2], [0.36, 0.0, 0.36]),
    ]
}

fn heat(t: f64, camera: Camera) -> MixtureDensity {
    let ramp = Ramp::new(&[[1.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.34]]);
    MixtureDensity::new(ViewId(1), camera, packed(&three_modes(t)), ramp)
}

fn lines(camera: Camera) -> Contours {
    let mixture = packed(&posterior());
    let level = |drop: f32, alpha| ContourLevel {
        log_density: mixture.log_peak() - drop,
        color: with_alpha(ORANGE, alpha),
    };
    let levels = vec![
        level(4.0, 0.55),
        level(2.0, 0.7),
        level(1.0, 0.85),
        level(0.3, 1.0),
    ];
    Contours {
        view: ViewId(3),
        camera,
        mixture,
        levels,
        width_px: 1.5,
    }
}

#[test]
#[ignore = "pictures for the eye"]
fn pictures_of_every_layer() {
    let Some(mut canvas) = Canvas::new(900, 900, 1.0) else {
        return;
    };
    canvas.background = [0.043, 0.047, 0.059];
    let rect = canvas.rect();
    let camera = Camera::fit(rect, [-6.5, -6.5], [6.5, 6.5]);
    let points = |n, alpha, radius_px| Points {
        view: ViewId(2),
        camera,
        points: PointBuffer::from_points(&canvas.shared, &draws(n)).expect("fits"),
        radius_px,
        color: with_alpha(BLUE, alpha),
    };
    let density = |n| {
        let buffer = PointBuffer::from_points(&canvas.shared, &draws(n)).expect("fits");
        let colors = [with_alpha(BLUE, 0.0), with_alpha(BLUE, 1.0)];
        DrawDensity::new(ViewId(4), camera, buffer, colors)
    };
    let scene = vec![
        heat(0.33, camera).paint_callback(rect),
        points(4096, 0.6, 1.6).paint_callback(rect),
        lines(camera).paint_callback(rect),
    ];
    let million = vec![
        heat(0.33, camera).paint_callback(rect),
        density(1_000_000).paint_callback(rect),
        lines(camera).paint_callback(rect),
    ];
    let discs = vec![points(1_000_000, 0.03, 1.0).paint_callback(rect)];
    let magma = Ramp::new(&[
        [0.0, 0.0, 0.016, 1.0],
        [0.23, 0.06, 0.44, 1.0],
        [0.55, 0.16, 0.51, 1.0],
        [0.87, 0.29, 0.41, 1.0],
        [0.99, 0.62, 0.43, 1.0],
        [0.99, 0.99, 0.75, 1.0],
    ]);
    let colourful = MixtureDensity {
        ramp: magma,
        ..heat(0.8, camera)
    };
    let narrow: Vec<_> = (0..300)
        .map(|i| {
            let a = f64::from(i) * 0.05;
            (
                1.0 / 300.0,
                [0.33 * a * a.cos(), 0.33 * a * a.sin()],
                [0.004, 0.001, 0.004],
            )
        })
        .collect();
    let spiral = MixtureDensity {
        mixture: packed(&narrow),
        resolution: 512,
        ..colourful.clone()
    };
    // Ellipses from wide to thinner than a pixel, and far smaller ones.
    let slivers: Vec<_> = (0..16)
        .map(|i| {
            let (column, row) = (f64::from(i % 4), f64::from(i / 4));
            let (long, thin) = (0.5 * 0.6f64.powf(column), 0.4f64.powf(row));
            let (sd_x, sd_y) = (long, long * thin);
            let (c, s) = (0.8, 0.6);
            let covariance = [
                c * c * sd_x * sd_x + s * s * sd_y * sd_y,
                c * s * (sd_x * sd_x - sd_y * sd_y),
                s * s * sd_x * sd_x + c * c * sd_y * sd_y,
            ];
            let center = [3.0 * (column - 1.5), 3.0 * (row - 1.5)];
            // Weights that make the peaks equal.
            Gaussian::from_covariance(sd_x * sd_y, center, covariance)
        })
        .collect();
    let mixture = Gaussians::new(&slivers);
    let level = |drop: f32| ContourLevel {
        log_density: mixture.log_peak() - drop,
        color: with_alpha(ORANGE, 1.0),
    };
    let levels = vec![level(4.0), level(2.0), level(0.5)];
    let slivers = Contours {
        mixture,
        levels,
        ..lines(camera)
    }
    .paint_callback(rect);
    let large = vec![points(4096, 0.9, 4.0).paint_callback(rect)];
    for (name, layers) in [
        ("scene", scene),
        ("million_density", million),
        ("million_discs", discs),
        ("heat", vec![colourful.paint_callback(rect)]),
        ("spiral", vec![spiral.paint_callback(rect)]),
        ("slivers", vec![slivers]),
        ("large_discs", large),
    ] {
        canvas.paint(&layers).keep(name);
    }
}

#[test]
#[ignore = "a measurement"]
fn time_of_every_layer() {
    let Some(mut canvas) = Canvas::new(900, 900, 1.0) else {
        return;
    };
    let rect = canvas.rect();
    let fit = Camera::fit(rect, [-6.5, -6.5], [6.5, 6.5]);
    let shared = Arc::clone(&canvas.shared);
    let buffer = |n| PointBuffer::from_points(&shared, &draws(n)).expect("fits");
    let (some, many) = (buffer(4096), buffer(1_000_000));
    let colors = [with_alpha(BLUE, 0.0), with_alpha(BLUE, 1.0)];
    // Frame i pans by a little, so that nothing is kept from the frame before unless asked.
    let moved = |i: usize| Camera {
        center: [0.001 * i as f32, 0.0],
        ..fit
    };
    let points = |buffer: &PointBuffer, i| Points {
        view: ViewId(2),
        camera: moved(i),
        points: buffer.clone(),
        radius_px: 1.6,
        color: with_alpha(BLUE, 0.6),
    };
    let mut measure = |name: &str, layer: &dyn Fn(usize) -> PaintCallback| {
        let mut times_ms: Vec<f64> = (0..7)
            .map(|i| {
                let callbacks = [layer(i)];
                shared.wait(None).expect("a device that works");
                let started = Instant::now();
                canvas.submit(&callbacks);
                shared.wait(None).expect("a device that works");
                started.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        let first_ms = times_ms[0];
        times_ms.sort_by(f64::total_cmp);
        println!(
            "{}: {name}: {:.1} ms (median of 7; first {first_ms:.1})",
            shared.info.name, times_ms[3]
        );
    };
    let density = |buffer: &PointBuffer, camera| {
        DrawDensity::new(ViewId(4), camera, buffer.clone(), colors).paint_callback(rect)
    };
    let narrow: Vec<_> = (0..4096)
        .map(|i| {
            let a = f64::from(i) * 0.004;
            (
                1.0 / 4096.0,
                [0.33 * a * a.cos(), 0.33 * a * a.sin()],
                [0.004, 0.001, 0.004],
            )
        })
        .collect();
    let narrow = packed(&narrow);
    measure("4,096 discs", &|i| points(&some, i).paint_callback(rect));
    measure("1,000,000 discs", &|i| {
        points(&many, i).paint_callback(rect)
    });
    measure("density of 4,096", &|i| density(&some, moved(i)));
    measure("density of 1,000,000", &|i| density(&many, moved(i)));
    measure("density of 1,000,000, kept", &|_| density(&many, fit));
    measure("heat map of 3", &|i| {
        heat(0.33, moved(i)).paint_callback(rect)
    });
    measure("heat map of 3, kept", &|_| {
        heat(0.33, fit).paint_callback(rect)
    });
    measure("heat map of 4,096", &|i| {
        let mixture = Arc::clone(&narrow);
        MixtureDensity {
            mixture,
            ..heat(0.8, moved(i))
        }
        .paint_callback(rect)
    });
    measure("4 contours of 2", &|i| lines(moved(i)).paint_callback(rect));
}
