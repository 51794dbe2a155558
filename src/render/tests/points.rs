//! Tensors painted from their own buffers.

use burn::tensor::Tensor;

use super::*;
use crate::gpu::PointBuffer;

const COLOR: [f32; 4] = [0.2, 0.6, 1.0, 1.0];
const COLOR_BYTES: [u8; 3] = [51, 153, 255];

fn layer(view: u64, points: &PointBuffer) -> Points {
    Points {
        view: ViewId(view),
        camera: camera(0.05),
        points: points.clone(),
        radius_px: 3.0,
        color: COLOR,
    }
}

#[test]
fn a_tensor_is_painted_from_its_own_buffer_plain_and_sliced_and_in_two_views_at_once() {
    let Some(mut canvas) = Canvas::new(256, 128, 1.0) else {
        return;
    };
    let shared = Arc::clone(&canvas.shared);
    let device = shared.burn_device().expect("burn joins the device");
    assert_eq!(
        device,
        shared.burn_device().expect("burn joined the device"),
        "one registration"
    );

    // 128 rows computed on the device: the first 64 at (-1, 0.5), the rest at (2, -1).
    let rows: Vec<f32> = (0..128)
        .flat_map(|i| if i < 64 { [-2.0, 1.0] } else { [4.0, -2.0] })
        .collect();
    let base = Tensor::<1>::from_floats(rows.as_slice(), &device).reshape([128, 2]);
    let all = base * 0.5;
    let sliced = all.clone().slice([64..128, 0..2]);
    let all = PointBuffer::from_tensor(all, &shared).expect("a tensor of points");
    let sliced = PointBuffer::from_tensor(sliced, &shared).expect("a slice of points");
    assert_eq!((all.len(), sliced.len()), (128, 64));
    assert_ne!(
        sliced.offset_bytes(),
        0,
        "a slice lies inside its tensor's buffer"
    );

    let left = small_rect();
    let right = left.translate(vec2(128.0, 0.0));
    let picture = canvas.paint(&[
        layer(1, &all).paint_callback(left),
        layer(2, &sliced).paint_callback(right),
    ]);
    let at = |rect: Rect, world| picture.at(camera(0.05).screen_from_world(rect, world), 1.0);
    assert_eq!(at(left, [-1.0, 0.5]), COLOR_BYTES);
    assert_eq!(at(left, [2.0, -1.0]), COLOR_BYTES);
    assert_eq!(
        at(right, [-1.0, 0.5]),
        [0; 3],
        "the slice leaves the first half out"
    );
    assert_eq!(at(right, [2.0, -1.0]), COLOR_BYTES);
    assert_eq!(at(left, [2.0, 1.0]), [0; 3], "up is up");
    let disc = std::f32::consts::PI * 9.0;
    let painted = picture.painted() as f32;
    assert!(
        (2.5 * disc..5.5 * disc).contains(&painted),
        "three discs: {painted} pixels"
    );

    // The same numbers come back, and the points outlive the tensor's other users.
    let back = sliced.read(&shared).expect("a device that works");
    assert!(back.iter().all(|p| *p == [2.0, -1.0]), "{:?}", &back[..2]);

    // A tensor that is no list of points, or that is not contiguous.
    let flat = Tensor::<1>::from_floats([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &device).reshape([2, 3]);
    assert!(PointBuffer::from_tensor(flat.clone(), &shared).is_err());
    let turned = PointBuffer::from_tensor(flat.swap_dims(0, 1), &shared).expect("[3, 2]");
    let wanted = vec![[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]];
    assert_eq!(turned.read(&shared).expect("a device that works"), wanted);
}

#[test]
fn two_layers_paint_two_buffers_and_the_later_one_lies_over() {
    let Some(mut canvas) = Canvas::new(128, 128, 1.0) else {
        return;
    };
    let first = PointBuffer::from_points(&canvas.shared, &[[0.0, 0.0], [1.0, 1.0]]).expect("fits");
    let second = PointBuffer::from_points(&canvas.shared, &[[0.0, 0.0]]).expect("fits");
    let rect = small_rect();
    let orange = Points {
        color: [1.0, 0.6, 0.0, 1.0],
        ..layer(12, &second)
    };
    let picture = canvas.paint(&[
        layer(11, &first).paint_callback(rect),
        orange.paint_callback(rect),
    ]);
    let at = |world| picture.at(camera(0.05).screen_from_world(rect, world), 1.0);
    assert_eq!(at([0.0, 0.0]), [255, 153, 0]);
    assert_eq!(at([1.0, 1.0]), COLOR_BYTES);
}

#[test]
fn points_stay_in_place_when_the_rectangle_hangs_out_of_the_screen() {
    let Some(mut canvas) = Canvas::new(128, 128, 2.0) else {
        return;
    };
    let points = PointBuffer::from_points(&canvas.shared, &[[0.5, 0.5]]).expect("fits");
    // 64 by 64 logical points are on the screen; the rectangle begins left of it.
    let rect = Rect::from_min_size(pos2(-40.0, 10.0), vec2(100.0, 40.0));
    let picture = canvas.paint(&[layer(21, &points).paint_callback(rect)]);
    let place = camera(0.05).screen_from_world(rect, [0.5, 0.5]);
    assert_eq!(picture.at(place, 2.0), COLOR_BYTES);
    assert!(
        picture.painted() < 60,
        "one disc of 3 pixels: {}",
        picture.painted()
    );
}

#[test]
fn nothing_is_painted_of_no_points_or_of_points_that_are_not_numbers() {
    let Some(mut canvas) = Canvas::new(128, 128, 1.0) else {
        return;
    };
    let none = PointBuffer::from_points(&canvas.shared, &[]).expect("fits");
    let far = [
        [f32::NAN, 0.0],
        [f32::INFINITY, 0.0],
        [1e30, 1e30],
        [0.0, f32::NEG_INFINITY],
    ];
    let rubbish = PointBuffer::from_points(&canvas.shared, &far).expect("fits");
    let rect = small_rect();
    let picture = canvas.paint(&[
        layer(31, &none).paint_callback(rect),
        layer(32, &rubbish).paint_callback(rect),
    ]);
    assert_eq!(picture.painted(), 0);
}
