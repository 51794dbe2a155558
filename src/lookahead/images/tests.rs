//! Draws of a small random network.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};

use super::*;
use crate::lookahead::rollout::{SdeGrid, sde_coefficients};
use crate::lookahead::{
    LookaheadError, NoiseKey, Source, glass_velocity, marginal_condition, posterior_draws,
};
use crate::metrics::Counters;
use crate::model::{BurnImageMap, Condition, Dit, DitConfig, ImageMap as _, MetaFlowMap as _};
use crate::process::Purpose;

const NUMBERS: usize = 64;
const NOISE: NoiseKey = NoiseKey { seed: 5, state: 2 };

fn network() -> Dit {
    let config = DitConfig::tiny(2);
    Dit::lively(&config, 3, &Device::flex())
}

fn map() -> BurnImageMap {
    BurnImageMap::new(network(), &Device::flex())
}

fn question(t: f64, label: u32) -> ImageQuestion {
    ImageQuestion {
        t,
        x_t: (0..NUMBERS)
            .map(|k| (k as f32 * 0.37).sin())
            .collect::<Arc<[f32]>>(),
        label,
        guidance: 1.0,
    }
}

fn draws(source: Source, question: &ImageQuestion, items: Range<u32>) -> Vec<f32> {
    let mut counters = Counters::default();
    draw_images(
        &map(),
        source,
        question,
        NOISE,
        items,
        &mut counters,
        &mut |_| true,
    )
    .unwrap()
}

fn apart(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

/// `[items, 1, 8, 8]`.
fn tensor(values: Vec<f32>) -> Tensor<4> {
    let shape = [values.len() / NUMBERS, 1, 8, 8];
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

fn values(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().try_to_vec::<f32>().unwrap()
}

fn normals(purpose: Purpose, step: u32, items: usize) -> Vec<f32> {
    let mut out = vec![0.0; items * NUMBERS];
    noise::image_noise(NOISE.address(purpose, step), 0, NUMBERS, &mut out);
    out
}

#[test]
fn an_image_keeps_its_value_whatever_it_is_drawn_with() {
    for source in [
        Source::OneStep,
        Source::KStep(2),
        Source::Glass(2),
        Source::Sde(3),
    ] {
        let all = draws(source, &question(0.4, 1), 0..40);
        let some = draws(source, &question(0.4, 1), 30..37);
        // Rows of a batch may be summed in another order.
        assert!(
            apart(&all[30 * NUMBERS..37 * NUMBERS], &some) < 1e-5,
            "{source}"
        );
        assert!(
            apart(&all[..NUMBERS], &all[NUMBERS..2 * NUMBERS]) > 1e-2,
            "{source}"
        );
    }
}

#[test]
fn noise_of_an_image_is_standard_and_its_own() {
    for numbers in [63, 64] {
        let address = NOISE.address(Purpose::Prior, 0);
        let mut all = vec![0.0; 300 * numbers];
        noise::image_noise(address, 0, numbers, &mut all);
        let mut some = vec![0.0; 5 * numbers];
        noise::image_noise(address, 17, numbers, &mut some);
        assert_eq!(all[17 * numbers..22 * numbers], some);
        let n = all.len() as f32;
        let mean = all.iter().sum::<f32>() / n;
        let square = all.iter().map(|v| v * v).sum::<f32>() / n;
        // Standard errors 0.007 and 0.01.
        assert!(mean.abs() < 0.03 && (square - 1.0).abs() < 0.04);
        let both = all[..n as usize - numbers]
            .iter()
            .zip(&all[numbers..])
            .map(|(a, b)| a * b)
            .sum::<f32>()
            / n;
        assert!(both.abs() < 0.03, "neighbours are independent: {both}");
    }
}

#[test]
fn one_jump_is_one_step_and_more_are_the_burn_path() {
    for k in [1, 3] {
        let question = question(0.5, 0);
        let condition = Condition {
            t: Tensor::full([4], 0.5, &Device::flex()),
            x_t: tensor(question.x_t.repeat(4)),
            label: Some(Tensor::from_data(
                TensorData::new(vec![0_i32; 4], [4]),
                &Device::flex(),
            )),
            guidance_scale: None,
        };
        let eps = tensor(normals(Purpose::PosteriorDraw, 0, 4));
        let expected = values(posterior_draws(&network(), eps, &condition, k));
        let got = draws(Source::KStep(k as u32), &question, 0..4);
        assert!(apart(&got, &expected) < 1e-5);
    }
    let question = question(0.3, 2);
    let (one, k) = (Source::OneStep, Source::KStep(1));
    assert_eq!(draws(one, &question, 0..3), draws(k, &question, 0..3));
}

#[test]
fn the_glass_ode_is_that_of_the_burn_path() {
    let (t, steps) = (0.3, 3);
    let question = question(t, 2);
    let x_t = tensor(question.x_t.repeat(2));
    let mut inner = tensor(normals(Purpose::PosteriorDraw, 0, 2));
    let net = network();
    let velocity =
        |s: f64, inner: Tensor<4>| glass_velocity(&net, (&[s; 2], inner), (&[t; 2], x_t.clone()));
    let h = 1.0 / f64::from(steps);
    for step in 0..steps {
        let s = f64::from(step) * h;
        let mid = inner.clone() + velocity(s, inner.clone()) * (0.5 * h);
        inner = inner + velocity(s + 0.5 * h, mid) * h;
    }
    let got = draws(Source::Glass(steps as u32), &question, 0..2);
    assert!(apart(&got, &values(inner)) < 2e-5);
}

#[test]
fn the_sde_is_the_ancestral_steps_of_the_burn_path() {
    let (t, steps) = (0.2, 4);
    let question = question(t, 2);
    let mut x = tensor(question.x_t.repeat(2));
    let (net, grid) = (network(), SdeGrid::new(t, steps));
    for step in 0..steps {
        let (now, next) = (grid.time(step), grid.time(step + 1));
        let c = sde_coefficients(now, next);
        let time = Tensor::full([2], now, &Device::flex());
        let b = net.average_velocity(time.clone(), time, x.clone(), &marginal_condition(&x));
        let eps = tensor(normals(Purpose::RolloutStep, step, 2));
        x = x * c.keep + b * c.velocity + eps * c.spread;
    }
    let got = draws(Source::Sde(steps), &question, 0..2);
    assert!(apart(&got, &values(x)) < 2e-5);
}

#[test]
fn the_mean_is_where_one_long_glass_step_lands_and_the_state_moves_on_a_line() {
    // One Euler step of the GLASS ODE from any noise gives the mean (methods.md 3): here with the burn path's velocity.
    let question = question(0.35, 2);
    let inner = tensor(normals(Purpose::PosteriorDraw, 0, 1));
    let x_t = tensor(question.x_t.to_vec());
    let u = glass_velocity(&network(), (&[0.0], inner.clone()), (&[0.35], x_t));
    let mut counters = Counters::default();
    let mean = mean_image(&map(), &question, &mut counters).unwrap();
    assert!(apart(&mean, &values(inner + u)) < 2e-5);
    assert_eq!(counters.network_forward, 1);

    let clean: Vec<f32> = question.x_t.to_vec();
    let at = |t| noised_image(&clean, t, NOISE);
    assert_eq!(at(1.0), clean);
    let middle: Vec<f32> = at(0.0)
        .iter()
        .zip(&clean)
        .map(|(noise, clean)| 0.5 * noise + 0.5 * clean)
        .collect();
    assert!(apart(&at(0.5), &middle) < 1e-6);
    assert!(noised_image(&[], 0.5, NOISE).is_empty());
}

#[test]
fn at_the_end_of_time_the_future_is_the_state() {
    let question = question(1.0, 0);
    for source in [Source::Glass(4), Source::Sde(4)] {
        let got = draws(source, &question, 0..2);
        assert!(apart(&got, &question.x_t.repeat(2)) < 1e-5, "{source}");
    }
}

#[test]
fn the_state_says_nothing_at_time_zero() {
    let other = ImageQuestion {
        x_t: vec![0.9; NUMBERS].into(),
        ..question(0.0, 1)
    };
    for source in [Source::OneStep, Source::Glass(2)] {
        let got = draws(source, &question(0.0, 1), 0..2);
        assert_eq!(got, draws(source, &other, 0..2), "{source}");
    }
}

#[test]
fn every_network_call_is_counted_once_a_row() {
    for (source, calls) in [
        (Source::OneStep, 1),
        (Source::KStep(3), 3),
        (Source::Glass(2), 4),
        (Source::Sde(5), 5),
    ] {
        let mut counters = Counters::default();
        let question = question(0.5, 0);
        draw_images(
            &map(),
            source,
            &question,
            NOISE,
            0..3,
            &mut counters,
            &mut |_| true,
        )
        .unwrap();
        assert_eq!(counters.network_forward, 3 * calls, "{source}");
        assert_eq!(counters.total(), 3 * calls);
    }
    for sampler in [ImageSampler::Flow(4), ImageSampler::Kernel(4)] {
        let mut counters = Counters::default();
        let asked: (&[u32], f32) = (&[0, 1, 2], 1.0);
        generate_images(&map(), sampler, asked, NOISE, 0, &mut counters, &mut |_| {
            true
        })
        .unwrap();
        assert_eq!(counters.network_forward, 12, "{sampler}");
    }
}

#[test]
fn work_that_is_not_wanted_any_more_stops_and_progress_rises() {
    let mut looks = 0;
    let stopped = draw_images(
        &map(),
        Source::Sde(50),
        &question(0.5, 0),
        NOISE,
        0..2,
        &mut Counters::default(),
        &mut |_| {
            looks += 1;
            looks < 4
        },
    );
    assert_eq!((stopped, looks), (Err(LookaheadError::Cancelled), 4));
    let stopped = generate_images(
        &map(),
        ImageSampler::Kernel(8),
        (&[0; 4], 1.0),
        NOISE,
        0,
        &mut Counters::default(),
        &mut |share| share < 0.4,
    );
    assert_eq!(stopped, Err(LookaheadError::Cancelled));
    let mut last = -1.0;
    generate_images(
        &map(),
        ImageSampler::Flow(2),
        (&[0; 70], 1.0),
        NOISE,
        0,
        &mut Counters::default(),
        &mut |share| {
            let rose = share > last && share < 1.0;
            last = share;
            rose
        },
    )
    .unwrap();
}

#[test]
fn generated_images_depend_on_their_number_and_label_alone() {
    let make = |sampler, labels: &[u32], first| {
        generate_images(
            &map(),
            sampler,
            (labels, 2.5),
            NOISE,
            first,
            &mut Counters::default(),
            &mut |_| true,
        )
        .unwrap()
    };
    for sampler in [ImageSampler::Flow(3), ImageSampler::Kernel(3)] {
        let labels: Vec<u32> = (0..36).map(|k| k % 3).collect();
        let all = make(sampler, &labels, 0);
        let some = make(sampler, &labels[33..35], 33);
        assert!(
            apart(&all[33 * NUMBERS..35 * NUMBERS], &some) < 1e-5,
            "{sampler}"
        );
    }
    let labels = [0, 1];
    let one = make(ImageSampler::Flow(1), &labels, 0);
    assert_eq!(one, make(ImageSampler::Kernel(1), &labels, 0));
    assert!(apart(&one, &make(ImageSampler::Kernel(2), &labels, 0)) > 1e-3);
}

#[test]
fn a_question_that_the_map_cannot_be_asked_is_refused_with_what_it_knows() {
    let refused = |source, question: &ImageQuestion| {
        draw_images(
            &map(),
            source,
            question,
            NOISE,
            0..1,
            &mut Counters::default(),
            &mut |_| true,
        )
        .unwrap_err()
        .to_string()
    };
    let fine = question(0.5, 0);
    assert!(refused(Source::Exact, &fine).contains("closed form"));
    let one = Source::OneStep;
    assert!(refused(one, &question(1.5, 0)).contains("t = 1.5"));
    assert!(refused(one, &question(0.5, 3)).contains("no class 3"));
    let short = ImageQuestion {
        x_t: vec![0.0; 3].into(),
        ..fine.clone()
    };
    assert!(refused(one, &short).contains("3 numbers"));
    let strong = ImageQuestion {
        guidance: 4.0,
        ..fine
    };
    assert!(refused(one, &strong).contains("1, 2.5"));
}

#[test]
fn every_sampler_reads_back_what_it_prints() {
    for sampler in [ImageSampler::Flow(4), ImageSampler::Kernel(1)] {
        assert_eq!(sampler.to_string().parse(), Ok(sampler));
    }
    for text in ["", "flow", "flow:0", "kernel:x", "glass:3"] {
        let message = text.parse::<ImageSampler>().unwrap_err().to_string();
        assert!(message.contains("kernel:K"), "{message}");
    }
    assert_eq!(map().config().label_dim, 2);
}
