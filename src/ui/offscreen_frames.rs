//! The window beside a large map that draws and steers, rendered without a screen and measured: every frame is that of
//! the program, and what works beside it is the engine's own thread.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use eframe::egui;
use egui_kittest::Harness;

use crate::engine::{ShownAs, Slot};
use crate::gpu::SharedDevice;
use crate::metrics::{CancelRow, FrameRow, FrameTimings};
use crate::session::{Middle, Session};
use crate::steer::Method;

use super::offscreen::{BENCH_SIZE, open};
use super::state::{Place, Tone};
use super::{App, AppOptions};

/// As often as a screen asks for frames.
const PERIOD: Duration = Duration::from_micros(16_667);
/// Nothing is waited for longer.
const PATIENCE: Duration = Duration::from_mins(15);
/// Frames in a row that may take longer than the harness waits for their pixels.
const LATE: u32 = 3;
/// Frames in which the last fade comes to rest.
const RESTING: usize = 60;
/// What is steered with, and what it is called.
const METHODS: [(Method, &str); 2] = [
    (Method::MfmG, "steering by MFM-G"),
    (Method::MfmGf, "steering by MFM-GF"),
];

/// Measures frames of the window of `session`, which names a map of pictures: while the map is opened, while its wall is
/// drawn, at rest, and while the Studio steers as the session says, `secs` each; with the time to the answer when the
/// drawing and the steering are called off.
///
/// What cannot be measured is left out with the reason; what was measured before stays.
///
/// # Errors
/// When there is no graphics device, or the map does not open.
pub fn measure_frames(session: Session, secs: f64) -> Result<FrameTimings, String> {
    let shared = SharedDevice::headless().map_err(|e| e.to_string())?;
    let begun = Instant::now();
    let mut window = Window {
        harness: open(AppOptions::for_session(session), BENCH_SIZE, 1.0)?,
        secs: Duration::from_secs_f64(secs),
        timings: FrameTimings {
            adapter: shared.info.name.clone(),
            is_software: shared.info.is_software,
            size: [BENCH_SIZE.0, BENCH_SIZE.1],
            ..FrameTimings::default()
        },
        late: 0,
    };
    let opened = window.watch("opening the map", PATIENCE, |app| {
        app.known().images.model.is_none() && trouble(app).is_none()
    });
    window.sound()?;
    window.timings.opening_secs = begun.elapsed().as_secs_f64();

    if let Err(why) = opened.and_then(|()| window.measured()) {
        window.timings.left_out.push(format!("the rest: {why}"));
    }
    Ok(window.timings)
}

/// What went wrong, where something did.
fn trouble(app: &mut App) -> Option<String> {
    let notice = app.known().notices.at(Place::Images);
    let error = notice.filter(|notice| notice.tone == Tone::Error);
    error.map(|notice| notice.text.clone())
}

/// A window that is measured.
struct Window {
    harness: Harness<'static, App>,
    secs: Duration,
    timings: FrameTimings,
    /// Frames in a row without pixels.
    late: u32,
}

impl Window {
    /// Everything beside a map that is open.
    fn measured(&mut self) -> Result<(), String> {
        self.until("the wall to begin", |app| {
            app.known().is_waiting(Slot::Wall)
        })?;
        self.working("drawing a wall", Slot::Wall)?;
        self.call_off("drawing a wall", Slot::Wall)?;
        self.rest("the wall at rest")?;
        self.steered()
    }

    /// One frame, milliseconds: the whole, and the part of the window's own thread. A frame whose pixels do not come while
    /// the harness waits for them counts with the time that was waited.
    fn frame(&mut self) -> Result<[f64; 2], String> {
        let begun = Instant::now();
        let ms = || begun.elapsed().as_secs_f64() * 1e3;
        self.harness.step();
        let own = ms();
        match self.harness.render() {
            Ok(_) => self.late = 0,
            Err(why) => {
                self.late += 1;
                let secs = begun.elapsed().as_secs_f64();
                eprintln!("a frame without pixels after {secs:.1} s: {why}");
                if self.late == LATE {
                    return Err(format!("{LATE} frames in a row had no pixels: {why}"));
                }
                self.timings.lost_frames += 1;
            }
        }
        let whole = ms();
        std::thread::sleep(PERIOD.saturating_sub(begun.elapsed()));
        Ok([whole, own])
    }

    /// Frames for so long, and no longer than something goes on.
    fn watch(
        &mut self,
        beside: &str,
        longest: Duration,
        mut goes_on: impl FnMut(&mut App) -> bool,
    ) -> Result<(), String> {
        eprintln!("{beside}");
        let (begun, mut frames) = (Instant::now(), Vec::new());
        let mut ended = Ok(());
        while ended.is_ok() && begun.elapsed() < longest && goes_on(self.harness.state_mut()) {
            ended = self.frame().map(|frame| frames.push(frame));
        }
        let row = FrameRow::of(beside, begun.elapsed().as_secs_f64(), &frames);
        self.timings.rows.extend(row);
        ended.map_err(|why| format!("{beside}: {why}"))
    }

    /// Frames that are not measured, until something is so.
    fn until(&mut self, what: &str, is_so: impl Fn(&mut App) -> bool) -> Result<(), String> {
        let begun = Instant::now();
        while !is_so(self.harness.state_mut()) {
            self.frame()?;
            self.sound()?;
            if begun.elapsed() > PATIENCE {
                return Err(format!("waited in vain for {what}"));
            }
        }
        Ok(())
    }

    /// An error that the window shows is one here.
    fn sound(&mut self) -> Result<(), String> {
        trouble(self.harness.state_mut()).map_or(Ok(()), Err)
    }

    /// Frames while a slot works.
    fn working(&mut self, beside: &str, slot: Slot) -> Result<(), String> {
        self.watch(beside, self.secs, |app| app.known().is_waiting(slot))
    }

    /// Frames while nothing works, and while all processors work at something else: what of a slow frame is the sharing.
    fn rest(&mut self, beside: &str) -> Result<(), String> {
        for _ in 0..RESTING {
            self.frame()?;
        }
        self.watch(beside, self.secs, |_| true)?;
        let _busy = Busy::new();
        let beside = format!("{beside}, all processors busy");
        self.watch(&beside, self.secs, |_| true)
    }

    /// Presses Esc and waits until the window no longer waits for a slot.
    fn call_off(&mut self, what: &str, slot: Slot) -> Result<(), String> {
        if !self.harness.state_mut().known().is_waiting(slot) {
            let line = format!("calling off {what}: it was done before");
            self.timings.left_out.push(line);
            return Ok(());
        }
        let (begun, mut longest) = (Instant::now(), 0.0_f64);
        self.harness.key_press(egui::Key::Escape);
        let answered = loop {
            let [whole, _] = self.frame()?;
            longest = longest.max(whole);
            if !self.harness.state_mut().known().is_waiting(slot) {
                break begun.elapsed();
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("{what} was not called off"));
            }
        };
        self.timings.cancels.push(CancelRow {
            what: what.to_owned(),
            answered_ms: answered.as_secs_f64() * 1e3,
            longest_frame_ms: longest,
        });
        Ok(())
    }

    /// The Studio: two runs that are called off, and one of a single step to its end.
    fn steered(&mut self) -> Result<(), String> {
        let state = self.harness.state_mut().known();
        let view = state.images.model.as_ref().map(|model| model.view.clone());
        if view.is_some_and(|view| view.seen() == ShownAs::FalseColours) {
            let line = "steering: nothing decodes the latents, and rewards are of pictures";
            self.timings.left_out.push(line.to_owned());
            return Ok(());
        }
        let images = &mut state.session.images;
        images.middle = Middle::Studio;
        let steps = images.studio.settings.plan.steps;
        for (method, beside) in METHODS {
            self.start(method, steps)?;
            self.working(beside, Slot::Studio)?;
            self.call_off(beside, Slot::Studio)?;
        }
        let (method, _) = METHODS[1];
        self.start(method, 1)?;
        self.watch("a run of one step to its end", PATIENCE, |app| {
            app.known().is_waiting(Slot::Studio)
        })?;
        self.rest("the Studio at rest")
    }

    /// Starts a run as its button does.
    fn start(&mut self, method: Method, steps: u32) -> Result<(), String> {
        let state = self.harness.state_mut().known();
        let plan = &mut state.session.images.studio.settings.plan;
        (plan.method, plan.steps) = (method, steps);
        state.start_studio();
        self.until("a run to begin", |app| {
            let state = app.known();
            // Until the last call of the run before is over, nothing of this one is under way.
            state.images.studio.answer.as_ref().is_some_and(|answer| {
                let plan = answer.request.panels.last().map(|panel| &panel.plan);
                plan.is_some_and(|plan| (plan.method, plan.steps) == (method, steps))
            })
        })
    }
}

/// Keeps all processors at work for as long as it lives.
struct Busy {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Busy {
    fn new() -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let work = |over: Arc<AtomicBool>| {
            let mut numbers = [1.0_f32; 4096];
            while !over.load(Ordering::Relaxed) {
                for number in &mut numbers {
                    *number = number.mul_add(0.999, 0.001);
                }
                black_box(&numbers);
            }
        };
        let thread = |_| {
            let over = is_over.clone();
            std::thread::spawn(move || work(over))
        };
        Self {
            threads: (0..count).map(thread).collect(),
            is_over,
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread that only counted ended in a panic");
            }
        }
    }
}
