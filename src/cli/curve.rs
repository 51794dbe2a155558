//! The curve of a training run as a CSV file that grows, and that a run taken up again goes on with.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::mixture::World;
use crate::model::FusedMlp;
use crate::session::write_atomically;
use crate::train::{EvalPlan, StepLoss, evaluate};

/// First line of the file. Losses of 2D worlds are running means over about a hundred steps, those of images the
/// step's own. Distances are sliced W2 above the floor in the world's standard deviations, where they were measured.
const HEADER: &str =
    "step,seconds,steps_per_second,learning_rate,loss,diagonal,jumps,one_step_w2,four_step_w2";
/// Largest file that is gone on with.
const MAX_BYTES: u64 = 256 << 20;

/// One line.
pub(super) struct Row {
    /// Steps done.
    pub step: u64,
    /// Learning rate of the last of them, where it is known.
    pub learning_rate: Option<f64>,
    /// Losses.
    pub loss: StepLoss,
    /// Distances of one-step and of four-step draws.
    pub distances: Option<[f64; 2]>,
}

/// The file, open at its end.
pub(super) struct Curve {
    path: PathBuf,
    file: File,
    /// Seconds of earlier sittings.
    before: f64,
    begun: Instant,
    /// Step and second of the line before, for the rate.
    last: (u64, f64),
}

impl Curve {
    /// Opens the file for a run that has taken `done` steps: afresh at 0, and otherwise behind the lines of those
    /// steps. What an interrupted sitting wrote beyond them is written again.
    ///
    /// # Errors
    /// With a message for the person.
    pub fn open(path: &Path, done: u64) -> Result<Self, String> {
        let name = path.display();
        let trouble = |e: std::io::Error| {
            format!("{name}: {e}. Give --curve the name of a file in a folder that exists")
        };
        let mut lines = vec![HEADER.to_owned()];
        let mut before = 0.0;
        if path.exists() {
            let mut text = String::new();
            let file = File::open(path).map_err(trouble)?;
            file.take(MAX_BYTES)
                .read_to_string(&mut text)
                .map_err(trouble)?;
            let mut old = text.lines();
            if old.next().is_some_and(|first| first != HEADER) {
                return Err(format!(
                    "{name} is no training curve of this program: give --curve another name"
                ));
            }
            // A line that was cut off by the interruption is left out.
            for (line, at) in old.filter_map(|line| Some((line, step_and_seconds(line)?))) {
                if at.0 <= done && done > 0 {
                    before = at.1;
                    lines.push(line.to_owned());
                }
            }
        }
        let text = lines.join("\n") + "\n";
        write_atomically(path, |file| file.write_all(text.as_bytes())).map_err(trouble)?;
        let file = OpenOptions::new()
            .append(true)
            .open(path)
            .map_err(trouble)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            before,
            begun: Instant::now(),
            last: (done, before),
        })
    }

    /// Adds a line. Its seconds are those of all sittings together, measuring included.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, row: &Row) -> Result<(), String> {
        let seconds = self.before + self.begun.elapsed().as_secs_f64();
        let (step, second) = self.last;
        let rate = (row.step - step) as f64 / (seconds - second).max(1e-9);
        self.last = (row.step, seconds);
        let learning_rate = row
            .learning_rate
            .map_or_else(String::new, |rate| format!("{rate:.6e}"));
        let [one, four] = row.distances.map_or_else(Default::default, |d| {
            d.map(|distance| format!("{distance:.6}"))
        });
        let StepLoss {
            weighted,
            diagonal,
            consistency,
        } = row.loss;
        writeln!(
            self.file,
            "{},{seconds:.3},{rate:.3},{learning_rate},{weighted:.9},{diagonal:.9},{consistency:.9},{one},{four}",
            row.step
        )
        .map_err(|e| format!("{}: {e}", self.path.display()))
    }
}

fn step_and_seconds(line: &str) -> Option<(u64, f64)> {
    let mut cells = line.split(',');
    let (step, seconds) = (cells.next()?.parse().ok()?, cells.next()?.parse().ok()?);
    (cells.count() + 2 == HEADER.split(',').count()).then_some((step, seconds))
}

/// Distances of a network's one-step and four-step draws from the exact posterior, less what two exact samples differ
/// by, in the world's standard deviations: a small version of `foresight eval`, the same at every call.
pub(super) fn distances(network: &FusedMlp, world: &World) -> Option<[f64; 2]> {
    let plan = EvalPlan {
        states: 4,
        draws: 1024,
        projections: 32,
        mmd_draws: 2,
        ..EvalPlan::default()
    };
    let mean = evaluate(network, world, &plan, |_| true)?.mean;
    Some([mean.one_step, mean.four_step].map(|figures| figures.above_floor_in_sd))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::train::curve_line;
    use super::super::{Cli, Command};
    use super::*;
    use crate::mixture::Preset;
    use crate::model::MlpConfig;
    use crate::train::{Recipe, Trainer};

    fn row(step: u64) -> Row {
        Row {
            step,
            learning_rate: Some(1e-3),
            loss: StepLoss {
                weighted: 1.0 / step as f64,
                ..StepLoss::default()
            },
            distances: step.is_multiple_of(20).then_some([0.5, 0.25]),
        }
    }

    #[test]
    fn a_curve_goes_on_behind_the_steps_that_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("curve.csv");
        let mut curve = Curve::open(&path, 0).unwrap();
        for step in [10, 20, 30] {
            curve.add(&row(step)).unwrap();
        }
        drop(curve);
        // The run was kept at step 25, and its last line was cut off.
        let text = std::fs::read_to_string(&path).unwrap() + "40,0.";
        std::fs::write(&path, text).unwrap();
        let mut curve = Curve::open(&path, 25).unwrap();
        curve.add(&row(30)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], HEADER);
        let steps: Vec<u64> = lines[1..]
            .iter()
            .map(|line| step_and_seconds(line).unwrap().0)
            .collect();
        assert_eq!(steps, [10, 20, 30]);
        assert!(lines[2].ends_with(",0.500000,0.250000") && lines[3].ends_with(",,"));
        // A new run begins a new curve; a foreign file is refused, not overwritten.
        drop(Curve::open(&path, 0).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap().trim(), HEADER);
        std::fs::write(&path, "my,notes\n").unwrap();
        let refused = Curve::open(&path, 5).err().unwrap();
        assert!(refused.contains("another name"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "my,notes\n");
    }

    /// The losses and distances of a curve, line by line.
    fn figures(path: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text.lines().skip(1);
        lines
            .map(|line| {
                let cells: Vec<&str> = line.split(',').collect();
                format!("{},{}", cells[0], cells[3..].join(","))
            })
            .collect()
    }

    #[test]
    fn a_run_taken_up_again_has_the_curve_of_one_that_was_not_interrupted() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let line = "foresight train --world two --out x.safetensors --curve c.csv --curve-every 10 \
                    --distances-every 20";
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let Some(Command::Train(args)) = cli.command else {
            panic!("not train");
        };
        let recipe = Recipe {
            model: MlpConfig {
                hidden: 16,
                layers: 2,
                frequencies: 2,
                ..MlpConfig::default()
            },
            steps: 45,
            batch: 64,
            ..Recipe::default()
        };
        let steps = |trainer: &mut Trainer, curve: &mut Curve, until: u64| {
            trainer
                .run(|trainer, p| {
                    curve_line(&args, trainer, p, curve).unwrap();
                    p.step < until
                })
                .unwrap();
        };
        let new = || Trainer::new(World::preset(Preset::Two), recipe).unwrap();
        let mut whole = Curve::open(&at("whole.csv"), 0).unwrap();
        steps(&mut new(), &mut whole, 45);

        // Kept at step 25; what came until step 37 was lost, but for its lines.
        let mut trainer = new();
        let mut parts = Curve::open(&at("parts.csv"), 0).unwrap();
        steps(&mut trainer, &mut parts, 25);
        trainer.save(&at("run.part")).unwrap();
        steps(&mut trainer, &mut parts, 37);
        drop(parts);
        let mut trainer = Trainer::resume(&at("run.part")).unwrap();
        let mut parts = Curve::open(&at("parts.csv"), trainer.steps_done()).unwrap();
        steps(&mut trainer, &mut parts, 45);

        let (whole, parts) = (figures(&at("whole.csv")), figures(&at("parts.csv")));
        assert_eq!(whole.len(), 5);
        assert_eq!(whole, parts);
    }
}
