// SPDX-License-Identifier: MIT OR Apache-2.0
//! `millrace explain`: why a running device does with a frame what it does. The device says what its tables hold and what its flow tables would
//! do; model and RTL run here.

mod answer;
mod frame;
#[cfg(feature = "simulation")]
mod private_copy;
mod record;
mod report;
mod snapshot;

pub use answer::answer;

use crate::args::ExplainArgs;
#[cfg(feature = "simulation")]
use crate::claim::{Claim, check_distinct};
use crate::control::{Client, Request};
use crate::error::BadInputExt;
use anyhow::{Context, Result, bail};
use millrace_model::Outcome;
use report::{Report, Rtl};
use snapshot::Snapshot;
use std::io::{self, ErrorKind, Write};

/// Explains a frame.
///
/// # Errors
/// Also if model and RTL do not agree.
pub fn run(args: &ExplainArgs) -> Result<()> {
    let frame = frame::given(args)?;
    #[cfg(feature = "simulation")]
    let trace = claim_trace(args)?;
    let request = Request::Explain { port: args.port.clone(), frame: frame::to_hex(&frame) };
    let device = Client::connect(args.connect.control.as_deref()).bad_input()?;
    let snapshot = Snapshot::new(device.ask(&request)?, &frame)?;
    let explanation = snapshot.model().explain(snapshot.vport, &frame);
    #[cfg(feature = "simulation")]
    let rtl = check(&snapshot, &frame, &explanation.outcome, trace)?;
    #[cfg(not(feature = "simulation"))]
    let rtl = check(&explanation.outcome);
    let report = Report::new(&snapshot, &frame, &explanation, rtl);
    let text = if args.connect.json { serde_json::to_string_pretty(&report)? + "\n" } else { report.to_string() };
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        other => other.context("cannot print")?,
    }
    if let Rtl::Differs { differences } = &report.rtl {
        bail!("the RTL differs from the model: {}", differences.join("; "));
    }
    Ok(())
}

/// The file of the waveforms, which is not the capture.
#[cfg(feature = "simulation")]
fn claim_trace(args: &ExplainArgs) -> Result<Option<Claim>> {
    let claim = args.trace.as_deref().map(Claim::new).transpose()?;
    let read: Vec<_> = args.capture.as_deref().into_iter().collect();
    check_distinct(&claim.iter().collect::<Vec<_>>(), &read)?;
    Ok(claim)
}

/// Has a private copy of the device do the same.
#[cfg(feature = "simulation")]
fn check(snapshot: &Snapshot, frame: &[u8], expected: &Outcome, trace: Option<Claim>) -> Result<Rtl> {
    use crate::error::BadInput;
    use millrace_sim::{BUILT_IN, Preset};

    let is_built_in = |preset: &Preset| BUILT_IN.contains(preset);
    let reason = match snapshot.preset() {
        Some(preset) if !is_built_in(&preset) => Some(format!("preset {preset} is not simulated in this command")),
        _ => private_copy::obstacle(snapshot, frame),
    };
    let preset = match (reason, snapshot.preset(), &trace) {
        (Some(reason), _, Some(_)) => return Err(BadInput(format!("--trace: there are no waveforms: {reason}")).into()),
        (Some(reason), ..) => return Ok(Rtl::NotChecked { reason }),
        (None, preset, _) => preset.context("a build without a name")?,
    };
    let path = trace.as_ref().map(|claim| claim.path().to_owned());
    if let Some(claim) = trace {
        claim.take().context("cannot write the waveforms")?;
    }
    let observed = private_copy::run(preset, snapshot, frame, path.as_deref())?;
    let differences = observed.differences(expected);
    Ok(if differences.is_empty() {
        Rtl::Same { rules: snapshot.rules().count(), cycles: observed.cycles }
    } else {
        Rtl::Differs { differences }
    })
}

/// This command has no simulation in it.
#[cfg(not(feature = "simulation"))]
fn check(_: &Outcome) -> Rtl {
    Rtl::NotChecked { reason: "this command has no simulation in it".into() }
}
