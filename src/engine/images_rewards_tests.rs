use super::*;
use crate::session::{FreePart, StoredPicture, StoredReference};

const SHAPE: [usize; 3] = [1, 4, 4];

/// Pictures that get brighter, half of them even.
fn pictures(count: usize) -> Vec<f32> {
    (0..count * 16)
        .map(|k| (k / 16) as f32 / count as f32 - 0.4 + 0.2 * (k as f32 * 1.7).sin())
        .collect()
}

fn rewarding(reward: &str) -> Rewarding {
    Rewarding {
        reward: reward.parse().unwrap(),
        references: vec![StoredReference {
            picture: StoredPicture::from_bytes(1, 4, &[200; 16]).unwrap(),
            from: "a test".into(),
            free: FreePart::Lower,
        }],
    }
}

#[test]
fn scores_of_a_growing_wall_are_those_of_the_whole_reward_whatever_was_known_before() {
    let all = pictures(12);
    let (mut memo, files) = (RewardMemo::default(), ScorerFiles::default());
    for (reward, count) in [
        ("brightness", 5),
        ("brightness + masked@2", 12),
        ("brightness@3 + masked@2 - contrast@0.5", 12),
        ("masked@2 - contrast@0.5 + masked", 7),
    ] {
        let rewarding = rewarding(reward);
        let some = &all[..count * 16];
        let scores = memo
            .scores((&rewarding, &files), SHAPE, None, some, &mut || true)
            .unwrap()
            .unwrap();
        let parts = PictureParts {
            judge: None,
            references: rewarding.references(),
            ..PictureParts::default()
        };
        let whole = rewarding.reward.bind(SHAPE, &parts).unwrap();
        let mut expected = vec![0.0; count];
        whole.score(some, &mut expected);
        assert_eq!(scores.len(), count);
        for (a, b) in scores.iter().zip(&expected) {
            // Terms are rounded to f32 one by one.
            assert!((a - b).abs() < 1e-5 * b.abs().max(1.0), "{reward}: {a} {b}");
        }
    }
    // Another reference is another score.
    let mut other = rewarding("masked@2");
    let before = memo
        .scores((&other, &files), SHAPE, None, &all, &mut || true)
        .unwrap();
    other.references[0].free = FreePart::Upper;
    assert_ne!(
        memo.scores((&other, &files), SHAPE, None, &all, &mut || true)
            .unwrap(),
        before
    );
    assert_eq!(
        memo.scores(
            (&Rewarding::default(), &files),
            SHAPE,
            None,
            &all,
            &mut || true
        ),
        Ok(None)
    );
    let error = memo.scores(
        (&rewarding("class:3"), &files),
        SHAPE,
        None,
        &all,
        &mut || true,
    );
    let Err(Unscored::Because(error)) = error else {
        panic!("{error:?}");
    };
    assert!(error.contains("needs a classifier"));
}

#[test]
fn a_slow_reward_is_stopped_between_two_pictures_and_goes_on_where_it_was() {
    const SHAPE: [usize; 3] = [1, 16, 16];
    let text = "svm_type epsilon_svr\nkernel_type rbf\ngamma 0.05\nrho -3\nSV\n1 1:0.5\n";
    let folder = crate::checkpoint::brisque_folder(text, [vec![-1.0; 36], vec![9.0; 36]]);
    let mut files = ScorerFiles::default();
    let file = crate::reward::picture::ScorerFile::Brisque;
    files.point(file, folder.path().join("svm.txt"));
    let all: Vec<f32> = (0..6 * 256).map(|k| (k as f32 * 1.3).sin()).collect();
    let rewarding = Rewarding {
        reward: "brightness + brisque".parse().unwrap(),
        ..Rewarding::default()
    };
    let of = (&rewarding, &files);
    let mut memo = RewardMemo::default();
    let mut left = 4;
    let mut few = || {
        left -= 1;
        left >= 0
    };
    let stopped = memo.scores(of, SHAPE, None, &all, &mut few);
    assert_eq!(stopped, Err(Unscored::Stopped));
    let known: Vec<usize> = memo.terms.iter().map(|term| term.scores.len()).collect();
    assert_eq!(known, [6, 4]);
    let whole = memo.scores(of, SHAPE, None, &all, &mut || true);
    let fresh = RewardMemo::default().scores(of, SHAPE, None, &all, &mut || true);
    assert_eq!(whole.unwrap().unwrap(), fresh.unwrap().unwrap());
}

#[test]
fn a_second_score_that_falls_where_the_reward_rises_is_noticed() {
    let rewards: Vec<f32> = (0..64).map(|i| i as f32).collect();
    let of = |score: fn(usize) -> f32| {
        let scores = (0..64).map(score).collect();
        SecondScore::new(SecondKind::Company, scores, &rewards).unwrap()
    };
    let falling = of(|i| -(i as f32));
    assert!(falling.falls());
    assert_eq!((falling.all, falling.best), (-31.5, -55.5));
    assert!(!of(|i| i as f32).falls());
    assert!(!of(|_| 3.0).falls());
    // Without any order there is no cause for alarm.
    assert!(!of(|i| ((i * 37) % 64) as f32).falls());
    assert_eq!(
        SecondScore::new(SecondKind::Company, vec![0.0; 7], &[0.0; 7]),
        None
    );
}

#[test]
fn the_second_score_is_one_that_the_reward_does_not_know() {
    let pictures = pictures(16);
    let judged = Judged {
        classes: 2,
        width: 1,
        probabilities: [0.9, 0.1].repeat(16),
        features: (0..16).map(|i| i as f32).collect(),
    };
    let features: Vec<f32> = (0..40)
        .map(|i| (i % 5) as f32 + 20.0 * (i % 2) as f32)
        .collect();
    let labels: Vec<u16> = (0..40).map(|i| (i % 2) as u16).collect();
    let typical = FeatureClasses::of(&features, 1, &labels, 2);
    let kind = |reward: &str, judged: Option<&Judged>, typical: Option<&FeatureClasses>| {
        let reward = reward.parse().unwrap();
        let scores = (0..16).map(|i| i as f32).collect();
        let scores = wall_scores(scores, &reward, &pictures, judged, typical).unwrap();
        scores.second.unwrap().kind
    };
    let judged = Some(&judged);
    assert_eq!(kind("class:1", judged, Some(&typical)), SecondKind::Typical);
    assert_eq!(kind("brightness", judged, None), SecondKind::Confidence);
    assert_eq!(kind("class:1", judged, None), SecondKind::Company);
    assert_eq!(kind("brightness", None, None), SecondKind::Company);
}

#[test]
fn company_is_the_nearest_other_picture() {
    // Two alike, one far: black, nearly black, white.
    let pictures = [[-1.0_f32; 4], [-0.9; 4], [1.0; 4]].concat();
    let scores = company(&pictures, 3);
    for (score, expected) in scores.iter().zip([-0.05, -0.05, -0.95]) {
        assert!((score - expected).abs() < 1e-6, "{scores:?}");
    }
}

#[test]
fn what_real_digits_look_like_is_shipped_and_a_drawn_bar_is_nearer_to_it_than_noise() {
    let typical = crate::engine::typical_digits().unwrap();
    let (card, judge) = crate::checkpoint::shipped_classifier([1, 28, 28])
        .unwrap()
        .unwrap();
    assert_eq!(typical.width(), card.config.features());
    assert_eq!(typical.classes(), card.classes.len());
    let bar = |at: usize| {
        let inside = (13..16).contains(&(at % 28)) && (5..23).contains(&(at / 28));
        if inside { 1.0 } else { -1.0 }
    };
    let noise = |at: usize| (at as f32 * 12.9898).sin();
    let both: Vec<f32> = (0..784).map(bar).chain((0..784).map(noise)).collect();
    let scores = typicality(&judge.judge(&both), &typical);
    // Half of the real digits lie within 5.9, nearly all within 15.
    assert!(scores[0] > -15.0, "{scores:?}");
    assert!(scores[1] < 1.5 * scores[0], "{scores:?}");
}
