//! Names of ImageNet's 1,000 classes.

/// The names, a line each, in the order of the classes.
const NAMES: &str = include_str!("../../assets/imagenet/classes.txt");

/// How many classes there are.
pub const IMAGENET_CLASSES: u32 = 1000;

/// The name of a class, from 0: `golden retriever`.
pub fn imagenet_class_name(class: u32) -> Option<&'static str> {
    NAMES.lines().nth(class as usize)
}

/// The names of all classes, in order.
pub fn imagenet_class_names() -> impl Iterator<Item = &'static str> {
    NAMES.lines()
}

/// The class of a number, or of a name with a dash for each space: `golden-retriever`.
pub fn imagenet_class_of(text: &str) -> Option<u32> {
    if let Ok(number) = text.parse() {
        return (number < IMAGENET_CLASSES).then_some(number);
    }
    let plain = |c: char| if c == '-' || c == '_' { ' ' } else { c };
    let same = |name: &str| {
        let (name, text) = (name.chars().map(plain), text.chars().map(plain));
        name.flat_map(char::to_lowercase)
            .eq(text.flat_map(char::to_lowercase))
    };
    let found = NAMES.lines().position(same);
    found.map(|class| class as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_names_that_are_found_again() {
        assert_eq!(NAMES.lines().count(), IMAGENET_CLASSES as usize);
        assert_eq!(imagenet_class_of("golden-retriever"), Some(207));
        assert_eq!(imagenet_class_of("Golden_Retriever"), Some(207));
        assert_eq!(imagenet_class_of("999"), Some(999));
        assert_eq!(
            (imagenet_class_of("1000"), imagenet_class_of("golden")),
            (None, None)
        );
        for (class, name) in imagenet_class_names().enumerate() {
            let found = imagenet_class_of(&name.replace(' ', "-"));
            // One name is that of two classes, a dog's and a garment's; the first is meant.
            assert!(found.is_some_and(|found| found as usize <= class), "{name}");
            assert_eq!(imagenet_class_name(class as u32), Some(name));
        }
    }
}
