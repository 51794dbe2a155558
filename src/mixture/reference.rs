//! Numbers of `tests/reference/closed_forms.py` for the tests of this room.

use std::sync::LazyLock;

use serde::Deserialize;

use super::{Mixture, Point};

/// `tests/reference/closed_forms.json`.
#[derive(Deserialize)]
pub struct Reference {
    pub cases: Vec<Case>,
    pub glass: Vec<GlassCase>,
}

/// Quadrature over `x_1` of everything about `x_t = x`.
#[derive(Deserialize)]
pub struct Case {
    pub mixture: Mixture,
    pub t: f64,
    pub x: Point,
    pub log_density: f64,
    pub denoiser: Point,
    /// xx, xy, yy.
    pub covariance: [f64; 3],
    pub velocity: Point,
    pub score: Point,
    pub responsibilities: Vec<f64>,
}

/// Quadrature over `x_1` of `E[x_1 - x_0 | I_s, x_t]`.
#[derive(Deserialize)]
pub struct GlassCase {
    pub mixture: Mixture,
    pub s: f64,
    pub inner: Point,
    pub t: f64,
    pub x_t: Point,
    pub velocity: Point,
}

/// The checked-in numbers.
pub fn mixture() -> &'static Reference {
    static REFERENCE: LazyLock<Reference> = LazyLock::new(|| {
        serde_json::from_str(include_str!("../../tests/reference/closed_forms.json"))
            .expect("the reference file is checked in with this test")
    });
    &REFERENCE
}

/// Fails unless the two agree, absolutely up to 1 and relatively beyond.
#[track_caller]
pub fn close(ours: f64, theirs: f64, tolerance: f64) {
    let allowed = tolerance * theirs.abs().max(1.0);
    assert!(
        (ours - theirs).abs() <= allowed,
        "{ours} is not {theirs} within {allowed:e}"
    );
}

/// [`close`] for both coordinates.
#[track_caller]
pub fn close_points(ours: Point, theirs: Point, tolerance: f64) {
    close(ours[0], theirs[0], tolerance);
    close(ours[1], theirs[1], tolerance);
}
