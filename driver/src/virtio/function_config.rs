// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the ECPF sets and sees of a PF or VF (`docs/host.md`, "What the ECPF sets").

use super::{VirtioError, VirtioPci};
use millrace_regs::host::{
    FUNCTION, FUNCTION_BAD_OFFLOAD, FUNCTION_FEATURES_HI, FUNCTION_FEATURES_LO, FUNCTION_MAC_HI, FUNCTION_MAC_LO,
    FUNCTION_MTU, FUNCTION_NO_BUFFER, FUNCTION_POLICY, FUNCTION_REFUSED,
};
use millrace_regs::map::Register;

/// Bit of `status` that says that the link is up (virtio 5.1.4).
const LINK_UP: u32 = 1;

/// What a PF's or VF's driver sees of its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionConfig {
    /// Its MAC address.
    pub mac: [u8; 6],
    /// Longest payload of a frame, in bytes.
    pub mtu: u16,
    /// Its link.
    pub link_up: bool,
    /// Features that are offered, if the device has them.
    pub features: u64,
    /// What its frames may be.
    pub policy: FunctionPolicy,
}

/// What a PF's or VF's frames may be (`docs/host.md`, "Policy"), as `ip link set … vf` has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FunctionPolicy {
    /// The VLAN that it is in, without knowing of it.
    pub vlan: Option<FunctionVlan>,
    /// Frames whose source is not its MAC address are dropped.
    pub spoof_check: bool,
    /// It may change its MAC address.
    pub trust: bool,
}

/// A VLAN, as its tag has it (IEEE 802.1Q).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionVlan {
    /// Identifier, 1 to 4,095.
    pub id: u16,
    /// Priority of what the function sends, 0 to 7.
    pub priority: u8,
    /// The tag's type is 0x88a8 (IEEE 802.1ad), not 0x8100.
    pub service: bool,
}

impl FunctionPolicy {
    /// The register's value.
    ///
    /// # Panics
    /// If a number is out of its range.
    fn register(&self) -> u32 {
        let field = |name, value: u32| {
            let field = FUNCTION_POLICY.field(name).expect("a field of the register");
            assert!(value >> field.width == 0, "{name} {value} has more than {} bits", field.width);
            field.place(value)
        };
        let vlan = self.vlan.map_or(0, |vlan| {
            field("vlan", vlan.id.into())
                | field("priority", vlan.priority.into())
                | field("service", vlan.service.into())
        });
        vlan | field("spoof_check", self.spoof_check.into()) | field("trust", self.trust.into())
    }
}

impl FunctionConfig {
    /// Gives it to a function, through the ECPF's BAR. The link comes last: a driver that waits for it finds the rest.
    ///
    /// # Errors
    /// If the ECPF cannot be reached, or there is no such function.
    pub fn set(&self, ecpf: &mut impl VirtioPci, function: u32) -> Result<(), VirtioError> {
        let [a, b, c, d, e, f] = self.mac;
        let status = if self.link_up { LINK_UP } else { 0 };
        let high = u32::from(u16::from_le_bytes([e, f])) | status << 16;
        let registers: [(Register, u32); 6] = [
            (FUNCTION_POLICY, self.policy.register()),
            (FUNCTION_FEATURES_LO, self.features as u32),
            (FUNCTION_FEATURES_HI, (self.features >> 32) as u32),
            (FUNCTION_MTU, self.mtu.into()),
            (FUNCTION_MAC_LO, u32::from_le_bytes([a, b, c, d])),
            (FUNCTION_MAC_HI, high),
        ];
        for (register, value) in registers {
            let offset = FUNCTION.at(function) + register.offset;
            let written = ecpf.write32(offset, value);
            written.map_err(|error| VirtioError::Transport { access: "write", offset, error })?;
        }
        Ok(())
    }
}

/// Frames that a function and the device have dropped between them, modulo 2^32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionLosses {
    /// For the function: its driver had no buffer for them.
    pub no_buffer: u32,
    /// From it: what their header asks for does not fit them. 0 of the ECPF.
    pub bad_offload: u32,
    /// From it and for it: its [`FunctionPolicy`] does not let them through. 0 of the ECPF.
    pub refused: u32,
}

impl FunctionLosses {
    /// Reads them through the ECPF's BAR.
    ///
    /// # Errors
    /// As [`FunctionConfig::set`].
    pub fn read(ecpf: &mut impl VirtioPci, function: u32) -> Result<Self, VirtioError> {
        let mut count = |register: Register| {
            let offset = FUNCTION.at(function) + register.offset;
            ecpf.read32(offset).map_err(|error| VirtioError::Transport { access: "read", offset, error })
        };
        Ok(Self {
            no_buffer: count(FUNCTION_NO_BUFFER)?,
            bad_offload: count(FUNCTION_BAD_OFFLOAD)?,
            refused: count(FUNCTION_REFUSED)?,
        })
    }
}
