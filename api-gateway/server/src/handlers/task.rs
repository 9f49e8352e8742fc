//! Tasks.

use pool_domain::decide::task::{self, NewTask};
use proto_types::generated::task as class;
use proto_types::{ApiError, Value};

use super::{Handler, Table};

/// The messages.
pub const TABLE: Table = &[
    (
        "task.create",
        Handler::Write(|d, caller, args| {
            let reference = d.facts().reference();
            let new = NewTask {
                label: args.text(0)?.to_owned(),
                description: args.text(1)?.to_owned(),
                session: caller.session,
                ..NewTask::default()
            };
            task::create(d, reference, new);
            Ok(reference.into())
        }),
    ),
    (
        "task.destroy",
        Handler::Write(|d, caller, args| {
            task::destroy(d, args.reference(0)?, caller.session).map(|()| Value::Void)
        }),
    ),
    (
        "task.cancel",
        Handler::Write(|d, caller, args| {
            task::cancel(d, args.reference(0)?, caller.session).map(|()| Value::Void)
        }),
    ),
    (
        "task.set_progress",
        Handler::Write(|d, _, args| {
            let this = args.reference(0)?;
            d.read(class::CLASS, this)?;
            let progress = args.at(1)?.as_float();
            // Below zero a client says: whoever takes this task on has not done so yet.
            if !(-1.0..=1.0).contains(&progress) {
                return Err(ApiError::new(
                    "INVALID_VALUE",
                    ["value".to_owned(), progress.to_string()],
                ));
            }
            task::progress(d, this, progress);
            Ok(Value::Void)
        }),
    ),
    (
        "task.set_status",
        Handler::Write(|d, _, args| {
            let this = args.reference(0)?;
            let row = d.read(class::CLASS, this)?;
            // Status leaves pending once.
            if row.get(class::STATUS).as_str() == "pending" {
                let now = d.facts().now;
                let status = args.at(1)?.clone();
                let ended = status.as_str() != "pending" && status.as_str() != "cancelling";
                d.set(this, class::STATUS, status);
                if ended {
                    d.set(this, class::FINISHED, now);
                    d.set(this, class::PROGRESS, 1.0);
                }
            }
            Ok(Value::Void)
        }),
    ),
];
