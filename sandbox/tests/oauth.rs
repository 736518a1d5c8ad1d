//! Login with the fake Discord over real HTTP. In: what a browser and a confidential client send. Out: what Discord would say, and
//! above all what it would refuse.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Client, Response, StatusCode, redirect};
use sandbox::Running;
use sandbox::discord::{BOT_ID, Control, Fault, Limits, Options, serve};
use serde_json::{Value, json};
use testkit::openapi;

const BACK: &str = "https://roles.example.com/oauth/discord/callback";
/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

struct Scene {
    running: Running,
    control: Control,
    client: Client,
    ana: u64,
}

async fn scene() -> Scene {
    let running = serve(Options { port: 0, token: Some("t0ken".to_owned()) }).await.unwrap();
    let control = Control::new(&running.url);
    control.set_oauth(json!({ "client_secret": "s3cret", "redirect_uris": [BACK] })).await.unwrap();
    let ana = control.sign_up("ana").await.unwrap();
    let profile = json!({ "global_name": "Ana <3", "email": "ana@example.com", "verified": true });
    control.set_profile(ana, profile).await.unwrap();
    let client = Client::builder()
        .timeout(Duration::from_secs(5))
        .no_proxy()
        .redirect(redirect::Policy::none())
        .user_agent("DiscordBot (https://example.com, 1)")
        .build()
        .unwrap();
    Scene { running, control, client, ana }
}

/// A good request for a code, with some of it changed; an empty value leaves it out.
fn request(changes: &[(&'static str, &'static str)]) -> Vec<(&'static str, String)> {
    let mut pairs = BTreeMap::from([
        ("response_type", "code".to_owned()),
        ("client_id", BOT_ID.to_string()),
        ("redirect_uri", BACK.to_owned()),
        ("scope", "identify email".to_owned()),
        ("state", "a+b&c".to_owned()),
        ("code_challenge", CHALLENGE.to_owned()),
        ("code_challenge_method", "S256".to_owned()),
    ]);
    pairs.extend(changes.iter().map(|(name, value)| (*name, (*value).to_owned())));
    pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

impl Scene {
    async fn page(&self, changes: &[(&'static str, &'static str)]) -> Response {
        let url = format!("{}/oauth2/authorize", self.running.url);
        self.client.get(url).query(&request(changes)).send().await.unwrap()
    }

    /// The person's click: where the browser is sent.
    async fn click(&self, changes: &[(&'static str, &'static str)], form: &[(&str, &str)]) -> String {
        let url = format!("{}/oauth2/authorize", self.running.url);
        let answer = self.client.post(url).query(&request(changes)).form(form).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{}", answer.text().await.unwrap());
        answer.headers()["location"].to_str().unwrap().to_owned()
    }

    async fn code(&self, changes: &[(&'static str, &'static str)]) -> String {
        let location = self.click(changes, &[("user_id", &self.ana.to_string())]).await;
        let query = location.strip_prefix(BACK).unwrap().strip_prefix('?').unwrap();
        query.split('&').find_map(|pair| pair.strip_prefix("code=")).unwrap().to_owned()
    }

    async fn token(&self, basic: Option<(&str, &str)>, form: &[(&str, &str)]) -> (u16, Value) {
        let call = self.client.post(format!("{}/api/v10/oauth2/token", self.running.url)).form(form);
        let call = match basic {
            Some((id, secret)) => call.basic_auth(id, Some(secret)),
            None => call,
        };
        let answer = call.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// With the right secret, by Basic.
    async fn redeem(&self, code: &str, verifier: &str, redirect_uri: &str) -> (u16, Value) {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
        ];
        let form: Vec<_> = form.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        self.token(Some((&BOT_ID.to_string(), "s3cret")), &form).await
    }

    async fn me(&self, token: &str) -> (u16, Value) {
        let call = self.client.get(format!("{}/api/v10/users/@me", self.running.url)).bearer_auth(token);
        let answer = call.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

#[tokio::test]
async fn a_person_agrees_and_the_program_learns_who_they_are() {
    let s = scene().await;
    let page = s.page(&[]).await.text().await.unwrap();
    assert!(page.contains(&format!("value=\"{}\">Authorize as ana</button>", s.ana)), "{page}");
    let location = s.click(&[], &[("user_id", &s.ana.to_string())]).await;
    let issuer = s.running.url.replace(':', "%3A").replace('/', "%2F");
    assert!(location.ends_with(&format!("&state=a%2Bb%26c&iss={issuer}")), "{location}");

    let (status, tokens) = s.redeem(&s.code(&[]).await, VERIFIER, BACK).await;
    assert_eq!(
        (status, &tokens["token_type"], &tokens["scope"]),
        (200, &json!("Bearer"), &json!("email identify"))
    );
    let (status, me) = s.me(tokens["access_token"].as_str().unwrap()).await;
    let seen = ["id", "username", "global_name", "email", "verified"].map(|name| me[name].clone());
    let expected =
        [json!(s.ana.to_string()), json!("ana"), json!("Ana <3"), json!("ana@example.com"), json!(true)];
    assert_eq!((status, seen), (200, expected));

    let (_, fewer) = s.redeem(&s.code(&[("scope", "identify")]).await, VERIFIER, BACK).await;
    let (_, me) = s.me(fewer["access_token"].as_str().unwrap()).await;
    assert!(me.get("email").is_none() && me.get("verified").is_none(), "{me}");
    if let Some(description) = openapi::discord() {
        let checked = description.check(&s.control.transcripts().await.unwrap());
        assert_eq!(checked.problems, [""; 0]);
        assert_eq!(checked.routes.len(), 2, "{}", checked.list());
    }
}

#[tokio::test]
async fn somebody_new_signs_up_on_the_page_and_nobody_is_made_up_by_an_id() {
    let s = scene().await;
    let location = s.click(&[], &[("username", "b\u{e9}n")]).await;
    assert!(location.starts_with(&format!("{BACK}?code=")), "{location}");
    assert_eq!(s.control.sign_up("b\u{e9}n").await.unwrap(), s.control.sign_up("b\u{e9}n").await.unwrap());
    let url = format!("{}/oauth2/authorize", s.running.url);
    for form in [&[("user_id", "7")][..], &[("username", "")], &[]] {
        let answer = s.client.post(&url).query(&request(&[])).form(form).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{form:?}");
    }
    s.control.sign_up("<b>\"&'").await.unwrap();
    let page = s.page(&[]).await.text().await.unwrap();
    assert!(page.contains("Authorize as &lt;b&gt;&quot;&amp;&#39;</button>"), "{page}");
}

#[tokio::test]
async fn who_says_no_is_sent_back_with_an_error() {
    let s = scene().await;
    let location = s.click(&[], &[("cancel", "1")]).await;
    assert!(location.starts_with(&format!("{BACK}?error=access_denied&error_description=")), "{location}");
    assert!(location.contains("&state=a%2Bb%26c&iss="), "{location}");
}

#[tokio::test]
async fn a_request_that_differs_from_what_is_registered_is_sent_nowhere() {
    let s = scene().await;
    for (name, value) in [
        ("client_id", "7"),
        ("client_id", ""),
        ("redirect_uri", ""),
        ("redirect_uri", "https://roles.example.com/oauth/discord/callback/"),
        ("redirect_uri", "https://roles.example.com/oauth/discord/callback?x=1"),
        ("redirect_uri", "http://roles.example.com/oauth/discord/callback"),
        ("redirect_uri", "https://roles.example.com.evil.example/oauth/discord/callback"),
        ("response_type", "token"),
        ("response_type", ""),
        ("scope", ""),
        ("scope", "identify bot"),
        ("code_challenge", "short"),
        ("code_challenge", ""),
        ("code_challenge_method", "plain"),
        ("code_challenge_method", ""),
    ] {
        let answer = s.page(&[(name, value)]).await;
        assert_eq!(answer.status(), 400, "{name}={value}");
        assert!(!answer.headers().contains_key("location"), "{name}={value}");
    }
    assert_eq!(
        s.page(&[("code_challenge", ""), ("code_challenge_method", "")]).await.status(),
        200,
        "PKCE is a choice"
    );
}

#[tokio::test]
async fn a_code_is_for_one_use_one_client_one_address_and_one_verifier() {
    let s = scene().await;
    let invalid = |(status, body): (u16, Value)| {
        assert_eq!((status, &body["error"]), (400, &json!("invalid_grant")), "{body}");
        body["error_description"].as_str().unwrap().to_owned()
    };
    let code = s.code(&[]).await;
    assert_eq!(s.redeem(&code, VERIFIER, BACK).await.0, 200);
    assert_eq!(invalid(s.redeem(&code, VERIFIER, BACK).await), "Invalid \"code\" in request.");
    assert_eq!(invalid(s.redeem("made-up", VERIFIER, BACK).await), "Invalid \"code\" in request.");

    for (verifier, redirect_uri, part) in [
        (VERIFIER, "https://roles.example.com/", "redirect_uri"),
        (VERIFIER, "", "redirect_uri"),
        ("", BACK, "code_verifier"),
        ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXX", BACK, "code_verifier"),
        (CHALLENGE, BACK, "code_verifier"),
    ] {
        let code = s.code(&[]).await;
        let why = invalid(s.redeem(&code, verifier, redirect_uri).await);
        assert!(why.contains(part), "{verifier} {redirect_uri}: {why}");
        invalid(s.redeem(&code, VERIFIER, BACK).await);
    }
    let unproven = s.code(&[("code_challenge", ""), ("code_challenge_method", "")]).await;
    assert!(
        invalid(s.redeem(&unproven, VERIFIER, BACK).await).contains("code_verifier"),
        "a proof of nothing"
    );

    s.control.set_oauth(json!({ "code_ms": 0 })).await.unwrap();
    invalid(s.redeem(&s.code(&[]).await, VERIFIER, BACK).await);
}

#[tokio::test]
async fn only_the_client_itself_gets_tokens() {
    let s = scene().await;
    let id = BOT_ID.to_string();
    let code = s.code(&[]).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ];
    let with = |extra: &[(&'static str, &'static str)]| [&form[..], extra].concat();
    let in_form = [("client_id", id.as_str()), ("client_secret", "s3cret")];
    let both = [&form[..], &in_form[..]].concat();
    for (basic, sent) in [
        (None, form.to_vec()),
        (Some((id.as_str(), "wrong")), form.to_vec()),
        (Some(("7", "s3cret")), form.to_vec()),
        (None, with(&[("client_id", "7"), ("client_secret", "s3cret")])),
        (Some((id.as_str(), "s3cret")), both.clone()),
    ] {
        let (status, body) = s.token(basic, &sent).await;
        assert_eq!((status, &body["error"]), (401, &json!("invalid_client")), "{basic:?} {sent:?}");
    }
    assert_eq!(s.token(None, &both).await.0, 200, "the code was not used up by strangers");
    let (status, body) = s.token(Some((&id, "s3cret")), &[("grant_type", "password")]).await;
    assert_eq!((status, &body["error"]), (400, &json!("unsupported_grant_type")));
}

#[tokio::test]
async fn tokens_are_refreshed_and_revoked() {
    let s = scene().await;
    let basic = Some((BOT_ID.to_string(), "s3cret"));
    let basic = basic.as_ref().map(|(id, secret)| (id.as_str(), *secret));
    let (_, old) = s.redeem(&s.code(&[]).await, VERIFIER, BACK).await;
    let refresh =
        [("grant_type", "refresh_token"), ("refresh_token", old["refresh_token"].as_str().unwrap())];
    let (status, new) = s.token(basic, &refresh).await;
    assert_eq!(status, 200);
    assert_eq!(s.token(basic, &refresh).await.0, 400, "a refresh token is used once");
    assert_eq!(s.me(old["access_token"].as_str().unwrap()).await.0, 401);
    let token = new["access_token"].as_str().unwrap();
    assert_eq!(s.me(token).await.0, 200);
    let revoke = s.client.post(format!("{}/api/v10/oauth2/token/revoke", s.running.url));
    let revoked = revoke.form(&[("token", token)]).basic_auth(BOT_ID, Some("s3cret")).send().await.unwrap();
    assert_eq!(revoked.status(), 200);
    assert_eq!(s.me(token).await.0, 401);
    assert_eq!(s.control.oauth_grants().await.unwrap(), 0);
}

#[tokio::test]
async fn a_persons_token_opens_nothing_else_and_faults_hit_tokens_too() {
    let s = scene().await;
    let (_, tokens) = s.redeem(&s.code(&[]).await, VERIFIER, BACK).await;
    let token = tokens["access_token"].as_str().unwrap();
    let other = s.client.get(format!("{}/api/v10/gateway/bot", s.running.url)).bearer_auth(token);
    assert_eq!(other.send().await.unwrap().status(), 401);
    let (_, guilds) = s.redeem(&s.code(&[("scope", "guilds")]).await, VERIFIER, BACK).await;
    assert_eq!(s.me(guilds["access_token"].as_str().unwrap()).await.0, 401, "without the scope identify");
    s.control.fault(Fault::status(429).on("POST", "/oauth2/token").header("retry-after", "7")).await.unwrap();
    assert_eq!(s.redeem(&s.code(&[]).await, VERIFIER, BACK).await.0, 429);
    s.control.fault(Fault::status(500).on("GET", "/users/@me")).await.unwrap();
    assert_eq!(s.me(token).await.0, 500);
    assert_eq!(s.me(token).await.0, 200);
}

#[tokio::test]
async fn the_bot_adds_who_agreed_and_is_refused_in_discords_words() {
    let s = scene().await;
    s.control.set_limits(Limits::none()).await.unwrap();
    let guild = s.control.create_guild(None, "Guild").await.unwrap();
    let role = s.control.create_role(guild, "VIP").await.unwrap();
    let state = s.control.state().await.unwrap();
    let roles = state["guilds"][0]["roles"].as_array().unwrap();
    let own = roles.iter().find(|role| role["name"] == "Nexrole").unwrap()["id"].as_str().unwrap();
    let own: u64 = own.parse().unwrap();
    let token = async |scope| {
        let (_, tokens) = s.redeem(&s.code(&[("scope", scope)]).await, VERIFIER, BACK).await;
        tokens["access_token"].as_str().unwrap().to_owned()
    };
    let put = async |guild: u64, user: u64, body: Value| {
        let url = format!("{}/api/v10/guilds/{guild}/members/{user}", s.running.url);
        let call = s.client.put(url).header("authorization", "Bot t0ken").json(&body);
        let answer = call.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice::<Value>(&answer.bytes().await.unwrap()).unwrap_or_default())
    };
    let refused = async |guild: u64, user: u64, body: Value| {
        let (status, said) = put(guild, user, body).await;
        (status, said["code"].as_u64().unwrap())
    };
    let good = token("identify guilds.join").await;
    let with = |roles: &[u64]| {
        let roles: Vec<_> = roles.iter().map(ToString::to_string).collect();
        json!({ "access_token": good, "roles": roles })
    };
    assert_eq!(refused(1, s.ana, with(&[])).await, (404, 10004));
    assert_eq!(refused(guild, s.ana, with(&[])).await, (403, 50013), "no Create Invite");
    s.control.set_role(guild, own, json!({ "permissions": (1_u64 << 28 | 1).to_string() })).await.unwrap();
    let eve = s.control.sign_up("eve").await.unwrap();
    assert_eq!(refused(guild, eve, with(&[])).await, (403, 50025), "somebody else's");
    let without = json!({ "access_token": token("identify email").await });
    assert_eq!(refused(guild, s.ana, without).await, (403, 50025), "without the scope");
    assert_eq!(refused(guild, s.ana, with(&[7])).await, (404, 10011));
    assert_eq!(refused(guild, s.ana, with(&[own])).await, (403, 50013));
    for (door, expected) in
        [(json!({ "banned": [s.ana] }), (403, 40007)), (json!({ "full": [s.ana.to_string()] }), (400, 30001))]
    {
        s.control.set_door(door).await.unwrap();
        assert_eq!(refused(guild, s.ana, with(&[role])).await, expected);
    }
    assert_eq!(s.control.member_roles(guild, s.ana).await.unwrap(), None);
    s.control.set_door(json!({ "screening": true })).await.unwrap();
    let (status, member) = put(guild, s.ana, with(&[role])).await;
    assert_eq!(
        (status, &member["pending"], &member["roles"]),
        (201, &json!(true), &json!([role.to_string()]))
    );
    // Whoever is there is, whatever else is wrong; and nothing else of the call is done.
    s.control.set_door(json!({ "full": [s.ana], "banned": [s.ana] })).await.unwrap();
    s.control.take_role(guild, s.ana, role).await.unwrap();
    assert_eq!(put(guild, s.ana, with(&[role])).await, (204, Value::Null));
    assert_eq!(s.control.member_roles(guild, s.ana).await.unwrap(), Some([].into()));
    if let Some(description) = openapi::discord() {
        let checked = description.check(&s.control.transcripts().await.unwrap());
        assert_eq!(checked.problems, [""; 0]);
    }
    for wrong in [json!({}), json!({ "access_token": 7 }), json!({ "access_token": good, "x": 1 }), json!([])]
    {
        assert_eq!(refused(guild, s.ana, wrong).await, (400, 50035));
    }
}
