//! What a plan refuses, warns of and keeps.

use super::*;

#[test]
fn a_gradient_free_run_with_one_draw_says_that_it_does_not_steer() {
    let mut plan = SteerPlan::new(Method::MfmGf);
    assert_eq!(plan.warning(), None);
    plan.draws = 1;
    let warning = plan.warning().unwrap();
    assert!(warning.contains("does not steer") && warning.contains("MFM-G"));
}

#[test]
fn an_impossible_plan_is_refused_by_the_option_at_fault() {
    let wrong = |edit: fn(&mut SteerPlan), method| {
        let mut plan = SteerPlan::new(method);
        edit(&mut plan);
        plan.validate().unwrap_err().to_string()
    };
    assert!(wrong(|p| p.steps = 0, Method::Dps).contains("steps"));
    assert!(wrong(|p| p.draws = 0, Method::Dps).contains("n is 0"));
    assert!(wrong(|p| p.start = f64::NAN, Method::Dps).contains("start"));
    assert!(wrong(|p| p.flow = Flow::Ode, Method::Tds).contains("needs its noise"));
    assert!(wrong(|p| p.guidance = -1.0, Method::MfmG).contains("guidance"));
    assert!(wrong(|p| p.control_until = Some(1.0), Method::Fmrg).contains("early stop"));
    let one_step = |p: &mut SteerPlan| (p.steps, p.control_until) = (1, Some(0.5));
    assert!(wrong(one_step, Method::Fmrg).contains("at least 2 steps"));
    // Plain words, no debug text.
    let cap = wrong(|p| p.schedule.cap = Some(-1.0), Method::Dps);
    assert!(cap.starts_with("cap is -1: give"), "{cap}");
    let clip = wrong(|p| p.renormalise = Renormalise::Clip(-1.0), Method::Dps);
    assert!(
        clip.starts_with("renormalisation is clip -1: give"),
        "{clip}"
    );
    assert!(SteerPlan::default().validate().is_ok());
}

#[test]
fn a_plan_reads_back_from_its_text() {
    let mut plan = SteerPlan::new(Method::Search).with_preset(Preset::Exact);
    plan.renormalise = Renormalise::Clip(0.5);
    plan.source = Some(Source::Glass(8));
    let text = ron::to_string(&plan).unwrap();
    assert_eq!(ron::from_str::<SteerPlan>(&text).unwrap(), plan);
    // Plans of before an option was there.
    let old = ron::from_str::<SteerPlan>("(method:r#mfm-gf,steps:10)");
    assert!(old.is_ok_and(|plan| plan.control_variate && plan.control_until.is_none()));
}

#[test]
fn a_plan_names_the_sources_that_its_draws_truly_come_from() {
    let sources = |method, source, has_model| {
        let plan = SteerPlan {
            source,
            ..SteerPlan::new(method)
        };
        plan.sources(has_model)
    };
    let exact = Some(Source::Exact);
    assert_eq!(sources(Method::MfmGf, exact, true), [Source::Exact]);
    assert_eq!(sources(Method::MfmG, exact, true), [Source::Glass(16)]);
    assert_eq!(
        sources(Method::MfmMix, exact, false),
        [Source::Exact, Source::Glass(16)]
    );
    assert_eq!(sources(Method::MfmMix, None, true), [Source::OneStep]);
    assert_eq!(sources(Method::RolloutSde, None, true), [Source::Sde(16)]);
    assert_eq!(sources(Method::Dps, exact, true), []);
}
