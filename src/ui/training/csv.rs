//! The curves as comma-separated values.

use std::fmt::Write as _;

use crate::engine::TrainPoint;

/// The columns. Distances are sliced W2 to exact posteriors, in the world's standard deviations.
const HEAD: &str = "step,seconds,steps_per_second,loss,loss_velocities,loss_jumps,\
    held_out_loss,held_out_velocities,held_out_jumps,one_step_sliced_w2,four_step_sliced_w2,floor_sliced_w2";

/// A header and one row a point; what was not measured at a point is empty.
pub fn csv(curve: &[TrainPoint]) -> String {
    let mut text = format!("{HEAD}\n");
    for point in curve {
        let loss = point.loss;
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "{},{:.3},{:.3},{},{},{}",
            point.step, point.secs, point.rate, loss.weighted, loss.diagonal, loss.consistency
        );
        let _ = match &point.check {
            Some(c) => writeln!(
                text,
                ",{},{},{},{},{},{}",
                c.held_out.weighted,
                c.held_out.diagonal,
                c.held_out.consistency,
                c.one_step,
                c.four_step,
                c.floor
            ),
            None => writeln!(text, ",,,,,,"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::TrainCheck;
    use crate::train::StepLoss;

    #[test]
    fn every_row_has_every_column() {
        let point = |step, check| TrainPoint {
            step,
            secs: 0.5,
            loss: StepLoss::default(),
            rate: 2.0,
            check,
        };
        let check = TrainCheck {
            held_out: StepLoss::default(),
            one_step: 0.25,
            four_step: 0.125,
            floor: 0.1,
        };
        let text = csv(&[point(1, None), point(2, Some(check))]);
        let rows: Vec<Vec<&str>> = text.lines().map(|l| l.split(',').collect()).collect();
        assert_eq!(rows.len(), 3);
        assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{text}");
        let column = |name| rows[0].iter().position(|head| *head == name).unwrap();
        assert_eq!(rows[1][column("one_step_sliced_w2")], "");
        assert_eq!(rows[2][column("one_step_sliced_w2")], "0.25");
        assert_eq!(rows[2][column("step")], "2");
    }
}
