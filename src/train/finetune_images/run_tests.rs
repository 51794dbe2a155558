//! Runs that are stopped and taken up, and runs that are refused.

use std::sync::Arc;

use super::tests::{Quadratic, SIZE, linear, parent, recipe, tuner};
use super::*;
use crate::train::finetune::Objective;

#[test]
fn a_run_that_was_stopped_and_taken_up_ends_as_one_that_never_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.part");
    let reward = linear(0.2);
    let mut whole = tuner(reward.clone(), recipe());
    let mut curve = Vec::new();
    while !whole.is_done() {
        curve.push(whole.advance().unwrap());
    }
    let mut half = tuner(reward.clone(), recipe());
    for _ in 0..5 {
        half.advance().unwrap();
    }
    half.save(&path).unwrap();
    let again = |text: &str, parent: &TuneParent| {
        ImageTuner::resume(&path, parent, (reward.clone(), text), None, &mut |_| true)
    };
    let mut half = again("r", &parent()).unwrap();
    assert_eq!(half.steps_done(), 5);
    while !half.is_done() {
        let step = half.steps_done() as usize;
        assert_eq!(half.advance().unwrap(), curve[step]);
    }
    assert_eq!(half.loss(), whole.loss());
    assert_eq!(
        half.state.average.as_slice(),
        whole.state.average.as_slice()
    );

    let other = TuneParent {
        hash: "cd".repeat(32),
        ..parent()
    };
    assert!(
        again("r", &other)
            .unwrap_err()
            .to_string()
            .contains("another model")
    );
    assert!(
        again("s", &parent())
            .unwrap_err()
            .to_string()
            .contains("toward 'r'")
    );
    let bytes = std::fs::read(&path).unwrap();
    for cut in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let message = again("r", &parent()).unwrap_err().to_string();
        assert!(
            message.contains("run.part") && message.contains("start again"),
            "{message}"
        );
    }
}

#[test]
fn what_cannot_be_tuned_is_refused_with_the_reason() {
    let refused = |parent: &TuneParent, blind: bool, recipe| {
        let reward = Arc::new(Quadratic {
            a: vec![0.0; SIZE],
            k: 0.0,
            c: 0.0,
            blind,
        });
        ImageTuner::new(parent, (reward, "r"), None, recipe, &mut |_| true)
            .unwrap_err()
            .to_string()
    };
    let one_draw = ImageTuneRecipe {
        draws: 1,
        ..recipe()
    };
    assert!(refused(&parent(), false, one_draw).contains("draws"));
    let most = ImageTuneRecipe {
        objective: Objective::Maximise,
        ..recipe()
    };
    assert!(refused(&parent(), true, most).contains("no gradient"));
    let class = ImageTuneRecipe {
        class: TunedClass::Only(2),
        ..recipe()
    };
    assert!(refused(&parent(), false, class).contains("no class 2"));
    let strong = ImageTuneRecipe {
        class: TunedClass::Each,
        guidance: 4.0,
        ..recipe()
    };
    assert!(refused(&parent(), false, strong).contains("guidance 4"));
    let mut tuned = parent();
    tuned.card = tuner(linear(0.1), recipe()).card();
    assert!(refused(&tuned, false, recipe()).contains("no flow map"));
    let cancelled = ImageTuner::new(
        &parent(),
        (linear(0.1), "r"),
        None,
        recipe(),
        &mut |share| share < 0.3,
    );
    assert_eq!(cancelled.unwrap_err().to_string(), "cancelled");
}

#[test]
fn tuning_through_burn_takes_the_steps_of_the_processors_kernels_and_takes_up_their_runs() {
    let reward = linear(0.2);
    let mut native = tuner(reward.clone(), recipe());
    let parent = || parent().through_burn();
    let start = |parent: &TuneParent, recipe| {
        ImageTuner::new(parent, (reward.clone(), "r"), None, recipe, &mut |_| true).unwrap()
    };
    let mut burn = start(&parent(), recipe());
    let near = |a: f64, b: f64| (a - b).abs() <= 2e-3 * b.abs().max(1e-6);
    // Adam's first steps turn on the signs of gradients near 0: rounding grows from step to step.
    let alike = |native: &mut ImageTuner, burn: &mut ImageTuner, steps: u32| {
        for _ in 0..steps {
            let (a, b) = (native.advance().unwrap(), burn.advance().unwrap());
            assert!(
                near(a.error, b.error) && near(a.norm, b.norm),
                "{a:?} {b:?}"
            );
            assert!(near(a.hold, b.hold));
        }
    };
    alike(&mut native, &mut burn, 4);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.part");
    native.save(&path).unwrap();
    let taken = ImageTuner::resume(&path, &parent(), (reward.clone(), "r"), None, &mut |_| true);
    let mut taken = taken.unwrap();
    assert_eq!(taken.steps_done(), 4);
    assert_eq!(
        taken.state.weights.as_slice(),
        native.state.weights.as_slice()
    );
    alike(&mut native, &mut taken, 3);

    let most = ImageTuneRecipe {
        objective: Objective::Maximise,
        ..recipe()
    };
    let mut native = start(&super::tests::parent(), most);
    alike(&mut native, &mut start(&parent(), most), 2);
}

#[test]
fn shapes_that_the_kernels_do_not_know_are_tuned_through_burn() {
    let mut parent = parent();
    // Seven patches a side would be no tile of the kernels; queries and keys with norms are none either.
    parent.card.model.qk_norm = true;
    parent.net = crate::model::Dit::lively(&parent.card.model, 3, &burn::tensor::Device::flex());
    assert!(crate::model::NativeDit::new(&parent.net).is_none());
    let start = |parent: &TuneParent| {
        ImageTuner::new(parent, (linear(0.2), "r"), None, recipe(), &mut |_| true).unwrap()
    };
    let mut run = start(&parent);
    let first = run.advance().unwrap();
    assert!(first.error.is_finite() && first.norm > 0.0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.part");
    run.save(&path).unwrap();
    let again = ImageTuner::resume(&path, &parent, (linear(0.2), "r"), None, &mut |_| true);
    let mut again = again.unwrap();
    assert_eq!(again.advance().unwrap(), run.advance().unwrap());
}
