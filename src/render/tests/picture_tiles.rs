//! Tiles of pictures against the same pictures enlarged and reduced on the processor.

use burn::tensor::{Tensor, TensorData};

use super::*;
use crate::gpu::PictureBuffer;

/// Numbers of pictures that are no two alike, some beyond black and white.
fn numbers(count: usize) -> Vec<f32> {
    (0..count)
        .map(|k| 1.15 * (0.37 * k as f32 + 0.003 * (k * k % 911) as f32).sin())
        .collect()
}

/// As it is written to files.
fn byte(value: f32) -> u8 {
    ((value + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8
}

/// The part of a pixel of the picture that lies between two places, and the mean over that part of a line.
fn over(line: &dyn Fn(i32) -> f64, low: f64, high: f64) -> f64 {
    let mut sum = 0.0;
    for at in low.floor() as i32..=(high.ceil() as i32 - 1).max(low.floor() as i32) {
        let part = high.min(f64::from(at) + 1.0) - low.max(f64::from(at));
        sum += part.max(0.0) * line(at);
    }
    sum / (high - low)
}

/// Pixel `(x, y)` of `[C][H][W]` painted `scale` physical pixels a pixel.
fn expected(
    picture: &[f32],
    [channels, height, width]: [usize; 3],
    (x, y): (usize, usize),
    (scale, smooth): (f64, bool),
) -> [f64; 3] {
    let place = |at: usize| (at as f64 + 0.5) / scale;
    let half = 0.5 / scale;
    std::array::from_fn(|channel| {
        let plane = if channels == 3 { channel } else { 0 };
        let at = |y: i32, x: i32| {
            let y = (y.max(0) as usize).min(height - 1);
            let x = (x.max(0) as usize).min(width - 1);
            f64::from(byte(picture[plane * height * width + y * width + x]))
        };
        if smooth && scale >= 1.0 {
            let (px, py) = (place(x) - 0.5, place(y) - 0.5);
            let (fx, fy) = (px - px.floor(), py - py.floor());
            let row = |y: i32| {
                let x = px.floor() as i32;
                at(y, x) * (1.0 - fx) + at(y, x + 1) * fx
            };
            let top = py.floor() as i32;
            return row(top) * (1.0 - fy) + row(top + 1) * fy;
        }
        let row = |y: i32| over(&|x| at(y, x), place(x) - half, place(x) + half);
        over(&row, place(y) - half, place(y) + half)
    })
}

/// Every pixel of a tile whose corner is at `min`.
fn check(
    picture: &Picture,
    min: [usize; 2],
    side: usize,
    (wanted, shape): (&[f32], [usize; 3]),
    look: (f64, bool),
) {
    for y in 0..side {
        for x in 0..side {
            let place = pos2((min[0] + x) as f32 + 0.5, (min[1] + y) as f32 + 0.5);
            let painted = picture.at(place, 1.0).map(f64::from);
            let expected = expected(wanted, shape, (x, y), look);
            for (a, b) in painted.iter().zip(expected) {
                // Rounded to bytes once on the way, and to f32 at the edges of pixels.
                assert!(
                    (a - b).abs() <= 1.0,
                    "{x} {y} of {shape:?}, {look:?}: {painted:?} {expected:?}"
                );
            }
        }
    }
}

fn tile(pictures: &PictureBuffer, item: u32, min: [f32; 2], side: f32) -> PictureTile {
    PictureTile {
        pictures: pictures.clone(),
        item,
        rect: Rect::from_min_size(pos2(min[0], min[1]), vec2(side, side)),
        opacity: 1.0,
    }
}

#[test]
fn the_shader_paints_what_the_processor_does_at_any_zoom_sharp_and_smooth_grey_and_in_colour() {
    let Some(mut canvas) = Canvas::new(128, 128, 1.0) else {
        return;
    };
    let rect = canvas.rect();
    for (view, channels) in [(1, 1), (2, 3)] {
        let shape = [channels, 6, 6];
        let one = channels * 36;
        let all = numbers(5 * one);
        let buffer = PictureBuffer::room(&canvas.shared, one, 5);
        // In two parts, as a wall grows.
        buffer.write(&canvas.shared, 0, &all[..2 * one]);
        buffer.write(&canvas.shared, 2, &all[2 * one..]);
        // Reduced, of its own size, enlarged by whole and by other factors.
        for side in [2_usize, 5, 6, 12, 25, 43] {
            for smooth in [false, true] {
                let tiles = PictureTiles {
                    view: ViewId(view),
                    shape,
                    tiles: vec![
                        tile(&buffer, 3, [0.0, 0.0], side as f32),
                        tile(&buffer, 1, [64.0, 7.0], side as f32),
                    ],
                    smooth,
                };
                let picture = canvas.paint(&[tiles.paint_callback(rect)]);
                let look = (side as f64 / 6.0, smooth);
                let of = |item: usize| (&all[item * one..(item + 1) * one], shape);
                check(&picture, [0, 0], side, of(3), look);
                check(&picture, [64, 7], side, of(1), look);
                let outside = picture.at(pos2(100.0, 100.0), 1.0);
                assert_eq!(outside, [0; 3]);
            }
        }
    }
}

#[test]
fn a_sharp_picture_enlarged_by_a_whole_factor_is_its_bytes_also_those_of_a_tensor() {
    let Some(mut canvas) = Canvas::new(128, 128, 2.0) else {
        return;
    };
    let shared = Arc::clone(&canvas.shared);
    let device = shared.burn_device().expect("burn joins the device");
    let all = numbers(4 * 16);
    let tensor = Tensor::<2>::from_data(TensorData::new(all.clone(), [4, 16]), &device);
    // Computed on the device, and a slice of it.
    let tensor = (tensor * 2.0 / 2.0).slice([2..4, 0..16]);
    let computed = PictureBuffer::from_tensor(tensor, &shared).expect("pictures");
    assert_eq!((computed.len(), computed.numbers()), (2, 16));
    let back = computed.read(&shared, 2).expect("a device that works");
    assert_eq!(back, all[32..]);
    let written = PictureBuffer::room(&shared, 16, 1);
    written.write(&shared, 0, &all[..16]);
    // 20 points are 40 pixels: 10 a pixel of the picture.
    let tiles = PictureTiles {
        view: ViewId(3),
        shape: [1, 4, 4],
        tiles: vec![
            tile(&computed, 1, [0.0, 0.0], 20.0),
            tile(&written, 0, [20.0, 0.0], 20.0),
            PictureTile {
                opacity: 0.5,
                ..tile(&computed, 0, [0.0, 20.0], 20.0)
            },
            // Pictures that are not there are left out.
            tile(&computed, 2, [40.0, 0.0], 20.0),
        ],
        smooth: false,
    };
    let rect = canvas.rect();
    let picture = canvas.paint(&[tiles.paint_callback(rect)]);
    let mut seen = 0;
    for (left, top, wanted, opacity) in [
        (0.0, 0.0, &all[48..], 1.0),
        (20.0, 0.0, &all[..16], 1.0),
        (0.0, 20.0, &all[32..48], 0.5),
    ] {
        for y in 0..40 {
            for x in 0..40 {
                let place = pos2(left + x as f32 / 2.0 + 0.25, top + y as f32 / 2.0 + 0.25);
                let is = picture.at(place, 2.0);
                let should = f32::from(byte(wanted[y / 10 * 4 + x / 10])) * opacity;
                assert!((f32::from(is[0]) - should).abs() <= 0.51, "{x} {y}: {is:?}");
                assert_eq!([is[0]; 3], is, "grey");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 3 * 1600);
    assert_eq!(picture.at(pos2(50.0, 10.0), 2.0), [0; 3]);
}

#[test]
fn what_is_no_number_is_black_and_a_wall_half_outside_is_not_squeezed() {
    let Some(mut canvas) = Canvas::new(64, 64, 1.0) else {
        return;
    };
    let buffer = PictureBuffer::room(&canvas.shared, 4, 1);
    let values = [f32::NAN, 1.0, f32::INFINITY, f32::NEG_INFINITY];
    buffer.write(&canvas.shared, 0, &values);
    let rect = Rect::from_min_size(pos2(-20.0, 0.0), vec2(60.0, 60.0));
    let tiles = PictureTiles {
        view: ViewId(4),
        shape: [1, 2, 2],
        tiles: vec![tile(&buffer, 0, [-10.0, 0.0], 40.0)],
        smooth: false,
    };
    let picture = canvas.paint(&[tiles.paint_callback(rect)]);
    let at = |x: f32, y: f32| picture.at(pos2(x, y), 1.0)[0];
    assert_eq!([at(5.0, 10.0), at(25.0, 10.0)], [0, 255]);
    assert_eq!([at(5.0, 30.0), at(25.0, 30.0)], [255, 0]);
    assert_eq!(at(31.0, 10.0), 0);
}
