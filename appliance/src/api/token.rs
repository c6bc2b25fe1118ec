//! Tokens: who may use the API, and for what.
//!
//! They are a file of their own beside the store, so that `kolbox token` works while the box runs and whatever the store
//! is like. Only SHA-256 of a secret is in it: a secret is 256 random bits, so there is nothing to guess and no salt or
//! slow hash would add to it.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The file's name in the store's folder.
const FILE: &str = "api-tokens.json";
/// Locked while the file is changed.
const LOCK: &str = "api-tokens.lock";
/// The version of the file this release reads and writes.
const VERSION: u32 = 1;
/// Tokens at most.
const MAX_TOKENS: usize = 100;
/// The longest name of a token, in bytes.
const MAX_NAME_LEN: usize = 64;
/// What every token begins with, so that one that got lost is recognized.
const PREFIX: &str = "kbx_";

macro_rules! scopes {
    ($($(#[$doc:meta])* $name:ident = $word:literal),* $(,)?) => {
        /// What a token may be used for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Scope {
            $($(#[$doc])* #[serde(rename = $word)] $name),*
        }

        impl Scope {
            /// All scopes.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Returns the word for it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word),*
                }
            }
        }
    };
}

scopes!(
    /// Calls, what was said, filled forms.
    CallsRead = "calls:read",
    /// Asking for call-backs.
    CallsWrite = "calls:write",
    /// Voicemails and their audio.
    VoicemailRead = "voicemail:read",
    /// Marking voicemails as heard.
    VoicemailWrite = "voicemail:write",
    /// Leads, their history, deliveries.
    LeadsRead = "leads:read",
    /// Making and changing leads, delivering again.
    LeadsWrite = "leads:write",
    /// Text messages.
    MessagesRead = "messages:read",
    /// Sending text messages, taking over conversations.
    MessagesWrite = "messages:write",
    /// How the box is, blocked numbers, call-backs.
    SettingsRead = "settings:read",
    /// Changing them.
    SettingsWrite = "settings:write",
);

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().copied().find(|scope| scope.as_str() == text);
        let words = || Self::ALL.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ");
        found.ok_or_else(|| format!("expected one of {}", words()))
    }
}

/// One token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// What it is called in lists: 12 hexadecimal digits.
    pub id: String,
    /// What the owner calls it.
    pub name: String,
    /// What it may be used for.
    pub scopes: BTreeSet<Scope>,
    /// When it was made, in milliseconds since 1970.
    pub made_wall_ms: u64,
    /// SHA-256 of the secret, in hexadecimal.
    secret_sha256: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct TokenList {
    version: u32,
    tokens: Vec<Token>,
}

/// Why the tokens cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read or written.
    #[error("{} cannot be read or written", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{} is no list of tokens of version {VERSION}; move it away and make new ones", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
    },
    /// The name is not one.
    #[error("the name has to have 1 to {MAX_NAME_LEN} bytes, none of them a control character")]
    BadName,
    /// There is nothing it may be used for.
    #[error("a token needs at least one scope")]
    NoScope,
    /// There are enough.
    #[error("there are {MAX_TOKENS} tokens already; revoke one")]
    TooMany,
    /// There is no such token.
    #[error("there is no token with this id")]
    Unknown,
}

/// The file of tokens.
#[derive(Clone, Debug)]
pub struct TokenFile {
    folder: PathBuf,
}

impl TokenFile {
    /// Names the file in the store's folder; nothing is opened yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Makes a token and returns it with what its holder sends. The latter is kept nowhere.
    ///
    /// # Errors
    ///
    /// When the name or the scopes are none, or the file cannot be changed.
    pub fn add(
        &self,
        name: &str,
        scopes: impl IntoIterator<Item = Scope>,
        now_wall_ms: u64,
    ) -> Result<(Token, String), TokenError> {
        let scopes: BTreeSet<Scope> = scopes.into_iter().collect();
        if scopes.is_empty() {
            return Err(TokenError::NoScope);
        }
        if !(1..=MAX_NAME_LEN).contains(&name.len()) || name.chars().any(char::is_control) {
            return Err(TokenError::BadName);
        }
        let random: [u8; 32] = rand::rng().random();
        let secret = URL_SAFE_NO_PAD.encode(random);
        let id = hex(&rand::rng().random::<[u8; 6]>());
        let shown = format!("{PREFIX}{id}_{secret}");
        let secret_sha256 = hex(&Sha256::digest(secret.as_bytes()));
        let token = Token { id, name: name.to_owned(), scopes, made_wall_ms: now_wall_ms, secret_sha256 };
        self.change(|tokens| {
            if tokens.len() >= MAX_TOKENS {
                return Err(TokenError::TooMany);
            }
            tokens.push(token.clone());
            Ok(())
        })?;
        Ok((token, shown))
    }

    /// Removes a token; it is refused from then on.
    ///
    /// # Errors
    ///
    /// When there is no such token, or the file cannot be changed.
    pub fn revoke(&self, id: &str) -> Result<(), TokenError> {
        self.change(|tokens| {
            let before = tokens.len();
            tokens.retain(|token| token.id != id);
            if tokens.len() < before { Ok(()) } else { Err(TokenError::Unknown) }
        })
    }

    /// Reads all tokens, the oldest first; none when there is no file.
    ///
    /// # Errors
    ///
    /// When the file is there and cannot be read.
    pub fn list(&self) -> Result<Vec<Token>, TokenError> {
        let file = self.path();
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(TokenError::File { file, source }),
        };
        match serde_json::from_str::<TokenList>(&text) {
            Ok(list) if list.version == VERSION => Ok(list.tokens),
            // What the parser found is left out: it could quote a hash.
            Ok(_) | Err(_) => Err(TokenError::Damaged { file }),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// Changes the list, alone, and writes it whole.
    fn change(&self, change: impl FnOnce(&mut Vec<Token>) -> Result<(), TokenError>) -> Result<(), TokenError> {
        let path = self.path();
        let wrong = |source| TokenError::File { file: path.clone(), source };
        fs::create_dir_all(&self.folder).map_err(wrong)?;
        let lock = private_file(&self.folder.join(LOCK), &self.folder).map_err(wrong)?;
        lock.lock().map_err(wrong)?;
        let mut tokens = self.list()?;
        change(&mut tokens)?;
        let text = serde_json::to_vec_pretty(&TokenList { version: VERSION, tokens })
            .map_err(|error| wrong(io::Error::other(error)))?;
        replace(&path, &text, &self.folder).map_err(wrong)
    }
}

/// Writes a file beside the old one, makes sure that it is on the disk, and puts it in its place.
fn replace(path: &Path, text: &[u8], folder: &Path) -> io::Result<()> {
    let beside = path.with_extension("json.new");
    let mut file = private_file(&beside, folder)?;
    file.set_len(0)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(folder)?.sync_all()
}

/// Opens a file that its owner alone may read. The owner is the folder's: `kolbox token` may be run by root, the box by
/// its own user.
fn private_file(path: &Path, folder: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let (owner, now) = (fs::metadata(folder)?, file.metadata()?);
    if owner.uid() != now.uid() {
        fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(file)
}

/// What tells one state of the file from another: when it was written, how long it is, which one it is.
type Stamp = Option<(i64, i64, u64, u64)>;

/// The tokens as the running box knows them: read again when the file changes.
#[derive(Debug)]
pub struct Tokens {
    file: TokenFile,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    read: Option<Stamp>,
    tokens: Vec<Token>,
    damaged: bool,
}

/// Whose request it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The token's id.
    pub token: String,
    /// What it may be used for.
    pub scopes: BTreeSet<Scope>,
}

/// Why a request has no caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// The token is none of ours.
    Unknown,
    /// The file of tokens cannot be read, so nobody is known.
    Unreadable,
}

impl Tokens {
    /// Makes them of a file that is read when the first request comes.
    pub fn new(file: TokenFile) -> Self {
        Self { file, known: Mutex::new(Known::default()) }
    }

    /// Returns whose token it is. Looks at the file's state each time, and reads it when that has changed.
    ///
    /// # Errors
    ///
    /// When it is nobody's, or nobody can be known.
    pub fn caller(&self, token: &str) -> Result<Caller, Stranger> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = stamp(&self.file.path());
        if known.read != Some(stamp) {
            match self.file.list() {
                Ok(tokens) => *known = Known { read: Some(stamp), tokens, damaged: false },
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the API's tokens cannot be read");
                    *known = Known { read: Some(stamp), tokens: Vec::new(), damaged: true };
                }
            }
        }
        if known.damaged {
            return Err(Stranger::Unreadable);
        }
        let (id, secret) = token.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')).ok_or(Stranger::Unknown)?;
        let digest = hex(&Sha256::digest(secret.as_bytes()));
        let found = known.tokens.iter().find(|token| token.id == id).ok_or(Stranger::Unknown)?;
        if bool::from(found.secret_sha256.as_bytes().ct_eq(digest.as_bytes())) {
            Ok(Caller { token: found.id.clone(), scopes: found.scopes.clone() })
        } else {
            Err(Stranger::Unknown)
        }
    }
}

/// Returns the file's state: each change makes another file, so at least its number differs.
fn stamp(path: &Path) -> Stamp {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.mtime(), metadata.mtime_nsec(), metadata.ino(), metadata.len()))
}

/// Writes bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A string takes everything.
        let _always_ok: fmt::Result = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::{FILE, Scope, Stranger, TokenError, TokenFile, Tokens};

    #[test]
    fn a_token_is_known_by_its_secret_until_it_is_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::new(folder.path().join("store"));
        let tokens = Tokens::new(file.clone());
        assert_eq!(tokens.caller("kbx_a_b"), Err(Stranger::Unknown));
        let (token, shown) = file.add("crm", [Scope::LeadsRead], 5).unwrap();
        let caller = tokens.caller(&shown).unwrap();
        assert_eq!((caller.token, caller.scopes.len()), (token.id.clone(), 1));
        let other_secret = format!("{}x", &shown[..shown.len() - 1]);
        let (_, other) = file.add("other", [Scope::CallsRead], 6).unwrap();
        for wrong in ["", "kbx_", &shown[4..], &other_secret, &format!("kbx_{}_", token.id)] {
            assert_eq!(tokens.caller(wrong), Err(Stranger::Unknown), "{wrong}");
        }
        assert!(tokens.caller(&other).is_ok());
        file.revoke(&token.id).unwrap();
        assert_eq!(tokens.caller(&shown), Err(Stranger::Unknown));
        assert!(matches!(file.revoke(&token.id), Err(TokenError::Unknown)));
        assert_eq!(file.list().unwrap().len(), 1);
    }

    #[test]
    fn the_file_holds_no_secret_and_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::new(folder.path());
        let (_, shown) = file.add("crm", [Scope::LeadsRead, Scope::LeadsWrite], 5).unwrap();
        let text = fs::read_to_string(folder.path().join(FILE)).unwrap();
        // The secret is the last 43 characters; an underscore may be one of them.
        let secret = &shown[shown.len() - 43..];
        assert!(!text.contains(secret), "{text}");
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(shown.len() >= 4 + 12 + 1 + 43);
    }

    #[test]
    fn what_cannot_be_a_token_is_refused_and_a_damaged_file_lets_nobody_in() {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::new(folder.path());
        assert!(matches!(file.add("", [Scope::CallsRead], 0), Err(TokenError::BadName)));
        assert!(matches!(file.add("a\nb", [Scope::CallsRead], 0), Err(TokenError::BadName)));
        assert!(matches!(file.add("a", [], 0), Err(TokenError::NoScope)));
        let (_, shown) = file.add("a", [Scope::CallsRead], 0).unwrap();
        let tokens = Tokens::new(file.clone());
        assert!(tokens.caller(&shown).is_ok());
        fs::write(folder.path().join(FILE), "{\"version\":2,\"tokens\":[]}").unwrap();
        assert_eq!(tokens.caller(&shown), Err(Stranger::Unreadable));
        assert!(matches!(file.add("b", [Scope::CallsRead], 0), Err(TokenError::Damaged { .. })));
    }

    #[test]
    fn scopes_are_read_and_written_as_the_same_words() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse::<Scope>().unwrap(), *scope);
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
        }
        assert!("leads:all".parse::<Scope>().unwrap_err().contains("leads:read"));
    }
}
