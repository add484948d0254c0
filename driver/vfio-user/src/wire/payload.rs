// SPDX-License-Identifier: MIT OR Apache-2.0
//! Payloads: the fixed part of each, as numbers that follow one another without gaps.

/// A structure of numbers in their order on the wire.
macro_rules! structure {
    ($(#[$meta:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $(pub $field: $type,)*
        }

        impl $name {
            /// Bytes of the structure.
            pub const BYTES: usize = 0 $(+ size_of::<$type>())*;

            /// The structure at the start of these bytes, and what follows; none if there are too few.
            pub fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
                $(
                    let (number, bytes) = bytes.split_first_chunk()?;
                    let $field = <$type>::from_ne_bytes(*number);
                )*
                Some((Self { $($field),* }, bytes))
            }

            /// Its bytes.
            pub fn encode(&self) -> Vec<u8> {
                let mut bytes = Vec::with_capacity(Self::BYTES);
                $(bytes.extend_from_slice(&self.$field.to_ne_bytes());)*
                bytes
            }
        }
    };
}

structure!(
    /// Start of `VFIO_USER_VERSION`, before the capabilities.
    Version { major: u16, minor: u16 }
);
structure!(
    /// `VFIO_USER_DMA_MAP`: `struct vfio_iommu_type1_dma_map` with the file's offset in place of an address.
    DmaMap { argsz: u32, flags: u32, offset: u64, address: u64, size: u64 }
);
structure!(
    /// `VFIO_USER_DMA_UNMAP`: `struct vfio_iommu_type1_dma_unmap`.
    DmaUnmap { argsz: u32, flags: u32, address: u64, size: u64 }
);
structure!(
    /// `VFIO_USER_DEVICE_GET_INFO`: the start of `struct vfio_device_info`.
    DeviceStructure { argsz: u32, flags: u32, num_regions: u32, num_irqs: u32 }
);
structure!(
    /// `VFIO_USER_DEVICE_GET_REGION_INFO`: `struct vfio_region_info`.
    RegionInfo { argsz: u32, flags: u32, index: u32, cap_offset: u32, size: u64, offset: u64 }
);
structure!(
    /// `VFIO_USER_DEVICE_GET_IRQ_INFO`: `struct vfio_irq_info`.
    IrqInfo { argsz: u32, flags: u32, index: u32, count: u32 }
);
structure!(
    /// Start of `VFIO_USER_DEVICE_SET_IRQS`: `struct vfio_irq_set`.
    IrqSet { argsz: u32, flags: u32, index: u32, start: u32, count: u32 }
);
structure!(
    /// Start of `VFIO_USER_REGION_READ` and `_WRITE`, before the data.
    RegionAccess { offset: u64, region: u32, count: u32 }
);
structure!(
    /// One of the writes of `VFIO_USER_REGION_WRITE_MULTI`.
    Write { offset: u64, region: u32, count: u32, data: u64 }
);
structure!(
    /// Start of `VFIO_USER_DMA_READ` and `_WRITE`, before the data.
    DmaRange { address: u64, count: u64 }
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vfio_bindings::bindings::vfio;

    /// The bytes of a structure of the kernel's.
    fn bytes<T>(value: T) -> Vec<u8> {
        // SAFETY: the structures of `linux/vfio.h` that are given are numbers without gaps between them.
        unsafe { std::slice::from_raw_parts((&raw const value).cast(), size_of::<T>()) }.to_vec()
    }

    #[test]
    fn structures_of_the_kernel_are_those_of_linux_vfio_h() {
        let map = vfio::vfio_iommu_type1_dma_map { argsz: 1, flags: 2, vaddr: 3, iova: 4, size: 5 };
        assert_eq!(DmaMap { argsz: 1, flags: 2, offset: 3, address: 4, size: 5 }.encode(), bytes(map));
        let unmap = vfio::vfio_iommu_type1_dma_unmap { argsz: 1, flags: 2, iova: 3, size: 4, ..Default::default() };
        assert_eq!(DmaUnmap { argsz: 1, flags: 2, address: 3, size: 4 }.encode(), bytes(unmap));
        let info = vfio::vfio_device_info { argsz: 1, flags: 2, num_regions: 3, num_irqs: 4, ..Default::default() };
        let ours = DeviceStructure { argsz: 1, flags: 2, num_regions: 3, num_irqs: 4 }.encode();
        assert_eq!(ours, bytes(info)[..ours.len()]);
        let region = vfio::vfio_region_info { argsz: 1, flags: 2, index: 3, cap_offset: 4, size: 5, offset: 6 };
        let ours = RegionInfo { argsz: 1, flags: 2, index: 3, cap_offset: 4, size: 5, offset: 6 };
        assert_eq!(ours.encode(), bytes(region));
        let irq = vfio::vfio_irq_info { argsz: 1, flags: 2, index: 3, count: 4 };
        assert_eq!(IrqInfo { argsz: 1, flags: 2, index: 3, count: 4 }.encode(), bytes(irq));
        let set = vfio::vfio_irq_set { argsz: 1, flags: 2, index: 3, start: 4, count: 5, ..Default::default() };
        let ours = IrqSet { argsz: 1, flags: 2, index: 3, start: 4, count: 5 };
        assert_eq!((ours.encode(), IrqSet::BYTES), (bytes(set), size_of::<vfio::vfio_irq_set>()));
    }

    #[test]
    fn numbers_are_those_of_linux_vfio_h() {
        use crate::wire::{flags, irq, region};
        let pairs = [
            (region::BARS, vfio::VFIO_PCI_ROM_REGION_INDEX),
            (region::CONFIG, vfio::VFIO_PCI_CONFIG_REGION_INDEX),
            (region::COUNT, vfio::VFIO_PCI_NUM_REGIONS),
            (irq::MSIX, vfio::VFIO_PCI_MSIX_IRQ_INDEX),
            (irq::ERROR, vfio::VFIO_PCI_ERR_IRQ_INDEX),
            (irq::REQUEST, vfio::VFIO_PCI_REQ_IRQ_INDEX),
            (irq::COUNT, vfio::VFIO_PCI_NUM_IRQS),
            (flags::DEVICE_RESET, vfio::VFIO_DEVICE_FLAGS_RESET),
            (flags::DEVICE_PCI, vfio::VFIO_DEVICE_FLAGS_PCI),
            (flags::REGION_READ, vfio::VFIO_REGION_INFO_FLAG_READ),
            (flags::REGION_WRITE, vfio::VFIO_REGION_INFO_FLAG_WRITE),
            (flags::IRQ_EVENTFD, vfio::VFIO_IRQ_INFO_EVENTFD),
            (flags::IRQ_MASKABLE, vfio::VFIO_IRQ_INFO_MASKABLE),
            (flags::SET_DATA_NONE, vfio::VFIO_IRQ_SET_DATA_NONE),
            (flags::SET_DATA_BOOL, vfio::VFIO_IRQ_SET_DATA_BOOL),
            (flags::SET_DATA_EVENTFD, vfio::VFIO_IRQ_SET_DATA_EVENTFD),
            (flags::SET_MASK, vfio::VFIO_IRQ_SET_ACTION_MASK),
            (flags::SET_UNMASK, vfio::VFIO_IRQ_SET_ACTION_UNMASK),
            (flags::SET_TRIGGER, vfio::VFIO_IRQ_SET_ACTION_TRIGGER),
            (flags::MAP_READ, vfio::VFIO_DMA_MAP_FLAG_READ),
            (flags::MAP_WRITE, vfio::VFIO_DMA_MAP_FLAG_WRITE),
            (flags::UNMAP_ALL, vfio::VFIO_DMA_UNMAP_FLAG_ALL),
        ];
        for (at, (ours, theirs)) in pairs.into_iter().enumerate() {
            assert_eq!(ours, theirs, "pair {at}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_structure_or_too_few(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            match RegionInfo::decode(&bytes) {
                Some((info, rest)) => prop_assert_eq!([&info.encode(), rest].concat(), bytes.clone()),
                None => prop_assert!(bytes.len() < RegionInfo::BYTES),
            }
            match Write::decode(&bytes) {
                Some((write, rest)) => prop_assert_eq!([&write.encode(), rest].concat(), bytes.clone()),
                None => prop_assert!(bytes.len() < Write::BYTES),
            }
        }
    }
}
