//! `foresight compare`: an interrupted comparison goes on where it stopped, and ends in the same table and plots.

use std::path::{Path, PathBuf};

use foresight::cli::{CompareArgs, run_compare};

const PLAN: &str = r#"(
    world: "two",
    reward: "measurement:0.3,1,0.5,0.5",
    particles: 64,
    seeds: [1, 2, 3],
    budgets: [10, 60, 240],
    options: (steps: 8),
    methods: [
        (name: "mfm-gf"),
        (name: "mfm-gf", label: "MFM-GF, \"noisy\"", options: (flow: "sde")),
        (name: "tds"),
        (name: "best-of-n"),
        (name: "exact"),
    ],
)"#;

fn plan(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("plan.ron");
    std::fs::write(&path, text).unwrap();
    path
}

fn compare(plan: &Path, out: &Path) -> Result<(), String> {
    let args = CompareArgs {
        plan: plan.to_owned(),
        out_dir: Some(out.to_owned()),
        seed: Vec::new(),
    };
    run_compare(&args, None)
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

const RESULTS: [&str; 5] = [
    "table.csv",
    "distance.svg",
    "distance.png",
    "reward.svg",
    "reward.png",
];

#[test]
fn an_interrupted_comparison_goes_on_and_ends_in_the_same_table() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(folder.path(), PLAN);
    let whole = folder.path().join("whole");
    compare(&plan, &whole).unwrap();
    let rows = read(&whole, "rows.csv");
    let lines: Vec<&str> = rows.lines().collect();
    // With 10 evaluations only TDS, Best-of-N and the exact value can do anything.
    assert_eq!(lines.len(), 1 + 3 * (3 + 5 + 5));

    // Cut off after some rows; within a row, as a kill may leave it; within the header.
    let cuts = [
        lines[..9].join("\n").len() + 1,
        lines[..9].join("\n").len() + 40,
        20,
        0,
    ];
    for (i, cut) in cuts.into_iter().enumerate() {
        let cut_off = folder.path().join(format!("cut-{i}"));
        std::fs::create_dir(&cut_off).unwrap();
        std::fs::write(cut_off.join("rows.csv"), &rows[..cut]).unwrap();
        compare(&plan, &cut_off).unwrap();
        for name in RESULTS {
            let same = std::fs::read(whole.join(name)).unwrap()
                == std::fs::read(cut_off.join(name)).unwrap();
            assert!(same, "{name} differs after {cut} bytes");
        }
        let again = read(&cut_off, "rows.csv");
        assert_eq!(again.lines().count(), lines.len());
        let kept = &rows[..rows[..cut].rfind('\n').map_or(0, |i| i + 1)];
        assert!(
            again.starts_with(kept),
            "finished rows are kept as they were"
        );
    }

    // All there: nothing runs, and nothing is added.
    compare(&plan, &whole).unwrap();
    assert_eq!(read(&whole, "rows.csv"), rows);
}

#[test]
fn rows_of_another_plan_in_the_same_folder_are_never_mixed_in() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("both"));
    let other = PLAN.replace("0.5,0.5\"", "0.5,0.7\"");
    let path = plan(folder.path(), PLAN);
    compare(&path, &first).unwrap();
    let path = plan(folder.path(), &other);
    compare(&path, &second).unwrap();
    let others = read(&second, "table.csv");
    let path = plan(folder.path(), PLAN);
    compare(&path, &second).unwrap();
    assert_eq!(read(&second, "table.csv"), read(&first, "table.csv"));
    assert_ne!(read(&second, "table.csv"), others);
}

#[test]
fn a_damaged_line_is_computed_again_and_a_strange_file_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(folder.path(), PLAN);
    let out = folder.path().join("out");
    compare(&plan, &out).unwrap();
    let (rows, table) = (read(&out, "rows.csv"), read(&out, "table.csv"));
    let damaged = rows.replacen(",64,1,", ",sixty-four,1,", 1);
    assert_ne!(damaged, rows);
    std::fs::write(out.join("rows.csv"), damaged).unwrap();
    compare(&plan, &out).unwrap();
    assert_eq!(read(&out, "table.csv"), table);

    std::fs::write(out.join("rows.csv"), "x,y\n1,2\n").unwrap();
    let message = compare(&plan, &out).unwrap_err();
    assert!(
        message.contains("rows.csv") && message.contains("--out-dir"),
        "{message}"
    );
    assert_eq!(read(&out, "rows.csv"), "x,y\n1,2\n");
}

#[test]
fn the_plots_show_every_line_and_can_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(folder.path(), PLAN);
    compare(&plan, folder.path()).unwrap();
    for name in ["distance", "reward"] {
        let svg = read(folder.path(), &format!("{name}.svg"));
        assert!(svg.contains("width=\"640\"") && svg.trim_end().ends_with("</svg>"));
        for text in [
            "TDS",
            "MFM-GF, &quot;noisy&quot;",
            "Function evaluations",
            "3 seeds",
        ] {
            assert!(svg.contains(text), "{name}.svg lacks {text}");
        }
        let png = image::open(folder.path().join(format!("{name}.png")))
            .unwrap()
            .to_rgb8();
        assert_eq!(png.dimensions(), (1280, 800));
        let ink = png.pixels().filter(|p| p.0 != [255; 3]).count();
        assert!(
            (10_000..500_000).contains(&ink),
            "{name}.png has {ink} inked pixels"
        );
    }
    // Nothing half-written is left.
    let left = std::fs::read_dir(folder.path()).unwrap();
    assert_eq!(left.count(), 2 + RESULTS.len());
}

#[test]
fn a_plan_of_which_nothing_can_run_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let text = PLAN
        .replace("[10, 60, 240]", "[1]")
        .replace("\"tds\"", "\"fmtt\"");
    let text = text
        .replace("(name: \"exact\"),", "")
        .replace("(name: \"best-of-n\"),", "");
    let plan = plan(folder.path(), &text);
    let message = compare(&plan, &folder.path().join("out")).unwrap_err();
    assert!(message.contains("nothing of it can be run"), "{message}");
    assert!(!folder.path().join("out").exists());
}
