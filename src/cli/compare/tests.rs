//! Plans that cannot be used, what a row is known by, and the files that come out.

use std::path::{Path, PathBuf};

use super::plan::{Comparison, read};
use super::rows::fingerprint;
use super::*;
use crate::steer::{Flow, Method, Renormalise, SteerPlan};

const GOOD: &str = r#"(
    world: "two",
    reward: "measurement:0.3,1,0.5,0.5",
    particles: 32,
    seeds: [1, 2],
    budgets: [40, 80],
    options: (steps: 4),
    methods: [(name: "mfm-gf"), (name: "dps")],
)"#;

fn written(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("plan.ron");
    std::fs::write(&path, text).unwrap();
    path
}

fn parsed(text: &str) -> Result<Comparison, String> {
    let folder = tempfile::tempdir().unwrap();
    read(&written(folder.path(), text), &[]).map_err(|e| e.to_string())
}

#[test]
fn a_plan_says_everything_that_decides_its_runs() {
    let text = GOOD.replace(
        r#"(name: "dps")"#,
        r#"(name: "mfm-gf", label: "late", options: (flow: "sde", preset: "exact", start: 0.02,
            schedule: (cap: None), source: "glass:8", draws: 3, rollout_steps: 5, guidance: 2.0,
            renormalise: clip(0.5), damping: 0.7, mix_until: 0.4, resample_below: 0.3,
            resampling: "stratified", population: 16, search_power: 2.0, search_overall: true,
            diamond_snr: 10.0, diamond_weights: "reward-only", control: "euclidean"))"#,
    );
    let asked = parsed(&text).unwrap();
    let (label, plan) = &asked.methods[1];
    assert_eq!(label, "late");
    assert_eq!((plan.method, plan.flow), (Method::MfmGf, Flow::Sde));
    assert_eq!((plan.steps, plan.draws, plan.particles), (4, 3, 32));
    assert_eq!((plan.start, plan.schedule.cap), (0.02, None));
    assert_eq!(plan.renormalise, Renormalise::Clip(0.5));
    assert_eq!((plan.damping, plan.population), (Some(0.7), Some(16)));
    assert_eq!(plan.source, Some("glass:8".parse().unwrap()));
    assert!(asked.model.is_none() && asked.methods[0].0 == "MFM-GF");
}

#[test]
fn the_shipped_example_and_that_of_the_help_can_be_used() {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/compare");
    for entry in std::fs::read_dir(assets).unwrap() {
        let path = entry.unwrap().path();
        assert!(!read(&path, &[]).unwrap().methods.is_empty());
    }
    let (from, to) = (HELP.find("(\n").unwrap(), HELP.find("\n)").unwrap());
    let asked = parsed(&HELP[from..to + 2]).unwrap();
    assert!(asked.model.is_some() && asked.budgets == [300, 1000, 3000]);
}

#[test]
fn every_wrong_value_is_named_with_path_and_field() {
    for (from, to, field, hint) in [
        ("\"two\"", "\"tow\"", "world", "tow"),
        ("world: \"two\",", "", "world", "missing"),
        (
            "world",
            "checkpoint: \"no.safetensors\", world",
            "checkpoint",
            "no.safetensors",
        ),
        (
            "\"two\"",
            "\"grid25\", checkpoint: \"shipped\"",
            "checkpoint",
            "none is shipped",
        ),
        ("0.3,1,0.5,0.5", "0.3,1", "reward", "4 numbers are wanted"),
        (
            "particles: 32",
            "particles: 0",
            "methods[0] (mfm-gf)",
            "particles is 0",
        ),
        ("seeds: [1, 2]", "seeds: []", "seeds", "give some"),
        (
            "seeds: [1, 2]",
            "seeds: [1, 1]",
            "seeds",
            "1 is there twice",
        ),
        ("[40, 80]", "[0, 80]", "budgets", "no budget"),
        ("\"dps\"", "\"dsp\"", "methods[1].name", "choose base"),
        (
            "\"dps\"",
            "\"mfm-gf\"",
            "methods[1].label",
            "also that of methods[0]",
        ),
        (
            "\"dps\"",
            "\"dps\", label: \"\"",
            "methods[1].label",
            "1 to 80",
        ),
        (
            "(steps: 4)",
            "(steps: 0)",
            "methods[0] (mfm-gf)",
            "1 to 10000",
        ),
        (
            "(steps: 4)",
            "(flow: \"pde\")",
            "options.flow",
            "`ode` or `sde`",
        ),
        (
            "\"dps\"",
            "\"tds\", options: (flow: \"ode\")",
            "methods[1] (tds)",
            "needs its noise",
        ),
        (
            "(steps: 4)",
            "(source: \"glas:3\")",
            "options.source",
            "glass:STEPS",
        ),
        (
            "(steps: 4)",
            "(preset: \"none\")",
            "options.preset",
            "as-published",
        ),
        (
            "(steps: 4)",
            "(damping: -1.0)",
            "methods[0] (mfm-gf)",
            "damping",
        ),
        (
            "methods: [(name: \"mfm-gf\"), (name: \"dps\")]",
            "methods: []",
            "methods",
            "1 to 64",
        ),
        // What RON itself refuses is named with its line.
        (
            "(steps: 4)",
            "(step: 4)",
            ":7:",
            "Unexpected field named `step`",
        ),
        ("particles: 32", "particles: -3", ":4:", "out of bounds"),
        ("seeds", "sneeds", ":5:", "sneeds"),
        ("[40, 80]", "[40, 80", "8:", "plan.ron"),
    ] {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from}");
        let Err(message) = parsed(&text) else {
            panic!("{to} was taken");
        };
        assert!(message.contains("plan.ron"), "{message}");
        assert!(
            message.contains(field) && message.contains(hint),
            "{to}: {message}"
        );
    }
}

#[test]
fn files_are_looked_for_beside_the_plan_and_seeds_can_be_given_instead() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = crate::mixture::World::preset(crate::mixture::Preset::Three);
    world.title = "Mine".into();
    std::fs::write(folder.path().join("mine.ron"), world.to_ron()).unwrap();
    let path = written(folder.path(), &GOOD.replace("\"two\"", "\"mine.ron\""));
    let asked = read(&path, &[7, 3]).unwrap();
    assert_eq!(asked.world, world);
    assert_eq!(asked.seeds, [7, 3]);
    assert_eq!(asked.title, "Mine, measurement:0.3,1,0.5,0.5");
}

#[test]
fn what_is_no_plan_file_is_refused_without_reading_it() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |path: &Path| read(path, &[]).err().unwrap().to_string();
    assert!(refused(folder.path()).contains("no file"));
    assert!(refused(&folder.path().join("not.ron")).contains("not.ron"));
    let long = written(folder.path(), &" ".repeat((1 << 20) + 1));
    assert!(refused(&long).contains("1048577 bytes"));
    let deep = written(folder.path(), &"(methods: [".repeat(10_000));
    assert!(refused(&deep).contains("plan.ron"));
}

#[test]
fn a_row_is_known_by_everything_that_decides_it_and_by_nothing_else() {
    let asked = parsed(GOOD).unwrap();
    let plan = SteerPlan {
        seed: 1,
        ..asked.methods[0].1.clone()
    };
    let name = fingerprint(&asked, &plan).unwrap();
    assert_eq!(name.len(), 16);
    let same = GOOD
        .replace("[40, 80]", "[3000]")
        .replace("\"dps\"", "\"tds\"")
        .replace("\"mfm-gf\"", "\"mfm-gf\", label: \"x\"");
    assert_eq!(fingerprint(&parsed(&same).unwrap(), &plan).unwrap(), name);
    for (from, to) in [
        ("\"two\"", "\"three\""),
        ("\"two\"", "\"two\", checkpoint: \"shipped\""),
        ("0.5,0.5", "0.5,0.5@2"),
    ] {
        let other = parsed(&GOOD.replace(from, to)).unwrap();
        assert_ne!(fingerprint(&other, &plan).unwrap(), name, "{to}");
    }
    let edits: [fn(&mut SteerPlan); 5] = [
        |p| p.seed = 2,
        |p| p.particles = 33,
        |p| p.draws += 1,
        |p| p.guidance = 1.000_000_000_000_000_2,
        |p| p.flow = Flow::Sde,
    ];
    for edit in edits {
        let mut plan = plan.clone();
        edit(&mut plan);
        assert_ne!(fingerprint(&asked, &plan).unwrap(), name, "{plan:?}");
    }
}

#[test]
fn lists_of_draws_and_steps_make_lines_of_their_own() {
    let text = GOOD.replace("budgets: [40, 80]", "draws: [1, 4], steps: [3, 6]");
    let asked = parsed(&text).unwrap();
    let scene = SteerScene {
        world: &asked.world.mixture,
        reward: &asked.reward,
        model: None,
    };
    let layout = Layout::new(&asked, scene).unwrap();
    // DPS draws nothing: two numbers of steps, two seeds.
    assert_eq!(layout.runs.len(), 2 * (4 + 2));
    assert_eq!(
        layout.series,
        ["MFM-GF", "DPS", "MFM-GF, K = 3", "MFM-GF, K = 6"]
    );
    assert!(
        layout
            .runs
            .windows(2)
            .all(|w| w[0].evaluations <= w[1].evaluations)
    );
    for run in &layout.runs {
        let by_hand = match run.plan.method {
            Method::Dps => 4 * run.plan.steps,
            _ => run.plan.steps * (1 + 2 * run.plan.draws),
        };
        assert_eq!(run.evaluations, u64::from(by_hand));
    }
    let plain = parsed(&GOOD.replace("budgets: [40, 80],", "")).unwrap();
    assert_eq!(Layout::new(&plain, scene).unwrap().runs.len(), 4);
}
