use std::sync::Arc;

use opentelemetry::trace::{SpanId, TraceId};
use proptest::prelude::*;

use super::suggest::Place;
use super::*;
use crate::model::{Attribute, Resource, Scope, Span, Value};

fn attributes(pairs: &[(&str, Value)]) -> Arc<[Attribute]> {
    pairs.iter().map(|(key, value)| Attribute { key: (*key).into(), value: value.clone() }).collect()
}

fn span() -> Span {
    let text = |text: &str| Value::Text(text.into());
    let resource = attributes(&[("service.name", text("shop")), ("host.name", text("blue"))]);
    Span {
        id: SpanId::from(0xb7ad_6b71_6920_3331),
        parent: SpanId::from(1),
        remote: None,
        kind: Kind::Server,
        status: Status::Error,
        cost: 0,
        start: 0,
        end: 250_000_000,
        name: "GET /db".into(),
        message: Some("disk I/O error".into()),
        resource: Arc::new(Resource { service: "shop".into(), attributes: resource }),
        scope: Arc::new(Scope {
            name: "otelhttp".into(),
            version: "".into(),
            schema_url: "".into(),
            attributes: [].into(),
        }),
        attributes: attributes(&[
            ("http.route", text("/db")),
            ("http.response.status_code", Value::Int(500)),
            ("ratio", Value::Double(0.5)),
            ("port", text("8080")),
            ("db.system", text("sqlite")),
            ("server.address", text("new")),
            ("net.peer.name", text("old")),
            ("cached", Value::Bool(true)),
            ("tags", Value::Array([text("a b"), Value::Int(7)].into())),
            ("odd key", text("say \"hi\"")),
            ("service", text("an attribute")),
        ]),
        more: None,
    }
}

fn holds(search: &str) -> bool {
    let query = Query::parse(search).unwrap_or_else(|error| panic!("{search}: {error:?}"));
    let trace = TraceId::from(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
    let parent = Span { id: SpanId::from(1), ..span() };
    let spans: Vec<Span> = std::iter::repeat_n(parent, 11).collect();
    let whole = Whole::new(&spans, 312_000_000, 2);
    query.matches(&Subject::span(trace, &span(), Some(&whole)))
}

#[test]
fn what_the_page_promises_is_found() {
    for search in [
        "",
        "  ",
        "db",
        "GET",
        "get /DB",
        "SHOP",
        "\"GET /db\"",
        "error",
        "-root",
        "served",
        "db.system=sqlite",
        "db.system.name=sqlite",
        "server.address=new",
        "net.peer.name=old",
        "-db.namespace=*",
        "-running",
        "-nothing",
        "http.route=/db error",
        "http.route=*",
        "-nothing=*",
        "http.route!=/home",
        "http.route~DB",
        "service=shop",
        "name=\"GET /db\"",
        "operation~db",
        "kind=server",
        "status=error",
        "status=500",
        "status>=500",
        "status<600",
        "duration>200ms",
        "duration>=250ms",
        "duration<=250ms",
        "duration=250",
        "duration<1s",
        "duration>0.1s",
        "duration>249999us",
        "duration<1m",
        "trace=0af7",
        "trace.id=0AF7651916CD43DD8448EB211C80319C",
        "span=b7ad",
        "scope=otelhttp",
        "message~disk",
        "message=\"disk I/O error\"",
        "trace.duration>300ms",
        "trace.spans=11",
        "trace.spans>10",
        "trace.errors>=2",
        "trace.services=1",
        "http.response.status_code=500",
        "http.response.status_code>499.5",
        "http.response.status_code~50",
        "ratio=0.5",
        "ratio<1",
        "port=8080",
        "port>8000",
        "cached=true",
        "tags=\"a b\"",
        "tags=7",
        "tags>6",
        "\"odd key\"=\"say \\\"hi\\\"\"",
        "\"odd key\"~hi",
        "host.name=blue",
        "-host.name=red",
        "\"service\"=\"an attribute\"",
        "parent.service=shop",
        "-level>=info",
    ] {
        assert!(holds(search), "{search}");
    }
}

#[test]
fn what_is_not_so_is_not_found() {
    for search in [
        "home",
        "\"get db\"",
        "-served",
        "\"served\"",
        "server.address=old",
        "-error",
        "root",
        "running",
        "nothing=*",
        "nothing!=x",
        "http.route=/DB",
        "http.route>1",
        "service=sho",
        "kind=client",
        "status=ok",
        "status!=500",
        "duration>250ms",
        "duration<250ms",
        "trace=1af7",
        "trace=0af7651916cd43dd8448eb211c80319c0",
        "span=zz",
        "tags=8",
        "tags!=7",
        "cached=false",
        "cached>0",
        "db home",
        "parent.service=other",
        "trace.spans>11",
        "level>=info",
        "body~x",
        "\"error\"",
        "-db",
    ] {
        assert!(!holds(search), "{search}");
    }
}

#[test]
fn what_is_no_search_says_where() {
    for (search, at) in [
        ("=x", 0),
        ("a=", 2),
        ("a= b", 2),
        ("a!b", 1),
        ("a\"b\"", 1),
        ("\"a", 0),
        ("b \"a\\n\"", 4),
        ("-", 1),
        ("- a", 1),
        ("duration>fast", 9),
        ("duration=", 9),
        ("kind=servant", 5),
        ("status=good", 7),
        ("trace.spans>many", 12),
        ("level=loud", 6),
        ("a=\"b\"c", 5),
    ] {
        let error = Query::parse(search).expect_err(search);
        assert_eq!(error.at, at, "{search}: {}", error.message);
    }
    assert!(Query::parse(&"a ".repeat(33)).is_err());
    assert!(Query::parse(&"a".repeat(4_097)).is_err());
}

#[test]
fn the_place_of_the_cursor_is_found() {
    let key = |key: &str, sign| Some((key.to_owned(), sign));
    for (text, cursor, from, to, expected, typed) in [
        ("", 0, 0, 0, None, ""),
        ("htt", 3, 0, 3, None, "htt"),
        ("error htt", 9, 6, 9, None, "htt"),
        ("error htt", 2, 0, 2, None, "er"),
        ("a=b http.route=/d", 17, 4, 17, key("http.route", "="), "/d"),
        ("-http.route!=", 13, 1, 13, key("http.route", "!="), ""),
        ("name=\"GET /h", 12, 0, 12, key("name", "="), "GET /h"),
        ("\"odd key\"=x", 11, 0, 11, key("odd key", "="), "x"),
        ("é", 1, 0, 0, None, ""),
    ] {
        let expected = Place { from, to, key: expected, typed: typed.to_owned() };
        assert_eq!(place(text, cursor), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_is_too_odd(text in ".{0,40}", cursor in 0usize..50) {
        let _ = Query::parse(&text);
        let place = place(&text, cursor);
        prop_assert!(text.is_char_boundary(place.from) && place.from <= place.to);
    }

    #[test]
    fn what_is_quoted_is_read_as_it_was(key in ".{1,12}", value in ".{0,12}") {
        let search = format!("{}={}", quoted(&key, false), quoted(&value, true));
        let query = Query::parse(&search).unwrap_or_else(|error| panic!("{search}: {error:?}"));
        let [Term { test: Test::Compare(_, Operator::Equal, operand), .. }] = &query.terms[..] else { panic!("{query:?}") };
        prop_assert_eq!(&operand.text, &value);
        prop_assert!(!operand.is_any);
    }
}
