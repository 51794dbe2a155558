//! What an evaluation of a map of images found.

use serde::Serialize;

use super::ImageEvalPlan;
use crate::metrics::Counters;
use crate::train::Verdict;

/// A mean and how well it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Share {
    /// The mean.
    pub mean: f64,
    /// Its standard error.
    pub error: f64,
    /// Over how many items.
    pub count: usize,
}

impl Share {
    /// Mean and standard error of independent values; NaN where there are too few.
    pub fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let square: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        Self {
            mean,
            error: (square / (n - 1.0) / n).sqrt(),
            count: values.len(),
        }
    }
}

/// Real images under the same judge: what the figures of generated ones would be at best.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RealImages {
    /// Held-out images put in their class.
    pub accepted: Share,
    /// Held-out images that count as some class.
    pub some_class: Share,
    /// Frechet distance of as many training images, as there are samples, to the held-out ones.
    pub frechet: f64,
}

/// Samples of classes by one sampler at one guidance scale.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SampleFigures {
    /// How they were made, as [`crate::lookahead::ImageSampler`] prints it.
    pub sampler: String,
    /// Network calls of a sample.
    pub steps: u32,
    /// Guidance scale of the class.
    pub guidance: f32,
    /// Samples of which the class is the likeliest.
    pub accepted: Share,
    /// Frechet distance to the held-out images, in the classifier's features.
    pub frechet: f64,
}

/// Posterior draws of one source, at one time or over all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PosteriorFigures {
    /// Time of the states; `None` for all.
    pub t: Option<f64>,
    /// The source, as [`crate::lookahead::Source`] prints it; `mean` for the mean of the posterior, which is a blur and
    /// shows what the judge does not let pass.
    pub source: String,
    /// Draws that count as some class; the error is over states.
    pub some_class: Share,
    /// Total variation between the labels of these draws and those of the rollouts from the same state; the error is
    /// over states. For the rollouts themselves the floor: two independent samples of as many labels from theirs. None for means.
    pub label_tv: Option<Share>,
}

/// Errors on held-out images, mean square a number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HeldOutLosses {
    /// `v(s, s, I_s)` against `x_1 - x_0`.
    pub diagonal: f64,
    /// `v(s, u, I_s)` against the same jump made in two, at a middle time.
    pub jumps: f64,
    /// Items of each.
    pub items: usize,
}

/// The outcome of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImageEvalReport {
    /// What was looked at.
    pub plan: ImageEvalPlan,
    /// Class samples.
    pub samples: Vec<SampleFigures>,
    /// Posterior draws without class at guidance 1, time by time, then over all.
    pub posterior: Vec<PosteriorFigures>,
    /// Real images beside them.
    pub real: RealImages,
    /// Errors on held-out images.
    pub losses: HeldOutLosses,
    /// What was computed.
    pub counters: Counters,
    /// The bars of the shipped files, where the images are of their kind.
    pub verdicts: Vec<Verdict>,
}

/// What the bars are for.
const DIGITS: [usize; 3] = [1, 28, 28];
const PHOTOS: [usize; 3] = [3, 32, 32];

impl ImageEvalReport {
    /// Whether every bar is met.
    pub fn passed(&self) -> bool {
        self.verdicts.iter().all(|v| v.passed)
    }

    /// The bars of the shipped digits and photos, at the strongest guidance that was looked at, which is what the
    /// program uses for classes.
    pub(super) fn judge(&mut self, shape: [usize; 3]) {
        let guidance = self.samples.iter().map(|s| s.guidance).fold(1.0, f32::max);
        let accepted = |steps: u32, bar: f64| {
            let sampler = format!("flow:{steps}");
            let found = self
                .samples
                .iter()
                .find(|s| s.sampler == sampler && s.guidance == guidance)
                .map_or(f64::NAN, |s| s.accepted.mean);
            at_least(
                format!("{steps}-step samples at guidance {guidance} accepted as their class"),
                found,
                bar,
            )
        };
        let one_step = |t: Option<f64>| {
            self.posterior
                .iter()
                .find(|p| p.t == t && p.source == "one-step")
        };
        self.verdicts = match shape {
            DIGITS => {
                let mut verdicts = vec![accepted(1, 0.95), accepted(4, 0.97)];
                for t in &self.plan.times {
                    let found = one_step(Some(*t)).map_or(f64::NAN, |p| p.some_class.mean);
                    let what = format!("one-step draws at t = {t} accepted as some digit");
                    verdicts.push(at_least(what, found, 0.9));
                }
                let found = one_step(None)
                    .and_then(|p| p.label_tv)
                    .map_or(f64::NAN, |tv| tv.mean);
                verdicts.push(Verdict {
                    demand: format!(
                        "total variation of labels, one-step draws and rollouts, mean of {} states, at most 0.1",
                        self.plan.states
                    ),
                    found,
                    passed: found <= 0.1,
                });
                verdicts
            }
            PHOTOS => vec![accepted(4, 0.8)],
            _ => Vec::new(),
        };
    }

    /// Every figure as a line of its own.
    pub fn lines(&self) -> Vec<FigureLine> {
        let mut lines = Vec::new();
        let mut line = |figure, of: &str, guidance, t, share: Share| {
            lines.push(FigureLine {
                figure,
                of: of.to_owned(),
                guidance,
                t,
                value: share.mean,
                error: Some(share.error).filter(|e| e.is_finite()),
                count: share.count,
            });
        };
        let plain = |mean, count| Share {
            mean,
            error: f64::NAN,
            count,
        };
        let samples = self.plan.samples as usize;
        for s in &self.samples {
            let w = Some(s.guidance);
            line("accepted", &s.sampler, w, None, s.accepted);
            line("frechet", &s.sampler, w, None, plain(s.frechet, samples));
        }
        for p in &self.posterior {
            line("some_class", &p.source, None, p.t, p.some_class);
            if let Some(tv) = p.label_tv {
                line("label_tv", &p.source, None, p.t, tv);
            }
        }
        let real = &self.real;
        line("accepted", "held-out", None, None, real.accepted);
        line("some_class", "held-out", None, None, real.some_class);
        line(
            "frechet",
            "training",
            None,
            None,
            plain(real.frechet, samples),
        );
        let losses = &self.losses;
        for (figure, loss) in [("diagonal", losses.diagonal), ("jumps", losses.jumps)] {
            line(figure, "held-out", None, None, plain(loss, losses.items));
        }
        lines
    }
}

fn at_least(what: String, found: f64, bar: f64) -> Verdict {
    Verdict {
        demand: format!("{what}, at least {bar}"),
        found,
        // A share that is no number fails.
        passed: found >= bar,
    }
}

/// One line of the table as a file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FigureLine {
    /// What was measured.
    pub figure: &'static str,
    /// Of which sampler, source or images.
    pub of: String,
    /// Guidance scale, where it matters.
    pub guidance: Option<f32>,
    /// Time of the states, where there is one.
    pub t: Option<f64>,
    /// What was found.
    pub value: f64,
    /// Its standard error.
    pub error: Option<f64>,
    /// Items behind it.
    pub count: usize,
}
