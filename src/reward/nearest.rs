//! What a person may have meant by a name that nothing has.

/// Names at least so alike (Jaro-Winkler, 1 for equal ones) are taken for each other: letters changed, left out or swapped, and
/// beginnings of a word.
const ALIKE: f64 = 0.85;
/// Longer ones are no misspelt names.
const LONGEST: usize = 40;

/// A message about a name that none of `known` is, with the one that is most like it, where one is.
pub(super) fn no_reward_named<'a>(
    name: &str,
    shown: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> String {
    let meant = nearest(name, known)
        .map_or_else(String::new, |meant| format!(" (did you mean '{meant}'?)"));
    format!("there is no reward named '{shown}'{meant}")
}

fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > LONGEST {
        return None;
    }
    let name = name.to_lowercase();
    let alike = known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(&name, known), known));
    let nearest = alike.max_by(|a, b| a.0.total_cmp(&b.0));
    nearest
        .filter(|(how, _)| *how >= ALIKE)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reward::Reward;
    use crate::reward::picture::{PictureKind, PictureReward};

    #[test]
    fn a_misspelt_name_is_answered_with_the_one_that_was_meant() {
        for (text, meant) in [
            ("brigthness@2", "brightness"),
            ("Brightness", "brightness"),
            ("thick", "thickness"),
            ("colorfulness", "colourfulness"),
            ("gray:1", "grey"),
            ("class:3 + simetry", "symmetry"),
            ("hardthickness", "hard-thickness"),
            ("pickskore(\"a red fox\")", "pickscore"),
        ] {
            let message = text.parse::<PictureReward>().unwrap_err().to_string();
            let hint = format!("(did you mean '{meant}'?)");
            assert!(message.contains(&hint), "{text}: {message}");
        }
        for (text, meant) in [
            ("bowel:0,3,2", "bowl"),
            ("halfplane:1,0,0,1", "half-plane"),
            ("mesurement:1,0,0,1", "measurement"),
            ("bump:1,0,0,1", "bumps"),
        ] {
            let message = text.parse::<Reward>().unwrap_err().to_string();
            let hint = format!("(did you mean '{meant}'?)");
            assert!(message.contains(&hint), "{text}: {message}");
        }
    }

    #[test]
    fn nothing_is_guessed_of_what_is_like_nothing() {
        let known = || PictureKind::ALL.iter().map(|kind| kind.name);
        for name in ["cup", "", "x", "sunset", &"brightness".repeat(1000)] {
            assert_eq!(nearest(name, known()), None, "{name:.20}");
        }
    }
}
