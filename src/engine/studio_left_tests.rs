//! Steered runs that are left: called off in the middle of a call, or by a device that breaks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::images_fallback::Asked;
use super::images_tests::{last, model, request as wall};
use super::mailbox::Mailbox;
use super::outbox::Outbox;
use super::studio_tests::{end, engine, finished, request};
use super::worker::{Job, Worker};
use super::{Command, Compute, Engine, Event, LoadedImages, Slot, StudioAnswer};
use crate::model::{DitConfig, ImageMap, ImageRows};
use crate::session::ComputeChoice;
use crate::steer::Method;

/// A map whose calls may last as long as a test wants, or panic from the fourth on as drivers do.
struct Troubled {
    map: Arc<dyn ImageMap>,
    calls: AtomicU32,
    is_held: AtomicBool,
    breaks: bool,
}

impl Troubled {
    fn new(map: &Arc<dyn ImageMap>, breaks: bool) -> Arc<Self> {
        Arc::new(Self {
            map: map.clone(),
            calls: AtomicU32::new(0),
            is_held: AtomicBool::new(!breaks),
            breaks,
        })
    }

    fn call(&self) {
        let before = self.calls.fetch_add(1, Ordering::SeqCst);
        assert!(!(self.breaks && before > 2), "the buffer is too large");
        wait_until("a call is held", || !self.is_held.load(Ordering::SeqCst));
    }
}

impl ImageMap for Troubled {
    fn config(&self) -> &DitConfig {
        self.map.config()
    }

    fn average_velocity(&self, rows: &ImageRows<'_>, out: &mut [f32]) {
        self.call();
        self.map.average_velocity(rows, out);
    }

    fn pullback(&self, rows: &ImageRows<'_>, cotangent: &[f32], x: &mut [f32], x_t: &mut [f32]) {
        self.call();
        self.map.pullback(rows, cotangent, x, x_t);
    }
}

/// A map; the same held in its first call; and what holds it.
fn held() -> (Arc<LoadedImages>, Arc<LoadedImages>, Arc<Troubled>) {
    let plain = model();
    let held = Troubled::new(&plain.map, false);
    let slow = LoadedImages {
        map: held.clone(),
        ..LoadedImages::clone(&plain)
    };
    (plain, Arc::new(slow), held)
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_mins(5), "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn progress_of(engine: &Engine, label: &str) {
    wait_until(label, || {
        let is_it = |event: &Event| matches!(event, Event::Progress(_, Slot::Studio, p) if p.label.contains(label));
        engine.events().iter().any(is_it)
    });
}

#[test]
fn a_cancel_is_answered_in_the_middle_of_a_call_and_the_next_run_waits_for_its_end() {
    let (plain, slow, held) = held();
    let engine = engine();
    let calls = || held.calls.load(Ordering::SeqCst);
    let id = engine.submit(Command::Studio(request(&slow, &[Method::MfmGf], 4)));
    wait_until("no call", || calls() == 1);
    engine.cancel(Slot::Studio);
    assert!(end(&engine, id).is_none(), "the call is still held");
    let id = engine.submit(Command::Studio(request(&slow, &[Method::MfmGf], 4)));
    progress_of(&engine, "waiting for the last call");
    assert_eq!(calls(), 1, "two calls would take twice the memory");
    held.is_held.store(false, Ordering::SeqCst);
    let answer = end(&engine, id).unwrap().unwrap();
    let expected = finished(&engine, request(&plain, &[Method::MfmGf], 4));
    assert_eq!(answer.panels[0].frames, expected.panels[0].frames);
}

#[test]
fn a_wall_is_called_off_in_the_middle_of_a_call() {
    let (plain, slow, held) = held();
    let engine = engine();
    let id = engine.submit(Command::Wall(wall(&slow, 16)));
    wait_until("no call", || held.calls.load(Ordering::SeqCst) == 1);
    engine.cancel(Slot::Wall);
    wait_until("the call is still held", || {
        let is_it = |event: &Event| matches!(event, Event::Cancelled(of, _) if *of == id);
        engine.events().iter().any(is_it)
    });
    held.is_held.store(false, Ordering::SeqCst);
    let (slow, whole) = (
        last(&engine, wall(&slow, 16)),
        last(&engine, wall(&plain, 16)),
    );
    assert_eq!(
        (&slow.pictures, slow.counters),
        (&whole.pictures, whole.counters)
    );
}

#[test]
fn runs_whose_device_breaks_are_made_on_the_processor_and_a_person_is_told() {
    let model = model();
    let methods = [Method::Base, Method::MfmG];
    let (mailbox, outbox) = (Arc::<Mailbox>::default(), Arc::<Outbox>::default());
    let wake = Arc::new(|| {});
    let mut worker = Worker::new(
        mailbox.clone(),
        outbox.clone(),
        None,
        ComputeChoice::Cpu,
        wake,
    );
    let asked = Asked {
        map: Troubled::new(&model.map, true),
        compute: Compute::Shared,
        ..Asked::here(&model)
    };
    let id = mailbox.submit(Command::Studio(request(&model, &methods, 4)));
    let mut job = Job::new(id, Slot::Studio, "steering");
    let order = worker
        .order(&job, request(&model, &methods, 4))
        .ok()
        .unwrap();
    let runs = worker.made(&mut job, &Arc::new(order), asked).ok().unwrap();
    let made: StudioAnswer = runs.answer();
    let expected = finished(&engine(), request(&model, &methods, 4));
    assert_eq!((made.compute, made.complete), (Compute::Cpu, true));
    for (made, expected) in made.panels.iter().zip(&expected.panels) {
        assert_eq!((&made.trouble, &made.frames), (&None, &expected.frames));
    }
    let told = outbox.drain().into_iter().find_map(|event| match event {
        Event::Compute(report) => report.pictures,
        _ => None,
    });
    let told = told.expect("a person is told");
    assert!(
        told.contains("buffer is too large") && told.contains("test.safetensors"),
        "{told}"
    );
}
