// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the ECPF sets and sees of a PF or VF (`docs/host.md`, "What the ECPF sets").

use super::{Fault, VirtioError, VirtioPci};
use millrace_regs::host::{
    FUNCTION, FUNCTION_BAD_OFFLOAD, FUNCTION_FAULT, FUNCTION_FEATURES_HI, FUNCTION_FEATURES_LO, FUNCTION_MAC_HI,
    FUNCTION_MAC_LO, FUNCTION_MTU, FUNCTION_NO_BUFFER, FUNCTION_POLICY, FUNCTION_RATE, FUNCTION_REFUSED,
    FUNCTION_SAMPLES, FUNCTION_STATE, FUNCTION_WEIGHT, LIMITS, TIME_UNIT_NS, status,
};
use millrace_regs::map::{Bits, Register};
use std::time::Duration;

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
    /// Mb/s that it may send, up to [`FASTEST`](Self::FASTEST); 0: as fast as it can (`docs/host.md`, "Rates").
    pub max_tx_rate: u32,
    /// Its weight among those that want to send, up to [`HEAVIEST`](Self::HEAVIEST); 0: none of its own, as 1 (`docs/host.md`, "Weights").
    pub tx_weight: u32,
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
    /// The highest rate that there is, in Mb/s.
    pub const FASTEST: u32 = FUNCTION_RATE.mask();
    /// The greatest weight that there is.
    pub const HEAVIEST: u32 = FUNCTION_WEIGHT.mask();

    /// The register's value.
    ///
    /// # Panics
    /// If a number is out of its range.
    fn register(&self) -> u32 {
        let field = |name, value: u32| {
            let field = policy_field(name);
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

    /// What the registers say.
    fn of_registers(word: u32, limits: Limits) -> Self {
        let field = |name| policy_field(name).get(word);
        let vlan = FunctionVlan {
            id: field("vlan") as u16,
            priority: field("priority") as u8,
            service: field("service") != 0,
        };
        Self {
            vlan: (vlan.id != 0).then_some(vlan),
            spoof_check: field("spoof_check") != 0,
            trust: field("trust") != 0,
            max_tx_rate: limits.rate,
            tx_weight: limits.weight,
        }
    }
}

fn policy_field(name: &str) -> Bits {
    *FUNCTION_POLICY.field(name).expect("a field of the register")
}

/// What is limited of what a function sends.
struct Limits {
    rate: u32,
    weight: u32,
}

impl Limits {
    fn read(ecpf: &mut impl VirtioPci, function: u32) -> Result<Self, VirtioError> {
        let mut read = |register: Register| read_at(ecpf, LIMITS.at(function) + register.offset);
        Ok(Self { rate: read(FUNCTION_RATE)?, weight: read(FUNCTION_WEIGHT)? })
    }
}

/// Bytes of a function's registers that are written at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Write {
    Limit(u32, u32),
    Word(u32, u32),
    Half(u32, u16),
}

impl FunctionConfig {
    /// Gives it to a function, through the ECPF's BAR. The link comes last: a driver that waits for it finds the rest.
    ///
    /// # Errors
    /// If the ECPF cannot be reached, or there is no such function.
    pub fn set(&self, ecpf: &mut impl VirtioPci, function: u32) -> Result<(), VirtioError> {
        self.writes().into_iter().try_for_each(|write| write.make(ecpf, function))
    }

    /// Gives a function what differs from what [`read`](Self::read) gave before. The rest is not touched: its driver may have set its address meanwhile.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn change(&self, before: &Self, ecpf: &mut impl VirtioPci, function: u32) -> Result<(), VirtioError> {
        let pairs = self.writes().into_iter().zip(before.writes());
        pairs.filter(|(new, old)| new != old).try_for_each(|(write, _)| write.make(ecpf, function))
    }

    /// What a function has, its driver's changes too.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn read(ecpf: &mut impl VirtioPci, function: u32) -> Result<Self, VirtioError> {
        let limits = Limits::read(ecpf, function)?;
        let mut word = |register| read(ecpf, function, register);
        let [a, b, c, d] = word(FUNCTION_MAC_LO)?.to_le_bytes();
        let high = word(FUNCTION_MAC_HI)?;
        let [e, f, ..] = high.to_le_bytes();
        let (low, features) = (word(FUNCTION_FEATURES_LO)?, word(FUNCTION_FEATURES_HI)?);
        Ok(Self {
            mac: [a, b, c, d, e, f],
            mtu: word(FUNCTION_MTU)? as u16,
            link_up: high >> 16 & LINK_UP != 0,
            features: u64::from(features) << 32 | u64::from(low),
            policy: FunctionPolicy::of_registers(word(FUNCTION_POLICY)?, limits),
        })
    }

    fn writes(&self) -> [Write; 9] {
        let [a, b, c, d, e, f] = self.mac;
        [
            Write::Word(FUNCTION_POLICY.offset, self.policy.register()),
            Write::Limit(FUNCTION_RATE.offset, self.policy.max_tx_rate),
            Write::Limit(FUNCTION_WEIGHT.offset, self.policy.tx_weight),
            Write::Word(FUNCTION_FEATURES_LO.offset, self.features as u32),
            Write::Word(FUNCTION_FEATURES_HI.offset, (self.features >> 32) as u32),
            Write::Word(FUNCTION_MTU.offset, self.mtu.into()),
            Write::Word(FUNCTION_MAC_LO.offset, u32::from_le_bytes([a, b, c, d])),
            Write::Half(FUNCTION_MAC_HI.offset, u16::from_le_bytes([e, f])),
            Write::Half(FUNCTION_MAC_HI.offset + 2, if self.link_up { LINK_UP as u16 } else { 0 }),
        ]
    }
}

impl Write {
    fn make(self, ecpf: &mut impl VirtioPci, function: u32) -> Result<(), VirtioError> {
        let offset = match self {
            Self::Limit(offset, _) => LIMITS.at(function) + offset,
            Self::Word(offset, _) | Self::Half(offset, _) => FUNCTION.at(function) + offset,
        };
        let written = match self {
            Self::Word(_, value) | Self::Limit(_, value) => ecpf.write32(offset, value),
            Self::Half(_, value) => ecpf.write16(offset, value),
        };
        written.map_err(|error| VirtioError::Transport { access: "write", offset, error })
    }
}

fn read(ecpf: &mut impl VirtioPci, function: u32, register: Register) -> Result<u32, VirtioError> {
    read_at(ecpf, FUNCTION.at(function) + register.offset)
}

fn read_at(ecpf: &mut impl VirtioPci, offset: u32) -> Result<u32, VirtioError> {
    ecpf.read32(offset).map_err(|error| VirtioError::Transport { access: "read", offset, error })
}

/// What tells whether a function sends as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionView {
    /// Its MAC address, which its driver may have set.
    pub mac: [u8; 6],
    /// What its frames may be.
    pub policy: FunctionPolicy,
    /// Frames from it and for it that this did not let through, modulo 2^32.
    pub refused: u32,
}

impl FunctionView {
    /// Reads it through the ECPF's BAR.
    ///
    /// # Errors
    /// As [`FunctionConfig::set`].
    pub fn read(ecpf: &mut impl VirtioPci, function: u32) -> Result<Self, VirtioError> {
        let limits = Limits::read(ecpf, function)?;
        let mut word = |register| read(ecpf, function, register);
        let [a, b, c, d] = word(FUNCTION_MAC_LO)?.to_le_bytes();
        let [e, f, ..] = word(FUNCTION_MAC_HI)?.to_le_bytes();
        let policy = FunctionPolicy::of_registers(word(FUNCTION_POLICY)?, limits);
        Ok(Self { mac: [a, b, c, d, e, f], policy, refused: word(FUNCTION_REFUSED)? })
    }
}

/// Has the device show what it drops of what a function sends: the ECPF gets the beginning of a frame no more often than once in this time (`docs/host.md`, "Samples").
///
/// # Errors
/// As [`FunctionConfig::set`].
pub fn sample_drops(ecpf: &mut impl VirtioPci, function: u32, interval: Duration) -> Result<(), VirtioError> {
    let units = interval.as_nanos().div_ceil(TIME_UNIT_NS.into()).clamp(1, FUNCTION_SAMPLES.mask().into());
    Write::Limit(FUNCTION_SAMPLES.offset, units as u32).make(ecpf, function)
}

/// Whether a function's driver is at work: it is set up, needs no reset, and the function may use its bus.
///
/// # Errors
/// As [`FunctionConfig::set`].
pub fn function_runs(ecpf: &mut impl VirtioPci, function: u32) -> Result<bool, VirtioError> {
    let state = read(ecpf, function, FUNCTION_STATE)?;
    let field = |name| FUNCTION_STATE.field(name).expect("a field of the register").get(state);
    let driver = field("device_status") as u8 & (status::DRIVER_OK | status::DEVICE_NEEDS_RESET);
    Ok(driver == status::DRIVER_OK && field("bus_master") != 0)
}

/// The first fault of a function since its reset; none if no virtqueue of it was stopped.
///
/// # Errors
/// As [`FunctionConfig::set`].
pub fn function_fault(ecpf: &mut impl VirtioPci, function: u32) -> Result<Option<Fault>, VirtioError> {
    let word = read(ecpf, function, FUNCTION_FAULT)?;
    Ok((word != 0).then(|| Fault::from_word(word)))
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
        let mut count = |register| read(ecpf, function, register);
        Ok(Self {
            no_buffer: count(FUNCTION_NO_BUFFER)?,
            bad_offload: count(FUNCTION_BAD_OFFLOAD)?,
            refused: count(FUNCTION_REFUSED)?,
        })
    }
}
