//! Features and scores against the package's own, slopes against differences in f64.

use super::spread::{moments, shape_of};
use super::*;
use crate::checkpoint::read_brisque;
use crate::model::streams::numbers;

#[derive(serde::Deserialize)]
struct Reference {
    model: String,
    ranges: Ranges,
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Ranges {
    min_: Vec<f64>,
    max_: Vec<f64>,
}

#[derive(serde::Deserialize)]
struct Case {
    key: u32,
    shape: [usize; 3],
    rough: f64,
    features: Vec<f64>,
    score: f64,
    few: f64,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../../../../tests/reference/brisque.json")).unwrap()
}

/// The package's ranges and its first support vectors.
fn few(reference: &Reference) -> Arc<BrisqueModel> {
    let Ranges { min_, max_ } = &reference.ranges;
    let ranges = [min_.clone(), max_.clone()];
    let folder = crate::checkpoint::brisque_folder(&reference.model, ranges);
    Arc::new(read_brisque(folder.path()).unwrap())
}

/// The picture that the script makes of a case, 0 black to 1 white.
fn picture(case: &Case) -> Vec<f64> {
    let [channels, rows, columns] = case.shape;
    let mut picture = Vec::new();
    for channel in 0..channels as u32 {
        let mut plane = vec![128.0; rows * columns];
        for level in 0..5 {
            let side = (columns >> level) + 1;
            let key = case.key + 16 * channel + level;
            let values = numbers(key, ((rows >> level) + 1) * side);
            let strong = if level == 0 {
                case.rough
            } else {
                12.0 * f64::from(level)
            };
            for (at, v) in plane.iter_mut().enumerate() {
                let (y, x) = (at / columns, at % columns);
                *v += values[(y >> level) * side + (x >> level)] * strong;
            }
        }
        let bytes = plane.iter().map(|v| (v.clamp(0.0, 255.0) + 0.5).floor());
        picture.extend(bytes.map(|byte| byte / 255.0));
    }
    picture
}

#[test]
fn features_and_scores_are_those_of_the_package() {
    let reference = reference();
    let model = few(&reference);
    assert_eq!(model.vectors.len(), 16);
    for case in &reference.cases {
        let picture = picture(case);
        let brisque = Brisque::new(model.clone(), case.shape);
        let features = brisque.features(&super::grey(&picture, case.shape));
        for (at, (own, expected)) in features.iter().zip(&case.features).enumerate() {
            // The package searches the shape to about 1e-8; its slope by the moments reaches 1e4 at 9.
            let apart = (own - expected).abs() / expected.abs().max(0.01);
            assert!(apart < 1e-6, "{:?} {at}: {own} {expected}", case.shape);
        }
        let score = brisque.score(&picture, None);
        assert!((score - case.few).abs() < 1e-3, "{score} {}", case.few);
    }
}

#[test]
#[ignore = "needs the file that scripts/fetch-rewards brings: FORESIGHT_BRISQUE names its folder"]
fn scores_of_the_package_s_own_model_are_its_own() {
    let folder = std::env::var_os("FORESIGHT_BRISQUE").expect("the folder of svm.txt");
    let model = Arc::new(read_brisque(folder.as_ref()).unwrap());
    for case in &reference().cases {
        let score = Brisque::new(model.clone(), case.shape).score(&picture(case), None);
        let apart = (score - case.score).abs();
        assert!(apart < 1e-4, "{:?}: {score} {}", case.shape, case.score);
    }
}

#[test]
fn the_slope_is_that_of_central_differences_in_f64() {
    let reference = reference();
    let model = few(&reference);
    for case in &reference.cases {
        let picture = picture(case);
        let brisque = Brisque::new(model.clone(), case.shape);
        let mut slopes = vec![0.0; picture.len()];
        let slope = Slope {
            weight: 2.0,
            into: &mut slopes,
        };
        let score = brisque.score(&picture, Some(slope));
        assert_eq!(score, brisque.score(&picture, None));
        let largest = slopes.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
        assert!(largest > 1.0, "{largest}");
        let h = 1e-6;
        for at in (0..picture.len()).step_by(37) {
            let moved = |by: f64| {
                let mut picture = picture.clone();
                picture[at] += by;
                brisque.score(&picture, None)
            };
            let difference = (moved(h) - moved(-h)) / h;
            let apart = (difference - slopes[at]).abs();
            // Scores of about 1e3 in f64 over 1e-6, and third derivatives.
            assert!(apart < 1e-5 * largest, "{at}: {difference} {}", slopes[at]);
        }
    }
}

#[test]
fn a_shape_is_where_the_moments_have_the_ratio_and_ends_where_the_tables_end() {
    for shape in [0.21, 0.5, 1.0, 2.0, 4.7, 9.9] {
        let (ratio, slope) = moments(shape);
        let (found, by_ratio) = shape_of(ratio);
        assert!((found - shape).abs() < 1e-8 * shape, "{found} {shape}");
        assert!((by_ratio * slope - 1.0).abs() < 1e-6);
        let h = 1e-5;
        let difference = (moments(shape + h).0 - moments(shape - h).0) / (2.0 * h);
        assert!((difference - slope).abs() < 1e-7, "{difference} {slope}");
    }
    // Laplace's and Gauss's distributions.
    assert!((moments(1.0).0 - 0.5).abs() < 1e-9);
    assert!((moments(2.0).0 - std::f64::consts::FRAC_2_PI).abs() < 1e-9);
    assert_eq!(shape_of(0.75), (10.0, 0.0));
    assert_eq!(shape_of(0.0), (0.2, 0.0));
}

#[test]
fn an_even_picture_has_a_finite_score_and_no_slope_that_is_not() {
    let model = few(&reference());
    for value in [0.0, 0.37, 1.0] {
        let brisque = Brisque::new(model.clone(), [1, 16, 16]);
        let mut slopes = vec![0.0; 256];
        let slope = Slope {
            weight: 1.0,
            into: &mut slopes,
        };
        assert!(brisque.score(&[value; 256], Some(slope)).is_finite());
        assert!(slopes.iter().all(|v| v.is_finite()));
    }
}
