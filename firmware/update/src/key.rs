// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keys of Ed25519 (RFC 8032) in PEM (RFC 8410), as `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout` write them.

use crate::error::{At, Error};
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, KeypairBytes};
pub use ed25519_dalek::{SigningKey, VerifyingKey};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Reads a private key.
///
/// # Errors
/// If the file cannot be read, or holds none.
pub fn read_private(path: &Path) -> Result<SigningKey, Error> {
    let text = fs::read_to_string(path).at("read", path)?;
    SigningKey::from_pkcs8_pem(&text).map_err(|error| refusal(path, "private", &error))
}

/// Reads a public key.
///
/// # Errors
/// If the file cannot be read, or holds none.
pub fn read_public(path: &Path) -> Result<VerifyingKey, Error> {
    let text = fs::read_to_string(path).at("read", path)?;
    VerifyingKey::from_public_key_pem(&text).map_err(|error| refusal(path, "public", &error))
}

/// A public key as a text.
pub fn written(key: &VerifyingKey) -> String {
    key.to_public_key_pem(LineEnding::LF).expect("a key has a form")
}

/// Makes a private key, and keeps it in a file that only its owner may read.
///
/// # Errors
/// If there are no random numbers, or the file cannot be made.
pub fn generate(path: &Path) -> Result<SigningKey, Error> {
    let (mut seed, random) = ([0; 32], Path::new("/dev/urandom"));
    File::open(random).and_then(|mut file| file.read_exact(&mut seed)).at("read", random)?;
    let key = SigningKey::from_bytes(&seed);
    // Without the public key (version 1), which older OpenSSL does not read.
    let pair = KeypairBytes { secret_key: seed, public_key: None };
    let text = pair.to_pkcs8_pem(LineEnding::LF).expect("a key has a form");
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).at("write", path)?;
    Ok(key)
}

fn refusal(path: &Path, kind: &'static str, why: &impl ToString) -> Error {
    Error::Key { path: path.to_owned(), kind, why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The private key of RFC 8410, section 10.3: a test vector.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    /// Its public key, of section 10.1.
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

    #[test]
    fn keys_are_those_of_others() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let key = read_private(&file("private", PRIVATE)).unwrap();
        assert_eq!(written(&key.verifying_key()), PUBLIC);
        let public = file("public", PUBLIC);
        assert_eq!(read_public(&public).unwrap(), key.verifying_key());
        let refused = read_private(&public).unwrap_err().to_string();
        assert!(refused.starts_with(&format!("{} is no private key for Ed25519", public.display())), "{refused}");
    }

    #[test]
    fn a_new_key_is_its_owners_alone_and_stays() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let key = generate(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read_private(&path).unwrap().to_bytes(), key.to_bytes());
        assert!(generate(&path).is_err(), "it would be lost");
    }
}
