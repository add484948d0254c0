// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask fpga-report`: what the presets take of their devices, and how long their paths are, by module.

mod cells;
mod compare;
mod device;
mod figures;
mod levels;
mod netlist;
mod route;
pub mod synthesis;
mod table;

use crate::yosys::Yosys;
use crate::{fpga, gates};
use anyhow::{Result, bail};
use clap::Args;
use compare::compare;
use device::device;
use figures::{Figure, Figures};
use netlist::Netlist;
use std::thread;
use synthesis::{Hierarchy, JSON, Preset, Rtl, TOP};
use xtask::run;
use xtask::setup::Need;

/// The file of the repository that keeps the figures.
const KEPT: &str = "constraints/figures.json";

#[derive(Args)]
pub struct Arguments {
    /// Presets to synthesise (all, if none is given)
    presets: Vec<Preset>,
    /// Fail if a module has grown by more than 5 %, or a path, since the figures in constraints/figures.json; a preset whose Verilog is
    /// that of the figures is not synthesised
    #[arg(long)]
    check: bool,
    /// Write the figures to constraints/figures.json; then take the board that CI watches to its bitstream, and write to
    /// constraints/closed.json that it closes (takes another ten minutes)
    #[arg(long, conflicts_with = "check")]
    update: bool,
    /// Place and route preset ecp5 with nextpnr, too: clock frequency, and critical path by module (takes long)
    #[arg(long)]
    route: bool,
    /// Seeds to place and route with
    #[arg(long, default_value_t = 1, requires = "route")]
    seeds: u32,
}

impl Arguments {
    /// The tools at work.
    pub fn needs(&self) -> &'static [Need] {
        if self.route || self.update { &[Need::Synthesis, Need::Route] } else { &[Need::Synthesis] }
    }
}

/// What was found out about a preset.
struct Report {
    preset: Preset,
    figures: Figures,
    /// The table of modules, and the longest path.
    text: String,
}

/// Prints the report; with `--check`, fails if something is worse than it was.
pub fn report(arguments: &Arguments) -> Result<()> {
    let yosys = Yosys::find()?;
    let mut presets = if arguments.presets.is_empty() { Preset::ALL.to_vec() } else { arguments.presets.clone() };
    presets.sort();
    presets.dedup();
    if arguments.route && !presets.contains(&Preset::Ecp5) {
        bail!("--route is for preset ecp5: nextpnr knows that device alone");
    }
    let path = run::root().join(KEPT);
    let mut kept = figures::read(&path)?;
    let asked = presets.clone();
    let mut rtl = presets.iter().map(|preset| Rtl::emit(*preset)).collect::<Result<Vec<_>>>()?;
    if arguments.check && !arguments.route {
        // What has not changed since figures were kept has those.
        let changed =
            |preset: &Preset, rtl: &Rtl| kept.get(preset.name()).is_none_or(|old| !is_of(old, &yosys, *preset, rtl));
        (presets, rtl) = presets.into_iter().zip(rtl).filter(|(preset, rtl)| changed(preset, rtl)).unzip();
        for preset in asked.iter().filter(|preset| !presets.contains(preset)) {
            println!("{preset}: the Verilog is that of the figures in {KEPT}");
        }
    }
    let reports = all(&yosys, &presets, &rtl)?;
    let mut failures = vec![];
    for report in &reports {
        println!("{}", report.text);
        let old = kept.get(report.preset.name());
        failures.extend(judge(report, old));
        match old {
            Some(old) => failures.extend(differences(report, old)),
            None if arguments.check => failures.push(format!("{}: {KEPT} has no figures of it", report.preset)),
            None => {}
        }
    }
    if arguments.update {
        kept.extend(reports.into_iter().map(|report| (report.preset.name().to_owned(), report.figures)));
        figures::write(&path, &kept)?;
        println!("written to {KEPT}");
        fpga::keep_watched()?;
        gates::keep()?;
    } else if arguments.check && !failures.is_empty() {
        bail!(
            "{}\nIf this is meant: `cargo xtask fpga-report --update`, and commit {KEPT} with the reason",
            failures.join("\n")
        );
    }
    if arguments.route {
        let ecp5 = presets.iter().zip(&rtl).find(|(preset, _)| **preset == Preset::Ecp5);
        route::route(&yosys, ecp5.expect("checked above").1, arguments.seeds)?;
    }
    Ok(())
}

/// The reports of the presets. What takes longest, the flat synthesis, runs beside the others.
fn all(yosys: &Yosys, presets: &[Preset], rtl: &[Rtl]) -> Result<Vec<Report>> {
    thread::scope(|scope| {
        // On the small device, what counts is the whole. Of the large one a flat synthesis takes too long for every change.
        let ecp5 = presets.iter().zip(rtl).find(|(preset, _)| **preset == Preset::Ecp5);
        let flat = ecp5.map(|(_, rtl)| scope.spawn(|| flattened(yosys, rtl)));
        let each = presets.iter().zip(rtl).map(|(preset, rtl)| modules(yosys, *preset, rtl));
        let mut reports = each.collect::<Result<Vec<_>>>()?;
        if let Some(flat) = flat {
            let figure = flat.join().expect("a report does not panic")?;
            let report = reports.iter_mut().find(|report| report.preset == Preset::Ecp5);
            report.expect("it was asked for").figures.flattened = Some(figure);
        }
        Ok(reports)
    })
}

/// Whether figures are of this Verilog, and made as they are made now.
fn is_of(figures: &Figures, yosys: &Yosys, preset: Preset, rtl: &Rtl) -> bool {
    let now = (rtl.hash(), &yosys.version, preset.command(Hierarchy::Kept));
    (figures.verilog.clone(), &figures.yosys, figures.synthesis.clone()) == now
}

/// The report of a preset, module by module.
fn modules(yosys: &Yosys, preset: Preset, rtl: &Rtl) -> Result<Report> {
    let netlist = Netlist::read(&rtl.synthesise(yosys, Hierarchy::Kept)?.join(JSON))?;
    let uses = netlist.area(TOP)?;
    let levels = levels::levels(&netlist, TOP)?;
    let path: Vec<String> = levels.path.iter().map(|(instance, levels)| format!("{instance} ({levels})")).collect();
    let synthesis = preset.command(Hierarchy::Kept);
    let text = format!(
        "{preset}, by {}: `{synthesis}`, each module by itself\n\n{}\nlongest path: {} levels, {}\n",
        yosys.version,
        table::table(&uses, &levels),
        levels.longest,
        path.join(" -> ")
    );
    let total = Figure { instances: 0, area: uses[TOP].all, levels: levels.longest.into() };
    let modules = figures::modules(&uses, &levels);
    let verilog = rtl.hash();
    let figures = Figures { yosys: yosys.version.clone(), verilog, synthesis, total, flattened: None, modules };
    Ok(Report { preset, figures, text })
}

/// The figures of a preset as one module.
fn flattened(yosys: &Yosys, rtl: &Rtl) -> Result<Figure> {
    let netlist = Netlist::read(&rtl.synthesise(yosys, Hierarchy::Flattened)?.join(JSON))?;
    let levels = levels::levels(&netlist, TOP)?.longest.into();
    Ok(Figure { instances: 0, area: netlist.area(TOP)?[TOP].all, levels })
}

/// Prints how the preset stands against its device. What is missed, and was not when the figures were kept.
fn judge(report: &Report, old: Option<&Figures>) -> Vec<String> {
    let device = device(report.preset);
    let (total, how) = whole(&report.figures);
    println!("{} on {}, {how}:", report.preset, device.name);
    let before: Vec<bool> =
        old.map_or(vec![], |old| device.judge(whole(old).0).iter().map(|verdict| verdict.missed).collect());
    let mut missed = vec![];
    for (i, verdict) in device.judge(total).into_iter().enumerate() {
        println!("  {}{}", verdict.text, if verdict.missed { "  MISSED" } else { "" });
        if verdict.missed && before.get(i) != Some(&true) {
            missed.push(format!("{}: {}", report.preset, verdict.text));
        }
    }
    println!();
    missed
}

/// The figure that comes closest to what goes on the device.
fn whole(figures: &Figures) -> (&Figure, &'static str) {
    match &figures.flattened {
        Some(flattened) => (flattened, "as one module"),
        None => (&figures.total, "all modules together"),
    }
}

/// Prints what has changed since the figures were kept. What is worse than is allowed.
fn differences(report: &Report, old: &Figures) -> Vec<String> {
    if old.yosys != report.figures.yosys || old.synthesis != report.figures.synthesis {
        println!(
            "{KEPT} was made by {} `{}`, this by {} `{}`: differences may be theirs",
            old.yosys, old.synthesis, report.figures.yosys, report.figures.synthesis
        );
    }
    let changes = compare(old, &report.figures);
    for change in &changes {
        println!("{}: {change}{}", report.preset, if change.fails() { "  TOO MUCH" } else { "" });
    }
    changes.iter().filter(|change| change.fails()).map(|change| format!("{}: {change}", report.preset)).collect()
}
