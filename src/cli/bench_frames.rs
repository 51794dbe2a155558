//! `foresight bench frames`: whether the window stays responsive while a large map of latents draws and steers.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use clap::Args;
use serde::Serialize;

use super::bench_model::{ModelBenchArgs, transformer};
use super::bench_train::peak_memory_mib;
use crate::checkpoint::{FORMAT, ImageCard, write_image_map};
use crate::metrics::FrameTimings;
use crate::model::{Dit, DitConfig, IMAGENET_CLASSES, imagenet_class_names};
use crate::session::{CheckpointRef, ComputeChoice, DecoderFiles, Images, Rewarding, Session};

/// What is steered toward: a reward that costs nothing beside the map and what decodes it.
const REWARD: &str = "brightness@6";

/// What only `bench frames` asks for.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Of bench frames")]
pub struct FramesBenchArgs {
    /// A map of pictures or latents, instead of one with random weights.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["config", "random_weights"])]
    pub map: Option<PathBuf>,
    /// The autoencoder that decodes its latents: without it latents are not steered.
    #[arg(long, value_name = "FILE")]
    pub vae: Option<PathBuf>,
    /// A small decoder (taesd) that shows latents until they are decoded.
    #[arg(long, value_name = "FILE")]
    pub preview: Option<PathBuf>,
    /// Seconds for which each thing is watched.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub seconds: u32,
    /// Pictures that are steered side by side.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub pictures: u32,
}

/// What the window is to open. A map with random weights is written to a folder of its own, which goes with this.
pub struct FramesSet {
    /// What the window shows and steers.
    pub session: Session,
    /// Seconds for which each thing is watched.
    pub seconds: u32,
    map: String,
    model: Option<DitConfig>,
    /// Held for as long as its file is read.
    folder: Option<Folder>,
}

/// `foresight bench frames`, whole.
#[derive(Debug, Clone, Serialize)]
pub struct FramesBench {
    /// Version of the program.
    pub version: &'static str,
    /// Logical processors.
    pub processors: usize,
    /// The map.
    pub map: String,
    /// Its network, where its weights are random.
    pub model: Option<DitConfig>,
    /// Its parameters.
    pub parameters: Option<u64>,
    /// What decodes its latents.
    pub decoder: Option<String>,
    /// Pictures that were steered side by side, and draws a state.
    pub steered: [u32; 2],
    /// Most memory that the process held, MiB, where the system tells.
    pub peak_mib: Option<f64>,
    /// The window.
    pub window: FrameTimings,
}

impl FramesSet {
    /// Prepares what `args` describe; `choice` says where the map is asked.
    ///
    /// # Errors
    /// When the model file cannot be read, or the random weights cannot be written.
    pub fn new(
        model: &ModelBenchArgs,
        args: &FramesBenchArgs,
        choice: Option<ComputeChoice>,
    ) -> Result<Self, String> {
        let mut set = Self {
            session: Session::default(),
            seconds: args.seconds,
            map: String::new(),
            model: None,
            folder: None,
        };
        let path = match (&args.map, &model.config) {
            (Some(map), _) => map.clone(),
            (None, Some(config)) if model.random_weights => {
                let shape = transformer(config)?;
                let folder = Folder::new()?;
                let path = folder.0.join("random-weights.safetensors");
                say!(
                    "writing {} random weights to {}",
                    shape.parameters(),
                    path.display()
                );
                write_random(&shape, &path)?;
                set.folder = Some(folder);
                set.model = Some(shape);
                path
            }
            _ => {
                return Err(
                    "bench frames needs --map FILE, or --config NAME|FILE with --random-weights"
                        .into(),
                );
            }
        };
        let name = path.file_name().unwrap_or(path.as_os_str());
        set.map = name.to_string_lossy().into_owned();
        let mut images = Images {
            checkpoint: CheckpointRef::File(path),
            draws: Images::MIN_DRAWS,
            decoders: DecoderFiles {
                full: args.vae.clone(),
                preview: args.preview.clone(),
            },
            rewarding: Rewarding {
                reward: REWARD.parse().map_err(|e| format!("{REWARD}: {e}"))?,
                ..Rewarding::default()
            },
            ..Images::default()
        };
        images.studio.pictures = args.pictures;
        images.studio.settings.plan.draws = model.draws;
        set.session = Session {
            compute: choice.unwrap_or_default(),
            ..Session::of_images(images)
        };
        Ok(set)
    }

    /// The report of what the window measured.
    pub fn report(&self, window: FrameTimings) -> FramesBench {
        let images = &self.session.images;
        let decoder = images.decoders.full.as_ref();
        FramesBench {
            version: env!("CARGO_PKG_VERSION"),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            map: self.map.clone(),
            parameters: self.model.as_ref().map(DitConfig::parameters),
            model: self.model.clone(),
            decoder: decoder.map(|path| path.display().to_string()),
            steered: [images.studio.pictures, images.studio.settings.plan.draws],
            peak_mib: peak_memory_mib(),
            window,
        }
    }
}

/// A map of the shape of `model` that knows nothing.
fn write_random(model: &DitConfig, path: &Path) -> Result<(), String> {
    let net = Dit::init(model, 1, &Device::flex()).map_err(|e| e.to_string())?;
    let classes = if model.label_dim == IMAGENET_CLASSES as usize {
        imagenet_class_names().map(str::to_owned).collect()
    } else {
        (0..model.label_dim)
            .map(|class| class.to_string())
            .collect()
    };
    let card = ImageCard {
        format: FORMAT,
        model: model.clone(),
        classes,
        data: "nothing: random weights".into(),
        recipe: serde_json::Value::Null,
        seed: 1,
        steps: 0,
        code_version: env!("CARGO_PKG_VERSION").into(),
        licence: "none".into(),
        hours: None,
        hardware: None,
        figures: BTreeMap::new(),
        tuned: None,
    };
    write_image_map(path, &card, &net).map_err(|e| e.to_string())
}

/// A folder for a while.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, String> {
        let path = std::env::temp_dir().join(format!("foresight-frames-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|e| {
            format!(
                "{}: {e}. Name another folder for temporary files (TMPDIR)",
                path.display()
            )
        })?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(e) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{}: {e}. Remove it by hand", self.0.display());
        }
    }
}

impl fmt::Display for FramesBench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let window = &self.window;
        write!(
            f,
            "Foresight {}, {} logical processors, window {} x {} on {}{}\n{}",
            self.version,
            self.processors,
            window.size[0],
            window.size[1],
            window.adapter,
            if window.is_software {
                " (the processor itself)"
            } else {
                ""
            },
            self.map
        )?;
        if let Some(parameters) = self.parameters {
            write!(f, ", {parameters} parameters")?;
        }
        let decoder = self.decoder.as_deref().unwrap_or("none");
        writeln!(f, ", decoder {decoder}")?;
        writeln!(
            f,
            "opened in {:.1} s; {} pictures steered side by side with {} draws a state",
            window.opening_secs, self.steered[0], self.steered[1]
        )?;
        if let Some(peak) = self.peak_mib {
            writeln!(f, "most memory {peak:.0} MiB")?;
        }
        writeln!(
            f,
            "\n{:<40} {:>7} {:>9} {:>8} {:>9} {:>10} {:>8} {:>9}",
            "beside",
            "frames",
            "median ms",
            "p99 ms",
            "most ms",
            "own median",
            "own p99",
            "own most"
        )?;
        for row in &window.rows {
            writeln!(
                f,
                "{:<40} {:>7} {:>9.1} {:>8.1} {:>9.1} {:>10.1} {:>8.1} {:>9.1}",
                row.beside,
                row.frames,
                row.median_ms,
                row.p99_ms,
                row.longest_ms,
                row.own_median_ms,
                row.own_p99_ms,
                row.own_longest_ms
            )?;
        }
        for row in &window.cancels {
            writeln!(
                f,
                "Esc while {}: answered after {:.0} ms, longest frame meanwhile {:.0} ms",
                row.what, row.answered_ms, row.longest_frame_ms
            )?;
        }
        if window.lost_frames > 0 {
            writeln!(
                f,
                "frames without pixels in the time for which they are waited: {}, counted with that time",
                window.lost_frames
            )?;
        }
        for line in &window.left_out {
            writeln!(f, "left out: {line}")?;
        }
        write!(
            f,
            "own: the window's own thread, from events and answers to shapes. The rest of a frame is painting and reading the pixels back"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::open_image_map;

    #[test]
    fn random_weights_are_a_map_in_a_folder_that_goes_away() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("tiny.json");
        let shape = DitConfig::tiny(3);
        std::fs::write(&config, serde_json::to_string(&shape).unwrap()).unwrap();
        let model = ModelBenchArgs {
            config: Some(config),
            random_weights: true,
            batches: Vec::new(),
            draws: 5,
            precisions: Vec::new(),
            memory: None,
        };
        let args = FramesBenchArgs {
            map: None,
            vae: None,
            preview: None,
            seconds: 1,
            pictures: 3,
        };
        let set = FramesSet::new(&model, &args, None).unwrap();
        let CheckpointRef::File(path) = set.session.images.checkpoint.clone() else {
            panic!("a file")
        };
        let (card, map) = open_image_map(&path).unwrap();
        assert_eq!((&card.model, map.config()), (&shape, &shape));
        assert_eq!(set.session.images.studio.settings.plan.draws, 5);
        let report = set.report(FrameTimings::default());
        let text = report.to_string();
        assert!(text.contains("3 pictures steered") && !text.contains("without pixels"));
        let late = set.report(FrameTimings {
            lost_frames: 2,
            left_out: vec!["the rest: too slow".into()],
            ..FrameTimings::default()
        });
        let text = late.to_string();
        assert!(
            text.contains("waited: 2, counted") && text.contains("left out: the rest: too slow")
        );
        drop(set);
        assert!(!path.exists());
        let named = ModelBenchArgs {
            random_weights: false,
            ..model
        };
        let message = FramesSet::new(&named, &args, None).err().unwrap();
        assert!(message.contains("--random-weights"), "{message}");
    }
}
