//! `foresight steer` with a map of images: steered pictures beside those of the same noise that nobody steered.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::DeviceArg;
use super::futures_reward::RewardOptions;
use super::latents::Shown;
use super::memory;
use super::pictures::{OpenMap, advance, check_folder, judge_for, progress_bar};
use super::report_file::{check_report, write_report};
use super::steer_args::SteerArgs;
use super::steer_pictures_out::{
    Average, Labels, PicturesReport, Second, Side, check_out, print, write,
};
use crate::checkpoint::{ClassifierCard, ModelKind, inspect, model_kind};
use crate::engine::{FilmRow, SeenRun, SteeringFilm, steering_pass, typical_digits};
use crate::model::ImageJudge;
use crate::reward::picture::{PictureReward, PictureRewardError, ScorerFile};
use crate::session::FrameFormat;
use crate::steer::Method;
use crate::steer::images::{ImageFrame, ImagePlan, ImageRun, ImageScene, steer_images};

/// Pictures, where their number is not given.
const PARTICLES: u32 = 16;

/// Whether the file holds one.
///
/// # Errors
/// When it cannot be read at all.
pub(super) fn is_map_of_images(path: &Path) -> Result<bool, String> {
    let kind = model_kind(path).map_err(|e| e.to_string())?;
    // Weights of another program are those of such a map, if of any; what they lack is said where they are read.
    Ok(matches!(kind, ModelKind::Images | ModelKind::Other))
}

/// Refuses, in 2D, options that only pictures have.
pub(super) fn refuse_for_pictures(args: &SteerArgs) -> Result<(), String> {
    let given = [
        ("--class", args.class.is_some()),
        ("--class-guidance", args.class_guidance.is_some()),
        ("--reference", !args.reference.is_empty()),
        ("--free", args.free.is_some()),
        ("--classifier", args.classifier.is_some()),
        ("--frames", args.frames.is_some()),
        ("--vae", args.vae.is_some()),
    ];
    let file = ScorerFile::ALL
        .into_iter()
        .find(|file| args.scorers.of(*file).is_some())
        .map(|file| format!("--{}", file.option()));
    let given = given.iter().find(|(_, given)| *given);
    match given.map(|(name, _)| (*name).to_owned()).or(file) {
        Some(name) => Err(format!(
            "{name} is for pictures: give a map of images with --checkpoint, or leave it out"
        )),
        None => Ok(()),
    }
}

/// Refuses options that only a world has.
fn refuse_for_worlds(args: &SteerArgs) -> Result<(), String> {
    let given = [
        ("--world", args.world.is_some()),
        ("--source", args.source.is_some()),
        ("--rollout-steps", args.rollout_steps.is_some()),
        ("--damping", args.damping.is_some()),
        ("--search-overall", args.search_overall),
        ("--gradient-error", args.gradient_error),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(format!(
            "{name} is for 2D worlds, and the checkpoint is a map of images: leave it out"
        )),
        None => Ok(()),
    }
}

impl SteerArgs {
    /// The plan for pictures of a map.
    fn image_plan(&self, map: &OpenMap) -> Result<ImagePlan, String> {
        refuse_for_worlds(self)?;
        let plane = self.plan()?;
        let usual = ImagePlan::new(plane.method);
        let class = match self.class.as_deref() {
            None | Some("any") => None,
            Some(text) => Some(map.class(text)?).filter(|label| *label != map.no_class()),
        };
        if class.is_none() && self.class_guidance.is_some() {
            return Err("--class-guidance needs a --class to guide toward".into());
        }
        let plan = ImagePlan {
            flow: plane.flow,
            steps: self.steps.unwrap_or(usual.steps),
            draws: self.n.unwrap_or(usual.draws),
            seed: plane.seed,
            start: plane.start,
            schedule: plane.schedule,
            guidance: plane.guidance,
            renormalise: plane.renormalise,
            mix_until: plane.mix_until,
            control_variate: plane.control_variate,
            search_power: plane.search_power,
            class,
            class_guidance: self.class_guidance.unwrap_or(1.0),
            ..usual
        };
        plan.validate().map_err(|e| e.to_string())?;
        Ok(plan)
    }
}

/// Runs the command.
///
/// # Errors
/// With a message for the person.
pub(super) fn steer_pictures(
    args: &SteerArgs,
    path: &Path,
    device: Option<DeviceArg>,
) -> Result<(), String> {
    if let Some(out) = &args.out {
        check_out(out)?;
    }
    if let Some(frames) = &args.frames {
        FrameFormat::from_path(frames)?;
        check_folder(frames)?;
    }
    if let Some(json) = &args.json {
        check_report(json, args.out.as_deref())?;
    }
    let open = OpenMap::open(path, device)?;
    let plan = ImagePlan {
        keep_frames: args.frames.is_some(),
        ..args.image_plan(&open)?
    };
    let shown = Shown::open(&open, args.vae.as_deref(), args.vae_tile)?;
    let shape = shown.shape();
    if shown.is_false_colour() {
        return Err(format!(
            "{} makes latents, and rewards are of pictures: give the autoencoder that decodes them with --vae FILE",
            path.display()
        ));
    }
    let judge = judge_for(args.classifier.as_deref(), shape, Some(&open.card.classes))?
        .map(|(card, judge)| (card, Arc::new(judge)));
    let network = judge.as_ref().map(|(_, judge)| judge);
    let text = args.reward.text();
    let reward: PictureReward = text
        .parse()
        .map_err(|e: PictureRewardError| e.to_string())?;
    let options = RewardOptions {
        reward: Some(reward.clone()),
        reference: args.reference.clone(),
        free: args.free.clone().unwrap_or_default(),
        scorers: args.scorers.clone(),
    };
    let Some(score) = options.bind(shape, network)? else {
        return Err("give a --reward".into());
    };
    let score = shown.reward(score)?;
    let typical = typical_digits().filter(|typical| {
        // What is typical is known of the shipped classifier alone.
        let knows = |judge: &Arc<ImageJudge>| {
            let config = judge.config();
            typical.width() == config.features() && typical.classes() == config.classes
        };
        args.classifier.is_none() && network.is_some_and(knows)
    });
    let particles = args.particles.unwrap_or(PARTICLES);
    memory::note(
        &open,
        &shown,
        steering_pass(&plan, particles),
        Some((&reward, &args.scorers.files())),
    );
    let scene = ImageScene {
        map: &*open.map,
        reward: &*score,
    };
    let base_plan = ImagePlan {
        flow: plan.flow,
        steps: plan.steps,
        seed: plan.seed,
        start: plan.start,
        schedule: plan.schedule,
        class: plan.class,
        class_guidance: plan.class_guidance,
        keep_frames: plan.keep_frames,
        ..ImagePlan::new(Method::Base)
    };
    let bar = progress_bar();
    let share =
        base_plan.network_rows() as f64 / (base_plan.network_rows() + plan.network_rows()) as f64;
    let run = |plan: &ImagePlan, from: f64, part: f64| -> Result<(ImageRun, f64), String> {
        let begun = Instant::now();
        let done = steer_images(scene, plan, 0..particles, &mut |fraction: f32| {
            advance(&bar, from + part * f64::from(fraction));
            true
        })
        .map_err(|e| e.to_string())?;
        Ok((done, begun.elapsed().as_secs_f64()))
    };
    let (base, base_seconds) = run(&base_plan, 0.0, share)?;
    let (steered, seconds) = run(&plan, share, 1.0 - share)?;
    bar.finish_and_clear();
    if steered.non_finite == u64::from(particles) {
        return Err(format!(
            "none of the {particles} pictures of {} stayed finite: its steps are too long for this reward. Take more --steps than {}, or a weaker reward (a lower @LAMBDA)",
            plan.method, plan.steps
        ));
    }
    // From here on they are looked at, no longer steered.
    let [base, steered] = [base, steered].map(|run| ImageRun {
        pictures: shown.of_states(&run.pictures).into_owned(),
        frames: run.frames.iter().map(|frame| seen(&shown, frame)).collect(),
        ..run
    });
    let side = |run: &ImageRun, seconds: f64| Side {
        reward: Average::of(&run.rewards),
        second: Second::of(
            &reward,
            &run.pictures,
            run.rewards.len(),
            network,
            typical.as_ref(),
        ),
        labels: judge
            .as_ref()
            .map(|(card, judge)| labels(card, judge, &run.pictures)),
        counters: run.counters,
        evaluations: run.counters.total(),
        non_finite: run.non_finite,
        seconds,
    };
    let gains: Vec<f64> = steered
        .rewards
        .iter()
        .zip(&base.rewards)
        .map(|(steered, base)| steered - base)
        .collect();
    let label = plan.class.unwrap_or(open.no_class());
    let file = path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    );
    let report = PicturesReport {
        version: env!("CARGO_PKG_VERSION"),
        checkpoint: [file, inspect(path).map_err(|e| e.to_string())?.hash],
        pictures: particles,
        shape,
        class: open.class_name(label).to_owned(),
        reward: reward.to_string(),
        method: plan.method.card().title,
        published_in: plan.method.card().source,
        warning: plan.warning(),
        plan: &plan,
        base: side(&base, base_seconds),
        steered: side(&steered, seconds),
        gain: Average::of(&gains),
        published_cost_per_picture: plan.published_cost(),
        device: device.unwrap_or(DeviceArg::Cpu).name(),
    };
    if let Some(out) = &args.out {
        write(out, &report, &base, &steered)?;
    }
    if let Some(frames) = &args.frames {
        let row = |title: &str, run: &ImageRun| FilmRow {
            title: title.to_owned(),
            run: SeenRun::of_pictures(run.frames.clone(), shape),
        };
        let film = SteeringFilm {
            rows: vec![row("Base", &base), row(report.method, &steered)],
            shape,
            particles: (0..particles as usize).collect(),
            states: false,
        };
        film.write(frames, &mut |_| true)?;
    }
    if let Some(json) = &args.json {
        write_report(json, &report)?;
    }
    print(&report);
    for path in [&args.out, &args.frames, &args.json].into_iter().flatten() {
        say!("written to {}", path.display());
    }
    Ok(())
}

/// What a step looks like becoming.
fn seen(shown: &Shown, frame: &Arc<ImageFrame>) -> Arc<ImageFrame> {
    Arc::new(ImageFrame {
        mean: shown.of_states(&frame.mean).into_owned(),
        ..(**frame).clone()
    })
}

/// What a classifier says of pictures.
fn labels(card: &ClassifierCard, judge: &ImageJudge, pictures: &[f32]) -> Labels {
    let judged = judge.judge(pictures);
    let name = |k: usize| {
        let name = card.classes.get(k);
        name.map_or_else(|| k.to_string(), Clone::clone)
    };
    let shares = judged.label_shares().into_iter().enumerate();
    Labels {
        shares: shares.map(|(k, share)| (name(k), share)).collect(),
        confidence: Average::of(&judged.best().map(|(_, p)| f64::from(p)).collect::<Vec<_>>()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::checkpoint::{FORMAT, ImageCard};
    use crate::cli::{Cli, Command};
    use crate::model::{BurnImageMap, Dit, DitConfig, Precision};

    fn args(line: &str) -> SteerArgs {
        let words = "foresight steer --checkpoint m.safetensors --reward class:3@5 --method"
            .split(' ')
            .chain(line.split(' '));
        match Cli::try_parse_from(words).unwrap().command {
            Some(Command::Steer(args)) => *args,
            _ => panic!("not steer"),
        }
    }

    fn map() -> OpenMap {
        let model = DitConfig {
            input_size: 8,
            patch_size: 4,
            hidden_size: 24,
            depth: 1,
            num_heads: 2,
            encoder_depth: 0,
            label_dim: 2,
            ..DitConfig::digits()
        };
        let device = burn::tensor::Device::flex();
        OpenMap {
            precision: Precision::F32,
            map: Arc::new(BurnImageMap::new(Dit::lively(&model, 3, &device), &device)),
            card: ImageCard {
                format: FORMAT,
                model,
                classes: vec!["ox".into(), "ant".into()],
                data: "a test".into(),
                recipe: serde_json::Value::Null,
                seed: 1,
                steps: 0,
                code_version: "0".into(),
                licence: "none".into(),
                hours: None,
                tuned: None,
                hardware: None,
                figures: std::collections::BTreeMap::new(),
            },
        }
    }

    #[test]
    fn a_line_makes_a_plan_for_pictures() {
        let map = map();
        let plan = |line: &str| args(line).image_plan(&map);
        let usual = plan("mfm-gf").unwrap();
        assert_eq!(usual, ImagePlan::default());
        let told = plan("mfm-g --n 4 --steps 12 --class ant --dynamics sde --rescale 1").unwrap();
        assert_eq!((told.draws, told.steps, told.class), (4, 12, Some(1)));
        assert_eq!(told.flow, crate::steer::Flow::Sde);
        assert_eq!(plan("base --class any").unwrap().class, None);
        for (line, word) in [
            ("mfm-gf --source exact", "--source"),
            ("mfm-gf --class 7", "'7' is no class"),
            ("mfm-gf --class-guidance 2", "--class"),
            ("tds", "tds"),
            ("dps --n 3", "--n"),
        ] {
            let message = plan(line).unwrap_err();
            assert!(message.contains(word), "{line}: {message}");
        }
    }

    #[test]
    fn options_of_pictures_are_refused_in_a_world() {
        let message = refuse_for_pictures(&args("mfm-gf --class 3")).unwrap_err();
        assert!(message.contains("--class is for pictures"), "{message}");
        assert_eq!(refuse_for_pictures(&args("mfm-gf")), Ok(()));
    }

    #[test]
    fn a_checkpoint_that_cannot_be_read_is_the_message_whatever_is_to_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let torn = folder.path().join("torn.safetensors");
        std::fs::write(&torn, [200, 0, 0]).unwrap();
        let missing = folder.path().join("missing.safetensors");
        for path in [&torn, &missing] {
            let message = is_map_of_images(path).unwrap_err();
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(message.contains(name), "{message}");
        }
    }
}
