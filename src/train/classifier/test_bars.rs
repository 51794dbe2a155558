//! A problem of two classes for tests: bars that lie or stand.

use crate::model::{ClassifierConfig, NormKind};
use crate::train::ImageSet;

/// Rows and columns of a picture.
pub(crate) const SIDE: usize = 8;

/// Pictures `from..from + n` of one bar each; every other one lies.
pub(crate) fn bars(n: usize, from: usize) -> ImageSet {
    let all = from..from + n;
    let pixels = all.clone().flat_map(|item| {
        (0..SIDE * SIDE).map(move |k| {
            let along = if item % 2 == 0 { k / SIDE } else { k % SIDE };
            if along == 1 + item / 2 % 6 { 255 } else { 0 }
        })
    });
    ImageSet {
        shape: [1, SIDE, SIDE],
        pixels: pixels.collect(),
        labels: all.map(|item| u16::from(item % 2 == 0)).collect(),
        classes: vec!["stands".into(), "lies".into()],
    }
}

/// A network that can tell them apart.
pub(crate) fn small_classifier() -> ClassifierConfig {
    ClassifierConfig {
        image: [1, SIDE, SIDE],
        classes: 2,
        stem_stride: 1,
        stages: vec![(8, 1)],
        mirrored: false,
        pooled: false,
        norm: NormKind::Group,
        others: Vec::new(),
    }
}
