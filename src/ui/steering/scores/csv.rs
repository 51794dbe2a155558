//! The table as comma-separated values: all figures of every panel.

use std::fmt::Write as _;

use crate::engine::ScoresAnswer;
use crate::steer::Flow;

/// A header and one row a method. Figures that are not there are empty.
pub fn csv(scores: &ScoresAnswer, names: &[String], modes: &[String], how: &str) -> String {
    let mut text = String::from(
        "name,method,dynamics,steps,draws,guidance,seed,t,particles,\
         sliced_w2,sliced_w2_floor,sliced_w2_floor_max,mmd_squared,mmd_squared_floor_max,\
         mode_tv,mode_tv_floor_max,mean_reward,mean_reward_error,exact_mean_reward,exact,\
         ess,gradient_error,evaluations_per_sample,network_forward,network_backward,reward,\
         reward_gradient,non_finite",
    );
    for mode in modes {
        let mode = mode.replace(' ', "_");
        // Writing to a string cannot fail.
        let _ = write!(text, ",share_{mode},exact_share_{mode}");
    }
    text.push('\n');
    let floor = &scores.floor;
    let runs = &scores.request.runs;
    for ((score, plan), name) in scores.panels.iter().zip(&runs.request.plans).zip(names) {
        let Some(panel) = score else { continue };
        let (score, counters) = (&panel.score, &panel.counters);
        let flow = match plan.flow {
            Flow::Ode => "ode",
            Flow::Sde => "sde",
        };
        let optional = |v: Option<f64>| v.map_or_else(String::new, |v| v.to_string());
        let fields = [
            quoted(name),
            plan.method.to_string(),
            flow.to_owned(),
            plan.steps.to_string(),
            plan.draws.to_string(),
            plan.guidance.to_string(),
            plan.seed.to_string(),
            panel.t.to_string(),
            score.samples.to_string(),
            score.sliced_w2.to_string(),
            floor.sliced_w2.to_string(),
            floor.sliced_w2_max.to_string(),
            score.mmd_squared.to_string(),
            floor.mmd_squared_max.to_string(),
            score.tv.to_string(),
            floor.tv_max.to_string(),
            score.mean_reward.to_string(),
            score.mean_reward_error.to_string(),
            score.target_mean_reward.to_string(),
            quoted(how),
            optional(panel.ess),
            optional(panel.gradient_error),
            panel.evaluations_per_sample.to_string(),
            counters.network_forward.to_string(),
            counters.network_backward.to_string(),
            counters.reward.to_string(),
            counters.reward_gradient.to_string(),
            score.non_finite.to_string(),
        ];
        text.push_str(&fields.join(","));
        for k in 0..modes.len() {
            let share = |of: &[f64]| optional(of.get(k).copied());
            let (own, exact) = (share(&score.occupancy), share(&score.target_occupancy));
            let _ = write!(text, ",{own},{exact}");
        }
        text.push('\n');
    }
    text
}

/// In quotes where a comma or a quote asks for it.
pub fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
