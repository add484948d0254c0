// SPDX-License-Identifier: MIT OR Apache-2.0
//! The IP-XACT description (IEEE 1685-2014) of the top module, by which vendor tools know its buses.

use super::ports::{Bus, Kind, Port, buses};
use millrace_regs::config::Preset;
use std::fmt::Write as _;

/// Bytes of the address space of the registers.
const ADDRESS_SPACE: usize = 1 << 16;

/// The component of a preset.
pub fn component(preset: Preset, top: &str, ports: &[Port], files: &[String]) -> String {
    let interfaces: String = buses(ports).iter().map(interface).collect();
    let pins: String = ports.iter().map(pin).collect();
    let sources: String = files.iter().map(|file| source(file)).collect();
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!-- SPDX-License-Identifier: MIT OR Apache-2.0 -->
<ipxact:component xmlns:ipxact="http://www.accellera.org/XMLSchema/IPXACT/1685-2014">
  <ipxact:vendor>millrace</ipxact:vendor>
  <ipxact:library>fastpath</ipxact:library>
  <ipxact:name>millrace_{preset}</ipxact:name>
  <ipxact:version>{version}</ipxact:version>
  <ipxact:busInterfaces>
{interfaces}  </ipxact:busInterfaces>
  <ipxact:memoryMaps>
    <ipxact:memoryMap>
      <ipxact:name>registers</ipxact:name>
      <ipxact:addressBlock>
        <ipxact:name>registers</ipxact:name>
        <ipxact:baseAddress>0</ipxact:baseAddress>
        <ipxact:range>{ADDRESS_SPACE}</ipxact:range>
        <ipxact:width>32</ipxact:width>
      </ipxact:addressBlock>
    </ipxact:memoryMap>
  </ipxact:memoryMaps>
  <ipxact:model>
    <ipxact:views>
      <ipxact:view>
        <ipxact:name>rtl</ipxact:name>
        <ipxact:componentInstantiationRef>rtl</ipxact:componentInstantiationRef>
      </ipxact:view>
    </ipxact:views>
    <ipxact:instantiations>
      <ipxact:componentInstantiation>
        <ipxact:name>rtl</ipxact:name>
        <ipxact:language>verilog</ipxact:language>
        <ipxact:moduleName>{top}</ipxact:moduleName>
        <ipxact:fileSetRef>
          <ipxact:localName>rtl</ipxact:localName>
        </ipxact:fileSetRef>
      </ipxact:componentInstantiation>
    </ipxact:instantiations>
    <ipxact:ports>
{pins}    </ipxact:ports>
  </ipxact:model>
  <ipxact:fileSets>
    <ipxact:fileSet>
      <ipxact:name>rtl</ipxact:name>
{sources}    </ipxact:fileSet>
  </ipxact:fileSets>
  <ipxact:description>Fast path of the Millrace DPU, preset {preset}</ipxact:description>
</ipxact:component>
"#,
        version = env!("CARGO_PKG_VERSION"),
    )
}

fn interface(bus: &Bus) -> String {
    let (library, name) = match bus.kind {
        Kind::Stream => ("AMBA4", "AXI4Stream"),
        Kind::Lite => ("AMBA4", "AXI4-Lite"),
    };
    let maps: String = bus.pins.iter().map(|(role, port)| map(role, &port.name)).collect();
    let mode = match (bus.kind, bus.slave) {
        (Kind::Lite, true) => {
            "      <ipxact:slave>\n        <ipxact:memoryMapRef memoryMapRef=\"registers\"/>\n      </ipxact:slave>\n"
        }
        (_, true) => "      <ipxact:slave/>\n",
        (_, false) => "      <ipxact:master/>\n",
    };
    format!(
        "    <ipxact:busInterface>\n      <ipxact:name>{}</ipxact:name>\n      \
         <ipxact:busType vendor=\"amba.com\" library=\"{library}\" name=\"{name}\" version=\"r0p0_1\"/>\n      \
         <ipxact:abstractionTypes>\n        <ipxact:abstractionType>\n          \
         <ipxact:abstractionRef vendor=\"amba.com\" library=\"{library}\" name=\"{name}_rtl\" version=\"r0p0_1\"/>\n          \
         <ipxact:portMaps>\n{maps}          </ipxact:portMaps>\n        </ipxact:abstractionType>\n      </ipxact:abstractionTypes>\n{mode}    \
         </ipxact:busInterface>\n",
        bus.name,
    )
}

fn map(role: &str, port: &str) -> String {
    format!(
        "            <ipxact:portMap>\n              <ipxact:logicalPort><ipxact:name>{role}</ipxact:name></ipxact:logicalPort>\n              \
         <ipxact:physicalPort><ipxact:name>{port}</ipxact:name></ipxact:physicalPort>\n            </ipxact:portMap>\n"
    )
}

fn pin(port: &Port) -> String {
    let mut text = format!(
        "      <ipxact:port>\n        <ipxact:name>{}</ipxact:name>\n        <ipxact:wire>\n          <ipxact:direction>{}</ipxact:direction>\n",
        port.name,
        if port.input { "in" } else { "out" },
    );
    if port.bits > 1 {
        writeln!(
            text,
            "          <ipxact:vectors><ipxact:vector><ipxact:left>{}</ipxact:left><ipxact:right>0</ipxact:right></ipxact:vector></ipxact:vectors>",
            port.bits - 1
        )
        .unwrap();
    }
    text + "        </ipxact:wire>\n      </ipxact:port>\n"
}

fn source(file: &str) -> String {
    format!(
        "      <ipxact:file>\n        <ipxact:name>{file}</ipxact:name>\n        <ipxact:fileType>verilogSource</ipxact:fileType>\n      </ipxact:file>\n"
    )
}
