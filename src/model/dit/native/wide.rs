//! The tiles of one image through the blocks, where one does not hold all its tokens: all but attention goes tile by
//! tile, on all cores.

use rayon::prelude::*;

use super::attention::Kin;
use super::cohort::Cohort;
use super::kernels::Kernels;
use super::params::Layers;
use super::pass::Pass;
use crate::model::simd::TILE;

/// From `x` and `x_cond` of each tile to its `out`.
pub(super) fn forward(
    k: Kernels,
    layers: &Layers,
    cohort: &Cohort,
    positions: &[f32],
    passes: &mut [Pass],
) {
    passes
        .par_iter_mut()
        .for_each(|pass| pass.forward_begin(k, layers, cohort, positions));
    for i in 0..layers.blocks.len() {
        passes
            .par_iter_mut()
            .for_each(|pass| pass.forward_read(k, layers, cohort, i));
        let qkv = taken(passes, |pass| &mut pass.of_block(i).0.qkv);
        passes.par_iter_mut().for_each(|pass| {
            let (heads, own) = (pass.heads, (pass.tile, &qkv[..]));
            let (kept, seen) = pass.of_block(i);
            let weights = kept.weights.as_mut_slice();
            heads.forward_wide(k, own, weights, seen.attended.as_mut_slice());
            pass.forward_rest(k, layers, cohort, i);
        });
        put(passes, qkv, |pass| &mut pass.of_block(i).0.qkv);
    }
    passes
        .par_iter_mut()
        .for_each(|pass| pass.forward_end(k, layers, cohort));
}

/// From the gradients with respect to `out` (in `d_out`) to those with respect to `x` and `x_cond` (in `d_x` and
/// `d_x_cond`); after [`forward`].
pub(super) fn backward(k: Kernels, layers: &Layers, cohort: &Cohort, passes: &mut [Pass]) {
    passes
        .par_iter_mut()
        .for_each(|pass| pass.backward_begin(k, layers, cohort, &mut None));
    for i in (0..layers.blocks.len()).rev() {
        passes
            .par_iter_mut()
            .for_each(|pass| pass.backward_rest(k, layers, cohort, &mut None, i));
        let mut kin = Kin {
            qkv: taken(passes, |pass| &mut pass.kept[i].qkv),
            weights: taken(passes, |pass| &mut pass.kept[i].weights),
            d_out: taken(passes, |pass| &mut pass.wide[2]),
            slopes: Vec::new(),
        };
        passes.par_iter_mut().for_each(|pass| {
            let (heads, tile) = (pass.heads, pass.tile);
            heads.backward_queries(
                k,
                &kin.qkv,
                (kin.weights[tile].as_slice(), kin.d_out[tile].as_slice()),
                pass.room.as_mut_slice(),
                &mut pass.wide[0].as_mut_slice()[..heads.width * TILE],
            );
        });
        kin.slopes = taken(passes, |pass| &mut pass.room);
        passes.par_iter_mut().for_each(|pass| {
            let (heads, tile) = (pass.heads, pass.tile);
            let third = heads.width * TILE;
            let d_kv = &mut pass.wide[0].as_mut_slice()[third..3 * third];
            heads.backward_keys(k, tile, &kin, d_kv);
            pass.backward_read(k, layers, cohort, &mut None, i);
        });
        put(passes, kin.qkv, |pass| &mut pass.kept[i].qkv);
        put(passes, kin.weights, |pass| &mut pass.kept[i].weights);
        put(passes, kin.d_out, |pass| &mut pass.wide[2]);
        put(passes, kin.slopes, |pass| &mut pass.room);
    }
    passes
        .par_iter_mut()
        .for_each(|pass| pass.backward_end(k, layers, cohort, &mut None));
}

/// Takes a part of each tile away, for all tiles to look at.
fn taken<T: Default>(passes: &mut [Pass], part: impl Fn(&mut Pass) -> &mut T) -> Vec<T> {
    let each = passes.iter_mut();
    each.map(|pass| std::mem::take(part(pass))).collect()
}

/// Puts it back.
fn put<T>(passes: &mut [Pass], all: Vec<T>, part: impl Fn(&mut Pass) -> &mut T) {
    for (pass, own) in passes.iter_mut().zip(all) {
        *part(pass) = own;
    }
}
