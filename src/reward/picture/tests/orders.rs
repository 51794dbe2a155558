//! Pictures in the order in which a person would put them.

use super::*;

/// A picture by a function of the pixel, 0 black to 1 white, rows and columns from -1 to 1.
fn drawn(shape: [usize; 3], of: impl Fn(usize, f32, f32) -> f32) -> Vec<f32> {
    let [channels, rows, columns] = shape;
    let mut picture = Vec::new();
    for channel in 0..channels {
        for y in 0..rows {
            for x in 0..columns {
                let at = |k: usize, n: usize| (2 * k + 1) as f32 / n as f32 - 1.0;
                picture.push(2.0 * of(channel, at(y, rows), at(x, columns)) - 1.0);
            }
        }
    }
    picture
}

/// Light inside, dark outside, with an edge of about a pixel.
fn soft(inside: f32) -> f32 {
    (14.0 * inside + 0.5).clamp(0.0, 1.0)
}

fn ring(radius: f32, half: f32) -> Vec<f32> {
    drawn(DIGIT, |_, y, x| soft(half - (x.hypot(y) - radius).abs()))
}

fn bar(middle: f32, half: f32) -> Vec<f32> {
    drawn(DIGIT, |_, y, x| {
        soft((half - (x - middle).abs()).min(0.7 - y.abs()))
    })
}

fn grey(value: f32) -> Vec<f32> {
    drawn(DIGIT, |_, _, _| value)
}

/// Asserts that each picture scores clearly more than the next.
fn falling(text: &str, shape: [usize; 3], pictures: &[Vec<f32>]) {
    let score = bound(text, shape);
    let scores: Vec<f32> = pictures.iter().map(|p| score_of(&*score, p)).collect();
    assert!(
        scores.windows(2).all(|w| w[0] > w[1] + 0.2),
        "{text}: {scores:?}"
    );
}

#[test]
fn light_is_ordered_as_it_is_seen() {
    falling("brightness", DIGIT, &[grey(1.0), grey(0.6), grey(0.1)]);
    falling("-brightness", DIGIT, &[grey(0.1), grey(0.6), grey(1.0)]);
    let stripes = |depth: f32| drawn(DIGIT, move |_, _, x| 0.5 + depth * (9.0 * x).sin());
    falling("contrast", DIGIT, &[stripes(0.5), stripes(0.2), grey(0.5)]);
    let step = |soft: f32| drawn(DIGIT, move |_, _, x| 0.5 + 0.5 * (x / soft).tanh());
    falling("sharpness", DIGIT, &[step(0.01), step(0.1), step(0.4)]);
    let finer = |waves: f32| {
        drawn(DIGIT, move |_, y, x| {
            f32::from((waves * x).sin() * (waves * y).sin() > 0.0)
        })
    };
    falling("edges", DIGIT, &[finer(14.0), finer(5.0), grey(1.0)]);
    falling(
        "symmetry",
        DIGIT,
        &[bar(0.0, 0.2), bar(0.25, 0.35), bar(0.6, 0.2)],
    );
}

#[test]
fn thick_strokes_stand_above_thin_ones_however_long_they_are() {
    for text in ["thickness", "hard-thickness"] {
        falling(
            text,
            DIGIT,
            &[ring(0.5, 0.3), ring(0.5, 0.15), ring(0.5, 0.08)],
        );
        falling(text, DIGIT, &[bar(0.0, 0.25), ring(0.5, 0.12)]);
        falling(text, DIGIT, &[ring(0.0, 0.6), ring(0.0, 0.3), grey(0.0)]);
        let score = bound(text, DIGIT);
        let (short, long) = (bar(0.0, 0.15), ring(0.6, 0.15));
        let apart = score_of(&*score, &short) - score_of(&*score, &long);
        // In half pixels; a bar of 4 pixels has ends.
        assert!(apart.abs() < 2.0, "{text}: {apart}");
    }
}

#[test]
fn strokes_parts_and_holes_are_counted() {
    let wide = |from: usize, to: usize| {
        let mut picture = vec![-1.0; 784];
        for y in 4..24 {
            picture[y * 28 + from..y * 28 + to].fill(1.0);
        }
        picture
    };
    for width in 1..8 {
        // All of the strokes but their ends are as wide; strengths count halves of a pixel.
        let thickness = score_of(&*bound("hard-thickness@0.5", DIGIT), &wide(10, 10 + width));
        assert!(
            (thickness - width as f32).abs() < 0.03 * (width * width) as f32,
            "{width}: {thickness}"
        );
    }
    let count = |text: &str, picture: &[f32]| score_of(&*bound(text, DIGIT), picture);
    let mut two = wide(4, 8);
    for (to, other) in two.iter_mut().zip(wide(12, 15)) {
        *to = to.max(other);
    }
    assert_eq!((count("parts", &two), count("holes", &two)), (2.0, 0.0));
    let ring = ring(0.6, 0.15);
    assert_eq!((count("parts", &ring), count("holes", &ring)), (1.0, 1.0));
    assert_eq!(
        (count("parts", &grey(0.0)), count("holes", &grey(0.0))),
        (0.0, 0.0)
    );
    assert_eq!(
        (count("parts", &grey(1.0)), count("holes", &grey(1.0))),
        (1.0, 0.0)
    );
    // Strokes that touch at a corner are one part, and do close in what is between them.
    let mut corners = vec![-1.0; 784];
    for at in [1, 28, 30, 57] {
        corners[at + 300] = 1.0;
    }
    assert_eq!(
        (count("parts", &corners), count("holes", &corners)),
        (1.0, 1.0)
    );
    falling("bytes", DIGIT, &[smooth(DIGIT, 1, 4), ring, grey(0.3)]);
}

#[test]
fn the_classifier_sees_a_bar_as_a_one_and_a_ring_as_a_zero() {
    let (one, zero) = (bar(0.0, 0.11), ring(0.5, 0.11));
    falling("class:1", DIGIT, &[one.clone(), zero.clone()]);
    falling("class:0", DIGIT, &[zero.clone(), one.clone()]);
    let parts = PictureParts {
        judge: Some(judge()),
        references: vec![ReferencePicture {
            picture: one.clone().into(),
            mask: None,
        }],
        ..PictureParts::default()
    };
    let reward: PictureReward = "similar".parse().unwrap();
    let score = reward.bind(DIGIT, &parts).unwrap();
    let scores = [one, bar(0.08, 0.13), zero].map(|picture| score_of(&*score, &picture));
    assert!((scores[0] - 4.0).abs() < 1e-3, "{scores:?}");
    assert!(
        scores[0] > scores[1] && scores[1] > scores[2] + 0.5,
        "{scores:?}"
    );
}

#[test]
fn colours_are_ordered_as_they_are_seen() {
    let flat = |colour: [f32; 3]| drawn(PHOTO, move |c, _, _| colour[c]);
    let (red, rose, grey) = (flat([0.9, 0.1, 0.1]), flat([0.7, 0.4, 0.4]), flat([0.5; 3]));
    falling(
        "saturation",
        PHOTO,
        &[red.clone(), rose.clone(), grey.clone()],
    );
    falling(
        "warmth",
        PHOTO,
        &[
            red.clone(),
            rose.clone(),
            grey.clone(),
            flat([0.2, 0.3, 0.8]),
        ],
    );
    let many = drawn(PHOTO, |c, y, x| {
        [f32::from(x > 0.0), f32::from(y > 0.0), f32::from(x < 0.0)][c]
    });
    falling("colourfulness", PHOTO, &[many, rose.clone(), grey.clone()]);
    let reds = "palette:e61a1a";
    falling(
        reds,
        PHOTO,
        &[red.clone(), rose.clone(), flat([0.0, 1.0, 1.0])],
    );
    // A second colour takes nothing from the first, and gives its own.
    falling(
        "palette:e61a1a,00ffff",
        PHOTO,
        &[flat([0.0, 1.0, 1.0]), rose],
    );
    assert!(score_of(&*bound(reds, PHOTO), &red).abs() < 0.02);
    falling(
        "brightness",
        PHOTO,
        &[
            flat([0.0, 1.0, 0.0]),
            flat([1.0, 0.0, 0.0]),
            flat([0.0, 0.0, 1.0]),
        ],
    );
}

#[test]
fn colourfulness_is_the_number_of_the_paper() {
    // Half red, half green: rg is 255 and -255, yb 127.5 everywhere.
    let picture = drawn(PHOTO, |c, _, x| {
        [f32::from(x < 0.0), f32::from(x > 0.0), 0.0][c]
    });
    let value = score_of(&*bound("colourfulness@15", PHOTO), &picture);
    let paper = 255.0 + 0.3 * 127.5;
    // The roots are half a step of 255 lower.
    assert!((value - paper).abs() < 0.8, "{value} {paper}");
    let grey = drawn(PHOTO, |_, y, x| 0.5 + 0.3 * x * y);
    assert!(score_of(&*bound("colourfulness@15", PHOTO), &grey).abs() < 1e-6);
}
