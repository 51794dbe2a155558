//! What one training step sees.

use burn::tensor::{Device, Int, Tensor, TensorData};
use rayon::prelude::*;

use super::recipe::ImageRecipe;
use crate::process::{Address, Purpose, normal_pairs, uniforms};
use crate::train::ImageSet;

/// Items of a step as plain numbers, one a row. The first `diagonal` have `s = u`.
#[derive(Debug, Clone)]
pub struct PlainBatch {
    /// Start of the jump, `[B]`.
    pub s: Vec<f32>,
    /// End of the jump, `[B]`.
    pub u: Vec<f32>,
    /// Time of the conditioning state, `[B]`.
    pub t: Vec<f32>,
    /// Where the jump starts, `I_s = (1 - s) x_0 + s x_1`, `[B][C H W]`.
    pub x: Vec<f32>,
    /// The conditioning state; zeros at `t = 0`.
    pub x_t: Vec<f32>,
    /// `x_1 - x_0`.
    pub direction: Vec<f32>,
    /// Class, or the number of classes for none, `[B]`.
    pub label: Vec<u32>,
    /// Guidance scale that the item is taught with, `[B]`.
    pub guidance: Vec<f32>,
    /// A uniform number, `[B]`: the place of a middle time.
    pub middle: Vec<f32>,
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
    label: u32,
    guidance: f32,
    middle: f32,
}

impl PlainBatch {
    /// Items `first .. first + count` of a step's batch: the same whenever and wherever they are asked.
    pub fn at(
        recipe: &ImageRecipe,
        data: &ImageSet,
        step: u32,
        (first, count): (usize, usize),
    ) -> Self {
        let items: Vec<Item> = (first..first + count)
            .map(|i| item(recipe, data, step, i))
            .collect();
        let size = data.stride();
        let [mut x, mut x_t, mut direction] = [(); 3].map(|()| vec![0.0; count * size]);
        x.par_chunks_mut(size)
            .zip(x_t.par_chunks_mut(size))
            .zip(direction.par_chunks_mut(size))
            .zip(items.par_iter())
            .enumerate()
            .for_each(|(i, (((x, x_t), direction), item))| {
                // Two normals a number: one for x_0, one for the conditioning state.
                let address = Address::new(recipe.seed, Purpose::TrainNoise, step);
                let mut noise = vec![[0.0_f32; 2]; size];
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
        let column = |pick: fn(&Item) -> f32| items.iter().map(pick).collect();
        Self {
            s: column(|item| item.s),
            u: column(|item| item.u),
            t: column(|item| item.t),
            x,
            x_t,
            direction,
            label: items.iter().map(|item| item.label).collect(),
            guidance: column(|item| item.guidance),
            middle: column(|item| item.middle),
            diagonal: items.iter().filter(|item| item.s == item.u).count(),
        }
    }
}

/// Items of a step on a device; each part is one row an item, as in [`PlainBatch`].
#[derive(Debug, Clone)]
pub struct ImageBatch {
    /// Start of the jump, `[B]`.
    pub s: Tensor<1>,
    /// End of the jump, `[B]`.
    pub u: Tensor<1>,
    /// Time of the conditioning state, `[B]`.
    pub t: Tensor<1>,
    /// Where the jump starts, `[B, C, H, W]`.
    pub x: Tensor<4>,
    /// The conditioning state.
    pub x_t: Tensor<4>,
    /// `x_1 - x_0`.
    pub direction: Tensor<4>,
    /// Class, `[B]`.
    pub label: Tensor<1, Int>,
    /// Guidance scale, `[B]`.
    pub guidance: Tensor<1>,
    /// The place of a middle time, `[B]`.
    pub middle: Tensor<1>,
    /// Items with `s = u`.
    pub diagonal: usize,
    /// Whether any item has another guidance scale than 1.
    pub guided: bool,
}

impl ImageBatch {
    /// Items `first .. first + count` of a step's batch.
    pub fn at(
        recipe: &ImageRecipe,
        data: &ImageSet,
        step: u32,
        range: (usize, usize),
        device: &Device,
    ) -> Self {
        let plain = PlainBatch::at(recipe, data, step, range);
        let count = plain.s.len();
        let [channels, rows, columns] = data.shape;
        let shape = [count, channels, rows, columns];
        let image =
            |values: Vec<f32>| Tensor::<4>::from_data(TensorData::new(values, shape), device);
        let column =
            |values: Vec<f32>| Tensor::<1>::from_data(TensorData::new(values, [count]), device);
        let labels: Vec<i32> = plain.label.iter().map(|label| *label as i32).collect();
        Self {
            guided: plain.guidance.iter().any(|w| *w != 1.0),
            s: column(plain.s),
            u: column(plain.u),
            t: column(plain.t),
            x: image(plain.x),
            x_t: image(plain.x_t),
            direction: image(plain.direction),
            label: Tensor::from_data(TensorData::new(labels, [count]), device),
            guidance: column(plain.guidance),
            middle: column(plain.middle),
            diagonal: plain.diagonal,
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
    let on_diagonal = ((i % recipe.micro_batch) as f64)
        < recipe.diagonal_share_at(step.into()) * recipe.micro_batch as f64;
    let (from, to) = if on_diagonal {
        (u[3], u[3])
    } else if u[4] < recipe.whole_at(step.into()) {
        (0.0, 1.0)
    } else {
        (u[5].min(u[6]), u[5].max(u[6]))
    };
    let class = u32::from(data.labels.get(image).copied().unwrap_or_default());
    let has_class = f64::from(u[7]) >= recipe.label_dropout_at(step.into());
    let guided = has_class && f64::from(u[8]) < recipe.guided_share_at(step.into());
    Item {
        image,
        mirrored: recipe.mirror && u[9] < 0.5,
        s: from,
        u: to,
        t,
        label: if has_class {
            class
        } else {
            recipe.model.label_dim as u32
        },
        guidance: if guided { recipe.guidance() } else { 1.0 },
        middle: u[10],
    }
}
