//! `foresight rewards`: what there is to reward in pictures; and what real pictures look like to the shipped classifier,
//! which the second score beside a reward is measured with.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::report_file::check_report;
use super::rewards_score::ScoredPictures;
use crate::checkpoint::shipped_classifier;
use crate::engine::scorer_path;
use crate::metrics::FeatureClasses;
use crate::reward::picture::{PictureKind, PictureReward, ScorerFile};
use crate::session::write_atomically;
use crate::train::{DataPlan, ImageSet, Part};

/// Pictures that the classifier sees at once.
const AT_ONCE: usize = 256;

/// `foresight rewards`
#[derive(Debug, Args)]
pub struct RewardsArgs {
    /// Pictures to score.
    #[command(flatten)]
    pub scored: ScoredPictures,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Learn from a data set's training part what its pictures usually look like to the shipped classifier, and write
    /// it to --out.
    #[arg(
        long,
        value_name = "DIR|FILE",
        requires = "out",
        conflicts_with = "json"
    )]
    pub typical: Option<PathBuf>,
    /// Where to write it.
    #[arg(long, value_name = "FILE.json", requires = "typical")]
    pub out: Option<PathBuf>,
}

/// One kind, as JSON.
#[derive(Serialize)]
struct Listed {
    name: &'static str,
    argument: &'static str,
    what: &'static str,
    unit: &'static str,
    needs: Vec<&'static str>,
    gradient: bool,
    #[serde(skip)]
    files: &'static [ScorerFile],
}

impl Listed {
    fn of(kind: &PictureKind) -> Self {
        let needs = [
            (kind.needs.judge, "classifier"),
            (kind.needs.reference, "reference"),
            (kind.needs.mask, "mask"),
            (kind.needs.colour, "colour"),
        ];
        let files = kind.needs.files.iter().map(|file| file.option());
        Self {
            name: kind.name,
            argument: kind.argument,
            what: kind.what,
            unit: kind.unit,
            needs: needs
                .into_iter()
                .filter_map(|(needed, name)| needed.then_some(name))
                .chain(files)
                .collect(),
            gradient: kind.gradient,
            files: kind.needs.files,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// With a message for the person.
pub fn run_rewards(args: &RewardsArgs) -> Result<(), String> {
    if let Some(reward) = &args.scored.reward {
        return args.scored.tell(reward, args.json);
    }
    if let (Some(data), Some(out)) = (&args.typical, &args.out) {
        return learn(data, out);
    }
    let kinds: Vec<Listed> = PictureKind::ALL.iter().map(Listed::of).collect();
    if args.json {
        let json = serde_json::to_string_pretty(&kinds).map_err(|e| e.to_string())?;
        say!("{json}");
        return Ok(());
    }
    for kind in &kinds {
        let name = format!("{}{}", kind.name, kind.argument);
        say!("{name:<28}{}", kind.what);
        let mut notes = vec![kind.unit.to_owned()];
        if !kind.needs.is_empty() {
            notes.push(format!("needs {}", kind.needs.join(", ")));
        }
        if !kind.gradient {
            notes.push("no gradient: searched with, not followed".to_owned());
        }
        say!("{:<28}{}", "", notes.join("; "));
        for file in kind.files {
            let place = scorer_path(*file, &args.scored.scorers.files());
            let place = match place {
                Some(path) => format!("found: {}", path.display()),
                None => format!("not found: it comes {}", file.from()),
            };
            let (option, what) = (file.option(), file.what());
            say!("{:<28}--{option} FILE: {what}; {place}", "");
        }
    }
    say!();
    say!(
        "Write a sum of up to {} terms, each with an optional @STRENGTH up to {}: class:3@5 + thickness@2 - \
         brightness@0.5. Prompts stand in quotes, which a shell must be kept from: 'clip(\"a red fox\")@2'",
        PictureReward::MAX_TERMS,
        PictureReward::MAX_STRENGTH
    );
    Ok(())
}

fn learn(data: &Path, out: &Path) -> Result<(), String> {
    check_report(out, None)?;
    let shipped = shipped_classifier([1, 28, 28]).map_err(|e| e.to_string())?;
    let (card, judge) = shipped.ok_or("no classifier of digits ships")?;
    let [channels, side, _] = card.config.image;
    let plan = DataPlan::new(side, channels, Part::Train);
    let opened = ImageSet::open(data, &plan, &mut |_| true).map_err(|e| e.to_string())?;
    let images = opened.images;
    if images.shape != card.config.image || images.classes != card.classes {
        return Err(format!(
            "{}: pictures of {:?} of the classes {}; the classifier knows {:?} of {}",
            data.display(),
            images.shape,
            images.classes.join(", "),
            card.config.image,
            card.classes.join(", ")
        ));
    }
    let mut features = Vec::new();
    let items: Vec<usize> = (0..images.len()).collect();
    for some in items.chunks(AT_ONCE) {
        let mut pictures = vec![0.0; some.len() * images.stride()];
        for (item, picture) in some.iter().zip(pictures.chunks_exact_mut(images.stride())) {
            images.write_into(*item, picture);
        }
        features.extend(judge.see(&pictures).features);
    }
    let width = card.config.features();
    let typical = FeatureClasses::of(&features, width, &images.labels, card.classes.len());
    let json = serde_json::to_string(&typical).map_err(|e| e.to_string())?;
    write_atomically(out, |file| file.write_all(json.as_bytes()))
        .map_err(|e| format!("{}: {e}", out.display()))?;
    let squares = features.chunks_exact(width).zip(&images.labels);
    let mut far: Vec<f64> = squares
        .map(|(feature, label)| {
            typical
                .distance_squared(feature, usize::from(*label))
                .sqrt()
        })
        .collect();
    far.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| far[((far.len() - 1) as f64 * share) as usize];
    say!(
        "{}: of {} pictures, half lie within {:.2} standard deviations of their class, 99 % within {:.2}",
        out.display(),
        images.len(),
        at(0.5),
        at(0.99)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_listed_with_what_it_needs() {
        let listed: Vec<Listed> = PictureKind::ALL.iter().map(Listed::of).collect();
        let of = |name: &str| listed.iter().find(|kind| kind.name == name).unwrap();
        assert_eq!(of("similar").needs, ["classifier", "reference"]);
        assert_eq!(of("brisque").needs, ["brisque"]);
        assert_eq!(of("masked").needs, ["reference", "mask"]);
        assert!(of("warmth").needs == ["colour"] && of("warmth").gradient);
        assert!(of("holes").needs.is_empty() && !of("holes").gradient);
    }
}
