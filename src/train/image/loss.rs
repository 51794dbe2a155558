//! The weighted loss of a batch, through burn's reverse mode; targets by forward mode.

use burn::module::Module as _;
use burn::tensor::Tensor;

use super::batch::ImageBatch;
use super::recipe::{ImageConsistency, ImageRecipe};
use crate::model::{Condition, Dit, Dual, MetaFlowMap as _};

/// A loss that can be differentiated, and its parts.
pub struct ImageLoss {
    /// Mean of the weighted errors: what is minimised.
    pub weighted: Tensor<1>,
    /// Mean squared error a number on the diagonal; NaN where no item is on it.
    pub diagonal: Tensor<1>,
    /// The same off the diagonal.
    pub consistency: Tensor<1>,
}

fn per_item(v: Tensor<1>) -> Tensor<4> {
    let n = v.dims()[0];
    v.reshape([n, 1, 1, 1])
}

/// The loss of `batch` (methods.md 4); `net` and the batch live on an autodiff device, `teacher`, where jumps are
/// distilled from another map, on the device under it.
pub fn loss(
    net: &Dit,
    teacher: Option<&Dit>,
    batch: &ImageBatch,
    recipe: &ImageRecipe,
) -> ImageLoss {
    let target = target(net, teacher, batch, recipe);
    let condition = Condition {
        t: batch.t.clone(),
        x_t: batch.x_t.clone(),
        label: Some(batch.label.clone()),
        guidance_scale: Some(batch.guidance.clone()),
    };
    let v = net.average_velocity(
        batch.s.clone(),
        batch.u.clone(),
        batch.x.clone(),
        &condition,
    );
    let n = batch.s.dims()[0];
    let error = v - target;
    let squared = error.clone() * error;
    let numbers: usize = squared.dims()[1..].iter().product();
    let squared = squared.reshape([n, numbers]).mean_dim(1).reshape([n]);
    let part = |from: usize, to: usize, power: f64| {
        let e = squared.clone().narrow(0, from, to - from);
        let weight = ((e.clone() + recipe.weight_floor).log() * -power)
            .exp()
            .detach();
        (e.clone() * weight, e.detach())
    };
    let d = batch.diagonal;
    let none = || Tensor::<1>::full([1], f32::NAN, &squared.device().inner());
    let (mut sums, mut plain) = (Vec::new(), [none(), none()]);
    for (k, (from, to, power)) in [
        (0, d, recipe.diagonal_power),
        (d, n, recipe.consistency_power),
    ]
    .into_iter()
    .enumerate()
    {
        if to > from {
            let (weighted, e) = part(from, to, power);
            sums.push(weighted.sum());
            plain[k] = e.inner().mean();
        }
    }
    let total = sums
        .into_iter()
        .reduce(|a, b| a + b)
        .unwrap_or_else(|| squared.clone().sum());
    let [diagonal, consistency] = plain;
    ImageLoss {
        weighted: total / n as f64,
        diagonal,
        consistency,
    }
}

/// What the network is taught, computed without a graph.
fn target(net: &Dit, teacher: Option<&Dit>, batch: &ImageBatch, recipe: &ImageRecipe) -> Tensor<4> {
    // The network as it is, off the graph: targets are constants.
    let still = net.valid();
    let rows = |v: &Tensor<1>| v.clone().inner();
    let (s, u, t) = (rows(&batch.s), rows(&batch.u), rows(&batch.t));
    let (x, x_t) = (batch.x.clone().inner(), batch.x_t.clone().inner());
    let (n, d) = (s.dims()[0], batch.diagonal);
    let condition = Condition {
        t: t.clone(),
        x_t: x_t.clone(),
        label: Some(batch.label.clone().inner()),
        guidance_scale: Some(rows(&batch.guidance)),
    };
    let mut velocity = batch.direction.clone().inner();
    if batch.guided {
        // Guidance folded in: v_null + w (v_class - v_null), the model being told w.
        let null = Condition {
            label: None,
            guidance_scale: None,
            ..condition.clone()
        };
        let none = still.average_velocity(s.clone(), s.clone(), x.clone(), &null);
        let w = per_item(rows(&batch.guidance));
        velocity = none.clone() + w * (velocity - none);
    }
    if d == n {
        return Tensor::from_inner(velocity);
    }
    let off = |v: &Tensor<1>| v.clone().narrow(0, d, n - d);
    let off_4 = |v: &Tensor<4>| v.clone().narrow(0, d, n - d);
    let part = Condition {
        t: off(&t),
        x_t: off_4(&x_t),
        label: condition
            .label
            .as_ref()
            .map(|l| l.clone().narrow(0, d, n - d)),
        guidance_scale: condition.guidance_scale.as_ref().map(off),
    };
    let (s, u, x, data) = (off(&s), off(&u), off_4(&x), off_4(&velocity));
    let jump = per_item(u.clone() - s.clone());
    let taught = match recipe.consistency {
        ImageConsistency::MeanFlow | ImageConsistency::Eulerian => {
            let along = if recipe.consistency == ImageConsistency::MeanFlow {
                data
            } else {
                still.average_velocity(s.clone(), s.clone(), x.clone(), &part)
            };
            let moved = still.velocity(
                Dual::moving(s.clone(), s.ones_like()),
                Dual::constant(u),
                Dual::moving(x, along.clone()),
                &part,
            );
            along + jump * moved.derivative()
        }
        ImageConsistency::Lagrangian => {
            // d/du X = v + (u - s) dv/du toward v(u, u, X): the jump's own velocity is what is left.
            let moved = still.velocity(
                Dual::constant(s),
                Dual::moving(u.clone(), u.ones_like()),
                Dual::constant(x.clone()),
                &part,
            );
            let end = x + jump.clone() * moved.value.clone();
            let there = still.average_velocity(u.clone(), u, end, &part);
            there - jump * moved.derivative()
        }
        ImageConsistency::Progressive => {
            let g = rows(&batch.middle).narrow(0, d, n - d);
            let w = s.clone() + g.clone() * (u.clone() - s.clone());
            let first = still.average_velocity(s.clone(), w.clone(), x.clone(), &part);
            let there = x + per_item(w.clone() - s) * first.clone();
            let second = still.average_velocity(w, u, there, &part);
            let g = per_item(g);
            first * g.clone() + second * (g.neg() + 1.0)
        }
        ImageConsistency::Distilled { pieces } => {
            let teacher = teacher.unwrap_or(&still);
            let piece = (u - s.clone()) / f64::from(pieces);
            let at = |k: u32| s.clone() + piece.clone() * f64::from(k);
            let (mut there, mut sum) = (x.clone(), x.zeros_like());
            for k in 0..pieces {
                let v = teacher.average_velocity(at(k), at(k + 1), there.clone(), &part);
                there = there + per_item(piece.clone()) * v.clone();
                sum = sum + v;
            }
            sum / f64::from(pieces)
        }
    };
    let all = if d == 0 {
        taught
    } else {
        Tensor::cat(vec![velocity.narrow(0, 0, d), taught], 0)
    };
    Tensor::from_inner(all)
}
