//! What scores of draws say together: their mean, the value, and how many draws the value rests on.

/// Figures of scores `r` of draws.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreFigures {
    /// How many scores.
    pub count: usize,
    /// Mean of the scores.
    pub mean: f64,
    /// Standard deviation of the scores; 0 for fewer than two.
    pub deviation: f64,
    /// `ln mean exp r`: an estimate of the value of the state that the draws are from, too low on average.
    pub value: f64,
    /// Standard error of the value, by the delta method: `sd(w) / (mean(w) sqrt n)` of the weights `w = exp r`.
    pub value_error: f64,
    /// Effective sample size of the weights, `(sum w)^2 / sum w^2`.
    pub ess: f64,
}

impl ScoreFigures {
    /// Of some scores; `None` for none.
    pub fn of(scores: &[f32]) -> Option<Self> {
        let count = scores.len();
        if count == 0 {
            return None;
        }
        let n = count as f64;
        let each = || scores.iter().map(|r| f64::from(*r));
        let mean = each().sum::<f64>() / n;
        let squares: f64 = each().map(|r| (r - mean) * (r - mean)).sum();
        let most = each().fold(f64::NEG_INFINITY, f64::max);
        // Relative to the largest: no score overflows.
        let (mut sum, mut sum_of_squares) = (0.0, 0.0);
        for r in each() {
            let weight = (r - most).exp();
            sum += weight;
            sum_of_squares += weight * weight;
        }
        let ess = sum * sum / sum_of_squares;
        // The variance of the weights over the square of their mean is n / ess - 1, with n - 1 for n.
        let spread = (n / ess - 1.0).max(0.0) * n / (n - 1.0).max(1.0);
        Some(Self {
            count,
            mean,
            deviation: (squares / (n - 1.0).max(1.0)).sqrt(),
            value: most + (sum / n).ln(),
            value_error: (spread / n).sqrt(),
            ess,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{Address, Purpose, normal_pairs};

    #[test]
    fn equal_scores_are_their_own_value_and_count_whole() {
        let figures = ScoreFigures::of(&[500.0; 8]).unwrap();
        assert_eq!((figures.mean, figures.value), (500.0, 500.0));
        assert_eq!((figures.value_error, figures.ess), (0.0, 8.0));
        assert_eq!(ScoreFigures::of(&[]), None);
        let one = ScoreFigures::of(&[-3.0]).unwrap();
        assert_eq!((one.value, one.ess, one.deviation), (-3.0, 1.0, 0.0));
        let most = ScoreFigures::of(&[0.0, -1e4, -1e4]).unwrap();
        assert!((most.ess - 1.0).abs() < 1e-12);
        assert!((most.value + 3.0_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn normal_scores_have_the_value_and_the_error_that_theory_gives() {
        // r ~ N(m, s^2): the value is m + s^2 / 2, and n / ess goes to exp(s^2).
        let (m, s, n) = (1.0_f64, 0.7_f64, 200_000);
        let mut z = vec![[0.0_f32; 2]; n / 2];
        normal_pairs(Address::new(5, Purpose::Test, 0), 0, &mut z);
        let scores: Vec<f32> = z
            .iter()
            .flatten()
            .map(|z| (m + s * f64::from(*z)) as f32)
            .collect();
        let figures = ScoreFigures::of(&scores).unwrap();
        let value = m + s * s / 2.0;
        assert!((figures.value - value).abs() < 5.0 * figures.value_error);
        let error = (((s * s).exp() - 1.0) / n as f64).sqrt();
        // The spread of the weights is known to a few percent.
        assert!((figures.value_error / error - 1.0).abs() < 0.05);
        let share = figures.ess / n as f64 * (s * s).exp();
        assert!((share - 1.0).abs() < 0.05, "{share}");
        assert!((figures.deviation - s).abs() < 0.01);
    }
}
