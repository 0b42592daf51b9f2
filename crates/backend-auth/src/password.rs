//! What makes a password good enough: its length, and that it isn't among the first guesses. There are no
//! rules about kinds of characters: they make passwords worse (NIST SP 800-63B, OWASP ASVS 6.2.5).
//!
//! Guesses are recognised by what they are made of, since long passwords that people really pick are
//! mostly short ones strung together: a repeated unit, a row of the keyboard or of the alphabet, well-known words
//! and years, the names of the account and of this program. What remains is estimated by zxcvbn, which knows some 30,000
//! passwords and 60,000 words and names by rank, keyboard paths, dates and sequences, and finds the cheapest way to put
//! the password together from them. Last, what looks good and is common all the same is on a list (`common.rs`).

mod common;

use std::collections::BTreeSet;

use service::Problem;
use wire::auth::Strength;
use zxcvbn::zxcvbn;

/// Limits of a password.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Characters at least.
    pub min_chars: usize,
    /// Bytes at most.
    pub max_bytes: usize,
}

/// Refuses what would only cost time to hash. Also for logins: no stored password is longer.
///
/// # Errors
/// 400 `password_too_long`.
pub fn check_size(password: &str, policy: Policy) -> Result<(), Problem> {
    if password.len() <= policy.max_bytes {
        return Ok(());
    }
    Err(Problem::bad_request(
        "password_too_long",
        format!("password must have at most {} bytes", policy.max_bytes),
    ))
}

/// Whether a new password is good enough.
///
/// # Errors
/// 400 `password_too_long`, `password_too_short` or `password_too_common`.
pub fn check_new(password: &str, username: &str, policy: Policy) -> Result<(), Problem> {
    check_size(password, policy)?;
    if password.chars().count() < policy.min_chars {
        return Err(Problem::bad_request(
            "password_too_short",
            format!("password must have at least {} characters", policy.min_chars),
        ));
    }
    if common::is_common(password)
        || is_guessable(password, username)
        || score(password, username) < GOOD_SCORE
    {
        return Err(Problem::bad_request(
            "password_too_common",
            "password is among the first that anyone would guess: string a few unrelated words together",
        ));
    }
    Ok(())
}

/// zxcvbn's scores go from 0 to 4; from 3 on (10^8 guesses) a password withstands who stole the database for a while.
const GOOD_SCORE: u8 = 3;
/// Characters that are looked at: more of them only take more time.
const LOOKED_AT: usize = 72;

fn score(password: &str, username: &str) -> u8 {
    let start: String = password.chars().take(LOOKED_AT).collect();
    zxcvbn(&start, &[username, "hybrid", "chat", "hybridchat"]).score().into()
}

/// How good a new password would be, and whether it would be taken.
pub fn strength(password: &str, username: &str, policy: Policy) -> Strength {
    let refused = check_new(password, username, policy).err();
    let score = match refused.as_ref().map(Problem::code) {
        // Whatever it is made of, it won't do.
        Some("password_too_common") => score(password, username).min(GOOD_SCORE - 1),
        Some(_) => score(password, username).min(1),
        None => score(password, username),
    };
    Strength {
        score,
        acceptable: refused.is_none(),
        code: refused.as_ref().map(|problem| problem.code().to_owned()),
        reason: refused.map(|problem| problem.message().to_owned()),
    }
}

/// Rows along which fingers and minds walk, forwards and backwards.
const ROWS: &[&str] = &[
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "yxcvbnm",
    "azertyuiop",
    "qsdfghjklm",
    "wxcvbn",
    "!@#$%^&*()",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "qazwsxedcrfvtgbyhnujmikolp",
    "zaq12wsxcde34rfv",
];

/// Words that common passwords are strung together from, in lower case and without leetspeak.
const WORDS: &[&str] = &[
    "password",
    "passwort",
    "passwd",
    "pass",
    "word",
    "matkhau",
    "secret",
    "login",
    "letmein",
    "welcome",
    "admin",
    "administrator",
    "root",
    "user",
    "username",
    "guest",
    "master",
    "test",
    "testing",
    "tester",
    "default",
    "changeme",
    "change",
    "access",
    "system",
    "server",
    "computer",
    "internet",
    "google",
    "facebook",
    "youtube",
    "microsoft",
    "windows",
    "apple",
    "samsung",
    "android",
    "iphone",
    "linkedin",
    "iloveyou",
    "love",
    "lover",
    "you",
    "me",
    "my",
    "the",
    "is",
    "mine",
    "anhyeuem",
    "yeuem",
    "yeuanh",
    "tinhyeu",
    "deptrai",
    "xinhdep",
    "khongbiet",
    "emyeuanh",
    "yeu",
    "vietnam",
    "hanoi",
    "saigon",
    "princess",
    "prince",
    "queen",
    "king",
    "angel",
    "baby",
    "babygirl",
    "girl",
    "boy",
    "sweet",
    "sweetheart",
    "honey",
    "lovely",
    "forever",
    "friend",
    "friends",
    "family",
    "mother",
    "father",
    "mommy",
    "daddy",
    "sunshine",
    "flower",
    "butterfly",
    "summer",
    "winter",
    "spring",
    "autumn",
    "monday",
    "friday",
    "sunday",
    "january",
    "december",
    "football",
    "baseball",
    "basketball",
    "soccer",
    "hockey",
    "liverpool",
    "arsenal",
    "chelsea",
    "barcelona",
    "realmadrid",
    "manchester",
    "united",
    "juventus",
    "ronaldo",
    "messi",
    "superman",
    "batman",
    "spiderman",
    "pokemon",
    "pikachu",
    "naruto",
    "starwars",
    "matrix",
    "dragon",
    "monkey",
    "shadow",
    "tiger",
    "lion",
    "eagle",
    "dolphin",
    "chicken",
    "kitty",
    "hellokitty",
    "hello",
    "world",
    "helloworld",
    "freedom",
    "whatever",
    "trustno",
    "nothing",
    "money",
    "diamond",
    "silver",
    "gold",
    "golden",
    "chocolate",
    "cookie",
    "coffee",
    "cheese",
    "banana",
    "orange",
    "purple",
    "yellow",
    "black",
    "white",
    "blue",
    "red",
    "green",
    "michael",
    "jordan",
    "jennifer",
    "jessica",
    "ashley",
    "daniel",
    "charlie",
    "thomas",
    "robert",
    "andrew",
    "michelle",
    "nicole",
    "anthony",
    "joshua",
    "matthew",
    "qwerty",
    "azerty",
    "asdf",
    "zxcv",
    "qwe",
    "asd",
    "zxc",
    "abc",
    "xyz",
    "correcthorsebatterystaple",
    "correct",
    "horse",
    "battery",
    "staple",
    "school",
    "student",
    "teacher",
    "class",
    "office",
    "company",
    "home",
    "house",
    "temp",
    "temporary",
    "new",
    "old",
    "first",
    "last",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "good",
    "bad",
    "god",
    "jesus",
    "jesuschrist",
    "blessed",
    "heaven",
    "killer",
    "hacker",
    "ninja",
    "samurai",
    "warrior",
    "hunter",
    "soldier",
    "mustang",
    "ferrari",
    "porsche",
    "mercedes",
    "corvette",
    "harley",
    "yamaha",
    "honda",
    "toyota",
    "hybrid",
    "chat",
    "hybridchat",
    "tracker",
    "message",
    "channel",
    "general",
];

/// Characters beyond what is known to guessers that a password needs.
const SURPRISE: usize = 4;

fn is_guessable(password: &str, username: &str) -> bool {
    let typed: Vec<char> = password.to_lowercase().chars().collect();
    let plain: Vec<char> = typed.iter().copied().map(unleet).collect();
    is_repetition(&typed) || surprise(&typed, &plain, &username.to_lowercase()) < SURPRISE
}

fn unleet(c: char) -> char {
    match c {
        '4' | '@' => 'a',
        '3' => 'e',
        '1' | '!' => 'i',
        '0' => 'o',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

/// One to eight characters, over and over (`abcabcabcabc`), the last time maybe cut off.
fn is_repetition(chars: &[char]) -> bool {
    (1..=8.min(chars.len() / 2))
        .any(|unit| (unit..chars.len()).all(|at| chars[at] == chars[at - unit]))
}

/// Characters that remain when all that guessers know is taken out, longest finds first. From the third on, each
/// further well-known word surprises as two characters do: which words, and in which order, is a choice too.
/// Each place is read as it was typed and with 4 for a, 0 for o: `p@ssw0rd1234` hides a word and a row.
fn surprise(typed: &[char], plain: &[char], name: &str) -> usize {
    let mut left = 0;
    let mut words = BTreeSet::new();
    let mut at = 0;
    let mut digits = 0;
    while at < typed.len() {
        let known_from = |at: usize| {
            let rest = |text: &[char]| known_at(text.get(at..).unwrap_or_default(), name);
            (rest(typed), rest(plain))
        };
        let (in_typed, in_plain) = known_from(at);
        let known = in_typed.max(in_plain);
        // `!samurai` is a sign and a warrior, not "is" and a riddle: what begins inside of a find may be longer.
        let longer_inside = (at + 1..at + known).any(|inside| {
            let (in_typed, in_plain) = known_from(inside);
            in_typed.max(in_plain) > known
        });
        if known > 0 && !longer_inside {
            let reading = if in_typed == known { typed } else { plain };
            let found: String = reading[at..at + known].iter().collect();
            if known >= 4 && WORDS.contains(&found.as_str()) {
                words.insert(found);
            }
            at += known;
            digits = 0;
            continue;
        }
        // A date is at most eight digits and a year four: digits surprise by half, signs between words not.
        if typed[at].is_ascii_digit() {
            digits += 1;
            left += digits % 2;
        } else if typed[at].is_alphanumeric() || !typed[at].is_ascii() {
            left += 1;
        }
        at += 1;
    }
    left + 2 * words.len().saturating_sub(2)
}

/// How many characters from the start are something that guessers know.
fn known_at(chars: &[char], name: &str) -> usize {
    let starts = |word: &str| {
        let length = word.chars().count();
        let same = length <= chars.len() && word.chars().zip(chars).all(|(a, &b)| a == b);
        if same { length } else { 0 }
    };
    let word = WORDS.iter().map(|word| starts(word)).max().unwrap_or(0);
    let own = if name.chars().count() >= 3 { starts(name) } else { 0 };
    let row = ROWS.iter().map(|row| walk(chars, row)).max().unwrap_or(0);
    let same = chars.iter().take_while(|&&c| c == chars[0]).count();
    let repeated = if same >= 3 { same } else { 0 };
    word.max(own).max(row).max(repeated)
}

/// How far the text walks along a row, in either direction; three steps at least.
fn walk(chars: &[char], row: &str) -> usize {
    let row: Vec<char> = row.chars().collect();
    let Some(first) = chars.first() else { return 0 };
    let mut best = 0;
    for start in row.iter().enumerate().filter(|(_, c)| *c == first).map(|(at, _)| at) {
        let forwards = row[start..].iter().zip(chars).take_while(|(a, b)| a == b).count();
        let backwards = row[..=start].iter().rev().zip(chars).take_while(|(a, b)| a == b).count();
        best = best.max(forwards).max(backwards);
    }
    if best >= 3 { best } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy { min_chars: 12, max_bytes: 1024 };

    fn code(password: &str, username: &str) -> Option<&'static str> {
        check_new(password, username, POLICY).err().map(|problem| problem.code())
    }

    #[test]
    fn passphrases_of_any_script_and_without_any_rule_are_welcome() {
        for password in [
            "lowercaseonlyletters",
            "mèo con uống trà sữa",
            "purple elephants juggle quietly",
            "tr0ub4dor&3xq",
            "kxqvjzmwpbfh",
            "🦀🐳🦊🌶️🎹🧭🪁🛶🧊🥝🧵🪐",
            "hunting violins on a tuesday afternoon with spaces and 🦀 in it",
            "849201756382",
            "purple banana diamond coffee",
        ] {
            assert_eq!(code(password, "alice"), None, "{password}");
        }
    }

    #[test]
    fn what_anyone_would_guess_is_refused() {
        for password in [
            "password1234",
            "Password2024!",
            "P@ssw0rd1234",
            "123456789012",
            "qwertyuiop123",
            "aaaaaaaaaaaa",
            "abcabcabcabc",
            "1q2w3e4r5t6y",
            "1qaz2wsx3edc",
            "iloveyou1234",
            "administrator",
            "welcome12345",
            "zxcvbnm12345",
            "qwerty123456",
            "letmein12345",
            "abcdefghijkl",
            "987654321098",
            "passwordpassword",
            "matkhau123456",
            "hybrid-chat-2025",
            "qazwsxedcrfv",
            "liverpool2020",
            "111111222222",
        ] {
            assert_eq!(code(password, "bob"), Some("password_too_common"), "{password}");
        }
    }

    #[test]
    fn words_are_no_better_with_what_people_put_before_and_after_them() {
        let endings = [
            "123",
            "123456",
            "123456789",
            "2024",
            "2025!",
            "!!!!",
            "@123",
            "01012000",
            "qwerty",
            "#1",
        ];
        for word in WORDS {
            let mut made = vec![word.repeat(2), word.repeat(3), format!("{word}{word}1")];
            made.extend(endings.iter().map(|ending| format!("{word}{ending}")));
            made.extend(endings.iter().map(|ending| format!("{ending}{word}")));
            for password in made.iter().filter(|text| text.chars().count() >= POLICY.min_chars) {
                assert_eq!(code(password, "bob"), Some("password_too_common"), "{password}");
            }
        }
    }

    #[test]
    fn strength_says_what_registering_would_say() {
        let good = strength("purple elephants juggle quietly", "bob", POLICY);
        assert!(good.acceptable && good.score == 4 && good.code.is_none());
        let common = strength("password1234", "bob", POLICY);
        assert!(!common.acceptable && common.score < 3);
        assert_eq!(common.code.as_deref(), Some("password_too_common"));
        let short = strength("x8!kQ", "bob", POLICY);
        assert_eq!((short.acceptable, short.code.as_deref()), (false, Some("password_too_short")));
        assert!(short.score <= 1);
    }

    #[test]
    fn the_account_s_own_name_does_not_make_a_password() {
        assert_eq!(code("qorvantzel123", "Qorvantzel"), Some("password_too_common"));
        assert_eq!(code("qorvantzel123", "bob"), None);
    }

    #[test]
    fn length_counts_characters_and_is_bounded_in_bytes() {
        assert_eq!(code("short!!", "bob"), Some("password_too_short"));
        assert_eq!(code("mèo uống trà", "bob"), None);
        assert_eq!(code(&"xk7!".repeat(257), "bob"), Some("password_too_long"));
    }
}
