//! What `foresight steer` settles before it runs.

use super::DeviceArg;
use crate::engine::{LoadedModel, guided_network};
use crate::gpu::SharedDevice;
use crate::mixture::shortened;
use crate::model::GuidedMlp;
use crate::steer::{Scheme, SteerPlan, SteerRun};

/// The network where it is asked to be, and where that is. What needs no derivative runs on the graphics device with
/// `--device shared`; closed forms and derivatives run on the processor.
pub(super) fn network_on(
    model: Option<&LoadedModel>,
    device: Option<DeviceArg>,
) -> Result<(Option<GuidedMlp>, &'static str), String> {
    DeviceArg::choice(device)?;
    let Some(model) = model else {
        if device == Some(DeviceArg::Shared) {
            eprintln!("note: without a checkpoint nothing runs on the graphics device");
        }
        return Ok((None, "cpu"));
    };
    let shared = match device {
        Some(DeviceArg::Shared) => Some(SharedDevice::headless().map_err(|e| e.to_string())?),
        _ => None,
    };
    let network = guided_network(model, shared.as_ref())?;
    let place = if shared.is_some() { "shared" } else { "cpu" };
    Ok((Some(network), place))
}

/// What a tuned checkpoint is scored against where its own target has no closed form: said, because it is not what it was
/// tuned to.
pub(super) fn scored_against(model: Option<&LoadedModel>, reward: &str) -> Option<String> {
    let card = &model?.checkpoint.card;
    let tuned = card.tuned.as_ref().filter(|t| !t.world_is_target)?;
    Some(format!(
        "the checkpoint is a velocity tuned toward {}, whose target has no closed form: its samples are scored against \
         '{}', the world of the model that it came from, tilted by {} alone. Figures of 0 are not to be expected",
        shortened(&tuned.reward, 80),
        shortened(&card.world.name, 60),
        shortened(reward, 80)
    ))
}

/// Refuses a run that kept no particle: there is nothing to score, and its figures would not be numbers.
pub(super) fn refuse_if_all_are_lost(plan: &SteerPlan, done: &SteerRun) -> Result<(), String> {
    if done.samples.iter().any(|x| x.iter().all(|v| v.is_finite())) {
        return Ok(());
    }
    let card = plan.method.card();
    let clip = if card.estimates_a_gradient() && card.scheme != Scheme::Control {
        ", or bound the steering with --clip 1"
    } else {
        ""
    };
    Err(format!(
        "none of the {} particles of {} stayed finite: its steps are too long for this reward. Take more --steps than \
         {}, or a weaker reward (a lower @LAMBDA at its end){clip}",
        done.samples.len(),
        plan.method,
        plan.steps
    ))
}
