// SPDX-License-Identifier: MIT OR Apache-2.0
//! The end of a driver.

mod error;
mod memory;
mod served;

pub use error::{ClientError, Request};
pub use memory::SharedMemory;

use crate::capabilities::Capabilities;
use crate::server::DeviceInfo;
use crate::socket::{Incoming, Message, StreamError, send};
use crate::wire::{
    Command, DeviceStructure, DmaMap, DmaUnmap, Header, IrqInfo, IrqSet, Kind, MAX_TRANSFER, RegionAccess, RegionInfo,
    Space, VERSION, Version, Write, flags, irq, region,
};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use served::ServedMemory;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long an answer may take, unless it is set otherwise: simulated hardware is slow.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What the device may do with memory that is mapped for it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum DmaAccess {
    /// Read it.
    Read,
    /// Write it.
    Write,
    /// Both.
    ReadWrite,
}

impl DmaAccess {
    fn flags(self) -> u32 {
        match self {
            Self::Read => flags::MAP_READ,
            Self::Write => flags::MAP_WRITE,
            Self::ReadWrite => flags::MAP_READ | flags::MAP_WRITE,
        }
    }
}

/// A client of a served function. Its methods wait for the server's answer, but not longer than the timeout; after an error other than [`ClientError::Refused`] and
/// [`ClientError::TooLong`] the connection is of no more use, and all of them fail.
pub struct Client {
    path: PathBuf,
    socket: UnixStream,
    incoming: Incoming,
    next_id: u16,
    timeout: Duration,
    server: Capabilities,
    served: ServedMemory,
    /// Why the connection is of no more use.
    lost: Option<Loss>,
}

/// Why a connection is of no more use.
enum Loss {
    Closed,
    Other(String),
}

/// What came for a request.
type Reply = Result<Vec<u8>, ClientError>;

impl Client {
    /// Connects to a server, and agrees with it on a version.
    ///
    /// # Errors
    /// If nobody listens there, or not for vfio-user, or for another version.
    pub fn connect(path: impl AsRef<Path>) -> Result<Self, ClientError> {
        Self::connect_within(path, TIMEOUT)
    }

    /// As [`connect`](Self::connect), with a timeout for it and for what comes later.
    ///
    /// # Errors
    /// As there.
    pub fn connect_within(path: impl AsRef<Path>, timeout: Duration) -> Result<Self, ClientError> {
        let path = path.as_ref().to_owned();
        let socket = UnixStream::connect(&path).map_err(|error| ClientError::Connect { path: path.clone(), error })?;
        let mut client = Self {
            path,
            socket,
            incoming: Incoming::default(),
            next_id: 0,
            timeout,
            server: Capabilities::default(),
            served: ServedMemory::default(),
            lost: None,
        };
        client.negotiate()?;
        Ok(client)
    }

    /// The server's socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sets how long an answer may take.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Is ready to read when the server asks for memory ([`attend`](Self::attend)), or has gone.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// What the function has.
    ///
    /// # Errors
    /// If it is no PCI function, or has what no PCI function has.
    pub fn info(&mut self) -> Result<DeviceInfo, ClientError> {
        let request = Request { command: Command::DeviceGetInfo, place: None };
        let asked = DeviceStructure { argsz: DeviceStructure::BYTES as u32, ..Default::default() };
        let answer = self.request(request, &asked.encode(), &[])?;
        let (device, _) = DeviceStructure::decode(&answer).ok_or(too_short(request))?;
        if device.flags & flags::DEVICE_PCI == 0 {
            return Err(ClientError::Answer { command: request, problem: "this is no PCI function" });
        }
        let mut bars = [0; 6];
        for (index, bytes) in (0..).zip(&mut bars) {
            *bytes = self.region_bytes(index)?;
        }
        let config = self.region_bytes(region::CONFIG)?;
        let (config_bytes, msix_vectors) = (config.try_into(), self.irq_count(irq::MSIX)?.try_into());
        let (Ok(config_bytes), Ok(msix_vectors)) = (config_bytes, msix_vectors) else {
            return Err(ClientError::Answer { command: request, problem: "no PCI function has so much of it" });
        };
        Ok(DeviceInfo { config_bytes, bars, msix_vectors })
    }

    fn region_bytes(&mut self, index: u32) -> Result<u64, ClientError> {
        let request = Request { command: Command::DeviceGetRegionInfo, place: None };
        let asked = RegionInfo { argsz: RegionInfo::BYTES as u32, index, ..Default::default() };
        let answer = self.request(request, &asked.encode(), &[])?;
        RegionInfo::decode(&answer).map(|(info, _)| info.size).ok_or(too_short(request))
    }

    fn irq_count(&mut self, index: u32) -> Result<u32, ClientError> {
        let request = Request { command: Command::DeviceGetIrqInfo, place: None };
        let asked = IrqInfo { argsz: IrqInfo::BYTES as u32, index, ..Default::default() };
        let answer = self.request(request, &asked.encode(), &[])?;
        IrqInfo::decode(&answer).map(|(info, _)| info.count).ok_or(too_short(request))
    }

    /// Reads from a space of the function, in one access.
    ///
    /// # Errors
    /// If the function refuses it.
    pub fn read(&mut self, space: Space, offset: u64, data: &mut [u8]) -> Result<(), ClientError> {
        let request = Request { command: Command::RegionRead, place: Some(offset) };
        let access = self.access(space, offset, data.len())?;
        let answer = self.request(request, &access.encode(), &[])?;
        let (found, bytes) = RegionAccess::decode(&answer).ok_or(too_short(request))?;
        if found != access || bytes.len() != data.len() {
            return Err(self.lose(ClientError::Answer { command: request, problem: "it is for another read" }));
        }
        data.copy_from_slice(bytes);
        Ok(())
    }

    /// Writes to a space of the function, in one access. When it returns the function has taken it.
    ///
    /// # Errors
    /// If the function refuses it.
    pub fn write(&mut self, space: Space, offset: u64, data: &[u8]) -> Result<(), ClientError> {
        let request = Request { command: Command::RegionWrite, place: Some(offset) };
        let access = self.access(space, offset, data.len())?;
        self.request(request, &[&access.encode(), data].concat(), &[])?;
        Ok(())
    }

    /// As [`write`](Self::write), but does not wait: that the function refuses it is not told. Accesses take effect in the order of the calls.
    ///
    /// # Errors
    /// If the connection is lost.
    pub fn post(&mut self, space: Space, offset: u64, data: &[u8]) -> Result<(), ClientError> {
        let request = Request { command: Command::RegionWrite, place: Some(offset) };
        let access = self.access(space, offset, data.len())?;
        self.send(request, true, &[&access.encode(), data].concat(), &[])?;
        Ok(())
    }

    /// As several [`write`](Self::write)s of 1 to 8 bytes in this order, in one message where the server takes that: then none is made if one does not lie in its space.
    ///
    /// # Errors
    /// If the function refuses one of them: those behind it are not made.
    pub fn write_multiple(&mut self, writes: &[(Space, u64, &[u8])]) -> Result<(), ClientError> {
        if !self.server.write_multiple {
            return writes.iter().try_for_each(|(space, offset, data)| self.write(*space, *offset, data));
        }
        // The messages stay far below what the server takes.
        for writes in writes.chunks(1_024) {
            let mut payload = (writes.len() as u64).to_ne_bytes().to_vec();
            for &(space, offset, data) in writes {
                let mut bytes = [0; 8];
                let most = bytes.len();
                let place =
                    bytes.get_mut(..data.len()).ok_or(ClientError::TooLong { bytes: data.len(), most: most as u64 })?;
                place.copy_from_slice(data);
                let (region, count) = (space.region(), data.len() as u32);
                payload.extend(Write { offset, region, count, data: u64::from_ne_bytes(bytes) }.encode());
            }
            let place = writes.first().map(|(_, offset, _)| *offset);
            self.request(Request { command: Command::RegionWriteMulti, place }, &payload, &[])?;
        }
        Ok(())
    }

    fn access(&self, space: Space, offset: u64, bytes: usize) -> Result<RegionAccess, ClientError> {
        let most = self.server.max_data_xfer_size.min(MAX_TRANSFER as u64);
        if bytes as u64 > most {
            return Err(ClientError::TooLong { bytes, most });
        }
        Ok(RegionAccess { offset, region: space.region(), count: bytes as u32 })
    }

    /// Resets the function. Its memory and eventfds stay.
    ///
    /// # Errors
    /// If the function refuses it.
    pub fn reset(&mut self) -> Result<(), ClientError> {
        self.request(Request { command: Command::DeviceReset, place: None }, &[], &[])?;
        Ok(())
    }

    /// Maps `len` bytes of a file, from `offset` on, at device address `iova`. All three are multiples of 4 KiB.
    ///
    /// # Errors
    /// If the server refuses it.
    pub fn map(
        &mut self,
        file: BorrowedFd<'_>,
        offset: u64,
        len: u64,
        iova: u64,
        access: DmaAccess,
    ) -> Result<(), ClientError> {
        self.dma_map(offset, len, iova, access, &[file])
    }

    /// Maps shared memory, all of it, at device address `iova`.
    ///
    /// # Errors
    /// If the server refuses it.
    pub fn share(&mut self, memory: &SharedMemory, iova: u64) -> Result<(), ClientError> {
        self.map(memory.descriptor(), 0, memory.bytes() as u64, iova, DmaAccess::ReadWrite)
    }

    /// Maps memory that the server reaches by messages alone, which are answered while this client waits for an answer, and by [`attend`](Self::attend).
    ///
    /// # Errors
    /// If the server refuses it.
    pub fn serve(&mut self, bytes: Vec<u8>, iova: u64, access: DmaAccess) -> Result<(), ClientError> {
        self.dma_map(0, bytes.len() as u64, iova, access, &[])?;
        self.served.insert(iova, bytes, access);
        Ok(())
    }

    /// The memory that was mapped at this address by [`serve`](Self::serve).
    pub fn served(&mut self, iova: u64) -> Option<&mut [u8]> {
        self.served.at(iova)
    }

    fn dma_map(
        &mut self,
        offset: u64,
        size: u64,
        address: u64,
        access: DmaAccess,
        files: &[BorrowedFd<'_>],
    ) -> Result<(), ClientError> {
        let map = DmaMap { argsz: DmaMap::BYTES as u32, flags: access.flags(), offset, address, size };
        self.request(Request { command: Command::DmaMap, place: Some(address) }, &map.encode(), files)?;
        Ok(())
    }

    /// Takes the maps of a range away.
    ///
    /// # Errors
    /// If the server refuses it.
    pub fn unmap(&mut self, iova: u64, len: u64) -> Result<(), ClientError> {
        self.dma_unmap(0, iova, len)?;
        self.served.remove(iova, len);
        Ok(())
    }

    /// Takes all maps away.
    ///
    /// # Errors
    /// If the server refuses it.
    pub fn unmap_all(&mut self) -> Result<(), ClientError> {
        self.dma_unmap(flags::UNMAP_ALL, 0, 0)?;
        self.served = ServedMemory::default();
        Ok(())
    }

    fn dma_unmap(&mut self, flags: u32, address: u64, size: u64) -> Result<(), ClientError> {
        let unmap = DmaUnmap { argsz: DmaUnmap::BYTES as u32, flags, address, size };
        self.request(Request { command: Command::DmaUnmap, place: Some(address) }, &unmap.encode(), &[])?;
        Ok(())
    }

    /// Sets the eventfd of an MSI-X vector, or takes it away.
    ///
    /// # Errors
    /// If the function has no such vector.
    pub fn set_vector(&mut self, vector: u16, event: Option<BorrowedFd<'_>>) -> Result<(), ClientError> {
        self.set_irqs(flags::SET_DATA_EVENTFD | flags::SET_TRIGGER, vector, 1, event.as_slice())
    }

    /// Masks an MSI-X vector, or does so no longer.
    ///
    /// # Errors
    /// If the function has no such vector.
    pub fn mask_vector(&mut self, vector: u16, masked: bool) -> Result<(), ClientError> {
        let action = if masked { flags::SET_MASK } else { flags::SET_UNMASK };
        self.set_irqs(flags::SET_DATA_NONE | action, vector, 1, &[])
    }

    /// Gives an MSI-X vector an interrupt, as if the function did.
    ///
    /// # Errors
    /// If the function has no such vector.
    pub fn trigger_vector(&mut self, vector: u16) -> Result<(), ClientError> {
        self.set_irqs(flags::SET_DATA_NONE | flags::SET_TRIGGER, vector, 1, &[])
    }

    /// Takes the eventfds of all MSI-X vectors away.
    ///
    /// # Errors
    /// If the connection is lost.
    pub fn disable_vectors(&mut self) -> Result<(), ClientError> {
        self.set_irqs(flags::SET_DATA_NONE | flags::SET_TRIGGER, 0, 0, &[])
    }

    fn set_irqs(&mut self, flags: u32, start: u16, count: u32, events: &[BorrowedFd<'_>]) -> Result<(), ClientError> {
        let set = IrqSet { argsz: IrqSet::BYTES as u32, flags, index: irq::MSIX, start: start.into(), count };
        let request = Request { command: Command::DeviceSetIrqs, place: Some(start.into()) };
        self.request(request, &set.encode(), events)?;
        Ok(())
    }

    /// Answers what the server asks of memory that was mapped by [`serve`](Self::serve), for as long as something comes within `wait`: how many messages.
    ///
    /// # Errors
    /// If the connection is lost.
    pub fn attend(&mut self, wait: Duration) -> Result<usize, ClientError> {
        let mut count = 0;
        while let Some(message) = self.receive(Instant::now() + wait)? {
            if matches!(message.header.kind, Kind::Reply { .. }) {
                return Err(self.lose(StreamError::Unasked.into()));
            }
            self.answer(&message)?;
            count += 1;
        }
        Ok(count)
    }

    fn negotiate(&mut self) -> Result<(), ClientError> {
        let mut payload = Version { major: VERSION.0, minor: VERSION.1 }.encode();
        payload.extend(Capabilities::ours().encode());
        let answer = match self.request(Request { command: Command::Version, place: None }, &payload, &[]) {
            Ok(answer) => answer,
            Err(ClientError::Refused { error, .. }) => return Err(self.other_version(format!("refused it: {error}"))),
            Err(ClientError::Answer { problem, .. }) => return Err(self.not_vfio_user(problem)),
            Err(ClientError::Closed) => return Err(ClientError::TurnedAway(self.path.clone())),
            Err(ClientError::Lost(reason)) => return Err(self.not_vfio_user(&reason)),
            Err(other) => return Err(other),
        };
        let Some((version, data)) = Version::decode(&answer) else {
            return Err(self.not_vfio_user("its version has no number"));
        };
        if (version.major, version.minor) != VERSION {
            return Err(self.other_version(format!("{}.{}", version.major, version.minor)));
        }
        self.server = Capabilities::parse(data).map_err(|error| self.not_vfio_user(&error))?;
        Ok(())
    }

    fn other_version(&self, found: String) -> ClientError {
        ClientError::Version { path: self.path.clone(), found }
    }

    fn not_vfio_user(&self, found: &str) -> ClientError {
        ClientError::NotVfioUser { path: self.path.clone(), found: found.to_owned() }
    }

    /// Sends a command and waits for its answer: its payload.
    fn request(&mut self, request: Request, payload: &[u8], files: &[BorrowedFd<'_>]) -> Reply {
        let deadline = Instant::now() + self.timeout;
        let id = self.send(request, false, payload, files)?;
        loop {
            let Some(message) = self.receive(deadline)? else {
                return Err(self.lose(ClientError::Timeout { command: request, timeout: self.timeout }));
            };
            let Kind::Reply { error } = message.header.kind else {
                self.answer(&message)?;
                continue;
            };
            if (message.header.id, message.header.command) != (id, request.command as u16) {
                return Err(self.lose(ClientError::Answer { command: request, problem: "it is for another command" }));
            }
            return match error {
                None => Ok(message.payload),
                Some(error) => Err(ClientError::Refused { command: request, error: Errno::from_raw(error as i32) }),
            };
        }
    }

    /// Sends a command: its number.
    fn send(
        &mut self,
        request: Request,
        no_reply: bool,
        payload: &[u8],
        files: &[BorrowedFd<'_>],
    ) -> Result<u16, ClientError> {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        let message = Header::message(id, request.command as u16, Kind::Command { no_reply }, payload);
        self.transmit(request, &message, files)?;
        Ok(id)
    }

    fn transmit(
        &mut self,
        request: Request,
        mut bytes: &[u8],
        mut files: &[BorrowedFd<'_>],
    ) -> Result<(), ClientError> {
        self.check()?;
        let deadline = Instant::now() + self.timeout;
        while !bytes.is_empty() {
            match send(self.socket.as_fd(), bytes, files) {
                Ok(Some(count)) => {
                    bytes = &bytes[count..];
                    files = &[];
                }
                Ok(None) if self.wait(PollFlags::POLLOUT, deadline)? => {}
                Ok(None) => return Err(self.lose(ClientError::Timeout { command: request, timeout: self.timeout })),
                Err(error) => {
                    // What the peer sent before it closed tells more.
                    let error = self.incoming.receive(self.socket.as_fd()).err().unwrap_or(error);
                    return Err(self.lose(error.into()));
                }
            }
        }
        Ok(())
    }

    /// The next message; none if there is none until then.
    fn receive(&mut self, deadline: Instant) -> Result<Option<Message>, ClientError> {
        self.check()?;
        loop {
            match self.incoming.receive(self.socket.as_fd()) {
                Ok(Some(message)) => return Ok(Some(message)),
                Ok(None) if self.wait(PollFlags::POLLIN, deadline)? => {}
                Ok(None) => return Ok(None),
                Err(error) => return Err(self.lose(error.into())),
            }
        }
    }

    /// Waits until the socket is ready; false if it is not until then.
    fn wait(&self, event: PollFlags, deadline: Instant) -> Result<bool, ClientError> {
        loop {
            // A part of a millisecond is waited for as a whole one, so that nobody polls without rest.
            let left = deadline.saturating_duration_since(Instant::now()) + Duration::from_nanos(999_999);
            let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            match poll(&mut [PollFd::new(self.socket.as_fd(), event)], left) {
                Ok(0) if Instant::now() >= deadline => return Ok(false),
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) => return Ok(true),
                Err(error) => return Err(ClientError::Lost(error.to_string())),
            }
        }
    }

    /// Answers a command of the server.
    fn answer(&mut self, message: &Message) -> Result<(), ClientError> {
        let Header { id, command, kind, .. } = message.header;
        let answer = self.served.answer(command, &message.payload);
        if kind == (Kind::Command { no_reply: true }) {
            return Ok(());
        }
        let (kind, payload) = match answer {
            Ok(payload) => (Kind::Reply { error: None }, payload),
            Err(error) => (Kind::Reply { error: Some(error as u32) }, vec![]),
        };
        let command = Command::from_number(command).unwrap_or(Command::DmaRead);
        self.transmit(
            Request { command, place: None },
            &Header::message(id, message.header.command, kind, &payload),
            &[],
        )
    }

    fn check(&self) -> Result<(), ClientError> {
        match &self.lost {
            Some(Loss::Closed) => Err(ClientError::Closed),
            Some(Loss::Other(reason)) => Err(ClientError::Lost(reason.clone())),
            None => Ok(()),
        }
    }

    /// The connection is of no more use, because of this error.
    fn lose(&mut self, error: ClientError) -> ClientError {
        self.lost = Some(match &error {
            ClientError::Closed => Loss::Closed,
            ClientError::Lost(reason) => Loss::Other(reason.clone()),
            other => Loss::Other(other.to_string()),
        });
        error
    }
}

impl Drop for Client {
    /// Hangs up. To close the socket is not enough: a process that another thread is just starting holds it too, for a moment in which the
    /// server would turn the next client away.
    fn drop(&mut self) {
        // It may be closed already, from the other side.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

impl From<StreamError> for ClientError {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Closed => Self::Closed,
            other => Self::Lost(other.to_string()),
        }
    }
}

fn too_short(command: Request) -> ClientError {
    ClientError::Answer { command, problem: "it is too short" }
}
