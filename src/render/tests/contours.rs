//! Lines where the density equals the level.

use super::*;

const LINE: [f32; 4] = [1.0, 0.6, 0.0, 1.0];

/// Paints the ellipse at `k` standard deviations of one Gaussian and looks along it.
fn ellipse_is_whole_and_thin(canvas: &mut Canvas, sd: [f64; 2], k: f64) {
    let rect = canvas.rect();
    let modes = [(1.0, [0.1, -0.2], [sd[0] * sd[0], 0.0, sd[1] * sd[1]])];
    let mixture = packed(&modes);
    let level = f64::from(mixture.log_peak()) - 0.5 * k * k;
    let contours = Contours {
        view: ViewId(1),
        camera: camera(0.05),
        mixture,
        levels: vec![ContourLevel {
            log_density: level as f32,
            color: LINE,
        }],
        width_px: 1.5,
    };
    let picture = canvas.paint(&[contours.paint_callback(rect)]);
    let mut least = u8::MAX;
    let mut length_px = 0.0;
    for i in 0..360 {
        let angle = f64::from(i).to_radians();
        let at = |a: f64| [0.1 + k * sd[0] * a.cos(), -0.2 + k * sd[1] * a.sin()];
        let (here, next) = (at(angle), at(angle + 1f64.to_radians()));
        length_px += (here[0] - next[0]).hypot(here[1] - next[1]) / 0.05;
        let world = here.map(|v| v as f32);
        let place = camera(0.05).screen_from_world(rect, world);
        least = least.min(picture.at(place, 1.0)[0]);
    }
    // 1.5 pixels wide: half a pixel off the line is still half covered.
    assert!(least > 120, "broken at k = {k}, sd = {sd:?}: {least}");
    let ink: f64 = picture
        .bytes
        .chunks_exact(4)
        .map(|p| f64::from(p[0]) / 255.0)
        .sum();
    // The two sides of a sliver merge, so there may be less ink, never more.
    assert!(
        ink < 1.6 * length_px + 8.0,
        "{ink} pixels of ink on {length_px} of line"
    );
}

#[test]
fn contours_lie_where_the_density_equals_the_level_and_stay_thin_and_whole() {
    let Some(mut canvas) = Canvas::new(160, 160, 1.0) else {
        return;
    };
    // Round, wide and flat, a sliver of less than a pixel, and one as small as a few pixels.
    for sd in [[1.0, 1.0], [1.2, 0.3], [1.2, 0.02], [0.1, 0.1]] {
        for k in [1.0, 2.5] {
            ellipse_is_whole_and_thin(&mut canvas, sd, k);
        }
    }
}

#[test]
fn a_contour_of_a_mixture_separates_what_is_denser_from_what_is_not() {
    let Some(mut canvas) = Canvas::new(160, 160, 1.0) else {
        return;
    };
    let rect = canvas.rect();
    let modes = three_modes(0.7);
    let mixture = packed(&modes);
    let level = f64::from(mixture.log_peak()) - 1.0;
    let contours = Contours {
        view: ViewId(2),
        camera: camera(0.06),
        mixture: Arc::clone(&mixture),
        levels: vec![ContourLevel {
            log_density: level as f32,
            color: LINE,
        }],
        width_px: 1.5,
    };
    let picture = canvas.paint(&[contours.clone().paint_callback(rect)]);
    // Along each row: where the density crosses the level between two pixels, one is inked.
    let mut crossings = 0;
    for y in 0..160 {
        let log_p = |x: i32| {
            let middle = pos2(x as f32 + 0.5, y as f32 + 0.5);
            log_density(
                &modes,
                camera(0.06).world_from_screen(rect, middle).map(f64::from),
            )
        };
        for x in 0..159 {
            if (log_p(x) > level) != (log_p(x + 1) > level) {
                crossings += 1;
                let ink = |x: i32| picture.at(pos2(x as f32 + 0.5, y as f32 + 0.5), 1.0)[0];
                assert!(ink(x).max(ink(x + 1)) > 100, "no line at {x}, {y}");
            }
        }
    }
    assert!(crossings > 50, "{crossings}");

    let above = vec![ContourLevel {
        log_density: mixture.log_peak() + 2.0,
        color: LINE,
    }];
    let nothing = Contours {
        levels: above,
        ..contours
    };
    assert_eq!(canvas.paint(&[nothing.paint_callback(rect)]).painted(), 0);
}
