//! What one training step sees.

use burn::tensor::{Device, Int, Tensor, TensorData};
use rayon::prelude::*;

use super::recipe::ImageRecipe;
use crate::process::{Address, Purpose, normal_pairs, uniforms};
use crate::train::ImageSet;

/// Items of a step on a device; each part is one row an item. The first `diagonal` have `s = u`.
#[derive(Debug, Clone)]
pub struct ImageBatch {
    /// Start of the jump, `[B]`.
    pub s: Tensor<1>,
    /// End of the jump, `[B]`.
    pub u: Tensor<1>,
    /// Time of the conditioning state, `[B]`.
    pub t: Tensor<1>,
    /// Where the jump starts, `I_s = (1 - s) x_0 + s x_1`, `[B, C, H, W]`.
    pub x: Tensor<4>,
    /// The conditioning state; zeros at `t = 0`.
    pub x_t: Tensor<4>,
    /// `x_1 - x_0`.
    pub direction: Tensor<4>,
    /// Class, or the number of classes for none, `[B]`.
    pub label: Tensor<1, Int>,
    /// Guidance scale that the item is taught with, `[B]`.
    pub guidance: Tensor<1>,
    /// A uniform number, `[B]`: the place of a middle time.
    pub middle: Tensor<1>,
    /// Items with `s = u`.
    pub diagonal: usize,
}

/// Numbers of one item besides its images.
struct Item {
    image: usize,
    mirrored: bool,
    s: f32,
    u: f32,
    t: f32,
    label: i32,
    guidance: f32,
    middle: f32,
}

impl ImageBatch {
    /// Items `first .. first + count` of a step's batch: the same whenever and wherever they are asked.
    pub fn at(
        recipe: &ImageRecipe,
        data: &ImageSet,
        step: u32,
        (first, count): (usize, usize),
        device: &Device,
    ) -> Self {
        let items: Vec<Item> = (first..first + count)
            .map(|i| item(recipe, data, step, i))
            .collect();
        let size = data.stride();
        let mut parts: Vec<Vec<f32>> = (0..3).map(|_| vec![0.0; count * size]).collect();
        let [x, x_t, direction] = &mut parts[..] else {
            unreachable!("three parts were made");
        };
        x.par_chunks_mut(size)
            .zip(x_t.par_chunks_mut(size))
            .zip(direction.par_chunks_mut(size))
            .zip(items.par_iter())
            .enumerate()
            .for_each(|(i, (((x, x_t), direction), item))| {
                // Two normals a number: one for x_0, one for the conditioning state.
                let mut noise = vec![[0.0_f32; 2]; size];
                let address = Address::new(recipe.seed, Purpose::TrainNoise, step);
                normal_pairs(address, (first + i) * size, &mut noise);
                let [_, _, columns] = data.shape;
                for (k, value) in data.image(item.image).iter().enumerate() {
                    let k = if item.mirrored {
                        let column = k % columns;
                        k - column + (columns - 1 - column)
                    } else {
                        k
                    };
                    let clean = f32::from(*value) / 127.5 - 1.0;
                    let [base, own] = noise[k];
                    x[k] = (1.0 - item.s) * base + item.s * clean;
                    direction[k] = clean - base;
                    if item.t > 0.0 {
                        x_t[k] = (1.0 - item.t) * own + item.t * clean;
                    }
                }
            });
        let [channels, rows, columns] = data.shape;
        let shape = [count, channels, rows, columns];
        let mut parts = parts.into_iter();
        let mut image = || {
            let values = parts.next().unwrap_or_default();
            Tensor::<4>::from_data(TensorData::new(values, shape), device)
        };
        let (x, x_t, direction) = (image(), image(), image());
        let column = |pick: fn(&Item) -> f32| {
            let values: Vec<f32> = items.iter().map(pick).collect();
            Tensor::<1>::from_data(TensorData::new(values, [count]), device)
        };
        let labels: Vec<i32> = items.iter().map(|item| item.label).collect();
        Self {
            s: column(|item| item.s),
            u: column(|item| item.u),
            t: column(|item| item.t),
            x,
            x_t,
            direction,
            label: Tensor::from_data(TensorData::new(labels, [count]), device),
            guidance: column(|item| item.guidance),
            middle: column(|item| item.middle),
            diagonal: items.iter().filter(|item| item.s == item.u).count(),
        }
    }
}

fn item(recipe: &ImageRecipe, data: &ImageSet, step: u32, i: usize) -> Item {
    let mut u = [0.0_f32; 12];
    let address = Address::new(recipe.seed, Purpose::TrainTime, step);
    uniforms(address, i * u.len(), &mut u);
    let image = ((f64::from(u[0]) + f64::from(u[11]) / f64::from(1_u32 << 23)) * data.len() as f64)
        as usize;
    let image = image.min(data.len().saturating_sub(1));
    let times = recipe.times;
    let t = if u[1] < times.unconditional {
        0.0
    } else {
        u[2].powf(times.power)
    };
    // Every micro-batch has its share of the diagonal, first: no item of one part stands among those of the other.
    let on_diagonal =
        ((i % recipe.micro_batch) as f64) < recipe.diagonal_share * recipe.micro_batch as f64;
    let (from, to) = if on_diagonal {
        (u[3], u[3])
    } else if u[4] < times.whole {
        (0.0, 1.0)
    } else {
        (u[5].min(u[6]), u[5].max(u[6]))
    };
    let class = i32::from(data.labels.get(image).copied().unwrap_or_default());
    let has_class = f64::from(u[7]) >= recipe.label_dropout;
    let guided = has_class && f64::from(u[8]) < recipe.guided_share;
    Item {
        image,
        mirrored: recipe.mirror && u[9] < 0.5,
        s: from,
        u: to,
        t,
        label: if has_class {
            class
        } else {
            recipe.model.label_dim as i32
        },
        guidance: if guided { recipe.guidance() } else { 1.0 },
        middle: u[10],
    }
}
