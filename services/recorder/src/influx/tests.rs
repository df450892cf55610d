//! The client against a small store of our own on the loopback address.

use std::io::Read;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{OriginalUri, State};
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use flate2::read::GzDecoder;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::*;

/// What the store was sent.
#[derive(Clone, Debug, Default)]
struct Seen {
    uri: String,
    headers: HeaderMap,
    text: String,
}

#[derive(Clone)]
struct Fake {
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    text: &'static str,
    seen: Arc<Mutex<Vec<Seen>>>,
}

async fn handle(
    State(fake): State<Fake>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    let mut text = String::new();
    GzDecoder::new(body.as_ref()).read_to_string(&mut text).expect("the body is gzip");
    fake.seen.lock().unwrap().push(Seen { uri: uri.to_string(), headers, text });
    let status = axum::http::StatusCode::from_u16(fake.status).unwrap();
    let mut answer = (status, fake.text).into_response();
    for (name, value) in fake.headers {
        answer.headers_mut().insert(*name, value.parse().unwrap());
    }
    answer
}

/// Starts a store that gives one answer to everything; its address without a slash at the end.
async fn store(
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    text: &'static str,
) -> (String, Fake) {
    let fake = Fake { status, headers, text, seen: Arc::default() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(handle).with_state(fake.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, fake)
}

fn influx(url: &str) -> Influx {
    Influx::new(&Settings::new(url, "our org", "sitrep", "secret-token")).unwrap()
}

const LINES: &[u8] = b"m,org=A f=1i 60000000000\nm,org=B f=2i 60000000000\n";

#[tokio::test]
async fn lines_arrive_as_they_were_with_token_and_query() {
    let (url, fake) = store(204, &[], "").await;
    assert_eq!(influx(&url).write(LINES).await, Attempt::Written);
    let seen = fake.seen.lock().unwrap()[0].clone();
    assert_eq!(seen.text.as_bytes(), LINES);
    assert_eq!(seen.uri, "/api/v2/write?org=our+org&bucket=sitrep&precision=ns");
    assert_eq!(seen.headers["authorization"], "Token secret-token");
    assert_eq!(seen.headers["content-encoding"], "gzip");
}

#[tokio::test]
async fn a_path_before_the_interface_is_kept() {
    for (path, expected) in [
        ("", "/api/v2/write"),
        ("/", "/api/v2/write"),
        ("/prefix", "/prefix/api/v2/write"),
        ("/a/b/", "/a/b/api/v2/write"),
    ] {
        let (url, fake) = store(204, &[], "").await;
        assert_eq!(influx(&format!("{url}{path}")).probe().await, Attempt::Written);
        let seen = fake.seen.lock().unwrap()[0].clone();
        assert_eq!(seen.uri.split('?').next(), Some(expected), "{path:?}");
        assert_eq!(seen.text, "");
    }
}

#[tokio::test]
async fn any_success_is_a_success() {
    for status in [200, 201, 202, 204] {
        let (url, _) = store(status, &[], "").await;
        assert_eq!(influx(&url).write(LINES).await, Attempt::Written, "{status}");
    }
}

#[tokio::test]
async fn a_status_that_is_not_about_the_lines_is_retried() {
    use AwayReason::{NotAllowed, NotFound, Throttled, Unavailable, Unexpected};
    for (status, reason, perhaps_written) in [
        (429, Throttled, false),
        (503, Unavailable, false),
        (500, Unavailable, true),
        (502, Unavailable, true),
        (504, Unavailable, true),
        (408, Unavailable, true),
        (401, NotAllowed, false),
        (403, NotAllowed, false),
        (404, NotFound, false),
        (405, Unexpected, true),
        (410, Unexpected, true),
    ] {
        let (url, _) = store(status, &[], "what\nit says").await;
        let detail = format!("{status} what it says");
        let away = Away { reason, retry_after: None, perhaps_written, detail };
        assert_eq!(influx(&url).write(LINES).await, Attempt::Away(away), "{status}");
    }
}

#[tokio::test]
async fn retry_after_is_heard_in_seconds_and_otherwise_left() {
    for (headers, heard) in [
        (&[("retry-after", "7")][..], Some(7)),
        (&[("retry-after", " 120 ")], Some(120)),
        (&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], None),
        (&[("retry-after", "-1")], None),
        (&[("retry-after", "soon")], None),
        (&[], None),
    ] {
        let (url, _) = store(429, headers, "").await;
        let Attempt::Away(away) = influx(&url).write(LINES).await else { panic!("not away") };
        assert_eq!(away.retry_after, heard.map(Duration::from_secs), "{headers:?}");
    }
}

/// The texts are those of InfluxDB 2.7.12.
#[tokio::test]
async fn what_is_about_the_lines_is_told_apart() {
    use RefusedReason::{FieldConflict, Malformed, OutsideRetention, TooLarge, Unprocessable};
    for (status, text, reason, dropped) in [
        (
            400,
            r#"{"code":"invalid","message":"unable to parse 'm,a=b f': invalid field format"}"#,
            Malformed,
            None,
        ),
        (413, "", TooLarge, None),
        (
            422,
            r#"{"code":"unprocessable entity","message":"failure writing points to database: partial write: field type conflict: input field \"f\" on measurement \"m\" is type float, already exists as type integer dropped=1"}"#,
            FieldConflict,
            Some(1),
        ),
        (
            422,
            r#"{"code":"unprocessable entity","message":"failure writing points to database: partial write: dropped 3 points outside retention policy of duration 24h0m0s - oldest point m,a=c at 1970-01-01T00:00:00.00000001Z dropped because it violates a Retention Policy Lower Bound at 2026-11-21T03:41:56.245511761Z, newest point m,a=e at 1970-01-01T00:00:00.000001Z dropped because it violates a Retention Policy Lower Bound at 2026-11-21T03:41:56.245511761Z dropped=3 for database: 77b83712390d6427 for retention policy: autogen"}"#,
            OutsideRetention,
            Some(3),
        ),
        (422, "dropped=", Unprocessable, None),
    ] {
        let (url, _) = store(status, &[], text).await;
        let Attempt::Refused(refused) = influx(&url).write(LINES).await else {
            panic!("{status} is not refused")
        };
        assert_eq!((refused.reason, refused.dropped), (reason, dropped), "{text}");
        assert!(refused.detail.chars().count() <= DETAIL_CHARACTERS + 4);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_our_token() {
    let (other, fake) = store(204, &[], "").await;
    let location: &'static str = Box::leak(format!("{other}/api/v2/write").into_boxed_str());
    let headers: &'static [(&str, &str)] = Box::leak(Box::new([("location", location)]));
    for status in [301, 302, 307, 308] {
        let (url, _) = store(status, headers, "").await;
        let Attempt::Away(away) = influx(&url).write(LINES).await else { panic!("not away") };
        assert_eq!(away.reason, AwayReason::Unexpected);
    }
    assert!(fake.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_connection_that_closes_without_an_answer_leaves_a_doubt() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut some = [0u8; 64];
            // Reads a part of the request and hangs up.
            let _read = stream.read(&mut some).await;
        }
    });
    let Attempt::Away(away) = influx(&url).write(LINES).await else { panic!("not away") };
    assert_eq!((away.reason, away.perhaps_written), (AwayReason::Unreachable, true));
}

#[tokio::test]
async fn a_store_that_never_answers_is_given_up_in_time_and_leaves_a_doubt() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let settings =
        Settings { request_timeout: Duration::from_millis(50), ..Settings::new(&url, "o", "b", "t") };
    // The system takes the connection and nobody ever reads from it.
    let Attempt::Away(away) = Influx::new(&settings).unwrap().write(LINES).await else { panic!("not away") };
    assert_eq!((away.reason, away.perhaps_written), (AwayReason::TimedOut, true));
    drop(listener);
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_written() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let Attempt::Away(away) = influx(&url).write(LINES).await else { panic!("not away") };
    assert_eq!((away.reason, away.perhaps_written), (AwayReason::Unreachable, false));
    assert!(!away.detail.is_empty());
}

#[tokio::test]
async fn an_answer_without_an_end_is_read_in_part() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let endless = axum::routing::any(async || {
        let chunks = std::iter::repeat_with(|| Ok::<_, std::io::Error>("x".repeat(1_000)));
        let stream = futures_util::stream::iter(chunks);
        (axum::http::StatusCode::BAD_REQUEST, axum::body::Body::from_stream(stream))
    });
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback_service(endless)).await });
    let Attempt::Refused(refused) = influx(&url).write(LINES).await else { panic!("not refused") };
    assert_eq!(refused.detail.len(), DETAIL_CHARACTERS + 4);
}

#[test]
fn settings_that_cannot_work_are_told_and_the_token_is_not() {
    for (url, error) in [
        (
            "influx:8086",
            "the store's address is wrong: it must begin with http:// or https:// and name a host",
        ),
        ("localhost", "the store's address is wrong: relative URL without a base"),
        ("http://u:p@h", "the store's address is wrong: it must hold no user, password or query"),
        ("http://h/?db=x", "the store's address is wrong: it must hold no user, password or query"),
    ] {
        let made = Influx::new(&Settings::new(url, "o", "b", "t"));
        assert_eq!(made.err().map(|error| error.to_string()).as_deref(), Some(error), "{url}");
    }
    assert!(matches!(Influx::new(&Settings::new("http://h", "o", "b", "a\nb")), Err(InfluxError::Token)));
    let shown = format!("{:?}", Settings::new("http://h", "o", "b", "secret-token"));
    assert!(!shown.contains("secret-token"), "{shown}");
}
