//! Loss and gradient of one training step on the CPU's vector units, without a graph.
//!
//! The same step in burn, through its autodiff and the dual numbers of `train::jvp`, costs some twenty times as much;
//! `train::reference` holds it, and a test compares the two gradients. A batch is cut into chunks of fixed size, each
//! with its own gradient, which are added in order: the result does not depend on the number of threads.

use pulp::Arch;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::batch::Batch;
use super::layout::Layout;
use super::tile::{Scratch, TileStep, tangent_column};
use crate::model::MlpConfig;
use crate::model::simd::{Buffer, Packed, TILE};

/// Rows that share a gradient.
const CHUNK: usize = 2 * TILE;

/// What the map is trained to agree with off the diagonal (methods.md 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// `v(s, u, I_s)` toward `v_ss + (u - s) d/ds`, the derivative along `(1, 0, v_ss)`: ESD with a teacher's `v_ss`,
    /// MeanFlow with the data's.
    Eulerian,
    /// `d/du X_{s,u}(I_s)`, which is `v + (u - s) d/du v`, toward `v(u, u, X_{s,u}(I_s))` (LSD). The map is trained, not the
    /// velocity at its end: the derivative is differentiated once more, and the target is without gradient.
    Lagrangian,
    /// `v(s, u, I_s)` toward the two halves of the jump made one after the other (PSD).
    Semigroup,
}

/// What one step is asked to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LossPlan {
    /// The consistency term.
    pub consistency: Consistency,
    /// `c` of the adaptive weight `1 / (|err|^2 + c)^p`.
    pub weight_floor: f32,
    /// `p` on the diagonal.
    pub diagonal_power: f32,
    /// `p` off the diagonal.
    pub consistency_power: f32,
}

/// What a step measured.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StepLoss {
    /// Mean weighted loss: what is minimised.
    pub weighted: f64,
    /// Mean squared error on the diagonal.
    pub diagonal: f64,
    /// Mean squared error off the diagonal.
    pub consistency: f64,
}

/// The network laid out for training, and room for its gradient.
#[derive(Debug)]
pub(crate) struct NativeNet {
    pub(super) config: MlpConfig,
    pub(super) frequencies: Vec<f32>,
    pub(super) layout: Layout,
    pub(super) forward: Vec<Packed>,
    /// Transposed: from a layer's outputs to its inputs. The first is not needed.
    pub(super) backward: Vec<Packed>,
    /// Columns of the first layer that a tangent along `(1, 0, v)` can reach: `x`, `s` and the features of `s`.
    pub(super) tangent: Packed,
    pub(super) gradients: Vec<Buffer>,
}

impl NativeNet {
    pub(crate) fn new(config: &MlpConfig, layout: &Layout) -> Self {
        let slots = &layout.slots;
        Self {
            config: *config,
            frequencies: config.frequency_table(),
            forward: slots
                .iter()
                .map(|s| Packed::zeroed(s.outputs, s.inputs))
                .collect(),
            backward: slots[1..]
                .iter()
                .map(|s| Packed::zeroed(s.inputs, s.outputs))
                .collect(),
            tangent: Packed::zeroed(config.hidden, 3 + 2 * config.frequencies),
            layout: layout.clone(),
            gradients: Vec::new(),
        }
    }

    /// Takes over the weights.
    pub(crate) fn load(&mut self, flat: &[f32]) {
        let slots = &self.layout.slots;
        let frequencies = self.config.frequencies;
        let forward = self
            .forward
            .par_iter_mut()
            .zip(slots)
            .map(|(packed, slot)| (packed, slot, false));
        let backward = self
            .backward
            .par_iter_mut()
            .zip(&slots[1..])
            .map(|(packed, slot)| (packed, slot, true));
        forward
            .chain(backward)
            .for_each(|(packed, slot, transposed)| {
                let (weight, bias) = slot.split(flat);
                if transposed {
                    packed.fill(|k, j| weight[j * slot.stride + k], None);
                } else {
                    packed.fill(|j, k| weight[j * slot.stride + k], Some(bias));
                }
            });
        let (weight, _) = slots[0].split(flat);
        let stride = slots[0].stride;
        self.tangent.fill(
            |j, k| weight[j * stride + tangent_column(k, frequencies)],
            None,
        );
    }

    /// Loss of `batch` and its gradient, added up in `gradient` (overwritten). Items are weighted equally.
    pub(crate) fn step(
        &mut self,
        batch: &Batch,
        plan: &LossPlan,
        gradient: &mut Buffer,
    ) -> StepLoss {
        let n = batch.s.len();
        let chunks = n.div_ceil(CHUNK);
        let mut gradients = std::mem::take(&mut self.gradients);
        gradients.resize_with(chunks, || Buffer::zeroed(self.layout.len));
        let net = &*self;
        let arch = Arch::new();
        let losses: Vec<StepLoss> = gradients
            .par_iter_mut()
            .enumerate()
            .map_init(
                || Scratch::new(&net.config),
                |scratch, (c, gradient)| {
                    gradient.as_mut_slice().fill(0.0);
                    let mut loss = StepLoss::default();
                    for first in (c * CHUNK..((c + 1) * CHUNK).min(n)).step_by(TILE) {
                        let rows = TILE.min(n - first);
                        let gradient = gradient.as_mut_slice();
                        let one = arch.dispatch(TileStep {
                            net,
                            batch,
                            plan,
                            first,
                            rows,
                            scratch,
                            gradient,
                        });
                        loss.weighted += one.weighted;
                        loss.diagonal += one.diagonal;
                        loss.consistency += one.consistency;
                    }
                    loss
                },
            )
            .collect();
        let parts: Vec<&[f32]> = gradients.iter().map(Buffer::as_slice).collect();
        gradient
            .as_mut_slice()
            .par_chunks_mut(4096)
            .enumerate()
            .for_each(|(i, out)| {
                let at = i * 4096;
                out.copy_from_slice(&parts[0][at..at + out.len()]);
                for part in &parts[1..] {
                    for (out, part) in out.iter_mut().zip(&part[at..]) {
                        *out += part;
                    }
                }
            });
        self.gradients = gradients;
        let diagonal = batch.s.iter().zip(&batch.u).filter(|(s, u)| s == u).count();
        let sum = |f: fn(&StepLoss) -> f64| losses.iter().map(f).sum::<f64>();
        StepLoss {
            weighted: sum(|l| l.weighted) / n as f64,
            diagonal: sum(|l| l.diagonal) / diagonal.max(1) as f64,
            consistency: sum(|l| l.consistency) / (n - diagonal).max(1) as f64,
        }
    }
}
