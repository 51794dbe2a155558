//! The Steering workspace without its window: the samples of each method and their scores.

use std::path::Path;

use serde_json::{Value, json};

use super::{world_and_model, write_json};
use crate::cli::steer_setup::network_on;
use crate::session::{SamplesExport, Session};
use crate::steer::{SteerScene, TargetSample, run};

/// Draws behind the floor of the scores.
const FLOORS: usize = 8;

/// Makes everything that the session shows.
pub(super) fn replay(session: &Session, out: &Path) -> Result<(), String> {
    let steering = &session.steering;
    let (world, model) = world_and_model(session)?;
    let model = model.filter(|_| steering.learned);
    if steering.learned && model.is_none() {
        return Err(format!(
            "the session steers a learned map, but none is shipped for the world '{}': name a checkpoint in it",
            world.name
        ));
    }
    let (network, _) = network_on(model.as_ref(), None)?;
    let scene = SteerScene {
        world: &world.mixture,
        reward: &steering.reward,
        model: network.as_ref(),
    };
    let count = steering.particles as usize;
    let target = TargetSample::new(&world.mixture, &steering.reward, count, session.seed)
        .map_err(|e| e.to_string())?;
    let mut panels = Vec::new();
    for (index, plan) in steering
        .plans(session.seed, steering.particles)
        .iter()
        .enumerate()
    {
        let name = format!("{}-{}.npz", index + 1, plan.method);
        let mut row = json!({ "method": plan.method.to_string(), "plan": plan });
        match run(plan, scene, &mut |_: f32| true) {
            // A method that cannot be run here is told, as in its panel; the others go on.
            Err(e) => row["trouble"] = e.to_string().into(),
            Ok(done) => {
                let notes = [
                    ("method", plan.method.to_string()),
                    ("reward", steering.reward.to_string()),
                    ("world", world.name.clone()),
                ];
                let export = SamplesExport {
                    samples: &done.samples,
                    seed: session.seed,
                    notes: &notes,
                };
                let path = out.join(&name);
                export.write(&path).map_err(|e| e.to_string())?;
                say!("{}", path.display());
                let score = target.score(&world.mixture, &steering.reward, &done.samples);
                row["file"] = name.into();
                row["score"] = json(&score)?;
                row["counters"] = json(&done.counters)?;
                row["non_finite"] = done.non_finite.into();
                row["resamplings"] = done.resamplings.into();
            }
        }
        panels.push(row);
    }
    let figures = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "world": world.name,
        "world_fingerprint": world.fingerprint(),
        "checkpoint_sha256": model.as_ref().map(|m| m.checkpoint.hash.clone()),
        "reward": steering.reward.to_string(),
        "seed": session.seed,
        "particles": steering.particles,
        "log_normaliser": target.log_normaliser,
        "floor": json(&target.floor(&world.mixture, count, FLOORS))?,
        "methods": panels,
    });
    write_json(&out.join("figures.json"), &figures)
}

fn json(value: &impl serde::Serialize) -> Result<Value, String> {
    serde_json::to_value(value).map_err(|e| e.to_string())
}
