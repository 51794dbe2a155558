use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::{Device, Tensor, TensorData};

use super::{LatentDecoder, Vae, VaeConfig};
use crate::model::streams::{self, numbers};
use crate::model::{WeightValues, Weights};

#[derive(serde::Deserialize)]
pub struct Case {
    pub config: VaeConfig,
    names: Vec<String>,
    slope: f64,
    mean: Vec<f64>,
    deviation: Vec<f64>,
    picture: Vec<f64>,
}

pub fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../../../tests/reference/vae.json")).unwrap()
}

/// The weights that the script makes, by diffusers' names.
fn weights(case: &Case) -> Weights {
    let fresh = case.config.init(&Device::flex()).unwrap().weights();
    assert_eq!(fresh.keys().collect::<Vec<_>>(), {
        case.names.iter().collect::<Vec<_>>()
    });
    fresh
        .into_iter()
        .enumerate()
        .map(|(k, (name, WeightValues { shape, values }))| {
            let inputs: usize = shape[1..].iter().product();
            let scaled = |v: f64| match shape.len() {
                1 if name.contains("norm") && name.ends_with("weight") => 1.0 + 0.5 * v,
                1 => 0.3 * v,
                _ => v * (1.7 / (inputs as f64).sqrt()),
            };
            let values = numbers(k as u32, values.len());
            let values = values.into_iter().map(|v| scaled(v) as f32).collect();
            (name, WeightValues { shape, values })
        })
        .collect()
}

pub fn network(case: &Case, device: &Device) -> Vae {
    let fresh = case.config.init(device).unwrap();
    fresh.with_weights(weights(case)).unwrap()
}

pub fn tensor(key: u32, scale: f64, shape: [usize; 4], device: &Device) -> Tensor<4> {
    let values = numbers(key, shape.iter().product());
    let values: Vec<f32> = values.iter().map(|v| (scale * v) as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

pub fn latents(case: &Case, device: &Device) -> Tensor<4> {
    let side = 16 / case.config.factor();
    let shape = [2, case.config.latent_channels, side, side];
    tensor(1001, 1.5, shape, device)
}

fn assert_close(found: Tensor<4>, expected: &[f64], what: &str) {
    let found: Vec<f32> = found.into_data().try_to_vec().unwrap();
    streams::assert_close(&found, expected, what);
}

#[test]
fn encoder_and_decoder_give_the_numbers_of_an_independent_implementation() {
    let device = Device::flex();
    for case in cases() {
        let vae = network(&case, &device);
        let x = tensor(1000, 1.0, [2, case.config.in_channels, 16, 16], &device);
        let latent = vae.encode(x);
        assert_close(latent.mean, &case.mean, "mean");
        assert_close(latent.deviation, &case.deviation, "deviation");
        let picture = vae.decode(latents(&case, &device));
        assert_close(picture, &case.picture, "picture");
    }
}

#[test]
fn the_gradient_through_the_decoder_is_that_of_central_differences() {
    let device = Device::flex();
    for case in cases() {
        let latent = case.config.latent_channels;
        let side = 16 / case.config.factor();
        let shape = [latent, side, side];
        let decoder = |vae| LatentDecoder::new(vae, &case.config, shape, &device);
        let decoder = decoder(network(&case, &device)).unwrap();
        assert_eq!(decoder.picture(), [case.config.out_channels, 16, 16]);
        let scaled = |values: Vec<f64>, scale: f64| -> Vec<f32> {
            values.iter().map(|v| (scale * v) as f32).collect()
        };
        let count = 2 * latent * side * side;
        let z = scaled(numbers(1001, count), 1.5);
        let picture = decoder.decode(&z);
        let largest = case.picture.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        for (a, b) in picture.iter().zip(&case.picture) {
            assert!((f64::from(*a) - b).abs() < 5e-5 * largest, "{a} {b}");
        }
        let weight = scaled(numbers(1003, picture.len()), 1.0);
        let items = z
            .chunks_exact(count / 2)
            .zip(weight.chunks_exact(picture.len() / 2));
        let gradient: Vec<f32> = items
            .flat_map(|(z, weight)| decoder.pulled(z, weight, &|| true).unwrap())
            .collect();
        let along = numbers(1002, count);
        let slope: f64 = gradient
            .iter()
            .zip(along)
            .map(|(g, d)| f64::from(*g) * d)
            .sum();
        // f32 through twenty layers; the sum has terms of about ten.
        assert!((slope - case.slope).abs() < 2e-3, "{slope} {}", case.slope);
        let other = [latent + 1, side, side];
        let vae = network(&case, &device);
        assert!(LatentDecoder::new(vae, &case.config, other, &device).is_none());
    }
}

#[test]
fn pictures_are_the_same_to_the_byte_whatever_the_number_of_threads() {
    let device = Device::flex();
    let case = &cases()[0];
    let side = 16 / case.config.factor();
    let shape = [case.config.latent_channels, side, side];
    let decoder = |threads| {
        let decoder = LatentDecoder::new(network(case, &device), &case.config, shape, &device);
        decoder.unwrap().threaded(threads)
    };
    let numbers = numbers(1001, 7 * shape.iter().product::<usize>());
    let z: Vec<f32> = numbers.iter().map(|v| 1.5 * *v as f32).collect();
    let one = decoder(1).decode(&z);
    for threads in [2, 5] {
        assert_eq!(decoder(threads).decode(&z), one, "{threads} threads");
    }
    let alone = decoder(1).decode(&z[z.len() / 7 * 6..]);
    assert_eq!(one[one.len() / 7 * 6..], alone);
    let latents = decoder(1).encode_while(&one, &|| true);
    assert_eq!(decoder(3).encode_while(&one, &|| true), latents);
}

#[test]
fn decoding_and_encoding_end_between_their_steps() {
    let device = Device::flex();
    let case = &cases()[0];
    let side = 16 / case.config.factor();
    let shape = [case.config.latent_channels, side, side];
    let decoder = LatentDecoder::new(network(case, &device), &case.config, shape, &device);
    let decoder = decoder.unwrap();
    let z = vec![0.5; shape.iter().product()];
    let picture = decoder.decode(&z);
    for decodes in [true, false] {
        let asked = AtomicUsize::new(0);
        let most = AtomicUsize::new(usize::MAX);
        let going = || asked.fetch_add(1, Ordering::SeqCst) < most.load(Ordering::SeqCst);
        let work = || {
            if decodes {
                decoder.decode_while(&z, &going)
            } else {
                decoder.encode_while(&picture, &going)
            }
        };
        assert!(work().is_some());
        let all = asked.swap(0, Ordering::SeqCst);
        assert!(all > 6, "{all}");
        for stop in [0, 1, all / 2, all - 1] {
            most.store(stop, Ordering::SeqCst);
            assert_eq!(work(), None, "{stop} of {all}");
            assert_eq!(asked.swap(0, Ordering::SeqCst), stop + 1);
        }
    }
}

#[test]
fn weights_go_out_and_come_back_under_todays_names_and_the_old_ones() {
    let case = &cases()[0];
    let device = Device::flex();
    let weights = weights(case);
    let vae = network(case, &device);
    assert_eq!(vae.weights(), weights);
    let count: usize = weights.values().map(|w| w.values.len()).sum();
    assert_eq!(vae.parameters(), count);

    let old = |name: &str| {
        let pairs = [
            ("to_q", "query"),
            ("to_k", "key"),
            ("to_v", "value"),
            ("to_out.0", "proj_attn"),
        ];
        pairs
            .iter()
            .fold(name.to_owned(), |name, (new, old)| name.replace(new, old))
    };
    let mut older: Weights = weights
        .iter()
        .map(|(name, weight)| (old(name), weight.clone()))
        .collect();
    let query = "decoder.mid_block.attentions.0.query.weight";
    older.get_mut(query).unwrap().shape.extend([1, 1]);
    let fresh = || case.config.init(&device).unwrap();
    assert_eq!(
        fresh().with_weights(older.clone()).unwrap().weights(),
        weights
    );

    older.remove("encoder.conv_norm_out.weight");
    older.insert("loss.weight".into(), older["quant_conv.bias"].clone());
    older.get_mut("quant_conv.bias").unwrap().shape = vec![2, 4];
    let misfit = fresh().with_weights(older).unwrap_err();
    assert_eq!(misfit.missing, ["encoder.conv_norm_out.weight"]);
    assert_eq!(misfit.unexpected, ["loss.weight"]);
    assert!(misfit.shapes[0].contains("quant_conv.bias"), "{misfit}");
}

#[test]
fn the_published_size_is_met_and_absurd_ones_are_refused_by_field() {
    // The shape as its authors publish it.
    let text = |field: &str, value: &str| {
        let mut fields = serde_json::json!({
            "_class_name": "AutoencoderKL", "act_fn": "silu", "block_out_channels": [128, 256, 512, 512],
            "down_block_types": ["DownEncoderBlock2D"], "in_channels": 3, "latent_channels": 4,
            "layers_per_block": 2, "norm_num_groups": 32, "out_channels": 3, "sample_size": 256,
            "up_block_types": ["UpDecoderBlock2D"]
        });
        fields[field] = serde_json::from_str(value).unwrap();
        fields.to_string()
    };
    let config = VaeConfig::from_json(&text("sample_size", "512")).unwrap();
    assert_eq!(config, VaeConfig::stable_diffusion());
    assert_eq!(config.factor(), 8);
    for (field, value) in [
        ("act_fn", "\"relu\""),
        ("up_block_types", "[\"AttnUpDecoderBlock2D\"]"),
        ("block_out_channels", "[]"),
        ("block_out_channels", "[100]"),
        ("block_out_channels", "[1152921504606846976]"),
        ("latent_channels", "0"),
        ("layers_per_block", "1000000"),
        ("norm_num_groups", "0"),
        ("scaling_factor", "0"),
    ] {
        let message = VaeConfig::from_json(&text(field, value)).unwrap_err();
        assert!(message.contains(field), "{field}: {message}");
    }
}

#[test]
fn half_a_picture_is_that_of_the_mean_of_each_four_latents_and_each_pixel_is_four() {
    let case = &cases()[0];
    let device = Device::flex();
    let latent = [case.config.latent_channels, 8, 8];
    let of = |latent| LatentDecoder::new(network(case, &device), &case.config, latent, &device);
    let (whole, half) = (of(latent).unwrap(), of([latent[0], 4, 4]).unwrap());
    // Each four alike: the mean is any of them.
    let z: Vec<f32> = numbers(1004, latent[0] * 16)
        .into_iter()
        .map(|v| v as f32)
        .collect();
    let at = |side: usize, i: usize| (i / (side * side), i / side % side, i % side);
    let wide: Vec<f32> = (0..latent[0] * 64)
        .map(|i| {
            let (channel, row, column) = at(8, i);
            // A pattern that the mean takes away.
            let around = if (row + column) % 2 == 0 { 0.25 } else { -0.25 };
            z[channel * 16 + row / 2 * 4 + column / 2] + around
        })
        .collect();
    let (seen, small) = (whole.decode_half(&wide, &|| true).unwrap(), half.decode(&z));
    let side = whole.picture()[1];
    assert_eq!(seen.len(), whole.decode(&wide).len());
    for (i, v) in seen.iter().enumerate() {
        let (channel, row, column) = at(side, i);
        let of = small[(channel * side / 2 + row / 2) * (side / 2) + column / 2];
        assert!((v - of).abs() < 1e-4, "{i}: {v} {of}");
    }
    let odd = [latent[0], 3, 3];
    assert_eq!(
        of(odd)
            .unwrap()
            .decode_half(&vec![0.0; latent[0] * 9], &|| true),
        None
    );
}
