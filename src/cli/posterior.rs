//! `foresight posterior`: draws from `p(x_1 | x_t)`, the same as the window's for the same seed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;

use crate::engine::{
    Command, Compute, DrawRequest, Engine, Event, LoadedModel, RequestId, Slot, load_checkpoint,
    load_shipped, write_draws,
};
use crate::gpu::SharedDevice;
use crate::lookahead::Source;
use crate::mixture::{Preset, World};
use crate::session::ExportFormat;
use crate::session::{ComputeChoice, Session};

use super::{DeviceArg, parse_time};

/// `foresight posterior`
#[derive(Debug, Args)]
pub struct PosteriorArgs {
    /// A preset's name (two, three, ring8, grid25, moons, spiral) or a world file.
    #[arg(
        long,
        value_name = "NAME|FILE.ron",
        required_unless_present = "checkpoint"
    )]
    pub world: Option<String>,
    /// A checkpoint; its own world is used unless --world is given too.
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Time of the state, 0 noise, 1 data.
    #[arg(long, value_parser = parse_time, allow_negative_numbers = true)]
    pub t: f64,
    /// The state x_t.
    #[arg(long, value_name = "X,Y", value_parser = parse_point, allow_hyphen_values = true)]
    pub x: [f64; 2],
    /// Number of draws.
    #[arg(long, default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=i64::from(Session::MAX_DRAWS)))]
    pub draws: u32,
    /// Root of the noise.
    #[arg(long, default_value_t = 3)]
    pub seed: u64,
    /// one-step, k-step:K, glass:STEPS, sde:STEPS or exact.
    #[arg(long, default_value = "one-step")]
    pub source: Source,
    /// Where to write; the ending decides the format.
    #[arg(long, value_name = "FILE.{csv,npz,safetensors}")]
    pub out: PathBuf,
}

fn parse_point(text: &str) -> Result<[f64; 2], String> {
    let wrong = || format!("'{text}' is no point: write two finite numbers, like --x=-0.5,1.2");
    let (x, y) = text.split_once(',').ok_or_else(wrong)?;
    let number = |v: &str| {
        v.trim()
            .parse::<f64>()
            .ok()
            .filter(|v| v.is_finite() && v.abs() < 1e6)
            .ok_or_else(wrong)
    };
    Ok([number(x)?, number(y)?])
}

/// Runs the command; prints what was done.
///
/// # Errors
/// With a message for the person: a missing model, an unreadable file, a full disk.
pub fn run_posterior(args: &PosteriorArgs, device: Option<DeviceArg>) -> Result<(), String> {
    ExportFormat::check(&args.out).map_err(|e| e.to_string())?;
    let (world, model) = world_and_model(args)?;
    // One set of draws is not worth the start of a graphics device.
    let choice = DeviceArg::choice(device)?.unwrap_or(ComputeChoice::Cpu);
    let shared = match choice {
        ComputeChoice::Shared => Some(SharedDevice::headless().map_err(|e| e.to_string())?),
        _ => None,
    };
    let request = DrawRequest {
        world: Arc::new(world),
        model: model.map(Arc::new),
        source: args.source,
        t: args.t,
        x_t: args.x,
        seed: args.seed,
        draws: args.draws,
    };
    let started = Instant::now();
    let (draws, compute) = draw_whole(shared, choice, request.clone())?;
    write_draws(&request, &draws, &args.out).map_err(|e| e.to_string())?;
    say!(
        "{}: {} draws of {} at t = {}, x_t = ({}, {}), {}, {}, {:.0} ms",
        args.out.display(),
        draws.len(),
        request.world.name,
        args.t,
        args.x[0],
        args.x[1],
        args.source,
        match compute {
            Compute::Shared => "on the shared device",
            Compute::Cpu => "on the processor",
        },
        started.elapsed().as_secs_f64() * 1e3,
    );
    Ok(())
}

fn world_and_model(args: &PosteriorArgs) -> Result<(World, Option<LoadedModel>), String> {
    if let Some(path) = &args.checkpoint {
        let model = load_checkpoint(path).map_err(|e| e.to_string())?;
        let world = match &args.world {
            Some(name) => World::resolve(name).map_err(|e| e.to_string())?,
            None => model.checkpoint.card.world.clone(),
        };
        return Ok((world, Some(model)));
    }
    let name = args.world.as_deref().unwrap_or_default();
    let world = World::resolve(name).map_err(|e| e.to_string())?;
    // A world alone means its closed forms; learned sources take the checkpoint shipped for it.
    if !args.source.needs_model() {
        return Ok((world, None));
    }
    let model = Preset::from_name(name)
        .and_then(load_shipped)
        .ok_or_else(|| {
            format!(
                "no checkpoint is shipped for the world '{name}': give one with --checkpoint, train one with 'foresight train --world {name} --out FILE', or choose glass, sde or exact"
            )
        })?
        .map_err(|e| e.to_string())?;
    Ok((world, Some(model)))
}

/// All draws of a request, through the engine.
fn draw_whole(
    shared: Option<Arc<SharedDevice>>,
    choice: ComputeChoice,
    request: DrawRequest,
) -> Result<(Vec<[f32; 2]>, Compute), String> {
    let engine = Engine::start(shared.clone(), choice, Arc::new(|| {}));
    let id = engine.submit(Command::Draws(request));
    let answer = wait_for(&engine, id)?;
    let all = answer.request.draws as usize;
    let draws = match (&answer.points, shared) {
        (Some(points), Some(device)) if answer.host.len() < all => {
            points.read(&device).map_err(|e| e.to_string())?
        }
        _ => answer.host.to_vec(),
    };
    Ok((draws, answer.compute))
}

/// Waits for the draws of one request.
///
/// # Errors
/// With the engine's message when the request failed.
pub(super) fn wait_for(
    engine: &Engine,
    id: RequestId,
) -> Result<Arc<crate::engine::DrawAnswer>, String> {
    loop {
        for event in engine.events() {
            match event {
                Event::Draws(got, Slot::Draws, answer) if got == id => return Ok(answer),
                Event::Failed(got, Slot::Draws, message) if got == id => return Err(message),
                _ => {}
            }
        }
        std::thread::sleep(Duration::from_micros(50));
    }
}
