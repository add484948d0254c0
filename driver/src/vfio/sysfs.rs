// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the kernel tells of a function in `/sys/bus/pci/devices`.

use super::error::Neighbour;
use super::{PciAddress, Problem};
use crate::identity::{self, Role};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The folder of all functions.
pub const DEVICES: &str = "/sys/bus/pci/devices";

/// The driver by which VFIO has PCI functions.
const DRIVER: &str = "vfio-pci";
/// Base class of bridges (PCI Code and ID Assignment 1.6): they reach no memory by themselves, and VFIO leaves them to their drivers.
const BRIDGE: u32 = 0x06;

/// Makes sure that a function is one of Millrace, in this role, and bound to `vfio-pci`, and that its IOMMU group holds no other: the number of the group.
pub fn check(devices: &Path, address: PciAddress, role: Role) -> Result<u32, Problem> {
    let folder = devices.join(address.to_string());
    if !folder.exists() {
        return Err(Problem::Missing);
    }
    let [vendor, device] = ["vendor", "device"].map(|file| number(&folder.join(file)));
    let found = identity::role(vendor? as u16, device? as u16).map_err(Problem::NotMillrace)?;
    if found != role {
        return Err(Problem::NotMillrace(format!("this is {found}, not {role}")));
    }
    let bound = target(&folder.join("driver"))?;
    if bound.as_deref() != Some(DRIVER) {
        return Err(Problem::NotBound { address, bound });
    }
    let group = target(&folder.join("iommu_group"))?.and_then(|name| name.parse().ok()).ok_or(Problem::NoGroup)?;
    let others = neighbours(&folder.join("iommu_group/devices"), address)?;
    if others.is_empty() { Ok(group) } else { Err(Problem::Shared { group, others }) }
}

/// The functions of a group beside this one, but for bridges, in the order of their addresses.
fn neighbours(group: &Path, address: PciAddress) -> Result<Vec<Neighbour>, Problem> {
    let unreadable = |error| Problem::Sysfs { path: group.to_owned(), error };
    let mut others = vec![];
    for entry in fs::read_dir(group).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != address.to_string() && number(&entry.path().join("class"))? >> 16 != BRIDGE {
            others.push(Neighbour { address: name, driver: target(&entry.path().join("driver"))? });
        }
    }
    others.sort_by(|a, b| a.address.cmp(&b.address));
    Ok(others)
}

/// The number in a file: `0x1af4`.
fn number(path: &Path) -> Result<u32, Problem> {
    let error = |error| Problem::Sysfs { path: path.to_owned(), error };
    let text = fs::read_to_string(path).map_err(error)?;
    let digits = text.trim_end().strip_prefix("0x").unwrap_or_default();
    u32::from_str_radix(digits, 16).map_err(|parse| error(std::io::Error::new(ErrorKind::InvalidData, parse)))
}

/// The last name of what a link leads to; none if there is no link.
fn target(link: &Path) -> Result<Option<String>, Problem> {
    match fs::read_link(link) {
        Ok(target) => Ok(target.file_name().map(|name| name.to_string_lossy().into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Problem::Sysfs { path: link.to_owned(), error }),
    }
}

/// The files by which VFIO is opened: that of containers, and that of a group.
pub fn vfio_files(group: u32) -> [PathBuf; 2] {
    [PathBuf::from("/dev/vfio/vfio"), PathBuf::from(format!("/dev/vfio/{group}"))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const FUNCTION: &str = "0000:65:00.1";

    /// Address, vendor, device, class, driver and group of a function.
    type Function<'a> = (&'a str, u32, u32, u32, &'a str, Option<u32>);

    /// The kernel's files of functions.
    fn tree(functions: &[Function]) -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        for &(address, vendor, device, class, driver, group) in functions {
            let folder = tree.path().join(address);
            fs::create_dir(&folder).unwrap();
            for (file, value) in [("vendor", vendor), ("device", device), ("class", class)] {
                fs::write(folder.join(file), format!("{value:#06x}\n")).unwrap();
            }
            if !driver.is_empty() {
                symlink(format!("../../bus/pci/drivers/{driver}"), folder.join("driver")).unwrap();
            }
            if let Some(group) = group {
                let members = tree.path().join(format!("groups/{group}/devices"));
                fs::create_dir_all(&members).unwrap();
                symlink(&folder, members.join(address)).unwrap();
                symlink(tree.path().join(format!("groups/{group}")), folder.join("iommu_group")).unwrap();
            }
        }
        tree
    }

    fn checked(functions: &[Function]) -> Result<u32, String> {
        let address: PciAddress = FUNCTION.parse().unwrap();
        check(tree(functions).path(), address, Role::Network).map_err(|problem| problem.of(address).to_string())
    }

    #[test]
    fn a_function_alone_in_its_group_but_for_bridges_is_taken() {
        let bridge = ("0000:64:00.0", 0x8086, 0x1234, 0x06_0400, "pcieport", Some(7));
        assert_eq!(checked(&[(FUNCTION, 0x1af4, 0x1041, 0x02_0000, "vfio-pci", Some(7)), bridge]), Ok(7));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let good = (FUNCTION, 0x1af4, 0x1041, 0x02_0000, "vfio-pci", Some(7));
        let other = ("0000:65:00.2", 0x1af4, 0x1041, 0x02_0000, "virtio-pci", Some(7));
        let third = ("0000:65:00.0", 0x1af4, 0x10f0, 0x02_8000, "", Some(7));
        let cases = [
            (vec![], "there is no PCI function at this address"),
            (
                vec![(FUNCTION, 0x8086, 0x1572, 0x02_0000, "vfio-pci", Some(7))],
                "this is PCI device 8086:1572, not a function of Millrace (1af4:1041 or 1af4:10f0)",
            ),
            (vec![(FUNCTION, 0x1af4, 0x10f0, 0x02_8000, "vfio-pci", Some(7))], "this is the ECPF, not a PF or VF"),
            (
                vec![(FUNCTION, 0x1af4, 0x1041, 0x02_0000, "virtio-pci", Some(7))],
                "it is bound to virtio-pci, and has to be to vfio-pci: write vfio-pci to driver_override in \
                 /sys/bus/pci/devices/0000:65:00.1, the address to driver/unbind there if it has a driver, and then to \
                 /sys/bus/pci/drivers_probe",
            ),
            (vec![(FUNCTION, 0x1af4, 0x1041, 0x02_0000, "", Some(7))], "it is bound to no driver, and has to be"),
            (vec![(FUNCTION, 0x1af4, 0x1041, 0x02_0000, "vfio-pci", None)], "it has no IOMMU group"),
            (
                vec![good, other, third],
                "it shares IOMMU group 7 with 0000:65:00.0 (bound to no driver), 0000:65:00.2 (bound to virtio-pci)",
            ),
        ];
        for (functions, text) in cases {
            let error = checked(&functions).unwrap_err();
            assert!(error.starts_with(&format!("{FUNCTION}: {text}")), "{error}\nis not: {text}");
        }
    }

    #[test]
    fn a_file_that_is_not_as_it_should_be_is_named() {
        let tree = tree(&[(FUNCTION, 0x1af4, 0x1041, 0x02_0000, "vfio-pci", Some(7))]);
        let file = tree.path().join(FUNCTION).join("vendor");
        fs::write(&file, "virtio\n").unwrap();
        let problem = check(tree.path(), FUNCTION.parse().unwrap(), Role::Network).unwrap_err().to_string();
        assert!(problem.starts_with(&format!("cannot read {}: ", file.display())), "{problem}");
    }
}
