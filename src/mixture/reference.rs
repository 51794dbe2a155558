//! What the tests of this room share: the numbers of `tests/reference/closed_forms.py`, and mutated files.

use std::sync::LazyLock;

use serde::Deserialize;

use super::{Mixture, Point};
use crate::process::{Address, Purpose, uniforms};

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

/// `good` with one to four bytes or stretches changed, cut, doubled or replaced; the same for the same `case`.
pub fn mutated(good: &[u8], case: u32) -> Vec<u8> {
    const SPICE: [&[u8]; 12] = [
        b"-", b"0", b"1e308", b"-inf", b"NaN", b"(", b")", b"\"", b",", b"\n", b"\xff", b"1e-320",
    ];
    let mut u = [0.0_f32; 17];
    uniforms(Address::new(0, Purpose::Test, case), 0, &mut u);
    let mut bytes = good.to_vec();
    let rounds = 1 + (u[16] * 4.0) as usize;
    for u in u.chunks_exact(4).take(rounds) {
        let pick =
            |u: f32, below: usize| ((u * below as f32) as usize).min(below.saturating_sub(1));
        let at = pick(u[0], bytes.len());
        let end = (at + 1 + pick(u[1], 8)).min(bytes.len());
        match pick(u[2], 5) {
            0 if at < bytes.len() => bytes[at] = pick(u[3], 256) as u8,
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(at..end)),
            3 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
            _ => drop(bytes.splice(at..end, SPICE[pick(u[3], SPICE.len())].iter().copied())),
        }
    }
    bytes
}
