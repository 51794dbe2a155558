//! The autoencoder, in tiles too, and the small decoder as diffusers computes them.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};

use super::LatentDecoder;
use super::tests::{cases, latents, network, tensor};
use crate::model::streams::{assert_close, numbers, slopes};
use crate::model::{Taesd, WeightValues, Weights};

#[derive(serde::Deserialize)]
struct Reference {
    cases: Vec<Found>,
    tile: usize,
    grid: [usize; 2],
    tiled: Found,
    small: Small,
}

#[derive(serde::Deserialize)]
struct Found {
    mean: Vec<f64>,
    deviation: Vec<f64>,
    picture: Vec<f64>,
}

#[derive(serde::Deserialize)]
struct Small {
    shapes: BTreeMap<String, Vec<usize>>,
    picture: Vec<f64>,
}

fn reference() -> Reference {
    let text = include_str!("../../../tests/reference/vae_libraries.json");
    serde_json::from_str(text).unwrap()
}

fn list(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

#[test]
fn encoder_and_decoder_give_the_numbers_of_diffusers() {
    let device = Device::flex();
    for (case, found) in cases().iter().zip(reference().cases) {
        let vae = network(case, &device);
        let x = tensor(1000, 1.0, [2, case.config.in_channels, 16, 16], &device);
        let latent = vae.encode(x.narrow(0, 0, 1));
        assert_close(&list(latent.mean), &found.mean, "mean");
        assert_close(&list(latent.deviation), &found.deviation, "deviation");
        let picture = vae.decode(latents(case, &device).narrow(0, 0, 1));
        assert_close(&list(picture), &found.picture, "picture");
    }
}

#[test]
fn tiles_are_cut_and_blended_as_diffusers_does_it() {
    let device = Device::flex();
    let Reference {
        tile, grid, tiled, ..
    } = reference();
    let case = &cases()[0];
    let vae = network(case, &device);
    let [rows, columns] = grid;
    let x = tensor(1006, 1.0, [1, 3, 4 * rows, 4 * columns], &device);
    let latent = vae.encode_tiled(x.clone(), tile, &|| true).unwrap();
    assert_close(&list(latent.mean), &tiled.mean, "mean");
    assert_close(&list(latent.deviation), &tiled.deviation, "deviation");
    // What fits into one tile is not cut.
    let whole = list(vae.encode(x.clone()).mean);
    let uncut = vae.encode_tiled(x, 8, &|| true).unwrap();
    assert_eq!(list(uncut.mean), whole);

    let shape = [4, rows, columns];
    let z = list(tensor(1005, 1.5, [1, 4, rows, columns], &device));
    let decoder =
        || LatentDecoder::new(network(case, &device), &case.config, shape, &device).unwrap();
    let (whole, tiles) = (decoder(), decoder().tiled(tile));
    let picture = tiles.decode(&z);
    assert_close(&picture, &tiled.picture, "picture");
    assert_ne!(picture, whole.decode(&z));
    assert_eq!(decoder().tiled(8).decode(&z), whole.decode(&z));

    // The gradient through cutting and blending is that of differences.
    let weight: Vec<f32> = numbers(1003, picture.len())
        .iter()
        .map(|v| *v as f32)
        .collect();
    let gradient = tiles.pulled(&z, &weight, &|| true).unwrap();
    let [slope, measured] = slopes(&z, &gradient, |z| {
        let picture = tiles.decode(z);
        let weighted = picture.iter().zip(&weight);
        weighted.map(|(v, w)| f64::from(*v) * f64::from(*w)).sum()
    });
    // f32 and third-order terms at this step; the sum has thousands of terms of about one.
    assert!(
        (slope - measured).abs() < 0.02 * slope.abs().max(5.0),
        "{slope} {measured}"
    );
}

#[test]
fn the_small_decoder_gives_the_numbers_of_diffusers_in_both_layouts() {
    let device = Device::flex();
    let Small { shapes, picture } = reference().small;
    let weight = |(k, (name, shape)): (usize, (&String, &Vec<usize>))| {
        let inputs: usize = shape.iter().skip(1).product();
        let scale = if shape.len() > 1 {
            1.7 / (inputs as f64).sqrt()
        } else {
            0.3
        };
        let values = numbers(k as u32, shape.iter().product());
        let values = values.into_iter().map(|v| (scale * v) as f32).collect();
        let shape = shape.clone();
        (name.clone(), WeightValues { shape, values })
    };
    let weights: Weights = shapes.iter().enumerate().map(weight).collect();
    // In its authors' file a clamp comes first, so that all numbers are one greater.
    let authors: Weights = weights
        .iter()
        .map(|(name, weight)| {
            let (number, rest) = name["decoder.layers.".len()..].split_once('.').unwrap();
            let number: usize = number.parse().unwrap();
            (format!("{}.{rest}", number + 1), weight.clone())
        })
        .collect();
    let values: Vec<f32> = numbers(1001, 120)
        .iter()
        .map(|v| (4.0 * v) as f32)
        .collect();
    for weights in [weights, authors] {
        assert!(Taesd::is_in(weights.keys().map(String::as_str)));
        let taesd = Taesd::of(weights, &device).unwrap();
        assert_eq!((taesd.factor(), taesd.latent_channels()), (4, 4));
        let z = Tensor::from_data(TensorData::new(values.clone(), [2, 4, 3, 5]), &device);
        assert_close(&list(taesd.decode(z)), &picture, "small");
        let decoder = LatentDecoder::preview(taesd, [4, 3, 5], &device).unwrap();
        assert_eq!(
            (decoder.picture(), decoder.is_preview()),
            ([3, 12, 20], true)
        );
        assert_close(&decoder.decode(&values), &picture, "plain");
    }
    assert!(Taesd::of(Weights::new(), &device).is_err());
}
