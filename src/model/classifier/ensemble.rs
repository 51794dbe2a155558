//! Ensembles: several classifiers of the same pictures as one, in one shape and under one set of names.

use super::ClassifierConfig;
use crate::model::Weights;

/// Most networks of an ensemble.
pub(super) const MEMBERS: usize = 4;

/// What the names of the weights of further member `k` begin with.
fn prefix(k: usize) -> String {
    format!("others.{k}.")
}

impl ClassifierConfig {
    /// An ensemble of these networks with their weights, themselves of one or several members, in this order; `None` where
    /// there is none.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn ensemble(networks: Vec<(Self, Weights)>) -> Result<Option<(Self, Weights)>, String> {
        let each = networks
            .iter()
            .flat_map(|(config, weights)| config.members(weights));
        let mut each = each.collect::<Vec<_>>().into_iter();
        let Some((mut config, mut weights)) = each.next() else {
            return Ok(None);
        };
        for (k, (other, own)) in each.enumerate() {
            config.others.push(other);
            let named = own
                .into_iter()
                .map(|(name, weight)| (prefix(k) + &name, weight));
            weights.extend(named);
        }
        match config.fault() {
            Some(fault) => Err(fault),
            None => Ok(Some((config, weights))),
        }
    }

    /// Its networks, each alone, with those of the weights that are its own. The first has all that are no other's.
    pub fn members(&self, weights: &Weights) -> Vec<(Self, Weights)> {
        let mut left = weights.clone();
        let others = self.others.iter().enumerate().map(|(k, config)| {
            let prefix = prefix(k);
            let (own, rest) = std::mem::take(&mut left)
                .into_iter()
                .partition::<Weights, _>(|(name, _)| name.starts_with(&prefix));
            left = rest;
            let own = own.into_iter();
            let own = own.map(|(name, weight)| (name[prefix.len()..].to_owned(), weight));
            (config.clone(), own.collect())
        });
        let others: Vec<(Self, Weights)> = others.collect();
        let alone = Self {
            others: Vec::new(),
            ..self.clone()
        };
        std::iter::once((alone, left)).chain(others).collect()
    }

    /// What keeps its networks from looking at the same pictures as one, if anything.
    pub(super) fn discord(&self) -> Option<String> {
        if self.others.len() >= MEMBERS {
            return Some(format!("an ensemble has at most {MEMBERS} networks"));
        }
        self.others.iter().find_map(|other| {
            if !other.others.is_empty() {
                return Some("a member of an ensemble is no ensemble".to_owned());
            }
            if (other.image, other.classes) != (self.image, self.classes) {
                return Some(format!(
                    "the members of an ensemble see the same pictures: {:?} in {} classes, not {:?} in {}",
                    self.image, self.classes, other.image, other.classes
                ));
            }
            other.fault()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_weights(config: ClassifierConfig, seed: u64) -> (ClassifierConfig, Weights) {
        let weights = config.fresh(seed);
        (config, weights)
    }

    #[test]
    fn networks_come_out_of_an_ensemble_as_they_went_in() {
        let first = with_weights(ClassifierConfig::mnist(), 1);
        let second = with_weights(ClassifierConfig::mnist_states(), 2);
        let third = with_weights(ClassifierConfig::mnist(), 3);
        assert_eq!(ClassifierConfig::ensemble(Vec::new()), Ok(None));
        let alone = ClassifierConfig::ensemble(vec![first.clone()]);
        assert_eq!(alone, Ok(Some(first.clone())));
        let pair = ClassifierConfig::ensemble(vec![first.clone(), second.clone()]);
        let pair = pair.unwrap().unwrap();
        assert_eq!(pair.0.features(), 48 + 64);
        assert_eq!(pair.1.len(), first.1.len() + second.1.len());
        let all = ClassifierConfig::ensemble(vec![pair, third.clone()]);
        let (config, weights) = all.unwrap().unwrap();
        assert_eq!(config.fault(), None);
        assert_eq!(config.members(&weights), [first, second, third]);
    }

    #[test]
    fn networks_of_other_pictures_or_too_many_are_refused() {
        let of = |networks: &[ClassifierConfig]| {
            let networks = networks
                .iter()
                .map(|config| (config.clone(), Weights::new()));
            ClassifierConfig::ensemble(networks.collect())
        };
        let digits = ClassifierConfig::mnist();
        let refused = of(&[digits.clone(), ClassifierConfig::photos()]).unwrap_err();
        assert!(
            refused.contains("[1, 28, 28] in 10 classes, not [3, 32, 32]"),
            "{refused}"
        );
        assert!(of(&vec![digits.clone(); MEMBERS]).is_ok());
        assert!(
            of(&vec![digits.clone(); MEMBERS + 1])
                .unwrap_err()
                .contains("at most")
        );
        let mut nested = digits.clone();
        nested.others = vec![digits.clone()];
        let mut twice = digits.clone();
        twice.others = vec![nested];
        assert!(twice.fault().unwrap().contains("no ensemble"));
        let mut broken = digits.clone();
        broken.others = vec![ClassifierConfig {
            stages: vec![(7, 1)],
            ..digits
        }];
        assert!(broken.fault().unwrap().contains("multiples of 8"));
    }
}
