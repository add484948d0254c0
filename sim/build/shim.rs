// SPDX-License-Identifier: MIT OR Apache-2.0
//! The C entry points of a model. `src/ffi.rs` is the other side: both must change together.

use std::fmt::Write as _;

/// A pin of the top module.
pub struct Port {
    pub name: String,
    pub bits: usize,
    pub input: bool,
}

/// The pins of module `top`, in the order of its port list.
pub fn ports(verilog: &str, top: &str) -> Vec<Port> {
    let header = verilog.split(&format!("module {top} (\n")).nth(1).unwrap_or_default();
    header.lines().take_while(|line| line.trim() != ");").filter_map(port).collect()
}

/// `    input  wire [519:0] rx_0_data,`
fn port(line: &str) -> Option<Port> {
    let mut words = line.trim().trim_end_matches(',').split_whitespace();
    let input = match words.next()? {
        "input" => true,
        "output" => false,
        _ => return None,
    };
    let rest: Vec<&str> = words.filter(|word| !matches!(*word, "wire" | "reg")).collect();
    let (bits, name) = match rest[..] {
        [name] => (1, name),
        [range, name] => (range.strip_prefix('[')?.split(':').next()?.parse::<usize>().ok()? + 1, name),
        _ => return None,
    };
    Some(Port { name: name.to_owned(), bits, input })
}

/// The shim of the model with the C++ class `prefix`: a table of functions named `millrace_model_NAME`.
pub fn source(name: &str, prefix: &str, ports: &[Port]) -> String {
    let mut rows = String::new();
    for Port { name, bits, input } in ports {
        let input = u8::from(*input);
        writeln!(rows, "        ports.push_back({{\"{name}\", {bits}, {input}, &model.{name}}});").unwrap();
    }
    TEMPLATE.replace("@PREFIX@", prefix).replace("@NAME@", name).replace("@ROWS@", rows.trim_end())
}

const TEMPLATE: &str = r#"// Written by sim/build/shim.rs.
#include <cstddef>
#include <cstdint>
#include <vector>
#include "verilated.h"
#include "verilated_fst_c.h"
#include "@PREFIX@.h"

namespace {
struct Port {
    const char* name;
    uint32_t bits;
    uint32_t input;
    void* storage;
};

struct Instance {
    VerilatedContext context;
    @PREFIX@ model;
    VerilatedFstC* trace = nullptr;
    std::vector<Port> ports;

    Instance() : model(prepare(), "millrace") {
@ROWS@
    }
    ~Instance() {
        close();
        model.final();
    }
    VerilatedContext* prepare() {
        context.traceEverOn(true);
        return &context;
    }
    void close() {
        if (trace) trace->close();
        delete trace;
        trace = nullptr;
    }
};

Instance* self(void* instance) { return static_cast<Instance*>(instance); }
void* create() { return new Instance; }
void destroy(void* instance) { delete self(instance); }
const Port* ports(void* instance, size_t* count) {
    *count = self(instance)->ports.size();
    return self(instance)->ports.data();
}
void eval(void* instance) { self(instance)->model.eval(); }
int trace_open(void* instance, const char* path) {
    Instance* it = self(instance);
    it->close();
    it->trace = new VerilatedFstC;
    it->trace->set_time_unit("1ns");
    it->trace->set_time_resolution("1ns");
    it->model.trace(it->trace, 99);
    it->trace->open(path);
    if (it->trace->isOpen()) return 1;
    it->close();
    return 0;
}
void trace_dump(void* instance, uint64_t time) {
    if (self(instance)->trace) self(instance)->trace->dump(time);
}
void trace_close(void* instance) { self(instance)->close(); }
}  // namespace

extern "C" {
struct MillraceEntry {
    void* (*create)();
    void (*destroy)(void*);
    const Port* (*ports)(void*, size_t*);
    void (*eval)(void*);
    int (*trace_open)(void*, const char*);
    void (*trace_dump)(void*, uint64_t);
    void (*trace_close)(void*);
};
extern const MillraceEntry millrace_model_@NAME@;
const MillraceEntry millrace_model_@NAME@ = {create, destroy, ports, eval, trace_open, trace_dump, trace_close};
}
"#;
