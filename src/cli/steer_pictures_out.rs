//! What `foresight steer` tells of pictures: the report, the sheet and the arrays.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use npyz::WriterBuilder as _;
use npyz::npz::NpzWriter;
use serde::Serialize;

use super::pictures::{Sheet, check_folder, check_sheet};
use crate::engine::second_scores;
use crate::metrics::{Counters, FeatureClasses};
use crate::mixture::shortened;
use crate::model::ImageJudge;
use crate::reward::picture::PictureReward;
use crate::session::write_atomically;
use crate::steer::images::{ImagePlan, ImageRun};

/// A mean and its standard error; both null where nothing finite was counted.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Average {
    pub mean: f64,
    pub standard_error: f64,
    /// Values that are finite.
    pub count: usize,
}

impl Average {
    pub fn of(values: &[f64]) -> Self {
        let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        let n = finite.len() as f64;
        let mean = finite.iter().sum::<f64>() / n;
        let square: f64 = finite.iter().map(|v| (v - mean).powi(2)).sum();
        Self {
            mean,
            standard_error: (square / (n - 1.0) / n).sqrt(),
            count: finite.len(),
        }
    }
}

/// With its error where there is one: of one value there is none.
impl fmt::Display for Average {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.mean)?;
        if self.standard_error.is_finite() {
            write!(f, " +- {:.3}", self.standard_error)?;
        }
        Ok(())
    }
}

/// What a classifier says.
#[derive(Debug, Serialize)]
pub(super) struct Labels {
    /// Name and share of each class, as the likeliest one.
    pub shares: Vec<(String, f64)>,
    /// Probability of the likeliest class.
    pub confidence: Average,
}

/// A score that the reward does not know; more is better.
#[derive(Debug, Serialize)]
pub(super) struct Second {
    pub name: &'static str,
    pub what: &'static str,
    #[serde(flatten)]
    pub mean: Average,
    pub scores: Vec<f32>,
}

impl Second {
    pub fn of(
        reward: &PictureReward,
        pictures: &[f32],
        count: usize,
        judge: Option<&Arc<ImageJudge>>,
        typical: Option<&FeatureClasses>,
    ) -> Self {
        let judged = judge.map(|judge| judge.judge(pictures));
        let (kind, scores) = second_scores(reward, pictures, count, judged.as_ref(), typical);
        let values: Vec<f64> = scores.iter().map(|v| f64::from(*v)).collect();
        Self {
            name: kind.name(),
            what: kind.what(),
            mean: Average::of(&values),
            scores,
        }
    }
}

/// One of the two runs.
#[derive(Debug, Serialize)]
pub(super) struct Side {
    pub reward: Average,
    pub second: Second,
    pub labels: Option<Labels>,
    pub counters: Counters,
    pub evaluations: u64,
    pub non_finite: u64,
    pub seconds: f64,
}

/// What `--json` holds.
#[derive(Debug, Serialize)]
pub(super) struct PicturesReport<'a> {
    pub version: &'static str,
    /// File name and SHA-256 of the map.
    pub checkpoint: [String; 2],
    pub pictures: u32,
    /// Channels, rows, columns.
    pub shape: [usize; 3],
    /// The class that the velocity and the draws were told.
    pub class: String,
    pub reward: String,
    pub method: &'static str,
    /// Where the method comes from.
    pub published_in: &'static str,
    pub warning: Option<&'static str>,
    pub plan: &'a ImagePlan,
    /// The same noise, unsteered.
    pub base: Side,
    pub steered: Side,
    /// Reward of each picture over that of the same noise unsteered.
    pub gain: Average,
    /// Evaluations a picture as the papers count them.
    pub published_cost_per_picture: Option<u64>,
    pub device: &'static str,
}

/// Refuses an output that cannot be written, before anything runs.
pub(super) fn check_out(path: &Path) -> Result<(), String> {
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    if ending.as_deref() == Some("npz") {
        return check_folder(path);
    }
    check_sheet(path).map_err(|e| {
        if ending.as_deref() == Some("png") {
            e
        } else {
            format!(
                "{}: pictures are written as a sheet or as arrays: end the name in .png or .npz",
                path.display()
            )
        }
    })
}

/// Writes the pictures, as the ending says.
pub(super) fn write(
    path: &Path,
    report: &PicturesReport<'_>,
    base: &ImageRun,
    steered: &ImageRun,
) -> Result<(), String> {
    let is_arrays = path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("npz"));
    if is_arrays {
        return write_atomically(path, |file| arrays(file, report, base, steered))
            .map_err(|e| format!("{}: {e}. Check free space and permissions", path.display()));
    }
    sheet(report.shape, base, steered).write(path)
}

/// The base on the left, what it became on the right, in the same places.
fn sheet(shape: [usize; 3], base: &ImageRun, steered: &ImageRun) -> Sheet {
    let numbers: usize = shape.iter().product();
    let count = base.rewards.len();
    let columns = (count as f64).sqrt().ceil() as usize;
    let mut sheet = Sheet::new(shape, 2 * columns + 1);
    for first in (0..count).step_by(columns.max(1)) {
        let last = (first + columns).min(count);
        let span = first * numbers..last * numbers;
        sheet.add(&base.pictures[span.clone()]);
        sheet.leave(columns - (last - first) + 1);
        sheet.add(&steered.pictures[span]);
        sheet.end_row();
    }
    sheet
}

/// Options of an entry: npyz does not name their type.
fn default_options<'a, W: 'a, O: Default, R>(_: impl Fn(&'a mut W, &'a str, O) -> R) -> O {
    O::default()
}

#[expect(
    clippy::default_trait_access,
    reason = "npyz does not let us name zip's types"
)]
fn arrays<W: Write + io::Seek>(
    file: &mut W,
    report: &PicturesReport<'_>,
    base: &ImageRun,
    steered: &ImageRun,
) -> io::Result<()> {
    // zip stamps entries with the clock by default; its own default date keeps the bytes the same.
    let options =
        default_options(NpzWriter::<&mut W>::array::<f32>).last_modified_time(Default::default());
    let mut npz = NpzWriter::new(file);
    let [c, h, w] = report.shape.map(|side| side as u64);
    let count = u64::from(report.pictures);
    for (name, run) in [("base", base), ("steered", steered)] {
        npz.array(name, options)?
            .default_dtype()
            .shape(&[count, c, h, w])
            .begin_nd()?
            .extend(&run.pictures)?;
        npz.array(&format!("{name}_rewards"), options)?
            .default_dtype()
            .shape(&[count])
            .begin_nd()?
            .extend(&run.rewards)?;
    }
    npz.array("seed", options)?
        .default_dtype()
        .shape(&[])
        .begin_nd()?
        .push(&report.plan.seed)?;
    npz.zip_writer().finish().map_err(io::Error::other)?;
    Ok(())
}

/// The report as text.
pub(super) fn print(report: &PicturesReport<'_>) {
    if let Some(warning) = report.warning {
        say!("note: {warning}");
    }
    let plan = report.plan;
    let draws = if plan.draws_matter() {
        format!("{} draws, ", plan.draws)
    } else {
        String::new()
    };
    say!(
        "{} of {}, class {}, toward {}: {} pictures, {} steps, {draws}{:.1} s",
        report.method,
        shortened(&report.checkpoint[0], 60),
        report.class,
        shortened(&report.reward, 80),
        report.pictures,
        plan.steps,
        report.steered.seconds
    );
    for (name, side) in [("base", &report.base), ("steered", &report.steered)] {
        let c = side.counters;
        say!(
            "  {name:<8} reward {}; {} evaluations = {} network forward + {} backward + {} reward + {} reward gradient",
            side.reward,
            side.evaluations,
            c.network_forward,
            c.network_backward,
            c.reward,
            c.reward_gradient
        );
        if let Some(labels) = &side.labels {
            let mut shares = labels.shares.clone();
            shares.retain(|(_, share)| *share > 0.0);
            shares.sort_by(|a, b| b.1.total_cmp(&a.1));
            let shares: Vec<String> = shares
                .iter()
                .map(|(name, share)| format!("{name} {:.0} %", 100.0 * share))
                .collect();
            say!(
                "           labels {}; probability of the likeliest {:.2} on average",
                shares.join(", "),
                labels.confidence.mean
            );
        }
        if side.non_finite > 0 {
            say!("           {} pictures are not finite", side.non_finite);
        }
    }
    let gain = report.gain;
    say!("  gain     {gain} a picture over the same noise unsteered");
    let (base, steered) = (&report.base.second, &report.steered.second);
    if base.mean.count == 0 {
        // Too few pictures to be like each other.
        return;
    }
    let differences: Vec<f64> = steered
        .scores
        .iter()
        .zip(&base.scores)
        .map(|(steered, base)| f64::from(steered - base))
        .collect();
    let fell = Average::of(&differences);
    say!(
        "  second   {}: {} before, {} steered",
        steered.name,
        base.mean,
        steered.mean
    );
    if gain.mean > 0.0 && -fell.mean > 2.0 * fell.standard_error {
        say!("  note: the reward rose while the second score fell: it is exploited");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_leaves_out_what_is_no_number_and_says_how_sure_it_is() {
        let mean = Average::of(&[1.0, 3.0, f64::NAN]);
        assert_eq!((mean.mean, mean.count), (2.0, 2));
        // Standard deviation sqrt(2) over sqrt(2).
        assert!((mean.standard_error - 1.0).abs() < 1e-12);
        assert!(Average::of(&[]).mean.is_nan());
        assert_eq!(mean.to_string(), "2.000 +- 1.000");
        assert_eq!(Average::of(&[1.5]).to_string(), "1.500");
    }

    #[test]
    fn outputs_are_sheets_or_arrays() {
        check_out(Path::new("a.png")).unwrap();
        check_out(Path::new("a.NPZ")).unwrap();
        let message = check_out(Path::new("a.csv")).unwrap_err();
        assert!(message.contains(".png or .npz"), "{message}");
        let message = check_out(Path::new("/no/such/folder/a.npz")).unwrap_err();
        assert!(message.contains("does not exist"), "{message}");
    }
}
