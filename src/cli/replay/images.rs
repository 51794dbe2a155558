//! The Images workspace without its window: the wall, what it says, and what was kept made again.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Desk, number, studio, write, write_json};
use crate::engine::{
    AgainRequest, Command, Event, GroupsRequest, ImageCurvesRequest, LoadedImages, OpenImages,
    ShownAs, WallAnswer, WallFigures, WallRequest, write_arrays,
};
use crate::lookahead::Source;
use crate::reward::picture::ScorerFiles;
use crate::session::{
    CheckpointRef, DrawRecipe, Images, KeptPicture, Made, Middle, PictureSettings, SheetCell,
    StoredPicture, WallOrder, contact_sheet, encode_png, enlarged, grid_of,
};

/// Draws at each time of the curves, as in the window.
const CURVE_DRAWS: u32 = 32;

/// Makes everything that the session shows.
pub(super) fn replay(images: &Images, out: &Path) -> Result<(), String> {
    let desk = Desk::new();
    let model = open_map(&desk, images)?;
    if images.middle == Middle::Studio {
        return studio::replay(&desk, &model, images, out);
    }
    let wall = wall_of(&desk, &model, images)?;
    let shape = model.shape();
    let sheet = contact_sheet(&cells(&wall), grid_of(wall.len()), &mut |_| true)?;
    if let Some(sheet) = sheet {
        write(&out.join("wall.png"), &encode_png(&sheet.into(), None)?)?;
    }
    let arrays = out.join("wall.npz");
    write_arrays(&wall, &arrays)?;
    say!("{}", arrays.display());
    let most = wall
        .figures
        .deviation
        .iter()
        .copied()
        .fold(f32::MIN_POSITIVE, f32::max);
    // As beside the wall: the largest deviation is white.
    let deviation: Vec<f32> = wall
        .figures
        .deviation
        .iter()
        .map(|d| d / most * 2.0 - 1.0)
        .collect();
    for (name, values) in [
        ("picture.png", &*wall.clean),
        ("x_t.png", &*wall.x_t),
        ("mean.png", &wall.figures.mean),
        ("deviation.png", &deviation),
    ] {
        let picture = StoredPicture::new(shape[0] as u32, shape[1] as u32, values);
        let picture = picture.ok_or("the map's pictures are too large for a file of one")?;
        write(&out.join(name), &encode_png(&enlarged(&picture, 1), None)?)?;
    }
    let mut figures = said_of(&wall);
    if images.order == WallOrder::Groups {
        figures["groups"] = groups(&desk, &wall, images)?;
    }
    if images.middle == Middle::Diversity {
        figures["against_t"] = curves(&desk, &model, images)?;
    }
    figures["kept"] = kept(&desk, &model, images, out)?;
    write_json(&out.join("figures.json"), &figures)
}

/// The map of a session.
///
/// # Errors
/// When it cannot be opened, or does not know what the session asks of it.
pub(in crate::cli) fn open_map(desk: &Desk, images: &Images) -> Result<Arc<LoadedImages>, String> {
    let path = match &images.checkpoint {
        CheckpointRef::Shipped => None,
        CheckpointRef::File(path) => Some(path.clone()),
    };
    let wanted = OpenImages {
        decoders: images.decoders.clone(),
        ..OpenImages::of(path.as_deref())
    };
    let model = desk.ask(Command::OpenImages(wanted), |event| match event {
        Event::OpenedImages(_, _, model) => Some(model),
        _ => None,
    })?;
    if let Some(trouble) = &model.trouble {
        return Err(trouble.clone());
    }
    if model.view.seen() == ShownAs::FalseColours {
        say!(
            "note: {} makes latents, and the session names nothing that decodes them: they are in false colours",
            model.name
        );
    }
    let classes = model.map.config().label_dim as u32;
    match images.class {
        Some(class) if class >= classes => Err(format!(
            "the session asks for class {class}, but {} has {classes} classes",
            model.name
        )),
        _ => Ok(model),
    }
}

/// The whole wall of a session.
///
/// # Errors
/// With the engine's message.
pub(in crate::cli) fn wall_of(
    desk: &Desk,
    model: &Arc<LoadedImages>,
    images: &Images,
) -> Result<Arc<WallAnswer>, String> {
    let request = WallRequest::of(model.clone(), images, images.draws);
    desk.ask(Command::Wall(request), |event| match event {
        Event::Wall(_, answer) if answer.complete => Some(answer),
        _ => None,
    })
}

/// The draws of a wall with what the window says of each.
pub(in crate::cli) fn cells(wall: &WallAnswer) -> Vec<SheetCell> {
    (0..wall.len() as u32)
        .filter_map(|item| draw_of(wall, None, item))
        .map(|kept| SheetCell::of(&kept))
        .collect()
}

/// One draw of a wall as the gallery keeps it; with `images` also what makes it again.
pub(in crate::cli) fn draw_of(
    wall: &WallAnswer,
    images: Option<&Images>,
    item: u32,
) -> Option<KeptPicture> {
    let model = &wall.request.model;
    let [c, h, _] = model.shape();
    let picture = StoredPicture::new(c as u32, h as u32, wall.picture(item as usize)?)?;
    let probabilities = wall.probabilities(item as usize).iter().enumerate();
    let likeliest = probabilities.max_by(|a, b| a.1.total_cmp(b.1));
    let scores = wall.scores();
    let made = images.map(|images| {
        let recipe = DrawRecipe::of(images, model.hash.clone(), item);
        Made::Draw(Box::new(recipe))
    });
    Some(KeptPicture {
        picture,
        label: likeliest.and_then(|(class, _)| model.card.classes.get(class).cloned()),
        t: wall.request.t,
        seed: wall.request.seed,
        item,
        starred: true,
        made,
        reward: scores.and_then(|scores| scores.scores.get(item as usize).copied()),
        by_batch: false,
    })
}

fn said_of(wall: &WallAnswer) -> Value {
    let request = &wall.request;
    let model = &request.model;
    let mut said = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "map": model.name,
        "map_sha256": model.hash,
        "t": request.t,
        "source": request.source.to_string(),
        "class": request.class,
        "draws_are_told_the_class": request.tell_class,
        "guidance": request.guidance,
        "seed": request.seed,
        "noise": request.noise,
        "draws": request.draws,
        "network_evaluations": wall.counters.network_forward,
    });
    said["figures"] = figures_of(&wall.figures, &model.card.classes);
    if let Some(rewarded) = &wall.rewarded {
        said["reward"] = json!({
            "reward": request.rewarding.reward.to_string(),
            "of_each_draw": wall.scores().map(|scores| scores.scores.clone()),
            "trouble": rewarded.as_ref().err(),
        });
    }
    said
}

fn figures_of(figures: &WallFigures, classes: &[String]) -> Value {
    let judged = !figures.shares.is_empty();
    let shares: Vec<Value> = figures
        .shares
        .iter()
        .enumerate()
        .map(|(class, share)| json!({ "class": classes.get(class), "share": share }))
        .collect();
    json!({
        "pixel_distance": number(figures.pairwise),
        "feature_distance": number(figures.pairwise_features),
        "label_entropy_bits": if judged { number(figures.entropy) } else { Value::Null },
        "label_shares": shares,
    })
}

fn groups(desk: &Desk, wall: &Arc<WallAnswer>, images: &Images) -> Result<Value, String> {
    let request = GroupsRequest {
        wall: wall.clone(),
        likeness: images.likeness,
    };
    let answer = desk.ask(Command::Groups(request), |event| match event {
        Event::Groups(_, answer) => Some(answer),
        _ => None,
    })?;
    let classes = &wall.request.model.card.classes;
    let shares = answer.clusters.shares();
    let each: Vec<Value> = shares
        .iter()
        .zip(&answer.mostly)
        .map(|(share, mostly)| {
            let mostly = mostly.map(|(class, share)| {
                json!({ "class": classes.get(class), "share_of_the_group": share })
            });
            json!({ "share": share, "mostly": mostly })
        })
        .collect();
    Ok(json!({
        "alike_by": format!("{:?}", answer.likeness).to_lowercase(),
        "silhouette": number(answer.clusters.silhouette),
        "group_of_each_draw": answer.clusters.of,
        "groups": each,
    }))
}

fn curves(desk: &Desk, model: &Arc<LoadedImages>, images: &Images) -> Result<Value, String> {
    let mut sources = vec![images.source];
    let beside = images.beside.iter().copied();
    sources.extend(beside.filter(|source| *source != images.source));
    let of = |source: Source| {
        let mut wall = WallRequest::of(model.clone(), images, CURVE_DRAWS);
        wall.source = source;
        let request = ImageCurvesRequest { wall };
        let answer = desk.ask(Command::ImageCurves(request), |event| match event {
            Event::ImageCurves(_, answer) if answer.complete => Some(answer),
            _ => None,
        })?;
        let points: Vec<Value> = answer
            .points
            .iter()
            .map(|p| {
                let reward = p.scores.as_ref().map(|s| {
                    json!({ "mean": s.mean, "value": s.value, "value_error": s.value_error, "ess": s.ess })
                });
                let figures = figures_of(&p.figures, &model.card.classes);
                json!({ "t": p.t, "figures": figures, "reward": reward })
            })
            .collect();
        Ok(json!({
            "source": source.to_string(),
            "draws": CURVE_DRAWS,
            "evaluations_per_draw": answer.evaluations,
            "points": points,
        }))
    };
    sources
        .into_iter()
        .map(of)
        .collect::<Result<Vec<Value>, String>>()
        .map(Value::from)
}

/// Every kept picture as a file, made again and compared where that can be.
pub(super) fn kept(
    desk: &Desk,
    model: &Arc<LoadedImages>,
    images: &Images,
    out: &Path,
) -> Result<Value, String> {
    let folder = out.join("kept");
    let all = &images.kept;
    if !all.is_empty() {
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    let mut rows = Vec::new();
    for (index, kept) in all.iter().enumerate() {
        let file = format!("{:03}.png", index + 1);
        let settings = PictureSettings::of(kept).map(|settings| settings.to_ron());
        let bytes = encode_png(&enlarged(&kept.picture, 1), settings.as_deref())?;
        write(&folder.join(&file), &bytes)?;
        let mut row = json!({
            "file": format!("kept/{file}"),
            "label": kept.label,
            "t": kept.t,
            "seed": kept.seed,
            "item": kept.item,
            "starred": kept.starred,
            "by_the_batch": kept.by_batch,
            "reward": kept.reward,
        });
        let made = kept.made.as_ref();
        let ours = made.filter(|made| made.hash() == model.hash);
        if let Some(made) = ours {
            row["made_again"] = again(desk, model, (made, &images.files), kept)?;
        } else {
            row["not_made_again"] = match made {
                None => "an older version kept no settings".into(),
                Some(made) => format!("made by another map, sha256 {}", made.hash()).into(),
            };
        }
        rows.push(row);
    }
    Ok(rows.into())
}

/// A kept picture made again, and whether it is the same.
fn again(
    desk: &Desk,
    model: &Arc<LoadedImages>,
    (made, files): (&Made, &ScorerFiles),
    kept: &KeptPicture,
) -> Result<Value, String> {
    let request = AgainRequest {
        model: model.clone(),
        made: made.clone(),
        files: files.clone(),
    };
    let now = desk.ask(Command::Again(request), |event| match event {
        Event::Again(_, answer) => Some(answer.picture.bytes()),
        _ => None,
    })?;
    let before = kept.picture.bytes();
    let differ = before.iter().zip(&now).map(|(a, b)| a.abs_diff(*b));
    Ok(json!({
        "same": before == now,
        "numbers_that_differ": differ.clone().filter(|d| *d > 0).count(),
        "largest_difference_of_255": differ.max().unwrap_or(0),
    }))
}
