//! The activation of transformers on the processor: value and slope in one sweep of vectors, on all cores.
//!
//! Burn's own processor backend takes a hyperbolic tangent number by number on one core, which of a transformer is as
//! much as a third of the time.

// What runs under `pulp` must be inlined into the function that enables the instructions, or it gets none of them.
#![allow(clippy::inline_always)]

use burn::tensor::{DType, Device, Tensor, TensorData};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::simd::gelu_and_slope;

/// Numbers of one piece of work.
const PIECE: usize = 1 << 13;

/// GELU of `x`, as [`super::Dual::gelu`] has it; nothing where this is not for its device or its type. Reverse mode goes
/// through it, once.
pub(crate) fn gelu_on_processor<const D: usize>(x: &Tensor<D>) -> Option<Tensor<D>> {
    if x.dtype() != DType::F32 {
        return None;
    }
    // Devices are equal whether they keep a graph or not.
    let plain = Device::flex();
    if x.device() != plain {
        return None;
    }
    if !x.is_autodiff() {
        let shape = x.dims();
        let mut values = numbers(x.clone());
        values.par_chunks_mut(PIECE).for_each(value);
        return Some(tensor(values, shape, &plain));
    }
    let (shape, still) = (x.dims(), x.clone().inner());
    let mut values = numbers(still.clone());
    let mut slopes = vec![0.0; values.len()];
    values
        .par_chunks_mut(PIECE)
        .zip(slopes.par_chunks_mut(PIECE))
        .for_each(|(values, slopes)| value_and_slope(values, slopes));
    let [value, slope] = [values, slopes].map(|v| Tensor::from_inner(tensor(v, shape, &plain)));
    // What is added is nothing, with a gradient.
    Some(value + slope * (x.clone() - Tensor::from_inner(still)))
}

fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    // The type was looked at.
    x.into_data().try_into_vec().unwrap_or_default()
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn value(values: &mut [f32]) {
    struct Work<'a>(&'a mut [f32]);
    impl WithSimd for Work<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let (vectors, rest) = S::as_mut_simd_f32s(self.0);
            for x in vectors {
                *x = gelu_and_slope(simd, *x).0;
            }
            for x in rest {
                *x = gelu_and_slope(pulp::Scalar::new(), *x).0;
            }
        }
    }
    Arch::new().dispatch(Work(values));
}

fn value_and_slope(values: &mut [f32], slopes: &mut [f32]) {
    struct Work<'a>(&'a mut [f32], &'a mut [f32]);
    impl WithSimd for Work<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let (vectors, rest) = S::as_mut_simd_f32s(self.0);
            let (slopes, rest_slopes) = S::as_mut_simd_f32s(self.1);
            for (x, slope) in vectors.iter_mut().zip(slopes) {
                (*x, *slope) = gelu_and_slope(simd, *x);
            }
            for (x, slope) in rest.iter_mut().zip(rest_slopes) {
                (*x, *slope) = gelu_and_slope(pulp::Scalar::new(), *x);
            }
        }
    }
    Arch::new().dispatch(Work(values, slopes));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Dual;

    #[test]
    fn value_and_gradient_are_those_in_double_precision() {
        // No whole number of vectors, more than one piece, and the ends where the exponential would overflow.
        let count = PIECE + 37;
        let points: Vec<f32> = (0..count)
            .map(|i| 0.01 * (i as f32 - 0.5 * count as f32))
            .collect();
        let of = |device: &Device, dtype: DType| {
            let data = TensorData::new(points.clone(), [count]);
            let x = Tensor::<1>::from_data(data, (device, dtype)).require_grad();
            let y = Dual::constant(x.clone()).gelu().value;
            let gradient = x.grad(&y.clone().sum().backward());
            let list = |t: Tensor<1>| t.cast(DType::F64).into_data().try_to_vec::<f64>();
            [list(y).unwrap(), list(gradient.unwrap()).unwrap()]
        };
        let device = Device::flex().autodiff();
        let (ours, exact) = (of(&device, DType::F32), of(&device, DType::F64));
        for (ours, exact) in ours.iter().zip(&exact) {
            assert_eq!(ours.len(), count);
            for (ours, exact) in ours.iter().zip(exact) {
                assert!(
                    (ours - exact).abs() < 2e-6 * (1.0 + exact.abs()),
                    "{ours} {exact}"
                );
            }
        }
        // Without a graph the very same numbers.
        let x = Tensor::<1>::from_data(TensorData::new(points.clone(), [count]), &Device::flex());
        let plain = Dual::constant(x).gelu().value;
        let plain: Vec<f64> = plain.cast(DType::F64).into_data().try_to_vec().unwrap();
        assert_eq!(plain, ours[0]);
    }
}
