//! Commands, buttons and forms. In: an interaction as it came. Out: poise runs the command; one that cannot be read is answered.
//!
//! The connection is ours, so poise's own dispatcher is called, as it provides for. serenity makes the messenger that is part of
//! its context from a connected shard only: ours is connected to this process, for a moment, and never runs.

use std::sync::Arc;

use anyhow::Context as _;
use metrics::counter;
use poise::{FrameworkContext, FrameworkOptions};
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use serenity::{
    all::{FullEvent, GatewayIntents, Interaction, InteractionId, ShardId, ShardInfo, UserId},
    gateway::{Shard, ShardManager, ShardManagerOptions, ShardMessenger, ShardRunner, ShardRunnerOptions},
    http::Http,
    prelude::{Mutex, RwLock, TypeMap},
};
use shared::metrics::GATEWAY_UNREAD;
use tokio::{net::TcpListener, sync::OnceCell};
use tracing::Instrument;

use crate::commands::{self, Data};

/// Kinds that may be answered with a message: commands, components, forms. What is being typed may not.
const ANSWERABLE: [u8; 3] = [2, 3, 5];

pub(super) struct Interactions {
    options: FrameworkOptions<Data, anyhow::Error>,
    data: Data,
    http: Arc<Http>,
    context: OnceCell<(serenity::all::Context, Arc<ShardManager>)>,
}

/// What is needed to answer.
#[derive(Deserialize)]
struct Answerable {
    id: InteractionId,
    token: String,
    #[serde(rename = "type")]
    kind: u8,
}

impl Interactions {
    pub(super) fn new(data: Data, http: Arc<Http>) -> Self {
        let mut commands = commands::all();
        poise::framework::set_qualified_names(&mut commands);
        let options =
            FrameworkOptions { commands, on_error: commands::on_error, ..FrameworkOptions::default() };
        Self { options, data, http, context: OnceCell::new() }
    }

    /// Runs the command, to its end.
    pub(super) async fn take(&self, bot: UserId, data: &RawValue) {
        let interaction: Interaction = match serde_json::from_str(data.get()) {
            Ok(interaction) => interaction,
            Err(error) => {
                counter!(GATEWAY_UNREAD, "kind" => "INTERACTION_CREATE").increment(1);
                tracing::warn!(column = error.column(), "a command cannot be read");
                return self.apologize(data).await;
            }
        };
        let (context, manager) = match self.context.get_or_try_init(|| context(&self.http)).await {
            Ok(made) => made,
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "commands cannot be run");
                return self.apologize(data).await;
            }
        };
        let framework = FrameworkContext {
            serenity_context: context,
            bot_id: bot,
            options: &self.options,
            user_data: &self.data,
            shard_manager: manager,
        };
        let span = tracing::info_span!("command", interaction.id = %interaction.id());
        poise::dispatch_event(framework, FullEvent::InteractionCreate { interaction }).instrument(span).await;
    }

    /// Whoever asked is told, if that much can be read.
    async fn apologize(&self, data: &RawValue) {
        let Ok(asked) = serde_json::from_str::<Answerable>(data.get()) else { return };
        if !ANSWERABLE.contains(&asked.kind) {
            return;
        }
        let content = "What Discord sent could not be read, and nothing was changed. Please try again; if it stays, the \
                       bot's operator finds the cause in its log.";
        // 4: a message; 64: for whoever asked, alone.
        let answer = json!({ "type": 4, "data": { "content": content, "flags": 64 } });
        let answered = self.http.create_interaction_response(asked.id, &asked.token, &answer, Vec::new());
        if let Err(error) = answered.await {
            tracing::warn!(%error, "a command that cannot be read could not be answered");
        }
    }
}

async fn context(http: &Arc<Http>) -> anyhow::Result<(serenity::all::Context, Arc<ShardManager>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("loopback")?;
    let url = format!("ws://{}", listener.local_addr()?);
    let peer = async {
        let (stream, _) = listener.accept().await?;
        tokio_tungstenite::accept_async(stream).await.map_err(anyhow::Error::from)
    };
    // Nothing is said on it, so there is nothing to tell it: no token, no intents.
    let (info, intents) = (ShardInfo { id: ShardId(0), total: 1 }, GatewayIntents::empty());
    let address = Arc::new(Mutex::new(url));
    let shard = async {
        Shard::new(Arc::clone(&address), "", info, intents, None).await.map_err(anyhow::Error::from)
    };
    let (_peer, shard) = tokio::try_join!(peer, shard)?;
    let data = Arc::new(RwLock::new(TypeMap::new()));
    let (manager, _) = ShardManager::new(ShardManagerOptions {
        data: Arc::clone(&data),
        event_handlers: Vec::new(),
        raw_event_handlers: Vec::new(),
        framework: Arc::default(),
        shard_index: 0,
        shard_init: 0,
        shard_total: 0,
        ws_url: address,
        http: Arc::clone(http),
        intents,
        presence: None,
    });
    let runner = ShardRunner::new(ShardRunnerOptions {
        data: Arc::clone(&data),
        event_handlers: Vec::new(),
        raw_event_handlers: Vec::new(),
        framework: None,
        manager: Arc::clone(&manager),
        shard,
        http: Arc::clone(http),
    });
    let shard = ShardMessenger::new(&runner);
    let context = serenity::all::Context { data, shard, shard_id: ShardId(0), http: Arc::clone(http) };
    Ok((context, manager))
}
