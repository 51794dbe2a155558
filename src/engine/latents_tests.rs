//! Maps of latents by the whole engine: shown at once, decoded one by one, rewarded and steered as what they decode to.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;

use super::images_more_tests::ask;
use super::images_tests::{answers, engine, last, loaded, model, request};
use super::{
    AgainRequest, Command, Event, LoadedImages, OpenImages, PictureView, ShownAs, StudioAnswer,
    StudioPanel, StudioRequest, Unkept, WallRequest,
};
use crate::checkpoint::{DecoderKind, write_image_map, write_small_vae};
use crate::model::{BurnImageMap, Dit, DitConfig, LatentDecoder};
use crate::reward::picture::{PictureParts, PictureReward, ScorerFiles};
use crate::session::{
    CheckpointRef, DecoderFiles, Made, Picture, Rewarding, SteeredRecipe, StoredPicture,
    StudioStart,
};
use crate::steer::Method;
use crate::steer::images::ImagePlan;

const REWARD: &str = "brightness@6";

fn config() -> DitConfig {
    DitConfig {
        input_size: 4,
        patch_size: 2,
        in_channels: 4,
        hidden_size: 24,
        depth: 2,
        num_heads: 2,
        encoder_depth: 1,
        label_dim: 3,
        predicts_image: false,
        ..DitConfig::digits()
    }
}

fn bare() -> LoadedImages {
    let device = Device::flex();
    let map = BurnImageMap::new(Dit::lively(&config(), 3, &device), &device);
    let mut card = (*model().card).clone();
    card.model = config();
    loaded(Arc::new(map), card)
}

pub(super) fn latents() -> Arc<LoadedImages> {
    let decoder = Arc::new(LatentDecoder::small());
    let view = PictureView::of([4, 4, 4], Some(decoder), None).unwrap();
    Arc::new(LoadedImages {
        view: Arc::new(view),
        ..bare()
    })
}

fn rewarding() -> Rewarding {
    Rewarding {
        reward: REWARD.parse().unwrap(),
        ..Rewarding::default()
    }
}

#[test]
fn a_wall_of_latents_is_shown_at_once_and_decoded_one_by_one() {
    let (model, one) = (latents(), engine());
    let asked = WallRequest {
        rewarding: rewarding(),
        ..request(&model, 18)
    };
    let all = answers(&one, asked.clone()).unwrap();
    let undecoded = all.iter().find(|answer| answer.len() == 18).unwrap();
    assert!(undecoded.decoded < 18 && !undecoded.complete && undecoded.rewarded.is_none());
    let done = all.last().unwrap();
    assert_eq!((done.decoded, done.len()), (18, 18));
    let latents = done.latents.as_ref().unwrap();
    assert_eq!((latents.shape, latents.draws.len()), ([4, 4, 4], 18 * 64));
    let decoder = model.view.decoder().unwrap();
    assert_eq!(done.pictures[..], decoder.decode(&latents.draws)[..]);
    assert_ne!(undecoded.pictures[17 * 192..], done.pictures[17 * 192..]);
    assert_eq!(done.clean[..], decoder.decode(&latents.clean)[..]);
    // What is noisy is not decoded.
    assert_eq!(done.x_t[..], model.view.noisy(&latents.x_t)[..]);
    let reward: PictureReward = REWARD.parse().unwrap();
    let of_pictures = reward.bind([3, 8, 8], &PictureParts::default()).unwrap();
    let mut scores = [0.0; 18];
    of_pictures.score(&done.pictures, &mut scores);
    let said = &done.scores().unwrap().scores;
    let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-3;
    assert!(said.len() == 18 && said.iter().zip(&scores).all(near));
    // More of the same draws nothing again, and decodes nothing again.
    let more = last(&one, WallRequest { draws: 20, ..asked });
    assert_eq!(more.drawn, 2);
    assert_eq!(more.pictures[..18 * 192], done.pictures[..]);
}

#[test]
fn without_a_decoder_latents_are_in_false_colours_and_have_no_reward() {
    let model = Arc::new(bare());
    let wall = last(
        &engine(),
        WallRequest {
            rewarding: rewarding(),
            ..request(&model, 16)
        },
    );
    assert_eq!(model.shape(), [3, 4, 4]);
    assert_eq!((wall.len(), wall.decoded), (16, 16));
    let message = wall.rewarded.as_ref().unwrap().as_ref().unwrap_err();
    assert!(message.contains("name the autoencoder"), "{message}");
    let picture = StoredPicture::from_bytes(3, 4, &[90; 48]).unwrap();
    let from = String::new();
    let asked = WallRequest {
        picture: Picture::Stored { picture, from },
        ..request(&model, 16)
    };
    let message = answers(&engine(), asked).err().unwrap();
    assert!(message.contains("full autoencoder"), "{message}");
}

#[test]
fn a_picture_is_encoded_before_it_is_noised_and_looks_as_it_came() {
    let model = latents();
    let bytes: Vec<u8> = (0..192).map(|i| (i * 7 % 256) as u8).collect();
    let picture = StoredPicture::from_bytes(3, 8, &bytes).unwrap();
    let values = picture.values();
    let from = "a file".to_owned();
    let wall = last(
        &engine(),
        WallRequest {
            picture: Picture::Stored { picture, from },
            ..request(&model, 16)
        },
    );
    assert_eq!(wall.clean[..], values[..]);
    let encoded = model.view.state_of(&values).unwrap();
    assert_eq!(wall.latents.as_ref().unwrap().clean[..], encoded[..]);
}

pub(super) fn studio_request(model: &Arc<LoadedImages>, start: &StudioStart) -> StudioRequest {
    let reward: PictureReward = REWARD.parse().unwrap();
    StudioRequest {
        model: model.clone(),
        panels: [Method::Base, Method::MfmG, Method::MfmGf]
            .map(|method| StudioPanel {
                plan: plan(method),
                reward: reward.clone(),
            })
            .into(),
        start: start.image_start().unwrap(),
        particles: 2..4,
        measure: reward,
        references: Vec::new(),
        files: ScorerFiles::default(),
    }
}

fn studio(model: &Arc<LoadedImages>, start: &StudioStart) -> Arc<StudioAnswer> {
    let request = studio_request(model, start);
    let answer = ask(&engine(), Command::Studio(request), |event| match event {
        Event::Studio(_, answer) if answer.complete => Some(answer),
        _ => None,
    });
    answer.unwrap()
}

fn plan(method: Method) -> ImagePlan {
    ImagePlan {
        steps: 5,
        draws: 4,
        seed: 3,
        keep_frames: true,
        ..ImagePlan::new(method)
    }
}

#[test]
fn steered_latents_are_rewarded_as_pictures_and_made_again_to_the_byte() {
    let model = latents();
    let picture = StoredPicture::from_bytes(3, 8, &[60; 192]).unwrap();
    for start in [
        StudioStart::Noise,
        StudioStart::Renoised { t: 0.3, picture },
    ] {
        let runs = studio(&model, &start);
        let decoder = model.view.decoder().unwrap();
        let mean = |row: usize| runs.panels[row].rewards.iter().sum::<f64>() / 2.0;
        let is_better = mean(1) > mean(0) && mean(2) > mean(0);
        assert!(is_better || start != StudioStart::Noise);
        for (row, run) in runs.panels.iter().enumerate() {
            assert_eq!((&run.trouble, run.shown.len()), (&None, run.frames.len()));
            let last = run.frames.last().unwrap();
            let pictures = decoder.decode(&last.x);
            assert_eq!(
                run.shown.last().unwrap()[..],
                StoredPicture::rounded(&pictures)[..]
            );
            let of_pictures = REWARD.parse::<PictureReward>().unwrap();
            let score = of_pictures.bind([3, 8, 8], &PictureParts::default());
            let mut scores = [0.0; 2];
            score.unwrap().score(&pictures, &mut scores);
            assert_eq!(run.rewards, scores.map(f64::from));
            for t in [run.frames[2].t, 1.0] {
                let recipe = SteeredRecipe::new(
                    (CheckpointRef::Shipped, model.hash.clone()),
                    (&runs.request.panels[row].plan, &start),
                    (&of_pictures, &[]),
                    (3, t),
                );
                let request = AgainRequest {
                    model: model.clone(),
                    made: Made::Steered(Box::new(recipe)),
                    files: ScorerFiles::default(),
                };
                let again = ask(&engine(), Command::Again(request), |event| match event {
                    Event::Again(_, answer) => Some(answer.picture.clone()),
                    _ => None,
                });
                assert_eq!(again.ok(), runs.stored((row, 1), t), "row {row} at {t}");
            }
        }
    }
}

#[test]
fn steps_under_way_are_seen_at_half_the_resolution_and_kept_as_they_are() {
    let model = latents();
    assert!(model.view.has_halves() && !bare().view.has_halves());
    let request = StudioRequest {
        panels: vec![StudioPanel {
            plan: ImagePlan {
                // Long enough for many answers on the way.
                steps: 100,
                ..plan(Method::MfmG)
            },
            reward: REWARD.parse().unwrap(),
        }],
        ..studio_request(&model, &StudioStart::Noise)
    };
    let mut seen = Vec::new();
    let done = ask(&engine(), Command::Studio(request), |event| match event {
        Event::Studio(_, answer) if answer.complete => Some(answer),
        Event::Studio(_, answer) => {
            seen.extend(answer.panels[0].preview.is_some().then_some(answer));
            None
        }
        _ => None,
    });
    let done = done.unwrap();
    assert!(done.panels[0].preview.is_none());
    let answer = seen.first().expect("a step was seen");
    let run = &answer.panels[0];
    let preview = run.preview.as_ref().unwrap();
    let frame = &run.frames[preview.number];
    let half = model
        .view
        .half(frame.expected(1).unwrap(), &|| true)
        .unwrap();
    let half = StoredPicture::rounded(&half);
    assert_eq!(answer.bytes((0, 1), 2.0, false).unwrap(), half);
    let kept = answer.stored((0, 1), frame.t).unwrap();
    assert_eq!(Some(kept), done.stored((0, 1), frame.t));
    // None of the steps is decoded whole: of all that is seen only the end is a picture to keep.
    let of = |answer: &StudioAnswer, t, goes_on| answer.is_to_keep(0, t, goes_on).err();
    assert_eq!(of(answer, 1.0, true), Some(Unkept::OnItsWayUndecoded));
    assert_eq!(of(answer, 0.0, true), Some(Unkept::FalseColours));
    assert_eq!(of(answer, 1.0, false), Some(Unkept::FalseColours));
    assert_eq!(of(&done, frame.t, false), Some(Unkept::FalseColours));
    assert_eq!(of(&done, 1.0, false), None);
    let finished = &done.panels[0].shown.last().unwrap()[192..];
    assert_eq!(done.bytes((0, 1), 2.0, false).unwrap()[..], *finished);
}

/// A map of latents and an autoencoder for it as files.
fn files(folder: &Path) -> [std::path::PathBuf; 2] {
    let map = folder.join("map.safetensors");
    let card = (*bare().card).clone();
    write_image_map(&map, &card, &Dit::lively(&config(), 3, &Device::flex())).unwrap();
    let (vae, _) = write_small_vae(folder);
    [map, vae]
}

#[test]
fn a_map_is_open_whatever_its_decoder_and_another_decoder_leaves_it_open() {
    let folder = tempfile::tempdir().unwrap();
    let [map, vae] = files(folder.path());
    let engine = engine();
    let open = |full: Option<&Path>, open: Option<Arc<LoadedImages>>| {
        let wanted = OpenImages {
            decoders: DecoderFiles {
                full: full.map(Path::to_path_buf),
                preview: None,
            },
            open,
            ..OpenImages::of(Some(&map))
        };
        let opened = ask(&engine, Command::OpenImages(wanted), |event| match event {
            Event::OpenedImages(_, _, model) => Some(model),
            _ => None,
        });
        opened.unwrap()
    };
    let gone = open(Some(&folder.path().join("gone.safetensors")), None);
    assert_eq!(gone.view.seen(), ShownAs::FalseColours);
    let trouble = gone.trouble.as_ref().unwrap();
    assert!(trouble.contains("gone.safetensors"), "{trouble}");
    let decoded = open(Some(&vae), Some(gone.clone()));
    assert_eq!(
        (decoded.view.seen(), &decoded.trouble),
        (ShownAs::Decoded, &None)
    );
    assert!(
        Arc::ptr_eq(&decoded.map, &gone.map),
        "the map is not read again"
    );
    assert_eq!(decoded.shape(), [3, 8, 8]);
    let again = open(Some(&vae), Some(decoded.clone()));
    assert!(Arc::ptr_eq(&again.view, &decoded.view));
    // Opened by itself it is known for what it is.
    let found = ask(&engine, Command::Open(vae.clone()), |event| match event {
        Event::FoundDecoder(_, path, kind) => Some((path, kind)),
        _ => None,
    });
    assert_eq!(found.unwrap(), (vae, DecoderKind::Full));
}
