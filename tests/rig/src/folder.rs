//! Where a server keeps its files.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::RigError;

/// A folder: our own, gone with us, or somebody else's.
#[derive(Debug)]
pub(crate) enum Folder {
    Own(TempDir),
    Given(PathBuf),
}

impl Folder {
    pub(crate) fn own() -> Result<Self, RigError> {
        tempfile::tempdir().map(Self::Own).map_err(RigError::io("make a temporary folder"))
    }

    /// Takes a folder that stays, made if it is not there.
    pub(crate) fn given(path: &Path) -> Result<Self, RigError> {
        // Programs are started elsewhere, where a relative path would lead astray.
        let path = std::path::absolute(path).map_err(RigError::io("find out which folder this is"))?;
        fs::create_dir_all(&path).map_err(RigError::io(format!("make {}", path.display())))?;
        Ok(Self::Given(path))
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Own(folder) => folder.path(),
            Self::Given(path) => path,
        }
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf, RigError> {
        let path = self.path().join(name);
        fs::write(&path, text).map_err(RigError::io(format!("write {}", path.display())))?;
        Ok(path)
    }
}
