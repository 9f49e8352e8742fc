//! Events: everything that changed since a log index. A token is such an index, so that any leader can go on from it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use pool_domain::changes::{self, Changed};
use pool_domain::decide::event as queue;
use pool_domain::{Database, query};
use proto_types::{ApiError, Args, ClassId, Ref, Value};
use tokio::time::Instant;

use super::{Handler, Table};
use crate::api::Api;
use crate::api::gate::Entry;
use crate::api::ports::Role;

/// The messages.
pub const TABLE: Table = &[
    (
        "event.from",
        Handler::Special(|api, entry, args| Box::pin(async move { from(&api, entry, &args).await })),
    ),
    (
        "event.register",
        Handler::Write(|d, caller, args| {
            let classes = subscriptions(args)?;
            queue::register(d, caller.session, &classes);
            Ok(Value::Void)
        }),
    ),
    (
        "event.unregister",
        Handler::Write(|d, caller, args| {
            let classes = subscriptions(args)?;
            queue::unregister(d, caller.session, &classes).map(|()| Value::Void)
        }),
    ),
    (
        "event.next",
        Handler::Special(|api, entry, _| Box::pin(async move { next(&api, entry).await })),
    ),
    (
        "event.get_current_id",
        Handler::Read(|s, _| Ok(Value::Int(i64::try_from(s.db.applied()).unwrap_or(i64::MAX)))),
    ),
    (
        "event.inject",
        Handler::Write(|d, _, args| {
            let class = ClassId::by_name(args.text(0)?).filter(|c| !c.def().internal);
            let text = args.text(1)?;
            let reference: Ref = text.parse().unwrap_or_default();
            let known = class.filter(|c| d.db().of_class(*c, reference).is_some());
            if known.is_none() {
                return Err(ApiError::new("HANDLE_INVALID", [args.text(0)?, text]));
            }
            // A token from before the touch: event.from with it tells of the object.
            let before = token(d.db().applied());
            d.touch(reference);
            Ok(before.into())
        }),
    ),
];

/// What is written within this time of a change is told together with it. XenServer gathers for 50 ms.
const GATHER: Duration = Duration::from_millis(20);
/// Between two looks at who leads, while nothing is written.
const STILL: Duration = Duration::from_secs(1);

/// Longest wait in one call, whatever the client asks for.
const LONGEST: f64 = 3600.0;

/// What a client wants to hear of.
struct Wanted {
    all: bool,
    classes: BTreeSet<ClassId>,
    objects: BTreeSet<Ref>,
}

impl Wanted {
    /// # Errors
    /// `EVENT_SUBSCRIPTION_PARSE_FAILURE [text]`.
    fn parse(items: &[Value]) -> Result<Wanted, ApiError> {
        let mut wanted = Wanted {
            all: false,
            classes: BTreeSet::new(),
            objects: BTreeSet::new(),
        };
        for item in items {
            let text = item.as_str();
            let bad = || ApiError::new("EVENT_SUBSCRIPTION_PARSE_FAILURE", [text]);
            match text.split_once('/') {
                None if text == "*" => wanted.all = true,
                None => {
                    let class =
                        ClassId::all().find(|c| !c.def().internal && c.name().eq_ignore_ascii_case(text));
                    wanted.classes.insert(class.ok_or_else(bad)?);
                }
                Some((class, reference)) => {
                    ClassId::all()
                        .find(|c| c.name().eq_ignore_ascii_case(class))
                        .ok_or_else(bad)?;
                    wanted.objects.insert(reference.parse().map_err(|_| bad())?);
                }
            }
        }
        Ok(wanted)
    }

    fn fits(&self, class: ClassId, reference: Ref) -> bool {
        class.def().events
            && !class.def().internal
            && (self.all || self.classes.contains(&class) || self.objects.contains(&reference))
    }
}

/// The token that stands for an index.
fn token(index: u64) -> String {
    format!("{index:020},{:020}", 0)
}

/// # Errors
/// `EVENT_FROM_TOKEN_PARSE_FAILURE [token]`.
fn index_of(text: &str) -> Result<Option<u64>, ApiError> {
    if text.is_empty() {
        return Ok(None);
    }
    let first = text.split(',').next().unwrap_or_default();
    first
        .parse()
        .map(Some)
        .map_err(|_| ApiError::new("EVENT_FROM_TOKEN_PARSE_FAILURE", [text]))
}

async fn from(api: &Arc<Api>, entry: &Entry, args: &Args) -> Result<Value, ApiError> {
    let wanted = Wanted::parse(args.at(0)?.as_set())?;
    let mut since = index_of(args.text(1)?)?;
    let seconds = args.at(2)?.as_float();
    let seconds = if seconds.is_finite() {
        seconds.clamp(0.0, LONGEST)
    } else {
        0.0
    };
    let deadline = Instant::now() + Duration::from_secs_f64(seconds);
    let mut db = entry.db.clone();
    loop {
        let events = look(&db, &wanted, since);
        let over = Instant::now() >= deadline;
        if !events.is_empty() || over || since.is_none() {
            leads(api).await?;
            return Ok(batch(&db, events));
        }
        // Nothing until now concerns the client: only what comes after is looked at again.
        since = Some(db.applied());
        db = quiet(api, &db, deadline, entry.caller.session).await?;
    }
}

/// Makes sure that this node leads still: what a deposed one has to tell is true, but not all there is.
///
/// # Errors
/// `HOST_STILL_BOOTING`.
async fn leads(api: &Arc<Api>) -> Result<(), ApiError> {
    let read = api.cluster.read().await;
    read.map(drop).map_err(|_| ApiError::bare("HOST_STILL_BOOTING"))
}

/// Waits until something is written or the time is over, and says how things stand then.
///
/// # Errors
/// `HOST_STILL_BOOTING` when this node leads no more; `SESSION_INVALID` when the session has ended.
async fn quiet(api: &Arc<Api>, db: &Database, deadline: Instant, session: Ref) -> Result<Database, ApiError> {
    let seen = db.applied();
    loop {
        let pause = STILL.min(deadline.saturating_duration_since(Instant::now()));
        let changed = tokio::time::timeout(pause, api.cluster.changed(seen))
            .await
            .is_ok();
        if changed || Instant::now() >= deadline {
            break;
        }
        if api.cluster.role() != Role::Leader {
            return Err(ApiError::bare("HOST_STILL_BOOTING"));
        }
    }
    tokio::time::sleep(GATHER.min(deadline.saturating_duration_since(Instant::now()))).await;
    let db = api.cluster.snapshot();
    pool_domain::decide::session::check(&db, session)?;
    Ok(db)
}

/// What a client of the old calls asks for; nothing stands for everything.
///
/// # Errors
/// `EVENT_SUBSCRIPTION_PARSE_FAILURE [text]`.
fn subscriptions(args: &Args) -> Result<Vec<Value>, ApiError> {
    let classes = args.at(0)?.as_set().to_vec();
    Wanted::parse(&classes)?;
    Ok(if classes.is_empty() {
        vec!["*".into()]
    } else {
        classes
    })
}

/// A queue that stood still while so much was written is moved on, so that history need not be kept for it.
const FAR: u64 = 10_000;

/// `event.next`: waits for something that the session asked for. Two calls at once get different events.
///
/// # Errors
/// `SESSION_NOT_REGISTERED [session]`; `EVENTS_LOST` when history does not reach back to what was read last.
async fn next(api: &Arc<Api>, entry: &Entry) -> Result<Value, ApiError> {
    let session = entry.caller.session;
    let deadline = Instant::now() + Duration::from_secs_f64(LONGEST);
    let mut db = entry.db.clone();
    loop {
        let known = queue::find(&db, session)?;
        if changes::since(&db, known.read).is_none() {
            return Err(ApiError::bare("EVENTS_LOST"));
        }
        let events = look(&db, &Wanted::parse(&known.classes)?, Some(known.read));
        let now = db.applied();
        let over = Instant::now() >= deadline;
        if !events.is_empty() || over || now.saturating_sub(known.read) > FAR {
            let origin = entry.caller.history("event.next");
            let (mine, after) = api
                .ops
                .decide(&origin, |d| queue::advance(d, session, known.read, now))
                .await?;
            if mine && (!events.is_empty() || over) {
                leads(api).await?;
                return Ok(Value::Set(events));
            }
            db = after;
            continue;
        }
        db = quiet(api, &db, deadline, session).await?;
    }
}

/// The events since an index (all objects for none): adds, then changes, then deletions.
fn look(db: &Database, wanted: &Wanted, since: Option<u64>) -> Vec<Value> {
    let known = since.and_then(|index| changes::since(db, index));
    let mut adds = Vec::new();
    let mut mods = Vec::new();
    let mut dels = Vec::new();
    match known {
        Some(changes) => {
            for change in changes {
                match change {
                    Changed::Added(row) if wanted.fits(row.class, row.reference) => {
                        adds.push(event(
                            "add",
                            row.class,
                            row.reference,
                            row.version,
                            Some(query::record(db, &row)),
                        ));
                    }
                    Changed::Modified(row) if wanted.fits(row.class, row.reference) => {
                        mods.push(event(
                            "mod",
                            row.class,
                            row.reference,
                            row.version,
                            Some(query::record(db, &row)),
                        ));
                    }
                    Changed::Deleted { class, reference, at } if wanted.fits(class, reference) => {
                        dels.push(event("del", class, reference, at, None));
                    }
                    Changed::Added(_) | Changed::Modified(_) | Changed::Deleted { .. } => {}
                }
            }
        }
        // No token, or one from before what is remembered: everything there is.
        None => {
            for row in db.all().filter(|r| wanted.fits(r.class, r.reference)) {
                adds.push(event(
                    "add",
                    row.class,
                    row.reference,
                    row.version,
                    Some(query::record(db, row)),
                ));
            }
        }
    }
    adds.append(&mut mods);
    adds.append(&mut dels);
    adds
}

fn event(operation: &str, class: ClassId, reference: Ref, index: u64, snapshot: Option<Value>) -> Value {
    let mut members: Vec<(Arc<str>, Value)> = vec![
        (Arc::from("id"), index.to_string().into()),
        (Arc::from("timestamp"), "0.0".into()),
        (Arc::from("class"), class.name().to_lowercase().into()),
        (Arc::from("operation"), operation.into()),
        (Arc::from("ref"), reference.into()),
    ];
    if let Some(snapshot) = snapshot {
        members.push((Arc::from("snapshot"), snapshot));
    }
    Value::Record(members)
}

fn batch(db: &Database, events: Vec<Value>) -> Value {
    let mut counts: BTreeMap<Value, Value> = BTreeMap::new();
    for class in ClassId::all().filter(|c| c.def().in_database && !c.def().internal) {
        let count = i64::try_from(db.count(class)).unwrap_or(i64::MAX);
        counts.insert(class.name().to_lowercase().into(), Value::Int(count));
    }
    Value::Record(vec![
        (Arc::from("events"), Value::Set(events)),
        (Arc::from("valid_ref_counts"), Value::Map(counts)),
        (Arc::from("token"), token(db.applied()).into()),
    ])
}
