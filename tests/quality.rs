//! The quality bar of the shipped checkpoints, as `foresight eval` measures it: 20 states at each of six times, 4,096
//! draws each, against the exact posterior.

use foresight::checkpoint::Checkpoint;
use foresight::mixture::{Preset, World};
use foresight::train::{EvalPlan, evaluate};

fn meets_the_bar(preset: Preset) {
    let bytes = Checkpoint::shipped(preset).expect("this preset ships with a checkpoint");
    let checkpoint = Checkpoint::from_bytes(bytes, preset.name()).unwrap();
    assert_eq!(
        checkpoint.card.world,
        World::preset(preset),
        "trained on the world that ships"
    );
    let network = checkpoint.fused().unwrap();
    let report = evaluate(
        &network,
        &checkpoint.card.world,
        &EvalPlan::default(),
        |_| true,
    )
    .unwrap();
    assert!(report.passed(), "{report}");
    // Exact samples meet any bar that the learned ones do.
    assert!(
        report.mean.floor.sliced_w2 <= report.mean.four_step.sliced_w2,
        "{report}"
    );
}

#[test]
fn two_modes_meet_the_bar() {
    meets_the_bar(Preset::Two);
}

#[test]
fn three_modes_meet_the_bar() {
    meets_the_bar(Preset::Three);
}

#[test]
fn the_ring_of_eight_meets_the_bar() {
    meets_the_bar(Preset::Ring8);
}

#[test]
fn two_moons_meet_the_bar() {
    meets_the_bar(Preset::Moons);
}
