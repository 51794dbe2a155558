//! An inspection as text.

use std::fmt;

use serde_json::Value;

use super::{Inspection, ModelCard};
use crate::checkpoint::{Architecture, CheckpointCard, ClassifierCard, ImageCard};
use crate::mixture::shortened;
use crate::model::ClassifierConfig;

fn write_card(card: &ModelCard, f: &mut fmt::Formatter) -> fmt::Result {
    match card {
        ModelCard::World(card) => write_world(card, f),
        ModelCard::Images(card) => write_images(card, f),
        ModelCard::Classifier(card) => write_classifier(card, f),
    }
}

fn write_world(card: &CheckpointCard, f: &mut fmt::Formatter) -> fmt::Result {
    let Architecture::Mlp(config) = &card.architecture;
    let world = &card.world;
    let modes = world.mixture.modes().len();
    write!(
        f,
        "\n  kind          Foresight model, format {}",
        card.format
    )?;
    write!(
        f,
        "\n  world         {} ({}), {modes} {}, {}",
        plain(&world.title),
        plain(&world.name),
        if modes == 1 { "mode" } else { "modes" },
        world.fingerprint()
    )?;
    if let Some(tuned) = &card.tuned {
        write!(
            f,
            "\n  fine-tuned    toward {}, from a model of {}",
            plain(&shortened(&tuned.reward, 200)),
            plain(&shortened(&tuned.parent_world, 60))
        )?;
        write!(
            f,
            "\n  parent        {}",
            plain(&shortened(&tuned.parent, 80))
        )?;
        let target = if tuned.world_is_target {
            "the world above is its exact target"
        } else {
            "its target has no closed form, the world above is the parent's"
        };
        write!(f, "\n  holds         a velocity, not a flow map; {target}")?;
    }
    write!(
        f,
        "\n  architecture  {} hidden layers of {}, {} frequencies from {} to {}, inputs times {}",
        config.layers,
        config.hidden,
        config.frequencies,
        config.frequency_min,
        config.frequency_max,
        config.input_scale
    )?;
    write!(f, "\n  steps         {}", grouped(card.steps))?;
    write!(f, "\n  seed          {}", card.seed)?;
    write!(f, "\n  code version  {}", plain(&card.code_version))?;
    write!(f, "\n  recipe")?;
    write_recipe(&card.recipe, "", f)
}

fn write_images(card: &ImageCard, f: &mut fmt::Formatter) -> fmt::Result {
    let m = &card.model;
    let [channels, rows, columns] = m.state();
    write!(
        f,
        "\n  kind          Foresight map of images, format {}",
        card.format
    )?;
    write!(f, "\n  images        {channels} x {rows} x {columns}")?;
    write_classes(&card.classes, f)?;
    if let Some(tuned) = &card.tuned {
        let how = if tuned.maximised {
            "to maximise"
        } else {
            "toward"
        };
        write!(
            f,
            "\n  fine-tuned    {how} {}, class {}, guidance {}",
            plain(&shortened(&tuned.reward, 200)),
            plain(&shortened(&tuned.class, 60)),
            tuned.guidance
        )?;
        write!(
            f,
            "\n  parent        {}, {} steps",
            plain(&shortened(&tuned.parent, 80)),
            grouped(tuned.parent_steps)
        )?;
        f.write_str(
            "\n  holds         a velocity, not a flow map: flow:K follows its ODE in K steps",
        )?;
    }
    write!(
        f,
        "\n  data          {}",
        plain(&shortened(&card.data, 400))
    )?;
    write!(
        f,
        "\n  architecture  transformer, {} blocks of {}, {} heads, patches of {}",
        m.depth, m.hidden_size, m.num_heads, m.patch_size
    )?;
    let scales: Vec<String> = m.class_scales().iter().map(ToString::to_string).collect();
    write!(f, "\n  guidance      {}", scales.join(", "))?;
    write!(f, "\n  steps         {}", grouped(card.steps))?;
    write_effort(card.hours, card.hardware.as_deref(), f)?;
    write!(f, "\n  seed          {}", card.seed)?;
    write_origin(&card.code_version, &card.licence, f)?;
    if !card.figures.is_empty() {
        write!(f, "\n  figures")?;
        for (name, figure) in &card.figures {
            let figure = serde_json::Number::from_f64(*figure).map_or(Value::Null, Value::Number);
            write_recipe(&figure, name, f)?;
        }
    }
    write!(f, "\n  recipe")?;
    write_recipe(&card.recipe, "", f)
}

fn write_classifier(card: &ClassifierCard, f: &mut fmt::Formatter) -> fmt::Result {
    let [channels, rows, columns] = card.config.image;
    write!(
        f,
        "\n  kind          Foresight classifier of images, format {}",
        card.format
    )?;
    write!(f, "\n  images        {channels} x {rows} x {columns}")?;
    write_classes(&card.classes, f)?;
    write!(
        f,
        "\n  data          {}",
        plain(&shortened(&card.data, 400))
    )?;
    write!(f, "\n  architecture  {}", network(&card.config))?;
    for other in &card.config.others {
        write!(f, "\n  beside it     {}", network(other))?;
    }
    if !card.config.others.is_empty() {
        write!(f, "\n  judged        the mean of their logits")?;
    }
    write!(
        f,
        "\n  accuracy      {:.2} % of {} held-out images",
        100.0 * card.accuracy,
        grouped(card.held_out as u64)
    )?;
    write_effort(card.hours, card.hardware.as_deref(), f)?;
    write_origin(&card.code_version, &card.licence, f)?;
    write!(f, "\n  recipe")?;
    write_recipe(&card.recipe, "", f)
}

/// A network of a classifier, in words.
fn network(config: &ClassifierConfig) -> String {
    let stages = config.stages.iter();
    let stages: Vec<String> = stages
        .map(|(width, blocks)| format!("{blocks} of {width}"))
        .collect();
    format!(
        "{}, blocks: {}{}",
        if config.pooled {
            "chain of convolutions that pools"
        } else {
            "residual network"
        },
        stages.join(", "),
        if config.mirrored {
            "; an image and its mirror image are seen, and the mean is judged"
        } else {
            ""
        }
    )
}

fn write_effort(hours: Option<f64>, hardware: Option<&str>, f: &mut fmt::Formatter) -> fmt::Result {
    if let Some(hours) = hours {
        write!(f, "\n  hours         {hours:.1}")?;
    }
    if let Some(hardware) = hardware {
        write!(f, "\n  hardware      {}", plain(&shortened(hardware, 200)))?;
    }
    Ok(())
}

fn write_classes(classes: &[String], f: &mut fmt::Formatter) -> fmt::Result {
    let names = shortened(&classes.join(", "), 200);
    write!(f, "\n  classes       {}: {}", classes.len(), plain(&names))
}

fn write_origin(code_version: &str, licence: &str, f: &mut fmt::Formatter) -> fmt::Result {
    write!(
        f,
        "\n  code version  {}",
        plain(&shortened(code_version, 60))
    )?;
    write!(f, "\n  licence       {}", plain(&shortened(licence, 200)))
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.path)?;
        match &self.card {
            Some(card) => write_card(card, f)?,
            None => write!(f, "\n  kind          {}", self.format)?,
        }
        write!(f, "\n  size          {} bytes", grouped(self.bytes))?;
        if !self.hash.is_empty() {
            write!(f, "\n  sha256        {}", self.hash)?;
        }
        if let Some(states) = &self.states {
            write!(
                f,
                "\n  class first   draws without class begin with one, by a classifier of half-formed pictures: {:.2} % of {} held-out states",
                100.0 * states.accuracy,
                grouped(states.held_out as u64)
            )?;
        }
        write!(f, "\n  parameters    {}", grouped(self.parameters()))?;
        for (key, value) in &self.metadata {
            let short: String = value.chars().take(200).collect();
            let more = if short.len() < value.len() { "..." } else { "" };
            write!(
                f,
                "\n  metadata      {}: {}{more}",
                plain(key),
                plain(&short)
            )?;
        }
        write!(f, "\ntensors         {}", self.tensors.len())?;
        let width = self.tensors.iter().map(|t| t.name.chars().count()).max();
        let width = width.unwrap_or(0).min(60);
        for tensor in &self.tensors {
            write!(
                f,
                "\n  {:width$}  {:4}  {:?}",
                plain(&tensor.name),
                plain(&tensor.dtype),
                tensor.shape
            )?;
        }
        for warning in &self.warnings {
            write!(f, "\nwarning: {}", plain(warning))?;
        }
        Ok(())
    }
}

/// One line for each number, text or list of a recipe; names of nested ones with dots.
fn write_recipe(recipe: &Value, name: &str, f: &mut fmt::Formatter) -> fmt::Result {
    match recipe {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().try_for_each(|(key, value)| {
                let dot = if name.is_empty() { "" } else { "." };
                write_recipe(value, &format!("{name}{dot}{key}"), f)
            })
        }
        // Of the networks of an ensemble.
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_object) => {
            let mut items = (1..).zip(items).take(8);
            items.try_for_each(|(k, item)| write_recipe(item, &format!("{name}.{k}"), f))
        }
        other => write!(
            f,
            "\n    {:24}  {}",
            plain(&shortened(name, 60)),
            plain(&shortened(&value(other), 200))
        ),
    }
}

/// A value as a person would write it: without the digits that an f32 gains as an f64.
fn value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(wide) if number.is_f64() && f64::from(wide as f32) == wide => {
                (wide as f32).to_string()
            }
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

/// Text of a file without the control characters that a terminal would obey.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// 224514 as 224,514.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_is_one_line_a_value() {
        let recipe = serde_json::json!({"rate": 0.1_f32, "adam": {"beta": 0.999}, "loss": "esd"});
        let text = Shown(recipe).to_string();
        for line in ["adam.beta  ", "0.999", "  0.1", "esd"] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(!text.contains("0.10000000149"), "{text}");
    }

    struct Shown(Value);

    impl fmt::Display for Shown {
        fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
            write_recipe(&self.0, "", f)
        }
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(
            [0, 12, 1_000, 224_514, 1_234_567].map(grouped),
            ["0", "12", "1,000", "224,514", "1,234,567"]
        );
    }
}
