//! Steered runs step by step, as moving pictures.

use std::path::Path;

use image::{Rgb, RgbImage, imageops};

use crate::session::{FrameFormat, FrameWriter, StoredPicture, enlarged, set_line};

use super::studio_message::StudioAnswer;
use super::studio_seen::SeenRun;

/// Between two pictures and around all.
const GAP: u32 = 4;
/// Height of a line of text.
const LINE: u32 = 18;
/// Frames are enlarged to about so many pixels a side, by a whole factor.
const FRAME_SIDE: u32 = 480;
/// No picture is enlarged further.
const MOST_SCALE: u32 = 8;
const PAPER: u8 = 244;
/// Frames for which a moving picture rests on its end.
const REST: u32 = 16;

/// One run of a film.
#[derive(Clone)]
pub struct FilmRow {
    /// What stands above it.
    pub title: String,
    /// Its steps.
    pub run: SeenRun,
}

/// What is shown of steered runs while they go from noise to data.
#[derive(Clone)]
pub struct SteeringFilm {
    /// One below the other.
    pub rows: Vec<FilmRow>,
    /// Channels, rows and columns of a picture.
    pub shape: [usize; 3],
    /// Which particles, counted in the frames.
    pub particles: Vec<usize>,
    /// Whether the noisy states are shown, not what they look like becoming.
    pub states: bool,
}

impl SteeringFilm {
    /// All rows of the Studio, or the base and one row of one particle.
    pub fn of(
        answer: &StudioAnswer,
        titles: &[String],
        cell: Option<(usize, usize)>,
        states: bool,
    ) -> Self {
        let row = |index: usize| {
            let run = answer.seen(index)?;
            let title = titles.get(index).cloned().unwrap_or_default();
            (!run.frames.is_empty()).then_some(FilmRow { title, run })
        };
        let (rows, particles): (Vec<usize>, _) = match cell {
            None => (
                (0..answer.panels.len()).collect(),
                (0..answer.request.particles.len()).collect(),
            ),
            Some((0, particle)) => (vec![0], vec![particle]),
            Some((row, particle)) => (vec![0, row], vec![particle]),
        };
        Self {
            rows: rows.into_iter().filter_map(row).collect(),
            shape: answer.request.model.shape(),
            particles,
            states,
        }
    }

    /// The times of the frames: those of the run with the most steps.
    fn times(&self) -> Vec<f64> {
        let longest = self.rows.iter().max_by_key(|row| row.run.frames.len());
        longest.map_or_else(Vec::new, |row| row.run.frames.iter().map(|f| f.t).collect())
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.times().len()
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes a GIF that rests on its end, or numbered PNG files. Gives whether all was written: `watch`, told the share
    /// done, may call it off.
    ///
    /// # Errors
    /// Where there is nothing to write, or with the path, when a file cannot be written.
    pub fn write(&self, path: &Path, watch: &mut dyn FnMut(f32) -> bool) -> Result<bool, String> {
        let times = self.times();
        let Some(last) = times.len().checked_sub(1) else {
            return Err("there are no steps to write: start a run first".to_owned());
        };
        let rest = match FrameFormat::from_path(path)? {
            FrameFormat::Gif => REST,
            FrameFormat::Png => 0,
        };
        let count = times.len() as u32 + rest;
        FrameWriter::write(path, count, &mut |frame| {
            if !watch(frame as f32 / count as f32) {
                return Ok(None);
            }
            self.frame(times[last.min(frame as usize)]).map(Some)
        })
    }

    /// The pictures at one time, with the rows' titles above them and the time below.
    fn frame(&self, t: f64) -> Result<RgbImage, String> {
        let side = self.shape[1] as u32;
        let across = self.particles.len().max(1) as u32;
        // One picture stands beside its base; more stand below theirs.
        let beside = across == 1;
        let (columns, lines) = if beside {
            (self.rows.len().max(1) as u32, 1)
        } else {
            (across, self.rows.len() as u32)
        };
        let scale = (FRAME_SIDE / (columns * side).max(1)).clamp(1, MOST_SCALE);
        let step = side * scale + GAP;
        let (width, height) = (columns * step + GAP, lines * (step + LINE) + GAP + LINE);
        let mut frame = RgbImage::from_pixel(width, height, Rgb([PAPER; 3]));
        for (index, row) in self.rows.iter().enumerate() {
            let (left, top) = if beside {
                (GAP + index as u32 * step, GAP)
            } else {
                (GAP, GAP + index as u32 * (step + LINE))
            };
            let room = if beside { step - GAP } else { width };
            set_line(&mut frame, &row.title, (left, top), room)?;
            for (place, particle) in self.particles.iter().enumerate() {
                let picture = row.run.bytes(*particle, t, self.states);
                let stored =
                    picture.and_then(|p| StoredPicture::from_bytes(self.shape[0] as u32, side, &p));
                if let Some(stored) = stored {
                    let picture = enlarged(&stored, scale).into_rgb8();
                    let x = i64::from(left + place as u32 * step);
                    imageops::replace(&mut frame, &picture, x, i64::from(top + LINE));
                }
            }
        }
        let text = format!("t {t:.3}");
        set_line(&mut frame, &text, (GAP, height - LINE + 1), width)?;
        Ok(frame)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::steer::images::ImageFrame;

    fn film(rows: usize, particles: Vec<usize>) -> SteeringFilm {
        let frame = |t: f64, grey: f32| {
            Arc::new(ImageFrame {
                t,
                x: vec![-1.0; 3 * 64],
                mean: (0..3).flat_map(|p| [grey + 0.2 * p as f32; 64]).collect(),
                values: vec![0.0; 3],
                ..ImageFrame::default()
            })
        };
        SteeringFilm {
            rows: (0..rows)
                .map(|row| FilmRow {
                    title: format!("row {row}"),
                    // The last row has fewer steps.
                    run: SeenRun::of_pictures(
                        (0..5 - row)
                            .map(|k| frame(k as f64 / 4.0, -0.5 + 0.1 * row as f32))
                            .collect(),
                        [1, 8, 8],
                    ),
                })
                .collect(),
            shape: [1, 8, 8],
            particles,
            states: false,
        }
    }

    #[test]
    fn rows_stand_below_each_other_and_one_picture_beside_its_base() {
        let wide = film(2, vec![0, 1, 2]);
        let step = 8 * MOST_SCALE + GAP;
        let frame = wide.frame(0.5).unwrap();
        let high = 2 * (step + LINE) + GAP + LINE;
        assert_eq!(frame.dimensions(), (3 * step + GAP, high));
        let byte = |v: f32| ((v + 1.0) * 127.5).round() as u8;
        assert_eq!(frame.get_pixel(GAP, GAP + LINE).0, [byte(-0.5); 3]);
        assert_eq!(frame.get_pixel(GAP + step, GAP + LINE).0, [byte(-0.3); 3]);
        let below = GAP + LINE + step + LINE;
        assert_eq!(frame.get_pixel(GAP, below).0, [byte(-0.4); 3]);
        let beside = film(2, vec![2]).frame(1.0).unwrap();
        assert_eq!(beside.dimensions(), (2 * step + GAP, step + 2 * LINE + GAP));
        // The row with fewer steps stays at its last.
        assert_eq!(beside.get_pixel(GAP + step, GAP + LINE).0, [byte(0.0); 3]);
    }

    #[test]
    fn a_film_is_a_gif_or_a_file_a_step_and_the_same_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let film = film(2, vec![0, 1]);
        let write = |name: &str| film.write(&folder.path().join(name), &mut |_| true);
        assert_eq!(write("a.gif"), Ok(true));
        assert_eq!(write("b.gif"), Ok(true));
        let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
        assert!(!read("a.gif").is_empty() && read("a.gif") == read("b.gif"));
        assert_eq!(write("steps.png"), Ok(true));
        assert!(folder.path().join("steps-0005.png").exists());
        assert!(!folder.path().join("steps-0006.png").exists());
        let path = folder.path().join("no.gif");
        assert_eq!(film.write(&path, &mut |share| share < 0.1), Ok(false));
        assert!(!path.exists());
        let nothing = self::film(0, vec![0]);
        let message = nothing.write(&path, &mut |_| true).unwrap_err();
        assert!(message.contains("start a run"), "{message}");
    }
}
