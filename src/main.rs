//! The program: a thin start for the window and the command line.

use std::process::ExitCode;

use clap::Parser;
use foresight::cli::{self, Cli, Command};
use foresight::ui;

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| "warn,wgpu_hal=error,wgpu_core=error,egui_wgpu=error".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    match start(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("foresight: {message}");
            ExitCode::FAILURE
        }
    }
}

fn start(cli: Cli) -> Result<(), String> {
    let device = cli.device;
    let choice = || cli::DeviceArg::choice(device);
    if let Some(Command::Bench(args)) = &cli.command {
        args.check()?;
    }
    match cli.command {
        None => ui::run(ui::AppOptions::from_command_line(
            cli.session.as_deref(),
            cli.checkpoint.as_deref(),
            cli.world.as_deref(),
            choice()?,
        )?),
        Some(Command::Snapshot(args)) => {
            let mut options =
                ui::AppOptions::from_command_line(args.session.as_deref(), None, None, choice()?)?;
            if let Some(t) = args.t {
                options.set_time(t);
            }
            if let Some(theme) = args.theme {
                options.set_theme(match theme {
                    cli::ThemeArg::Dark => foresight::session::ColorTheme::Dark,
                    cli::ThemeArg::Light => foresight::session::ColorTheme::Light,
                });
            }
            ui::snapshot(options, args.size, args.scale, &args.out)
        }
        Some(Command::Bench(args)) if args.what == cli::BenchWhat::Posterior => {
            let mut report = cli::bench_posterior(choice()?, args.max_draws)?;
            if !args.no_window {
                report.window = Some(ui::measure_window(choice()?)?);
            }
            cli::print_bench(&report, args.json.as_deref())
        }
        Some(Command::Bench(args)) if args.what == cli::BenchWhat::Wall => {
            let mut report = cli::bench_wall(choice()?)?;
            if !args.no_window {
                report.windows = ui::measure_walls(choice()?, &cli::WALLS)?;
            }
            cli::print_bench(&report, args.json.as_deref())
        }
        Some(Command::Bench(args)) if args.what == cli::BenchWhat::Frames => {
            let set = cli::FramesSet::new(&args.model, &args.frames, choice()?)?;
            let window = ui::measure_frames(set.session.clone(), f64::from(set.seconds))?;
            cli::print_bench(&set.report(window), args.json.as_deref())
        }
        Some(command) => cli::run(command, device),
    }
}
