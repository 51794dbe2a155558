//! Gradients through the decoder on plain numbers.

use burn::tensor::{Tensor, TensorData};

use super::LatentDecoder;
use super::blocks::Step;
use super::plain::list;
use super::through;
use super::tiles::{Tiles, mapped, step};
use crate::model::side_by_side::Going;

impl LatentDecoder {
    /// The gradient of `sum(cotangent * decode(z))` with respect to one latent `z`, `[c h w]`; `cotangent` `[C H W]`. First
    /// through the blending, then through the decoder tile by tile: only one tile's graph is held. Does not wait for a turn.
    /// `None` once `going`, which is asked between the layers, says that nobody waits any more.
    pub fn pulled(&self, z: &[f32], cotangent: &[f32], going: Going<'_>) -> Option<Vec<f32>> {
        let tiles = self.tiles(z);
        let whole = tiles.len() == 1 && tiles[0].len() == 1;
        let cotangents = if whole {
            vec![vec![cotangent.to_vec()]]
        } else {
            self.through_blending(&tiles, cotangent, going)?
        };
        let steps = self.tracked.steps();
        let [c, h, w] = self.latent;
        let step = step(self.sides().0);
        let mut gradient = vec![0.0; c * h * w];
        for (i, (row, cotangents)) in tiles.into_iter().zip(cotangents).enumerate() {
            for (j, (z, cotangent)) in row.into_iter().zip(cotangents).enumerate() {
                let [_, _, rows, columns] = z.dims();
                let pulled = self.pulled_tile(&steps, z, cotangent, going)?;
                // Row by row to where the tile was cut from.
                for (k, values) in pulled.chunks_exact(columns).enumerate() {
                    let (channel, y) = (k / rows, k % rows);
                    let first = (channel * h + i * step + y) * w + j * step;
                    for (sum, v) in gradient[first..first + columns].iter_mut().zip(values) {
                        *sum += v;
                    }
                }
            }
        }
        Some(gradient)
    }

    /// The cotangents of the tiles' pictures.
    fn through_blending(
        &self,
        tiles: &Tiles,
        cotangent: &[f32],
        going: Going<'_>,
    ) -> Option<Vec<Vec<Vec<f32>>>> {
        let learning = self.device.clone().autodiff();
        let steps = self.still.steps();
        let pictures = mapped(tiles.clone(), |z| {
            let picture = through(&steps, z, going)?;
            let shape = picture.dims();
            let data = TensorData::new(list(picture), shape);
            Some(Tensor::from_data(data, &learning).require_grad())
        })?;
        let weight = Self::tensor(cotangent, self.picture, &learning);
        let gradients = (self.joined(pictures.clone()) * weight).sum().backward();
        let of = |picture: &Tensor<4>| {
            let numbers = picture.dims().iter().product();
            // What is cut off and never blended has none.
            let gradient = picture.grad(&gradients);
            gradient.map_or_else(|| vec![0.0; numbers], list)
        };
        let row = |row: &Vec<Tensor<4>>| row.iter().map(of).collect();
        Some(pictures.iter().map(row).collect())
    }

    /// Each step has a graph of its own, so that between two of them it can be asked whether to go on; together they are the
    /// one of the whole.
    fn pulled_tile(
        &self,
        steps: &[Step<'_>],
        z: Tensor<4>,
        cotangent: Vec<f32>,
        going: Going<'_>,
    ) -> Option<Vec<f32>> {
        let numbers = z.dims().iter().product();
        let mut graphs = Vec::with_capacity(steps.len());
        let mut h = z;
        for step in steps {
            if !going() {
                return None;
            }
            let entered = Tensor::from_inner(h).require_grad();
            let left = step(entered.clone());
            h = left.clone().inner();
            graphs.push((entered, left));
        }
        let data = TensorData::new(cotangent, h.dims());
        let mut slope = Tensor::<4>::from_data(data, &self.device);
        for (entered, left) in graphs.into_iter().rev() {
            if !going() {
                return None;
            }
            let slopes = (left * Tensor::from_inner(slope)).sum().backward();
            let Some(before) = entered.grad(&slopes) else {
                // A decoder that does not look at its latents has none.
                return Some(vec![0.0; numbers]);
            };
            slope = before;
        }
        Some(list(slope))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use burn::tensor::Device;

    use super::super::tests::{cases, latents, network};
    use super::*;
    use crate::model::streams::numbers;

    #[test]
    fn gradients_by_step_are_those_of_one_graph_to_the_byte() {
        let device = Device::flex();
        for case in cases() {
            let z = latents(&case, &device).narrow(0, 0, 1);
            let [_, c, h, w] = z.dims();
            let vae = network(&case, &device);
            let decoder = LatentDecoder::new(vae, &case.config, [c, h, w], &device).unwrap();
            let cotangent = numbers(1003, decoder.picture().iter().product());
            let cotangent: Vec<f32> = cotangent.iter().map(|v| *v as f32).collect();
            let whole = Tensor::<4>::from_inner(z.clone()).require_grad();
            let steps = decoder.tracked.steps();
            let picture = steps.iter().fold(whole.clone(), |h, step| step(h));
            let weight =
                LatentDecoder::tensor(&cotangent, decoder.picture(), &device.clone().autodiff());
            let slopes = (picture * weight).sum().backward();
            let expected = list(whole.grad(&slopes).unwrap());
            let z = list(z);
            assert_eq!(decoder.pulled(&z, &cotangent, &|| true), Some(expected));
            // It ends as soon as it is told so, on the way there and on the way back.
            for most in [0, 1, steps.len(), 2 * steps.len() - 1] {
                let asked = AtomicUsize::new(0);
                let going = || asked.fetch_add(1, Ordering::SeqCst) < most;
                assert_eq!(decoder.pulled(&z, &cotangent, &going), None);
                assert_eq!(asked.into_inner(), most + 1);
            }
        }
    }
}
