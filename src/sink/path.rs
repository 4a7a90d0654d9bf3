//! Into a path: other processes see the old file or the new one, never a mix, even if this process is killed.
//!
//! The image goes into a new file in the same folder, which then takes the old one's name. A symbolic link stays and
//! its target is replaced; a second hard link keeps the old bytes; mode, owner and group of an old file are kept as
//! far as the process may. A path that names a pipe, a terminal or a device is written to, not replaced.

use std::{
    collections::hash_map::RandomState,
    fs::{self, File, Metadata, OpenOptions},
    hash::{BuildHasher, Hasher},
    io::{self, ErrorKind as Io, Write},
    path::{Path, PathBuf},
};

#[cfg(unix)]
use super::fd::{self, FileOptions};
#[cfg(unix)]
use crate::model::options::Tail;
use crate::{bail, err, error::Result, pack::control::Control};

/// Most symbolic links in a row, as the Linux kernel has it.
const MOST_LINKS: usize = 40;

/// A path that can take an image. It is touched by [`commit`](Self::commit), when the image is whole.
pub struct Destination {
    target: Target,
    sync: bool,
}

enum Target {
    /// A regular file, or none yet.
    File { path: PathBuf, old: Option<Metadata> },
    /// A pipe, a terminal, a device.
    #[cfg(unix)]
    Stream(File),
}

impl Destination {
    /// Checks that an image can be written to `path`. With `sync`, [`commit`](Self::commit) returns when the storage
    /// says that it has the file and its name.
    pub fn check(path: &Path, sync: bool) -> Result<Self> {
        Ok(Self { target: examine(path)?, sync })
    }

    /// Puts `image` in place. On failure the old file is as it was.
    pub fn commit(self, image: &[u8], control: &Control) -> Result<()> {
        match self.target {
            Target::File { path, old } => {
                #[cfg(unix)]
                let _quiet = crate::host::signals::Quiet::new();
                replace(&path, old.as_ref(), image, self.sync)
            }
            #[cfg(unix)]
            Target::Stream(file) => {
                let descriptor = std::os::fd::AsRawFd::as_raw_fd(&file);
                let options = FileOptions { tail: Tail::Keep, sync: false }; // a stream has neither
                fd::Destination::check(descriptor, options)?.commit(image, control)
            }
        }
    }
}

fn examine(path: &Path) -> Result<Target> {
    let refused = |e: io::Error| err!(Write, "cannot write {}: {e}", path.display());
    let old = match fs::metadata(path) {
        Ok(old) => Some(old),
        Err(e) if e.kind() == Io::NotFound => None,
        Err(e) => return Err(refused(e)),
    };
    if old.as_ref().is_some_and(Metadata::is_dir) {
        bail!(BadDescriptor, "{} is a directory", path.display());
    }
    if old.is_some() {
        // Who may not write the old file may not replace it either.
        let mut options = OpenOptions::new();
        options.write(true);
        #[cfg(unix)] // a terminal must not become the host's, and nobody waits here for a reader of a pipe
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NOCTTY | libc::O_NONBLOCK);
        let file = options.open(path).map_err(|e| match e.raw_os_error() {
            #[cfg(unix)]
            Some(libc::ENXIO) => err!(Write, "cannot write {}: nobody reads there", path.display()),
            _ => refused(e),
        })?;
        #[cfg(unix)]
        if old.as_ref().is_some_and(|old| !old.is_file()) {
            return Ok(Target::Stream(file));
        }
        drop(file);
    }
    let target = follow(path).map_err(refused)?;
    if target.file_name().is_none() {
        bail!(BadDescriptor, "{} does not name a file", path.display());
    }
    let folder = folder_of(&target);
    if !fs::metadata(folder).map_err(refused)?.is_dir() {
        bail!(BadDescriptor, "{} is not a directory", folder.display());
    }
    #[cfg(unix)]
    if let Some(old) = &old {
        use std::os::unix::fs::MetadataExt;
        let same = fs::metadata(&target).is_ok_and(|now| (now.dev(), now.ino()) == (old.dev(), old.ino()));
        if !same {
            bail!(Write, "cannot write {}: its file has no name to be replaced by", path.display());
        }
    }
    Ok(Target::File { path: target, old })
}

/// Where the symbolic links lead, whether or not something is there.
fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            Ok(next) => path = folder_of(&path).join(next),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other(format!("more than {MOST_LINKS} symbolic links")))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn replace(path: &Path, old: Option<&Metadata>, image: &[u8], sync: bool) -> Result<()> {
    let failed = |e: io::Error| {
        err!(Write, "could not write {} bytes to {}: {e}; it was not changed", image.len(), path.display())
    };
    let folder = folder_of(path);
    let (file, temporary) = create(folder, old).map_err(failed)?;
    fill(file, old, image, sync).map_err(failed)?;
    fs::rename(&temporary.0, path).map_err(failed)?;
    temporary.keep();
    if sync {
        sync_folder(folder).map_err(|e| {
            err!(Write, "{} was written but its folder could not be synced: {e}", path.display())
        })?;
    }
    Ok(())
}

/// The name of the new file, removed unless the file got its final one.
struct Temporary(PathBuf);

impl Temporary {
    /// The file has its final name.
    fn keep(mut self) {
        self.0 = PathBuf::new();
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            let _ = fs::remove_file(&self.0); // there is nobody left to tell
        }
    }
}

fn create(folder: &Path, old: Option<&Metadata>) -> io::Result<(File, Temporary)> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if old.is_some() {
        // Nobody may look into it before it has the old file's mode. A new file gets what the umask leaves.
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = old;
    loop {
        let random = RandomState::new().build_hasher().finish();
        let path = folder.join(format!(".image_packer-{random:016x}.tmp"));
        match options.open(&path) {
            Ok(file) => return Ok((file, Temporary(path))),
            Err(e) if e.kind() == Io::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
}

fn fill(mut file: File, old: Option<&Metadata>, image: &[u8], sync: bool) -> io::Result<()> {
    file.write_all(image)?;
    #[cfg(unix)]
    if let Some(old) = old {
        keep_access(&file, old)?;
    }
    #[cfg(not(unix))]
    let _ = old;
    if sync {
        file.sync_all()?;
    }
    #[cfg(unix)]
    fd::close(file)?;
    Ok(())
}

/// Gives the new file the old one's owner, group and mode.
#[cfg(unix)]
fn keep_access(file: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let new = file.metadata()?;
    let mut mode = old.mode() & 0o777;
    if new.uid() != old.uid() {
        let _ = fchown(file, Some(old.uid()), None); // only the superuser may; it stays the caller's
    }
    if new.gid() != old.gid() && fchown(file, None, Some(old.gid())).is_err() {
        // What was meant for the old group must not reach another one.
        mode = mode & 0o707 | (mode & 0o007) << 3;
    }
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(()) // a folder cannot be synced apart from its files
}
