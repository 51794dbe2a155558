//! The same request on both devices: the processor's kernel, the fused kernel on the graphics
//! device and burn's plain path on the graphics device give the same draws.

use std::sync::Arc;
use std::time::{Duration, Instant};

use foresight::engine::{
    Command, Compute, DrawAnswer, DrawRequest, Engine, Event, LoadedModel, Slot, load_shipped,
};
use foresight::gpu::{GpuError, SharedDevice};
use foresight::lookahead::Source;
use foresight::mixture::Preset;
use foresight::session::ComputeChoice;

/// Two f32 networks that add in another order; one step moves by a few units.
const TOLERANCE: f32 = 2e-3;

fn shared() -> Option<Arc<SharedDevice>> {
    match SharedDevice::headless() {
        Ok(device) => Some(device),
        Err(GpuError::NoAdapter(why)) => {
            eprintln!("skipped: no graphics adapter, not even a software one ({why})");
            None
        }
        Err(e) => panic!("{e}"),
    }
}

fn answer(
    engine: &Engine,
    model: &Arc<LoadedModel>,
    source: Source,
    draws: u32,
) -> Arc<DrawAnswer> {
    let id = engine.submit(Command::Draws(DrawRequest {
        world: Arc::new(model.checkpoint.card.world.clone()),
        model: Some(model.clone()),
        source,
        t: 0.33,
        x_t: [-0.6, -0.8],
        seed: 3,
        draws,
    }));
    let begun = Instant::now();
    loop {
        for event in engine.events() {
            match event {
                Event::Draws(got, Slot::Draws, answer) if got == id => return answer,
                Event::Failed(got, _, why) if got == id => panic!("{why}"),
                _ => {}
            }
        }
        assert!(begun.elapsed() < Duration::from_mins(5), "no answer");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn both_devices_give_the_same_draws_for_every_learned_source() {
    let Some(device) = shared() else { return };
    let model = Arc::new(
        load_shipped(Preset::Three)
            .expect("shipped")
            .expect("valid"),
    );
    let wake = || Arc::new(|| {});
    let cpu = Engine::start(None, ComputeChoice::Cpu, wake());
    let gpu = Engine::start(Some(device.clone()), ComputeChoice::Shared, wake());
    for (source, draws) in [
        (Source::OneStep, 1),
        (Source::OneStep, 5_000),
        (Source::KStep(4), 1_000),
        (Source::Glass(2), 200),
        (Source::Sde(3), 200),
    ] {
        let on_cpu = answer(&cpu, &model, source, draws);
        let on_gpu = answer(&gpu, &model, source, draws);
        assert_eq!(on_gpu.compute, Compute::Shared, "{source}");
        let points = on_gpu.points.as_ref().expect("painted from the device");
        let read = points.read(&device).expect("read back");
        assert_eq!(read.len(), draws as usize, "{source}");
        for (i, (a, b)) in on_cpu.host.iter().zip(&read).enumerate() {
            for axis in 0..2 {
                assert!(
                    (a[axis] - b[axis]).abs() < TOLERANCE,
                    "{source}, draw {i}: {a:?} on the processor, {b:?} on the graphics device"
                );
            }
        }
    }
}
