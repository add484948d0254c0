// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ports as flow files name them.

/// Open vSwitch's number of no port, where something is not set (`OFPP_UNSET`).
pub const OFPP_UNSET: u16 = 0xfff7;
/// OpenFlow 1.0 number of `in_port` as an output (`OFPP_IN_PORT`).
pub const OFPP_IN_PORT: u16 = 0xfff8;
/// `OFPP_TABLE`.
pub const OFPP_TABLE: u16 = 0xfff9;
/// `OFPP_NORMAL`.
pub const OFPP_NORMAL: u16 = 0xfffa;
/// `OFPP_FLOOD`.
pub const OFPP_FLOOD: u16 = 0xfffb;
/// `OFPP_ALL`.
pub const OFPP_ALL: u16 = 0xfffc;
/// `OFPP_CONTROLLER`.
pub const OFPP_CONTROLLER: u16 = 0xfffd;
/// `OFPP_LOCAL`.
pub const OFPP_LOCAL: u16 = 0xfffe;
/// `OFPP_NONE` (`OFPP_ANY`): no port.
pub const OFPP_NONE: u16 = 0xffff;

/// The ports of the switch: uplinks `p0`…, the PF `pf`, VFs `vf0`…, with OpenFlow numbers 1, 2, 3, … in this order.
/// A vport's number (in the hardware) is one less than its OpenFlow number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ports {
    uplinks: u16,
    vports: u16,
}

impl Ports {
    /// A switch of `vports` ports in all, the first `uplinks` of them uplinks, the next one the PF, the rest VFs.
    pub const fn new(vports: u16, uplinks: u16) -> Ports {
        Ports { uplinks, vports }
    }

    /// The `sim` preset: two uplinks, the PF, eight VFs.
    pub const fn sim() -> Ports {
        Ports::new(11, 2)
    }

    /// How many ports there are; their OpenFlow numbers are 1 to this number.
    pub const fn count(&self) -> u16 {
        self.vports
    }

    /// Whether a port has this OpenFlow number.
    pub const fn contains(&self, number: u16) -> bool {
        number >= 1 && number <= self.vports
    }

    /// All OpenFlow numbers.
    pub fn numbers(&self) -> impl Iterator<Item = u16> + use<> {
        1..=self.vports
    }

    /// The OpenFlow number of the port with this name.
    pub fn number(&self, name: &str) -> Option<u16> {
        self.numbers().find(|&n| self.name(n).as_deref() == Some(name))
    }

    /// The name of the port with this OpenFlow number.
    pub fn name(&self, number: u16) -> Option<String> {
        if !self.contains(number) {
            return None;
        }
        let vport = number - 1;
        Some(match vport.checked_sub(self.uplinks) {
            None => format!("p{vport}"),
            Some(0) => "pf".to_owned(),
            Some(vf) => format!("vf{}", vf - 1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_of_the_sim_preset() {
        let ports = Ports::sim();
        assert_eq!((ports.number("p0"), ports.number("p1"), ports.number("pf")), (Some(1), Some(2), Some(3)));
        assert_eq!((ports.number("vf0"), ports.number("vf7"), ports.number("vf8")), (Some(4), Some(11), None));
        assert_eq!((ports.name(0), ports.name(11), ports.name(12)), (None, Some("vf7".into()), None));
    }
}
