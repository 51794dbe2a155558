//! The engine, asked one thing after the other.

use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;

use crate::cli::pictures::{advance, progress_bar};
use crate::engine::{Command, Engine, Event};
use crate::session::ComputeChoice;

/// An engine on the processor, and a bar for what it works on.
pub(in crate::cli) struct Desk {
    engine: Engine,
    bar: ProgressBar,
}

impl Desk {
    /// Starts the engine.
    pub fn new() -> Self {
        Self {
            engine: Engine::start(None, ComputeChoice::Cpu, Arc::new(|| {})),
            bar: progress_bar(),
        }
    }

    /// Asks for something and waits until `take` finds its answer among the events.
    ///
    /// # Errors
    /// With the engine's message when the request failed.
    pub fn ask<T>(
        &self,
        command: Command,
        mut take: impl FnMut(Event) -> Option<T>,
    ) -> Result<T, String> {
        let slot = command.slot();
        let id = self.engine.submit(command);
        loop {
            for event in self.engine.events() {
                match event {
                    Event::Failed(got, of, message) if got == id && of == slot => {
                        self.bar.finish_and_clear();
                        return Err(message);
                    }
                    Event::Progress(got, _, progress) if got == id => {
                        advance(&self.bar, progress.fraction.unwrap_or(0.0).into());
                    }
                    other => {
                        if let Some(answer) = take(other) {
                            self.bar.reset();
                            return Ok(answer);
                        }
                    }
                }
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
