//! A wire to Postgres that can go silent. In: connections of a service. Out: the same bytes, until a connection says a
//! given text: from then on both its ends are kept open, and nothing passes, as after a firewall forgot it.

use std::{
    str::FromStr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use sqlx::postgres::PgConnectOptions;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    net::{TcpListener, TcpStream, UnixStream},
};

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

#[derive(Default)]
struct State {
    /// What silences a connection, and how many more of them.
    deadly: Mutex<(String, usize)>,
    silenced: AtomicUsize,
    given_up: AtomicUsize,
    /// How many milliseconds whatever is said takes.
    slow: AtomicU64,
}

impl State {
    fn is_deadly(&self, said: &[u8]) -> bool {
        let mut deadly = self.deadly.lock().expect("nobody panics");
        let text = deadly.0.as_bytes();
        let hit = deadly.1 > 0 && said.windows(text.len()).any(|part| part == text);
        deadly.1 -= usize::from(hit);
        hit
    }
}

pub(crate) struct PostgresProxy {
    /// The database, through this wire.
    pub(crate) url: String,
    state: Arc<State>,
}

impl PostgresProxy {
    /// To the database at `url`.
    pub(crate) async fn to(url: &str) -> Self {
        let (user, rest) = url.split_once('@').expect("a user");
        let name = rest.split_once('/').expect("a database").1.split('?').next().expect("a part");
        let options = PgConnectOptions::from_str(url).expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connection(client, dial(&options).await, Arc::clone(&shared)));
            }
        });
        Self { url: format!("{user}@127.0.0.1:{port}/{name}?sslmode=disable"), state }
    }

    /// The next `times` connections that say this are not heard, nor hear anything, any more.
    pub(crate) fn silence(&self, text: &str, times: usize) {
        *self.state.deadly.lock().expect("nobody panics") = (text.to_owned(), times);
    }

    /// From now on whatever a service says takes so long to arrive, as to a database that is far away.
    pub(crate) fn slow(&self, milliseconds: u64) {
        self.state.slow.store(milliseconds, SeqCst);
    }

    /// Connections that went silent.
    pub(crate) fn silenced(&self) -> usize {
        self.state.silenced.load(SeqCst)
    }

    /// Of these, how many the service has closed.
    pub(crate) fn given_up(&self) -> usize {
        self.state.given_up.load(SeqCst)
    }
}

async fn dial(options: &PgConnectOptions) -> Box<dyn Stream> {
    let (host, port) = (options.get_host(), options.get_port());
    let folder = options.get_socket().map(|path| path.display().to_string());
    let folder = folder.or_else(|| host.starts_with('/').then(|| host.to_owned()));
    match folder {
        Some(folder) => {
            Box::new(UnixStream::connect(format!("{folder}/.s.PGSQL.{port}")).await.expect("Postgres is up"))
        }
        None => Box::new(TcpStream::connect((host, port)).await.expect("Postgres is up")),
    }
}

async fn connection(client: TcpStream, server: Box<dyn Stream>, state: Arc<State>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = split(server);
    let silent = AtomicBool::new(false);
    let asks = async {
        let mut said = vec![0; 65_536];
        while let Ok(n @ 1..) = from_client.read(&mut said).await {
            if !silent.load(SeqCst) && state.is_deadly(&said[..n]) {
                silent.store(true, SeqCst);
                state.silenced.fetch_add(1, SeqCst);
            }
            tokio::time::sleep(Duration::from_millis(state.slow.load(SeqCst))).await;
            if !silent.load(SeqCst) && to_server.write_all(&said[..n]).await.is_err() {
                break;
            }
        }
    };
    let answers = async {
        let mut said = vec![0; 65_536];
        while let Ok(n @ 1..) = from_server.read(&mut said).await {
            if !silent.load(SeqCst) && to_client.write_all(&said[..n]).await.is_err() {
                break;
            }
        }
        if silent.load(SeqCst) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! { () = asks => {} () = answers => {} }
    state.given_up.fetch_add(usize::from(silent.load(SeqCst)), SeqCst);
}
