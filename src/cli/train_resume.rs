//! Whether an unfinished run of `foresight train` is what is asked for now.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::train::TrainArgs;

/// Refuses what an unfinished run was not begun with: it would be left aside without a word. Fields of the recipe that
/// nothing was said of, and those of `free`, may differ.
///
/// # Errors
/// With a message for the person.
pub(super) fn check_taken_up(
    args: &TrainArgs,
    part: &Path,
    own: &impl Serialize,
    asked: &impl Serialize,
    free: &[&str],
) -> Result<(), String> {
    let json = |recipe: Result<Value, serde_json::Error>| recipe.map_err(|e| e.to_string());
    let own = json(serde_json::to_value(own))?;
    let asked = json(serde_json::to_value(asked))?;
    let said = |field: &str| match field {
        "steps" | "epochs" => args.steps.is_some(),
        "batch" => args.batch.is_some(),
        "seed" => args.seed.is_some(),
        "begun_with" => args.from.is_some(),
        "consistency" => args.loss.is_some(),
        "teacher" => args.teacher.is_some() || args.distil.is_some(),
        _ => false,
    };
    let fields = asked.as_object().into_iter().flatten();
    for (field, asked) in fields {
        let counts = args.recipe.is_some() || said(field);
        if free.contains(&field.as_str()) || !counts || own[field] == *asked {
            continue;
        }
        return Err(format!(
            "{}: {field} of this unfinished run is {}, not {asked}. Leave that out to take it up as it was begun, or start again without --resume",
            part.display(),
            own[field]
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::train::ClassifierRecipe;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: TrainArgs,
    }

    #[test]
    fn what_was_said_must_be_what_the_run_was_begun_with() {
        let own = ClassifierRecipe {
            batch: 64,
            ..ClassifierRecipe::photos()
        };
        let check = |said: &[&str], asked: &ClassifierRecipe, free: &[&str]| {
            let begin = ["train", "--world", "two", "--out", "x"];
            let line = Line::parse_from(begin.iter().chain(said));
            check_taken_up(&line.args, Path::new("x.part"), &own, asked, free)
        };
        // The preset is not what it was begun with, but nobody said so.
        let preset = ClassifierRecipe::photos();
        assert_eq!(check(&[], &preset, &[]), Ok(()));
        let seeded = ClassifierRecipe {
            seed: 7,
            ..preset.clone()
        };
        let message = check(&["--seed", "7"], &seeded, &[]).unwrap_err();
        for part in ["x.part", "seed", "is 3, not 7", "--resume"] {
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(check(&["--seed", "7"], &seeded, &["seed"]), Ok(()));
        // A file says everything.
        let message = check(&["--recipe", "r.json"], &preset, &[]).unwrap_err();
        assert!(message.contains("batch"), "{message}");
        assert_eq!(check(&["--recipe", "r.json"], &own, &[]), Ok(()));
    }
}
