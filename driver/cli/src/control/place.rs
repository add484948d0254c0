// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the control socket, and what else a user's devices keep, is if nobody says otherwise: in a folder that no other user gets into.

use crate::error::BadInput;
use nix::unistd::Uid;
use std::env;
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The socket's name in its folder.
const NAME: &str = "millrace.sock";

/// The folder that it is in.
pub struct Place(PathBuf);

impl Place {
    /// `XDG_RUNTIME_DIR` if that is private, or a folder in /tmp.
    pub fn of_this_user() -> Self {
        Self::of(env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from), Path::new("/tmp"))
    }

    fn of(runtime: Option<PathBuf>, temporary: &Path) -> Self {
        // Where a link of this user's leads counts, not the link.
        let runtime = runtime.and_then(|folder| fs::canonicalize(folder).ok());
        let private = runtime.filter(|folder| check(folder).is_ok());
        Place(private.unwrap_or_else(|| temporary.join(format!("millrace-{}", Uid::effective()))))
    }

    /// For the device: the socket's path. Makes the folder if there is none.
    pub fn made(&self) -> Result<PathBuf, BadInput> {
        self.made_for(NAME)
    }

    /// For the device: the path of a file of this name. Makes the folder if there is none.
    pub fn made_for(&self, name: &str) -> Result<PathBuf, BadInput> {
        match DirBuilder::new().mode(0o700).create(&self.0) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(BadInput(format!("cannot make the folder {}: {error}", self.0.display())))
            }
            _ => check(&self.0).map(|()| self.0.join(name)),
        }
    }

    /// For those who ask: the socket's path, whether there is one or not.
    pub fn found(&self) -> Result<PathBuf, BadInput> {
        if fs::symlink_metadata(&self.0).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return Ok(self.0.join(NAME));
        }
        check(&self.0).map(|()| self.0.join(NAME))
    }
}

/// Only this user can have put anything into the folder. One in /tmp may have been put there by anybody.
fn check(folder: &Path) -> Result<(), BadInput> {
    let refuse =
        |why: String| Err(BadInput(format!("the folder {}, which is to be yours alone, {why}", folder.display())));
    let found = match fs::symlink_metadata(folder) {
        Ok(found) => found,
        Err(error) => return refuse(format!("cannot be looked at: {error}")),
    };
    let user = Uid::effective();
    if !found.is_dir() {
        return refuse("is no folder".into());
    }
    if found.uid() != user.as_raw() {
        return refuse(format!("belongs to user {}, not to {user}", found.uid()));
    }
    if found.mode() & 0o077 != 0 {
        return refuse(format!("has mode {:o}, not 700: others can get into it", found.mode() & 0o7777));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    fn refused(place: &Place, why: &str) {
        for error in [place.made().unwrap_err(), place.found().unwrap_err()] {
            assert!(error.0.contains(why), "{error}");
        }
    }

    #[test]
    fn the_folder_is_made_private_and_found_again() {
        let tmp = tempfile::tempdir().unwrap();
        let place = Place::of(None, tmp.path());
        let path = place.found().unwrap();
        assert!(!path.parent().unwrap().exists(), "who asks makes nothing");
        assert_eq!((place.made().unwrap(), place.found().unwrap()), (path.clone(), path.clone()));
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o7777, 0o700);
        assert_eq!(place.made().unwrap(), path);
    }

    #[test]
    fn the_runtime_folder_is_taken_if_it_is_private() {
        let (tmp, runtime) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::set_permissions(runtime.path(), Permissions::from_mode(0o700)).unwrap();
        let place = || Place::of(Some(runtime.path().into()), tmp.path()).made().unwrap();
        assert_eq!(place(), runtime.path().join(NAME));
        let link = tmp.path().join("link");
        symlink(runtime.path(), &link).unwrap();
        assert_eq!(Place::of(Some(link), tmp.path()).made().unwrap(), runtime.path().join(NAME));
        fs::set_permissions(runtime.path(), Permissions::from_mode(0o750)).unwrap();
        assert!(place().starts_with(tmp.path()));
        assert!(Place::of(Some("".into()), tmp.path()).made().unwrap().starts_with(tmp.path()));
    }

    #[test]
    fn a_folder_that_somebody_else_can_get_into_is_refused() {
        let tmp = tempfile::tempdir().unwrap();
        let place = Place::of(None, tmp.path());
        fs::write(&place.0, "").unwrap();
        refused(&place, "is no folder");
        fs::remove_file(&place.0).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        symlink(elsewhere.path(), &place.0).unwrap();
        refused(&place, "is no folder");
        fs::remove_file(&place.0).unwrap();
        fs::create_dir(&place.0).unwrap();
        fs::set_permissions(&place.0, Permissions::from_mode(0o710)).unwrap();
        refused(&place, "has mode 710, not 700");
        if Uid::effective().is_root() {
            fs::set_permissions(&place.0, Permissions::from_mode(0o700)).unwrap();
            chown(&place.0, Some(65534), None).unwrap();
            refused(&place, "belongs to user 65534, not to 0");
        }
    }
}
