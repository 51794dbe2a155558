//! The curves of pictures as comma-separated values.

use crate::engine::ImageCurvePoint;
use crate::lookahead::Source;
use crate::metrics::ScoreFigures;
use crate::ui::state::State;

/// All curves that are shown: a header and one row a time and lookahead.
pub fn csv(state: &State) -> String {
    let sources = state.curve_sources();
    let answers: Vec<_> = sources
        .iter()
        .filter_map(|source| Some((*source, state.image_curves(*source)?)))
        .collect();
    let classes = answers
        .iter()
        .flat_map(|(_, answer)| &answer.points)
        .map(|p| p.figures.shares.len())
        .max();
    let names: Vec<String> = (0..classes.unwrap_or(0))
        .map(|class| state.images.class_name(class))
        .collect();
    let rows = answers.iter().flat_map(|(source, answer)| {
        let row = |p| (*source, answer.request.wall.draws, answer.evaluations, p);
        answer.points.iter().map(row)
    });
    table(&names, rows)
}

fn table<'a>(
    names: &[String],
    rows: impl Iterator<Item = (Source, u32, f64, &'a ImageCurvePoint)>,
) -> String {
    let number = |v: f64| {
        if v.is_finite() {
            v.to_string()
        } else {
            String::new()
        }
    };
    // Names are anybody's: a comma in one must not make a column.
    let plain = |name: &String| name.replace(|c: char| c == ',' || c == '"' || c.is_control(), "_");
    let mut text = String::from(
        "lookahead,draws,evaluations_per_draw,t,pixel_distance,feature_distance,label_entropy_bits,value,value_error,ess",
    );
    for name in names {
        text.push_str(",share_of_");
        text.push_str(&plain(name));
    }
    text.push('\n');
    for (source, draws, evaluations, point) in rows {
        let figures = &point.figures;
        let mut cells = vec![
            source.to_string(),
            draws.to_string(),
            number(evaluations),
            number(point.t),
            number(figures.pairwise),
            number(figures.pairwise_features),
            number(figures.entropy),
        ];
        let scores = point.scores.as_ref();
        let score = |of: fn(&ScoreFigures) -> f64| number(scores.map_or(f64::NAN, of));
        cells.extend([
            score(|s| s.value),
            score(|s| s.value_error),
            score(|s| s.ess),
        ]);
        let share = |class: usize| figures.shares.get(class).copied().unwrap_or(f64::NAN);
        cells.extend((0..names.len()).map(|class| number(share(class))));
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::WallFigures;

    #[test]
    fn every_row_of_the_table_has_every_column() {
        let point = |shares: &[f64]| ImageCurvePoint {
            t: 0.25,
            figures: WallFigures {
                pairwise: 0.5,
                pairwise_features: f64::NAN,
                shares: shares.to_vec(),
                ..WallFigures::default()
            },
            scores: ScoreFigures::of(&[1.0, 1.0]),
        };
        let (a, b) = (point(&[0.75, 0.25]), point(&[]));
        let rows = [
            (Source::OneStep, 32, 1.0, &a),
            (Source::Glass(8), 32, 16.0, &b),
        ];
        let text = table(&["a,b".into(), "nine".into()], rows.into_iter());
        let rows: Vec<Vec<&str>> = text.lines().map(|l| l.split(',').collect()).collect();
        assert_eq!(rows.len(), 3);
        assert!(rows.iter().all(|r| r.len() == 12), "{text}");
        assert_eq!(rows[0][10], "share_of_a_b");
        assert_eq!(rows[1][..5], ["one-step", "32", "1", "0.25", "0.5"]);
        assert_eq!((rows[1][5], rows[1][7], rows[1][11]), ("", "1", "0.25"));
        assert_eq!((rows[2][2], rows[2][11]), ("16", ""));
    }
}
