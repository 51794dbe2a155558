//! What a command says of the memory that it will take, before it starts.

use super::latents::Shown;
use super::pictures::OpenMap;
use crate::engine::memory_of_judges;
use crate::model::Pass;
use crate::reward::picture::{PictureReward, ScorerFiles};

const GIB: f64 = (1_u64 << 30) as f64;
/// From how many GiB on it is said.
const WORTH_SAYING: f64 = 1.0;

/// Says how much memory a map takes with `rows` states, what shows them, and a reward of that, where it is much. On the
/// error stream, so that what is printed can be read by programs.
pub(super) fn note(
    map: &OpenMap,
    shown: &Shown,
    (pass, rows): (Pass, usize),
    reward: Option<(&PictureReward, &ScorerFiles)>,
) {
    let mut memory = map.memory(pass, rows).and(shown.memory(pass));
    if let Some((reward, files)) = reward {
        memory = memory.and(memory_of_judges(reward, files, pass));
    }
    if let Some(line) = line(memory.bytes()) {
        eprintln!("{line}");
    }
}

fn line(bytes: u64) -> Option<String> {
    let gib = bytes as f64 / GIB;
    (gib > WORTH_SAYING).then(|| format!("note: this takes about {gib:.1} GiB of memory"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn much_memory_is_said_and_little_is_not() {
        assert_eq!(line(1 << 30), None);
        let said = line(5 << 29).unwrap();
        assert_eq!(said, "note: this takes about 2.5 GiB of memory");
    }
}
