//! Maps of latents in the window by role, label and key: false colours, a decoder that is dropped, rewards, the Studio.

use std::path::PathBuf;

use burn::tensor::Device;
use eframe::egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;

use foresight::checkpoint::write_image_map;
use foresight::model::{Dit, DitConfig, VaeConfig};
use foresight::session::{
    CheckpointRef, DecoderFiles, Images, Middle, Rewarding, Session, Workspace,
};

use super::pictures::{card, wait_until};
use super::{drop_file, has_text, images, window_of};

/// A folder with a map of latents of 4 x 4 x 4 that knows nothing, and an autoencoder that makes 8 x 8 of them.
fn files() -> (tempfile::TempDir, [PathBuf; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let [map, vae] =
        ["latents.safetensors", "vae.safetensors"].map(|name| folder.path().join(name));
    let config = DitConfig {
        input_size: 4,
        patch_size: 2,
        in_channels: 4,
        hidden_size: 24,
        depth: 2,
        num_heads: 2,
        encoder_depth: 1,
        label_dim: 20,
        predicts_image: false,
        ..DitConfig::digits()
    };
    let device = Device::flex();
    let classes = (0..20).map(|class| format!("class {class}"));
    let card = card(&config, classes.collect());
    let net = Dit::init(&config, 1, &device).unwrap();
    write_image_map(&map, &card, &net).unwrap();
    let small = VaeConfig {
        block_out_channels: vec![8, 16],
        layers_per_block: 1,
        norm_num_groups: 4,
        ..VaeConfig::stable_diffusion()
    };
    let weights = small.init(&device).unwrap().weights();
    let bytes: Vec<Vec<u8>> = weights
        .values()
        .map(|w| w.values.iter().flat_map(|v| v.to_le_bytes()).collect())
        .collect();
    let views = weights.iter().zip(&bytes).map(|((name, weight), bytes)| {
        let shape = weight.shape.clone();
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, bytes);
        (name, view.unwrap())
    });
    std::fs::write(&vae, safetensors::serialize(views, None).unwrap()).unwrap();
    let text = serde_json::to_string(&small).unwrap();
    std::fs::write(folder.path().join("config.json"), text).unwrap();
    (folder, [map, vae])
}

#[test]
fn a_dropped_map_of_latents_is_in_false_colours_until_a_decoder_is_dropped() {
    let (_folder, [map, vae]) = files();
    let mut window = window_of(Session::default());
    drop_file(&mut window, &map);
    wait_until(&mut window, "the map did not open", |window| {
        has_text(window, "false colours") && window.state().is_settled()
    });
    assert_eq!(images(&window).draws, Images::MIN_DRAWS);
    assert!(has_text(&window, "Latents of 4 x 4 x 4"));
    drop_file(&mut window, &vae);
    wait_until(&mut window, "the decoder was not taken", |window| {
        has_text(window, "Decode without vae.safetensors") && window.state().is_settled()
    });
    assert_eq!(images(&window).decoders.full.as_deref(), Some(&*vae));
    assert_eq!(images(&window).checkpoint, CheckpointRef::File(map));
    assert!(!has_text(&window, "false colours"));
    window
        .get_by_label("Decode without vae.safetensors")
        .click_accesskit();
    window.run_steps(2);
    wait_until(&mut window, "the decoder stayed", |window| {
        has_text(window, "false colours") && window.state().is_settled()
    });
    assert!(images(&window).decoders.is_empty());
}

#[test]
fn a_session_whose_decoder_is_gone_says_so_and_shows_the_map() {
    let (folder, [map, _vae]) = files();
    let session = Session {
        workspace: Workspace::Images,
        images: Images {
            checkpoint: CheckpointRef::File(map),
            draws: 16,
            decoders: DecoderFiles {
                full: Some(folder.path().join("gone.safetensors")),
                preview: None,
            },
            ..Images::default()
        },
        ..Session::default()
    };
    let mut window = window_of(session);
    wait_until(&mut window, "the map did not open", |window| {
        has_text(window, "gone.safetensors") && window.state().is_settled()
    });
    assert!(has_text(&window, "false colours"));
    assert!(
        images(&window).decoders.full.is_some(),
        "it is not forgotten"
    );
}

#[test]
fn latents_are_steered_in_the_studio_and_kept_as_pictures() {
    let (_folder, [map, vae]) = files();
    let mut session = Session {
        workspace: Workspace::Images,
        images: Images {
            checkpoint: CheckpointRef::File(map),
            draws: 16,
            middle: Middle::Studio,
            decoders: DecoderFiles {
                full: Some(vae),
                preview: None,
            },
            rewarding: Rewarding {
                reward: "brightness@6".parse().unwrap(),
                ..Rewarding::default()
            },
            ..Images::default()
        },
        ..Session::default()
    };
    session.images.studio.settings.plan.steps = 6;
    session.images.studio.pictures = 2;
    let mut window = window_of(session);
    wait_until(&mut window, "the map did not open", |window| {
        window.query_all_by_label("Start").next().is_some() && window.state().is_settled()
    });
    let start = window
        .query_all_by_role_and_label(Role::Button, "Start")
        .next();
    start.expect("it was there").click();
    window.run_steps(2);
    wait_until(&mut window, "nothing was steered", |window| {
        let node = images(window).studio.lineage.first();
        node.is_some_and(|node| node.thumbnail.is_some()) && window.state().is_settled()
    });
    let thumbnail = images(&window).studio.lineage[0].thumbnail.clone().unwrap();
    assert_eq!((thumbnail.channels, thumbnail.side), (3, 8));
    window.key_press(eframe::egui::Key::S);
    window.run_steps(3);
    wait_until(&mut window, "nothing was kept", |window| {
        !images(window).kept.is_empty()
    });
    let kept = &images(&window).kept[0];
    assert_eq!((kept.picture.channels, kept.picture.side), (3, 8));
    assert!(kept.made.is_some());
}
