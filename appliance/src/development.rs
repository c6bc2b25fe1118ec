//! A configuration for trying the box on this machine: loopback, generated credentials, state in one folder.

use std::fs;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rand::RngExt as _;

/// What a development box is made of.
#[derive(Clone, Debug)]
pub struct Development<'a> {
    /// Folder of the configuration, the key and the state.
    pub folder: &'a Path,
    /// Folder the models and `.setup` are under.
    pub root: &'a Path,
    /// Where the box listens.
    pub listen: SocketAddr,
    /// Where the carrier's REST interface is pretended, if anywhere.
    pub carrier_api_url: Option<&'a str>,
    /// More of the configuration, as TOML tables.
    pub extra: &'a str,
}

impl Development<'_> {
    /// Writes the key and the configuration, unless they are there, and returns the configuration's path.
    pub fn write(&self) -> io::Result<PathBuf> {
        fs::create_dir_all(self.folder)?;
        let config = self.folder.join("kolbox.toml");
        if config.exists() {
            return Ok(config);
        }
        let token_file = self.folder.join("auth_token");
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&token_file)?;
        file.write_all(random_hex().as_bytes())?;
        fs::write(&config, self.text(&token_file))?;
        Ok(config)
    }

    fn text(&self, token_file: &Path) -> String {
        let Self { folder, root, listen, carrier_api_url, extra } = self;
        let api = carrier_api_url.map_or_else(String::new, |url| format!("api_url = {}\n", quoted(url)));
        let path = |path: &Path| quoted(&path.display().to_string());
        format!(
            "# Generated for development on this machine.\n\
             [http]\nlisten = \"{listen}\"\npublic_url = \"http://{listen}\"\n\n\
             [carrier]\naccount_sid = \"AC{account}\"\nauth_token_files = [{token}]\n{api}\n\
             [recognizer]\nmodel = {model}\nonnxruntime = {ort}\n\n\
             [synthesizer]\nnakdimon = {nakdimon}\n\n\
             [store]\npath = {store}\n\n{extra}",
            account = random_hex(),
            token = path(token_file),
            model = path(&root.join("models/receptionist-mini")),
            ort = path(&root.join(".setup/onnxruntime/libonnxruntime.so")),
            nakdimon = path(&root.join(".setup/nakdimon/nakdimon.onnx")),
            store = path(&folder.join("store")),
        )
    }
}

/// Returns a loopback address with a port that was free a moment ago.
pub fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Returns 32 random hexadecimal digits.
fn random_hex() -> String {
    format!("{:032x}", rand::rng().random::<u128>())
}

/// Returns `text` as a TOML string.
pub(crate) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::{Development, free_address};
    use crate::config::{Config, Environment};

    #[test]
    fn a_development_configuration_is_one_the_box_takes() {
        let folder = tempfile::tempdir().unwrap();
        let development = Development {
            folder: folder.path(),
            root: folder.path(),
            listen: free_address().unwrap(),
            carrier_api_url: Some("http://127.0.0.1:9"),
            extra: "[limits]\ncalls = 3\n",
        };
        let file = development.write().unwrap();
        let config = Config::load(&file, &Environment::default()).unwrap();
        assert_eq!((config.limits.calls.get(), config.http.listen), (3, development.listen));
        let token = std::fs::read_to_string(folder.path().join("auth_token")).unwrap();
        assert_eq!(config.carrier.auth_tokens[0].expose(), token);
        assert_eq!(development.write().unwrap(), file, "a second start keeps the first configuration");
    }
}
