//! Whether a server still speaks TLS 1.0 or 1.1. In: host and port. Out: what it answers to somebody who knows nothing newer.
//!
//! Our own TLS library has neither version, so the greeting is written out here: one record, no secret, nothing follows it.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const WITHIN: Duration = Duration::from_secs(5);
/// What every server of that time took, and what newer ones still share with them.
const CIPHERS: [u16; 9] = [0xc013, 0xc014, 0xc009, 0xc00a, 0x002f, 0x0035, 0x000a, 0x0033, 0x0039];
const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;
const SERVER_HELLO: u8 = 2;
/// The alerts that say: not with these versions and ciphers (RFC 5246, 7.2.2).
const HANDSHAKE_FAILURE: u8 = 40;
const PROTOCOL_VERSION: u8 = 70;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// By an alert that says so.
    Refused,
    /// TLS was agreed on.
    Spoken,
    /// By hanging up: because of the version, or of anything else.
    HungUp,
    /// By an alert about something else, as an unknown name.
    Alert(u8),
    /// By something that is no TLS.
    Unclear,
}

/// Greets it with TLS 1.1 as the newest version that we know. A server that speaks 1.0 alone agrees too.
pub(super) async fn answer_to_old(host: &str, port: u16) -> io::Result<Answer> {
    let timed_out = |_| io::Error::from(io::ErrorKind::TimedOut);
    tokio::time::timeout(WITHIN, greet(host, port)).await.map_err(timed_out)?
}

async fn greet(host: &str, port: u16) -> io::Result<Answer> {
    let mut stream = TcpStream::connect((host, port)).await?;
    stream.write_all(&greeting(host)).await?;
    let mut head = [0_u8; 7];
    match stream.read_exact(&mut head).await {
        Ok(_) => {}
        Err(error) if hung_up(&error) => return Ok(Answer::HungUp),
        Err(error) => return Err(error),
    }
    Ok(match head {
        // Behind type, version and length: how bad it is, and what it is.
        [ALERT, 3, _, _, _, _, HANDSHAKE_FAILURE | PROTOCOL_VERSION] => Answer::Refused,
        [ALERT, 3, _, _, _, _, about] => Answer::Alert(about),
        [HANDSHAKE, 3, _, _, _, SERVER_HELLO, _] => Answer::Spoken,
        _ => Answer::Unclear,
    })
}

fn hung_up(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

/// A ClientHello (RFC 4346, 7.4.1.2) with the server's name, and the curves that its ciphers need (RFC 8422).
fn greeting(host: &str) -> Vec<u8> {
    let is_name = host.parse::<std::net::IpAddr>().is_err();
    let mut extensions = Vec::new();
    if is_name {
        let name = [&[0][..], &sized(host.as_bytes())].concat();
        extensions.extend([&[0, 0][..], &sized(&sized(&name))].concat());
    }
    // secp256r1, secp384r1; points written out.
    extensions.extend([0, 10, 0, 6, 0, 4, 0, 23, 0, 24]);
    extensions.extend([0, 11, 0, 2, 1, 0]);
    let ciphers: Vec<u8> = CIPHERS.iter().flat_map(|cipher| cipher.to_be_bytes()).collect();
    let hello = [
        &[3, 2][..],
        // Its random number, which protects nothing here: no key will come of it.
        &[0x4e; 32],
        &[0],
        &sized(&ciphers),
        &[1, 0],
        &sized(&extensions),
    ]
    .concat();
    let handshake = [&[1, 0][..], &sized(&hello)].concat();
    [&[HANDSHAKE, 3, 1][..], &sized(&handshake)].concat()
}

/// With its length in two bytes in front.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], bytes].concat()
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        sync::Arc,
        thread::JoinHandle,
    };

    use super::*;

    /// A server for one connection.
    fn server(serve: impl FnOnce(std::net::TcpStream) + Send + 'static) -> (u16, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        (port, std::thread::spawn(move || serve(listener.accept().unwrap().0)))
    }

    /// Reads the greeting as RFC 5246 has it, down to the server's name.
    fn read_greeting(stream: &mut std::net::TcpStream) {
        let mut head = [0; 5];
        stream.read_exact(&mut head).unwrap();
        assert_eq!(head[..3], [HANDSHAKE, 3, 1]);
        let mut body = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        stream.read_exact(&mut body).unwrap();
        assert_eq!((body[0], usize::from(u16::from_be_bytes([body[2], body[3]]))), (1, body.len() - 4));
        assert_eq!(body[4..6], [3, 2], "TLS 1.1 at most");
        assert!(body.windows(9).any(|part| part == b"localhost"));
    }

    #[tokio::test]
    async fn a_server_of_our_time_refuses_old_tls() {
        let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key.into())
            .unwrap();
        let (port, served) = server(move |mut stream| {
            let mut tls = rustls::ServerConnection::new(Arc::new(config)).unwrap();
            let error = tls.complete_io(&mut stream).unwrap_err().to_string();
            assert!(error.contains("incompatible"), "{error}");
        });
        assert_eq!(answer_to_old("localhost", port).await.unwrap(), Answer::Refused);
        served.join().unwrap();
    }

    #[tokio::test]
    async fn agreement_hanging_up_and_other_words_are_told_apart() {
        for (said, expected) in [
            (&[HANDSHAKE, 3, 2, 0, 42, SERVER_HELLO, 0][..], Answer::Spoken),
            (&[HANDSHAKE, 3, 1, 0, 42, SERVER_HELLO, 0], Answer::Spoken),
            (&[ALERT, 3, 2, 0, 2, 2, 70], Answer::Refused),
            (&[ALERT, 3, 1, 0, 2, 2, 40], Answer::Refused),
            // It does not know the name; it has no room now.
            (&[ALERT, 3, 2, 0, 2, 1, 112], Answer::Alert(112)),
            (&[ALERT, 3, 2, 0, 2, 2, 80], Answer::Alert(80)),
            (&[], Answer::HungUp),
            (&[ALERT, 3, 2], Answer::HungUp),
            (b"HTTP/1.1 400 Bad Request\r\n", Answer::Unclear),
        ] {
            let (port, served) = server(move |mut stream| {
                read_greeting(&mut stream);
                stream.write_all(said).unwrap();
            });
            assert_eq!(answer_to_old("localhost", port).await.unwrap(), expected, "{said:?}");
            served.join().unwrap();
        }
    }
}
