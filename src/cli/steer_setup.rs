//! What `foresight steer` settles before it runs.

use std::path::Path;

use super::DeviceArg;
use crate::engine::{LoadedModel, guided_network};
use crate::gpu::SharedDevice;
use crate::model::GuidedMlp;

/// Refuses, before anything runs, a report that could not be written or would take the samples' place.
pub(super) fn check_report(path: &Path, out: Option<&Path>) -> Result<(), String> {
    let name = path.display();
    if out == Some(path) {
        return Err(format!(
            "{name} is asked for twice: give --out and --json names of their own"
        ));
    }
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty());
    if path.is_dir() || folder.is_some_and(|folder| !folder.is_dir()) {
        return Err(format!(
            "{name} cannot be written: give the name of a file in a folder that exists"
        ));
    }
    Ok(())
}

/// The network where it is asked to be, and where that is. What needs no derivative runs on the graphics device with
/// `--device shared`; closed forms and derivatives run on the processor.
pub(super) fn network_on(
    model: Option<&LoadedModel>,
    device: Option<DeviceArg>,
) -> Result<(Option<GuidedMlp>, &'static str), String> {
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
