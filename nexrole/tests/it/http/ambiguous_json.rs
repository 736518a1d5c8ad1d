//! JSON that two readers might read differently. In: some two hundred bodies, each correctly signed. Out: 400, or exactly the one
//! event that every reader finds in them.

use serde_json::{Value, json};

use crate::support::world::World;

/// What must become of a body.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Verdict {
    /// 400, and nothing is written.
    Refused,
    /// One event of the id, type and mode that the body says, about no object.
    Read,
}
use Verdict::{Read, Refused};

/// Members in this order, as text.
fn object(members: &[(&str, &str)]) -> String {
    let members: Vec<String> = members.iter().map(|(key, value)| format!("{key}:{value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// Each with the id that it should have if it is read.
fn ambiguous() -> Vec<(String, Vec<u8>, Verdict)> {
    let mut all: Vec<(String, Vec<u8>, Verdict)> = Vec::new();
    let mut add = |name: String, body: Vec<u8>, verdict| all.push((name, body, verdict));
    // `evt_ID` becomes the trick's own.
    let sane = [
        ("\"id\"", "\"evt_ID\""),
        ("\"type\"", "\"customer.subscription.updated\""),
        ("\"livemode\"", "false"),
    ];
    let plain = object(&sane);
    let with = |key: &str, value: &str| object(&[&sane[..], &[(key, value)]].concat());

    // The same key twice: one reader takes the first, another the last.
    for (key, other) in [
        ("id", "\"evt_other\""),
        ("id", "null"),
        ("type", "\"invoice.paid\""),
        ("livemode", "true"),
        ("livemode", "null"),
    ] {
        for spelt in
            [format!("\"{key}\""), format!("\"\\u{:04x}{}\"", u32::from(key.as_bytes()[0]), &key[1..])]
        {
            add(format!("{spelt} again, {other}"), with(&spelt, other).into_bytes(), Refused);
            let first = object(&[&[(spelt.as_str(), other)], &sane[..]].concat());
            add(format!("{spelt} before, {other}"), first.into_bytes(), Refused);
        }
    }
    for (key, value) in [
        ("created", "1790000000"),
        ("api_version", "\"2024-06-20\""),
        ("data", r#"{"object":{"id":"sub_1"}}"#),
        ("related_object", r#"{"id":"sub_1"}"#),
    ] {
        let key = format!("\"{key}\"");
        let twice = object(&[&sane[..], &[(key.as_str(), value), (key.as_str(), "null")]].concat());
        add(format!("{key} twice"), twice.into_bytes(), Refused);
    }
    // Twice further in: nobody's object, rather than one reader's.
    for data in [
        r#"{"object":{"id":"sub_1"},"object":{"id":"sub_2"}}"#,
        r#"{"object":{"id":"sub_1","id":"sub_2"}}"#,
        r#"{"object":{"id":"sub_1","\u0069d":"sub_2"}}"#,
        r#"[{"id":"sub_1"}]"#,
        r#"{"object":["sub_1"]}"#,
        r#"{"object":{"ID":"sub_1"}}"#,
        r#"{"object":{"id":["sub_1"]}}"#,
        r#"{"object":{"id":{"id":"sub_1"}}}"#,
        r#"{"object":{"id":"sub_1\u0000"}}"#,
        r#"{"object":{"id":"../customers/cus_1"}}"#,
        r#"{"object":{"id":"sub_1 "}}"#,
        r#"{"object":{"id":"sub_1\ud800"}}"#,
        r#""{\"object\":{\"id\":\"sub_1\"}}""#,
    ] {
        add(format!("data {data}"), with("\"data\"", data).into_bytes(), Read);
    }
    // What we never read may come as it likes.
    for (key, value) in [
        ("\"account\"", r#""acct_1","account":"acct_2""#),
        ("\"object\"", r#""event","object":"list""#),
        ("\"__proto__\"", r#"{"id":"evt_other","livemode":true}"#),
        ("\"constructor\"", r#"{"prototype":{"id":"evt_other"}}"#),
        ("\"ID\"", "\"evt_other\""),
        ("\"Id\"", "\"evt_other\""),
        ("\"id \"", "\"evt_other\""),
        ("\"id\\u0000\"", "\"evt_other\""),
        ("\"\\u0456d\"", "\"evt_other\""),
        ("\"\"", "\"evt_other\""),
        ("\"n\"", "1e400"),
        ("\"n\"", "-0"),
        ("\"n\"", "123456789012345678901234567890"),
        ("\"n\"", "0.1e-99999"),
        ("\"s\"", "\"\\ud800\""),
        ("\"s\"", "\"\\udfff\\ud800\""),
        ("\"s\"", "\"\\u0000\""),
        ("\"s\"", "\"\u{feff}\u{2028}\u{2029}\u{202e}\""),
        ("\"s\"", r#""</script><!--""#),
        ("\"s\"", r#""{\"id\":\"evt_other\"}""#),
    ] {
        add(format!("{key}: {value}"), with(key, value).into_bytes(), Read);
    }
    // Before and after.
    for (around, verdict) in [(" ", Read), ("\r\n\t ", Read), ("\n\n", Read)] {
        add(format!("{around:?} around"), format!("{around}{plain}{around}").into_bytes(), verdict);
    }
    for after in [
        "x",
        "{}",
        "]",
        "}",
        ",",
        "\0",
        "//",
        "/**/",
        "null",
        "0",
        "\"\"",
        "\u{c}",
        "\u{b}",
        "\u{a0}",
        "\u{2028}",
        "\u{feff}",
        ";",
        "\n{\"id\":\"evt_other\",\"type\":\"x\"}",
    ] {
        add(format!("{after:?} after"), format!("{plain}{after}").into_bytes(), Refused);
    }
    for before in [
        "\u{feff}", "\0", "\u{a0}", "\u{2028}", ")]}',\n", "//\n", "/**/", "#", "\u{c}", "\u{1e}", "null",
        "{}", ",",
    ] {
        add(format!("{before:?} before"), format!("{before}{plain}").into_bytes(), Refused);
    }
    // Other encodings, and bytes that are none.
    let wide = |order: fn(u16) -> [u8; 2], mark: bool| -> Vec<u8> {
        let mark = mark.then_some(0xfeff);
        mark.into_iter().chain(plain.encode_utf16()).flat_map(order).collect()
    };
    for (name, order) in [("LE", u16::to_le_bytes as fn(u16) -> [u8; 2]), ("BE", u16::to_be_bytes)] {
        for mark in [true, false] {
            add(format!("UTF-16 {name}, mark {mark}"), wide(order, mark), Refused);
        }
    }
    add("UTF-32".into(), plain.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect(), Refused);
    add("UTF-7".into(), plain.replace('{', "+AHs-").into_bytes(), Refused);
    for (name, odd) in [
        ("Latin-1", &b"\xe9"[..]),
        ("no UTF-8", b"\xff"),
        ("overlong", b"\xc0\xaf"),
        ("overlong NUL", b"\xc0\x80"),
        ("a surrogate in UTF-8", b"\xed\xa0\x80"),
        ("beyond Unicode", b"\xf4\x90\x80\x80"),
        ("cut off", b"\xe2\x82"),
    ] {
        let (head, tail) = plain.split_at(plain.len() - 1);
        let skipped = [head.as_bytes(), b",\"skipped\":\"", odd, b"\"", tail.as_bytes()].concat();
        add(format!("{name} in a value"), skipped, Refused);
        add(
            format!("{name} in a key"),
            [head.as_bytes(), b",\"", odd, b"\":1", tail.as_bytes()].concat(),
            Refused,
        );
    }
    // Not JSON, though some readers are kind.
    for value in [
        "NaN",
        "Infinity",
        "-Infinity",
        "+1",
        "01",
        "-01",
        ".5",
        "1.",
        "1e",
        "1e+",
        "0x10",
        "1_000",
        "--1",
        "True",
        "None",
        "undefined",
        "nil",
        "'x'",
        "`x`",
        "\"\\x41\"",
        "\"\\u12\"",
        "\"\\U00000041\"",
        "\"\\'\"",
        "\"\n\"",
        "\"\t\"",
        "\"\u{0}\"",
        "\"",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\":1,}",
        "{\"a\"}",
        "{a:1}",
        "{1:1}",
        "{\"a\":}",
        "{,}",
        "[",
        "{",
        "1 // why",
        "/* why */ 1",
        "1;",
        "@1",
        "\u{ff11}",
        "<a/>",
        "",
    ] {
        add(format!("a field of {value:?}"), with("\"skipped\"", value).into_bytes(), Refused);
    }
    add("a comma at the end".into(), plain.replace('}', ",}").into_bytes(), Refused);
    add("cut off".into(), plain.trim_end_matches('}').as_bytes().to_vec(), Refused);
    add("single quotes".into(), plain.replace('"', "'").into_bytes(), Refused);
    add("no commas".into(), plain.replace(',', " ").into_bytes(), Refused);
    add("equals".into(), plain.replace(':', "=").into_bytes(), Refused);
    // Events that are none.
    for other in [
        format!("[{plain}]"),
        format!("{plain}\n{plain}"),
        json!(plain).to_string(),
        r#"["evt_ID","customer.subscription.updated",null,false]"#.to_owned(),
        "null".into(),
        "true".into(),
        "1".into(),
        "\"evt_ID\"".into(),
        "[]".into(),
        "{}".into(),
    ] {
        add(format!("{other} instead"), other.into_bytes(), Refused);
    }
    for (key, good) in [("id", "\"evt_ID\""), ("type", "\"customer.subscription.updated\"")] {
        for value in [
            "null",
            "1",
            "true",
            "[]",
            "{}",
            "\"\"",
            "\" \"",
            "\"evt 1\"",
            "\"evt_\\u0000\"",
            "\"evt_é\"",
            "\"evt_\\ud800\"",
            "\"evt_1\\n\"",
            "\"evt/1\"",
            "\"evt_1'--\"",
            "[\"evt_ID\"]",
            "{\"id\":\"evt_ID\"}",
        ] {
            let body = plain.replacen(good, value, 1);
            add(format!("{key} is {value}"), body.into_bytes(), Refused);
        }
        let long = plain.replacen(good, &format!("\"{}\"", "x".repeat(256)), 1);
        add(format!("{key} is too long"), long.into_bytes(), Refused);
        let gone = plain.replacen(&format!("\"{key}\""), &format!("\"{}\"", key.to_uppercase()), 1);
        add(format!("{key} in capitals"), gone.into_bytes(), Refused);
    }
    all
}

#[tokio::test]
async fn json_that_two_readers_read_differently_is_refused_or_read_in_the_one_way() {
    let mut world = World::without_services().await;
    world.start_gateway().await;
    let ambiguous = ambiguous();
    let mut read = 0;
    for (n, (name, body, verdict)) in ambiguous.iter().enumerate() {
        let id = format!("evt_trick_{n}");
        // In what is no text there is no place for it, and no need.
        let body = match std::str::from_utf8(body) {
            Ok(text) => text.replace("evt_ID", &id).into_bytes(),
            Err(_) => body.clone(),
        };
        let answer = world.post_signed(&body).await;
        let (status, said) = (answer.status(), answer.text().await.unwrap());
        let row = world.event(&id).await.map(|event| (event.kind, event.livemode, event.object_id));
        match verdict {
            Refused => assert_eq!((status.as_u16(), row), (400, None), "{name}: {said}"),
            Read => {
                assert_eq!(status, 200, "{name}: {said}");
                assert_eq!(row, Some(("customer.subscription.updated".into(), false, None)), "{name}");
                // A reader of another make, wherever it can read at all.
                if let Ok(other) = serde_json::from_slice::<Value>(&body) {
                    assert_eq!((&other["id"], &other["livemode"]), (&json!(id), &json!(false)), "{name}");
                }
                read += 1;
            }
        }
    }
    println!("{} bodies: {read} read, {} refused", ambiguous.len(), ambiguous.len() - read);
    assert!(ambiguous.len() >= 200, "{}", ambiguous.len());
    assert_eq!(world.events().await, read, "and nothing else is written");
    world.close().await;
}
