//! Lists that an owner acts on. Members are generated, and what each list has to say of them is worked out from how they were generated
//! alone; then it is what the lists say, word for word, and what `nexrole why` says of each.

#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use sandbox::stripe::Mode;
use serde_json::{Map, Value, json};
use shared::{
    actions::{
        explain::explain,
        list_members::{Listed, MemberList, list_members},
    },
    db::{authorized::Authorized, pg_roles::Login, pool::Pool},
    domain::{
        activity::Activity,
        explain::lists::{holdings, lacking},
    },
    ids::{GuildId, UserId},
};

use crate::support::world::World;

/// How many are generated at a time: the bot makes 45 calls a second.
const BATCH: usize = 40;
const BATCHES: usize = 5;
/// What is not so after this never will be.
const PATIENCE: Duration = Duration::from_secs(30);
/// More than any group has.
const ALL: &str = "1000";

/// The next of a sequence that is the same in every run, below a bound.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }

    fn of<T: Copy, const N: usize>(&mut self, choices: [T; N]) -> T {
        choices[self.below(N)]
    }
}

/// How anybody could know whose a payment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Customer,
    /// By its own metadata; the customer has none.
    Bought,
    /// The id stands under a key that Nexrole does not read.
    OtherKeyOfCustomer,
    OtherKeyOfBought,
    Nobody,
}

impl Link {
    fn is_known(self) -> bool {
        matches!(self, Self::Customer | Self::Bought)
    }

    /// Of the customer, and of what they buy.
    fn keys(self) -> (Option<&'static str>, Option<&'static str>) {
        match self {
            Self::Customer => (Some("discord_user_id"), None),
            Self::Bought => (None, Some("discord_user_id")),
            Self::OtherKeyOfCustomer => (Some("discord_id"), None),
            Self::OtherKeyOfBought => (None, Some("member")),
            Self::Nobody => (None, None),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Active,
    Trialing,
    PastDue,
    Unpaid,
    Canceled,
    /// Paid once.
    Once,
}

/// What is sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sold {
    Vip,
    Rare,
    /// It is mapped to nothing.
    Other,
}

#[derive(Debug, Clone)]
struct Buy {
    sold: Sold,
    state: State,
    /// It was cancelled, and runs to its end.
    is_ending: bool,
    /// Its invoices are not collected.
    is_frozen: bool,
    fee: Option<&'static str>,
    /// Once it is bought.
    id: String,
}

impl Buy {
    fn generate(dice: &mut Dice, may_be_once: bool) -> Self {
        use State::{Active, Canceled, Once, PastDue, Trialing, Unpaid};
        let sold = dice.of([Sold::Vip, Sold::Vip, Sold::Vip, Sold::Rare, Sold::Other]);
        let state = dice.of([Active, Active, Active, Active, Trialing, PastDue, Unpaid, Canceled, Once]);
        let is_once = state == Once && may_be_once && sold == Sold::Vip;
        let state = if state == Once && !is_once { Active } else { state };
        let changes = matches!(state, Active | Trialing);
        Self {
            sold,
            state,
            is_ending: changes && dice.below(6) == 0,
            is_frozen: changes && dice.below(6) == 0,
            fee: dice.of([None, None, None, Some("5"), Some("2.75")]).filter(|_| state != Once),
            id: String::new(),
        }
    }

    /// A subscription that is paid, or may be still.
    fn runs(&self) -> bool {
        matches!(self.state, State::Active | State::Trialing | State::PastDue)
    }

    fn counts(&self) -> bool {
        self.runs() || self.state == State::Once
    }

    /// Why who has a role by it has it.
    fn reason(&self) -> &'static str {
        match self.state {
            State::PastDue => "late with a payment that is waited for",
            State::Once => "bought once",
            _ if self.is_ending => "cancelled, and paid to the end",
            _ if self.is_frozen => "a subscription whose invoices are not collected",
            State::Trialing => "in a trial",
            _ => "paying",
        }
    }
}

/// In which order reasons are said.
const REASONS: [&str; 8] = [
    "paying",
    "cancelled, and paid to the end",
    "a subscription whose invoices are not collected",
    "in a trial",
    "late with a payment that is waited for",
    "bought once",
    "given by hand by the operator",
    "imported: had it before Nexrole",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ByHand {
    Not,
    Granted,
    Imported,
    /// A person gave it at Discord, before anything was bought.
    Person,
}

#[derive(Debug, Clone)]
struct Person {
    user: u64,
    customer: String,
    link: Link,
    is_here: bool,
    by_hand: ByHand,
    buys: Vec<Buy>,
}

impl Person {
    fn generate(dice: &mut Dice, may_buy_once: bool) -> Self {
        use Link::{Bought, Customer, Nobody, OtherKeyOfBought, OtherKeyOfCustomer};
        let link =
            dice.of([Customer, Customer, Customer, Bought, OtherKeyOfCustomer, OtherKeyOfBought, Nobody]);
        let number = dice.of([0, 1, 1, 1, 1, 2, 2]);
        Self {
            user: 0,
            customer: String::new(),
            link,
            is_here: dice.below(5) > 0,
            by_hand: dice.of([
                ByHand::Not,
                ByHand::Not,
                ByHand::Not,
                ByHand::Not,
                ByHand::Granted,
                ByHand::Imported,
                ByHand::Person,
            ]),
            buys: (0..number).map(|_| Buy::generate(dice, may_buy_once)).collect(),
        }
    }

    /// What gives a role to somebody who is known.
    fn gives(&self, sold: Sold) -> Vec<&Buy> {
        let gives = |buy: &&Buy| self.link.is_known() && buy.counts() && buy.sold == sold;
        self.buys.iter().filter(gives).collect()
    }

    fn is_given(&self) -> bool {
        matches!(self.by_hand, ByHand::Granted | ByHand::Imported)
    }

    /// Charged again: by what, of this.
    fn charged(&self, sold: Sold) -> Vec<&Buy> {
        let is_charged = |buy: &&Buy| buy.runs() && buy.sold == sold && !buy.is_ending && !buy.is_frozen;
        self.buys.iter().filter(is_charged).collect()
    }
}

/// What is for sale.
struct Shop {
    vip: u64,
    rare: u64,
    vip_price: String,
    once_price: String,
    rare_price: String,
    other_price: String,
}

impl Shop {
    fn price(&self, buy: &Buy) -> &str {
        match (buy.sold, buy.state) {
            (Sold::Vip, State::Once) => &self.once_price,
            (Sold::Vip, _) => &self.vip_price,
            (Sold::Rare, _) => &self.rare_price,
            (Sold::Other, _) => &self.other_price,
        }
    }

    fn roles(&self) -> [(Sold, u64); 2] {
        [(Sold::Vip, self.vip), (Sold::Rare, self.rare)]
    }
}

/// Titles of groups, without the members' own, and their rows.
type Groups = BTreeMap<String, BTreeSet<String>>;

/// Sets of rows by titles that count them: `{}` stands for the number, and words follow it for one and for several.
#[derive(Default)]
struct Expected(BTreeMap<(String, String), BTreeSet<String>>);

impl Expected {
    fn add(&mut self, one: &str, several: &str, row: String) {
        let is_new = self.0.entry((one.to_owned(), several.to_owned())).or_default().insert(row);
        assert!(is_new, "rows differ");
    }

    fn groups(self) -> Groups {
        let title = |((one, several), rows): ((String, String), BTreeSet<String>)| {
            let title = if rows.len() == 1 { one } else { several };
            (title.replace("{}", &rows.len().to_string()), rows)
        };
        self.0.into_iter().map(title).collect()
    }
}

fn joined<'a>(ids: impl IntoIterator<Item = &'a Buy>) -> String {
    let ids: BTreeSet<&str> = ids.into_iter().map(|buy| buy.id.as_str()).collect();
    ids.into_iter().collect::<Vec<_>>().join(", ")
}

/// Who pays and has no role, and of them who is not in the server.
fn without_role(people: &[Person], shop: &Shop) -> (Groups, Groups) {
    let (mut expected, mut away) = (Expected::default(), Expected::default());
    for person in people {
        let user = person.user;
        let mut is_due = person.is_given();
        for (sold, role) in shop.roles() {
            let gives = person.gives(sold);
            is_due |= !gives.is_empty();
            if !gives.is_empty() && !person.is_here {
                let row = format!("member {user}  role {role}  {}", joined(gives));
                let because = "without a role because the member is not in the server";
                expected.add(&format!("{{}} is {because}"), &format!("{{}} are {because}"), row.clone());
                let (one, several) = (
                    "{} pays for a role and is not in the server",
                    "{} pay for a role and are not in the server",
                );
                away.add(one, several, row);
            }
        }
        let pays =
            |buy: &&Buy| matches!(buy.state, State::Active | State::Trialing) && buy.sold == Sold::Other;
        for buy in person.buys.iter().filter(pays).filter(|_| person.link.is_known() && !is_due) {
            let price = &shop.other_price;
            let because = format!("without a role because what they pay for ({price}) is mapped to no role");
            let row = format!("member {user}  {}", buy.id);
            expected.add(&format!("{{}} is {because}"), &format!("{{}} are {because}"), row);
        }
    }
    (expected.groups(), away.groups())
}

fn with_role(people: &[Person], shop: &Shop) -> Groups {
    let mut expected = Expected::default();
    for person in people.iter().filter(|person| person.is_here) {
        for (sold, role) in shop.roles() {
            let mut by: BTreeSet<&str> = person.gives(sold).into_iter().map(Buy::reason).collect();
            match (sold, person.by_hand) {
                (Sold::Vip, ByHand::Granted) => drop(by.insert("given by hand by the operator")),
                (Sold::Vip, ByHand::Imported) => drop(by.insert("imported: had it before Nexrole")),
                // Who does not pay for it is nobody's business.
                (Sold::Vip, ByHand::Person) if !by.is_empty() => {
                    by = BTreeSet::from(["given at Discord by a person, not by Nexrole"]);
                }
                _ => {}
            }
            let place = |reason: &&str| REASONS.iter().position(|known| known == reason);
            let mut by: Vec<&str> = by.into_iter().collect();
            by.sort_by_key(place);
            if !by.is_empty() {
                let title = format!("Role {role}, {}: {{}} member", by.join(", "));
                expected.add(&title, &format!("{title}s"), format!("member {}", person.user));
            }
        }
    }
    expected.groups()
}

fn unlinked(people: &[Person], shop: &Shop) -> Groups {
    let mut expected = Expected::default();
    for person in people.iter().filter(|person| !person.link.is_known()) {
        for buy in person.buys.iter().filter(|buy| buy.counts()) {
            let status = match buy.state {
                State::Active => "active",
                State::Trialing => "trialing",
                State::PastDue => "past_due",
                _ => "paid",
            };
            let row = format!("customer {}  {}  {status}  {}", person.customer, buy.id, shop.price(buy));
            let row = match person.link.keys() {
                (Some(key), _) | (_, Some(key)) => format!("{row}  (looks like a Discord id: {key})"),
                _ => row,
            };
            if buy.sold == Sold::Other {
                let of = "of what is mapped to no role, and nobody's";
                let what = "subscription or purchase";
                let several = format!("{{}} subscriptions or purchases are {of}");
                expected.add(&format!("{{}} {what} is {of}"), &several, row);
            } else {
                let (one, several) = (
                    "{} subscription or purchase gives a role, and is nobody's",
                    "{} subscriptions or purchases give a role, and are nobody's",
                );
                expected.add(one, several, row);
            }
        }
    }
    expected.groups()
}

fn double(people: &[Person], shop: &Shop) -> Groups {
    let mut expected = Expected::default();
    for person in people {
        for (sold, role) in shop.roles() {
            let charged = person.charged(sold);
            if charged.len() > 1 {
                let who = if person.link.is_known() {
                    format!("member {}", person.user)
                } else {
                    format!("customer {}, who is no member", person.customer)
                };
                let (one, several) = (
                    "{} person pays for a role by more than one subscription",
                    "{} people pay for a role by more than one subscription",
                );
                expected.add(one, several, format!("{who}  role {role}  {}", joined(charged)));
            }
        }
    }
    expected.groups()
}

fn fees(people: &[Person]) -> Groups {
    let mut expected = Expected::default();
    for person in people {
        for buy in person.buys.iter().filter(|buy| buy.runs()) {
            let Some(fee) = buy.fee else { continue };
            let whose = if person.link.is_known() {
                format!("customer {}  member {}", person.customer, person.user)
            } else {
                format!("customer {}, who is no member", person.customer)
            };
            let made = "made by a platform that takes a part of each payment (application_fee_percent)";
            let (one, several) =
                (format!("{{}} subscription was {made}"), format!("{{}} subscriptions were {made}"));
            expected.add(&one, &several, format!("{fee} %  {}  {whose}", buy.id));
        }
    }
    expected.groups()
}

fn metadata(people: &[Person]) -> Groups {
    let mut rows = Expected::default();
    let mut count = |what: &str, carriers: &[(Option<&'static str>, bool)]| {
        let keys: BTreeSet<&str> = carriers.iter().filter_map(|(key, _)| *key).collect();
        for key in keys {
            let carry = carriers.iter().filter(|(of, _)| *of == Some(key));
            let unlinked = carry.clone().filter(|(_, is_known)| !is_known).count();
            let of = carriers.len();
            let row = format!(
                "{} of {of} {what} carry {key}  ({unlinked} of them linked to nobody)",
                carry.count()
            );
            let ours = if key == "discord_user_id" { "  (Nexrole reads this one)" } else { "" };
            rows.add("Found in what is paid for", "Found in what is paid for", row + ours);
        }
    };
    let bought = |of: fn(&Buy) -> bool| -> Vec<(Option<&'static str>, bool)> {
        let each = people.iter().flat_map(|person| person.buys.iter().map(move |buy| (person, buy)));
        let known = |(person, _): (&Person, &Buy)| (person.link.keys().1, person.link.is_known());
        each.filter(|(_, buy)| of(buy)).map(known).collect()
    };
    count("subscriptions", &bought(Buy::runs));
    count("checkout sessions", &bought(|buy| buy.state == State::Once));
    let customers = people.iter().filter(|person| person.buys.iter().any(Buy::counts));
    let customers: Vec<_> = customers.map(|person| (person.link.keys().0, person.link.is_known())).collect();
    count("customers", &customers);
    rows.groups()
}

/// What a list says, by its groups; without when something ends, and what helps.
fn said_groups(said: &str) -> Groups {
    let mut groups = Groups::new();
    for section in said.split("\n\n").skip(1) {
        let mut lines = section.lines();
        let title = lines.next().expect("a title").to_owned();
        let rows = lines.map(str::trim_start).filter(|line| !line.starts_with("Next: "));
        let without_end = |row: &str| match row.split_once("  (ends 20") {
            Some((before, _)) => before.to_owned(),
            None => row.to_owned(),
        };
        let rows = rows.map(|row| without_end(row).replace("  (won the raffle)", "")).collect();
        assert!(groups.insert(title, rows).is_none(), "a title is there twice\n{said}");
    }
    groups
}

/// Each row that only one of them has.
fn difference(said: &Groups, expected: &Groups) -> String {
    let rows = |groups: &Groups| -> BTreeSet<String> {
        groups
            .iter()
            .flat_map(|(title, rows)| rows.iter().map(move |row| format!("{title}: {row}")))
            .collect()
    };
    let (said, expected) = (rows(said), rows(expected));
    format!("said {:#?}, expected {:#?}", &said - &expected, &expected - &said)
}

impl World {
    async fn lists(&self, name: &str) -> String {
        self.of_guild(&["members", name, "--limit", ALL]).await.expect("it is listed")
    }

    /// Says so, once nothing is on its way: a check may be, of which nothing comes.
    async fn until_said(&self, list: &str, expected: &Groups) {
        let began = Instant::now();
        loop {
            let said = self.lists(list).await;
            let groups = said_groups(&said);
            if groups == *expected {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{list}: {}", difference(&groups, expected));
            self.settle().await;
        }
    }

    /// Joins, is given what is given by hand, leaves, and then buys.
    async fn settles_in(&self, person: &mut Person, shop: &Shop) {
        let user = self.discord.join(self.guild, "member").await.expect("joins");
        (person.user, person.customer) = (user, String::new());
        if person.by_hand == ByHand::Person {
            self.discord.give_role(self.guild, user, self.vip).await.expect("it is given");
        }
        if !person.is_here {
            self.discord.leave(self.guild, user).await.expect("leaves");
        }
        let id = user.to_string();
        let (role, reason) = (self.vip.to_string(), "won the raffle");
        match person.by_hand {
            ByHand::Granted => {
                let grant = ["grant", "--member", &id, "--role", &role, "--reason", reason];
                self.of_guild(&grant).await.expect("it is given");
            }
            ByHand::Imported => {
                let import = ["import", "--role", &role];
                self.of_guild_reading(&import, id.clone()).await.expect("they are imported");
            }
            ByHand::Not | ByHand::Person => {}
        }
        let (customers, own) = person.link.keys();
        let metadata = |key: Option<&str>| -> Value {
            let mut metadata = Map::from_iter([("order".to_owned(), json!("12345678"))]);
            metadata.extend(key.map(|key| (key.to_owned(), json!(id))));
            metadata.into()
        };
        let customer = json!({ "metadata": metadata(customers) });
        person.customer = self.stripe.create_customer_with(customer).await.expect("a customer");
        for buy in &mut person.buys {
            buy.id = self.sells(&person.customer, buy, shop.price(buy), metadata(own)).await;
        }
    }

    async fn sells(&self, customer: &str, buy: &Buy, price: &str, metadata: Value) -> String {
        let mut new = json!({ "customer": customer, "prices": [price], "metadata": metadata });
        let status = match buy.state {
            State::Active => "active",
            State::Trialing => "trialing",
            State::PastDue => "past_due",
            State::Unpaid => "unpaid",
            State::Canceled => "canceled",
            State::Once => {
                let session = self.stripe.open_session(new).await.expect("a session");
                self.stripe.complete_session(&session, json!({})).await.expect("it is paid");
                return session;
            }
        };
        new["status"] = status.into();
        if let Some(fee) = buy.fee {
            new["application_fee_percent"] = fee.parse::<f64>().expect("a number").into();
        }
        let id = self.stripe.subscribe_with(new).await.expect("subscribes");
        if buy.is_ending {
            let change = json!({ "cancel_at_period_end": true });
            self.stripe.set_subscription(&id, change).await.expect("it is cancelled");
        }
        if buy.is_frozen {
            let change = json!({ "pause_collection": { "behavior": "void", "resumes_at": null } });
            self.stripe.set_subscription(&id, change).await.expect("collection is paused");
        }
        id
    }
}

/// The last of them come by Stripe's list of subscriptions, all others by webhooks.
async fn generated(world: &World, shop: &Shop) -> Vec<Person> {
    let mut dice = Dice(20_261_128);
    let mut people = Vec::new();
    for batch in 1..=BATCHES {
        let is_last = batch == BATCHES;
        if is_last {
            world.stripe.delivery(Mode::Drop).await.unwrap();
        }
        for _ in 0..BATCH {
            let mut person = Person::generate(&mut dice, !is_last);
            world.settles_in(&mut person, shop).await;
            people.push(person);
        }
        if is_last {
            world.until_listed_once_more().await;
        } else {
            world.heard().await;
        }
    }
    people
}

#[tokio::test]
async fn each_list_is_right_in_a_world_of_200_generated_members() {
    let world = World::start().await;
    let (rare, rare_price) = world.sells_role("Rare").await;
    let once_price = world.sells_once().await;
    let product = world.stripe.create_product("Other").await.unwrap();
    let other_price = world.stripe.create_price(&product, 500).await.unwrap();
    let vip_price = world.price.clone();
    let shop = Shop { vip: world.vip, rare, vip_price, once_price, rare_price, other_price };
    let people = generated(&world, &shop).await;
    assert_eq!(people.len(), 200);

    let (without, away) = without_role(&people, &shop);
    for (list, expected) in [
        ("without-role", without),
        ("not-in-server", away),
        ("with-role", with_role(&people, &shop)),
        ("unlinked", unlinked(&people, &shop)),
        ("double", double(&people, &shop)),
        ("fees", fees(&people)),
        ("metadata", metadata(&people)),
    ] {
        assert!(!expected.is_empty(), "of {list} nobody was generated");
        world.until_said(list, &expected).await;
    }
    // Discord agrees about who has which role, but for those whom Nexrole does not know.
    for person in people.iter().filter(|person| person.is_here) {
        let roles = world.discord.member_roles(world.guild, person.user).await.unwrap().unwrap();
        let is_due = |sold: Sold| !person.gives(sold).is_empty();
        let has_vip = is_due(Sold::Vip) || person.by_hand != ByHand::Not;
        assert_eq!(roles.contains(&shop.vip), has_vip, "{person:?}");
        assert_eq!(roles.contains(&shop.rare), is_due(Sold::Rare), "{person:?}");
    }
    no_list_says_otherwise_than_why(&world, &people).await;

    let looks =
        async || world.activity_where(|line| line.is(Activity::MembersListed) && line.detail == "fees").await;
    let before = looks().await;
    let few = world.of_guild(&["members", "fees", "--limit", "2"]).await.unwrap();
    let number = fees(&people).into_values().next().unwrap().len();
    let more = format!("and {} more: --limit {number} names all", number - 2);
    assert!(few.contains(&more) && few.matches("sub_").count() == 2, "{few}");
    assert!(world.of_guild(&["members", "fees", "--limit", "0"]).await.is_err());
    assert_eq!(looks().await, before + 1, "each look at members is written down");
    world.finish().await;
}

/// What is read of many at a time is judged as what is read of each.
async fn no_list_says_otherwise_than_why(world: &World, people: &[Person]) {
    let pool = world.login(Login::Operator);
    let by = Authorized::operator(&pool, GuildId::from_u64(world.guild).unwrap()).unwrap();
    let began = Instant::now();
    loop {
        let found = said_otherwise(&pool, &by, people).await;
        if found.is_empty() {
            break;
        }
        // A check may have begun in between.
        assert!(began.elapsed() < PATIENCE, "{found:#?}");
        world.settle().await;
    }
    pool.close().await;
}

/// Of whom a list says something else than an explanation, and who else is listed.
async fn said_otherwise(pool: &Pool, by: &Authorized, people: &[Person]) -> Vec<String> {
    let Listed::WithoutRole(mut without) = list_members(pool, by, MemberList::WithoutRole, 1).await.unwrap()
    else {
        panic!("another list");
    };
    let Listed::WithRole(mut with, _) = list_members(pool, by, MemberList::WithRole, 1).await.unwrap() else {
        panic!("another list");
    };
    let mut found = Vec::new();
    for person in people {
        let member = UserId::from_u64(person.user).unwrap();
        let one = explain(pool, by, member).await.unwrap();
        let lines =
            (lacking(&one.report.facts, &one.explanation), holdings(&one.report.facts, &one.explanation));
        let listed: (Vec<_>, Vec<_>) = (
            without.extract_if(.., |line| line.member == member).collect(),
            with.extract_if(.., |line| line.member == member).collect(),
        );
        if listed != lines {
            found.push(format!("{person:?}: {listed:?}, and not {lines:?}"));
        }
    }
    found.extend(without.iter().map(|line| format!("{line:?}")));
    found.extend(with.iter().map(|line| format!("{line:?}")));
    found
}

/// Of a server that nothing is sold in yet.
#[tokio::test]
async fn a_list_of_nobody_says_so_and_a_server_that_is_not_ours_has_none() {
    let world = World::start().await;
    for list in ["without-role", "not-in-server", "with-role", "unlinked", "double", "fees"] {
        let said = world.lists(list).await;
        assert!(said.ends_with("\nnobody\n"), "{said}");
    }
    assert!(world.lists("metadata").await.ends_with("\nnone\n"));
    let unknown = world.nexrole(&["members", "fees", "--guild", "7"]).await.unwrap_err();
    assert!(unknown.contains("server 7 does not use Nexrole; is the id right?"), "{unknown}");
    world.finish().await;
}
