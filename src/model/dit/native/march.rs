//! Several tiles through the blocks in step: a block's weights, and their gradients, stay near while every tile passes.

use super::cohort::{Cohort, CohortTangent};
use super::kernels::Kernels;
use super::params::Layers;
use super::pass::{Pass, Sink};

/// Tiles that go in step.
pub(super) const STEP: usize = 4;

/// From `x` and `x_cond` of each tile to its `out`.
pub(super) fn forward(
    k: Kernels,
    layers: &Layers,
    cohort: &Cohort,
    positions: &[f32],
    passes: &mut [Pass],
) {
    for pass in &mut *passes {
        pass.forward_begin(k, layers, cohort, positions);
    }
    for i in 0..layers.blocks.len() {
        for pass in &mut *passes {
            pass.forward_block(k, layers, cohort, i);
        }
    }
    for pass in passes {
        pass.forward_end(k, layers, cohort);
    }
}

/// The derivatives of `out` along `d_x` and the cohort's, into `d_out`; after [`forward`].
pub(super) fn tangent(
    k: Kernels,
    layers: &Layers,
    (cohort, along): (&Cohort, &CohortTangent),
    passes: &mut [Pass],
) {
    for pass in &mut *passes {
        pass.tangent_begin(k, layers);
    }
    for i in 0..layers.blocks.len() {
        for pass in &mut *passes {
            pass.tangent_block(k, layers, (cohort, along), i);
        }
    }
    for pass in passes {
        pass.tangent_end(k, layers, (cohort, along));
    }
}

/// From the gradients with respect to `out` (in `d_out`) to those with respect to `x` and `x_cond` (in `d_x` and
/// `d_x_cond`) or, where asked for, to the weights and the cohort's vectors; after [`forward`].
pub(super) fn backward(
    k: Kernels,
    layers: &Layers,
    cohort: &Cohort,
    mut sink: Sink<'_>,
    passes: &mut [Pass],
) {
    for pass in &mut *passes {
        pass.backward_begin(k, layers, cohort, &mut sink);
    }
    for i in (0..layers.blocks.len()).rev() {
        for pass in &mut *passes {
            pass.backward_block(k, layers, cohort, &mut sink, i);
        }
    }
    for pass in passes {
        pass.backward_end(k, layers, cohort, &mut sink);
    }
}
