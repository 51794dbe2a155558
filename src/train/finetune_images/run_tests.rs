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
