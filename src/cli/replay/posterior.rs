//! The Posterior workspace without its window: the draws, their figures, the curves against `t`.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Desk, number, world_and_model, write_json};
use crate::engine::{
    Command, DiversityRequest, DrawRequest, DrawStats, Event, LoadedModel, SceneRequest, Slot,
    write_draws,
};
use crate::lookahead::Source;
use crate::session::Session;

/// Draws at each time of the curves, for sources of few steps and of many, as in the window.
const CURVE_DRAWS: u32 = 1024;
const CURVE_DRAWS_OF_ROLLOUTS: u32 = 256;

/// Makes everything that the session shows.
pub(super) fn replay(session: &Session, out: &Path) -> Result<(), String> {
    let desk = Desk::new();
    let (world, model) = world_and_model(session)?;
    let (world, model) = (Arc::new(world), model.map(Arc::new));
    let scene = SceneRequest {
        world: world.clone(),
        anchor_t: session.anchor.t,
        anchor_x: session.anchor.x,
        t: session.t,
        carry: session.carry,
        field: None,
    };
    let scene = desk.ask(Command::Scene(scene), |event| match event {
        Event::Scene(_, scene) => Some(scene),
        _ => None,
    })?;
    let request = |source| DrawRequest {
        world: world.clone(),
        model: model.clone(),
        source,
        t: session.t,
        x_t: scene.x_t,
        seed: session.seed,
        draws: session.draws,
    };
    let source = available(session.source, model.as_deref());
    let mut figures = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "world": world.name,
        "world_fingerprint": world.fingerprint(),
        "checkpoint_sha256": model.as_ref().map(|m| m.checkpoint.hash.clone()),
        "t": session.t,
        "x_t": scene.x_t,
        "denoised": scene.denoised,
        "seed": session.seed,
        "draws": session.draws,
    });
    figures["main"] = draws(&desk, request(source), &out.join("draws.npz"))?;
    let overlay = session
        .overlay
        .map(|source| available(source, model.as_deref()));
    if let Some(overlay) = overlay.filter(|overlay| *overlay != source) {
        figures["overlay"] = draws(&desk, request(overlay), &out.join("overlay.npz"))?;
    }
    let curves = DiversityRequest {
        world: world.clone(),
        model: model.clone(),
        source,
        anchor_t: session.anchor.t,
        anchor_x: session.anchor.x,
        carry: session.carry,
        seed: session.seed,
        draws: match source {
            Source::Glass(_) | Source::Sde(_) => CURVE_DRAWS_OF_ROLLOUTS,
            _ => CURVE_DRAWS,
        },
    };
    let curves = desk.ask(Command::Diversity(curves), |event| match event {
        Event::Diversity(_, answer) if answer.complete => Some(answer),
        _ => None,
    })?;
    let points: Vec<Value> = curves
        .points
        .iter()
        .map(|p| json!({ "t": p.t, "x_t": p.x_t, "figures": figures_of(&p.stats) }))
        .collect();
    figures["against_t"] = points.into();
    write_json(&out.join("figures.json"), &figures)
}

/// What the window draws with where there is no map for a source.
fn available(source: Source, model: Option<&LoadedModel>) -> Source {
    match model {
        None if source.needs_model() => Source::Exact,
        // A fine-tuned velocity draws by its own GLASS ODE.
        Some(model) if source.needs_model() && !model.network.is_map() => Source::Glass(32),
        _ => source,
    }
}

/// Draws to a file; gives what is said of them.
fn draws(desk: &Desk, request: DrawRequest, path: &Path) -> Result<Value, String> {
    let (mut answer, mut stats) = (None, None);
    let source = request.source.to_string();
    desk.ask(Command::Draws(request), |event| {
        match event {
            Event::Draws(_, Slot::Draws, draws) => answer = Some(draws),
            Event::Stats(_, Slot::Draws, figures) => stats = Some(figures),
            _ => {}
        }
        (answer.is_some() && stats.is_some()).then_some(())
    })?;
    let (Some(answer), Some(stats)) = (answer, stats) else {
        return Err("the engine gave no draws".into());
    };
    write_draws(&answer.request, &answer.host, path).map_err(|e| e.to_string())?;
    say!("{}", path.display());
    Ok(json!({
        "source": source,
        "network_evaluations": answer.counters.network_forward,
        "figures": figures_of(&stats),
    }))
}

fn figures_of(s: &DrawStats) -> Value {
    json!({
        "draws": s.draws,
        "mode_shares": s.occupancy,
        "mode_shares_exact": s.occupancy_exact,
        "mean": s.mean.map(number),
        "mean_exact": s.mean_exact.map(number),
        "covariance_xx_xy_yy": s.covariance.map(number),
        "covariance_exact_xx_xy_yy": s.covariance_exact.map(number),
        "pairwise_distance": number(s.pairwise),
        "pairwise_distance_exact": number(s.pairwise_exact),
        "mode_entropy_nats": number(s.entropy),
        "mode_entropy_exact_nats": number(s.entropy_exact),
        "sliced_w2": number(s.sliced_w2),
        "floor_sliced_w2": number(s.floor),
    })
}
