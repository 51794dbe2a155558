//! Pieces as BERT's published tokenizer cuts them.

use super::{BlipConfig, BlipTower, ImageReward, WordPieces};
use crate::model::clip::ClipHead;
use crate::model::streams::{numbers, processor};

/// A small network with weights that are random.
pub fn made() -> ImageReward {
    let tower = |width| BlipTower {
        width,
        inner: 20,
        layers: 2,
        heads: 2,
    };
    let config = BlipConfig {
        image_size: 16,
        patch_size: 8,
        pictures: tower(16),
        texts: tower(12),
        vocabulary: 6,
        places: 40,
    };
    let words = WordPieces::read("[UNK]\n[CLS]\n[SEP]\na\nred\nfox").unwrap();
    let head = ClipHead {
        direction: numbers(61, 12).iter().map(|v| *v as f32).collect(),
        offset: 0.5,
    };
    ImageReward::of(config.init(&processor()), words, head, &processor())
}

#[derive(serde::Deserialize)]
struct Reference {
    pieces: Pieces,
}

#[derive(serde::Deserialize)]
struct Pieces {
    vocabulary: Vec<String>,
    texts: Vec<(String, Vec<u32>)>,
}

#[test]
fn three_hundred_texts_are_cut_as_transformers_cuts_them() {
    let text = include_str!("../../../tests/reference/imagereward.json");
    let Pieces { vocabulary, texts } = serde_json::from_str::<Reference>(text).unwrap().pieces;
    let words = WordPieces::read(&vocabulary.join("\r\n")).unwrap();
    assert_eq!(texts.len(), 300);
    let mut wrong = Vec::new();
    let mut long = 0;
    for (text, expected) in texts {
        let found = words.ids(&text);
        if expected.len() > BlipConfig::MOST {
            long += 1;
            let message = found.unwrap_err();
            let pieces = format!("has {} pieces", expected.len() - 2);
            assert!(message.contains(&pieces), "{text:?}: {message}");
        } else if found.as_ref() != Ok(&expected) {
            wrong.push(format!("{text:?}: {found:?}, not {expected:?}"));
        }
    }
    assert!(long > 3 && long < 100, "{long}");
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_file_that_is_no_vocabulary_is_refused() {
    let long = "[CLS]\n".repeat(300_000);
    for (text, part) in [
        ("", "no line [CLS]"),
        ("[CLS]\n[SEP]\n", "no line [UNK]"),
        (long.as_str(), "more than 200000 lines"),
    ] {
        let message = WordPieces::read(text).unwrap_err();
        assert!(message.contains(part), "{message}");
    }
    let words = WordPieces::read("[UNK]\n[CLS]\n[SEP]\na\n##a").unwrap();
    assert_eq!(words.ids("aaa \u{0}b").unwrap(), [1, 3, 4, 4, 0, 2]);
    assert_eq!(words.ids(&"a".repeat(101)).unwrap(), [1, 0, 2]);
    assert_eq!(words.ids("").unwrap(), [1, 2]);
}
