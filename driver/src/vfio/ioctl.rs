// SPDX-License-Identifier: MIT OR Apache-2.0
//! VFIO's requests (Linux's `include/uapi/linux/vfio.h`). Through nix: of what type the number of a request is differs between C libraries.

use nix::libc::c_char;
use nix::request_code_none;
use vfio_bindings::bindings::vfio::{
    VFIO_BASE, VFIO_TYPE, vfio_device_info, vfio_group_status, vfio_iommu_type1_dma_map, vfio_iommu_type1_dma_unmap,
    vfio_iommu_type1_info, vfio_irq_info, vfio_irq_set, vfio_region_info,
};

macro_rules! requests {
    ($($kind:ident $name:ident = $number:literal $(: $argument:ty)?;)*) => {$(
        nix::$kind!($name, request_code_none!(VFIO_TYPE, VFIO_BASE + $number) $(, $argument)?);
    )*};
}

// Of a container.
requests! {
    ioctl_none_bad get_api_version = 0;
    ioctl_write_int_bad check_extension = 1;
    ioctl_write_int_bad set_iommu = 2;
    ioctl_readwrite_bad iommu_get_info = 12: vfio_iommu_type1_info;
    ioctl_write_ptr_bad iommu_map_dma = 13: vfio_iommu_type1_dma_map;
    ioctl_readwrite_bad iommu_unmap_dma = 14: vfio_iommu_type1_dma_unmap;
}

// Of a group.
requests! {
    ioctl_readwrite_bad group_get_status = 3: vfio_group_status;
    ioctl_write_ptr_bad group_set_container = 4: i32;
    ioctl_write_ptr_bad group_get_device_fd = 6: c_char;
}

// Of a device.
requests! {
    ioctl_readwrite_bad device_get_info = 7: vfio_device_info;
    ioctl_readwrite_bad device_get_region_info = 8: vfio_region_info;
    ioctl_readwrite_bad device_get_irq_info = 9: vfio_irq_info;
    ioctl_write_ptr_bad device_set_irqs = 10: vfio_irq_set;
    ioctl_none_bad device_reset = 11;
}
