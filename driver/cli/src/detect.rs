// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `--detect-scan` and `--detect-spoof` ask for.

use crate::duration;
use crate::error::BadInput;
use clap::Args;
use millrace_firmware::detect::{Detection, MAX_DISTINCT, ScanDetection, SpoofDetection, Vports};
use millrace_regs::config::Config;

/// The time that counts if none is given: ten seconds.
const WITHIN_NS: u64 = 10_000_000_000;
/// What a time may be: a millisecond, an hour, a week.
const SHORTEST_NS: u64 = 1_000_000;
const LONGEST_WITHIN_NS: u64 = 3_600_000_000_000;
const LONGEST_BLOCK_NS: u64 = 168 * 3_600_000_000_000;

/// What is looked out for.
#[derive(Args, Debug, Default)]
pub struct DetectArgs {
    /// Tell of sources that contact so many ports or hosts within a time, and block them if that is asked for: `ports=100,hosts=50,within=10s,block=60s,on=vf0`. One of ports and hosts
    /// is needed; within is 10s unless given; without block nothing is dropped; on may be given several times, and is PF and all VFs unless given. `millrace events` shows what is found.
    #[arg(long, value_name = "SETTING=VALUE,…", value_parser = scan, requires = "flows")]
    pub detect_scan: Option<ScanArgs>,

    /// Tell of PF and VFs that send with another source address than theirs, and block that address if that is asked for: `within=10s,block=60s,on=vf0`, or `on` for the defaults:
    /// an address is told of once in 10s, nothing is dropped, PF and all VFs are looked at.
    #[arg(long, value_name = "SETTING=VALUE,…", value_parser = spoof, requires = "flows")]
    pub detect_spoof: Option<SpoofArgs>,
}

/// Settings of `--detect-scan`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanArgs {
    ports: Option<u16>,
    hosts: Option<u16>,
    common: Common,
}

/// Settings of `--detect-spoof`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoofArgs(Common);

/// What both have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Common {
    within: Option<u64>,
    block: Option<u64>,
    on: Vec<String>,
}

impl Common {
    /// Takes a setting, unless there is none of this name.
    fn take(&mut self, name: &str, value: &str) -> Result<bool, String> {
        match name {
            "within" => once(name, &mut self.within, time(name, value, LONGEST_WITHIN_NS, "1h")?)?,
            "block" => once(name, &mut self.block, time(name, value, LONGEST_BLOCK_NS, "168h")?)?,
            "on" => self.on.push(value.to_owned()),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The ports that are looked at.
    fn vports(&self, option: &str, config: &Config) -> Result<Vports, BadInput> {
        if self.on.is_empty() {
            return Ok(Vports::of((config.uplinks..config.vports()).map(|vport| vport as u8)));
        }
        let find = |name: &String| {
            config.vport_number(name).map(|vport| vport as u8).ok_or_else(|| {
                let names: Vec<_> = (0..config.vports()).filter_map(|vport| config.vport_name(vport)).collect();
                BadInput(format!("{option} …on={name}: there is no such port: there are {}", names.join(", ")))
            })
        };
        Ok(Vports::of(self.on.iter().map(find).collect::<Result<Vec<_>, _>>()?))
    }
}

impl DetectArgs {
    /// What is looked out for on a device, of which `functions` says whether its PF and VFs are reached.
    pub fn detection(&self, config: &Config, functions: bool) -> Result<Detection, BadInput> {
        let scan = self.detect_scan.as_ref().map(|scan| {
            let ScanArgs { ports, hosts, ref common } = *scan;
            let vports = common.vports("--detect-scan", config)?;
            Ok(ScanDetection { ports, hosts, within: common.within.unwrap_or(WITHIN_NS), block: common.block, vports })
        });
        let spoof = self.detect_spoof.as_ref().map(|SpoofArgs(common)| {
            let vports = common.vports("--detect-spoof", config)?;
            if !functions {
                return Err(BadInput(
                    "--detect-spoof: this device has no host side, so there is no function whose address is known"
                        .into(),
                ));
            }
            if let Some(uplink) = vports.numbers().find(|vport| usize::from(*vport) < config.uplinks) {
                let name = config.vport_name(uplink.into()).unwrap_or_default();
                return Err(BadInput(format!(
                    "--detect-spoof …on={name}: an uplink has no address of its own; give PF or VFs"
                )));
            }
            Ok(SpoofDetection { within: common.within.unwrap_or(WITHIN_NS), block: common.block, vports })
        });
        Ok(Detection { scan: scan.transpose()?, spoof: spoof.transpose()? })
    }
}

/// `ports=100,hosts=50,within=10s,block=60s,on=vf0`
fn scan(text: &str) -> Result<ScanArgs, String> {
    let mut args = ScanArgs { ports: None, hosts: None, common: Common::default() };
    for (name, value) in pairs(text)? {
        match name {
            "ports" => once(name, &mut args.ports, many(name, value)?)?,
            "hosts" => once(name, &mut args.hosts, many(name, value)?)?,
            _ if args.common.take(name, value)? => {}
            _ => return Err(format!("there is no setting `{name}`: give ports, hosts, within, block or on")),
        }
    }
    match (args.ports, args.hosts) {
        (None, None) => Err("how many is a scan? Give ports=N or hosts=N, or both".into()),
        _ => Ok(args),
    }
}

/// `within=10s,block=60s,on=vf0`
fn spoof(text: &str) -> Result<SpoofArgs, String> {
    let mut common = Common::default();
    if text == "on" {
        return Ok(SpoofArgs(common));
    }
    for (name, value) in pairs(text)? {
        if !common.take(name, value)? {
            return Err(format!("there is no setting `{name}`: give within, block or on"));
        }
    }
    Ok(SpoofArgs(common))
}

fn pairs(text: &str) -> Result<Vec<(&str, &str)>, String> {
    let pair = |item: &'_ str| format!("`{item}` is not SETTING=VALUE");
    text.split(',').map(|item| item.split_once('=').ok_or_else(|| pair(item))).collect()
}

fn once<T>(name: &str, place: &mut Option<T>, value: T) -> Result<(), String> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("`{name}` is given twice")),
    }
}

fn many(name: &str, value: &str) -> Result<u16, String> {
    let number = value.parse().ok().filter(|number| (1..=MAX_DISTINCT).contains(number));
    number.ok_or_else(|| format!("`{name}={value}`: {name} is a number from 1 to {MAX_DISTINCT}"))
}

fn time(name: &str, value: &str, longest: u64, most: &str) -> Result<u64, String> {
    let ns = duration::nanoseconds(value).filter(|ns| (SHORTEST_NS..=longest).contains(ns));
    ns.ok_or_else(|| format!("`{name}={value}`: give a time from 1ms to {most}, in ms, s, m or h, as 10s"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_regs::config::Preset;

    #[test]
    fn settings_are_taken_in_any_order() {
        let args = scan("within=2s,on=vf0,hosts=5,on=p0,block=1m").unwrap();
        let detect = DetectArgs { detect_scan: Some(args), detect_spoof: Some(spoof("on").unwrap()) };
        let found = detect.detection(&Preset::Sim.config(), true).unwrap();
        let second = 1_000_000_000;
        assert_eq!(
            found.scan,
            Some(ScanDetection {
                ports: None,
                hosts: Some(5),
                within: 2 * second,
                block: Some(60 * second),
                vports: Vports::of([0, 3]),
            })
        );
        assert_eq!(found.spoof, Some(SpoofDetection { within: 10 * second, block: None, vports: Vports::of(2..11) }));
    }

    #[test]
    fn what_is_no_threshold_time_or_port_is_refused_with_what_would_be() {
        for (text, says) in [
            ("ports=0", "`ports=0`: ports is a number from 1 to 1024"),
            ("hosts=0,ports=1", "`hosts=0`: hosts is a number from 1 to 1024"),
            ("ports=1025", "from 1 to 1024"),
            ("ports=many", "`ports=many`"),
            ("ports=9,within=0s", "`within=0s`: give a time from 1ms to 1h"),
            ("ports=9,within=10", "`within=10`: give a time"),
            ("ports=9,block=0s", "`block=0s`: give a time from 1ms to 168h"),
            ("ports=9,block=169h", "`block=169h`"),
            ("ports=9,ports=8", "`ports` is given twice"),
            ("ports=9,speed=1", "there is no setting `speed`: give ports, hosts, within, block or on"),
            ("ports", "`ports` is not SETTING=VALUE"),
            ("within=1s", "Give ports=N or hosts=N"),
        ] {
            let error = scan(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
        assert!(spoof("ports=3").unwrap_err().contains("give within, block or on"));
        assert!(spoof("block=0s").unwrap_err().contains("from 1ms"));
        let refused = |scan_text: Option<&str>, spoof_text: &str, functions| {
            let detect_scan = scan_text.map(|text| scan(text).unwrap());
            let detect = DetectArgs { detect_scan, detect_spoof: Some(spoof(spoof_text).unwrap()) };
            detect.detection(&Preset::Sim.config(), functions).unwrap_err().0
        };
        let names = "p0, p1, pf, vf0, vf1, vf2, vf3, vf4, vf5, vf6, vf7";
        assert_eq!(
            refused(Some("ports=1,on=vf9"), "on", true),
            format!("--detect-scan …on=vf9: there is no such port: there are {names}")
        );
        assert!(refused(None, "on=vf8", true).contains("--detect-spoof …on=vf8: there is no such port"));
        assert!(refused(None, "on=p1", true).contains("an uplink has no address"));
        assert!(refused(None, "on", false).contains("no host side"));
    }
}
