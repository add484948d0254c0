// SPDX-License-Identifier: MIT OR Apache-2.0
//! SIGHUP: the flow file as it is now.

use crate::dpu::Dpu;
use crate::flow_file::Files;
use crate::loader::Ticket;
use anyhow::Result;
use millrace_driver::Device;

/// Flows that a signal asked for, on their way into force.
#[derive(Default)]
pub struct Reloading(Option<Ticket>);

impl Reloading {
    /// Reads the files again. Faulty ones change nothing.
    ///
    /// # Errors
    /// If they cannot even begin to be read.
    pub fn begin<D: Device>(&mut self, dpu: &mut Dpu<D>, files: Files<'_>) -> Result<()> {
        self.0 = Some(dpu.reload_files(files)?);
        Ok(())
    }

    /// True once, when the flows are in force, and `done` says that no others are; a refusal is told to the user. Flows that others asked for come
    /// into force as well.
    pub fn is_over<D: Device>(&mut self, dpu: &mut Dpu<D>, done: fn(&mut Dpu<D>) -> bool) -> bool {
        dpu.take_flows();
        let Some(ticket) = self.0 else { return false };
        let over = match dpu.is_read(ticket) {
            Ok(read) => read && done(dpu),
            Err(refusal) => {
                eprintln!("millrace: the flows stay as they were: {refusal}");
                self.0 = None;
                return false;
            }
        };
        if over {
            self.0 = None;
        }
        over
    }
}
