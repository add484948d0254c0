// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which device a run is on.

use millrace_driver::serial::BAUD;
use std::path::PathBuf;
use std::str::FromStr;

/// A device, as `--device` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// Simulated in this process.
    Embedded,
    /// A card whose host channel is at a serial port.
    Serial { path: PathBuf, baud: u32 },
}

/// What there is, for messages.
const FORMS: &str = "the devices are `embedded` and `serial:PATH[,baud=N]`";

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "embedded" => Ok(DeviceChoice::Embedded),
            Some(("serial", port)) => serial(port),
            _ => Err(format!("there is no device `{text}`: {FORMS}")),
        }
    }
}

/// `PATH[,baud=N]`
fn serial(port: &str) -> Result<DeviceChoice, String> {
    let (path, baud) = match port.split_once(',') {
        None => (port, BAUD),
        Some((path, option)) => {
            let number = option.strip_prefix("baud=").ok_or_else(|| format!("unknown option `{option}`: {FORMS}"))?;
            let baud = number.replace('_', "").parse().map_err(|_| format!("`{number}` is no number of bauds"))?;
            (path, baud)
        }
    };
    if path.is_empty() {
        return Err(format!("the serial port has no name: {FORMS}"));
    }
    Ok(DeviceChoice::Serial { path: path.into(), baud })
}

/// What another process serves: a device's folder, or a function's socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served(pub PathBuf);

impl FromStr for Served {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("vfio-user", path)) if !path.is_empty() => Ok(Self(path.into())),
            _ => Err("give `vfio-user:` and a path".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_served_is_named_by_its_path() {
        assert_eq!("vfio-user:/tmp/a:b".parse(), Ok(Served("/tmp/a:b".into())));
        for text in ["/tmp/dpu", "vfio-user:", "vfio:/tmp/dpu", ""] {
            assert!(text.parse::<Served>().is_err(), "{text}");
        }
    }

    #[test]
    fn devices_are_parsed_or_refused_with_what_there_is() {
        let serial = |path: &str, baud| Ok(DeviceChoice::Serial { path: path.into(), baud });
        assert_eq!("embedded".parse(), Ok(DeviceChoice::Embedded));
        assert_eq!("serial:/dev/ttyUSB1".parse(), serial("/dev/ttyUSB1", 3_000_000));
        assert_eq!("serial:/dev/ttyUSB1,baud=115_200".parse(), serial("/dev/ttyUSB1", 115_200));
        for (text, problem) in [
            ("fpga", "no device `fpga`"),
            ("embedded:x", "no device `embedded:x`"),
            ("vfio:0000:01:00.0", "no device `vfio:0000:01:00.0`"),
            ("serial:", "has no name"),
            ("serial:/dev/x,parity=1", "unknown option `parity=1`"),
        ] {
            let message = text.parse::<DeviceChoice>().unwrap_err();
            assert!(message.contains(problem) && message.ends_with(FORMS), "{message}");
        }
        assert_eq!("serial:x,baud=fast".parse::<DeviceChoice>().unwrap_err(), "`fast` is no number of bauds");
    }
}
