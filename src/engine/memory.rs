//! About how much memory steering takes, before it starts.

use crate::model::{ClipConfig, Memory, Pass, Precision};
use crate::reward::picture::{PictureReward, ScorerFile};
use crate::steer::Estimator;
use crate::steer::images::ImagePlan;

use super::images::LoadedImages;

impl LoadedImages {
    /// About what `pictures` of a plan take side by side: the map, what decodes it, and the judges of the reward.
    pub fn steering_memory(
        &self,
        plan: &ImagePlan,
        pictures: u32,
        reward: &PictureReward,
    ) -> Memory {
        let (pass, rows) = steering_pass(plan, pictures);
        let rows = rows.min(self.map.rows_at_once());
        let map = self.map.config().memory(pass, rows, Precision::F32);
        map.and(self.view.memory(pass))
            .and(memory_of_judges(reward, pass))
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

/// About what the large judges of a reward take.
pub fn memory_of_judges(reward: &PictureReward, pass: Pass) -> Memory {
    let mut needed = reward.terms().iter().map(|one| one.term.kind().needs.files);
    if needed.any(|files| files.contains(&ScorerFile::ClipLarge)) {
        ClipConfig::large().memory(pass)
    } else {
        Memory::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::images_tests::model;
    use super::*;
    use crate::steer::Method;

    #[test]
    fn gradients_and_judges_take_more() {
        let model = model();
        let of = |method, reward: &str| {
            let plan = ImagePlan {
                draws: 4,
                ..ImagePlan::new(method)
            };
            model
                .steering_memory(&plan, 4, &reward.parse().unwrap())
                .bytes()
        };
        let free = of(Method::MfmGf, "brightness@2");
        assert!(of(Method::MfmG, "brightness@2") > free);
        assert!(of(Method::MfmGf, "aesthetic@2") > free + (1 << 30));
    }
}
