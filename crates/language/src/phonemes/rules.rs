//! From pointed letters to phonemes: the rules of modern Israeli reading.

use alloc::vec::Vec;

use super::letters::{Letter, Point};
use super::{Consonant, Phoneme, Vowel};

/// The vowel of one syllable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Nucleus {
    /// Where the vowel stands among the phonemes.
    pub(super) phoneme: usize,
    /// The letter the syllable starts with.
    pub(super) letter: usize,
    pub(super) vowel: Vowel,
    /// A patah read before its letter (רוּחַ), which is never stressed.
    pub(super) furtive: bool,
}

/// A word read letter by letter, not yet stressed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) phonemes: Vec<Phoneme>,
    pub(super) nuclei: Vec<Nucleus>,
}

impl Reading {
    fn consonant(&mut self, consonant: Consonant) {
        self.phonemes.push(Phoneme::Consonant(consonant));
    }

    fn vowel(&mut self, vowel: Vowel, letter: usize) {
        self.nuclei.push(Nucleus { phoneme: self.phonemes.len(), letter, vowel, furtive: false });
        self.phonemes.push(Phoneme::Vowel(vowel));
    }

    fn furtive(&mut self, letter: usize) {
        self.nuclei.push(Nucleus { phoneme: self.phonemes.len(), letter, vowel: Vowel::A, furtive: true });
        self.phonemes.push(Phoneme::Vowel(Vowel::A));
    }
}

/// Reads a word whose letters carry points.
pub(super) fn read(letters: &[Letter]) -> Reading {
    let mut reading = Reading::default();
    let mut i = 0;
    while let Some(&letter) = letters.get(i) {
        if is_silent(letters, i) {
            i += 1;
            continue;
        }
        if i == 0
            && letter.base == 'ו'
            && let Some(vowel) = vav_vowel(letters, 0)
        {
            reading.vowel(vowel, 0);
            i += 1;
            continue;
        }
        let vav = letters.get(i + 1).and_then(|_| vav_vowel(letters, i + 1));
        let vowel = own_vowel(letters, i).or(vav);
        let closes_with_furtive = is_furtive(letters, i, &reading);
        if closes_with_furtive {
            reading.furtive(i);
        }
        if let Some(consonant) = consonant(letters, i)
            && (consonant != Consonant::Glottal || (vowel.is_some() && !closes_with_furtive && i > 0))
        {
            reading.consonant(consonant);
        }
        if !closes_with_furtive && let Some(vowel) = vowel {
            reading.vowel(vowel, i);
            if keeps_yod(letters, i) {
                reading.consonant(Consonant::Y);
            }
        }
        i += if vav.is_some() { 2 } else { 1 };
    }
    reading
}

/// The vowel a vav stands for, when it is not a consonant.
fn vav_vowel(letters: &[Letter], i: usize) -> Option<Vowel> {
    let vav = *letters.get(i).filter(|letter| letter.base == 'ו' && !letter.geresh)?;
    let before = i.checked_sub(1).and_then(|at| letters.get(at));
    let carries = before.is_none_or(|before| {
        before.point.is_none() && !(before.base == 'ו' && i > 1 && vav_vowel(letters, i - 1).is_some())
    });
    let before_shuruk =
        i > 0 && letters.get(i + 1).is_some_and(|next| next.base == 'ו' && next.dagesh && next.point.is_none());
    match vav.point {
        // Of two vavs with a dot the first is the consonant: תִּיוּוּךְ.
        None if vav.dagesh && before_shuruk => None,
        None if vav.dagesh && carries => Some(Vowel::U),
        Some(Point::Holam) if !vav.dagesh && before.is_some() && carries => Some(Vowel::O),
        None if !vav.dagesh => {
            let doubled = letters.get(i + 1).is_some_and(|next| next.base == 'ו');
            let last = i + 1 == letters.len();
            let before = before?;
            (before.point.is_none() && !doubled && before.base != 'ו' && !(before.base == 'י' && last))
                .then_some(if last { Vowel::U } else { Vowel::O })
        }
        _ => None,
    }
}

/// The vowel written under (or on) the letter itself; a mobile shva is `e`.
fn own_vowel(letters: &[Letter], i: usize) -> Option<Vowel> {
    let letter = letters.get(i)?;
    Some(match letter.point? {
        Point::Shva => return is_mobile_shva(letters, i).then_some(Vowel::E),
        Point::Patah | Point::HatafPatah => Vowel::A,
        Point::Segol | Point::HatafSegol | Point::Tsere => Vowel::E,
        Point::Hiriq => Vowel::I,
        Point::Holam | Point::HolamOfVav | Point::HatafKamatz | Point::KamatzKatan => Vowel::O,
        Point::Kubuts => Vowel::U,
        Point::Kamatz if is_kamatz_katan(letters, i) => Vowel::O,
        Point::Kamatz => Vowel::A,
    })
}

/// Letters that only help reading: a yod of *i*, a vav after a written vowel, a final he, an alef without vowel.
fn is_silent(letters: &[Letter], i: usize) -> bool {
    let Some(&letter) = letters.get(i) else { return true };
    let before = i.checked_sub(1).and_then(|at| letters.get(at)).copied();
    let next = letters.get(i + 1).copied();
    let vowel_follows = vav_vowel(letters, i + 1).is_some();
    let last = next.is_none();
    match letter.base {
        'א' => letter.point.is_none_or(|point| !point.is_vowel()) && !vowel_follows,
        'ה' => last && letter.is_bare() && before.is_some(),
        'י' => letter.is_bare() && !vowel_follows && is_silent_yod(letters, i),
        'ו' => {
            letter.is_bare()
                && before.is_some_and(|before| {
                    let helper = [Point::Holam, Point::Kubuts, Point::KamatzKatan].iter().any(|p| before.has(*p));
                    helper
                        || next.is_some_and(|next| next.base == 'ו' && !next.is_bare())
                        || (before.base == 'ו' && before.has_vowel())
                })
        }
        _ => false,
    }
}

/// Whether a yod without points is part of the vowel before it.
fn is_silent_yod(letters: &[Letter], i: usize) -> bool {
    let Some(&before) = i.checked_sub(1).and_then(|at| letters.get(at)) else { return false };
    let next = letters.get(i + 1).copied();
    let before_v = next.is_some_and(|next| next.base == 'ו' && i + 2 == letters.len() && next.is_bare());
    match before.point {
        Some(Point::Hiriq | Point::Tsere | Point::Segol | Point::HatafSegol) => true,
        Some(Point::Patah | Point::Kamatz) => {
            before_v || before.base == 'י' || next.is_some_and(|next| next.base == 'י' && !next.is_bare())
        }
        Some(_) => before.base == 'י',
        None => before.base == 'י' && before.is_bare() && i > 1,
    }
}

/// Whether the yod after a tsere is heard: at the end of a word (לִפְנֵי) and in אֵין, אֵיךְ, אֵיפֹה and their like.
fn keeps_yod(letters: &[Letter], i: usize) -> bool {
    let Some(letter) = letters.get(i) else { return false };
    let yod = letters.get(i + 1).is_some_and(|next| next.base == 'י' && next.is_bare());
    if !yod || !letter.has(Point::Tsere) {
        return false;
    }
    let last = i + 2 == letters.len();
    let doubled = letters.get(i + 2).is_some_and(|next| next.base == 'י' && next.is_bare());
    last || doubled || (letter.base == 'א' && !letters.get(i + 2).is_some_and(|next| matches!(next.base, 'ל' | 'ר')))
}

/// Whether a final het, ayin or he takes its patah before itself.
fn is_furtive(letters: &[Letter], i: usize, so_far: &Reading) -> bool {
    let Some(letter) = letters.get(i) else { return false };
    let takes = match letter.base {
        'ח' => !letter.geresh,
        'ע' => true,
        'ה' => letter.dagesh,
        _ => false,
    };
    let open = matches!(so_far.phonemes.last(), Some(Phoneme::Vowel(vowel)) if *vowel != Vowel::A);
    let yod = matches!(so_far.phonemes.last(), Some(Phoneme::Consonant(Consonant::Y)));
    takes
        && i + 1 == letters.len()
        && (open || (yod && letter.has(Point::Patah)))
        && matches!(letter.point, None | Some(Point::Patah))
}

/// The consonant a letter stands for.
fn consonant(letters: &[Letter], i: usize) -> Option<Consonant> {
    let letter = letters.get(i)?;
    // No Hebrew word starts with soft bet or kaf; a missing dagesh there is a slip of whoever pointed it.
    let hard = letter.dagesh || i == 0;
    Some(match letter.base {
        'א' | 'ע' => Consonant::Glottal,
        'ב' if hard => Consonant::B,
        'ב' => Consonant::V,
        'ג' if letter.geresh => Consonant::Dj,
        'ג' => Consonant::G,
        'ד' => Consonant::D,
        'ה' => Consonant::H,
        'ו' if letter.geresh => Consonant::W,
        'ו' => Consonant::V,
        'ז' if letter.geresh => Consonant::Zh,
        'ז' => Consonant::Z,
        'ח' => Consonant::Kh,
        'ט' | 'ת' => Consonant::T,
        'י' => Consonant::Y,
        'כ' if hard => Consonant::K,
        'ך' if letter.dagesh => Consonant::K,
        'כ' | 'ך' => Consonant::Kh,
        'ל' => Consonant::L,
        'מ' | 'ם' => Consonant::M,
        'נ' | 'ן' => Consonant::N,
        'ס' => Consonant::S,
        'פ' if letter.dagesh => Consonant::P,
        'פ' => Consonant::F,
        // The final form is never hard in Hebrew; foreign words that end in *p* are written with פ.
        'ף' => Consonant::F,
        'צ' | 'ץ' if letter.geresh => Consonant::Ch,
        'צ' | 'ץ' => Consonant::Ts,
        'ק' => Consonant::K,
        'ר' => Consonant::R,
        'ש' if letter.sin => Consonant::S,
        'ש' => Consonant::Sh,
        _ => return None,
    })
}

/// Whether a kamatz is read *o*: before a hataf kamatz, in a closed syllable before a hard letter, in כָּל and some roots.
fn is_kamatz_katan(letters: &[Letter], i: usize) -> bool {
    let Some(letter) = letters.get(i) else { return false };
    let next = letters.get(i + 1);
    let after = letters.get(i + 2);
    if next.is_some_and(|next| next.has(Point::HatafKamatz)) {
        return true;
    }
    if letter.base == 'כ'
        && next.is_some_and(|next| next.base == 'ל' && !next.has_vowel() && !next.dagesh)
        && after.is_none()
    {
        return true;
    }
    let closed = next.is_some_and(|next| next.has(Point::Shva)) && !letter.stress;
    let hard = after.is_some_and(|after| after.dagesh && matches!(after.base, 'ב' | 'ג' | 'ד' | 'כ' | 'פ' | 'ת'));
    // A final tav that is hard after a shva belongs to a verb (שָׁמַרְתָּ has patah; יָכָלְתָּ keeps its kamatz).
    let verb = after.is_some_and(|after| after.base == 'ת') && i + 3 >= letters.len();
    if closed && hard && !verb {
        return true;
    }
    closed
        && KATAN_ROOTS.iter().any(|root| {
            root.chars().eq(letters.iter().skip(i).take(3).map(|letter| letter.base)) && letters.len() > i + 3
        })
}

/// Three letters after whose first the kamatz is short when the second carries a shva (חָכְמָה, תָּכְנִית).
const KATAN_ROOTS: [&str; 16] =
    ["חכמ", "תכנ", "אמנ", "עצמ", "אזנ", "חלש", "עמק", "ארכ", "רחב", "גדל", "צרכ", "ערמ", "חמר", "יזמ", "קדש", "חדש"];

/// Whether a shva is heard as *e*.
fn is_mobile_shva(letters: &[Letter], i: usize) -> bool {
    let Some(&letter) = letters.get(i) else { return false };
    let Some(&next) = letters.get(i + 1) else { return i == 0 };
    let before = i.checked_sub(1).and_then(|at| letters.get(at)).copied();
    let Some(before) = before else { return opens_with_e(letters, 0) };
    if before.has(Point::Shva) {
        // Of two shvas in a row the second is heard, unless they end the word (הָלַכְתְּ).
        return !is_mobile_shva(letters, i - 1);
    }
    if letter.base == next.base && !next.is_bare() {
        return true;
    }
    let prefix = i == 1
        && match before.base {
            'ו' => vav_vowel(letters, 0).is_some(),
            'ה' => before.has(Point::Patah) && letter.dagesh,
            'ש' => before.has(Point::Segol) && letter.dagesh && !is_of_you(letters),
            _ => false,
        };
    prefix && opens_with_e(letters, 1)
}

/// שלך and שלכם keep their shva silent though they look like a prefix.
fn is_of_you(letters: &[Letter]) -> bool {
    letters.get(1).is_some_and(|letter| letter.base == 'ל')
        && letters.get(2).is_some_and(|letter| matches!(letter.base, 'ך' | 'כ'))
}

/// Whether a word (or what a prefix leaves of it) that opens with a shva is read with *e*.
fn opens_with_e(letters: &[Letter], i: usize) -> bool {
    let (Some(first), Some(second)) = (letters.get(i), letters.get(i + 1)) else { return false };
    if matches!(second.base, 'א' | 'ה' | 'ע') || first.base == second.base {
        return true;
    }
    let rest = || letters.iter().skip(i).map(|letter| letter.base);
    match first.base {
        'ו' | 'ל' | 'מ' | 'נ' | 'ר' | 'י' => true,
        'ב' => !BET_CLUSTERS.iter().any(|start| starts(rest(), start)),
        'כ' => KAF_WITH_E.iter().any(|start| starts(rest(), start)),
        'ת' => second.has(Point::Patah) && !second.dagesh && !TAV_CLUSTERS.iter().any(|start| starts(rest(), start)),
        _ => false,
    }
}

/// Words whose bet belongs to the root, so that no vowel parts it from the next letter (בְּרָכָה, בְּדִיקָה).
const BET_CLUSTERS: [&str; 16] = [
    "ברכ", "ברית", "בריא", "ברור", "בריר", "ברז", "בדיק", "בדיח", "בחיר", "בחינ", "בריכ", "בלי", "בכיר", "בגד", "בליל",
    "בנות",
];

/// Words in which kaf with a shva is the prefix "like", or is read with *e* anyway.
const KAF_WITH_E: [&str; 7] = ["כדי", "כדאי", "כמיד", "כפי", "כלפי", "כרגיל", "כרגע"];

/// Nouns with tav, shva and patah that are not verbs of the future.
const TAV_CLUSTERS: [&str; 3] = ["תנאי", "תשלום", "תפריט"];

fn starts(mut letters: impl Iterator<Item = char>, with: &str) -> bool {
    with.chars().all(|c| letters.next() == Some(c))
}
