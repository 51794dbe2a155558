//! What to call the panels of a comparison, so that two of one method can be told apart.

use crate::steer::{ControlForm, DiamondWeights, Flow, Renormalise, Resampling, SteerPlan};

/// One name a panel: the method's title, and those options in which panels of one method differ.
pub fn panel_names(plans: &[SteerPlan]) -> Vec<String> {
    (0..plans.len())
        .map(|k| {
            let plan = &plans[k];
            let mut name = plan.method.card().title.to_owned();
            for option in HEAD.iter().chain(&ALWAYS).chain(&OTHERS) {
                let text = option(plan);
                if differs(plans, k, *option) && !text.is_empty() {
                    name = format!("{name} {text}");
                }
            }
            let (before, same) = alike(plans, k);
            if same > 1 {
                name = format!("{name} ({})", before + 1);
            }
            name
        })
        .collect()
}

/// What the head of panel `k` says beside the method, its dynamics and its draws: options that change the target, and
/// those in which panels of one method differ. Empty where there is nothing to say.
pub fn remarks(plans: &[SteerPlan], k: usize) -> String {
    let Some(plan) = plans.get(k) else {
        return String::new();
    };
    let always = ALWAYS.iter().map(|option| option(plan));
    let others = OTHERS
        .iter()
        .filter(|option| differs(plans, k, **option))
        .map(|option| option(plan));
    let mut all: Vec<String> = always
        .chain(others)
        .filter(|text| !text.is_empty())
        .collect();
    let (before, same) = alike(plans, k);
    if same > 1 {
        all.push(format!("({})", before + 1));
    }
    all.join(", ")
}

fn differs(plans: &[SteerPlan], k: usize, option: fn(&SteerPlan) -> String) -> bool {
    let text = option(&plans[k]);
    let twins = plans.iter().filter(|other| other.method == plans[k].method);
    twins.map(option).any(|other| other != text)
}

/// How many panels are like panel `k`, itself included: before it, and in all.
fn alike(plans: &[SteerPlan], k: usize) -> (usize, usize) {
    let same = |plans: &[SteerPlan], of: &SteerPlan| plans.iter().filter(|p| *p == of).count();
    (same(&plans[..k], &plans[k]), same(plans, &plans[k]))
}

/// An option in words; empty where the usual needs no mention.
type Words = fn(&SteerPlan) -> String;

/// What the head of a panel shows by its controls.
const HEAD: [Words; 2] = [
    |plan| plan.draws.to_string(),
    |plan| match plan.flow {
        Flow::Ode => "ODE".to_owned(),
        Flow::Sde => "SDE".to_owned(),
    },
];

/// With these the target is another one, so they are never left unsaid.
const ALWAYS: [Words; 2] = [
    |plan| match plan.guidance {
        1.0 => String::new(),
        guidance => format!("×{guidance}"),
    },
    |plan| match plan.renormalise {
        Renormalise::Off => String::new(),
        Renormalise::Rescale(scale) => format!("rescaled {scale}"),
        Renormalise::Clip(scale) => format!("clipped {scale}"),
    },
];

const OTHERS: [Words; 17] = [
    |plan| format!("{} steps", plan.steps),
    |plan| plan.source.map_or_else(String::new, |s| s.to_string()),
    |plan| match plan.schedule.cap {
        Some(25.0) => String::new(),
        Some(cap) => format!("cap {cap}"),
        None => "no cap".to_owned(),
    },
    |plan| format!("from {}", plan.start),
    |plan| unless(plan.control_variate, "without control variate"),
    |plan| {
        plan.damping
            .map_or_else(String::new, |sd| format!("damped {sd}"))
    },
    |plan| format!("mix {}", plan.mix_until),
    |plan| format!("{} inner steps", plan.rollout_steps),
    |plan| format!("below {}", plan.resample_below),
    |plan| match plan.resampling {
        Resampling::Systematic => "systematic".to_owned(),
        Resampling::Stratified => "stratified".to_owned(),
        Resampling::Multinomial => "multinomial".to_owned(),
    },
    |plan| {
        plan.population
            .map_or_else(String::new, |size| format!("in {size}s"))
    },
    |plan| format!("power {}", plan.search_power),
    |plan| unless(!plan.search_overall, "one for all"),
    |plan| format!("snr {}", plan.diamond_snr),
    |plan| {
        let full = plan.diamond_weights == DiamondWeights::Full;
        unless(full, "reward weights")
    },
    |plan| {
        let jacobian = plan.control == ControlForm::Jacobian;
        unless(jacobian, "without Jacobian")
    },
    |plan| {
        plan.control_until
            .map_or_else(String::new, |t| format!("until {t}"))
    },
];

fn unless(usual: bool, text: &str) -> String {
    if usual {
        String::new()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steer::Method;

    #[test]
    fn names_tell_what_differs_and_nothing_else() {
        let plan = |method, edit: fn(&mut SteerPlan)| {
            let mut plan = SteerPlan::new(method);
            edit(&mut plan);
            plan
        };
        let plans = [
            plan(Method::Dps, |_| {}),
            plan(Method::MfmGf, |p| p.draws = 4),
            plan(Method::MfmGf, |p| (p.draws, p.guidance) = (16, 3.0)),
            plan(Method::Exact, |p| p.flow = Flow::Ode),
            plan(Method::Exact, |p| p.flow = Flow::Sde),
            plan(Method::Exact, |p| p.flow = Flow::Sde),
        ];
        assert_eq!(
            panel_names(&plans),
            [
                "DPS",
                "MFM-GF 4",
                "MFM-GF 16 ×3",
                "Exact value ODE",
                "Exact value SDE (1)",
                "Exact value SDE (2)"
            ]
        );
    }

    #[test]
    fn the_head_says_what_changes_the_target_and_what_tells_twins_apart() {
        let plan = |edit: fn(&mut SteerPlan)| {
            let mut plan = SteerPlan::new(Method::MfmGf);
            edit(&mut plan);
            plan
        };
        let plans = [
            plan(|_| {}),
            plan(|p| p.control_variate = false),
            plan(|p| (p.guidance, p.renormalise) = (2.0, Renormalise::Clip(0.5))),
        ];
        assert_eq!(remarks(&plans, 0), "");
        assert_eq!(remarks(&plans, 1), "without control variate");
        assert_eq!(remarks(&plans, 2), "×2, clipped 0.5");
        // A single panel with its own guidance says so too.
        assert_eq!(remarks(&plans[2..], 0), "×2, clipped 0.5");
        assert_eq!(remarks(&[plan(|_| {}), plan(|_| {})], 1), "(2)");
        let names = panel_names(&plans);
        assert!(names[0] != names[1] && names[1] != names[2]);
    }
}
