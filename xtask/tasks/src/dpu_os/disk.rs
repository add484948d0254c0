// SPDX-License-Identifier: MIT OR Apache-2.0
//! An image of a disk that boots by UEFI: a GPT with an EFI system partition, on it systemd-boot and the slots of `millrace-update`, the first of them full. It depends on its
//! contents alone: numbers and times are fixed.

use anyhow::{Context, Result, bail};
use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions};
use gpt::mbr::ProtectiveMBR;
use gpt::partition::Partition;
use gpt::partition_types::EFI;
use gpt::{GptConfig, disk::LogicalBlockSize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Cursor, Seek, SeekFrom, Write};
use std::path::Path;
use uuid::Uuid;

/// Bytes of a sector.
const SECTOR: u64 = 512;
/// Where the partition begins, and what is left behind it for the second table: 1 MiB, as partitions are aligned.
const BEFORE: u64 = 1 << 20;
/// Bytes of the partition: two images of more than 100 MB each.
const PARTITION: u64 = 256 << 20;
/// At which FAT32 has as many clusters as it needs.
const CLUSTER: u32 = 2048;
/// By what the system finds its partition (firmware/os/services/disk).
const NAME: &str = "dpu-os";
const LABEL: &[u8; 11] = b"DPU-OS     ";
const VOLUME: u32 = 0x4d52_0001;
const DISK_ID: Uuid = Uuid::from_u128(0x6d69_6c6c_7261_4365_8470_752d_6f73_0000);
const PARTITION_ID: Uuid = Uuid::from_u128(0x6d69_6c6c_7261_4365_8470_752d_6f73_0001);
/// What is written at once, if it is not all zeros.
const PIECE: usize = 1 << 16;

/// Writes an image with these files, by their paths.
pub fn write(path: &Path, files: &[(String, Vec<u8>)]) -> Result<()> {
    let partition = partition(files).with_context(|| format!("cannot fill {}", path.display()))?;
    let size = BEFORE + PARTITION + BEFORE;
    let write = || -> Result<()> {
        let mut file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
        file.set_len(size)?;
        let sectors = u32::try_from(size / SECTOR)?;
        ProtectiveMBR::with_lb_size(sectors - 1).overwrite_lba0(&mut file)?;
        let config = GptConfig::new().writable(true).logical_block_size(LogicalBlockSize::Lb512);
        let mut disk = config.create_from_device(file, Some(DISK_ID))?;
        let (first, last) = (BEFORE / SECTOR, (BEFORE + PARTITION) / SECTOR - 1);
        let entry = Partition {
            part_type_guid: EFI,
            part_guid: PARTITION_ID,
            first_lba: first,
            last_lba: last,
            flags: 0,
            name: NAME.into(),
        };
        disk.update_partitions(BTreeMap::from([(1, entry)]))?;
        let mut file = disk.write()?;
        // What is zero stays a hole.
        for (index, piece) in partition.chunks(PIECE).enumerate().filter(|(_, piece)| piece.iter().any(|b| *b != 0)) {
            file.seek(SeekFrom::Start(BEFORE + (index * PIECE) as u64))?;
            file.write_all(piece)?;
        }
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// The bytes of the EFI system partition.
fn partition(files: &[(String, Vec<u8>)]) -> Result<Vec<u8>> {
    let bytes: u64 = files.iter().map(|(_, content)| content.len() as u64).sum();
    // The other slot takes an image that may be somewhat larger.
    if bytes * 9 / 4 > PARTITION {
        bail!("its files have {bytes} bytes: two images do not fit into {PARTITION}");
    }
    let mut volume = Cursor::new(vec![0; usize::try_from(PARTITION)?]);
    let options = FormatVolumeOptions::new().fat_type(FatType::Fat32).bytes_per_cluster(CLUSTER);
    fatfs::format_volume(&mut volume, options.volume_id(VOLUME).volume_label(*LABEL))?;
    volume.rewind()?;
    {
        let system = FileSystem::new(&mut volume, FsOptions::new().update_accessed_date(false))?;
        let root = system.root_dir();
        for (path, content) in files {
            for (end, _) in path.match_indices('/') {
                root.create_dir(&path[..end])?;
            }
            root.create_file(path)?.write_all(content)?;
        }
        drop(root);
        system.unmount()?;
    }
    Ok(volume.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_disk_is_the_same_each_time_and_holds_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let files =
            [("EFI/BOOT/BOOTAA64.EFI", 100_000), ("loader/entries/dpu-os-1+3.conf", 50), ("a/kernel", 3_000_000)];
        let files = files.map(|(path, length)| (path.to_owned(), vec![7; length]));
        let paths = ["one", "two"].map(|name| folder.path().join(name));
        for path in &paths {
            write(path, &files).unwrap();
        }
        let bytes = fs::read(&paths[0]).unwrap();
        assert!(bytes == fs::read(&paths[1]).unwrap());
        assert!(fs::metadata(&paths[0]).unwrap().blocks() * 512 < 8 << 20, "it has no holes");
        // By the tables, as firmware finds it.
        let disk = GptConfig::new().open(&paths[0]).unwrap();
        let found = &disk.partitions()[&1];
        assert_eq!((found.name.as_str(), &found.part_type_guid), (NAME, &EFI));
        let (first, last) = (found.first_lba as usize * 512, (found.last_lba as usize + 1) * 512);
        let system = FileSystem::new(Cursor::new(bytes[first..last].to_vec()), FsOptions::new()).unwrap();
        assert_eq!(system.fat_type(), FatType::Fat32);
        for (path, content) in &files {
            let mut there = vec![];
            system.root_dir().open_file(path).unwrap().read_to_end(&mut there).unwrap();
            assert!(there == *content, "{path}");
        }
    }

    #[test]
    fn an_image_that_leaves_no_room_for_the_next_is_refused() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let error = write(path.path(), &[("a/kernel".into(), vec![1; 120 << 20])]).unwrap_err();
        assert!(format!("{error:#}").contains("two images do not fit"), "{error:#}");
    }
}
