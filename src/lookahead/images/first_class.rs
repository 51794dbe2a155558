//! The class that a posterior draw without class begins with.

use rayon::prelude::*;

use crate::model::{StateClassifier, class_at};
use crate::process::{Address, Purpose, uniforms};

/// One uniform number a draw, items `first..` of a state's step.
pub(crate) fn class_picks(address: Address, first: usize, out: &mut [f32]) {
    let purpose = Purpose::FirstClass;
    let address = Address { purpose, ..address };
    uniforms(address, first, out);
}

/// Gives each row whose label is `none` a class drawn from `p(class | x_t)` by its `picks`. Rows of one state stand beside
/// each other: it is looked at once.
///
/// # Shapes
/// `t`, `picks` and `label` `[rows]`, `x_t` `[rows][C H W]`.
pub(crate) fn draw_classes(
    states: &StateClassifier,
    (t, x_t): (&[f32], &[f32]),
    picks: &[f32],
    none: u32,
    label: &mut [u32],
) {
    let size: usize = states.state().iter().product();
    let firsts: Vec<usize> = runs(t, x_t, size).map(|(first, _)| first).collect();
    let times: Vec<f32> = firsts.iter().map(|row| t[*row]).collect();
    let seen: Vec<f32> = firsts
        .iter()
        .flat_map(|row| &x_t[row * size..(row + 1) * size])
        .copied()
        .collect();
    let logs = states.log_probabilities(&times, &seen);
    let ends = firsts.iter().copied().skip(1).chain([t.len()]);
    for ((first, end), logs) in firsts
        .iter()
        .zip(ends)
        .zip(logs.chunks_exact(states.classes()))
    {
        for (label, pick) in label[*first..end].iter_mut().zip(&picks[*first..end]) {
            if *label == none {
                *label = class_at(logs, *pick);
            }
        }
    }
}

/// Adds the gradients by the states of `sum_i weights_i log p(label_i | x_t_i)` to `by_state`, `[rows][C H W]`; those of
/// rows of one state to the first of them.
pub(crate) fn pull_classes(
    states: &StateClassifier,
    (t, x_t): (&[f32], &[f32]),
    label: &[u32],
    weights: &[f64],
    by_state: &mut [f32],
) {
    let size: usize = states.state().iter().product();
    let found: Vec<(usize, Vec<f32>)> = runs(t, x_t, size)
        .par_bridge()
        .map(|(first, count)| {
            let mut sums = vec![0.0_f64; states.classes()];
            for row in first..first + count {
                if let Some(sum) = sums.get_mut(label[row] as usize) {
                    *sum += weights[row];
                }
            }
            let sums: Vec<f32> = sums.iter().map(|sum| *sum as f32).collect();
            let state = &x_t[first * size..(first + 1) * size];
            (first, states.pullback(t[first], state, &sums))
        })
        .collect();
    for (first, gradient) in found {
        let to = &mut by_state[first * size..(first + 1) * size];
        for (to, g) in to.iter_mut().zip(gradient) {
            *to += g;
        }
    }
}

/// `(first, count)` of rows beside each other that have one state.
fn runs<'a>(
    t: &'a [f32],
    x_t: &'a [f32],
    size: usize,
) -> impl Iterator<Item = (usize, usize)> + Send + 'a {
    let same = move |a: usize, b: usize| {
        let state = |row: usize| &x_t[row * size..(row + 1) * size];
        t[a] == t[b] && state(a) == state(b)
    };
    let mut first = 0;
    std::iter::from_fn(move || {
        let begun = first;
        if begun == t.len() {
            return None;
        }
        while first < t.len() && same(begun, first) {
            first += 1;
        }
        Some((begun, first - begun))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::made_state_classifier;

    #[test]
    fn classes_are_drawn_as_often_as_they_are_likely_and_a_given_one_stays() {
        let states = made_state_classifier([1, 8, 8], 3);
        let x: Vec<f32> = (0..128).map(|k| 2.0 * (k as f32 * 0.37).sin()).collect();
        let n = 4000;
        let x_t: Vec<f32> = [&x[..64], &x[64..]].map(|x| x.repeat(n)).concat();
        let t: Vec<f32> = [0.4, 0.0].map(|t| vec![t; n]).concat();
        let mut picks = vec![0.0; 2 * n];
        class_picks(Address::new(1, Purpose::PosteriorDraw, 0), 0, &mut picks);
        let mut label = vec![3; 2 * n];
        label[7] = 1;
        label[n] = 2;
        draw_classes(&states, (&t, &x_t), &picks, 3, &mut label);
        assert_eq!((label[7], label[n]), (1, 2));
        for (part, t) in [(&label[..n], 0.4), (&label[n..], 0.0)] {
            let state = if t > 0.0 { &x[..64] } else { &x[64..] };
            let logs = states.log_probabilities(&[t], state);
            for (class, log) in logs.iter().enumerate() {
                let found = part.iter().filter(|l| **l == class as u32).count() as f32 / n as f32;
                // Four standard errors of a share of 4,000 are at most 0.032.
                assert!((found - log.exp()).abs() < 0.035, "{class}: {found}");
            }
        }
        // The same row alone.
        let mut one = [3];
        let at = n + 9;
        draw_classes(
            &states,
            (&t[at..=at], &x_t[at * 64..(at + 1) * 64]),
            &picks[at..=at],
            3,
            &mut one,
        );
        assert_eq!(one[0], label[at]);
    }

    #[test]
    fn slopes_of_rows_of_one_state_are_summed() {
        let states = made_state_classifier([1, 8, 8], 3);
        let x: Vec<f32> = (0..128).map(|k| (k as f32 * 0.37).sin()).collect();
        let x_t = [&x[..64], &x[..64], &x[64..]].concat();
        let mut by_state = vec![1.0; 192];
        let weights = [0.5, -0.25, 2.0];
        pull_classes(
            &states,
            (&[0.4; 3], &x_t),
            &[0, 2, 1],
            &weights,
            &mut by_state,
        );
        let first = states.pullback(0.4, &x[..64], &[0.5, 0.0, -0.25]);
        let last = states.pullback(0.4, &x[64..], &[0.0, 2.0, 0.0]);
        for i in 0..64 {
            assert_eq!(by_state[i], 1.0 + first[i]);
            assert_eq!(by_state[64 + i], 1.0);
            assert_eq!(by_state[128 + i], 1.0 + last[i]);
        }
    }
}
