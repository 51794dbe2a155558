//! One unit of images through the network and back.

use super::pool::{pool, unpool};
use super::{NativeClassifier, Room};

impl NativeClassifier {
    /// Up to a unit of images; what stands in the places of others is anything.
    pub(super) fn forward(&self, images: &[f32], room: &mut Room) {
        let Room {
            image,
            flow: [x, y],
            within,
            kept,
            wide,
            chosen,
            columns: tile,
            features,
            logits,
            ..
        } = room;
        let (arch, flat) = (self.arch, self.flat.as_slice());
        let [_, rows, columns] = self.config.image;
        let live = images.len() / self.numbers();
        tile.live = live;
        for (channel, from) in images.chunks_exact(rows * columns).enumerate() {
            let plane = &mut image[channel * (rows + 2) * (columns + 2)..];
            for (row, from) in from.chunks_exact(columns).enumerate() {
                let at = (row + 1) * (columns + 2) + 1;
                plane[at..at + columns].copy_from_slice(from);
            }
        }
        self.stem.forward(arch, image, tile, x, false);
        let blocks = self.blocks.iter().zip(chosen);
        for ((block, chosen), kept) in blocks.zip(kept.chunks_exact_mut(2)) {
            let [kept_1, kept_2] = kept else {
                unreachable!("pairs")
            };
            block.norm_1.forward(arch, (flat, x), live, kept_1);
            if let Some(skip) = &block.skip {
                skip.forward(arch, &kept_1.active, tile, y, false);
                std::mem::swap(x, y);
            }
            let conv = &block.conv_1;
            if block.pooled {
                conv.forward(arch, &kept_1.active, tile, wide, false);
                let count = live * conv.shape.to;
                let all = count * conv.shape.out().iter().product::<usize>();
                pool(&wide[..all], conv.shape.out(), within, chosen);
            } else {
                conv.forward(arch, &kept_1.active, tile, within, false);
            }
            block.norm_2.forward(arch, (flat, within), live, kept_2);
            let conv = &block.conv_2;
            conv.forward(arch, &kept_2.active, tile, x, block.around);
        }
        let Some(seen) = kept.last_mut() else {
            return;
        };
        self.last.forward(arch, (flat, x), live, seen);
        let pixels = self.last.size[0] * self.last.size[1];
        let planes = seen.active.chunks_exact(self.last.plane());
        for (feature, plane) in features.iter_mut().zip(planes) {
            // The border is zero.
            *feature = plane.iter().sum::<f32>() / pixels as f32;
        }
        let classes = self.config.classes;
        let (weights, bias) = self.head_of(flat);
        let rows = features.chunks_exact(self.last.width);
        for (logits, features) in logits.chunks_exact_mut(classes).zip(rows) {
            logits.copy_from_slice(bias);
            for (feature, weights) in features.iter().zip(weights.chunks_exact(classes)) {
                for (logit, weight) in logits.iter_mut().zip(weights) {
                    *logit += feature * weight;
                }
            }
        }
    }

    fn head_of<'a>(&self, flat: &'a [f32]) -> (&'a [f32], &'a [f32]) {
        let classes = self.config.classes;
        let own = &flat[self.head..self.len];
        own.split_at(self.last.width * classes)
    }

    /// Adds the gradient of the weights where it is wanted, and leaves that of the images in `room.d_image` where that is;
    /// `room.logits` and `room.d_features` hold those of what was made.
    pub(super) fn backward(
        &self,
        room: &mut Room,
        mut gradient: Option<&mut [f32]>,
        to_images: bool,
    ) {
        let Room {
            image,
            flow: [d, other],
            within,
            kept,
            d_active,
            wide,
            chosen,
            columns: tile,
            features,
            logits,
            d_features,
            d_image,
        } = room;
        let (arch, flat) = (self.arch, self.flat.as_slice());
        let (width, classes) = (self.last.width, self.config.classes);
        let (weights, _) = self.head_of(flat);
        let pixels = self.last.size[0] * self.last.size[1];
        let plane = self.last.plane();
        if let Some(gradient) = gradient.as_deref_mut() {
            let own = &mut gradient[self.head..self.len];
            let (d_weights, d_bias) = own.split_at_mut(width * classes);
            let images = logits.chunks_exact(classes);
            for (d_logits, features) in images.zip(features.chunks_exact(width)) {
                add_times(d_bias, d_logits, 1.0);
                let rows = d_weights.chunks_exact_mut(classes);
                for (d_weights, feature) in rows.zip(features) {
                    add_times(d_weights, d_logits, *feature);
                }
            }
        }
        let images = logits.chunks_exact(classes);
        let images = images.zip(d_features.chunks_exact(width));
        for (image, (d_logits, own)) in images.enumerate() {
            let rows = weights.chunks_exact(classes).zip(own);
            for (feature, (weights, own)) in rows.enumerate() {
                let through = weights.iter().zip(d_logits).map(|(w, d)| w * d);
                let d_feature = own + through.sum::<f32>();
                let at = (image * width + feature) * plane;
                d_active[at..at + plane].fill(d_feature / pixels as f32);
            }
        }
        if let Some(kept) = kept.last_mut() {
            let told = (flat, &d_active[..]);
            self.last
                .backward(arch, told, kept, gradient.as_deref_mut(), (d, false));
        }
        let blocks = self.blocks.iter().zip(&*chosen);
        for ((block, chosen), kept) in blocks.zip(kept.chunks_exact_mut(2)).rev() {
            let [kept_1, kept_2] = kept else {
                unreachable!("pairs")
            };
            let len = kept_2.active.len();
            d_active[..len].fill(0.0);
            let told = (&kept_2.active[..], &d[..]);
            let to = Some(&mut d_active[..len]);
            block
                .conv_2
                .backward(arch, told, tile, gradient.as_deref_mut(), to);
            let told = (flat, &d_active[..len]);
            let norm = &block.norm_2;
            norm.backward(arch, told, kept_2, gradient.as_deref_mut(), (within, false));
            let len = kept_1.active.len();
            d_active[..len].fill(0.0);
            let from = if block.pooled {
                unpool(within, chosen, block.conv_1.shape.out(), wide);
                &*wide
            } else {
                &*within
            };
            let told = (&kept_1.active[..], &from[..]);
            let to = Some(&mut d_active[..len]);
            block
                .conv_1
                .backward(arch, told, tile, gradient.as_deref_mut(), to);
            if let Some(skip) = &block.skip {
                let told = (&kept_1.active[..], &d[..]);
                let to = Some(&mut d_active[..len]);
                skip.backward(arch, told, tile, gradient.as_deref_mut(), to);
                std::mem::swap(d, other);
            }
            // Without a skip the signal also went around.
            let add = block.around && block.skip.is_none();
            let told = (flat, &d_active[..len]);
            let norm = &block.norm_1;
            norm.backward(arch, told, kept_1, gradient.as_deref_mut(), (d, add));
        }
        let told = (&image[..], &d[..]);
        let to = if to_images {
            d_image.fill(0.0);
            Some(&mut d_image[..])
        } else {
            None
        };
        self.stem.backward(arch, told, tile, gradient, to);
    }
}

/// `to += by * from`.
fn add_times(to: &mut [f32], from: &[f32], by: f32) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += by * from;
    }
}
