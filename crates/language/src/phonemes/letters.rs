//! From pointed text to letters with their points.

use alloc::vec::Vec;

/// A vowel point, or the shva.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point {
    Shva,
    HatafSegol,
    HatafPatah,
    HatafKamatz,
    Hiriq,
    Tsere,
    Segol,
    Patah,
    Kamatz,
    KamatzKatan,
    Holam,
    /// U+05BA: a holam that belongs to a consonantal vav.
    HolamOfVav,
    Kubuts,
}

impl Point {
    pub(super) fn of(mark: char) -> Option<Self> {
        Some(match mark {
            '\u{5b0}' => Self::Shva,
            '\u{5b1}' => Self::HatafSegol,
            '\u{5b2}' => Self::HatafPatah,
            '\u{5b3}' => Self::HatafKamatz,
            '\u{5b4}' => Self::Hiriq,
            '\u{5b5}' => Self::Tsere,
            '\u{5b6}' => Self::Segol,
            '\u{5b7}' => Self::Patah,
            '\u{5b8}' => Self::Kamatz,
            '\u{5c7}' => Self::KamatzKatan,
            '\u{5b9}' => Self::Holam,
            '\u{5ba}' => Self::HolamOfVav,
            '\u{5bb}' => Self::Kubuts,
            _ => return None,
        })
    }

    /// Whether the point is a vowel that fills a syllable of its own: everything but the shva.
    pub(super) const fn is_vowel(self) -> bool {
        !matches!(self, Self::Shva)
    }
}

/// One letter with everything written on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) base: char,
    pub(super) point: Option<Point>,
    pub(super) dagesh: bool,
    pub(super) sin: bool,
    pub(super) geresh: bool,
    /// The writer marked the stress here, by ole (U+05AB) or meteg (U+05BD).
    pub(super) stress: bool,
}

impl Letter {
    const fn new(base: char) -> Self {
        Self { base, point: None, dagesh: false, sin: false, geresh: false, stress: false }
    }

    /// Whether nothing is written on the letter.
    pub(super) const fn is_bare(self) -> bool {
        self.point.is_none() && !self.dagesh
    }

    /// Whether the letter carries a vowel point (not a shva).
    pub(super) const fn has_vowel(self) -> bool {
        match self.point {
            Some(point) => point.is_vowel(),
            None => false,
        }
    }

    pub(super) fn has(self, point: Point) -> bool {
        self.point == Some(point)
    }

    fn mark(&mut self, mark: char) {
        match mark {
            '\u{5bc}' => self.dagesh = true,
            '\u{5c2}' => self.sin = true,
            '\u{5ab}' | '\u{5bd}' => self.stress = true,
            _ => {
                if let Some(point) = Point::of(mark) {
                    self.point = Some(point);
                }
            }
        }
    }
}

/// Reads one word. Whatever is neither a Hebrew letter nor a mark on one is passed over.
pub(super) fn read(word: &str) -> Vec<Letter> {
    let mut letters: Vec<Letter> = Vec::new();
    for c in word.chars() {
        if is_letter(c) {
            letters.push(Letter::new(c));
        } else if let Some(last) = letters.last_mut() {
            if is_mark(c) {
                last.mark(c);
            } else if is_geresh(c) && "גזצץתדחועט".contains(last.base) {
                last.geresh = true;
            }
        }
    }
    letters
}

/// Mends what a diacritiser gets wrong at the end of a word: a vowel where none can stand (טוֹבֶ), and a missing one
/// before a final he (תּוֹדְה).
pub(super) fn mend(letters: &mut [Letter]) {
    let [.., before, last] = letters else { return };
    let furtive = last.has(Point::Patah) && matches!(last.base, 'ח' | 'ע' | 'ה');
    let kamatz = last.has(Point::Kamatz) && matches!(last.base, 'ך' | 'ת' | 'ה' | 'נ');
    if last.has_vowel() && last.base != 'ו' && !furtive && !kamatz {
        last.point = None;
    }
    if last.base == 'ה' && last.is_bare() && before.has(Point::Shva) {
        before.point = Some(Point::Kamatz);
    }
}

/// Whether `c` is one of the letters alef to tav, final forms among them.
pub(super) const fn is_letter(c: char) -> bool {
    matches!(c, '\u{5d0}'..='\u{5ea}')
}

/// Whether `c` is written on a letter: a vowel point, a dagesh, a shin dot, a stress or cantillation mark.
pub(super) const fn is_mark(c: char) -> bool {
    matches!(c, '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}' | '\u{5c2}' | '\u{5c4}' | '\u{5c5}' | '\u{5c7}')
}

/// Whether `c` is a geresh or one of the characters typed for it.
pub(super) const fn is_geresh(c: char) -> bool {
    matches!(c, '\u{5f3}' | '\'' | '\u{2019}' | '`' | '\u{b4}')
}
