// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is set of a PF or VF, in the words of `ip link set … vf`.

use millrace_driver::virtio::{FunctionConfig, FunctionPolicy, FunctionVlan};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The link that a function's driver sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// Up, if the function is served.
    #[default]
    Auto,
    /// Up.
    Enable,
    /// Down.
    Disable,
}

impl fmt::Display for LinkState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Enable => "enable",
            Self::Disable => "disable",
        })
    }
}

/// What is set of one of them; the rest is as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VfSettings {
    mac: Option<[u8; 6]>,
    /// Identifier: 0 for none.
    vlan: Option<u16>,
    qos: Option<u8>,
    service: Option<bool>,
    spoof_check: Option<bool>,
    trust: Option<bool>,
    /// Mb/s: 0 for no limit.
    max_tx_rate: Option<u32>,
    /// 0 for none.
    tx_weight: Option<u32>,
    state: Option<LinkState>,
}

impl VfSettings {
    /// Those of a list of names and values.
    pub fn of<'a>(list: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, String> {
        let mut settings = Self::default();
        for (name, value) in list {
            settings.add(name, value)?;
        }
        if settings.vlan.unwrap_or(0) == 0 && (settings.qos.is_some() || settings.service.is_some()) {
            return Err("qos and proto are those of a VLAN: give vlan too".into());
        }
        Ok(settings)
    }

    fn add(&mut self, name: &str, value: &str) -> Result<(), String> {
        let is_new = match name {
            "mac" => self.mac.replace(crate::args::mac(value)?).is_none(),
            "vlan" => self.vlan.replace(number(name, value, 4095)? as u16).is_none(),
            "qos" => self.qos.replace(number(name, value, 7)? as u8).is_none(),
            "proto" => self.service.replace(one_of(name, value, [("802.1Q", false), ("802.1ad", true)])?).is_none(),
            "spoofchk" => self.spoof_check.replace(switch(name, value)?).is_none(),
            "trust" => self.trust.replace(switch(name, value)?).is_none(),
            "max_tx_rate" => self.max_tx_rate.replace(number(name, value, FunctionPolicy::FASTEST)?).is_none(),
            "tx_weight" => self.tx_weight.replace(number(name, value, FunctionPolicy::HEAVIEST)?).is_none(),
            "min_tx_rate" => {
                return Err("there are no guaranteed rates, so no `min_tx_rate`: give max_tx_rate or tx_weight".into());
            }
            "state" => {
                let (auto, enable, disable) = (LinkState::Auto, LinkState::Enable, LinkState::Disable);
                let states = [("auto", auto), ("enable", enable), ("disable", disable)];
                self.state.replace(one_of(name, value, states)?).is_none()
            }
            _ => {
                return Err(format!(
                    "there is no setting `{name}`: give mac, vlan, qos, proto, spoofchk, trust, max_tx_rate, tx_weight or state"
                ));
            }
        };
        if is_new { Ok(()) } else { Err(format!("`{name}` is set twice")) }
    }

    /// Puts it into a function's configuration. `state`: that of its link, with which the link is up if this says so, or if `served` with `Auto`.
    pub fn apply(&self, config: &mut FunctionConfig, state: &mut LinkState, served: bool) {
        *state = self.state.unwrap_or(*state);
        config.link_up = match state {
            LinkState::Auto => served,
            LinkState::Enable => true,
            LinkState::Disable => false,
        };
        config.mac = self.mac.unwrap_or(config.mac);
        config.policy.spoof_check = self.spoof_check.unwrap_or(config.policy.spoof_check);
        config.policy.trust = self.trust.unwrap_or(config.policy.trust);
        config.policy.max_tx_rate = self.max_tx_rate.unwrap_or(config.policy.max_tx_rate);
        config.policy.tx_weight = self.tx_weight.unwrap_or(config.policy.tx_weight);
        if let Some(id) = self.vlan {
            let (priority, service) = (self.qos.unwrap_or(0), self.service.unwrap_or(false));
            config.policy.vlan = (id != 0).then_some(FunctionVlan { id, priority, service });
        }
    }
}

/// `vf0=vlan=100,qos=3,spoofchk=on`: a port, and what is set of it.
pub fn parse(text: &str) -> Result<(String, VfSettings), String> {
    let (port, list) = text.split_once('=').filter(|(port, _)| !port.is_empty()).ok_or("give PORT=SETTING=VALUE,…")?;
    Ok((port.into(), parse_list(list)?))
}

/// `vlan=100,qos=3,spoofchk=on`.
pub fn parse_list(list: &str) -> Result<VfSettings, String> {
    let pairs = list.split(',').map(|item| {
        let pair = item.split_once('=');
        pair.ok_or_else(|| format!("`{item}` is not SETTING=VALUE"))
    });
    VfSettings::of(pairs.collect::<Result<Vec<_>, _>>()?)
}

/// The same from `vlan 100 qos 3 spoofchk on`, as it is written for `ip link`.
pub fn list_of(words: &[String]) -> Result<String, String> {
    let pairs = words.chunks(2).map(|pair| match pair {
        [name, value] => Ok((name.as_str(), value.as_str())),
        _ => Err(format!("`{}` has no value", pair[0])),
    });
    let pairs: Vec<_> = pairs.collect::<Result<_, _>>()?;
    VfSettings::of(pairs.iter().copied())?;
    Ok(pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(","))
}

fn switch(name: &str, value: &str) -> Result<bool, String> {
    one_of(name, value, [("on", true), ("off", false)])
}

fn one_of<T: Copy, const N: usize>(name: &str, value: &str, choices: [(&str, T); N]) -> Result<T, String> {
    let found = choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(value));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let words = choices.map(|(word, _)| word);
        format!("`{name}={value}`: {name} is {}", words.join(" or "))
    })
}

fn number(name: &str, value: &str, most: u32) -> Result<u32, String> {
    let number = value.parse().ok().filter(|number| *number <= most);
    number.ok_or_else(|| format!("`{name}={value}`: {name} is a number from 0 to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

    fn of(text: &str) -> FunctionConfig {
        let mut config =
            FunctionConfig { mac: MAC, mtu: 1500, link_up: true, features: 0, policy: FunctionPolicy::default() };
        parse(text).unwrap().1.apply(&mut config, &mut LinkState::default(), true);
        config
    }

    #[test]
    fn settings_are_those_of_ip_link() {
        assert_eq!(parse("vf3=trust=on").unwrap().0, "vf3");
        assert_eq!(of("vf0=mac=02:00:00:00:00:09").mac, [2, 0, 0, 0, 0, 9]);
        assert_eq!(of("vf0=trust=on").mac, MAC);
        let vlan = |text| of(text).policy.vlan;
        assert_eq!(
            vlan("vf0=vlan=100,qos=3,proto=802.1ad"),
            Some(FunctionVlan { id: 100, priority: 3, service: true })
        );
        assert_eq!(vlan("vf0=vlan=4095"), Some(FunctionVlan { id: 4095, priority: 0, service: false }));
        assert_eq!(vlan("vf0=vlan=0"), None);
        let words = |text: &str| list_of(&text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(words("vlan 100 qos 3 trust on"), Ok("vlan=100,qos=3,trust=on".into()));
        assert_eq!(words("trust on vlan"), Err("`vlan` has no value".into()));
        assert!(words("vlan 4096").is_err());
        assert!(of("vf0=spoofchk=on").policy.spoof_check && !of("vf0=spoofchk=off").policy.spoof_check);
        assert!(of("vf0=trust=ON").policy.trust);
        assert_eq!(["2500", "0"].map(|rate| of(&format!("vf0=max_tx_rate={rate}")).policy.max_tx_rate), [2500, 0]);
        assert_eq!(["255", "0"].map(|weight| of(&format!("vf0=tx_weight={weight}")).policy.tx_weight), [255, 0]);
        assert_eq!(["auto", "enable", "disable"].map(|s| of(&format!("vf0=state={s}")).link_up), [true, true, false]);
    }

    #[test]
    fn what_is_not_set_stays_and_a_vlan_is_set_whole() {
        let mut config = of("vf0=vlan=100,qos=3,proto=802.1ad,spoofchk=on,state=disable");
        let mut state = LinkState::Disable;
        let mut set = |list: &str, served| {
            parse_list(list).unwrap().apply(&mut config, &mut state, served);
            (config.link_up, config.policy.vlan.map(|vlan| vlan.priority), config.policy.spoof_check)
        };
        assert_eq!(set("trust=on", true), (false, Some(3), true));
        assert_eq!(set("vlan=7", true), (false, Some(0), true));
        assert_eq!(set("state=enable", false), (true, Some(0), true));
        assert_eq!(set("state=auto,vlan=0", false), (false, None, true));
    }

    #[test]
    fn what_is_no_setting_is_refused_with_what_there_is() {
        for (text, says) in [
            ("vf0", "PORT=SETTING=VALUE"),
            ("=vlan=1", "PORT=SETTING=VALUE"),
            ("vf0=vlan", "`vlan` is not SETTING=VALUE"),
            (
                "vf0=speed=1",
                "there is no setting `speed`: give mac, vlan, qos, proto, spoofchk, trust, max_tx_rate, tx_weight or state",
            ),
            ("vf0=max_tx_rate=131072", "`max_tx_rate=131072`: max_tx_rate is a number from 0 to 131071"),
            ("vf0=tx_weight=256", "`tx_weight=256`: tx_weight is a number from 0 to 255"),
            ("vf0=tx_weight=-1", "tx_weight is a number from 0 to 255"),
            ("vf0=min_tx_rate=5", "no `min_tx_rate`: give max_tx_rate or tx_weight"),
            ("vf0=vlan=4096", "`vlan=4096`: vlan is a number from 0 to 4095"),
            ("vf0=vlan=1,qos=8", "`qos=8`: qos is a number from 0 to 7"),
            ("vf0=vlan=1,vlan=2", "`vlan` is set twice"),
            ("vf0=qos=1", "qos and proto are those of a VLAN"),
            ("vf0=vlan=1,proto=q", "`proto=q`: proto is 802.1Q or 802.1ad"),
            ("vf0=spoofchk=yes", "`spoofchk=yes`: spoofchk is on or off"),
            ("vf0=state=up", "`state=up`: state is auto or enable or disable"),
            ("vf0=mac=03:00:00:00:00:01", "group's address"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
