//! Pictures to files: one with its settings, contact sheets, scrubs, arrays.

use image::{Rgb, RgbImage, imageops};

use crate::lookahead::{NoiseKey, draw_images};
use crate::metrics::Counters;
use crate::session::{
    FrameWriter, KeptPicture, PictureArrays, PictureSettings, StoredPicture, contact_sheet,
    encode_png, enlarged, grid_of, set_line, write_atomically,
};

use super::images::{WallAnswer, WallRequest};
use super::images_more::{PicturesExport, PicturesRequest};
use super::message::{Event, RequestId, Slot};
use super::worker::{Job, JobError, JobResult, Worker};

/// Pixels between two pictures of a wall, and below it for the time.
const GAP: u32 = 2;
const FOOT: u32 = 18;
/// A frame is enlarged to about so many pixels a side, by a whole factor.
const FRAME_SIDE: u32 = 480;
const PAPER: u8 = 244;

impl Worker {
    /// Writes pictures to a file.
    pub fn export_pictures(&mut self, id: RequestId, request: PicturesRequest) -> JobResult {
        let path = &request.path;
        let job = Job::new(id, Slot::Export, format!("writing {}", path.display()));
        let (said, done) = match &request.what {
            PicturesExport::Picture {
                kept,
                scale,
                settings,
            } => (picture(kept, *scale, *settings, path), true),
            PicturesExport::Sheet(cells) => {
                let columns = grid_of(cells.len());
                let sheet = contact_sheet(cells, columns, &mut |share| self.look_up(&job, share));
                match sheet.map_err(JobError::Failed)? {
                    None => return Err(JobError::Cancelled),
                    Some(sheet) => (
                        png(&sheet.into(), None, path)
                            .map(|()| format!("{} pictures", cells.len())),
                        true,
                    ),
                }
            }
            PicturesExport::Scrub { wall, item, frames } => {
                let count = (*frames).clamp(2, 1_000);
                let mut next = |frame: u32| {
                    let share = frame as f32 / count as f32;
                    if !self.look_up(&job, share) {
                        return Ok(None);
                    }
                    let t = f64::from(frame) / f64::from(count - 1);
                    match self.frame(&job, wall, *item, t) {
                        Ok(frame) => Ok(Some(frame)),
                        Err(JobError::Cancelled) => Ok(None),
                        Err(JobError::Failed(message)) => Err(message),
                    }
                };
                let done = FrameWriter::write(path, count, &mut next);
                let done = done.map_err(JobError::Failed)?;
                (Ok(format!("{count} frames")), done)
            }
            PicturesExport::Steering(film) => {
                let done = film.write(path, &mut |share| self.look_up(&job, share));
                let done = done.map_err(JobError::Failed)?;
                (Ok(format!("{} steps", film.len())), done)
            }
            PicturesExport::Arrays(answer) => (write_arrays(answer, path), true),
        };
        if !done {
            return Err(JobError::Cancelled);
        }
        let said = said.map_err(JobError::Failed)?;
        let said = format!("{said} written to {}", path.display());
        self.post(Event::Written(id, said));
        Ok(())
    }

    /// The wall at one time, or one of its draws, with the time below.
    fn frame(
        &mut self,
        job: &Job,
        wall: &WallRequest,
        item: Option<u32>,
        t: f64,
    ) -> Result<RgbImage, JobError> {
        let mut counters = Counters::default();
        let state = self.wall_state(job, wall, t, &mut counters)?;
        let key = NoiseKey {
            seed: wall.seed,
            state: 0,
        };
        let items = item.map_or(0..wall.draws, |item| item..item + 1);
        let pictures = draw_images(
            &*wall.model.map,
            wall.source,
            &state.question,
            key,
            items,
            &mut counters,
            // Told by the frame: a share of a share would jump to and fro.
            &mut |_| self.look_up(job, None),
        )?;
        let [c, h, _] = wall.model.shape();
        let stored: Option<Vec<StoredPicture>> = self
            .best_of((job, None), &wall.model, &pictures)?
            .chunks_exact(wall.model.numbers())
            .map(|picture| StoredPicture::new(c as u32, h as u32, picture))
            .collect();
        let stored = stored.unwrap_or_default();
        mosaic(&stored, h as u32, t).map_err(JobError::Failed)
    }
}

/// Pictures side by side on paper, and the time.
fn mosaic(pictures: &[StoredPicture], side: u32, t: f64) -> Result<RgbImage, String> {
    let columns = grid_of(pictures.len()) as u32;
    let rows = (pictures.len() as u32).div_ceil(columns);
    let scale = (FRAME_SIDE / (columns * side).max(1)).max(1);
    let step = side * scale + GAP;
    let (width, height) = (columns * step + GAP, rows * step + GAP + FOOT);
    let mut frame = RgbImage::from_pixel(width, height, Rgb([PAPER; 3]));
    for (k, picture) in pictures.iter().enumerate() {
        let (x, y) = (k as u32 % columns, k as u32 / columns);
        let picture = enlarged(picture, scale).into_rgb8();
        let at = |n: u32| i64::from(GAP + n * step);
        imageops::replace(&mut frame, &picture, at(x), at(y));
    }
    let text = format!("t {t:.3}");
    set_line(&mut frame, &text, (GAP + 2, height - FOOT + 1), width)?;
    Ok(frame)
}

/// One picture as a PNG file. Gives what was written, in words.
fn picture(
    kept: &KeptPicture,
    scale: u32,
    settings: bool,
    path: &std::path::Path,
) -> Result<String, String> {
    let text = settings.then(|| PictureSettings::of(kept)).flatten();
    let said = match (settings, &text) {
        (true, Some(_)) => "The picture with its settings",
        (true, None) => "The picture, whose settings are not known,",
        (false, _) => "The picture without settings",
    };
    let text = text.map(|settings| settings.to_ron());
    png(&enlarged(&kept.picture, scale), text.as_deref(), path)?;
    Ok(format!("{said} was"))
}

fn png(
    picture: &image::DynamicImage,
    text: Option<&str>,
    path: &std::path::Path,
) -> Result<(), String> {
    let bytes = encode_png(picture, text)?;
    write_atomically(path, |file| std::io::Write::write_all(file, &bytes)).map_err(|e| {
        format!(
            "{}: could not be written: {e}. Check free space and permissions of the folder",
            path.display()
        )
    })
}

/// A wall as arrays: the draws, and what they say together. Gives what was written, in words.
///
/// # Errors
/// On an unknown ending, a missing folder, or where the system refuses to write.
pub fn write_arrays(answer: &WallAnswer, path: &std::path::Path) -> Result<String, String> {
    let request = &answer.request;
    let model = &request.model;
    let notes = [
        ("source", request.source.to_string()),
        ("checkpoint", model.name.clone()),
        ("checkpoint_sha256", model.hash.clone()),
        ("noise", request.noise.to_string()),
    ];
    let figures = &answer.figures;
    let judged = figures.judged.as_ref();
    let mut more = Vec::new();
    if let Some(latents) = &answer.latents {
        let [c, h, w] = latents.shape;
        more.push(("latents", vec![answer.len(), c, h, w], &latents.draws[..]));
        more.push(("picture_latent", vec![c, h, w], &*latents.clean));
        more.push(("x_t_latent", vec![c, h, w], &*latents.x_t));
    }
    let arrays = PictureArrays {
        more,
        shape: model.shape(),
        draws: &answer.pictures,
        singles: vec![
            ("picture", &answer.clean),
            ("x_t", &answer.x_t),
            ("mean", &figures.mean),
            ("deviation", &figures.deviation),
        ],
        probabilities: judged.map(|j| (j.classes, j.probabilities.as_slice())),
        t: request.t,
        seed: request.seed,
        notes: &notes,
    };
    arrays.write(path)?;
    Ok(format!("{} pictures", answer.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_its_pictures_and_its_time() {
        let picture = |v: u8| StoredPicture::from_bytes(1, 28, &[v; 784]).unwrap();
        let pictures: Vec<StoredPicture> = [0, 90, 255, 30, 60].map(picture).to_vec();
        let frame = mosaic(&pictures, 28, 0.25).unwrap();
        // 3 columns of 28: five times as large.
        let step = 28 * 5 + GAP;
        assert_eq!(frame.dimensions(), (3 * step + GAP, 2 * step + GAP + FOOT));
        assert_eq!(frame.get_pixel(GAP + step, GAP).0, [90; 3]);
        assert_eq!(frame.get_pixel(GAP, GAP + step).0, [30; 3]);
        let foot = frame
            .enumerate_pixels()
            .filter(|(_, y, _)| *y >= frame.height() - FOOT);
        assert!(
            foot.filter(|(.., p)| p.0[0] < 120).count() > 20,
            "the time is set"
        );
    }
}
