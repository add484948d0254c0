// SPDX-License-Identifier: MIT OR Apache-2.0
//! A page of the documentation with blocks that are made: each behind `<!-- NAME -->`, in a fence.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

pub struct Page {
    path: PathBuf,
    text: String,
    /// What is not as it should be.
    wrong: Vec<String>,
    write: bool,
}

impl Page {
    pub fn read(path: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join(path);
        let text = fs::read_to_string(&path).expect("the page is there");
        Self { path, text, wrong: vec![], write: env::var_os("MILLRACE_WRITE").is_some() }
    }

    /// Compares a block with what it has to hold.
    pub fn block(&mut self, name: &str, made: &str) {
        let (before, fence) = (format!("<!-- {name} -->\n```text\n"), "```");
        let start = self.text.find(&before).unwrap_or_else(|| panic!("the page has no block {name}")) + before.len();
        let end = start + self.text[start..].find(fence).expect("the fence is closed");
        if self.text[start..end] != *made {
            self.wrong.push(format!("{name}: the page has\n{}and it is\n{made}", &self.text[start..end]));
            self.text.replace_range(start..end, made);
        }
    }

    /// Compares a picture beside the page with what it has to be.
    pub fn picture(&mut self, name: &str, made: &str) {
        let path = self.path.with_file_name(name);
        if fs::read_to_string(&path).ok().as_deref() != Some(made) {
            self.wrong.push(format!("{name} is another picture"));
            if self.write {
                fs::write(path, made).expect("it can be written");
            }
        }
    }

    pub fn finish(self) {
        if self.write {
            fs::write(self.path, self.text).expect("it can be written");
        } else {
            assert!(self.wrong.is_empty(), "{}\nMILLRACE_WRITE=1 writes it", self.wrong.join("\n"));
        }
    }
}
