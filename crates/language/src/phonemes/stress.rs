//! Where the stress falls.

use super::letters::{Letter, Point};
use super::rules::{Nucleus, Reading};
use super::words;
use super::{Phoneme, Vowel};

/// Returns which phoneme is the stressed vowel, or `None` for a word without one.
///
/// In order: what the writer marked, what the list of words says, the patterns that stress the last syllable but
/// one, else the last.
pub(super) fn place(letters: &[Letter], reading: &Reading) -> Option<usize> {
    let marked = letters.iter().position(|letter| letter.stress);
    if let Some(nucleus) = marked.and_then(|at| reading.nuclei.iter().find(|nucleus| nucleus.letter == at)) {
        return Some(nucleus.phoneme);
    }
    let mut stressable = reading.nuclei.iter().rev().filter(|nucleus| !nucleus.furtive);
    let last = stressable.next()?;
    let Some(penult) = stressable.next() else { return Some(last.phoneme) };
    let from_end = words::stress_from_end(letters);
    let early = match from_end {
        Some(0) => false,
        Some(1) => true,
        Some(_) => return Some(stressable.next().unwrap_or(penult).phoneme),
        None => is_penultimate(letters, reading, *penult, *last),
    };
    Some(if early { penult.phoneme } else { last.phoneme })
}

fn is_penultimate(letters: &[Letter], reading: &Reading, penult: Nucleus, last: Nucleus) -> bool {
    is_segolate(letters, reading, penult, last)
        || is_dual(letters, reading, penult, last)
        || is_past_verb(letters, reading, penult)
        || is_hifil(letters, penult, last)
}

fn point_of(letters: &[Letter], nucleus: Nucleus) -> Option<Point> {
    letters.get(nucleus.letter)?.point
}

fn ends_closed(reading: &Reading) -> bool {
    matches!(reading.phonemes.last(), Some(Phoneme::Consonant(_)))
}

/// יֶלֶד, סֵפֶר, בֹּקֶר, כּוֹתֶבֶת; with gutturals נַעַר, לוֹקַחַת, רֶגַע.
fn is_segolate(letters: &[Letter], reading: &Reading, penult: Nucleus, last: Nucleus) -> bool {
    let (Some(onset), Some(final_letter)) = (letters.get(last.letter), letters.last()) else { return false };
    let between = last.phoneme - penult.phoneme;
    let single = between == 2 || (between == 1 && matches!(onset.base, 'א' | 'ע'));
    let guttural_end = matches!(final_letter.base, 'ע' | 'ח') || (final_letter.base == 'ה' && final_letter.dagesh);
    if !single || !(ends_closed(reading) || guttural_end) {
        return false;
    }
    let first_point = point_of(letters, penult);
    let hataf = matches!(first_point, Some(Point::Shva | Point::HatafSegol | Point::HatafPatah | Point::HatafKamatz));
    if hataf {
        return false;
    }
    match onset.point {
        Some(Point::Segol) => {
            let suffix = matches!(final_letter.base, 'ם' | 'ן') && matches!(onset.base, 'ת' | 'כ' | 'ה');
            let open = matches!(penult.vowel, Vowel::E | Vowel::O | Vowel::U) || onset.base == 'ו';
            open && !suffix
        }
        Some(Point::Patah) if matches!(onset.base, 'ח' | 'ע' | 'ה' | 'א') => {
            matches!(first_point, Some(Point::Patah))
        }
        Some(Point::Patah) if guttural_end => {
            !onset.dagesh && (matches!(first_point, Some(Point::Segol)) || penult.vowel == Vowel::O)
        }
        _ => false,
    }
}

/// שְׁתַּיִם, בַּיִת, עֵינַיִךְ: *a* before a yod with hiriq, closed.
fn is_dual(letters: &[Letter], reading: &Reading, penult: Nucleus, last: Nucleus) -> bool {
    let Some(onset) = letters.get(last.letter) else { return false };
    onset.base == 'י' && onset.has(Point::Hiriq) && !onset.dagesh && penult.vowel == Vowel::A && ends_closed(reading)
}

/// Endings that do not draw the stress: הָלַכְתִּי, רָצִיתִי, הָלַכְתָּ, הָלַכְנוּ, אֲנַחְנוּ, שֶׁלָּנוּ, אֵלֶיךָ, אֵלֶיהָ.
fn is_past_verb(letters: &[Letter], reading: &Reading, penult: Nucleus) -> bool {
    let mut from_end = letters.iter().rev();
    let (Some(last), Some(second), third) = (from_end.next(), from_end.next(), from_end.next()) else { return false };
    if ends_closed(reading) {
        return false;
    }
    let after_consonant = third.is_some_and(|third| third.has(Point::Shva));
    let after_vowel_letter = third.is_some_and(|third| matches!(third.base, 'י' | 'א') && third.is_bare());
    if last.base == 'י' && last.is_bare() && second.base == 'ת' && second.has(Point::Hiriq) {
        return (after_consonant && second.dagesh)
            || (after_vowel_letter && !second.dagesh && penult.vowel != Vowel::O);
    }
    if last.base == 'ת' && last.has(Point::Kamatz) {
        return true;
    }
    if last.base == 'ו' && last.dagesh && second.base == 'נ' {
        return true;
    }
    let plural = second.base == 'י' && second.is_bare() && third.is_some_and(|third| third.has(Point::Segol));
    plural && ((last.base == 'ך' && last.has(Point::Kamatz)) || (last.base == 'ה' && last.has(Point::Kamatz)))
}

/// הִגִּיעָה, הִתְחִילוּ, תַּגִּידִי: the long *i* of the causative keeps the stress before a vowel ending.
fn is_hifil(letters: &[Letter], penult: Nucleus, last: Nucleus) -> bool {
    let Some(first) = letters.first() else { return false };
    let yod = letters.get(penult.letter + 1).is_some_and(|next| next.base == 'י' && next.is_bare());
    if !yod || penult.vowel != Vowel::I || penult.letter == 0 {
        return false;
    }
    let Some(end) = letters.last() else { return false };
    let past = first.base == 'ה' && matches!(first.point, Some(Point::Hiriq | Point::Segol));
    let future = matches!(first.base, 'ת' | 'י') && first.has(Point::Patah);
    let ends_open = matches!(end.base, 'ה' | 'ו' | 'י') && !end.has_vowel();
    ends_open
        && ((past && matches!(last.vowel, Vowel::A | Vowel::U))
            || (future && matches!(last.vowel, Vowel::U | Vowel::I)))
}
