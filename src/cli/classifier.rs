//! `foresight train --classifier`: trains the judge of generated images; `--states-of MAP`: of half-formed ones.

use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use indicatif::{ProgressBar, ProgressStyle};

use super::DeviceArg;
use super::place::Place;
use super::train::{ImagesArg, TrainArgs};
use crate::checkpoint::{
    ClassifierCard, FORMAT, StateWeights, halved, read_classifier, read_image_map,
    write_classifier, write_image_map_with,
};
use crate::model::{
    Classifier, ClassifierConfig, StateClassifier, Weights, weights_of, with_weights,
};
use crate::train::{
    ClassifierRecipe, DataPlan, Epoch, ImageSet, Part, accuracy, state_accuracy, train_classifier,
};

/// Trains on the pictures of `data`, digits if nothing else is asked for, and writes the classifier.
///
/// # Errors
/// With a message for the person.
pub fn train_judge(args: &TrainArgs, data: &Path, device: Option<DeviceArg>) -> Result<(), String> {
    let out = &args.out;
    let (kind, config, recipe) = match args.images.unwrap_or(ImagesArg::Digits) {
        kind @ ImagesArg::Digits => (kind, ClassifierConfig::mnist(), ClassifierRecipe::mnist()),
        kind @ ImagesArg::Photos => (kind, ClassifierConfig::photos(), ClassifierRecipe::photos()),
    };
    let run = Run::of(args, data, (config, recipe), device)?;
    // What is judged is what is in the file.
    let (net, weights) = run.learned()?;
    let judged = accuracy(&net, &run.held_out, &run.device);
    let card = run.card(kind.describe(), judged)?;
    write_classifier(out, &card, &weights).map_err(|e| e.to_string())?;
    say!(
        "{}: {:.2} % of {} held-out images right",
        out.display(),
        100.0 * judged,
        run.held_out.len()
    );
    Ok(())
}

/// Trains what says which class a state of the map `path` becomes, and writes the map with it.
///
/// # Errors
/// With a message for the person.
pub fn train_states(
    args: &TrainArgs,
    path: &Path,
    data: &Path,
    device: Option<DeviceArg>,
) -> Result<(), String> {
    let (map, net) = read_image_map(path, &Device::flex()).map_err(|e| e.to_string())?;
    let name = path.display();
    if map.tuned.is_some() {
        return Err(format!(
            "{name}: this velocity was tuned toward a reward and has no draws; give the map that it was tuned from"
        ));
    }
    let shape @ [channels, size, _] = map.model.state();
    if channels > 3 || size > 64 {
        return Err(format!(
            "{name}: its states are {shape:?}; classifiers of states are for pictures of up to 3 channels and 64 pixels"
        ));
    }
    let of_pictures = if channels == 1 && size == 28 {
        ClassifierConfig::mnist_states()
    } else {
        ClassifierConfig {
            image: shape,
            ..ClassifierConfig::photos()
        }
    };
    let run = Run::of(
        args,
        data,
        (of_pictures, ClassifierRecipe::mnist_states()),
        device,
    )?;
    if run.training.classes != map.classes {
        return Err(format!(
            "{}: its classes are {}, those of {name} are {}: give the pictures that the map was trained on",
            data.display(),
            run.training.classes.join(", "),
            map.classes.join(", ")
        ));
    }
    let (judge, weights) = run.learned()?;
    let (right, lost) = state_accuracy(&judge, &run.config, &run.held_out, &run.device);
    let card = run.card("half-formed pictures of the map's data", right)?;
    let states = StateWeights { card, weights };
    write_image_map_with(&args.out, &map, &net, Some(&states)).map_err(|e| e.to_string())?;
    say!(
        "{}: {:.2} % of {} held-out states right, log loss {lost:.4} nats",
        args.out.display(),
        100.0 * right,
        run.held_out.len()
    );
    Ok(())
}

/// What is trained, and on what.
struct Run {
    config: ClassifierConfig,
    recipe: ClassifierRecipe,
    training: ImageSet,
    held_out: ImageSet,
    device: Device,
}

impl Run {
    /// Reads the pictures of `data`, which have the shape of `config`; a network of states sees one more channel.
    fn of(
        args: &TrainArgs,
        data: &Path,
        (mut config, mut recipe): (ClassifierConfig, ClassifierRecipe),
        device: Option<DeviceArg>,
    ) -> Result<Self, String> {
        let [channels, size, _] = config.image;
        let read = |part| {
            let plan = DataPlan::new(size, channels, part);
            ImageSet::open(data, &plan, &mut |_| true)
                .map(|opened| opened.images)
                .map_err(|e| e.to_string())
        };
        let (training, held_out) = (read(Part::Train)?, read(Part::Test)?);
        if training.shape != config.image || held_out.classes != training.classes {
            return Err(format!(
                "{}: {} images of {:?} in {} classes, {} of {:?} in {} for testing; a classifier wants {:?} and the same classes in both",
                data.display(),
                training.len(),
                training.shape,
                training.classes.len(),
                held_out.len(),
                held_out.shape,
                held_out.classes.len(),
                config.image
            ));
        }
        config.classes = training.classes.len();
        if recipe.of_states {
            config = StateClassifier::shape_for(config);
        }
        if let Some(fault) = config.fault() {
            return Err(format!("{}: {fault}", data.display()));
        }
        recipe.seed = args.seed.unwrap_or(recipe.seed);
        recipe.batch = args.batch.unwrap_or(recipe.batch).clamp(1, training.len());
        if let Some(steps) = args.steps {
            let epochs = steps.div_ceil((training.len() / recipe.batch) as u64);
            recipe.epochs = u32::try_from(epochs.max(1)).map_err(|_| "--steps is too large")?;
        }
        Ok(Self {
            config,
            recipe,
            training,
            held_out,
            device: Place::of(device)?.device,
        })
    }

    /// The network after its epochs, rounded to what a file keeps.
    fn learned(&self) -> Result<(Classifier, Weights), String> {
        let Self {
            config,
            recipe,
            training,
            held_out,
            device,
        } = self;
        say!(
            "{} pictures in {} classes, {} held out; {} epochs of steps of {}",
            training.len(),
            training.classes.len(),
            held_out.len(),
            recipe.epochs,
            recipe.batch
        );
        let bar = ProgressBar::new(1000);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {percent} %, {eta} left") {
            bar.set_style(style);
        }
        let begun = Instant::now();
        let mut watch = |fraction: f64, epoch: Option<Epoch>| {
            bar.set_position((fraction * 1000.0) as u64);
            if let Some(e) = epoch {
                bar.suspend(|| {
                    say!(
                        "epoch {} of {}: loss {:.4}, {:.2} % of {} held-out images right, {:.0} s",
                        e.epoch,
                        recipe.epochs,
                        e.loss,
                        100.0 * e.accuracy,
                        held_out.len(),
                        begun.elapsed().as_secs_f64()
                    );
                });
            }
            true
        };
        let net = train_classifier(config, recipe, training, held_out, device, &mut watch);
        bar.finish_and_clear();
        let net = net.ok_or("stopped")?;
        let weights = halved(&weights_of(&net));
        let net = with_weights(net, &weights).map_err(|e| e.to_string())?;
        Ok((net, weights))
    }

    fn card(&self, data: &str, accuracy: f64) -> Result<ClassifierCard, String> {
        Ok(ClassifierCard {
            format: FORMAT,
            config: self.config.clone(),
            classes: self.training.classes.clone(),
            data: format!("{} pictures: {data}", self.training.len()),
            accuracy,
            held_out: self.held_out.len(),
            recipe: serde_json::to_value(&self.recipe).map_err(|e| e.to_string())?,
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            licence: "MIT OR Apache-2.0".to_owned(),
        })
    }
}

/// Share of held-out pictures that a classifier of the shipped kind must put in their class.
fn bar(image: [usize; 3]) -> Option<f64> {
    match image {
        [1, 28, 28] => Some(0.99),
        [3, 32, 32] => Some(0.9),
        _ => None,
    }
}

/// Judges a classifier on the part for testing of `data`. Below 99 % of digits or 90 % of photos it is an error, so that
/// scripts notice.
///
/// # Errors
/// With a message for the person.
pub fn judge_classifier(file: &Path, data: &Path) -> Result<(), String> {
    let name = file.display().to_string();
    let bytes = std::fs::read(file).map_err(|e| format!("{name}: {e}"))?;
    let (card, weights) = read_classifier(&bytes, &name).map_err(|e| e.to_string())?;
    let device = Device::flex();
    let net = with_weights(card.config.init(&device), &weights)
        .map_err(|e| format!("{name}: {e}. The file is damaged: train it again"))?;
    let [channels, size, _] = card.config.image;
    let plan = DataPlan::new(size, channels, Part::Test);
    let images = ImageSet::open(data, &plan, &mut |_| true)
        .map_err(|e| e.to_string())?
        .images;
    if images.shape != card.config.image || images.classes.len() > card.config.classes {
        return Err(format!(
            "{}: pictures of {:?} in {} classes; {name} knows {:?} in {}",
            data.display(),
            images.shape,
            images.classes.len(),
            card.config.image,
            card.config.classes
        ));
    }
    let right = accuracy(&net, &images, &device);
    say!(
        "{name}: {:.2} % of {} held-out images right (its card says {:.2} %)",
        100.0 * right,
        images.len(),
        100.0 * card.accuracy
    );
    match bar(card.config.image) {
        Some(bar) if right < bar => Err(format!("the bar is {:.1} %", 100.0 * bar)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::checkpoint::{ImageCard, open_image_map, read_states, write_image_map};
    use crate::model::{Dit, DitConfig};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: TrainArgs,
    }

    #[test]
    fn a_map_learns_the_classes_of_its_states_from_the_pictures_of_its_classes_alone() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("set");
        let stripes = |along: u32| if along % 4 < 2 { 230_u8 } else { 20 };
        for of in [
            "train/lying",
            "train/standing",
            "test/lying",
            "test/standing",
        ] {
            std::fs::create_dir_all(data.join(of)).unwrap();
            for k in 0..12 {
                let picture = image::GrayImage::from_fn(8, 8, |x, y| {
                    let along = if of.ends_with("lying") { y } else { x };
                    image::Luma([stripes(along + k)])
                });
                picture
                    .save(data.join(of).join(format!("{k}.png")))
                    .unwrap();
            }
        }
        let model = DitConfig::tiny(2);
        let net = Dit::init(&model, 1, &Device::flex()).unwrap();
        let card = |classes: [&str; 2]| ImageCard::made(model.clone(), &classes);
        let (map, out) = (
            folder.path().join("m.safetensors"),
            folder.path().join("o.safetensors"),
        );
        let train = |epochs: u32| {
            let place = |path: &Path| path.display().to_string();
            let (map, data, out) = (place(&map), place(&data), place(&out));
            let steps = (5 * epochs).to_string();
            let line = Line::parse_from([
                "train",
                "--states-of",
                &map,
                "--data",
                &data,
                "--out",
                &out,
                "--batch",
                "4",
                "--steps",
                &steps,
            ]);
            let args = &line.args;
            let (of, data) = (args.states_of.as_deref(), args.data.as_deref());
            train_states(args, of.unwrap(), data.unwrap(), Some(DeviceArg::Cpu))
        };
        write_image_map(&map, &card(["lying", "turning"]), &net).unwrap();
        let message = train(1).unwrap_err();
        assert!(
            message.contains("lying, standing") && message.contains("lying, turning"),
            "{message}"
        );

        write_image_map(&map, &card(["lying", "standing"]), &net).unwrap();
        train(1).unwrap();
        let states = read_states(&out).unwrap().unwrap();
        assert_eq!(states.card.config.image, [2, 8, 8]);
        // How well it learns is tested where it is trained; what is written is what was judged.
        let plan = DataPlan::new(8, 1, Part::Test);
        let held_out = ImageSet::open(&data, &plan, &mut |_| true).unwrap().images;
        let device = Device::flex();
        let config = &states.card.config;
        let net = with_weights(config.init(&device), &states.weights).unwrap();
        let (right, _) = state_accuracy(&net, config, &held_out, &device);
        assert_eq!(states.card.accuracy, right);
        assert_eq!(states.card.held_out, 24);
        let (_, map) = open_image_map(&out).unwrap();
        assert_eq!(map.state_classifier().unwrap().classes(), 2);
    }
}
