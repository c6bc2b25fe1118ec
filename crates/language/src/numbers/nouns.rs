//! Nouns an office counts, with their gender.

use super::Gender;
use crate::phonemes::strip_niqqud;

/// A noun that can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noun {
    /// One of it, pointed.
    pub singular: &'static str,
    /// Many of it, pointed.
    pub plural: &'static str,
    /// Its gender, which the number word follows.
    pub gender: Gender,
}

/// Returns the noun whose singular or plural is `word`, with or without points, and without prefixes.
pub fn find_noun(word: &str) -> Option<&'static Noun> {
    let plain = strip_niqqud(word);
    NOUNS.iter().find(|noun| strip_niqqud(noun.plural) == plain || strip_niqqud(noun.singular) == plain)
}

const fn male(singular: &'static str, plural: &'static str) -> Noun {
    Noun { singular, plural, gender: Gender::Masculine }
}

const fn female(singular: &'static str, plural: &'static str) -> Noun {
    Noun { singular, plural, gender: Gender::Feminine }
}

static NOUNS: [Noun; 64] = [
    male("יֶלֶד", "יְלָדִים"),
    female("יַלְדָּה", "יְלָדוֹת"),
    male("חֶדֶר", "חֲדָרִים"),
    female("דַּקָּה", "דַּקּוֹת"),
    female("שְׁנִיָּיה", "שְׁנִיּוֹת"),
    female("שָׁעָה", "שָׁעוֹת"),
    male("יוֹם", "יָמִים"),
    male("שָׁבוּעַ", "שָׁבוּעוֹת"),
    male("חוֹדֶשׁ", "חוֹדָשִׁים"),
    female("שָׁנָה", "שָׁנִים"),
    male("שֶׁקֶל", "שְׁקָלִים"),
    male("דּוֹלָר", "דּוֹלָרִים"),
    male("אֵירוֹ", "אֵירוֹ"),
    female("אֲגוֹרָה", "אֲגוֹרוֹת"),
    male("אָחוּז", "אֲחוּזִים"),
    female("דִּירָה", "דִּירוֹת"),
    male("בַּיִת", "בָּתִּים"),
    male("מֶטֶר", "מֶטְרִים"),
    male("מֶטֶר", "מֶטֶר"),
    male("קִילוֹמֶטֶר", "קִילוֹמֶטְרִים"),
    male("קִילוֹמֶטֶר", "קִילוֹמֶטֶר"),
    male("קִילוֹ", "קִילוֹ"),
    female("קוֹמָה", "קוֹמוֹת"),
    male("אָדָם", "אֲנָשִׁים"),
    male("אִישׁ", "אֲנָשִׁים"),
    female("אִשָּׁה", "נָשִׁים"),
    male("לָקוֹחַ", "לָקוֹחוֹת"),
    female("שִׂיחָה", "שִׂיחוֹת"),
    female("הוֹדָעָה", "הוֹדָעוֹת"),
    female("פְּגִישָׁה", "פְּגִישׁוֹת"),
    male("תּוֹר", "תּוֹרִים"),
    female("פַּעַם", "פְּעָמִים"),
    male("מִסְפָּר", "מִסְפָּרִים"),
    female("סִפְרָה", "סְפָרוֹת"),
    female("אֶפְשָׁרוּת", "אֶפְשָׁרוּיוֹת"),
    male("נֶכֶס", "נְכָסִים"),
    male("מִשְׂרָד", "מִשְׂרָדִים"),
    female("חֲנָיָה", "חֲנָיוֹת"),
    female("מִרְפֶּסֶת", "מִרְפָּסוֹת"),
    male("מָקוֹם", "מְקוֹמוֹת"),
    male("כִּסֵּא", "כִּסְאוֹת"),
    male("שֻׁלְחָן", "שֻׁלְחָנוֹת"),
    male("רֶכֶב", "רְכָבִים"),
    female("מְכוֹנִית", "מְכוֹנִיּוֹת"),
    male("תַּשְׁלוּם", "תַּשְׁלוּמִים"),
    female("חֶבְרָה", "חֲבָרוֹת"),
    male("עוֹבֵד", "עוֹבְדִים"),
    female("עוֹבֶדֶת", "עוֹבְדוֹת"),
    male("סוֹכֵן", "סוֹכְנִים"),
    female("שְׁאֵלָה", "שְׁאֵלוֹת"),
    male("מוֹצָר", "מוֹצָרִים"),
    female("הַזְמָנָה", "הַזְמָנוֹת"),
    female("חֲבִילָה", "חֲבִילוֹת"),
    male("מֵייל", "מֵיילִים"),
    male("קִילוֹגְרָם", "קִילוֹגְרָם"),
    male("סֶנְטִימֶטֶר", "סֶנְטִימֶטֶר"),
    female("מַעֲלָה", "מַעֲלוֹת"),
    male("מִילְיוֹן", "מִילְיוֹן"),
    male("אֶלֶף", "אֲלָפִים"),
    male("דּוּנָם", "דּוּנָם"),
    male("שׁוּתָּף", "שׁוּתָּפִים"),
    male("חֵלֶק", "חֲלָקִים"),
    female("יְחִידָה", "יְחִידוֹת"),
    male("לַיְלָה", "לֵילוֹת"),
];
