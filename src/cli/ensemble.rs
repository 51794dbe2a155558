//! `foresight ensemble`: several classifiers of the same pictures as one.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use clap::Args;

use super::pictures::check_folder;
use crate::checkpoint::{ClassifierCard, read_classifier, write_classifier};
use crate::model::{ClassifierConfig, ImageJudge, Weights};
use crate::train::{DataPlan, ImageSet, Part, accuracy};

/// `foresight ensemble`
#[derive(Debug, Args)]
pub struct EnsembleArgs {
    /// Classifiers of the same pictures in the same classes, two to four.
    #[arg(required = true, num_args = 2..=4, value_name = "FILE.safetensors")]
    pub files: Vec<PathBuf>,
    /// The pictures that they learned from: those for testing judge them together.
    #[arg(long, value_name = "DIR|FILE")]
    pub data: PathBuf,
    /// The classifier to write.
    #[arg(long, value_name = "FILE.safetensors")]
    pub out: PathBuf,
}

/// Puts them together and says how many pictures they get right.
///
/// # Errors
/// With a message for the person.
pub fn run_ensemble(args: &EnsembleArgs) -> Result<(), String> {
    check_folder(&args.out)?;
    let read: Result<Vec<_>, String> = args.files.iter().map(|file| read(file)).collect();
    let read = read?;
    let first = read.first().ok_or("give two files or more")?.0.clone();
    for ((card, _), file) in read.iter().zip(&args.files) {
        if card.classes != first.classes {
            return Err(format!(
                "{}: its classes are {}, those of {} are {}",
                file.display(),
                card.classes.join(", "),
                args.files[0].display(),
                first.classes.join(", ")
            ));
        }
    }
    let cards: Vec<ClassifierCard> = read.iter().map(|(card, _)| card.clone()).collect();
    let networks = read
        .into_iter()
        .map(|(card, weights)| (card.config, weights));
    let joined = ClassifierConfig::ensemble(networks.collect())?;
    let (config, weights) = joined.ok_or("give two files or more")?;
    let [channels, size, _] = config.image;
    let opened = ImageSet::open(
        &args.data,
        &DataPlan::new(size, channels, Part::Test),
        &mut |_| true,
    );
    let held_out = opened.map_err(|e| e.to_string())?.images;
    if held_out.shape != config.image || held_out.classes != first.classes {
        return Err(format!(
            "{}: pictures of {:?} of the classes {}; the classifiers know {:?} of {}",
            args.data.display(),
            held_out.shape,
            held_out.classes.join(", "),
            config.image,
            first.classes.join(", ")
        ));
    }
    // The weights of files are what files keep.
    let judge = ImageJudge::with(config.clone(), &weights, &Device::flex());
    let judge = judge.map_err(|e| format!("{}: {e}", named(&args.files)))?;
    let right = accuracy(&judge, &held_out);
    let card = card(first, config, &cards, (right, held_out.len()))?;
    write_classifier(&args.out, &card, &weights).map_err(|e| e.to_string())?;
    for (card, file) in cards.iter().zip(&args.files) {
        let alone = 100.0 * card.accuracy;
        say!("{}: alone {alone:.2} %, its card says", file.display());
    }
    say!(
        "{}: {:.2} % of {} held-out images right",
        args.out.display(),
        100.0 * right,
        held_out.len()
    );
    Ok(())
}

fn read(file: &Path) -> Result<(ClassifierCard, Weights), String> {
    let name = file.display().to_string();
    let bytes = std::fs::read(file).map_err(|e| format!("{name}: {e}"))?;
    read_classifier(&bytes, &name).map_err(|e| e.to_string())
}

fn named(files: &[PathBuf]) -> String {
    let names: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    names.join(", ")
}

/// What the ensemble says of itself: of what its networks agree in as they do, and their recipes as a list.
fn card(
    first: ClassifierCard,
    config: ClassifierConfig,
    cards: &[ClassifierCard],
    (accuracy, held_out): (f64, usize),
) -> Result<ClassifierCard, String> {
    let of_all = |of: fn(&ClassifierCard) -> &str| {
        let mut all: Vec<&str> = Vec::new();
        for said in cards.iter().map(of) {
            if !all.contains(&said) {
                all.push(said);
            }
        }
        all.join("; ")
    };
    let members: Vec<serde_json::Value> = cards
        .iter()
        .map(|card| {
            serde_json::json!({
                "recipe": card.recipe, "hours": card.hours, "accuracy": card.accuracy,
            })
        })
        .collect();
    let licence = of_all(|card| &card.licence);
    if cards.iter().any(|card| card.licence != first.licence) {
        return Err(format!("their licences differ: {licence}"));
    }
    Ok(ClassifierCard {
        config,
        data: of_all(|card| &card.data),
        accuracy,
        held_out,
        recipe: serde_json::json!({ "members": members }),
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        licence,
        hours: cards.iter().map(|card| card.hours).sum(),
        ..first
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::{FORMAT, halved, open_classifier};

    /// A classifier with random weights of grey pictures of 8 pixels, and pictures for testing.
    fn classifier(path: &Path, classes: [&str; 2], seed: u64) -> ClassifierCard {
        let config = ClassifierConfig {
            image: [1, 8, 8],
            classes: 2,
            stem_stride: 1,
            stages: vec![(8, 1)],
            ..ClassifierConfig::mnist()
        };
        let weights = halved(&config.fresh(seed));
        let card = ClassifierCard {
            format: FORMAT,
            config,
            classes: classes.map(str::to_owned).to_vec(),
            data: "a test".into(),
            accuracy: 0.5,
            held_out: 4,
            recipe: serde_json::json!({ "seed": seed }),
            code_version: "0".into(),
            licence: "none".into(),
            hours: Some(0.25),
            hardware: None,
        };
        write_classifier(path, &card, &weights).unwrap();
        card
    }

    #[test]
    fn two_classifiers_become_one_that_says_what_it_is_and_others_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (of, grey) in [("test/dark", 20_u8), ("test/light", 230)] {
            std::fs::create_dir_all(at(of)).unwrap();
            for k in 0..4 {
                let picture = image::GrayImage::from_pixel(8, 8, image::Luma([grey + k]));
                picture.save(at(of).join(format!("{k}.png"))).unwrap();
            }
        }
        let names = ["dark", "light"];
        classifier(&at("a.safetensors"), names, 1);
        classifier(&at("b.safetensors"), names, 2);
        classifier(&at("c.safetensors"), ["wet", "dry"], 3);
        let join = |files: &[&str], out: &str| {
            run_ensemble(&EnsembleArgs {
                files: files.iter().map(|file| at(file)).collect(),
                data: folder.path().to_owned(),
                out: at(out),
            })
        };
        join(&["a.safetensors", "b.safetensors"], "ab.safetensors").unwrap();
        let (card, judge) = open_classifier(&at("ab.safetensors")).unwrap();
        assert_eq!(
            (card.classes.as_slice(), card.held_out),
            (&names.map(str::to_owned)[..], 8)
        );
        assert_eq!((card.hours, judge.config().others.len()), (Some(0.5), 1));
        assert_eq!(card.recipe["members"][1]["recipe"]["seed"], 2);
        assert!((0.0..=1.0).contains(&card.accuracy));
        assert_eq!(judge.judge(&[0.3; 64]).features.len(), 16);
        super::super::classifier::judge_classifier(&at("ab.safetensors"), folder.path()).unwrap();
        let shown = crate::checkpoint::inspect(&at("ab.safetensors")).unwrap();
        assert!(shown.warnings.is_empty(), "{:?}", shown.warnings);
        assert!(
            shown.to_string().contains("the mean of their logits"),
            "{shown}"
        );
        let refused = join(&["a.safetensors", "c.safetensors"], "ac.safetensors").unwrap_err();
        assert!(
            refused.contains("wet") && refused.contains("dark"),
            "{refused}"
        );
        assert!(!at("ac.safetensors").exists());
        let five = ["ab.safetensors", "ab.safetensors", "a.safetensors"];
        assert!(
            join(&five, "no.safetensors")
                .unwrap_err()
                .contains("at most 4")
        );
    }

    #[test]
    fn an_ensemble_whose_weights_are_not_those_of_its_networks_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let mut card = classifier(&path, ["dark", "light"], 1);
        card.config.others = vec![card.config.clone()];
        let (_, weights) = read(&path).unwrap();
        write_classifier(&path, &card, &weights).unwrap();
        let error = open_classifier(&path).err().unwrap().to_string();
        assert!(
            error.contains("missing") && error.contains("a.safetensors"),
            "{error}"
        );
    }
}
