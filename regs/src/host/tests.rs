// SPDX-License-Identifier: MIT OR Apache-2.0
//! The numbers here against the tables of `docs/host.md`, row by row, and the numbering of functions and virtqueues.

use super::*;
use crate::config::Preset;
use crate::map::{Register, Reset};

const PAGE: &str = include_str!("../../../docs/host.md");

/// The rows of the table under a heading, without its head; cells without what is around them.
pub(crate) fn table(heading: &str) -> Vec<Vec<String>> {
    let under =
        PAGE.lines().skip_while(|line| line.trim_start_matches('#').trim() != heading || !line.starts_with('#'));
    let rows = under.skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_string()).collect();
    rows.skip(2).map(cells).collect()
}

/// The blocks are the second table under "Functions".
fn blocks() -> Vec<Vec<String>> {
    let at = PAGE.find("| offset | bytes | block |").expect("the table of blocks");
    let rows = PAGE[at..].lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_string()).collect()).collect()
}

/// Rows with lists in their first two cells as rows of their own; `_HI` alone stands for the name before with that end.
fn unrolled(rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let mut all = vec![];
    for row in rows {
        let (offsets, names): (Vec<_>, Vec<_>) = (row[0].split(", ").collect(), row[1].split(", ").collect());
        assert_eq!(offsets.len(), names.len(), "{row:?}");
        for (offset, name) in offsets.iter().zip(&names) {
            let name = name.trim_matches('`');
            let first = names[0].trim_matches('`');
            let name = if name == "_HI" { first.replace("_LO", "_HI") } else { name.to_string() };
            all.push([vec![offset.to_string(), name], row[2..].to_vec()].concat());
        }
    }
    all
}

#[test]
fn blocks_are_those_of_the_page() {
    let rows = blocks();
    let expected = HOST_BLOCKS.map(|block| {
        let offset = format!("0x{:02x}_{:04x}", block.offset >> 16, block.offset & 0xffff);
        let copy = block.name.chars().last().filter(|_| block.stride != 0);
        let stride = copy.map_or(String::new(), |copy| format!(" + {:#x}·{copy}", block.stride));
        let bytes = if block.bytes < 1000 {
            block.bytes.to_string()
        } else {
            format!("{},{:03}", block.bytes / 1000, block.bytes % 1000)
        };
        vec![offset + &stride, bytes]
    });
    assert_eq!(rows.iter().map(|row| row[..2].to_vec()).collect::<Vec<_>>(), expected);
    for (row, block) in rows.iter().zip(HOST_BLOCKS) {
        assert!(row[2].starts_with(block.name), "{row:?}");
    }
    let multiplier = rows.last().expect("a row")[2].rsplit(' ').next().map(|number| number.replace(',', ""));
    assert_eq!(multiplier, Some(NOTIFY_STRIDE.to_string()));
    let address = format!("f in bits 31:{FUNCTION_SHIFT}, offset in the BAR in {}:0", FUNCTION_SHIFT - 1);
    assert!(PAGE.contains(&address), "{address}");
}

#[test]
fn numbers_of_the_configuration_spaces_are_those_of_the_page() {
    let rows = table("PCI functions");
    let numbers = |device: u16| format!("{:#06x}, {device:#06x}", pci::VENDOR);
    let class = |class: u32| format!("{}, {class:#08x}", pci::REVISION);
    let size = |bytes: u64| match bytes >> 20 {
        0 => format!("{} KiB: ", bytes >> 10),
        mebibytes => format!("{mebibytes} MiB: "),
    };
    assert_eq!(rows[0][0], "vendor, device");
    assert!(rows[0][1].starts_with(&(numbers(pci::ECPF_DEVICE) + ": ")), "{:?}", rows[0]);
    assert_eq!(rows[0][2], numbers(pci::NETWORK_DEVICE));
    assert_eq!(rows[1], ["revision, class", &class(pci::ECPF_CLASS), &class(pci::NETWORK_CLASS), "the same"]);
    // Each in the column of the first function that has it.
    let bars = [("BAR 0", 1, pci::FUNCTION_BAR), ("BAR 2", 1, pci::REGISTER_BAR), ("BAR 4", 2, pci::FUNCTION_BAR)];
    for (row, (name, column, bytes)) in rows[2..].iter().zip(bars) {
        assert!(row[0] == name && row[column].contains(&size(bytes)), "{row:?}");
    }
    let same = [(2, 2), (3, 2), (0, 3), (2, 3)].map(|(row, column)| rows[row][column].as_str());
    assert_eq!(same, ["the same", "the same, in NIC mode", "the same", "the same"]);
    assert_eq!([&rows[3][3], &rows[4][1], &rows[4][3]], [""; 3]);
}

#[test]
fn blocks_do_not_overlap_and_lie_in_the_bar() {
    let copies = |block: &HostBlock| if block.stride == 0 { 1 } else { MAX_FUNCTIONS as u32 + 1 };
    for pair in HOST_BLOCKS.windows(2) {
        assert!(pair[0].at(copies(&pair[0]) - 1) + pair[0].bytes <= pair[1].offset, "{} and the next", pair[0].name);
    }
    assert!(NOTIFY.at(2 * 31) + NOTIFY.bytes <= 1 << FUNCTION_SHIFT, "representors of as many vports as there can be");
    assert_eq!(host_address(3, NOTIFY.at(2)), 0x0301_2000);
}

#[test]
fn common_configuration_is_that_of_the_page() {
    let rows = unrolled(table("Common configuration"));
    let page: Vec<_> = rows.iter().map(|row| row[..3].to_vec()).collect();
    let ours: Vec<_> = common::ALL
        .iter()
        .map(|field| {
            let access = format!("{} {}", field.access.name(), field.width);
            vec![format!("{:#04x}", field.offset), field.name.to_string(), access]
        })
        .collect();
    assert_eq!(page, ours);
}

#[test]
fn msix_table_is_that_of_the_page() {
    let page: Vec<_> = table("Interrupts").iter().map(|row| row[..3].to_vec()).collect();
    let ours: Vec<_> = msix::ALL
        .iter()
        .map(|field| {
            let access = format!("{} {}", field.access.name(), field.width);
            vec![format!("{:#x}", field.offset), format!("`{}`", field.name), access]
        })
        .collect();
    assert_eq!(page, ours);
    let control = &table("Interrupts")[2][3];
    assert!(
        control.starts_with(&format!("{VECTOR_MASKED}: bit {} masks", VECTOR_MASKED.trailing_zeros())),
        "{control}"
    );
}

#[test]
fn every_virtqueue_and_the_configuration_have_a_vector() {
    for config in [Preset::Host.config(), Config { queue_pairs: 3, pfs: 2, vfs: 5, ..Preset::Host.config() }] {
        let vectors = |function| config.vectors_of_function(function);
        assert_eq!((vectors(0), vectors(1)), (2 * config.vports() + 1, 2 * config.queue_pairs + 2));
        assert_eq!((0..=config.functions()).map(vectors).sum::<usize>(), config.vectors());
        assert!(vectors(0) <= MAX_VECTORS);
    }
    assert_eq!((MAX_VECTORS, Preset::Sim.config().vectors()), (1024, 0));
    let quadwords = MAX_VECTORS.div_ceil(64) as u32;
    assert!(MSIX_PENDING.at(quadwords) <= NOTIFY.offset);
}

#[test]
fn fields_follow_each_other_aligned() {
    for (fields, bytes) in [(common::ALL, COMMON.bytes), (device::ALL, DEVICE.bytes), (msix::ALL, MSIX_TABLE.bytes)] {
        let mut end = 0;
        for field in fields {
            assert_eq!(field.offset, end, "{}", field.name);
            assert_eq!(8 * field.offset % field.width.min(32), 0, "{}", field.name);
            end = field.offset + field.width / 8;
        }
        assert!(end <= bytes);
    }
    assert_eq!((common::QUEUE_SELECT.word(), common::QUEUE_SELECT.low()), (0x14, 16));
}

#[test]
fn device_configuration_is_that_of_the_page() {
    let text = format!(
        "`mac` (bytes {}–{}, in the order of the wire), `status` (16 bits at {}: bit 0 link up), `max_virtqueue_pairs` ({}), `mtu` ({}), and of PF and VFs `rss_max_key_size` ({}: {}), `rss_max_indirection_table_length` ({}: {}),\n`supported_hash_types` ({}: {:#x})",
        device::MAC.offset,
        device::MAC_END.offset + 1,
        device::STATUS.offset,
        device::MAX_VIRTQUEUE_PAIRS.offset,
        device::MTU.offset,
        device::RSS_MAX_KEY_SIZE.offset,
        control::KEY_BYTES,
        device::RSS_MAX_INDIRECTION_TABLE_LENGTH.offset,
        control::TABLE_ENTRIES,
        device::SUPPORTED_HASH_TYPES.offset,
        control::HASH_TYPES
    );
    assert!(PAGE.contains(&text), "{text}");
}

#[test]
fn features_are_those_of_the_page() {
    let rows = table("Features");
    let mut page: Vec<(String, String)> = vec![];
    for row in &rows {
        for pair in row.chunks(3).filter(|pair| !pair[0].is_empty()) {
            page.push((pair[0].clone(), pair[1].clone()));
        }
    }
    page.sort_by_key(|(bit, _)| bit.parse::<u32>().expect("a bit"));
    let offered = Feature::ALL.iter().filter(|f| Feature::OFFERED & f.bit() != 0);
    let ours: Vec<_> = offered.map(|f| ((*f as u8).to_string(), f.name().to_string())).collect();
    assert_eq!(page, ours);
    assert_eq!(Feature::REQUIRED, 0x3_0000_0000);
    let mut missing: Vec<_> =
        Feature::ALL.iter().filter(|f| Feature::NOT_OF_ECPF & f.bit() != 0).map(|f| (*f as u8).to_string()).collect();
    let last = missing.pop().expect("a feature");
    let text = format!("The ECPF does not offer bits {} and {last}.", missing.join(", "));
    assert!(PAGE.contains(&text), "{text}");
    assert_eq!(Feature::offered_by(ECPF) | Feature::NOT_OF_ECPF, Feature::offered_by(1));
}

#[test]
fn bits_in_the_text_are_those_of_the_page() {
    let isr_queue = isr::QUEUE.trailing_zeros();
    let isr_configuration = isr::CONFIGURATION.trailing_zeros();
    for text in [
        format!("FEATURES_OK ({}) stays 0", status::FEATURES_OK),
        format!("DEVICE_NEEDS_RESET ({}) is set", status::DEVICE_NEEDS_RESET),
        format!("DRIVER_OK ({}), and", status::DRIVER_OK),
        format!("ISR bit {isr_queue} is set and an interrupt with the"),
        format!("sets ISR bit {isr_configuration} and gives a configuration interrupt"),
        format!("Nothing is given for vector {NO_VECTOR:#x}."),
        format!("the vectors ({NO_VECTOR:#x})"),
        format!("a power of two from 1 to {MAX_QUEUE_SIZE}"),
        "(16, 2, 4 bytes: virtio 2.7) read 0".into(),
        format!("The line of {DESCRIPTOR_LINE} bytes"),
        format!("A chain of a receiveq has at most {RECEIVE_CHAIN} descriptors."),
        format!("into the first {MERGED_CHAINS} chains"),
        format!("the header of {NET_HEADER} bytes"),
        format!("On the ECPF {ECPF_HEADER} further bytes"),
        format!("`reason` (byte {ECPF_HEADER_REASON},"),
        format!("first {SAMPLE_BYTES} bytes"),
        format!("{SAMPLE_SPOOF:#x} for its source address, {SAMPLE_VLAN:#x} for its VLAN"),
        format!("`length` of the frame ({ECPF_HEADER_LENGTH}–{},", ECPF_HEADER_LENGTH + 3),
        format!("up to {DATA_BURST_BEATS} beats"),
        "reason in 7:0, virtqueue in 31:16".into(),
    ] {
        assert!(PAGE.contains(&text), "{text}");
    }
    assert_eq!(RING_ALIGNMENTS_LOG2.map(|log2| 1 << log2), [16, 2, 4]);
    assert_eq!(FAULT.fields.iter().map(|f| (f.low, f.width)).collect::<Vec<_>>(), [(0, 8), (16, 16)]);
}

fn of_page(rows: &[Vec<String>]) -> Vec<Vec<String>> {
    rows.iter().map(|row| row[..4].to_vec()).collect()
}

/// A register's row, its offset with so many digits.
fn of_register(register: &Register, digits: usize) -> Vec<String> {
    let reset = match register.reset {
        Reset::Value(0) => "0".into(),
        Reset::Value(u32::MAX) => "all ones".into(),
        Reset::Value(value) => format!("{},{:03}", value / 1000, value % 1000),
        Reset::Build => panic!("{}", register.name),
    };
    let offset = format!("+{:#0width$x}", register.offset, width = digits + 2);
    vec![offset, register.name.into(), register.access.name().into(), reset]
}

#[test]
fn registers_of_a_function_are_those_of_the_page() {
    let rows = unrolled(table("What the ECPF sets"));
    assert_eq!(of_page(&rows), FUNCTION_REGISTERS.map(|register| of_register(&register, 2)));
    assert_eq!(of_page(&unrolled(table("Rates"))), LIMIT_REGISTERS.map(|register| of_register(&register, 1)));
    assert_eq!(RATE_UNIT_BYTES * 1_000_000_000 * 8, TIME_UNIT_NS * 1_000_000, "of each Mb/s");
    let (first, last) =
        (rows.iter().find(|row| row[1] == "FUNCTION_FIRST_LO"), rows.iter().find(|row| row[1] == "FUNCTION_LAST_LO"));
    let low_bits = |row: Option<&Vec<String>>, bit| {
        row.is_some_and(|row| row[4].ends_with(&format!("bits {}:0 read {bit}", WINDOW_SHIFT - 1)))
    };
    assert!(low_bits(first, 0) && low_bits(last, 1));
}

#[test]
fn time_out_is_that_of_the_page() {
    let reset = DMA_TIMEOUT_RESET;
    let [unit, time] = [TIME_UNIT_NS, TIME_UNIT_NS * u64::from(reset)];
    let thousands = format!("{},{:03}", reset / 1000, reset % 1000);
    let text = format!(
        "`DMA_TIMEOUT` (RW; bits 31:16 read 0; {thousands} after power-up: {} ms) says how long memory may take, in units of {} µs",
        time / 1_000_000,
        unit / 1000
    );
    assert!(PAGE.contains(&text), "{text}");
    assert_eq!(DMA_TIMEOUT.mask(), 0xffff);
}

#[test]
fn faults_are_those_of_the_page() {
    let page: Vec<_> = table("Faults").into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let ours: Vec<_> = FaultReason::ALL.iter().map(|r| ((*r as u8).to_string(), format!("`{}`", r.name()))).collect();
    assert_eq!(page, ours);
}

#[test]
fn functions_and_virtqueues_are_numbered_as_on_the_page() {
    let host = Config { vfs: 1, queue_pairs: 1, ..Preset::Host.config() };
    assert_eq!((host.functions(), host.virtqueues(), host.vectors()), (3, 8 + 4 + 4, 9 + 4 + 4));
    assert_eq!([0, 1, 2, 3].map(|f| host.vport_of_function(f)), [None, Some(2), Some(3), None]);
    assert_eq!([0, 1, 2, 3, 4].map(|v| host.function_of_vport(v)), [None, None, Some(1), Some(2), None]);
    assert_eq!([0, 1, 2, 3].map(|f| host.virtqueues_of_function(f)), [8, 3, 3, 0]);
    assert_eq!((host.virtqueue(0, 7), host.virtqueue(0, 8), host.virtqueue(1, 0)), (Some(7), None, Some(8)));
    assert_eq!([2, 3].map(|local| host.virtqueue(1, local)), [Some(11), None], "the controlq is no receiveq");
    let pairs = Config { queue_pairs: 3, ..host };
    assert_eq!([false, true].map(|multiple| pairs.control_queue(2, multiple)), [Some(2), Some(6)]);
    assert_eq!((pairs.control_queue(ECPF, true), pairs.control_queue(3, true)), (None, None));
    let none = Preset::Sim.config();
    assert_eq!((none.functions(), none.virtqueues(), none.function_of_vport(2)), (0, 0, None));
}

#[test]
fn each_virtqueue_is_found_again_by_its_number() {
    for config in [Preset::Host.config(), Config { queue_pairs: 3, pfs: 2, vfs: 5, ..Preset::Host.config() }] {
        let mut next = 0;
        for function in 0..config.functions() {
            for local in 0..config.virtqueues_of_function(function) {
                if config.control_queue(function, true) == Some(local) {
                    assert_eq!(config.function_of_virtqueue(next), None, "before a controlq there is none");
                    next += 1;
                } else {
                    assert_eq!(next % 2, local % 2, "bit 0 tells a transmitq from a receiveq");
                }
                assert_eq!(config.virtqueue(function, local), Some(next));
                assert_eq!(config.function_of_virtqueue(next), Some((function, local)));
                next += 1;
            }
            assert_eq!(next % 2, 0);
        }
        assert_eq!((config.virtqueues(), config.function_of_virtqueue(next)), (next, None));
    }
}
