// SPDX-License-Identifier: MIT OR Apache-2.0
//! Clients that do anything: bytes of any kind, cut anywhere, many requests at a time, answers that nobody reads, ends in the
//! middle. What is a request among them is answered, in order, and nothing else happens.

use super::{Answer, Reply, Request, Server, Text};
use nix::poll::{PollFd, PollTimeout, poll};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Bytes of requests that the server holds here.
const MAX_HELD: usize = 64 * 1024;
/// Items of the list that a request for rules gives, two at a time.
const RULES: u32 = 5;
/// Bytes of the longest answer: more than a socket takes.
const LONG: usize = 300_000;
/// What a client reads of an answer in one go, at most.
const READ: usize = 20_000;
/// Rounds after which everything that can be said has been.
const ENOUGH: usize = 10_000;
/// Rounds in which a request that takes a while may have nothing to show.
const PATIENCE: usize = 10;

/// What a client does next.
#[derive(Clone, Debug)]
enum Act {
    Write(usize),
    Read(usize),
    /// Says that it sends no more, and goes on reading.
    ShutDown,
    Leave,
    /// The server has its turn.
    Nothing,
}

/// The device in place of a real one.
fn answer(request: &Request, from: u32) -> Reply {
    Reply::Whole(match request {
        Request::Rules => {
            let items = (from..RULES.min(from + 2)).map(|n| n.to_string()).collect();
            return Reply::Items { items, next: Some(from + 2).filter(|next| *next < RULES) };
        }
        // Some take a while.
        Request::Registers if from < 3 => return Reply::Later(from + 1),
        Request::Stats => Answer::Ok(Value::from("x".repeat(LONG))),
        Request::Reload { flows, .. } => Answer::Ok(flows.text.len().into()),
        Request::ReadRegister { register } => Answer::BadInput(register.clone()),
        other => Answer::Failed(format!("{other:?}")),
    })
}

/// What is to be read by whoever wrote this.
fn expected(written: &[u8]) -> Vec<u8> {
    let mut text = vec![];
    for line in written.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\n")) {
        let said = match serde_json::from_slice(line) {
            Ok(Request::Rules) => Answer::Ok((0..RULES).collect()),
            Ok(request) => match answer(&request, u32::MAX) {
                Reply::Whole(answer) => answer,
                other => unreachable!("{other:?}"),
            },
            Err(error) => Answer::BadInput(format!("this is no request: {error}")),
        };
        serde_json::to_writer(&mut text, &said).unwrap();
        text.push(b'\n');
    }
    text
}

struct Client {
    stream: Option<UnixStream>,
    /// What it will write.
    script: Vec<u8>,
    written: usize,
    read: Vec<u8>,
}

impl Client {
    fn new(path: &Path, script: Vec<u8>) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_nonblocking(true).unwrap();
        Client { stream: Some(stream), script, written: 0, read: vec![] }
    }

    fn act(&mut self, act: &Act) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        match act {
            Act::Write(length) => {
                let end = self.script.len().min(self.written + length);
                // What the server does not take now, or will never take, is not written.
                self.written += stream.write(&self.script[self.written..end]).unwrap_or(0);
            }
            Act::Read(length) => {
                let mut buffer = vec![0; *length];
                let length = stream.read(&mut buffer).unwrap_or(0);
                self.read.extend_from_slice(&buffer[..length]);
            }
            Act::ShutDown => {
                let _ = stream.shutdown(Shutdown::Write);
                self.script.truncate(self.written);
            }
            Act::Leave => self.stream = None,
            Act::Nothing => {}
        }
    }

    /// What it read is what it had to, or that up to a request that was too long.
    fn check(&self) {
        let expected = expected(&self.script[..self.written]);
        if self.read == expected {
            return;
        }
        let last = self.read.trim_ascii_end().iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let refused = self.read[last..].starts_with(br#"{"bad_input":"the request is too long"#);
        let text = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
        assert!(
            refused && expected.starts_with(&self.read[..last]),
            "{} bytes, {} expected: {} instead of {}",
            self.read.len(),
            expected.len(),
            text(&self.read[last..]),
            text(&expected[last.min(expected.len())..])
        );
    }
}

/// A line: a request, or what is none.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let request = prop_oneof![
        Just(Request::Rules),
        Just(Request::Stats),
        Just(Request::Registers),
        (0..60_000_usize)
            .prop_map(|n| Request::Reload { flows: Text { name: "a".into(), text: "\n".repeat(n) }, groups: None }),
        "\\PC{0,20}".prop_map(|register| Request::ReadRegister { register }),
        "\\PC{0,20}".prop_map(|settings| Request::SetFunction { function: "vf0".into(), settings }),
        any::<u32>().prop_map(|value| Request::WriteRegister { register: "SCRATCH".into(), value }),
    ];
    prop_oneof![
        6 => request.prop_map(|request| serde_json::to_vec(&request).unwrap()),
        1 => vec(any::<u8>(), 0..100),
        1 => (0..100_000_usize).prop_map(|n| vec![b'['; n]),
    ]
}

/// Lines, of which the last may lack its end.
fn script() -> impl Strategy<Value = Vec<u8>> {
    (vec(line(), 0..8), any::<bool>()).prop_map(|(lines, cut)| {
        let mut script = lines.join(&b'\n');
        script.extend((!cut).then_some(b'\n'));
        script
    })
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => prop_oneof![1..40_usize, 1..100_000_usize].prop_map(Act::Write),
        8 => (1..READ).prop_map(Act::Read),
        1 => Just(Act::ShutDown),
        1 => Just(Act::Leave),
        4 => Just(Act::Nothing),
    ]
}

proptest! {
    #[test]
    fn any_clients_are_answered_in_order_and_none_takes_up_more_than_its_share(
        scripts in vec(script(), 1..5),
        acts in vec((0..5_usize, act()), 0..60),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        let mut server = Server::open(Some(&path)).unwrap().unwrap();
        server.max_held = MAX_HELD;
        let mut clients: Vec<Client> = scripts.into_iter().map(|script| Client::new(&path, script)).collect();
        let mut turn = |clients: &mut [Client], n: usize, act: &Act| {
            let n = n % clients.len();
            clients[n].act(act);
            server.serve(answer);
            let (held, unsent) = server.held();
            assert!(held <= MAX_HELD && unsent <= clients.len() * (LONG + 100), "{held} and {unsent} bytes are held");
        };
        for (n, act) in &acts {
            turn(&mut clients, *n, act);
        }
        // From here on they behave: they write all that they have, and read, until nothing comes any more.
        let mut quiet = 0;
        let mut rounds = 0;
        while quiet < PATIENCE {
            let before: usize = clients.iter().map(|client| client.written + client.read.len()).sum();
            for client in 0..clients.len() {
                turn(&mut clients, client, &Act::Write(usize::MAX / 2));
                turn(&mut clients, client, &Act::Read(LONG));
            }
            let moved = before != clients.iter().map(|client| client.written + client.read.len()).sum::<usize>();
            (quiet, rounds) = (if moved { 0 } else { quiet + 1 }, rounds + 1);
            assert!(rounds < ENOUGH, "it does not come to an end");
        }
        clients.iter().filter(|client| client.stream.is_some()).for_each(Client::check);
    }
}

#[test]
fn a_client_that_reads_nothing_is_sent_away_when_others_need_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    let mut server = Server::open(Some(&path)).unwrap().unwrap();
    let request = [&serde_json::to_vec(&Request::Stats).unwrap()[..], b"\n"].concat();
    let mut clients: Vec<Client> = (0..100).map(|_| Client::new(&path, request.clone())).collect();
    for client in &mut clients {
        client.act(&Act::Write(100));
        server.serve(answer);
        server.serve(answer);
    }
    assert!(server.held().1 <= 16 * (LONG + 100), "{} bytes are held", server.held().1);
    let last = clients.last_mut().unwrap();
    for _ in 0..ENOUGH {
        last.act(&Act::Read(READ));
        server.serve(answer);
    }
    last.check();
    assert!(!last.read.is_empty());
}

#[test]
fn a_client_whose_request_rests_wakes_nobody_until_it_is_answered_or_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    let mut server = Server::open(Some(&path)).unwrap().unwrap();
    let request = [&serde_json::to_vec(&Request::Events { after: 0, wait: true }).unwrap()[..], b"\n"].concat();
    let mut clients: Vec<Client> = (0..2).map(|_| Client::new(&path, request.clone())).collect();
    let rest = |_: &Request, _| Reply::Idle;
    for client in &mut clients {
        client.act(&Act::Write(100));
        (0..3).for_each(|_| server.serve(rest));
    }
    // Clients at the server, and whether one of them would end a sleep.
    let awaits = |server: &Server| {
        let mut ends: Vec<_> = server.awaits().unwrap().into_iter().map(|(fd, flags)| PollFd::new(fd, flags)).collect();
        (ends.len() - 1, poll(&mut ends, PollTimeout::ZERO).unwrap() > 0)
    };
    assert_eq!(awaits(&server), (2, false));
    clients[0].act(&Act::Leave);
    assert_eq!(awaits(&server), (2, true));
    server.serve(rest);
    assert_eq!(awaits(&server), (1, false));
    server.serve(|_, _| Reply::Whole(Answer::Ok(7.into())));
    clients[1].act(&Act::Read(READ));
    assert_eq!(clients[1].read, b"{\"ok\":7}\n");
}
