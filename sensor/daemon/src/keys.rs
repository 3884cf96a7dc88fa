//! Secrets in the state directory: 32 random bytes in a file for its owner alone, made when they are first needed.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom, SystemRandom};

/// The key of pseudonyms.
pub const SITE: &str = "site.key";
/// The seed of the key that signs the audit log.
pub const AUDIT: &str = "audit.key";

/// Why a key cannot be used.
#[derive(Debug)]
pub struct KeyError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub message: String,
}

impl KeyError {
    /// What to do about every one of them.
    pub const HELP: &'static str = "a key is a file of 32 bytes, readable for the sensor's user alone";

    fn new(path: &Path, message: impl fmt::Display) -> Self {
        KeyError { path: path.to_path_buf(), message: message.to_string() }
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.message)
    }
}

impl std::error::Error for KeyError {}

/// The key in a file of a directory; made where there is none.
///
/// # Errors
/// [`KeyError`] when others may read it, it is no key, or it cannot be made.
pub fn open(dir: &Path, name: &str) -> Result<[u8; 32], KeyError> {
    match read(&dir.join(name))? {
        Some(key) => Ok(key),
        None => {
            let key = fresh(&dir.join(name))?;
            write(dir, name, &key)?;
            Ok(key)
        }
    }
}

/// The key in a file; `None` where there is no file.
///
/// # Errors
/// [`KeyError`] when others may read it, or it is no key.
pub fn read(path: &Path) -> Result<Option<[u8; 32]>, KeyError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(KeyError::new(path, error)),
    };
    let mode = fs::metadata(path).map_or(0, |m| m.permissions().mode());
    if mode & 0o077 != 0 {
        return Err(KeyError::new(path, format!("others may read it (mode {:o})", mode & 0o777)));
    }
    bytes.try_into().map(Some).map_err(|_| KeyError::new(path, "is no key"))
}

/// Former site keys that were kept, by number.
///
/// # Errors
/// [`KeyError`] when one of them cannot be used, or the directory cannot be read.
pub fn former(dir: &Path) -> Result<BTreeMap<u32, [u8; 32]>, KeyError> {
    let entries = fs::read_dir(dir).map_err(|e| KeyError::new(dir, e))?;
    let number = |name: &str| name.strip_prefix(SITE)?.strip_prefix('.')?.parse::<u32>().ok();
    let numbers = entries.flatten().filter_map(|entry| number(entry.file_name().to_str()?));
    numbers.filter_map(|n| read(&dir.join(former_name(n))).map(|key| key.map(|key| (n, key))).transpose()).collect()
}

/// The file of a former site key.
pub fn former_name(number: u32) -> String {
    format!("{SITE}.{number}")
}

/// A new key; `path` is what a failure names.
///
/// # Errors
/// [`KeyError`] when the system has no random numbers.
pub fn fresh(path: &Path) -> Result<[u8; 32], KeyError> {
    let mut key = [0; 32];
    SystemRandom::new().fill(&mut key).map_err(|_| KeyError::new(path, "no random numbers"))?;
    Ok(key)
}

/// Puts a key in place, whole or not at all, over one that may be there.
///
/// # Errors
/// [`KeyError`] when it cannot be written.
pub fn write(dir: &Path, name: &str, key: &[u8; 32]) -> Result<(), KeyError> {
    let (path, draft) = (dir.join(name), dir.join(format!("{name}.new")));
    let put = || -> io::Result<()> {
        // One that a crash has left behind.
        let _ = fs::remove_file(&draft);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(key)?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        File::open(dir)?.sync_all()
    };
    put().map_err(|error| KeyError::new(&path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_alone() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let key = open(dir.path(), SITE).expect("made");
        assert_eq!(open(dir.path(), SITE).expect("read"), key);
        assert_ne!(open(dir.path(), AUDIT).expect("made"), key);
        let path = dir.path().join(SITE);
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 2, "no draft is left");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
        assert!(open(dir.path(), SITE).expect_err("open to others").to_string().contains("others may read it (mode 640)"));
    }

    #[test]
    fn what_is_no_key_is_not_replaced() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join(SITE);
        fs::write(&path, [7; 31]).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
        assert!(open(dir.path(), SITE).expect_err("31 bytes").to_string().ends_with("is no key"));
        assert_eq!(fs::read(&path).expect("there").len(), 31);
    }
}
