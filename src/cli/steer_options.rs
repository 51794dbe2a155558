//! Options that a method has no use for are refused: ignored in silence, they would be taken to have worked.

use super::steer_args::{PresetArg, SteerArgs};
use crate::lookahead::Source;
use crate::steer::{Estimator, Flow, Knob, Lookahead, METHODS, Method, Scheme, SteerPlan};

/// An option: its name, whether it was given, and whether a plan makes use of it, with a checkpoint or without.
type Row = (&'static str, bool, fn(&SteerPlan, bool) -> bool);

/// Refuses the first option that `plan` has no use for.
pub(super) fn refuse_idle(args: &SteerArgs, plan: &SteerPlan) -> Result<(), String> {
    if args.preset == Some(PresetArg::Exact) && plan.flow == Flow::Sde {
        return Err(
            "--preset exact changes the ODE alone: with the SDE leave it out, or give --dynamics ode"
                .into(),
        );
    }
    let source = args.asked_source()?;
    let has_network = args.checkpoint.is_some() || source.is_some_and(Source::needs_model);
    // Without a checkpoint this asks for the network that is shipped for the world: any method can be moved by it.
    let asks_for_network = args.checkpoint.is_none() && source == Some(Source::OneStep);
    let all: [Row; 20] = [
        ("--n", args.n.is_some(), draws),
        (
            "--source",
            source.is_some() && !asks_for_network,
            looks_at_draws,
        ),
        ("--rollout-steps", args.rollout_steps.is_some(), rolls_out),
        ("--guidance", args.guidance.is_some(), is_guided),
        ("--rescale", args.rescale.is_some(), adds_steering),
        ("--clip", args.clip.is_some(), adds_steering),
        ("--damping", args.damping.is_some(), estimates),
        ("--mix-until", args.mix_until.is_some(), |p, _| {
            p.method == Method::MfmMix
        }),
        ("--no-control-variate", args.no_control_variate, |p, _| {
            let estimator = p.method.card().estimator;
            matches!(estimator, Estimator::GradientFree | Estimator::Mix)
        }),
        ("--cap", args.cap.is_some(), uses_sigma),
        ("--resample-below", args.resample_below.is_some(), weighs),
        ("--resampling", args.resampling.is_some(), weighs),
        ("--population", args.population.is_some(), weighs),
        ("--search-power", args.search_power.is_some(), searches),
        ("--search-overall", args.search_overall, searches),
        ("--snr", args.snr.is_some(), is_diamond),
        ("--reward-weights", args.reward_weights, is_diamond),
        ("--without-jacobian", args.without_jacobian, controls),
        ("--early-stop", args.early_stop.is_some(), controls),
        ("--gradient-error", args.gradient_error, |p, _| {
            p.method.card().estimates_a_gradient()
        }),
    ];
    let idle = all
        .into_iter()
        .find(|(_, given, uses)| *given && !uses(plan, has_network));
    let Some((name, _, uses)) = idle else {
        return Ok(());
    };
    let for_whom: Vec<&str> = METHODS
        .iter()
        .filter(|card| {
            let mut other = plan.clone();
            other.method = card.method;
            if !card.flows.contains(&other.flow) {
                other.flow = card.flows[0];
            }
            uses(&other, has_network)
        })
        .map(|card| card.name)
        .collect();
    let run = if plan.method.card().flows.len() > 1 {
        format!(
            "{} with the {}",
            plan.method,
            plan.flow.to_string().to_uppercase()
        )
    } else {
        plan.method.to_string()
    };
    Err(if for_whom.is_empty() {
        format!("{name} changes nothing of {run} here: leave it out")
    } else {
        format!(
            "{name} changes nothing of {run}: it is for {}. Leave it out",
            for_whom.join(", ")
        )
    })
}

fn scheme(plan: &SteerPlan) -> Scheme {
    plan.method.card().scheme
}

fn draws(plan: &SteerPlan, _: bool) -> bool {
    Knob::of(plan.method) == Knob::Draws
}

fn looks_at_draws(plan: &SteerPlan, _: bool) -> bool {
    plan.method.card().lookahead == Lookahead::Posterior
}

/// Inner rollouts, the GLASS ODE that stands in where no source was named, and the exact flow map.
fn rolls_out(plan: &SteerPlan, has_network: bool) -> bool {
    match plan.method.card().lookahead {
        Lookahead::SdeRollout | Lookahead::GlassRollout => true,
        Lookahead::FlowMap | Lookahead::Renoised => !has_network,
        Lookahead::Posterior => {
            let length = |steps| {
                let rollout_steps = steps;
                let other = SteerPlan {
                    rollout_steps,
                    ..plan.clone()
                };
                other.sources(has_network)
            };
            length(1) != length(2)
        }
        _ => false,
    }
}

/// Methods whose drift is the base's and a part that steers.
fn adds_steering(plan: &SteerPlan, _: bool) -> bool {
    plan.method != Method::Base
        && matches!(
            scheme(plan),
            Scheme::Guided | Scheme::Twisted | Scheme::Tilting
        )
}

fn is_guided(plan: &SteerPlan, has_network: bool) -> bool {
    adds_steering(plan, has_network) || scheme(plan) == Scheme::Control
}

/// Methods that look at rewards on the way, other than through the exact value.
fn estimates(plan: &SteerPlan, _: bool) -> bool {
    let estimator = plan.method.card().estimator;
    !matches!(estimator, Estimator::None | Estimator::ClosedForm)
}

/// The ODE knows `sigma_t` as the factor of a gradient alone.
fn uses_sigma(plan: &SteerPlan, _: bool) -> bool {
    let estimator = plan.method.card().estimator;
    match scheme(plan) {
        Scheme::Twisted | Scheme::Potential | Scheme::Tilting => true,
        Scheme::Guided if plan.flow == Flow::Ode => {
            !matches!(estimator, Estimator::None | Estimator::GradientFree)
        }
        Scheme::Guided | Scheme::BestOf | Scheme::SoftBestOf => plan.flow == Flow::Sde,
        Scheme::ValueSmc | Scheme::Control | Scheme::Search => false,
    }
}

fn weighs(plan: &SteerPlan, _: bool) -> bool {
    scheme(plan).is_weighted()
}

fn searches(plan: &SteerPlan, _: bool) -> bool {
    scheme(plan) == Scheme::Search
}

fn is_diamond(plan: &SteerPlan, _: bool) -> bool {
    plan.method == Method::Wdm
}

fn controls(plan: &SteerPlan, _: bool) -> bool {
    scheme(plan) == Scheme::Control
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::{Cli, Command};

    fn plan_of(line: &str) -> Result<(), String> {
        let words = "foresight steer --world two --reward bowl:1,0,1 --method"
            .split(' ')
            .chain(line.split(' '));
        let cli = Cli::try_parse_from(words).map_err(|e| e.to_string())?;
        let Some(Command::Steer(args)) = cli.command else {
            return Err("not steer".into());
        };
        args.plan().map(|_| ())
    }

    #[test]
    fn an_option_that_does_nothing_is_refused_with_the_methods_it_is_for() {
        for (line, words) in [
            ("dps --n 8", ["--n", "mfm-gf"]),
            ("dps --snr 5", ["--snr", "wdm"]),
            ("mfm-gf --early-stop 0.5", ["--early-stop", "fmrg"]),
            ("mfm-gf --cap 25", ["--cap", "mfm-gf with the ODE"]),
            ("base --guidance 2", ["--guidance", "exact"]),
            ("value-smc --rescale 1", ["--rescale", "tds"]),
            ("exact --damping 1", ["--damping", "mfm-g"]),
            ("dps --source glass:8", ["--source", "search"]),
            (
                "mfm-g --source one-step --rollout-steps 4",
                ["--rollout-steps", "rollout-sde"],
            ),
            (
                "search --resampling stratified",
                ["--resampling", "tds, fk, value-smc, fmtt"],
            ),
            ("tds --preset exact", ["--preset exact", "ODE"]),
            ("best-of-n --gradient-error", ["--gradient-error", "lgd"]),
        ] {
            let message = plan_of(line).unwrap_err();
            for word in words {
                assert!(message.contains(word), "{line}: {message}");
            }
        }
    }

    #[test]
    fn options_that_a_method_uses_are_taken() {
        for line in [
            "mfm-gf --n 8 --no-control-variate --clip 1 --source exact",
            "mfm-gf --dynamics sde --cap 25",
            "mfm-g --rollout-steps 4 --cap 25 --preset exact",
            "mfm-mix --mix-until 0.5 --rollout-steps 4",
            "tds --population 64 --resample-below 0.4 --resampling multinomial",
            "wdm --snr 5 --reward-weights --rollout-steps 4 --n 8",
            "fmrg --early-stop 0.5 --without-jacobian --guidance 2 --steps 3",
            "search --search-power 2 --search-overall --n 4",
            "soft-best-of-n --n 8",
            "dps --source one-step",
        ] {
            assert_eq!(plan_of(line), Ok(()), "{line}");
        }
    }

    #[test]
    fn a_long_reward_is_not_repeated_whole() {
        let long = "x+".repeat(5000);
        let words = ["foresight", "steer", "--world", "two", "--method", "dps"];
        let reward = format!("--reward=half:{long}");
        let cli = Cli::try_parse_from(words.into_iter().chain([reward.as_str()])).unwrap();
        let Some(Command::Steer(args)) = cli.command else {
            panic!("not steer");
        };
        let message = args.reward.get().unwrap_err();
        assert!(message.contains("is no reward") && message.len() < 800);
    }
}
