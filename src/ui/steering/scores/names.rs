//! What to call the panels of a comparison, so that two of one method can be told apart.

use crate::steer::{Flow, Renormalise, SteerPlan};

/// One name a panel: the method's title, and those options in which panels of one method differ.
pub fn panel_names(plans: &[SteerPlan]) -> Vec<String> {
    plans
        .iter()
        .enumerate()
        .map(|(k, plan)| {
            let twins = || plans.iter().filter(|other| other.method == plan.method);
            let mut name = plan.method.card().title.to_owned();
            for option in OPTIONS {
                let text = option(plan);
                if twins().any(|other| option(other) != text) && !text.is_empty() {
                    name = format!("{name} {text}");
                }
            }
            // Still the same: by their order.
            let before = plans[..k].iter().filter(|other| *other == plan).count();
            if twins().filter(|other| *other == plan).count() > 1 {
                name = format!("{name} ({})", before + 1);
            }
            name
        })
        .collect()
}

/// The options that a name can mention, each with its text; empty where the usual needs no mention.
const OPTIONS: [fn(&SteerPlan) -> String; 7] = [
    |plan| plan.draws.to_string(),
    |plan| match plan.flow {
        Flow::Ode => "ODE".to_owned(),
        Flow::Sde => "SDE".to_owned(),
    },
    |plan| format!("{} steps", plan.steps),
    |plan| match plan.guidance {
        1.0 => String::new(),
        guidance => format!("×{guidance}"),
    },
    |plan| match plan.renormalise {
        Renormalise::Off => String::new(),
        Renormalise::Rescale(_) => "rescaled".to_owned(),
        Renormalise::Clip(_) => "clipped".to_owned(),
    },
    |plan| plan.source.map_or_else(String::new, |s| s.to_string()),
    |plan| match plan.schedule.cap {
        Some(_) => String::new(),
        None => "no cap".to_owned(),
    },
];

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
}
