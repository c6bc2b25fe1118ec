//! Words the rules alone would read wrongly, and the pointing of common words for text that comes without points.

use alloc::string::String;
use alloc::vec::Vec;

use super::letters::{self, Letter};

/// Returns how many syllables from the end the stress of a listed word lies (0 is the last), prefixes aside.
pub(super) fn stress_from_end(letters: &[Letter]) -> Option<usize> {
    for skip in 0..=3_usize {
        let rest = letters.get(skip..).unwrap_or_default();
        let prefix = letters.get(..skip).unwrap_or_default();
        if rest.len() < 3 || !prefix.iter().all(|letter| is_prefix(letter.base)) {
            break;
        }
        for (from_end, list) in [(0, LAST), (1, LAST_BUT_ONE), (2, LAST_BUT_TWO)] {
            if list.split_whitespace().any(|entry| spells(entry, rest)) {
                return Some(from_end);
            }
        }
    }
    None
}

/// Whether `letters` are those of `entry`, and their points too where the entry has some.
fn spells(entry: &str, letters: &[Letter]) -> bool {
    let mut rest = letters.iter();
    for c in entry.chars() {
        if letters::is_mark(c) {
            let so_far = letters.len() - rest.len();
            let point = letters::Point::of(c);
            if so_far.checked_sub(1).and_then(|at| letters.get(at)).and_then(|letter| letter.point) != point {
                return false;
            }
        } else if rest.next().map(|letter| letter.base) != Some(c) {
            return false;
        }
    }
    rest.len() == 0
}

const fn is_prefix(c: char) -> bool {
    matches!(c, 'ו' | 'ה' | 'ב' | 'ל' | 'מ' | 'ש' | 'כ')
}

/// Stress on the last syllable against a pattern that says otherwise.
const LAST: &str = "אשתי ביתי תחתי בתי אחותי נתנו קנו פנו בנו ענו שינו תנו ניסו מינו בינו זכינו אתמול ברזל כרמל אמת \
    חברתי זכותי דעתי לדעתי כוונתי";

/// Stress on the last syllable but one where no pattern shows it: names, months, loanwords, everyday words.
const LAST_BUT_ONE: &str = "חֵצי למֶד דלֶת סמֶך אלֶף ערב בוקר ארבע שבע תשע שמונֶה כמה למה איפה אלה אלו אילו ככה לילה הביתה קדימה למעלה למטה אחורה \
    ימינה שמאלה החוצה פנימה הלאה צפונה דרומה יאללה סבבה באסה אחלה אנחנו ממנה ממנו באו באה גרה תכף \
    דני רוני שרה יוסי משה אבי רותי דנה נועה שירה מאיה אורי לוי כהן חנה אסתר רבקה לאה רינה מירי שושי מוטי אלי גדי שלמה אורנה \
    דינה טליה נטליה מיכאלה רחלי איציק דודי שוקי צביקה יענקלה חיים גילה אופירה איריס טלי לימור יעלה גולן פרידמן גולדברג \
    רוזנברג שפירא קפלן קליין פלד ביטון פרץ נתניה חיפה תקווה \
    יוני יולי אוגוסט ספטמבר אוקטובר נובמבר דצמבר אימייל אופיס מרקט סופר פיצה קופי סטודיו וילה פלוס מינוס וואטסאפ ווצאפ גוגל";

/// Stress on the third syllable from the end.
const LAST_BUT_TWO: &str =
    "ינואר פברואר טלפון אינטרנט אמריקה אפריקה מתמטיקה מוסיקה מוזיקה פיזיקה פוליטיקה קליניקה אלקטרוניקה טכניקה";

/// Returns `word`, which carries no points, with points: from the list, also behind prefixes.
pub(super) fn point(word: &str) -> Option<String> {
    let bare: Vec<char> = word.chars().filter(|c| !letters::is_mark(*c)).collect();
    for skip in 0..=2_usize {
        let rest = bare.get(skip..).unwrap_or_default();
        let prefix = bare.get(..skip).unwrap_or_default();
        if rest.len() < 2 || !prefix.iter().all(|c| is_prefix(*c)) {
            return None;
        }
        let found = POINTED
            .split_whitespace()
            .find(|entry| entry.chars().filter(|c| !letters::is_mark(*c)).eq(rest.iter().copied()));
        if let Some(found) = found {
            let mut pointed = String::new();
            for c in prefix {
                pointed.push(*c);
                pointed.push_str(match c {
                    'ה' => "\u{5b7}",
                    'ש' => "\u{5c1}\u{5b6}",
                    'מ' => "\u{5b4}",
                    'ב' | 'כ' => "\u{5bc}\u{5b0}",
                    _ => "\u{5b0}",
                });
            }
            pointed.push_str(found);
            return Some(pointed);
        }
    }
    None
}

/// Common words with their points, so that the voice is understood where no diacritiser runs.
const POINTED: &str = "אֲנִי אַתָּה אַתְּ הוּא הִיא אֲנַחְנוּ אַתֶּם הֵם הֵן זֶה זֹאת זוֹ אֵלֶּה כֵּן לֹא אֵין יֵשׁ שֶׁל שֶׁלִּי שֶׁלְּךָ שֶׁלָּנוּ שֶׁלָּכֶם עַל אֶל אֶת עִם אִם אוֹ גַּם רַק כִּי אֲבָל \
    מַה מָה מִי מָתַי אֵיפֹה אֵיךְ לָמָּה כַּמָּה אֵיזֶה אֵיזוֹ שָׁלוֹם תּוֹדָה רַבָּה בְּבַקָּשָׁה סְלִיחָה רֶגַע שְׁנִיָּה שְׁנִיָּיה טוֹב טוֹבָה בֹּקֶר בּוֹקֶר עֶרֶב לַיְלָה צָהֳרַיִים לְהִתְרָאוֹת בַּיי אוֹקֵיי בֶּטַח נָכוֹן בְּסֵדֶר \
    גָּמוּר אוּלַי הַיּוֹם מָחָר אֶתְמוֹל עַכְשָׁיו אַחַר כָּךְ מִסְפָּר טֵלֵפוֹן שֵׁם הַשֵּׁם הוֹדָעָה לְהַשְׁאִיר לַחֲזוֹר לְדַבֵּר מְדַבֵּר מְדַבֶּרֶת רוֹצֶה רוֹצָה יָכוֹל יְכוֹלָה אֶפְשָׁר צָרִיךְ צְרִיכָה תּוֹר פְּגִישָׁה מִשְׂרָד \
    נְצִיג נְצִיגָה מְנַהֵל מְנַהֶלֶת יוֹם יָמִים שָׁעָה שָׁעוֹת דַּקָּה דַּקּוֹת חֹדֶשׁ חוֹדֶשׁ שָׁנָה שָׁבוּעַ שַׁבָּת רִאשׁוֹן שֵׁנִי שְׁלִישִׁי רְבִיעִי חֲמִישִׁי שִׁישִּׁי שֶׁקֶל שְׁקָלִים דִּירָה דִּירוֹת חֶדֶר חֲדָרִים \
    בַּיִת רְחוֹב עִיר אֵזוֹר תַּקְצִיב מְחִיר שְׁאֵלָה בְּעָיָה עֶזְרָה לַעֲזוֹר קוֹרְאִים לִי לָךְ לְךָ לָנוּ אוֹתִי אוֹתְךָ אֵלֶיךָ אֵלֶיהָ אֵלַי הִגַּעְתֶּם הִגַּעְתָּ לְמִשְׂרָד \
    אֶפֶס אַחַת שְׁתַּיִם שְׁתַּיִים שָׁלוֹשׁ אַרְבַּע חָמֵשׁ שֵׁשׁ שֶׁבַע שְׁמוֹנֶה תֵּשַׁע עֶשֶׂר עֶשְׂרֵה אֶחָד שְׁנַיִם שְׁנַיִים שְׁלוֹשָׁה אַרְבָּעָה חֲמִשָּׁה חֲמִישָּׁה שִׁשָּׁה שִׁישָּׁה שִׁבְעָה תִּשְׁעָה עֲשָׂרָה עָשָׂר \
    עֶשְׂרִים שְׁלוֹשִׁים אַרְבָּעִים חֲמִשִּׁים חֲמִישִּׁים שִׁשִּׁים שִׁישִּׁים שִׁבְעִים שְׁמוֹנִים תִּשְׁעִים מֵאָה מָאתַיִם מָאתַיִים מֵאוֹת אֶלֶף אַלְפַּיִם אַלְפַּיִים אֲלָפִים מִילְיוֹן חֲצִי וָחֵצִי רֶבַע שְׁלֹשֶׁת שְׁלוֹשֶׁת \
    אַרְבַּעַת חֲמֵשֶׁת שֵׁשֶׁת שִׁבְעַת שְׁמוֹנַת תִּשְׁעַת עֲשֶׂרֶת שְׁנֵי שְׁתֵּי נְקוּדָּה אָחוּז אֲחוּזִים כּוֹכָבִית סוּלָמִית יָנוּאָר פֶבְּרוּאָר מֶרְץ אַפְּרִיל מַאי יוּנִי יוּלִי אוֹגוּסְט סֶפְּטֶמְבֶּר אוֹקְטוֹבֶּר נוֹבֶמְבֶּר דֶּצֶמְבֶּר";

/// The name of a letter that stands alone.
pub(super) fn letter_name(letter: char) -> Option<&'static str> {
    Some(match letter {
        'א' => "אָלֶף",
        'ב' => "בֵּית",
        'ג' => "גִּימֶל",
        'ד' => "דָּלֶת",
        'ה' => "הֵא",
        'ו' => "וָו",
        'ז' => "זַיִן",
        'ח' => "חֵת",
        'ט' => "טֵת",
        'י' => "יוּד",
        'כ' | 'ך' => "כָּף",
        'ל' => "לָמֶד",
        'מ' | 'ם' => "מֵם",
        'נ' | 'ן' => "נוּן",
        'ס' => "סָמֶךְ",
        'ע' => "עַיִן",
        'פ' | 'ף' => "פֵּא",
        'צ' | 'ץ' => "צָדִי",
        'ק' => "קוּף",
        'ר' => "רֵישׁ",
        'ש' => "שִׁין",
        'ת' => "תָּיו",
        _ => return None,
    })
}
