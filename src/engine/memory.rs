//! About how much memory steering takes, before it starts.

use std::collections::BTreeSet;

use crate::model::{BlipConfig, ClipConfig, Memory, Pass, Precision, PromptScoreKind};
use crate::reward::picture::{PictureReward, ScorerFile, ScorerFiles};
use crate::steer::Estimator;
use crate::steer::images::ImagePlan;

use super::images::LoadedImages;
use super::scorers::{opened_blip, opened_tower};

impl LoadedImages {
    /// About what `pictures` of a plan take side by side: the map, what decodes it, and the judges of the reward, which
    /// are asked of `files`.
    pub fn steering_memory(
        &self,
        plan: &ImagePlan,
        pictures: u32,
        (reward, files): (&PictureReward, &ScorerFiles),
    ) -> Memory {
        let (pass, rows) = steering_pass(plan, pictures);
        let rows = rows.min(self.map.rows_at_once());
        let through = self.map.through(Precision::F32);
        let map = self.map.config().memory(through, pass, rows);
        map.and(self.view.memory(pass))
            .and(memory_of_judges(reward, files, pass))
    }
}

/// What a plan asks of the map for so many pictures: whether it goes back through it, and for how many states.
pub fn steering_pass(plan: &ImagePlan, pictures: u32) -> (Pass, usize) {
    let pass = match plan.method.card().estimator {
        Estimator::Gradient | Estimator::Mix => Pass::Gradient,
        _ => Pass::Forward,
    };
    (pass, pictures.saturating_mul(plan.draws.max(1)) as usize)
}

/// About what the large judges of a reward take: each has a network of its own, and they look one after the other. Towers
/// of texts are gone before those of pictures are read, and are smaller.
pub fn memory_of_judges(reward: &PictureReward, files: &ScorerFiles, pass: Pass) -> Memory {
    let terms = reward.terms().iter();
    let needed: BTreeSet<ScorerFile> = terms
        .flat_map(|one| one.term.kind().needs.files)
        .copied()
        .collect();
    let each = needed.into_iter().map(|file| of_judge(file, files, pass));
    each.fold(Memory::default(), Memory::and)
}

/// What the network of a file takes: of one that is open as it is, of others as they are published.
fn of_judge(file: ScorerFile, files: &ScorerFiles, pass: Pass) -> Memory {
    let tower = |judge, published: fn() -> ClipConfig| {
        let config = opened_tower(judge, files).unwrap_or_else(published);
        config.memory(pass)
    };
    match file {
        ScorerFile::ClipLarge => tower(PromptScoreKind::Clip, ClipConfig::large),
        ScorerFile::PickScore => tower(PromptScoreKind::Pick, ClipConfig::huge),
        ScorerFile::Hps => tower(PromptScoreKind::Hps, ClipConfig::huge),
        ScorerFile::ImageReward => opened_blip(files)
            .unwrap_or_else(BlipConfig::published)
            .memory(pass),
        // A tenth of a gigabyte at most, with a graph.
        ScorerFile::Brisque | ScorerFile::EfficientNet | ScorerFile::AestheticHead => {
            Memory::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::images_tests::model;
    use super::*;
    use crate::checkpoint::clip_folder;
    use crate::engine::open_scorers;
    use crate::steer::Method;

    const GIB: u64 = 1 << 30;

    #[test]
    fn gradients_and_judges_take_more() {
        let model = model();
        let files = ScorerFiles::default();
        let of = |method, reward: &str| {
            let plan = ImagePlan {
                draws: 4,
                ..ImagePlan::new(method)
            };
            let reward = reward.parse().unwrap();
            model.steering_memory(&plan, 4, (&reward, &files)).bytes()
        };
        let free = of(Method::MfmGf, "brightness@2");
        assert!(of(Method::MfmG, "brightness@2") > free);
        assert!(of(Method::MfmGf, "aesthetic@2") > free + GIB);
        assert!(of(Method::MfmGf, "pickscore(\"a fox\")") > free + 2 * GIB);
    }

    #[test]
    fn judges_are_held_side_by_side_and_look_one_after_the_other() {
        let files = ScorerFiles::default();
        let of = |reward: &str| {
            let reward = reward.parse().unwrap();
            memory_of_judges(&reward, &files, Pass::Gradient)
        };
        let one = |prompted: &str| of(&format!("{prompted}(\"a fox\")"));
        let judges = ["clip", "pickscore", "hps", "imagereward"].map(one);
        let all =
            of("clip(\"a fox\") + pickscore(\"a fox\") - hps(\"a fox\") + imagereward(\"a fox\")");
        let weights = judges.iter().map(|judge| judge.weights).sum::<u64>();
        assert_eq!(all.weights, weights);
        let working = judges.iter().map(|judge| judge.working).max();
        assert_eq!(Some(all.working), working);
        // As many numbers as their authors say: 304, 632, 632 and 445 million.
        for (judge, millions) in judges.iter().zip([304, 632, 632, 445]) {
            let found = judge.weights / 4 / 1_000_000;
            assert!(found.abs_diff(millions) * 50 < millions, "{found}");
        }
        // A tower is read once, however many ask it, and small judges count for nothing.
        let both = of("clip(\"a fox\") + clip(\"a cat\") + aesthetic + brisque + imagenet:3");
        assert_eq!(both, judges[0]);
        assert_eq!(of("brisque + imagenet:3"), Memory::default());
    }

    #[test]
    fn a_tower_that_is_open_is_counted_as_it_is() {
        let folder = clip_folder();
        let mut files = ScorerFiles::default();
        files.point(ScorerFile::Hps, folder.path().join("model.safetensors"));
        let reward: PictureReward = "hps(\"a fox\")".parse().unwrap();
        let published = memory_of_judges(&reward, &ScorerFiles::default(), Pass::Forward);
        // Other tests open files of their own meanwhile: what was read last is known.
        let begun = std::time::Instant::now();
        loop {
            open_scorers(&reward, &files).unwrap();
            let found = memory_of_judges(&reward, &files, Pass::Forward);
            if found.bytes() < GIB / 10 {
                break;
            }
            assert_eq!(found, published);
            assert!(begun.elapsed().as_secs() < 300, "never counted as it is");
        }
    }
}
