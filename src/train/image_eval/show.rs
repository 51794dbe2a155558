//! The report as a table for a terminal.

use std::fmt;

use super::{ImageEvalReport, Share};

/// `95.1 ± 0.7` for a share.
fn percent(share: Share) -> String {
    if share.error.is_finite() {
        format!("{:.1} ± {:.1}", 100.0 * share.mean, 100.0 * share.error)
    } else {
        format!("{:.1}", 100.0 * share.mean)
    }
}

/// `0.061 ± 0.009` for a distance.
fn plain(share: Share) -> String {
    if share.error.is_finite() {
        format!("{:.3} ± {:.3}", share.mean, share.error)
    } else {
        format!("{:.3}", share.mean)
    }
}

impl fmt::Display for ImageEvalReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (plan, real) = (&self.plan, &self.real);
        writeln!(
            f,
            "class samples, {} each, the classes in turn",
            plan.samples
        )?;
        writeln!(
            f,
            "  {:<12} {:>8} {:>16} {:>10}",
            "sampler", "guidance", "in class (%)", "Frechet"
        )?;
        for s in &self.samples {
            writeln!(
                f,
                "  {:<12} {:>8} {:>16} {:>10.3}",
                s.sampler,
                s.guidance,
                percent(s.accepted),
                s.frechet
            )?;
        }
        writeln!(
            f,
            "  {:<12} {:>8} {:>16} {:>10.3}",
            "real images",
            "",
            percent(real.accepted),
            real.frechet
        )?;
        writeln!(
            f,
            "  in class: the classifier's likeliest class is the one asked for; real: of {} held-out images",
            real.accepted.count
        )?;
        writeln!(
            f,
            "  Frechet: in the features of this classifier, to the held-out images; real: of {} training images. It is not FID",
            plan.samples
        )?;
        writeln!(
            f,
            "posterior draws without class, {} from each of {} states of held-out images",
            plan.draws, plan.states
        )?;
        writeln!(
            f,
            "  {:<5} {:<12} {:>16} {:>16}",
            "t", "source", "some class (%)", "label TV"
        )?;
        for p in &self.posterior {
            let rollouts = p.source.starts_with("sde");
            writeln!(
                f,
                "  {:<5} {:<12} {:>16} {:>16}{}",
                p.t.map_or_else(|| "all".to_owned(), |t| t.to_string()),
                p.source,
                percent(p.some_class),
                p.label_tv.map_or_else(String::new, plain),
                if rollouts { "  (floor)" } else { "" }
            )?;
        }
        writeln!(
            f,
            "  {:<5} {:<12} {:>16}",
            "",
            "real images",
            percent(real.some_class)
        )?;
        writeln!(
            f,
            "  some class: the likeliest class has a probability of at least {}, and the features lie as near to its mean as those of {} % of the training images; the mean of a posterior is a blur while t is small and should fail there",
            plan.confidence,
            100.0 * plan.typical
        )?;
        writeln!(
            f,
            "  label TV: total variation to the labels of {} rollouts of {} steps from the same state; floor: of two samples of as many labels from the rollouts' own",
            plan.draws, plan.rollout_steps
        )?;
        let losses = &self.losses;
        writeln!(
            f,
            "held-out errors, {} items, mean square a number: velocity {:.4}, a jump against two {:.5}",
            losses.items, losses.diagonal, losses.jumps
        )?;
        write!(f, "network calls: {}", self.counters.network_forward)?;
        for verdict in &self.verdicts {
            let word = if verdict.passed { "pass" } else { "FAIL" };
            write!(f, "\n{word}  {}: {:.4}", verdict.demand, verdict.found)?;
        }
        Ok(())
    }
}
