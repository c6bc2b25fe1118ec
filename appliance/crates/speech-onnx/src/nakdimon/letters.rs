//! The letters and marks of Nakdimon's tables, and how a pointed text is put together. Pure.

/// What class number a vowel has: none twice (padding and "no vowel"), sheva to dagesh, and a second patah.
pub(super) const VOWELS: [Option<char>; 16] = [
    None,
    None,
    Some('\u{05B0}'),
    Some('\u{05B1}'),
    Some('\u{05B2}'),
    Some('\u{05B3}'),
    Some('\u{05B4}'),
    Some('\u{05B5}'),
    Some('\u{05B6}'),
    Some('\u{05B7}'),
    Some('\u{05B8}'),
    Some('\u{05B9}'),
    Some('\u{05BA}'),
    Some('\u{05BB}'),
    Some('\u{05BC}'),
    Some('\u{05B7}'),
];

/// What class number a dagesh has.
pub(super) const DAGESHES: [Option<char>; 3] = [None, None, Some('\u{05BC}')];

/// What class number the dot of a shin has: right, left.
pub(super) const DOTS: [Option<char>; 4] = [None, None, Some('\u{05C1}'), Some('\u{05C2}')];

/// Signs that have a number of their own, from [`FIRST_SIGN`] on; the Hebrew letters follow.
const SIGNS: [char; 12] = [' ', '!', '"', '\'', '(', ')', ',', '-', '.', ':', ';', '?'];

/// Number of ligatures of Yiddish.
const LIGATURE: u8 = 1;

/// Number of everything else.
const OTHER: u8 = 2;

/// Number of digits.
const DIGIT: u8 = 3;

/// Number of the first sign.
const FIRST_SIGN: u8 = 4;

/// Number of alef.
const FIRST_LETTER: u8 = 16;

/// The marks one letter gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    dagesh: Option<char>,
    dot: Option<char>,
    vowel: Option<char>,
}

impl Marks {
    /// Makes the marks of the three class numbers.
    pub(super) fn new(dagesh: usize, dot: usize, vowel: usize) -> Self {
        let pick = |table: &[Option<char>], class: usize| table.get(class).copied().flatten();
        Self { dagesh: pick(&DAGESHES, dagesh), dot: pick(&DOTS, dot), vowel: pick(&VOWELS, vowel) }
    }

    /// Writes those marks that `letter` can carry.
    fn write(self, letter: char, text: &mut String) {
        let dagesh = self.dagesh.filter(|_| "בגדהוזטיכךלמנספףצקשת".contains(letter));
        let dot = self.dot.filter(|_| letter == 'ש');
        let vowel = self.vowel.filter(|_| is_hebrew(letter) && !"םףץ".contains(letter));
        text.extend([dagesh, dot, vowel].into_iter().flatten());
    }
}

/// Returns the number the network knows `letter` by.
pub(super) fn id(letter: char) -> u8 {
    if is_hebrew(letter) {
        let offset = u32::from(letter).saturating_sub(u32::from('א'));
        return u8::try_from(offset).map_or(OTHER, |offset| FIRST_LETTER.saturating_add(offset));
    }
    let sign = match letter {
        '\n' | '\t' => ' ',
        '\u{05BE}' | '\u{2012}'..='\u{2015}' | '\u{2212}' => '-',
        '[' => '(',
        ']' => ')',
        '\u{00B4}' | '\u{2018}' | '\u{2019}' => '\'',
        '\u{201C}' | '\u{201D}' | '\u{05F4}' => '"',
        '\u{2026}' => ',',
        '\u{05F0}'..='\u{05F2}' => return LIGATURE,
        digit if digit.is_numeric() => return DIGIT,
        other => other,
    };
    let place = SIGNS.iter().position(|known| *known == sign).and_then(|place| u8::try_from(place).ok());
    place.map_or(OTHER, |place| FIRST_SIGN.saturating_add(place))
}

/// Returns whether this is one of the 27 letters, final forms included.
pub(super) fn is_hebrew(letter: char) -> bool {
    ('א'..='ת').contains(&letter)
}

/// Returns whether this is a vowel point or another mark on a letter.
pub(super) fn is_mark(letter: char) -> bool {
    matches!(
        letter,
        '\u{0591}'..='\u{05BD}' | '\u{05BF}' | '\u{05C1}' | '\u{05C2}' | '\u{05C4}' | '\u{05C5}' | '\u{05C7}'
    )
}

/// Cuts `text` into pieces of at most about `max` letters, between words where that is possible.
pub(super) fn pieces(text: &str, max: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.char_indices().nth(max).map_or(rest.len(), |(end, _)| end);
        let window = rest.get(..end)?;
        // Not between a letter and its marks, and with the space before the next word.
        let cut = if end == rest.len() { end } else { window.rfind(char::is_whitespace).map_or(end, |at| at.max(1)) };
        let cut = rest.char_indices().map(|(at, _)| at).find(|at| *at >= cut && !starts_with_mark(rest, *at));
        let (piece, after) = rest.split_at(cut.unwrap_or(rest.len()));
        rest = after;
        Some(piece)
    })
}

fn starts_with_mark(text: &str, at: usize) -> bool {
    text.get(at..).and_then(|rest| rest.chars().next()).is_some_and(is_mark)
}

/// Appends `text` with `marks`, one for each of its characters that is not a mark itself. Words that have marks
/// already keep theirs.
pub(super) fn write(text: &str, marks: &[Marks], pointed: &mut String) {
    let mut marks = marks.iter();
    let mut rest = text;
    while !rest.is_empty() {
        let in_word = |letter: char| is_hebrew(letter) || is_mark(letter);
        let first_in_word = rest.chars().next().is_some_and(in_word);
        let len = rest.find(|letter| in_word(letter) != first_in_word).unwrap_or(rest.len());
        let (run, after) = rest.split_at(len);
        let keeps = !first_in_word || run.chars().any(is_mark);
        for letter in run.chars() {
            pointed.push(letter);
            if is_mark(letter) {
                continue;
            }
            let own = marks.next().copied().unwrap_or_default();
            if !keeps {
                own.write(letter, pointed);
            }
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn marks_are_written_dagesh_then_dot_then_vowel() {
        let mut text = String::new();
        write("ש", &[Marks::new(2, 2, 10)], &mut text);
        assert_eq!(text, "ש\u{05BC}\u{05C1}\u{05B8}");
    }

    #[test]
    fn a_pointed_word_keeps_its_points_and_its_neighbours_get_theirs() {
        let marks = [Marks::new(0, 0, 9); 9];
        let mut text = String::new();
        write("גַּל אב-גד!", &marks, &mut text);
        assert_eq!(text, "גַּל אַבַ-גַדַ!");
    }

    #[test]
    fn letters_signs_and_digits_have_the_numbers_of_the_published_table() {
        for (letter, number) in [(' ', 4), ('?', 15), ('א', 16), ('ת', 42), ('ם', 29), ('5', 3), ('x', 2), ('־', 11)]
        {
            assert_eq!(id(letter), number, "{letter}");
        }
    }

    proptest! {
        #[test]
        fn pieces_put_together_are_the_text(text in "[א-ת\u{05B0}-\u{05BC} a-z,.]{0,200}", max in 1_usize..40) {
            prop_assert_eq!(pieces(&text, max).collect::<String>(), text);
        }

        #[test]
        fn pointing_changes_no_letter(text in "\\PC{0,60}", class in 0_usize..16) {
            let bare = text.chars().filter(|letter| !is_mark(*letter)).count();
            let mut pointed = String::new();
            write(&text, &vec![Marks::new(class % 3, class % 4, class); bare], &mut pointed);
            let letters = |text: &str| text.chars().filter(|letter| !is_mark(*letter)).collect::<String>();
            prop_assert_eq!(letters(&pointed), letters(&text));
        }
    }
}
