//! The evaluation itself.

use super::accept::Acceptance;
use super::report::{PosteriorFigures, RealImages, SampleFigures, Share};
use super::{ImageEvalError, ImageEvalPlan, ImageEvalReport};
use crate::lookahead::{
    ImageQuestion, ImageSampler, NoiseKey, Source, draw_images, generate_images, mean_image,
    noised_image,
};
use crate::metrics::{Counters, FeatureMoments, frechet_distance, total_variation};
use crate::model::{ImageJudge, ImageMap, Judged};
use crate::process::{Address, Purpose, uniforms};
use crate::train::ImageSet;
use crate::train::image::ImageRecipe;

/// Training images from which it is learned what is typical.
const TYPICAL_OF: usize = 10_000;

/// Real images of the model's kind.
#[derive(Clone, Copy)]
pub struct ImageEvalData<'a> {
    /// What the model was not trained on.
    pub held_out: &'a ImageSet,
    /// What it was trained on.
    pub training: &'a ImageSet,
}

/// Measures `map` with `judge` beside real images. `recipe` says how held-out losses are drawn. `watch` is told the
/// share done and says whether to go on.
///
/// # Errors
/// When `watch` says no, or when model, judge and images do not belong together.
pub fn evaluate_images(
    map: &dyn ImageMap,
    judge: &ImageJudge,
    data: ImageEvalData<'_>,
    recipe: &ImageRecipe,
    plan: &ImageEvalPlan,
    watch: &mut dyn FnMut(f64) -> bool,
) -> Result<ImageEvalReport, ImageEvalError> {
    check(map, judge, data, plan)?;
    let scales = map.config().class_scales();
    let samplers = samplers(plan);
    let sampled: f64 = samplers.iter().map(|s| f64::from(s.steps())).sum();
    let drawn: f64 = sources(plan).iter().map(|s| f64::from(s.steps())).sum();
    let total = f64::from(plan.samples) * scales.len() as f64 * sampled
        + f64::from(plan.states) * f64::from(plan.draws) * drawn
        + 4.0 * plan.loss_items as f64;
    let mut run = Run {
        map,
        judge,
        plan,
        watch,
        counters: Counters::default(),
        total,
    };
    run.go_on(0.0)?;

    let some = chosen(
        plan.seed,
        2,
        TYPICAL_OF.min(data.training.len()),
        data.training.len(),
    );
    let labels: Vec<u16> = some.iter().map(|i| data.training.labels[*i]).collect();
    let seen = judged(judge, data.training, some);
    let acceptance = Acceptance::new(&seen, &labels, plan.confidence, plan.typical);
    let held_out = judged(judge, data.held_out, 0..data.held_out.len());
    let moments = FeatureMoments::of(&held_out.features, held_out.width);
    let real = real_images(judge, data, &held_out, &moments, &acceptance, plan);
    let losses = run.losses(data.held_out, recipe)?;
    let mut samples = Vec::new();
    for guidance in scales {
        for sampler in &samplers {
            samples.push(run.samples(*sampler, guidance, &moments)?);
        }
    }
    let posterior = run.posterior(data.held_out, &acceptance)?;
    let mut report = ImageEvalReport {
        plan: plan.clone(),
        samples,
        posterior,
        real,
        losses,
        counters: run.counters,
        verdicts: Vec::new(),
    };
    report.judge(map.config().state());
    Ok(report)
}

fn check(
    map: &dyn ImageMap,
    judge: &ImageJudge,
    data: ImageEvalData<'_>,
    plan: &ImageEvalPlan,
) -> Result<(), ImageEvalError> {
    let apart = |text: String| Err(ImageEvalError::Apart(text));
    let shape = map.config().state();
    if judge.config().image != shape {
        return apart(format!(
            "the classifier judges images of {:?}, the model makes {shape:?}: give a classifier of the same images",
            judge.config().image
        ));
    }
    let classes = judge.config().classes;
    if classes > map.config().label_dim {
        return apart(format!(
            "the classifier knows {classes} classes, the model {}: give a classifier of the same images",
            map.config().label_dim
        ));
    }
    for set in [data.held_out, data.training] {
        if set.shape != shape || set.classes.len() > classes || set.len() < 2 {
            return apart(format!(
                "{} images of {:?} in {} classes; wanted are images of {shape:?} in {classes}",
                set.len(),
                set.shape,
                set.classes.len()
            ));
        }
    }
    if plan.steps.contains(&0) || plan.times.is_empty() || plan.samples < 2 || plan.states < 2 {
        return apart("at least two samples and two states are needed".into());
    }
    Ok(())
}

/// The flow in all numbers of steps, and the kernel sampler in four.
fn samplers(plan: &ImageEvalPlan) -> Vec<ImageSampler> {
    let mut samplers: Vec<_> = plan.steps.iter().map(|k| ImageSampler::Flow(*k)).collect();
    samplers.push(ImageSampler::Kernel(4));
    samplers
}

/// The map in all numbers of steps, and the rollouts.
fn sources(plan: &ImageEvalPlan) -> Vec<Source> {
    let learned = plan.steps.iter().map(|k| match k {
        1 => Source::OneStep,
        k => Source::KStep(*k),
    });
    learned.chain([Source::Sde(plan.rollout_steps)]).collect()
}

/// Images `which` of a set, judged.
fn judged(judge: &ImageJudge, set: &ImageSet, which: impl IntoIterator<Item = usize>) -> Judged {
    let mut all = Judged {
        classes: judge.config().classes,
        width: judge.config().features(),
        ..Judged::default()
    };
    let which: Vec<usize> = which.into_iter().collect();
    let mut images = Vec::new();
    // Pixels of a whole set as numbers would be four times its size.
    for some in which.chunks(1024) {
        images.resize(some.len() * set.stride(), 0.0);
        for (i, out) in some.iter().zip(images.chunks_exact_mut(set.stride())) {
            set.write_into(*i, out);
        }
        let part = judge.judge(&images);
        all.probabilities.extend(part.probabilities);
        all.features.extend(part.features);
    }
    all
}

fn real_images(
    judge: &ImageJudge,
    data: ImageEvalData<'_>,
    held_out: &Judged,
    moments: &FeatureMoments,
    acceptance: &Acceptance,
    plan: &ImageEvalPlan,
) -> RealImages {
    let accepted: Vec<f64> = held_out
        .best()
        .zip(&data.held_out.labels)
        .map(|((class, _), label)| f64::from(class == usize::from(*label)))
        .collect();
    let some = chosen(plan.seed, 1, plan.samples as usize, data.training.len());
    let training = judged(judge, data.training, some);
    RealImages {
        accepted: Share::of(&accepted),
        some_class: Share::of(&acceptance.accepted(held_out)),
        frechet: frechet_distance(
            &FeatureMoments::of(&training.features, training.width),
            moments,
        ),
    }
}

/// `count` of `n` items, with repetition, the same for the same seed.
fn chosen(seed: u64, state: u32, count: usize, n: usize) -> Vec<usize> {
    let mut u = vec![0.0; count];
    uniforms(Address::new(seed, Purpose::EvalState, state), 0, &mut u);
    u.iter()
        .map(|u| ((f64::from(*u) * n as f64) as usize).min(n - 1))
        .collect()
}

/// A run and what it has counted.
pub(super) struct Run<'a> {
    pub(super) map: &'a dyn ImageMap,
    judge: &'a ImageJudge,
    pub(super) plan: &'a ImageEvalPlan,
    watch: &'a mut dyn FnMut(f64) -> bool,
    pub(super) counters: Counters,
    /// Network calls of the whole, about.
    pub(super) total: f64,
}

impl Run<'_> {
    pub(super) fn go_on(&mut self, share: f64) -> Result<(), ImageEvalError> {
        if (self.watch)(share.min(1.0)) {
            Ok(())
        } else {
            Err(ImageEvalError::Cancelled)
        }
    }

    /// Class samples, the classes in turn.
    fn samples(
        &mut self,
        sampler: ImageSampler,
        guidance: f32,
        held_out: &FeatureMoments,
    ) -> Result<SampleFigures, ImageEvalError> {
        let classes = self.judge.config().classes as u32;
        let labels: Vec<u32> = (0..self.plan.samples).map(|i| i % classes).collect();
        let noise = NoiseKey {
            seed: self.plan.seed,
            state: 0,
        };
        let (done, total) = (self.counters.network_forward as f64, self.total);
        let cost = labels.len() as f64 * f64::from(sampler.steps());
        let images = generate_images(
            self.map,
            sampler,
            (&labels, guidance),
            noise,
            0,
            &mut self.counters,
            &mut |share| (self.watch)((done + f64::from(share) * cost) / total),
        )?;
        let judged = self.judge.judge(&images);
        let accepted: Vec<f64> = judged
            .best()
            .zip(&labels)
            .map(|((class, _), label)| f64::from(class == *label as usize))
            .collect();
        let moments = FeatureMoments::of(&judged.features, judged.width);
        Ok(SampleFigures {
            sampler: sampler.to_string(),
            steps: sampler.steps(),
            guidance,
            accepted: Share::of(&accepted),
            frechet: frechet_distance(&moments, held_out),
        })
    }

    /// Draws `items` of one source, judged.
    fn draws(
        &mut self,
        source: Source,
        question: &ImageQuestion,
        (state, items): (u32, std::ops::Range<u32>),
    ) -> Result<Judged, ImageEvalError> {
        let noise = NoiseKey {
            seed: self.plan.seed,
            state,
        };
        let (done, total) = (self.counters.network_forward as f64, self.total);
        let cost = items.len() as f64 * f64::from(source.steps());
        let images = draw_images(
            self.map,
            source,
            question,
            noise,
            items,
            &mut self.counters,
            &mut |share| (self.watch)((done + f64::from(share) * cost) / total),
        )?;
        Ok(self.judge.judge(&images))
    }

    /// Posterior draws of states from held-out images, without class at guidance 1.
    fn posterior(
        &mut self,
        held_out: &ImageSet,
        acceptance: &Acceptance,
    ) -> Result<Vec<PosteriorFigures>, ImageEvalError> {
        let plan = self.plan;
        let sources = sources(plan);
        let which = chosen(plan.seed, 0, plan.states as usize, held_out.len());
        let mut found: Vec<AtState> = Vec::new();
        let mut clean = vec![0.0; held_out.stride()];
        for (state, image) in which.into_iter().enumerate() {
            held_out.write_into(image, &mut clean);
            let t = plan.times[state % plan.times.len()];
            let noise = NoiseKey {
                seed: plan.seed,
                state: state as u32,
            };
            let question = ImageQuestion {
                t,
                x_t: noised_image(&clean, t, noise).into(),
                label: self.map.config().label_dim as u32,
                guidance: 1.0,
            };
            let draws = plan.draws;
            let mean = mean_image(self.map, &question, &mut self.counters)?;
            let mean = acceptance.accepted(&self.judge.judge(&mean));
            let mut judged = Vec::new();
            for source in &sources {
                judged.push(self.draws(*source, &question, (state as u32, 0..draws))?);
            }
            let labels: Vec<Vec<f64>> = judged.iter().map(Judged::label_shares).collect();
            let rollouts = &labels[labels.len() - 1];
            let mut tv: Vec<f64> = labels[..labels.len() - 1]
                .iter()
                .map(|labels| total_variation(labels, rollouts))
                .collect();
            tv.push(label_floor(rollouts, draws, (plan.seed, state as u32)));
            found.push(AtState {
                t,
                some_class: judged
                    .iter()
                    .map(|judged| Share::of(&acceptance.accepted(judged)).mean)
                    .collect(),
                mean: Share::of(&mean).mean,
                tv,
            });
        }
        let times = plan.times.iter().map(|t| Some(*t)).chain([None]);
        Ok(times.flat_map(|t| at_time(&found, t, &sources)).collect())
    }
}

/// Pairs of samples behind a floor.
const FLOOR_PAIRS: u32 = 32;

/// Mean total variation between two independent samples of `n` labels with these shares.
fn label_floor(shares: &[f64], n: u32, (seed, state): (u64, u32)) -> f64 {
    let sample = |step: u32| {
        let mut u = vec![0.0; n as usize];
        uniforms(
            Address::new(seed, Purpose::Floor, state).at_step(step),
            0,
            &mut u,
        );
        let mut found = vec![0.0; shares.len()];
        for u in u {
            let mut left = f64::from(u);
            let class = shares.iter().position(|share| {
                left -= share;
                left < 0.0
            });
            // Shares may sum to a little less than 1.
            found[class.unwrap_or(shares.len() - 1)] += 1.0 / f64::from(n);
        }
        found
    };
    let pair = |k: u32| total_variation(&sample(2 * k), &sample(2 * k + 1));
    (0..FLOOR_PAIRS).map(pair).sum::<f64>() / f64::from(FLOOR_PAIRS)
}

/// What was found at one state, source by source.
struct AtState {
    t: f64,
    some_class: Vec<f64>,
    mean: f64,
    /// Against the rollouts; at the rollouts' own place the floor.
    tv: Vec<f64>,
}

/// Means over the states at `t`, or over all.
fn at_time(found: &[AtState], t: Option<f64>, sources: &[Source]) -> Vec<PosteriorFigures> {
    let states: Vec<&AtState> = found
        .iter()
        .filter(|state| t.is_none_or(|t| state.t == t))
        .collect();
    let over = |pick: &dyn Fn(&AtState) -> f64| {
        let values: Vec<f64> = states.iter().map(|state| pick(state)).collect();
        Share::of(&values)
    };
    let mut rows: Vec<PosteriorFigures> = sources
        .iter()
        .enumerate()
        .map(|(k, source)| PosteriorFigures {
            t,
            source: source.to_string(),
            some_class: over(&|state| state.some_class[k]),
            label_tv: Some(over(&|state| state.tv[k])),
        })
        .collect();
    rows.push(PosteriorFigures {
        t,
        source: "mean".into(),
        some_class: over(&|state| state.mean),
        label_tv: None,
    });
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_is_what_two_samples_of_one_law_differ_by() {
        assert_eq!(label_floor(&[0.0, 1.0, 0.0], 64, (1, 0)), 0.0);
        // Two counts of a fair coin, 64 each: E|p - q| = sqrt(2 / 64) / 2 * sqrt(2 / pi) = 0.0705.
        let half = label_floor(&[0.5, 0.5], 64, (1, 0));
        // The standard error of 32 pairs is 0.0094.
        assert!((half - 0.0705).abs() < 0.03, "{half}");
        assert!(label_floor(&[0.5, 0.5], 4096, (1, 0)) < 0.2 * half);
    }
}
