//! The training loss in burn, through its autodiff: slow and plain, what the CPU kernel is checked against, and the
//! path for devices and networks that have no kernel of their own.

use burn::tensor::{Device, Tensor, TensorData};

use super::batch::Batch;
use super::jvp::{self, Dual};
use super::native::{Consistency, LossPlan};
use crate::model::{Condition, MetaFlowMap, Mlp};

fn column(values: &[f32], device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}

fn points(values: &[[f32; 2]], device: &Device) -> Tensor<2> {
    Tensor::from_data(
        TensorData::new(values.as_flattened().to_vec(), [values.len(), 2]),
        device,
    )
}

/// The weighted loss of `batch`, a single number to call `backward` on (methods.md 4).
///
/// `mlp` and `device` must be those of an autodiff device.
pub fn loss(mlp: &Mlp, batch: &Batch, plan: &LossPlan, device: &Device) -> Tensor<1> {
    let rows = batch.s.len();
    let (s, u) = (column(&batch.s, device), column(&batch.u, device));
    let (x, velocity) = (points(&batch.x, device), points(&batch.velocity, device));
    let condition = Condition {
        t: column(&batch.t, device),
        x_t: points(&batch.x_t, device),
        label: None,
        guidance_scale: None,
    };
    let jump = (u.clone() - s.clone()).reshape([rows, 1]);
    if plan.consistency == Consistency::Lagrangian {
        let moved = jvp::average_velocity(
            mlp,
            Dual::constant(s.clone()),
            Dual::moving(u.clone(), u.ones_like()),
            Dual::constant(x.clone()),
            &condition,
        );
        let end = x + jump.clone() * moved.value.clone();
        let there = mlp.average_velocity(u.clone(), u, end, &condition);
        let jumps = jump.clone().greater_elem(0.0).float();
        let target = there * jumps.clone() + velocity * (jumps.neg() + 1.0);
        let predicted = moved.value.clone() + jump * moved.derivative();
        return weighted(predicted - target.detach(), batch, plan, device);
    }
    let target = match plan.consistency {
        // Above: it has another prediction too.
        Consistency::Lagrangian => velocity,
        Consistency::Eulerian => {
            let moved = jvp::average_velocity(
                mlp,
                Dual::moving(s.clone(), s.ones_like()),
                Dual::constant(u.clone()),
                Dual::moving(x.clone(), velocity.clone()),
                &condition,
            );
            velocity + jump * moved.derivative()
        }
        Consistency::Semigroup => {
            let g = column(&batch.middle, device);
            let w = s.clone() + g.clone() * (u.clone() - s.clone());
            let first = mlp.average_velocity(s.clone(), w.clone(), x.clone(), &condition);
            let there = x.clone() + (w.clone() - s.clone()).reshape([rows, 1]) * first.clone();
            let second = mlp.average_velocity(w, u.clone(), there, &condition);
            let g = g.reshape([rows, 1]);
            let jumps = (u.clone() - s.clone())
                .greater_elem(0.0)
                .float()
                .reshape([rows, 1]);
            let halves = first * g.clone() + second * (g.neg() + 1.0);
            halves * jumps.clone() + velocity * (jumps.neg() + 1.0)
        }
    }
    .detach();
    let predicted = mlp.average_velocity(s, u, x, &condition);
    weighted(predicted - target, batch, plan, device)
}

/// The mean over the items of `|err|^2 (|err|^2 + c)^-p`, the second factor without gradient.
fn weighted(error: Tensor<2>, batch: &Batch, plan: &LossPlan, device: &Device) -> Tensor<1> {
    let rows = batch.s.len();
    let squared = (error.clone() * error).sum_dim(1).reshape([rows]);
    let power: Vec<f32> = batch
        .s
        .iter()
        .zip(&batch.u)
        .map(|(s, u)| {
            if s == u {
                plan.diagonal_power
            } else {
                plan.consistency_power
            }
        })
        .collect();
    // (e + c)^-p as exp(-p log(e + c)), since p differs from item to item.
    let weight = ((squared.clone() + plan.weight_floor).log() * column(&power, device).neg())
        .exp()
        .detach();
    (squared * weight).mean()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mixture::Preset;
    use crate::model::MlpConfig;
    use crate::model::simd::Buffer;
    use crate::train::batch::{BatchPlan, Teacher, TimeLaw};
    use crate::train::layout::Layout;
    use crate::train::native::NativeNet;

    fn gradients_agree(consistency: Consistency) {
        let world = Preset::Ring8.mixture();
        let batch = BatchPlan {
            world: &world,
            seed: 3,
            size: 200,
            diagonal: 50,
            times: TimeLaw {
                power: 1.5,
                unconditional: 0.1,
                whole: 0.0,
            },
            teacher: Teacher::Exact,
        }
        .at(1);
        let plan = LossPlan {
            consistency,
            weight_floor: 0.01,
            diagonal_power: 0.5,
            consistency_power: 0.5,
        };
        let config = MlpConfig {
            hidden: 64,
            ..MlpConfig::default()
        };
        let layout = Layout::new(&config);
        let flat = layout.initial(2);
        let mut net = NativeNet::new(&config, &layout);
        net.load(flat.as_slice());
        let mut gradient = Buffer::zeroed(layout.len);
        let measured = net.step(&batch, &plan, &mut gradient);
        let ours = layout.export(gradient.as_slice());

        let device = Device::flex().autodiff();
        let mlp = Mlp::from_layers(&config, &layout.export(flat.as_slice()), &device).unwrap();
        let value = loss(&mlp, &batch, &plan, &device);
        let grads = value.backward();
        let value: f32 = value.into_data().try_to_vec::<f32>().unwrap()[0];
        assert!((f64::from(value) - measured.weighted).abs() < 1e-4 * measured.weighted);
        for (layer, ours) in mlp.linears().iter().zip(&ours) {
            let theirs = layer.weight.val().grad(&grads).unwrap().transpose();
            let theirs = theirs.into_data().try_to_vec::<f32>().unwrap();
            let scale = theirs.iter().fold(0.0_f32, |m, g| m.max(g.abs()));
            for (ours, theirs) in ours.weight.iter().zip(&theirs) {
                // Sums of 200 rows in two orders, in f32.
                assert!(
                    (ours - theirs).abs() < 1e-4 * scale,
                    "{ours} {theirs} of {scale}"
                );
            }
        }
    }

    #[test]
    fn the_kernel_and_burn_agree_on_the_eulerian_gradient() {
        gradients_agree(Consistency::Eulerian);
    }

    #[test]
    fn the_kernel_and_burn_agree_on_the_lagrangian_gradient() {
        gradients_agree(Consistency::Lagrangian);
    }

    #[test]
    fn the_kernel_and_burn_agree_on_the_semigroup_gradient() {
        gradients_agree(Consistency::Semigroup);
    }
}
