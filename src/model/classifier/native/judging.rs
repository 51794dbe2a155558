//! What a classifier says of images, and how that changes with their pixels.

use rayon::prelude::*;

use super::norm::Over;
use super::{NativeClassifier, PART, Room};
use crate::model::classifier::{Statistics, pooled};

/// Units whose passes are in memory at once while gradients are made.
const WAVE: usize = 8;

/// Told an image's number, its features and logits; leaves a function's derivatives by them in two rows of zeros.
type Cotangent<'a> = &'a mut dyn FnMut(usize, (&[f32], &[f32]), (&mut [f32], &mut [f32]));

impl NativeClassifier {
    /// Logarithms of the classes' probabilities, up to a constant an image: `[n][classes]` of `images`, `[n][C H W]` in
    /// [-1, 1]. Those of an image do not depend on the others.
    ///
    /// # Panics
    /// When they are no whole number of images.
    pub fn logits(&self, images: &[f32]) -> Vec<f32> {
        self.see(images).1
    }

    /// What the last layer sees, `[n][F]`, and the same logits.
    ///
    /// # Panics
    /// When they are no whole number of images.
    pub fn see(&self, images: &[f32]) -> (Vec<f32>, Vec<f32>) {
        if !self.config.mirrored {
            return self.see_each(images);
        }
        let (features, logits) = self.see_each(&self.with_mirrored(images));
        (
            of_pairs(&features, self.last.width),
            of_pairs(&logits, self.config.classes),
        )
    }

    fn see_each(&self, images: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let (numbers, width, classes) = (self.numbers(), self.last.width, self.config.classes);
        assert!(images.len().is_multiple_of(numbers), "whole images");
        let n = images.len() / numbers;
        let (mut features, mut logits) = (vec![0.0; n * width], vec![0.0; n * classes]);
        features
            .par_chunks_mut(PART * width)
            .zip(logits.par_chunks_mut(PART * classes))
            .zip(images.par_chunks(PART * numbers))
            .for_each_init(
                || self.room(),
                |room, ((features, logits), images)| {
                    let features = features.chunks_mut(self.unit * width);
                    let units = features.zip(logits.chunks_mut(self.unit * classes));
                    for ((features, logits), images) in
                        units.zip(images.chunks(self.unit * numbers))
                    {
                        self.forward(images, room);
                        features.copy_from_slice(&room.features[..features.len()]);
                        logits.copy_from_slice(&room.logits[..logits.len()]);
                    }
                },
            );
        (features, logits)
    }

    /// What [`Self::see`] sees, and the gradient by the pixels, `[n][C H W]`, of any function of it: `cotangent` is told an
    /// image's number, its features and logits, and leaves the function's derivatives in two rows of zeros.
    ///
    /// # Panics
    /// When they are no whole number of images, or `gradients` has another size.
    pub(crate) fn pullback(
        &self,
        images: &[f32],
        cotangent: Cotangent<'_>,
        gradients: &mut [f32],
    ) -> (Vec<f32>, Vec<f32>) {
        assert_eq!(images.len(), gradients.len(), "a gradient a number");
        if !self.config.mirrored {
            return self.pull_each(images, 1, cotangent, gradients);
        }
        let both = self.with_mirrored(images);
        let mut by_both = vec![0.0; both.len()];
        let seen = self.pull_each(&both, 2, cotangent, &mut by_both);
        let (numbers, columns) = (self.numbers(), self.config.image[2]);
        let pairs = by_both.chunks_exact(2 * numbers);
        for (pair, to) in pairs.zip(gradients.chunks_exact_mut(numbers)) {
            let (own, mirrored) = pair.split_at(numbers);
            to.copy_from_slice(own);
            let rows = mirrored.chunks_exact(columns);
            for (to, row) in to.chunks_exact_mut(columns).zip(rows) {
                for (to, from) in to.iter_mut().zip(row.iter().rev()) {
                    *to += from;
                }
            }
        }
        seen
    }

    /// The same; what is seen is the mean over `views` images that stand beside each other.
    fn pull_each(
        &self,
        images: &[f32],
        views: usize,
        cotangent: Cotangent<'_>,
        gradients: &mut [f32],
    ) -> (Vec<f32>, Vec<f32>) {
        let (numbers, width, classes) = (self.numbers(), self.last.width, self.config.classes);
        assert!(images.len().is_multiple_of(numbers), "whole images");
        let units = (images.len() / numbers).div_ceil(self.unit);
        let mut rooms: Vec<Room> = (0..units.min(WAVE)).map(|_| self.room()).collect();
        let (mut features, mut logits) = (Vec::new(), Vec::new());
        let waves = images.chunks(WAVE * self.unit * numbers);
        let waves = waves.zip(gradients.chunks_mut(WAVE * self.unit * numbers));
        for (wave, (images, gradients)) in waves.enumerate() {
            rooms
                .par_iter_mut()
                .zip(images.par_chunks(self.unit * numbers))
                .for_each(|(room, images)| self.forward(images, room));
            for item in (0..images.len() / numbers).step_by(views) {
                let (room, at) = (&mut rooms[item / self.unit], item % self.unit);
                let of = |width: usize| at * width..(at + views) * width;
                let own = mean(&room.features[of(width)], width);
                let said = mean(&room.logits[of(classes)], classes);
                let (mut by_own, mut by_said) = (vec![0.0; width], vec![0.0; classes]);
                let number = (wave * WAVE * self.unit + item) / views;
                cotangent(number, (&own, &said), (&mut by_own, &mut by_said));
                spread(&by_own, &mut room.d_features[of(width)]);
                spread(&by_said, &mut room.logits[of(classes)]);
                features.extend(own);
                logits.extend(said);
            }
            rooms
                .par_iter_mut()
                .zip(gradients.par_chunks_mut(self.unit * numbers))
                .for_each(|(room, gradients)| {
                    let live = gradients.len() / numbers;
                    room.logits[live * classes..].fill(0.0);
                    room.d_features[live * width..].fill(0.0);
                    self.backward(room, None, true);
                    self.without_border(&room.d_image, gradients);
                });
        }
        (features, logits)
    }

    /// What the norms of a network that [learns](Self::learning) see over all of these images. Empty where they do not look
    /// over images.
    pub(crate) fn statistics(&self, images: &[f32]) -> Statistics {
        if self.last.over != Over::Images {
            return Vec::new();
        }
        let units: Vec<Statistics> = images
            .par_chunks(self.unit * self.numbers())
            .map_init(
                || self.room(),
                |room, images| {
                    self.forward(images, room);
                    let seen = room.kept.iter();
                    seen.map(|kept| [kept.means.clone(), kept.variances.clone()])
                        .collect()
                },
            )
            .collect();
        pooled(&units)
    }

    /// Each image, and behind it its mirror image.
    fn with_mirrored(&self, images: &[f32]) -> Vec<f32> {
        let (numbers, columns) = (self.numbers(), self.config.image[2]);
        assert!(images.len().is_multiple_of(numbers), "whole images");
        let mut both = Vec::with_capacity(2 * images.len());
        for image in images.chunks_exact(numbers) {
            both.extend_from_slice(image);
            for row in image.chunks_exact(columns) {
                both.extend(row.iter().rev());
            }
        }
        both
    }

    /// The pixels of images that lie within a border.
    fn without_border(&self, bordered: &[f32], to: &mut [f32]) {
        let [_, rows, columns] = self.config.image;
        let planes = bordered.chunks_exact((rows + 2) * (columns + 2));
        for (from, to) in planes.zip(to.chunks_exact_mut(rows * columns)) {
            let lines = from.chunks_exact(columns + 2).skip(1);
            for (from, to) in lines.zip(to.chunks_exact_mut(columns)) {
                to.copy_from_slice(&from[1..=columns]);
            }
        }
    }
}

/// The means of pairs of rows.
fn of_pairs(rows: &[f32], width: usize) -> Vec<f32> {
    let pairs = rows.chunks_exact(2 * width);
    pairs.flat_map(|pair| mean(pair, width)).collect()
}

/// The mean of rows.
fn mean(rows: &[f32], width: usize) -> Vec<f32> {
    let mut mean = vec![0.0; width];
    let share = width as f32 / rows.len() as f32;
    for row in rows.chunks_exact(width) {
        for (mean, v) in mean.iter_mut().zip(row) {
            *mean += share * v;
        }
    }
    mean
}

/// The gradient by a mean, as that by each of its rows.
fn spread(by_mean: &[f32], rows: &mut [f32]) {
    let share = by_mean.len() as f32 / rows.len() as f32;
    for row in rows.chunks_exact_mut(by_mean.len()) {
        for (to, d) in row.iter_mut().zip(by_mean) {
            *to = share * d;
        }
    }
}
