//! The Studio without its window: every row's pictures, their steps, and what is said of them.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Desk, images, number, write, write_json};
use crate::engine::{
    Command, Event, LoadedImages, SteeringFilm, StudioAnswer, StudioRequest, StudioRow, studio_rows,
};
use crate::session::{Images, PictureSettings, SheetCell, contact_sheet, encode_png, enlarged};

/// The rows of a session's Studio.
fn rows_of(images: &Images) -> Vec<StudioRow> {
    let studio = &images.studio;
    studio_rows(studio, (&images.rewarding, &studio.settings))
}

/// The finished runs of a session's Studio.
///
/// # Errors
/// Where nothing is rewarded, or with the engine's message.
pub(in crate::cli) fn studio_of(
    desk: &Desk,
    model: &Arc<LoadedImages>,
    images: &Images,
) -> Result<Arc<StudioAnswer>, String> {
    let studio = &images.studio;
    if images.rewarding.reward.is_empty() {
        return Err("the session shows the Studio, but rewards nothing: give it a reward".into());
    }
    let set = (&images.rewarding, &studio.settings);
    let request = StudioRequest::of(model.clone(), studio, set, images.files.clone())
        .ok_or("the state that the Studio's runs begin in holds no numbers")?;
    desk.ask(Command::Studio(request), |event| match event {
        Event::Studio(_, answer) if answer.complete => Some(answer),
        _ => None,
    })
}

/// The runs step by step: all of them, or a row and a particle beside the base.
pub(in crate::cli) fn film_of(
    answer: &StudioAnswer,
    images: &Images,
    cell: Option<(usize, usize)>,
) -> SteeringFilm {
    let titles: Vec<String> = rows_of(images).into_iter().map(|row| row.title).collect();
    SteeringFilm::of(answer, &titles, cell, images.studio.states)
}

/// Every picture as it is at the clock, with its row's title and what is said of it.
pub(in crate::cli) fn sheet_of(answer: &StudioAnswer, images: &Images) -> Vec<SheetCell> {
    let studio = &images.studio;
    let set = (&images.rewarding, &studio.settings);
    let across = answer.request.particles.len();
    let mut cells = Vec::new();
    for (row, of) in rows_of(images).iter().enumerate() {
        for particle in 0..across {
            if let Some(kept) = answer.picture(set, (row, particle), studio.t) {
                let mut caption = kept.caption(format!("{:.3}", kept.t));
                caption.insert(0, of.title.clone());
                cells.push(SheetCell {
                    picture: kept.picture,
                    caption,
                });
            }
        }
    }
    cells
}

/// Makes everything that the Studio shows.
pub(super) fn replay(
    desk: &Desk,
    model: &Arc<LoadedImages>,
    images: &Images,
    out: &Path,
) -> Result<(), String> {
    let answer = studio_of(desk, model, images)?;
    let across = answer.request.particles.len();
    let cells = sheet_of(&answer, images);
    if !cells.is_empty() {
        let sheet = contact_sheet(&cells, across, &mut |_| true)?;
        if let Some(sheet) = sheet {
            write(&out.join("studio.png"), &encode_png(&sheet.into(), None)?)?;
        }
        let film = out.join("steering.gif");
        film_of(&answer, images, None).write(&film, &mut |_| true)?;
        say!("{}", film.display());
    }
    let studio = &images.studio;
    let mut rows = Vec::new();
    for (index, row) in rows_of(images).iter().enumerate() {
        let mut said = said_of(row, &answer, index, &model.card.classes);
        said["files"] = pictures(&answer, images, index, out)?.into();
        rows.push(said);
    }
    let plan = &studio.settings.plan;
    let mut figures = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "map": model.name,
        "map_sha256": model.hash,
        "t": studio.t,
        "reward": images.rewarding.reward.to_string(),
        "seed": plan.seed,
        "class": plan.class,
        "particles": [answer.request.particles.start, answer.request.particles.end],
        "begins_at": studio.settings.start.t(),
        "rows": rows,
    });
    figures["kept"] = images::kept(desk, model, images, out)?;
    write_json(&out.join("figures.json"), &figures)
}

/// The pictures of a row as files with their settings.
fn pictures(
    answer: &StudioAnswer,
    images: &Images,
    row: usize,
    out: &Path,
) -> Result<Vec<String>, String> {
    let set = (&images.rewarding, &images.studio.settings);
    let mut files = Vec::new();
    for particle in 0..answer.request.particles.len() {
        let Some(kept) = answer.picture(set, (row, particle), images.studio.t) else {
            continue;
        };
        let folder = out.join("studio");
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let name = format!("{}-{:02}.png", row + 1, particle + 1);
        let settings = PictureSettings::of(&kept).map(|settings| settings.to_ron());
        let bytes = encode_png(&enlarged(&kept.picture, 1), settings.as_deref())?;
        write(&folder.join(&name), &bytes)?;
        files.push(format!("studio/{name}"));
    }
    Ok(files)
}

/// What is said of a row.
fn said_of(row: &StudioRow, answer: &StudioAnswer, index: usize, classes: &[String]) -> Value {
    let run = &answer.panels[index];
    let base = &answer.panels[0];
    let counters = run.counters;
    let values: Vec<Value> = run
        .frames
        .iter()
        .map(|frame| json!({ "t": frame.t, "value": mean(&frame.values) }))
        .collect();
    let shares = run.judged.as_ref().map(|judged| {
        let shares = judged.label_shares().into_iter().enumerate();
        let named = |(class, share)| json!({ "class": classes.get(class), "share": share });
        shares.map(named).collect::<Vec<Value>>()
    });
    let second = run.second_kind.map(|kind| {
        json!({
            "name": kind.name(),
            "what": kind.what(),
            "mean": mean(&run.second),
            "of_each_picture": numbers(&run.second),
        })
    });
    json!({
        "title": row.title,
        "method": row.panel.plan.method.to_string(),
        "reward": row.panel.reward.to_string(),
        "plan": row.panel.plan,
        "warning": row.warning,
        "trouble": run.trouble,
        "mean_reward": mean(&run.rewards),
        "of_each_picture": numbers(&run.rewards),
        "second": second,
        "exploited": index > 0 && run.exploits(base),
        "label_shares": shares,
        "evaluations": counters.total(),
        "network_forward": counters.network_forward,
        "network_backward": counters.network_backward,
        "rewards": counters.reward,
        "reward_gradients": counters.reward_gradient,
        "non_finite": run.non_finite,
        "value_against_t": values,
    })
}

fn numbers(values: &[f64]) -> Vec<Value> {
    values.iter().map(|v| number(*v)).collect()
}

fn mean(values: &[f64]) -> Value {
    number(values.iter().sum::<f64>() / values.len() as f64)
}
