//! A real SMTP server on loopback (RFC 5321, STARTTLS of RFC 3207, AUTH of RFC 4954) that delivers nothing. In: how it is reached, and
//! faults. Out: what it took, and who spoke to it.
//!
//! Its certificate is its own, made at the start, for `localhost`; whoever trusts it is given it as PEM.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use tokio::net::TcpListener;
use tokio_rustls::{TlsAcceptor, rustls};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::AbortOnDropHandle,
};

use crate::lock::lock;

mod envelope;
mod session;
mod state;

pub use envelope::Mail;
pub use state::{Fault, Options, Security};
use state::{Shared, State};

/// A started server. Dropping it ends it, and every conversation.
pub struct Running {
    pub address: SocketAddr,
    /// Its certificate.
    pub certificate: String,
    state: Arc<Mutex<State>>,
    _stop: DropGuard,
    _accepting: AbortOnDropHandle<()>,
}

impl Running {
    /// What it took, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        lock(&self.state).mails.clone()
    }

    /// Each waits for the first conversation in which it can happen.
    pub fn fault(&self, fault: Fault) {
        lock(&self.state).faults.push(fault);
    }

    /// How often somebody connected.
    pub fn connections(&self) -> usize {
        lock(&self.state).connections
    }

    /// The commands that it heard, by their first word.
    pub fn commands(&self) -> Vec<String> {
        lock(&self.state).commands.clone()
    }
}

/// Starts one.
pub async fn serve(options: Options) -> io::Result<Running> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
    let address = listener.local_addr()?;
    let (tls, certificate) = certified().map_err(io::Error::other)?;
    let state = Arc::new(Mutex::new(State::default()));
    let stop = CancellationToken::new();
    let shared = Shared { state: Arc::clone(&state), options, tls, stop: stop.clone() };
    let accepting = tokio::spawn(async move {
        // A connection that was gone before it was accepted is nobody's.
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            lock(&shared.state).connections += 1;
            tokio::spawn(session::serve(shared.clone(), stream));
        }
    });
    Ok(Running {
        address,
        certificate,
        state,
        _stop: stop.drop_guard(),
        _accepting: AbortOnDropHandle::new(accepting),
    })
}

/// A key and a certificate of its own.
fn certified() -> anyhow::Result<(TlsAcceptor, String)> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())?;
    Ok((TlsAcceptor::from(Arc::new(config)), made.cert.pem()))
}
