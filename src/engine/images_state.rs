//! The state behind a wall: a noised picture, or a generation under way.

use std::sync::Arc;

use crate::lookahead::{
    ImageQuestion, ImageSampler, NoiseKey, RunningImage, generate_images, noised_image,
};
use crate::metrics::Counters;
use crate::session::Picture;

use super::decoding::Beside;
use super::images::{LoadedImages, WallRequest};
use super::picture_view::PictureView;
use super::worker::{Job, JobError, Worker};

/// Jumps in which a picture is made from noise.
const GENERATION_STEPS: u32 = 8;
/// Steps of a tuned velocity's ODE, which has no jumps.
const ODE_STEPS: u32 = 32;

/// Pictures that a map made of a class, by the seed of their noise: the last of each kind.
#[derive(Default)]
pub(super) struct StateMemo {
    generated: Option<(Generation, Arc<[f32]>)>,
    running: Option<(Generation, Arc<RunningImage>)>,
    /// A picture that came from elsewhere, and the state that it is.
    encoded: Option<Paired>,
    /// A state, and how it looks.
    shown: Option<Paired>,
}

/// What became of something by a way of showing states.
struct Paired {
    view: Arc<PictureView>,
    from: Arc<[f32]>,
    to: Arc<[f32]>,
}

impl Paired {
    fn of(&self, view: &Arc<PictureView>, from: &[f32]) -> Option<Arc<[f32]>> {
        (Arc::ptr_eq(&self.view, view) && *self.from == *from).then(|| self.to.clone())
    }
}

impl StateMemo {
    /// Notes how a clean state of a map that is shown by `view` looks, `[C][H][W]`.
    pub fn show(&mut self, view: &Arc<PictureView>, state: &Arc<[f32]>, shown: Arc<[f32]>) {
        self.shown = Some(Paired {
            view: view.clone(),
            from: state.clone(),
            to: shown,
        });
    }

    /// How a clean state looks, `[C][H][W]`; `None` where it is to be decoded first.
    pub fn known(&self, view: &Arc<PictureView>, state: &Arc<[f32]>) -> Option<Arc<[f32]>> {
        if !view.is_latent() {
            return Some(state.clone());
        }
        self.shown.as_ref()?.of(view, state)
    }
}

/// What decides a picture from noise.
struct Generation {
    by: Arc<LoadedImages>,
    class: Option<u32>,
    seed: u64,
    steps: u32,
}

impl Generation {
    fn is(&self, other: &Self) -> bool {
        let numbers = |g: &Self| (g.class, g.seed, g.steps);
        Arc::ptr_eq(&self.by, &other.by) && numbers(self) == numbers(other)
    }

    fn key(&self) -> NoiseKey {
        NoiseKey {
            seed: self.seed,
            state: 0,
        }
    }

    /// How it is made: a tuned velocity has no draws, and follows its ODE.
    fn sampler(&self) -> ImageSampler {
        if self.by.map.has_jumps() {
            ImageSampler::Kernel(self.steps)
        } else {
            ImageSampler::Flow(ODE_STEPS)
        }
    }

    /// The label, and the strongest guidance that the map knows.
    fn asked(&self) -> (u32, f32) {
        let strongest = self.by.guidance_scales().last().copied().unwrap_or(1.0);
        let guidance = self.class.map_or(1.0, |_| strongest);
        (self.by.label(self.class), guidance)
    }
}

/// A half-formed picture, and the way in which its futures are asked for.
pub(super) struct WallState {
    /// The clean state, `[c][h][w]`.
    pub clean: Arc<[f32]>,
    /// What the map is asked.
    pub question: ImageQuestion,
}

impl Worker {
    /// The state of `request` at time `t`.
    pub fn wall_state(
        &mut self,
        job: &Job,
        request: &WallRequest,
        t: f64,
        counters: &mut Counters,
    ) -> Result<WallState, JobError> {
        let model = &request.model;
        let generation = |seed, steps| Generation {
            by: model.clone(),
            class: request.class,
            seed,
            steps,
        };
        let noise = NoiseKey {
            seed: request.noise,
            state: 0,
        };
        let noised = |clean: Arc<[f32]>| {
            let x_t: Arc<[f32]> = noised_image(&clean, t, noise).into();
            (clean, x_t)
        };
        let (clean, x_t) = match &request.picture {
            Picture::Generated { seed } => {
                noised(self.generated(job, generation(*seed, GENERATION_STEPS), counters)?)
            }
            Picture::Running { seed, steps } => {
                let run = self.running(job, generation(*seed, *steps), counters)?;
                let x_t = run.state(&*model.map, t, counters);
                (run.image().into(), x_t.into())
            }
            Picture::Stored { picture, .. } if picture.fits(model.shape()) => {
                noised(self.encoded(job, model, picture.values().into())?)
            }
            Picture::Stored { picture, .. } => {
                let [c, h, w] = model.shape();
                return Err(JobError::Failed(format!(
                    "The picture has {} channels of {} x {}, but {} makes pictures of {c} channels of {h} x {w}. Choose another picture",
                    picture.channels, picture.side, picture.side, model.name
                )));
            }
        };
        let class = request.class.filter(|_| request.tell_class);
        let question = ImageQuestion {
            t,
            x_t,
            label: model.label(class),
            guidance: class.map_or(1.0, |_| request.guidance),
        };
        Ok(WallState { clean, question })
    }

    /// The state that a picture from elsewhere, `[C][H][W]`, is.
    pub fn encoded(
        &mut self,
        job: &Job,
        model: &LoadedImages,
        picture: Arc<[f32]>,
    ) -> Result<Arc<[f32]>, JobError> {
        let view = &model.view;
        if !view.is_latent() {
            return Ok(picture);
        }
        let known = self.wall_memo.states.encoded.as_ref();
        if let Some(state) = known.and_then(|known| known.of(view, &picture)) {
            return Ok(state);
        }
        let asked = (view.clone(), picture.clone());
        let encode = move |door: &Beside| {
            let state = asked.0.state_of_while(&asked.1, &|| door.still());
            state.transpose()
        };
        let state = self.beside(job, |_| None, encode)?;
        let state: Arc<[f32]> = state.map_err(JobError::Failed)?.into();
        let memo = &mut self.wall_memo.states;
        // It looks as it came, not as it looks decoded again.
        memo.show(view, &state, picture.clone());
        memo.encoded = Some(Paired {
            view: view.clone(),
            from: picture,
            to: state.clone(),
        });
        Ok(state)
    }

    fn generated(
        &mut self,
        job: &Job,
        asked: Generation,
        counters: &mut Counters,
    ) -> Result<Arc<[f32]>, JobError> {
        if let Some((last, picture)) = &self.wall_memo.states.generated
            && last.is(&asked)
        {
            return Ok(picture.clone());
        }
        let ((label, guidance), key) = (asked.asked(), asked.key());
        let (map, sampler) = (asked.by.map.clone(), asked.sampler());
        let picture = self.drawn_beside(
            job,
            |_| None,
            counters,
            move |counters, watch| {
                let told = (&[label][..], guidance);
                generate_images(&*map, sampler, told, key, 0, counters, watch)
            },
        )?;
        let picture: Arc<[f32]> = picture.into();
        self.wall_memo.states.generated = Some((asked, picture.clone()));
        Ok(picture)
    }

    fn running(
        &mut self,
        job: &Job,
        asked: Generation,
        counters: &mut Counters,
    ) -> Result<Arc<RunningImage>, JobError> {
        if let Some((last, run)) = &self.wall_memo.states.running
            && last.is(&asked)
        {
            return Ok(run.clone());
        }
        let (map, steps, told, key) = (
            asked.by.map.clone(),
            asked.steps,
            asked.asked(),
            asked.key(),
        );
        let run = self.drawn_beside(
            job,
            |_| None,
            counters,
            move |counters, watch| RunningImage::new(&*map, steps, told, key, counters, watch),
        )?;
        let run = Arc::new(run);
        self.wall_memo.states.running = Some((asked, run.clone()));
        Ok(run)
    }
}
