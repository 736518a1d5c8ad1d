//! A websocket client for the fake gateway, small enough to read. In: frames to say. Out: frames heard.

use std::time::Duration;

use sandbox::Running;
use sandbox::discord::{Control, Options, serve};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A websocket client that knows unfragmented text frames, which is all the gateway sends.
pub(crate) struct Socket(pub(crate) BufReader<TcpStream>);

impl Socket {
    pub(crate) async fn connect(running: &Running) -> Self {
        let authority = running.url.trim_start_matches("http://");
        let mut stream = BufReader::new(TcpStream::connect(authority).await.unwrap());
        let hello = format!(
            "GET /gateway?v=10 HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(hello.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        Self(stream)
    }

    pub(crate) async fn say(&mut self, frame: Value) {
        let text = frame.to_string().into_bytes();
        // Masked with zeros, which leaves the text readable and is still a mask. Always the 16-bit length.
        let mut bytes = vec![0x81, 0xFE];
        bytes.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(text);
        self.0.write_all(&bytes).await.unwrap();
    }

    /// The next frame: its opcode and payload. `None` once the connection is gone.
    pub(crate) async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let opcode = self.0.read_u8().await.ok()? & 0x0F;
        let length = match self.0.read_u8().await.ok()? {
            126 => usize::from(self.0.read_u16().await.ok()?),
            127 => usize::try_from(self.0.read_u64().await.ok()?).unwrap(),
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await.ok()?;
        Some((opcode, payload))
    }

    pub(crate) async fn hear(&mut self) -> Value {
        let frame = tokio::time::timeout(Duration::from_secs(5), self.frame()).await.expect("a frame");
        serde_json::from_slice(&frame.expect("an open connection").1).unwrap()
    }

    pub(crate) async fn identify(running: &Running, intents: u64) -> Self {
        let mut socket = Self::connect(running).await;
        assert_eq!(socket.hear().await["op"], 10);
        let properties = json!({ "os": "linux", "browser": "test", "device": "test" });
        let d =
            json!({ "token": "Bot x.y.z", "intents": intents, "properties": properties, "shard": [0, 1] });
        socket.say(json!({ "op": 2, "d": d })).await;
        socket
    }
}

/// A fake Discord that accepts the token `x.y.z`.
pub(crate) async fn start() -> (Running, Control) {
    let running = serve(Options { port: 0, token: Some("x.y.z".to_owned()) }).await.unwrap();
    let control = Control::new(&running.control);
    (running, control)
}
