//! `foresight train --classifier`: trains the judge of generated images; `--states-of MAP`: of half-formed ones.

use std::path::Path;

use burn::tensor::Device;

use super::DeviceArg;
use super::classifier_run::Run;
use super::train::{ImagesArg, TrainArgs, part_path};
use crate::checkpoint::{
    StateWeights, open_classifier, read_image_map, write_classifier, write_image_map_with,
};
use crate::model::{ClassifierConfig, ImageJudge};
use crate::train::{ClassifierRecipe, DataPlan, ImageSet, Part, accuracy, state_accuracy};

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
    let plan = match &args.recipe {
        Some(path) => read_recipe(path, config, false)?,
        None => (config, recipe),
    };
    let mut run = Run::of(args, data, plan, device)?;
    // What is judged is what is in the file.
    let (net, weights) = run.learned(args)?;
    let judge = ImageJudge::new(net, run.config.clone(), &run.place.device);
    let judged = accuracy(&judge, &run.held_out);
    let card = run.card(kind.describe(), judged)?;
    write_classifier(out, &card, &weights).map_err(|e| e.to_string())?;
    tidy(out);
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
            ..ClassifierConfig::photos_states()
        }
    };
    let plan = match &args.recipe {
        Some(path) => {
            let (config, recipe) = read_recipe(path, of_pictures, true)?;
            let image = shape;
            (ClassifierConfig { image, ..config }, recipe)
        }
        None => (of_pictures, ClassifierRecipe::mnist_states()),
    };
    let mut run = Run::of(args, data, plan, device)?;
    if run.training.classes != map.classes {
        return Err(format!(
            "{}: its classes are {}, those of {name} are {}: give the pictures that the map was trained on",
            data.display(),
            run.training.classes.join(", "),
            map.classes.join(", ")
        ));
    }
    let (judge, weights) = run.learned(args)?;
    let (right, lost) = state_accuracy(&judge, &run.config, &run.held_out, &run.place.device);
    let card = run.card("half-formed pictures of the map's data", right)?;
    let states = StateWeights { card, weights };
    write_image_map_with(&args.out, &map, &net, Some(&states)).map_err(|e| e.to_string())?;
    tidy(&args.out);
    say!(
        "{}: {:.2} % of {} held-out states right, log loss {lost:.4} nats",
        args.out.display(),
        100.0 * right,
        run.held_out.len()
    );
    Ok(())
}

/// A recipe, and the network where the file holds one; else it is `config`.
fn read_recipe(
    path: &Path,
    config: ClassifierConfig,
    of_states: bool,
) -> Result<(ClassifierConfig, ClassifierRecipe), String> {
    let say = |e: &dyn std::fmt::Display| format!("--recipe {}: {e}", path.display());
    let text = std::fs::read_to_string(path).map_err(|e| say(&e))?;
    let mut recipe: serde_json::Value = serde_json::from_str(&text).map_err(|e| say(&e))?;
    let model = recipe.as_object_mut().and_then(|all| all.remove("model"));
    let recipe: ClassifierRecipe = serde_json::from_value(recipe).map_err(|e| say(&e))?;
    if recipe.of_states != of_states {
        return Err(say(
            &"half-formed pictures (of_states) go with --states-of, and nothing else does",
        ));
    }
    if let Some(fault) = recipe.fault() {
        return Err(say(&fault));
    }
    let config = match model {
        Some(model) => serde_json::from_value(model).map_err(|e| say(&e))?,
        None => config,
    };
    Ok((config, recipe))
}

/// Removes what an unfinished run left beside `out`.
fn tidy(out: &Path) {
    let part = part_path(out);
    if part.exists() {
        // Only tidiness is at stake.
        let _ = std::fs::remove_file(&part);
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
    let (card, judge) = open_classifier(file).map_err(|e| e.to_string())?;
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
    let right = accuracy(&judge, &images);
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
    use crate::checkpoint::{
        ImageCard, open_image_map, read_classifier, read_states, write_image_map,
    };
    use crate::model::{Dit, DitConfig, NormKind, with_weights};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: TrainArgs,
    }

    #[test]
    fn a_recipe_may_hold_the_network_and_is_for_what_it_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recipe.json");
        let mut json = serde_json::to_value(ClassifierRecipe::photos()).unwrap();
        let write = |json: &serde_json::Value| std::fs::write(&path, json.to_string()).unwrap();
        let read = |of_states| read_recipe(&path, ClassifierConfig::photos(), of_states);
        write(&json);
        let plain = read(false).unwrap();
        assert_eq!(
            plain,
            (ClassifierConfig::photos(), ClassifierRecipe::photos())
        );
        assert!(read(true).unwrap_err().contains("--states-of"));
        json["model"] = serde_json::to_value(ClassifierConfig::mnist()).unwrap();
        write(&json);
        assert_eq!(read(false).unwrap().0, ClassifierConfig::mnist());
        let shipped =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("checkpoints/photos-residual.json");
        let (residual, _) = read_recipe(&shipped, ClassifierConfig::photos(), false).unwrap();
        assert_eq!((residual.fault(), residual.stages.len()), (None, 4));
        json["rate"] = 7.into();
        write(&json);
        assert!(read(false).unwrap_err().contains("rate of the recipe"));
        json["model"]["stages"] = "many".into();
        write(&json);
        assert!(read(false).unwrap_err().contains("recipe.json"));
    }

    /// Stripes that lie or stand, as class folders.
    fn stripes(data: &Path) {
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
    }

    #[test]
    fn a_classifier_begins_with_another_and_says_so_and_a_run_is_taken_up_as_it_was_begun() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("set");
        stripes(&data);
        let place = |name: &str| folder.path().join(name).display().to_string();
        let train = |out: &str, more: &[&str]| {
            let (data, out) = (data.display().to_string(), place(out));
            let begin = ["train", "--classifier", "--data", &data, "--out", &out];
            let line = [&begin[..], &["--batch", "8", "--steps", "3"], more].concat();
            let line = Line::parse_from(line);
            train_judge(&line.args, Path::new(&data), Some(DeviceArg::Cpu))
        };
        let card = |name: &str| {
            let bytes = std::fs::read(place(name)).unwrap();
            read_classifier(&bytes, name).unwrap().0
        };
        train("a.safetensors", &[]).unwrap();
        let first = card("a.safetensors");
        assert!(first.recipe.get("begun_with").is_none());
        train("b.safetensors", &["--from", &place("a.safetensors")]).unwrap();
        let second = card("b.safetensors");
        let hash = crate::checkpoint::sha256_hex(&std::fs::read(place("a.safetensors")).unwrap());
        assert_eq!(second.recipe["begun_with"]["hash"], hash);
        assert!(second.hours > first.hours);
        let message = train("c.safetensors", &["--from", &place("none")]).unwrap_err();
        assert!(message.contains("none"), "{message}");
        std::fs::write(place("cut"), [7; 40]).unwrap();
        let message = train("c.safetensors", &["--from", &place("cut")]).unwrap_err();
        assert!(message.contains("cut"), "{message}");

        // An unfinished run may be begun with too; one that is taken up is what it was begun as.
        let shape = ClassifierConfig {
            classes: 2,
            ..ClassifierConfig::mnist()
        };
        let recipe = ClassifierRecipe {
            epochs: 1,
            batch: 8,
            ..ClassifierRecipe::mnist()
        };
        let begin = |shape: &ClassifierConfig, name: &str| {
            let (shape, recipe) = (shape.clone(), recipe.clone());
            let run = crate::train::ClassifierTrainer::new(shape, recipe, &Device::flex());
            run.save(Path::new(&place(name))).unwrap();
        };
        begin(&shape, "d.safetensors.part");
        train("e.safetensors", &["--from", &place("d.safetensors.part")]).unwrap();
        let message = train("d.safetensors", &["--resume", "--seed", "9"]).unwrap_err();
        assert!(message.contains("seed"), "{message}");
        let other = ClassifierConfig {
            norm: NormKind::Batch,
            ..shape
        };
        begin(&other, "f.part");
        let message = train("g.safetensors", &["--from", &place("f.part")]).unwrap_err();
        assert!(message.contains("norms"), "{message}");
        std::fs::write(place("f.part"), [7; 40]).unwrap();
        let message = train("g.safetensors", &["--from", &place("f.part")]).unwrap_err();
        let names = |part: &str| message.contains(part);
        assert!(names("f.part") && !names("--resume"), "{message}");
    }

    #[test]
    fn a_map_learns_the_classes_of_its_states_from_the_pictures_of_its_classes_alone() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("set");
        stripes(&data);
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

        // A map that learns from this one is handed it.
        let next = folder.path().join("n.safetensors");
        let line = Line::parse_from([
            "train".as_ref(),
            "--images".as_ref(),
            "digits".as_ref(),
            "--data".as_ref(),
            data.as_os_str(),
            "--distil".as_ref(),
            out.as_os_str(),
            "--out".as_ref(),
            next.as_os_str(),
            "--steps".as_ref(),
            "1".as_ref(),
            "--batch".as_ref(),
            "4".as_ref(),
        ]);
        let cpu = Some(DeviceArg::Cpu);
        super::super::images::train_images(&line.args, ImagesArg::Digits, &data, cpu).unwrap();
        let handed = read_states(&next).unwrap().unwrap();
        assert_eq!(handed.weights, states.weights);
    }
}
