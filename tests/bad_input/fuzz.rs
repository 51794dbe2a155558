//! Thousands of damaged files, and the few that are made to exhaust memory.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use foresight::checkpoint::{Checkpoint, inspect};
use foresight::mixture::{PointCloud, Preset, World};
use foresight::session::Session;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::damage::{damage, damaged_checkpoint};
use crate::files::{checkpoint, cloud, rebuilt, session};
use crate::memory::peak_of;
use crate::{MEMORY_BASE, MEMORY_FACTOR};

/// Damages the first file, perhaps with pieces of the second.
type Damage = fn(&[u8], &[u8], &mut ChaCha8Rng) -> Vec<u8>;

/// What to damage, pieces to damage it with, how, and who reads it how many times.
type Kind<'a> = (&'a str, &'a [u8], &'a [u8], Damage, Reader, usize);

/// Reads a file of one kind as the program does, and uses what is read. `true` if it was accepted.
pub type Reader = fn(&[u8]) -> Result<(), String>;

fn read_checkpoint(bytes: &[u8]) -> Result<(), String> {
    let checkpoint =
        Checkpoint::from_bytes(bytes, "dir/fuzz.safetensors").map_err(|e| e.to_string())?;
    let network = checkpoint.fused().map_err(|e| e.to_string())?;
    let mut out = [[0.0; 2]];
    network.velocity_into(0.0, 1.0, 0.3, [0.5, -0.5], &[[0.1, 0.2]], &mut out);
    Ok(())
}

fn read_and_list(bytes: &[u8]) -> Result<(), String> {
    let file = tempfile::NamedTempFile::new().map_err(|e| e.to_string())?;
    std::fs::write(file.path(), bytes).map_err(|e| e.to_string())?;
    let found = inspect(file.path()).map_err(|e| e.to_string())?;
    assert!(found.to_string().contains(&found.hash));
    if found.warnings.is_empty() {
        Ok(())
    } else {
        Err(found.warnings[0].clone())
    }
}

fn read_world(bytes: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
    let world = World::from_ron(text).map_err(|e| e.to_string())?;
    use_world(&world);
    Ok(())
}

fn read_session(bytes: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
    let session = Session::from_ron(text, Path::new("dir/fuzz.ron")).map_err(|e| e.to_string())?;
    use_world(&session.world.resolve().map_err(|e| e.to_string())?);
    let again = Session::from_ron(&session.to_ron(), Path::new("again.ron"));
    assert_eq!(again.map_err(|e| e.to_string()), Ok(session));
    Ok(())
}

fn read_cloud(bytes: &[u8]) -> Result<(), String> {
    let mixture = PointCloud::read(bytes)
        .and_then(|cloud| cloud.mixture(0.1))
        .map_err(|e| e.to_string())?;
    let _ = mixture.posterior(0.3, [0.5, -0.5]);
    Ok(())
}

fn use_world(world: &World) {
    for t in [0.0, 0.3, 1.0] {
        let x = [0.5, -0.5];
        let posterior = world.mixture.posterior(t, x);
        assert!(posterior.mean().iter().all(|v| v.is_finite()), "{world:?}");
        assert!(world.mixture.velocity(t, x).iter().all(|v| v.is_finite()));
    }
}

/// Reads one damaged file; the answer is whether it was accepted.
fn survives(kind: &str, number: usize, bytes: &[u8], read: Reader) -> bool {
    survives_within(MEMORY_BASE, kind, number, bytes, read)
}

/// The same for readers that may take `base` bytes of memory beside the file's own size.
pub fn survives_within(base: usize, kind: &str, number: usize, bytes: &[u8], read: Reader) -> bool {
    let (result, peak) = peak_of(|| catch_unwind(AssertUnwindSafe(|| read(bytes))));
    let keep = || {
        let path = std::env::temp_dir().join(format!("foresight-bad-{kind}-{number}"));
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let limit = base + MEMORY_FACTOR * bytes.len();
    assert!(
        peak <= limit,
        "{kind} {number}: {peak} bytes of memory for a file of {}, kept as {}",
        bytes.len(),
        keep().display()
    );
    let read = result.unwrap_or_else(|_| {
        panic!(
            "{kind} {number}: a panic (above), the file is kept as {}",
            keep().display()
        )
    });
    if let Err(message) = &read {
        assert!(
            message.len() < 4_000,
            "{kind} {number}: a message of {} bytes",
            message.len()
        );
    }
    read.is_ok()
}

#[test]
fn thirteen_thousand_damaged_files_cause_no_panic_and_no_great_allocation() {
    let model = checkpoint();
    let world = World::preset(Preset::Two).to_ron().into_bytes();
    let session = session().into_bytes();
    let cloud = cloud().into_bytes();
    let kinds: [Kind; 5] = [
        (
            "checkpoint",
            &model,
            &world,
            damaged_checkpoint,
            read_checkpoint,
            5_000,
        ),
        (
            "inspected",
            &model,
            &world,
            damaged_checkpoint,
            read_and_list,
            500,
        ),
        ("world", &world, &session, damage, read_world, 3_000),
        ("session", &session, &world, damage, read_session, 2_500),
        ("cloud", &cloud, &world, damage, read_cloud, 2_500),
    ];
    std::thread::scope(|scope| {
        for (kind, seed, other, damage, read, count) in kinds {
            scope.spawn(move || {
                read(seed).unwrap_or_else(|e| panic!("the sound {kind} was refused: {e}"));
                let mut rng = ChaCha8Rng::seed_from_u64(2);
                let accepted = (0..count)
                    .filter(|&i| survives(kind, i, &damage(seed, other, &mut rng), read))
                    .count();
                println!("{kind}: {count} damaged files, {accepted} still readable");
                assert!(
                    accepted < count / 2,
                    "{kind}: the damage does not reach the reader"
                );
            });
        }
    });
}

#[test]
fn files_made_to_exhaust_memory_do_not() {
    let model = checkpoint();
    let recipe = rebuilt(&model, |_, card, _| {
        card["recipe"] = vec![0; 400_000].into();
    });
    let strange = rebuilt(&model, |header, _, _| {
        for i in 0..20_000 {
            header[format!("t{i}")] =
                serde_json::json!({"dtype": "F32", "shape": [0], "data_offsets": [0, 0]});
        }
    });
    let wide = rebuilt(&model, |header, _, _| {
        header["layers.0.bias"]["shape"] = vec![1; 500_000].into();
    });
    let metadata = rebuilt(&model, |header, _, _| {
        for i in 0..50_000 {
            header["__metadata__"][format!("{i}")] = "".into();
        }
    });
    for (i, file) in [recipe, strange, wide, metadata].iter().enumerate() {
        assert!(!survives("large checkpoint", i, file, read_checkpoint));
    }
    let world = World::preset(Preset::Two).to_ron();
    let mode = "(weight:1,mean:(0,0),cov:(xx:1,xy:0,yy:1)),";
    for (i, text) in [
        "(".repeat(1 << 20),
        "[".repeat(1 << 20),
        world.replacen("modes: [", &format!("modes: [{}", mode.repeat(20_000)), 1),
        world.replacen("Two modes", &"x".repeat(1 << 20), 1) + "(",
        world.replacen("weight", &"w".repeat(1 << 20), 1),
    ]
    .iter()
    .enumerate()
    {
        assert!(!survives("large world", i, text.as_bytes(), read_world));
        assert!(!survives("large session", i, text.as_bytes(), read_session));
    }
    for (i, text) in [
        ",".repeat(1 << 20),
        "1".repeat(1 << 20),
        "\"".repeat(1 << 20),
        "1,2\n".repeat(1 << 18),
        "\n".repeat(1 << 20),
    ]
    .iter()
    .enumerate()
    {
        assert!(!survives("large cloud", i, text.as_bytes(), read_cloud));
    }
}
