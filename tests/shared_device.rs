//! The same request on both devices: the processor's kernel, the fused kernel on the graphics
//! device and burn's plain path on the graphics device give the same draws.

use std::sync::Arc;
use std::time::{Duration, Instant};

use foresight::engine::{
    Command, Compute, DrawAnswer, DrawRequest, Engine, Event, LoadedModel, Slot, guided_network,
    load_shipped,
};
use foresight::gpu::{GpuError, SharedDevice};
use foresight::lookahead::Source;
use foresight::mixture::Preset;
use foresight::model::Rows;
use foresight::session::ComputeChoice;
use foresight::steer::{Method, SteerPlan, SteerScene, run};

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

#[test]
fn steering_on_the_shared_device_gives_the_processors_run_up_to_rounding() {
    let Some(shared) = shared() else { return };
    let model = load_shipped(Preset::Two).unwrap().unwrap();
    let on_device = guided_network(&model, Some(&shared)).unwrap();
    let here = guided_network(&model, None).unwrap();
    assert!(on_device.has_device() && !here.has_device());

    // Rows under different states, in groups that no tile divides; both the map and the velocity.
    let x_t: Vec<[f32; 2]> = (0..100_u8)
        .map(|i| [f32::from(i) / 25.0 - 2.0, f32::from(i % 7) / 3.0 - 1.0])
        .collect();
    let noise: Vec<[f32; 2]> = (0..700_u16)
        .map(|i| {
            [
                f32::from(i % 31) / 10.0 - 1.5,
                f32::from(i % 17) / 5.0 - 1.6,
            ]
        })
        .collect();
    let rows = Rows {
        s: 0.25,
        u: 1.0,
        t: 0.4,
        x_t: &x_t,
        group: 7,
    };
    let (mut a, mut b) = (noise.clone(), noise.clone());
    on_device.flow_map(rows, &mut a);
    here.flow_map(rows, &mut b);
    // Sums of 256 terms in four layers, in another order.
    let apart = |a: &[[f32; 2]], b: &[[f32; 2]]| {
        a.iter()
            .zip(b)
            .map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1]))
            .fold(0.0_f32, f32::max)
    };
    assert!(apart(&a, &b) < 1e-4, "{}", apart(&a, &b));
    assert!(apart(&a, &noise) > 0.1);
    let (mut a, mut b) = (noise.clone(), noise.clone());
    on_device.velocity(Rows::marginal(0.6), &mut a);
    here.velocity(Rows::marginal(0.6), &mut b);
    assert!(apart(&a, &b) < 1e-4, "{}", apart(&a, &b));

    let world = Preset::Two.mixture();
    let reward = "measurement:0.3,1,0.5,0.5".parse().unwrap();
    let plan = SteerPlan {
        steps: 8,
        particles: 64,
        draws: 16,
        ..SteerPlan::new(Method::MfmGf)
    };
    let samples = |model| {
        let scene = SteerScene {
            world: &world,
            reward: &reward,
            model: Some(model),
        };
        run(&plan, scene, &mut |_: f32| true).unwrap()
    };
    let (a, b) = (samples(&on_device), samples(&here));
    assert_eq!(a.counters, b.counters);
    // Rounding grows a little on the way.
    assert!(
        apart(&a.samples, &b.samples) < 1e-2,
        "{}",
        apart(&a.samples, &b.samples)
    );
}

#[test]
fn when_the_device_is_lost_the_processor_goes_on_and_says_so() {
    let Some(shared) = shared() else { return };
    // To be lost: the other tests want theirs.
    let doomed = shared.another().expect("a second device");
    let model = Arc::new(load_shipped(Preset::Three).unwrap().unwrap());
    let engine = Engine::start(Some(doomed.clone()), ComputeChoice::Shared, Arc::new(|| {}));
    let before = answer(&engine, &model, Source::OneStep, 100);
    assert_eq!(before.compute, Compute::Shared);
    doomed.device.destroy();
    let after = answer(&engine, &model, Source::OneStep, 101);
    assert_eq!(after.compute, Compute::Cpu);
    assert_eq!(after.host.len(), 101);
}
