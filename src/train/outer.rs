//! The gradient of a layer's weights in the flat buffer.

// What runs under `pulp` must be inlined into the function that enables the instructions, or it gets none of them.
#![allow(clippy::inline_always)]

use pulp::Simd;

use super::layout::Slot;
use crate::model::outer::OuterShape;
pub(crate) use crate::model::outer::transposed_len;

/// [`crate::model::outer::add_outer`] into the layer's place.
#[inline(always)]
pub(crate) fn add_outer<S: Simd>(
    simd: S,
    slot: &Slot,
    delta: &[f32],
    input: &[f32],
    transposed: &mut [f32],
    gradient: &mut [f32],
) {
    let (weight, bias) = slot.split_mut(gradient);
    crate::model::outer::add_outer(
        simd,
        shape(slot),
        delta,
        input,
        transposed,
        weight,
        Some(bias),
    );
}

/// The same for the weights alone: a tangent knows no bias.
#[inline(always)]
pub(crate) fn add_outer_without_bias<S: Simd>(
    simd: S,
    slot: &Slot,
    delta: &[f32],
    input: &[f32],
    transposed: &mut [f32],
    gradient: &mut [f32],
) {
    let (weight, _) = slot.split_mut(gradient);
    crate::model::outer::add_outer(simd, shape(slot), delta, input, transposed, weight, None);
}

fn shape(slot: &Slot) -> OuterShape {
    OuterShape {
        inputs: slot.inputs,
        outputs: slot.outputs,
        stride: slot.stride,
    }
}
