//! The command line and its help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Minute-by-minute situation reports of A&E departments and ambulance services.
///
/// `sitrep up --demo` shows a simulated England on http://127.0.0.1:8080 and needs nothing else.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What sitrep can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs every service in one process, on an embedded log and store.
    Up(UpArgs),
    /// Runs the front door: takes events by HTTP and writes them to Kafka.
    Intake(ConfigArgs),
    /// Runs the aggregator: reads events from Kafka, publishes figures; with --backfill a range of minutes, once.
    Aggregate(AggregateArgs),
    /// Runs the recorder: writes figures from Kafka to InfluxDB or VictoriaMetrics.
    Record(ConfigArgs),
    /// Runs the alerter: judges figures from Kafka by rules and calls people.
    Alert(ConfigArgs),
    /// Runs the board over Kafka, or over a store that `replay --store` has filled.
    Board(BoardArgs),
    /// Computes the figures of a file of events: line protocol, or a store for the board.
    Replay(ReplayArgs),
    /// Makes events of a simulated country.
    Simulate(SimulateArgs),
    /// Turns published monthly tables into events: A&E attendances that reproduce them exactly, or returns.
    Import(ImportArgs),
    /// Writes the situation report of a day, week or month from the board's store.
    Report(ReportArgs),
    /// Makes tokens for senders.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Shows what was refused, and sends it again after a repair.
    #[command(subcommand)]
    Refusals(RefusalsCommand),
    /// Tries a feed on messages, or loads a CSV extract by it (see config/feed-defaults.toml).
    Feed(FeedArgs),
    /// Alert rules, tried on written figures.
    Rules(RulesArgs),
    /// Parses the configuration and everything that it names, and prints what would run. Binds nothing.
    Check(ConfigArgs),
}

/// The configuration.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// TOML file laid over the defaults (see config/default.toml).
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// One key, such as --set http.listen=127.0.0.1:8081; may be repeated, wins over the file.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
}

/// `sitrep up`
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// The configuration.
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Adds a simulated England: a day of history at once, then live; one department goes wrong.
    #[arg(long)]
    pub(crate) demo: bool,
    /// Seed of the demo.
    #[arg(long, default_value_t = 1, requires = "demo")]
    pub(crate) seed: u64,
}

/// `sitrep aggregate`
#[derive(Debug, Args)]
pub(crate) struct AggregateArgs {
    /// The configuration.
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Publishes the points of [--from, --until] once to the backfill topic, and exits.
    #[arg(long, requires_all = ["from", "until"])]
    pub(crate) backfill: bool,
    /// First instant, RFC 3339.
    #[arg(long, value_name = "T", requires = "backfill")]
    pub(crate) from: Option<String>,
    /// Last instant, RFC 3339.
    #[arg(long, value_name = "T", requires = "backfill")]
    pub(crate) until: Option<String>,
    /// What to publish.
    #[command(flatten)]
    pub(crate) points: PointsArgs,
    /// Topic to publish to.
    #[arg(long, value_name = "TOPIC", default_value = contract::topics::BACKFILL, requires = "backfill")]
    pub(crate) to: String,
    /// Goes on although the log no longer reaches back H + 21 days before --from.
    #[arg(long, requires = "backfill")]
    pub(crate) partial: bool,
}

/// Which points.
#[derive(Debug, Args)]
pub(crate) struct PointsArgs {
    /// Points at the multiples of this; it divides 24 h.
    #[arg(long, default_value = "15m", value_name = "STEP")]
    pub(crate) step: String,
    /// Only these measures, such as ae_four_hour,ae_department.
    #[arg(long, value_delimiter = ',', value_name = "M,…")]
    pub(crate) only: Vec<String>,
    /// Only these levels: site, service, trust, system, region, nation, group.
    #[arg(long, value_delimiter = ',', value_name = "L,…")]
    pub(crate) levels: Vec<String>,
    /// Only these windows, such as 4h,24h,today.
    #[arg(long, value_delimiter = ',', value_name = "W,…")]
    pub(crate) windows: Vec<String>,
}

/// `sitrep replay`
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The configuration (measures, standards).
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// organisations.csv; England as shipped if neither this nor the configuration names one.
    #[arg(long, value_name = "FILE")]
    pub(crate) organisations: Option<PathBuf>,
    /// areas.csv; if neither this nor the configuration names one every area is "other".
    #[arg(long, value_name = "FILE")]
    pub(crate) areas: Option<PathBuf>,
    /// groups.csv; none if neither this nor the configuration names one.
    #[arg(long, value_name = "FILE")]
    pub(crate) groups: Option<PathBuf>,
    /// Events, one JSON object a line; - is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) events: PathBuf,
    /// First instant of the points, RFC 3339.
    #[arg(long, value_name = "T")]
    pub(crate) from: String,
    /// Last instant of the points, included.
    #[arg(long, value_name = "T")]
    pub(crate) until: String,
    /// Which points.
    #[command(flatten)]
    pub(crate) points: PointsArgs,
    /// With 2 or more, the events are parsed on a thread of their own beside the ledger's; more than 2 are not used.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) threads: usize,
    /// Where the line protocol goes; - is standard output.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["store", "count"])]
    pub(crate) out: Option<PathBuf>,
    /// Fills this store instead, for `sitrep board --store`.
    #[arg(long, value_name = "DIR", conflicts_with = "count")]
    pub(crate) store: Option<PathBuf>,
    /// Makes the points and only counts them (for measuring).
    #[arg(long)]
    pub(crate) count: bool,
}

/// `sitrep simulate`
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Decides every draw.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// First instant, RFC 3339.
    #[arg(long, value_name = "T")]
    pub(crate) from: String,
    /// No event is received at or after it; default: a day later.
    #[arg(long, value_name = "T")]
    pub(crate) until: Option<String>,
    /// organisations.csv; default: England as shipped.
    #[arg(long, value_name = "FILE")]
    pub(crate) organisations: Option<PathBuf>,
    /// What goes wrong: late, duplicate, disordered, corrected, void, silent_feed, clock_skew, clock_change.
    #[arg(long, value_delimiter = ',', value_name = "KIND,…")]
    pub(crate) faults: Vec<String>,
    /// Attendances relative to England's.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) size: f64,
    /// The benchmark's input: this many events of 200 sites, 10 statements an attendance (see docs/performance.md).
    #[arg(long, value_name = "N", conflicts_with_all = ["faults", "size", "until"])]
    pub(crate) benchmark: Option<u64>,
    /// Where the events go; default: standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// `sitrep import`
#[derive(Debug, Args)]
#[command(after_long_help = IMPORT_EXAMPLES)]
pub(crate) struct ImportArgs {
    /// Published tables, told apart by their header: NHS England's monthly A&E table (MSitAE), its long form (period,
    /// org_code, type, attendances, breaches, admissions), ambulance systems indicators (AmbSYS), general and acute beds
    /// by trust.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// What they become. Attendances: of A&E tables, one event each, so that attendances and those over four hours come
    /// out exactly, and admissions and waits where they fit. Returns: of any table, what it says for each standard,
    /// organisation and month.
    #[arg(long = "as", value_name = "KIND", value_enum, default_value_t = ImportKind::Attendances)]
    pub(crate) kind: ImportKind,
    /// Only these months, such as 2017-10.
    #[arg(long, value_delimiter = ',', value_name = "MONTH,…")]
    pub(crate) month: Vec<String>,
    /// organisations.csv: what it does not know is left out and reported. England as shipped, as for replay.
    #[arg(long, value_name = "FILE", conflicts_with = "organisations_out")]
    pub(crate) organisations: Option<PathBuf>,
    /// Writes the places that the tables name, and knows them all: nation, regions, providers, ambulance services, a
    /// derived site for each provider and type.
    #[arg(long, value_name = "FILE")]
    pub(crate) organisations_out: Option<PathBuf>,
    /// When the tables were published, RFC 3339: of two returns the later one counts, so a revised table needs a later
    /// instant. Default: the second Thursday after the month. For returns.
    #[arg(long, value_name = "T")]
    pub(crate) recorded_at: Option<String>,
    /// Seed of what the tables do not say: when within the month, and how long a stay. For attendances.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Where the events go; default: standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// What a published table becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ImportKind {
    /// One event an attendance.
    Attendances,
    /// One event a standard, organisation and month.
    Returns,
}

const IMPORT_EXAMPLES: &str = "\
Examples:
  One month as attendances, replayed into a store for the board:
    sitrep import msitae-2025-10.csv --organisations-out places.csv --out october.ndjson
    sitrep replay --organisations places.csv --events october.ndjson \\
        --from 2025-10-01T00:00:00Z --until 2025-11-01T00:00:00Z --step 1h --store october
  Two months of a table of many:
    sitrep import ae-2016-04_2018-03.csv --month 2016-10,2017-10 --organisations-out places.csv --out two.ndjson
  Ambulance indicators and beds as returns, those of trusts that are not known left out:
    sitrep import ambsys.csv ga-beds.csv --as returns --out returns.ndjson

Importing a table again changes nothing: its events have the same ids.";

/// `sitrep feed`
#[derive(Debug, Args)]
pub(crate) struct FeedArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: FeedCommand,
}

/// What can be done with a feed.
#[derive(Debug, Subcommand)]
pub(crate) enum FeedCommand {
    /// Prints, message by message, what a file of HL7 v2 messages becomes and why something is left out.
    Test(FeedFile),
    /// Turns the rows of a CSV extract into events, and writes them to Kafka, to the log of `sitrep up`, or to a file.
    Load(FeedLoadArgs),
}

/// A feed and a file for it.
#[derive(Debug, Args)]
pub(crate) struct FeedFile {
    /// The feed: its file, or its name in the folder that intake.feeds names.
    #[arg(value_name = "FEED")]
    pub(crate) feed: PathBuf,
    /// The file; - is standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The configuration.
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// `sitrep feed load`
#[derive(Debug, Args)]
pub(crate) struct FeedLoadArgs {
    /// The feed and the file.
    #[command(flatten)]
    pub(crate) feed: FeedFile,
    /// Writes the events here, one JSON object a line, for `sitrep replay`; - is standard output.
    #[arg(long, value_name = "FILE", conflicts_with = "embedded")]
    pub(crate) out: Option<PathBuf>,
    /// Writes to the log of `sitrep up` in the data folder, which must not be running, instead of Kafka.
    #[arg(long)]
    pub(crate) embedded: bool,
}

/// `sitrep rules`
#[derive(Debug, Args)]
pub(crate) struct RulesArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub(crate) command: RulesCommand,
}

/// What can be done with rules.
#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Tells the alerter figures that a file writes minute by minute, and compares what happens with what the file
    /// expects. Calls nobody. Exit 1 if a test fails.
    #[command(after_long_help = RULES_EXAMPLE)]
    Test(RulesTestArgs),
}

/// `sitrep rules test`
#[derive(Debug, Args)]
pub(crate) struct RulesTestArgs {
    /// TOML files of tests.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The rules; default: those of the configuration, which has some as shipped.
    #[arg(long, value_name = "FILE")]
    pub(crate) rules: Option<PathBuf>,
    /// The configuration (organisations, windows).
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

const RULES_EXAMPLE: &str = "\
A file of tests:
  [[test]]
  name = \"half an hour below one half is told\"
  rule = \"four-hour-type-1\"
  org = \"RXF-T1\"
  # tags = { type = \"1\", window = \"4h\" }   those that the rule leaves open
  # from = \"2026-11-21T09:00:00Z\"          minute 0
  # stale = \"0*20 1*5 0*25\"                1: a feed is silent
  expect = [
    { at = \"10m\", is = \"pending\" },
    { at = \"40m\", is = \"firing\", told = [\"log\"] },
  ]
  [test.values]
  \"ae_four_hour.departed\" = \"50*50\"
  \"ae_four_hour.within\" = \"40*10 20*40\"

Values: 40 is one minute, 40*10 ten, 40+2*10 is 40, 42, … 58, and _*3 three minutes that are not published. Every change of
the episode must be expected: pending, dropped, firing, recovering, relapsed, resolved, frozen, thawed, escalated. told
(channels) and says (the summary) may be left out.";

/// `sitrep board`
#[derive(Debug, Args)]
pub(crate) struct BoardArgs {
    /// The configuration.
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Shows a store that `replay --store` has filled instead of Kafka's measures.
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// As at this instant, RFC 3339; default: the newest minute of the store.
    #[arg(long, value_name = "T", requires = "store")]
    pub(crate) at: Option<String>,
}

/// `sitrep report`
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The configuration: its data folder holds the store, its targets are those judged by.
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// How long: day, week (Monday to Sunday) or month.
    #[arg(long, value_name = "day|week|month")]
    pub(crate) period: String,
    /// The last day, such as 2025-10-31: of a week its Sunday, of a month its last day.
    #[arg(long, value_name = "DATE")]
    pub(crate) ending: String,
    /// The organisation's code; default: the nation.
    #[arg(long, value_name = "CODE")]
    pub(crate) org: Option<String>,
    /// text, html (one page that prints on A4) or json.
    #[arg(long, default_value = "text", value_name = "text|html|json")]
    pub(crate) format: String,
    /// Organisations with a smaller share within four hours are named; from 0 to 1.
    #[arg(long, default_value_t = board::report::DEFAULT_FLOOR, value_name = "SHARE")]
    pub(crate) floor: f64,
    /// Reads this store instead of the data folder's; a board may be at work in it.
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Where the report goes; default: standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// `sitrep token`
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Prints a new token, and the row of the file of tokens (http.tokens) that lets it in.
    New(TokenArgs),
}

/// `sitrep token new`
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// Who gets it: shown in logs, and as who acknowledged an alert.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// A source that it may speak as, or its beginning and *, such as rxf.*; may be repeated.
    #[arg(long = "source", value_name = "SOURCE")]
    pub(crate) sources: Vec<String>,
    /// An organisation that it may speak for, with everything below it; * is every one; may be repeated.
    #[arg(long = "org", value_name = "CODE")]
    pub(crate) orgs: Vec<String>,
    /// What it may be used for: events, alerts.
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',', default_value = "events")]
    pub(crate) scopes: Vec<String>,
    /// Adds the row to this file instead of printing it; what is printed then is the token alone.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// `sitrep refusals`
#[derive(Debug, Subcommand)]
pub(crate) enum RefusalsCommand {
    /// Lists refusals, the oldest first: when, why, from where; never what they held.
    List(RefusalsArgs),
    /// Writes the refused bytes of one to standard output. They may name a patient.
    Show(RefusalsShowArgs),
    /// Judges them again by the present configuration, and sends those that are good now.
    Retry(RefusalsRetryArgs),
}

/// Which refusals, and where.
#[derive(Debug, Args)]
pub(crate) struct RefusalsArgs {
    /// The configuration.
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Of the embedded log of `sitrep up`, which must not be running, instead of Kafka.
    #[arg(long)]
    pub(crate) embedded: bool,
    /// Only for this reason, such as malformed; may be repeated.
    #[arg(long = "reason", value_name = "REASON")]
    pub(crate) reasons: Vec<String>,
    /// Only of this source; may be repeated.
    #[arg(long = "source", value_name = "SOURCE")]
    pub(crate) sources: Vec<String>,
    /// Only what was refused at this instant or later, RFC 3339.
    #[arg(long, value_name = "T")]
    pub(crate) since: Option<String>,
    /// Only what was refused before this instant.
    #[arg(long, value_name = "T")]
    pub(crate) until: Option<String>,
}

/// `sitrep refusals show`
#[derive(Debug, Args)]
pub(crate) struct RefusalsShowArgs {
    /// Where they are.
    #[command(flatten)]
    pub(crate) which: RefusalsArgs,
    /// The number that `list` prints.
    #[arg(value_name = "NUMBER")]
    pub(crate) number: u64,
    /// The private key (as age-keygen writes it) of those that are sealed.
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,
}

/// `sitrep refusals retry`
#[derive(Debug, Args)]
pub(crate) struct RefusalsRetryArgs {
    /// Which.
    #[command(flatten)]
    pub(crate) which: RefusalsArgs,
    /// The private key (as age-keygen writes it) of those that are sealed.
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,
    /// Says what would become of them, and sends nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}
