//! The curves of a run beside the file that keeps it, so that they go on when it is taken up again.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::train::StepLoss;

use super::training_message::{MapCheck, TrainCheck, TrainLosses, TrainPoint};

/// Largest file that is read.
const MAX_BYTES: u64 = 8 << 20;
/// Numbers of a point: step, seconds, rate, three losses; and six more where there was a look.
const PLAIN: usize = 6;
const LOOKED: usize = 12;

/// The file of the curves of the run that `kept` keeps.
pub fn kept_curve(kept: &Path) -> PathBuf {
    let mut name = kept.file_name().unwrap_or_default().to_owned();
    name.push(".curve");
    kept.with_file_name(name)
}

/// Writes the curves of a map, a point a line.
pub(super) fn write(kept: &Path, curve: &[TrainPoint]) -> std::io::Result<()> {
    let mut text = String::new();
    for point in curve {
        let TrainLosses::Map(loss) = point.loss else {
            continue;
        };
        let mut numbers = vec![
            point.step as f64,
            point.secs,
            point.rate,
            loss.weighted,
            loss.diagonal,
            loss.consistency,
        ];
        if let Some(TrainCheck::Map(c)) = point.check {
            let held = c.held_out;
            numbers.extend([
                held.weighted,
                held.diagonal,
                held.consistency,
                c.one_step,
                c.four_step,
                c.floor,
            ]);
        }
        for number in numbers {
            // Writing to a string cannot fail. What is written reads back as the same number.
            let _ = write!(text, "{number} ");
        }
        text.push('\n');
    }
    crate::checkpoint::write_whole(&kept_curve(kept), text.as_bytes())
}

/// The curves up to `step`; none where the file is not there or not one of ours.
pub(super) fn read(kept: &Path, step: u64) -> Vec<TrainPoint> {
    let path = kept_curve(kept);
    let is_small = std::fs::metadata(&path).is_ok_and(|m| m.len() <= MAX_BYTES);
    if !is_small {
        return Vec::new();
    }
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let points: Option<Vec<TrainPoint>> = text.lines().map(point).collect();
    let mut points = points.unwrap_or_default();
    points.retain(|point| point.step <= step);
    if points.is_sorted_by(|a, b| a.step < b.step) {
        points
    } else {
        Vec::new()
    }
}

fn point(line: &str) -> Option<TrainPoint> {
    let numbers: Result<Vec<f64>, _> = line.split_whitespace().map(str::parse).collect();
    let n = numbers.ok()?;
    let loss = |at: usize| StepLoss {
        weighted: n[at],
        diagonal: n[at + 1],
        consistency: n[at + 2],
    };
    let fine = (n.len() == PLAIN || n.len() == LOOKED)
        && n[0] >= 0.0
        && n[1].is_finite()
        && n[1] >= 0.0
        && n[2].is_finite();
    fine.then(|| TrainPoint {
        step: n[0] as u64,
        secs: n[1],
        rate: n[2],
        loss: TrainLosses::Map(loss(3)),
        check: (n.len() == LOOKED).then(|| {
            TrainCheck::Map(MapCheck {
                held_out: loss(6),
                one_step: n[9],
                four_step: n[10],
                floor: n[11],
            })
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_read_back_as_they_were_up_to_the_step_that_was_kept() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("training.part");
        let loss = StepLoss {
            weighted: 0.1,
            diagonal: 1.0 / 3.0,
            consistency: 2e-7,
        };
        let curve: Vec<TrainPoint> = (1..=9)
            .map(|step| TrainPoint {
                step,
                secs: step as f64 * 0.7,
                rate: 3.25,
                loss: TrainLosses::Map(loss),
                check: (step % 3 == 0).then_some(TrainCheck::Map(MapCheck {
                    held_out: loss,
                    one_step: 0.2,
                    four_step: 0.1,
                    floor: 0.05,
                })),
            })
            .collect();
        assert!(read(&kept, 9).is_empty(), "no file");
        write(&kept, &curve).unwrap();
        assert_eq!(read(&kept, 100), curve);
        assert_eq!(read(&kept, 6), curve[..6]);
        for damaged in [
            "1 2",
            "a b c d e f",
            "2 1 1 1 1 1\n1 1 1 1 1 1",
            "1 NaN 1 1 1 1",
        ] {
            std::fs::write(kept_curve(&kept), damaged).unwrap();
            assert!(read(&kept, 100).is_empty(), "{damaged}");
        }
    }
}
