// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which device a slow path is of.

use millrace_driver::vfio::{BadAddress, PciAddress};
use std::path::PathBuf;
use std::str::FromStr;

/// A device whose slow path is not in the process that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EcpfChoice {
    /// A device's folder, which another process serves.
    Served(PathBuf),
    /// The ECPF's address.
    Vfio(PciAddress),
}

impl FromStr for EcpfChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("vfio-user", path)) if !path.is_empty() => Ok(Self::Served(path.into())),
            Some(("vfio", address)) => address.parse().map(Self::Vfio).map_err(|error: BadAddress| error.to_string()),
            _ => Err("give `vfio-user:` and a path, or `vfio:` and an address of PCI".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ecpf_is_named_by_its_folder_or_its_address() {
        assert_eq!("vfio-user:dpu".parse(), Ok(EcpfChoice::Served("dpu".into())));
        assert_eq!("vfio:0000:65:00.0".parse(), Ok(EcpfChoice::Vfio("0000:65:00.0".parse().unwrap())));
        for (text, problem) in
            [("vfio:65:00.0", "no address"), ("vfio-user:", "give `vfio-user:`"), ("dpu", "or `vfio:`")]
        {
            let message = text.parse::<EcpfChoice>().unwrap_err();
            assert!(message.contains(problem), "{message}");
        }
    }
}
