//! The set-up against a store of our own that knows as much of InfluxDB's interface as the crate uses.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use runtime::clock::ManualClock;
use runtime::health::Health;
use tokio::net::TcpListener;

use super::*;

#[derive(Clone, Default)]
struct Fake {
    buckets: Arc<Mutex<Vec<String>>>,
    posted: Arc<Mutex<Vec<String>>>,
    csv: &'static str,
}

async fn store(fake: Fake) -> Settings {
    let router = Router::new()
        .route(
            "/api/v2/buckets",
            get(async |State(fake): State<Fake>| {
                format!(r#"{{"buckets":[{}]}}"#, fake.buckets.lock().unwrap().join(","))
            })
            .post(async |State(fake): State<Fake>, body: Bytes| {
                fake.posted.lock().unwrap().push(String::from_utf8(body.to_vec()).unwrap());
                fake.buckets.lock().unwrap().push(bucket(0));
                StatusCode::CREATED
            }),
        )
        .route("/api/v2/orgs", get(async || r#"{"orgs":[{"id":"0123456789abcdef","name":"our org"}]}"#))
        .route(
            "/api/v2/query",
            post(async |State(fake): State<Fake>, body: Bytes| {
                fake.posted.lock().unwrap().push(String::from_utf8(body.to_vec()).unwrap());
                fake.csv
            }),
        )
        .with_state(fake);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Settings::new(&url, "our org", "sitrep", "token")
}

fn bucket(seconds: u32) -> String {
    format!(r#"{{"name":"sitrep","retentionRules":[{{"type":"expire","everySeconds":{seconds}}}]}}"#)
}

#[tokio::test]
async fn a_bucket_is_made_once_and_its_retention_is_told() {
    let fake = Fake::default();
    let settings = store(fake.clone()).await;
    assert_eq!(ensure_bucket(&settings).await.unwrap(), Bucket::Created);
    assert_eq!(
        *fake.posted.lock().unwrap(),
        [r#"{"orgID":"0123456789abcdef","name":"sitrep","retentionRules":[]}"#]
    );
    assert_eq!(ensure_bucket(&settings).await.unwrap(), Bucket::Found(None));
    *fake.buckets.lock().unwrap() = vec![bucket(86_400)];
    let day = Duration::from_secs(86_400);
    assert_eq!(ensure_bucket(&settings).await.unwrap(), Bucket::Found(Some(day)));
}

#[tokio::test]
async fn an_organisation_that_is_not_there_is_named() {
    let settings = Settings { org: "other".into(), ..store(Fake::default()).await };
    let error = ensure_bucket(&settings).await.unwrap_err();
    assert_eq!(error.to_string(), "organisation \"other\" is not in the store, or the token may not see it");
}

#[tokio::test]
async fn behind_a_prefix_nothing_is_asked() {
    let fake = Fake::default();
    let settings = store(fake.clone()).await;
    let settings = Settings { url: format!("{}/prefix", settings.url), ..settings };
    assert_eq!(ensure_bucket(&settings).await.unwrap(), Bucket::NotChecked);
}

#[tokio::test]
async fn a_store_that_never_answers_is_an_error_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let request_timeout = Duration::from_millis(50);
    let settings = Settings { request_timeout, ..Settings::new(&url, "o", "b", "t") };
    assert!(matches!(ensure_bucket(&settings).await, Err(SetupError::TimedOut(_))));
}

#[tokio::test]
async fn points_are_read_back_as_numbers_with_their_tags() {
    let csv = "#datatype,string,long,string,string,long,string,string,long\r\n\
               #group,false,false,true,true,false,true,true,false\r\n\
               #default,_result,,,,,,,\r\n\
               ,result,table,_field,_measurement,_value,level,org,stamp\r\n\
               ,,0,waiting,amb_queue,3,site,RXF05,1795270020000000000\r\n\
               ,,1,unclosed,amb_queue,0,site,RXF05,1795270020000000000\r\n\r\n\
               #datatype,string,long,string,string,double,string,string,long\r\n\
               #group,false,false,true,true,false,true,true,false\r\n\
               #default,_result,,,,,,,\r\n\
               ,result,table,_field,_measurement,_value,level,org,stamp\r\n\
               ,,2,median,amb_queue,7.5,site,RXF05,1795270020000000000\r\n\r\n";
    let fake = Fake { csv, ..Fake::default() };
    let settings = store(fake.clone()).await;
    let fields = read_back(&settings, "amb_queue", Minute(29_921_160), Minute(29_921_220)).await.unwrap();
    let tags: BTreeMap<String, String> =
        [("level", "site"), ("org", "RXF05")].map(|(key, value)| (key.into(), value.into())).into();
    let field = |name: &str, value| StoredField {
        measurement: "amb_queue".into(),
        tags: tags.clone(),
        minute: Minute(29_921_167),
        field: name.into(),
        value,
    };
    assert_eq!(fields, [field("median", 7.5), field("unclosed", 0.0), field("waiting", 3.0)]);
    let query = fake.posted.lock().unwrap()[0].clone();
    assert!(query.contains("range(start: 2026-11-21T14:00:00Z, stop: 2026-11-21T15:00:00Z)"), "{query}");
}

#[tokio::test]
async fn an_answer_over_which_the_crate_panics_is_an_error() {
    for csv in
        ["#datatype,string\r\n,result\r\n,x,y,z\r\n", "nonsense,more\r\n", "#datatype,martian\r\n,a\r\n"]
    {
        let settings = store(Fake { csv, ..Fake::default() }).await;
        let read = read_back(&settings, "m", Minute(0), Minute(1)).await;
        assert!(read.is_err(), "{csv:?}: {read:?}");
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_waited_for_until_the_shutdown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = Settings::new(&format!("http://{}", listener.local_addr().unwrap()), "o", "b", "t");
    drop(listener);
    let shutdown = Shutdown::new();
    let health = Health::new(Arc::new(ManualClock::new(0)));
    let bucket = health.condition("bucket");
    let (waiting, stop) = (prepare(&settings, &shutdown, &bucket, 1), async { shutdown.begin() });
    assert_eq!(tokio::join!(waiting, stop).0, None);
    assert!(!health.is_ready(), "a store that is away is no readiness");
    let (settings, running) = (store(Fake::default()).await, Shutdown::new());
    assert_eq!(prepare(&settings, &running, &bucket, 1).await, Some(Bucket::Created));
    assert!(health.is_ready());
}
