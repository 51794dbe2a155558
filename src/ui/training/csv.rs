//! The curves as comma-separated values.

use std::fmt::Write as _;

use crate::engine::{TrainCheck, TrainLosses, TrainPoint};

/// The columns of a map. Distances are sliced W2 to exact posteriors, in the world's standard deviations.
const MAP: &str = "step,seconds,steps_per_second,loss,loss_velocities,loss_jumps,\
    held_out_loss,held_out_velocities,held_out_jumps,one_step_sliced_w2,four_step_sliced_w2,floor_sliced_w2";
/// The columns of a tuned velocity. Distances are sliced W2 to the tilted target, world units.
const TUNED: &str = "step,seconds,steps_per_second,error,effective_share,\
    sliced_w2,floor_sliced_w2,mean_reward,target_mean_reward";

/// A header and one row a point; what was not measured at a point is empty.
pub fn csv(curve: &[TrainPoint]) -> String {
    let is_tuned = |p: &TrainPoint| matches!(p.loss, TrainLosses::Tuned(_));
    let head = if curve.first().is_some_and(is_tuned) {
        TUNED
    } else {
        MAP
    };
    let mut text = format!("{head}\n");
    for point in curve {
        // Writing to a string cannot fail.
        let _ = write!(text, "{},{:.3},{:.3}", point.step, point.secs, point.rate);
        let _ = match point.loss {
            TrainLosses::Map(l) => {
                write!(text, ",{},{},{}", l.weighted, l.diagonal, l.consistency)
            }
            TrainLosses::Tuned(l) => write!(text, ",{},{}", l.error, l.effective),
        };
        let _ = match (point.check, point.loss) {
            (Some(TrainCheck::Map(c)), _) => writeln!(
                text,
                ",{},{},{},{},{},{}",
                c.held_out.weighted,
                c.held_out.diagonal,
                c.held_out.consistency,
                c.one_step,
                c.four_step,
                c.floor
            ),
            (Some(TrainCheck::Tuned(c)), _) => writeln!(
                text,
                ",{},{},{},{}",
                c.distance, c.floor, c.mean_reward, c.target_mean_reward
            ),
            (None, TrainLosses::Map(_)) => writeln!(text, ",,,,,,"),
            (None, TrainLosses::Tuned(_)) => writeln!(text, ",,,,"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{MapCheck, TunedCheck};
    use crate::train::StepLoss;
    use crate::train::finetune::FinetuneLoss;

    fn rows(loss: TrainLosses, check: TrainCheck) -> Vec<Vec<String>> {
        let point = |step, check| TrainPoint {
            step,
            secs: 0.5,
            loss,
            rate: 2.0,
            check,
        };
        let text = csv(&[point(1, None), point(2, Some(check))]);
        let cells = |line: &str| line.split(',').map(str::to_owned).collect();
        text.lines().map(cells).collect()
    }

    #[test]
    fn every_row_has_every_column() {
        let map = MapCheck {
            held_out: StepLoss::default(),
            one_step: 0.25,
            four_step: 0.125,
            floor: 0.1,
        };
        let tuned = TunedCheck {
            distance: 0.25,
            floor: 0.1,
            mean_reward: -1.0,
            target_mean_reward: -0.5,
        };
        for (loss, check, name) in [
            (
                TrainLosses::Map(StepLoss::default()),
                TrainCheck::Map(map),
                "one_step_sliced_w2",
            ),
            (
                TrainLosses::Tuned(FinetuneLoss::default()),
                TrainCheck::Tuned(tuned),
                "sliced_w2",
            ),
        ] {
            let rows = rows(loss, check);
            assert_eq!(rows.len(), 3);
            assert!(rows.iter().all(|r| r.len() == rows[0].len()), "{rows:?}");
            let column = rows[0].iter().position(|head| head == name).unwrap();
            assert_eq!((&*rows[1][column], &*rows[2][column]), ("", "0.25"));
            assert_eq!(rows[2][0], "2");
        }
    }
}
