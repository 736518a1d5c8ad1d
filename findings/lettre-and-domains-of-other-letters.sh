#!/usr/bin/env bash
# lettre 0.11.23; seen 2026-11-28.
#
# A mail address may have a domain in letters of its own language (münchen.example). DNS knows that domain by its ASCII form
# (xn--mnchen-3ya.example), in which every mail server takes it. lettre takes the address, so one would think that it writes it so to
# the server. It does not: what stands before the @ is plain, yet lettre sends the domain as it was typed, for which a server needs SMTPUTF8
# (RFC 6531); to one without, it says EHLO, and gives up with an error of its own before it names sender or recipient. The same mailbox,
# with the domain written in ASCII by the program, is sent. Whoever lets people type addresses has to convert the domain themselves.
#
# Prints what is seen, and fails if that is different.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "seen"
version = "0.0.0"
edition = "2021"

[dependencies]
lettre = { version = "=0.11.23", default-features = false, features = ["builder", "smtp-transport"] }
TOML
cat >src/main.rs <<'RUST'
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use lettre::{Address, Message, SmtpTransport, Transport};

/// A mail server without extensions, for one conversation. Gives the commands that it heard.
fn server() -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let conversation = thread::spawn(move || {
        let (client, _) = listener.accept().unwrap();
        let mut answers = client.try_clone().unwrap();
        answers.write_all(b"220 mail.example\r\n").unwrap();
        let (mut heard, mut is_text) = (Vec::new(), false);
        for line in BufReader::new(client).lines().map_while(Result::ok) {
            let answer = match line.split(' ').next().unwrap_or_default() {
                "." => "250 taken",
                _ if is_text => continue,
                "DATA" => "354 go on",
                "QUIT" => "221 bye",
                _ => "250 mail.example",
            };
            is_text = answer.starts_with("354");
            heard.push(line.replace("[127.0.0.1]", "client"));
            if answers.write_all(format!("{answer}\r\n").as_bytes()).is_err() {
                break;
            }
        }
        heard
    });
    (port, conversation)
}

fn main() {
    for typed in ["ana@münchen.example", "ana@xn--mnchen-3ya.example"] {
        let to: Address = typed.parse().unwrap();
        println!("{typed} is an address of {}", to.domain());
        let from = "roles@example.com".parse().unwrap();
        let mail = Message::builder().from(from).to(to.into()).subject("hello").body("hello".to_owned()).unwrap();
        let (port, conversation) = server();
        let outcome = match SmtpTransport::builder_dangerous("127.0.0.1").port(port).build().send(&mail) {
            Ok(answer) => format!("sent, {}", answer.code()),
            Err(error) => error.to_string(),
        };
        println!("  {outcome}");
        println!("  the server heard: {}", conversation.join().unwrap().join(", "));
    }
}
RUST
seen="$(CARGO_TARGET_DIR="$work/target" cargo run --quiet 2>build.log)" || { cat build.log >&2; exit 1; }
expected='ana@münchen.example is an address of münchen.example
  internal client error: Envelope contains non-ascii chars but server does not support SMTPUTF8
  the server heard: EHLO client
ana@xn--mnchen-3ya.example is an address of xn--mnchen-3ya.example
  sent, 250
  the server heard: EHLO client, MAIL FROM:<roles@example.com>, RCPT TO:<ana@xn--mnchen-3ya.example>, DATA, ., QUIT'
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "that has changed" >&2; exit 1; }
