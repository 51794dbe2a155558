//! Groups of similar pictures, and kept ones made again.

use std::sync::Arc;

use crate::lookahead::{NoiseKey, draw_images};
use crate::metrics::{Counters, clusters};
use crate::session::{DrawRecipe, Likeness, Made};

use super::images::{LoadedImages, WallRequest};
use super::images_more::{AgainAnswer, AgainRequest, GroupsAnswer, GroupsRequest};
use super::message::{Event, RequestId, Slot};
use super::steered::stored;
use super::worker::{Job, JobError, JobResult, Worker};

/// Pictures are compared in at most so many pixels a side: what is alike is so from afar.
const COMPARED_SIDE: usize = 16;

impl Worker {
    /// Groups the pictures of a wall.
    pub fn groups(&mut self, id: RequestId, request: GroupsRequest) -> JobResult {
        let job = Job::new(id, Slot::Groups, "groups by similarity");
        if !self.look_up(&job, None) {
            return Err(JobError::Cancelled);
        }
        let wall = &request.wall;
        let judged = wall.figures.judged.as_ref().filter(|j| j.width > 0);
        let (found, likeness) =
            if let (Likeness::Features, Some(judged)) = (request.likeness, judged) {
                let found = clusters(&judged.features, judged.width, wall.request.seed);
                (found, Likeness::Features)
            } else {
                let (small, width) = pooled(&wall.pictures, wall.request.model.shape());
                (clusters(&small, width, wall.request.seed), Likeness::Pixels)
            };
        let best: Option<Vec<usize>> = judged.map(|j| j.best().map(|(class, _)| class).collect());
        let mostly = (0..found.count)
            .map(|group| mostly(&found.of, group, best.as_ref()?))
            .collect();
        let answer = GroupsAnswer {
            request: Arc::new(request),
            clusters: found,
            mostly,
            likeness,
        };
        self.post(Event::Groups(id, Arc::new(answer)));
        Ok(())
    }

    /// Makes a kept picture again.
    pub fn again(&mut self, id: RequestId, request: AgainRequest) -> JobResult {
        let job = Job::new(id, Slot::Again, "the picture again");
        let model = request.model.clone();
        let picture = match &request.made {
            Made::Draw(recipe) => self.draw_again(&job, &model, recipe)?,
            Made::Steered(recipe) => {
                let asked = (&**recipe, &request.files);
                self.steered(&job, &model, asked, (0.0, 1.0))?.picture
            }
        };
        let answer = AgainAnswer {
            picture: stored(&model, &picture)?,
            request: Arc::new(request),
        };
        self.post(Event::Again(id, Arc::new(answer)));
        Ok(())
    }

    /// A draw of a wall, `[C][H][W]`.
    fn draw_again(
        &mut self,
        job: &Job,
        model: &Arc<LoadedImages>,
        recipe: &DrawRecipe,
    ) -> Result<Vec<f32>, JobError> {
        let wall = WallRequest::of_recipe(model.clone(), recipe);
        let mut counters = Counters::default();
        let state = self.wall_state(job, &wall, wall.t, &mut counters)?;
        let item = recipe.item;
        let key = NoiseKey {
            seed: wall.seed,
            state: 0,
        };
        let state = draw_images(
            &*wall.model.map,
            wall.source,
            &state.question,
            key,
            item..item + 1,
            &mut counters,
            &mut |share| self.look_up(job, share),
        )?;
        self.best_of((job, None), model, &state)
    }
}

/// The commonest class of a group and its share.
fn mostly(of: &[usize], group: usize, best: &[usize]) -> Option<(usize, f64)> {
    let members: Vec<usize> = of
        .iter()
        .zip(best)
        .filter(|(g, _)| **g == group)
        .map(|(_, class)| *class)
        .collect();
    let count = |class: usize| members.iter().filter(|c| **c == class).count();
    let class = members
        .iter()
        .copied()
        .max_by_key(|c| (count(*c), std::cmp::Reverse(*c)))?;
    Some((class, count(class) as f64 / members.len() as f64))
}

/// Pictures `[n][C H W]` with blocks of pixels averaged, and how many numbers each has then.
fn pooled(pictures: &[f32], [c, h, w]: [usize; 3]) -> (Vec<f32>, usize) {
    let block = h.max(w).div_ceil(COMPARED_SIDE).max(1);
    let (rows, columns) = (h.div_ceil(block), w.div_ceil(block));
    let width = c * rows * columns;
    let mut out = Vec::with_capacity(pictures.len() / (c * h * w).max(1) * width);
    for plane in pictures.chunks_exact((h * w).max(1)) {
        for at in 0..rows * columns {
            let (top, left) = (at / columns * block, at % columns * block);
            let (mut sum, mut count) = (0.0, 0);
            for y in top..(top + block).min(h) {
                for v in &plane[y * w + left..y * w + (left + block).min(w)] {
                    sum += v;
                    count += 1;
                }
            }
            out.push(sum / count.max(1) as f32);
        }
    }
    (out, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_averaged_channel_by_channel() {
        // Two channels of 32 x 32: blocks of 2 x 2.
        let picture: Vec<f32> = (0..2 * 32 * 32).map(|k| (k % 32) as f32).collect();
        let (small, width) = pooled(&picture, [2, 32, 32]);
        assert_eq!((small.len(), width), (512, 512));
        assert_eq!(&small[..3], [0.5, 2.5, 4.5]);
        let (same, width) = pooled(&[1.0, 2.0, 3.0, 4.0], [1, 2, 2]);
        assert_eq!((same.as_slice(), width), (&[1.0, 2.0, 3.0, 4.0][..], 4));
    }

    #[test]
    fn a_group_is_called_by_its_commonest_class() {
        let of = [0, 0, 1, 0, 1];
        let best = [7, 4, 2, 7, 3];
        assert_eq!(mostly(&of, 0, &best), Some((7, 2.0 / 3.0)));
        // Of equally common ones the first.
        assert_eq!(mostly(&of, 1, &best), Some((2, 0.5)));
        assert_eq!(mostly(&of, 2, &best), None);
    }
}
