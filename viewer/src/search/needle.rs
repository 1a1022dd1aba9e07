/// A text that is looked for in others, in any case of letters.
///
/// It is looked for while the store is held, and both texts are a client's to choose: so each character of a text is compared about
/// twice at most, and nothing is copied, as Knuth, Morris and Pratt found.
#[derive(Clone, Debug)]
pub(crate) struct Needle<T = char> {
    units: Vec<T>,
    /// Of each of its beginnings, how much of it is met still when the next unit is another.
    borders: Vec<usize>,
}

impl Needle {
    pub(crate) fn new(text: &str) -> Self {
        Self::of(folded(text).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    pub(crate) fn is_in(&self, text: &str) -> bool {
        if text.is_ascii() {
            self.is_among(text.bytes().map(|byte| char::from(byte.to_ascii_lowercase())))
        } else {
            self.is_among(folded(text))
        }
    }
}

impl<T: PartialEq> Needle<T> {
    fn of(units: Vec<T>) -> Self {
        let mut needle = Self { units, borders: vec![0] };
        let mut met = 0;
        for place in 1..needle.units.len() {
            met = needle.next(met, &needle.units[place]);
            needle.borders.push(met);
        }
        needle
    }

    fn is_among(&self, mut text: impl Iterator<Item = T>) -> bool {
        let mut met = 0;
        self.units.is_empty()
            || text.any(|unit| {
                met = self.next(met, &unit);
                met == self.units.len()
            })
    }

    /// How much of it is met, when this comes after so much of it.
    fn next(&self, mut met: usize, unit: &T) -> usize {
        while self.units[met] != *unit {
            if met == 0 {
                return 0;
            }
            met = self.borders[met - 1];
        }
        met + 1
    }
}

/// Letter by letter: that a sigma looks otherwise at the end of a word is not known of a part of one.
fn folded(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase).map(|char| if char == 'ς' { 'σ' } else { char })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    /// Counts what it is compared with.
    struct Counted<'a>(u8, &'a Cell<usize>);

    impl PartialEq for Counted<'_> {
        fn eq(&self, other: &Self) -> bool {
            self.1.set(self.1.get() + 1);
            self.0 == other.0
        }
    }

    #[test]
    fn no_character_is_compared_again_and_again() {
        const TEXT: usize = 16 << 10;
        for (text, repeated, end) in
            [("a", "a", "b"), ("ab", "ab", "aa"), ("aaab", "aaab", "aaaa"), ("a", "ba", "")]
        {
            let comparisons = Cell::new(0);
            let counted = |text: String| -> Vec<Counted<'_>> {
                text.into_bytes().into_iter().map(|byte| Counted(byte, &comparisons)).collect()
            };
            let needle = Needle::of(counted(repeated.repeat(1_000) + end));
            assert!(!needle.is_among(counted(text.repeat(TEXT / text.len())).into_iter()));
            let most = 2 * (TEXT + needle.units.len());
            assert!(comparisons.get() <= most, "{} of {most}: {repeated}...{end}", comparisons.get());
        }
    }

    #[test]
    fn letters_are_found_in_any_case() {
        for (text, needle, expected) in [
            ("GET /Home", "t /h", true),
            ("GET /Home", "T/H", false),
            ("", "", true),
            ("a", "", true),
            ("", "a", false),
            ("aab", "ab", true),
            ("\u{212a}elvin", "kel", true),
            ("ÉTÉ", "été", true),
            ("été", "ÉTÉ", true),
            ("ὈΔΥΣΣΕΎΣ", "δυσς", true),
            ("ὀδυσσεύς", "ὈΔΥΣΣΕΎΣ", true),
            ("İstanbul", "i\u{307}s", true),
        ] {
            assert_eq!(Needle::new(needle).is_in(text), expected, "{needle} in {text}");
        }
    }

    proptest! {
        #[test]
        fn it_is_found_where_it_is(text in "[abAB]{0,30}", needle in "[abAB]{0,6}") {
            let expected = text.to_lowercase().contains(&needle.to_lowercase());
            prop_assert_eq!(Needle::new(&needle).is_in(&text), expected);
        }

        #[test]
        fn it_is_found_in_any_letters(text in "[aéÉßẞİ\u{212a}k]{0,30}", needle in "[aéÉßẞİ\u{212a}k]{0,4}") {
            let expected = text.to_lowercase().contains(&needle.to_lowercase());
            prop_assert_eq!(Needle::new(&needle).is_in(&text), expected);
        }
    }
}
