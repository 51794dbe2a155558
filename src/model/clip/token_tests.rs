//! Pieces as the published tokenizers cut them.

use super::{Cleaning, ClipTokens};

/// A text, its pieces by open_clip and, where these are others, by transformers.
fn rows() -> Vec<(String, Vec<u32>, Vec<u32>)> {
    let text = include_str!("../../../tests/reference/tokens.json");
    let rows: Vec<Vec<serde_json::Value>> = serde_json::from_str(text).unwrap();
    let numbers = |value: &serde_json::Value| serde_json::from_value(value.clone()).unwrap();
    rows.into_iter()
        .map(|row| {
            let text = row[0].as_str().unwrap().to_owned();
            (text, numbers(&row[1]), numbers(&row[row.len() - 1]))
        })
        .collect()
}

#[test]
fn a_thousand_texts_are_cut_as_open_clip_and_transformers_cut_them() {
    let rows = rows();
    assert_eq!(rows.len(), 1_000);
    assert!(rows.iter().filter(|(_, a, b)| a != b).count() > 10);
    let tokens = ClipTokens::default();
    let cut = |text: &str, cleaning| {
        let ids = tokens.ids(text, cleaning, 77).unwrap();
        assert_eq!((ids[0], ids[ids.len() - 1]), (49_406, 49_407));
        assert!(ids.len() <= 77);
        ids[1..ids.len() - 1].to_vec()
    };
    let mut wrong = Vec::new();
    for (text, open_clip, transformers) in rows {
        for (cleaning, expected) in [
            (Cleaning::OpenClip, open_clip),
            (Cleaning::HuggingFace, transformers),
        ] {
            let found = cut(&text, cleaning);
            if found != expected {
                wrong.push(format!(
                    "{text:?} {cleaning:?}: {found:?}, not {expected:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn long_texts_are_cut_off_and_absurd_ones_refused() {
    let tokens = ClipTokens::default();
    let ids = tokens
        .ids(&"cat ".repeat(900), Cleaning::OpenClip, 77)
        .unwrap();
    assert_eq!((ids.len(), ids[0], ids[76]), (77, 49_406, 49_407));
    assert!(ids[1..76].iter().all(|id| *id == ids[1]));
    let message = tokens
        .ids(&"a".repeat(5_000), Cleaning::HuggingFace, 77)
        .unwrap_err();
    assert!(message.contains("5000 bytes"), "{message}");
}
