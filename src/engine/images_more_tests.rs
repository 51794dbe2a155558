//! Pictures made again, groups, curves, files and generations under way, by the whole engine.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::tensor::Device;

use super::images_tests::{engine, last, loaded, model, request};
use super::{
    AgainRequest, Command, Engine, Event, GroupsRequest, IMAGE_CURVE_TIMES, ImageCurvesAnswer,
    ImageCurvesRequest, LoadedImages, PicturesExport, PicturesRequest, Slot, WallRequest,
};
use crate::lookahead::Source;
use crate::model::{Dit, DitConfig, NativeDit};
use crate::reward::picture::ScorerFiles;
use crate::session::{
    CheckpointRef, DrawRecipe, Images, KeptPicture, Likeness, Made, Picture, SheetCell,
    StoredPicture, read_settings,
};

/// A map on the processor's own kernel, whose rows do not depend on one another: digits that were never learned.
pub(super) fn digits() -> Arc<LoadedImages> {
    let config = DitConfig {
        hidden_size: 24,
        depth: 2,
        num_heads: 2,
        encoder_depth: 1,
        ..DitConfig::digits()
    };
    let net = Dit::lively(&config, 3, &Device::flex());
    let mut card = (*model().card).clone();
    card.classes = (0..10).map(|digit: u32| digit.to_string()).collect();
    let map = NativeDit::new(&net).expect("digits are at home on the processor");
    Arc::new(loaded(Arc::new(map), card))
}

pub(super) fn ask<T>(
    engine: &Engine,
    command: Command,
    mut take: impl FnMut(Event) -> Option<T>,
) -> Result<T, String> {
    let id = engine.submit(command);
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < Duration::from_mins(5), "no answer");
        for event in engine.events() {
            match event {
                Event::Failed(got, _, message) if got == id => return Err(message),
                other => {
                    if let Some(answer) = take(other) {
                        return Ok(answer);
                    }
                }
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn session() -> Images {
    Images {
        checkpoint: CheckpointRef::File("digits.safetensors".into()),
        class: Some(1),
        picture: Picture::Generated { seed: 5 },
        noise: 2,
        t: 0.4,
        seed: 9,
        ..Images::default()
    }
}

/// A draw of the wall as the gallery keeps it.
fn kept(engine: &Engine, model: &Arc<LoadedImages>, images: &Images, item: u32) -> KeptPicture {
    let wall = last(engine, WallRequest::of(model.clone(), images, item + 3));
    let [c, h, _] = model.shape();
    let picture = wall.picture(item as usize).unwrap();
    KeptPicture {
        picture: StoredPicture::new(c as u32, h as u32, picture).unwrap(),
        label: Some("7".into()),
        t: images.t,
        seed: images.seed,
        item,
        starred: true,
        made: Some(Made::Draw(Box::new(DrawRecipe::of(
            images,
            model.hash.clone(),
            item,
        )))),
        reward: None,
        by_batch: false,
    }
}

fn again(engine: &Engine, model: &Arc<LoadedImages>, recipe: &DrawRecipe) -> StoredPicture {
    let request = AgainRequest {
        model: model.clone(),
        made: Made::Draw(Box::new(recipe.clone())),
        files: ScorerFiles::default(),
    };
    let answer = ask(engine, Command::Again(request), |event| match event {
        Event::Again(_, answer) => Some(answer),
        _ => None,
    });
    answer.unwrap().picture.clone()
}

#[test]
fn a_picture_made_again_is_the_same_to_the_byte() {
    let model = digits();
    for (picture, source) in [
        (Picture::Generated { seed: 5 }, Source::OneStep),
        (Picture::Running { seed: 5, steps: 4 }, Source::KStep(2)),
        (Picture::Generated { seed: 6 }, Source::Sde(4)),
    ] {
        let images = Images {
            picture,
            source,
            ..session()
        };
        let one = kept(&engine(), &model, &images, 20);
        let Some(Made::Draw(recipe)) = &one.made else {
            panic!("no recipe");
        };
        // Alone, in an engine that drew nothing before.
        assert_eq!(again(&engine(), &model, recipe), one.picture, "{source}");
        let other = DrawRecipe {
            seed: 10,
            ..(**recipe).clone()
        };
        assert_ne!(again(&engine(), &model, &other), one.picture, "{source}");
    }
}

#[test]
fn a_generation_under_way_goes_from_noise_to_its_picture_whatever_the_noise_of_others() {
    let model = digits();
    let engine = engine();
    let at = |t: f64, noise: u64| {
        let wall = WallRequest {
            picture: Picture::Running { seed: 5, steps: 4 },
            t,
            noise,
            ..request(&model, 16)
        };
        last(&engine, wall)
    };
    let (start, middle, end) = (at(0.0, 1), at(0.4, 1), at(1.0, 1));
    assert_eq!(end.x_t, end.clean);
    assert_eq!(start.clean, end.clean);
    assert_ne!(start.x_t, middle.x_t);
    // Standard normal: its mean square is about 1 over 784 numbers.
    let square: f32 = start.x_t.iter().map(|v| v * v).sum::<f32>() / start.x_t.len() as f32;
    assert!((square - 1.0).abs() < 0.2, "{square}");
    assert_eq!(middle.x_t, at(0.4, 77).x_t, "no noise is added to it");
}

fn curves(engine: &Engine, model: &Arc<LoadedImages>, source: Source) -> Arc<ImageCurvesAnswer> {
    let wall = WallRequest {
        source,
        ..request(model, 8)
    };
    let command = Command::ImageCurves(ImageCurvesRequest { wall });
    let answer = ask(engine, command, |event| match event {
        Event::ImageCurves(_, answer) if answer.complete => Some(answer),
        _ => None,
    });
    answer.unwrap()
}

#[test]
fn curves_have_every_time_and_name_the_cost_of_a_draw() {
    let model = digits();
    let engine = engine();
    for (source, evaluations) in [
        (Source::OneStep, 1.0),
        (Source::KStep(3), 3.0),
        (Source::Glass(2), 4.0),
        (Source::Sde(5), 5.0),
    ] {
        let answer = curves(&engine, &model, source);
        assert_eq!(answer.points.len(), IMAGE_CURVE_TIMES);
        assert!(answer.points.windows(2).all(|p| p[0].t < p[1].t));
        assert!((answer.evaluations - evaluations).abs() < 1e-12, "{source}");
        for point in &answer.points {
            let figures = &point.figures;
            assert!(figures.pairwise.is_finite() && figures.pairwise_features.is_finite());
            assert!((figures.shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }
    let (one, two) = (
        curves(&engine, &model, Source::OneStep),
        curves(&super::images_tests::engine(), &model, Source::OneStep),
    );
    assert_eq!(one.points, two.points, "the same each time");
    // At a time of the curves they are what the wall says there.
    let point = &one.points[8];
    let wall = WallRequest {
        t: point.t,
        ..request(&model, 8)
    };
    let wall = last(&engine, wall);
    assert!((wall.figures.pairwise - point.figures.pairwise).abs() < 1e-12);
}

#[test]
fn curves_that_nobody_wants_stop_between_two_calls() {
    let model = digits();
    let engine = engine();
    let wall = WallRequest {
        source: Source::Sde(500),
        ..request(&model, 64)
    };
    let id = engine.submit(Command::ImageCurves(ImageCurvesRequest { wall }));
    while !engine.busy().contains(&Slot::ImageCurves) {
        std::thread::sleep(Duration::from_millis(1));
    }
    engine.cancel(Slot::ImageCurves);
    let begun = Instant::now();
    while !engine.busy().is_empty() {
        assert!(begun.elapsed() < Duration::from_mins(5), "it went on");
        std::thread::sleep(Duration::from_millis(1));
    }
    let ended = engine
        .events()
        .into_iter()
        .any(|event| matches!(event, Event::Cancelled(got, Slot::ImageCurves) if got == id));
    assert!(ended, "the end is told");
}

#[test]
fn groups_hold_every_picture_and_are_called_by_their_class() {
    let engine = engine();
    for (model, judged) in [(digits(), true), (model(), false)] {
        let wall = last(&engine, request(&model, 40));
        let groups = |likeness| {
            let request = GroupsRequest {
                wall: wall.clone(),
                likeness,
            };
            let answer = ask(&engine, Command::Groups(request), |event| match event {
                Event::Groups(_, answer) => Some(answer),
                _ => None,
            });
            answer.unwrap()
        };
        for likeness in [Likeness::Features, Likeness::Pixels] {
            let answer = groups(likeness);
            assert_eq!(answer.clusters.of.len(), 40);
            assert!((1..=8).contains(&answer.clusters.count));
            assert_eq!(answer.mostly.len(), answer.clusters.count);
            assert!(
                answer
                    .mostly
                    .iter()
                    .all(|mostly| mostly.is_some() == judged)
            );
            assert_eq!(groups(likeness).clusters.of, answer.clusters.of);
            if !judged {
                assert_eq!(answer.likeness, Likeness::Pixels);
            }
        }
    }
}

fn write(engine: &Engine, what: PicturesExport, path: &Path) -> Result<String, String> {
    let request = PicturesRequest {
        what,
        path: path.to_owned(),
    };
    ask(
        engine,
        Command::ExportPictures(request),
        |event| match event {
            Event::Written(_, said) => Some(said),
            _ => None,
        },
    )
}

#[test]
fn an_exported_picture_says_how_it_is_made_again_unless_it_is_stripped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.png");
    let (engine, model) = (engine(), digits());
    let one = kept(&engine, &model, &session(), 5);
    let export = |settings| PicturesExport::Picture {
        kept: Box::new(one.clone()),
        scale: 4,
        settings,
    };
    let said = write(&engine, export(true), &path).unwrap();
    assert!(said.contains("with its settings"), "{said}");
    let settings = read_settings(&path).unwrap().unwrap();
    let Made::Draw(recipe) = &settings.made else {
        panic!("no draw");
    };
    let picture = again(&engine, &model, recipe);
    let pixels = image::open(&path).unwrap().into_luma8();
    assert_eq!(pixels.dimensions(), (112, 112));
    let [_, h, w] = model.shape();
    let small: Vec<u8> = (0..h * w)
        .map(|at| pixels.get_pixel((at % w * 4) as u32, (at / w * 4) as u32).0[0])
        .collect();
    assert_eq!(
        small,
        picture.bytes(),
        "the file's pixels are what its settings make"
    );
    let said = write(&engine, export(false), &path).unwrap();
    assert!(said.contains("without settings"), "{said}");
    assert_eq!(read_settings(&path).unwrap(), None);
    let nowhere = folder.path().join("none/p.png");
    let message = write(&engine, export(true), &nowhere).unwrap_err();
    assert!(message.contains("none"), "{message}");
}

#[test]
fn sheets_scrubs_and_arrays_are_written_whole_and_the_same_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, model) = (engine(), digits());
    let one = kept(&engine, &model, &session(), 2);
    let cell = SheetCell {
        caption: one.caption("0.400".into()),
        picture: one.picture,
    };
    let wall = WallRequest::of(model, &session(), 16);
    let scrub = |item| PicturesExport::Scrub {
        wall: wall.clone(),
        item,
        frames: 3,
    };
    let arrays = PicturesExport::Arrays(last(&engine, wall.clone()));
    for (name, what) in [
        ("sheet.png", PicturesExport::Sheet(vec![cell; 5])),
        ("wall.gif", scrub(None)),
        ("one.gif", scrub(Some(7))),
        ("wall.npz", arrays.clone()),
        ("wall.safetensors", arrays),
    ] {
        let path = folder.path().join(name);
        write(&engine, what.clone(), &path).unwrap();
        let first = std::fs::read(&path).unwrap();
        write(&engine, what, &path).unwrap();
        assert!(
            !first.is_empty() && first == std::fs::read(&path).unwrap(),
            "{name}"
        );
    }
    let path = folder.path().join("steps.png");
    let said = write(&engine, scrub(Some(7)), &path).unwrap();
    assert!(said.starts_with("3 frames"), "{said}");
    // 28 pixels, 17 times as large, paper around and the time below.
    let last = image::open(folder.path().join("steps-0003.png")).unwrap();
    assert_eq!((last.width(), last.height()), (480, 498));
    assert!(!folder.path().join("steps-0004.png").exists());
}
