//! Notices to people, and blobs.

use pool_domain::decide::blob;
use pool_domain::decide::message::{self, Notice};
use proto_types::Value;

use super::{Handler, Table};

/// The messages.
pub const TABLE: Table = &[
    (
        "message.create",
        Handler::Write(|d, _, a| {
            let notice = Notice {
                name: a.text(0)?,
                priority: a.int(1)?,
                cls: a.text(2)?,
                object: a.text(3)?,
                body: a.text(4)?.to_owned(),
            };
            message::create(d, &notice).map(Value::from)
        }),
    ),
    (
        "message.destroy",
        Handler::Write(|d, _, a| message::destroy(d, a.reference(0)?).map(|()| Value::Void)),
    ),
    (
        "message.destroy_many",
        Handler::Write(|d, _, a| {
            for reference in a.at(0)?.as_refs() {
                message::destroy(d, reference)?;
            }
            Ok(Value::Void)
        }),
    ),
    (
        "message.get",
        Handler::Read(|s, a| {
            let about = (a.text(0)?, a.text(1)?);
            Ok(message::since(s.db, a.at(2)?.as_time(), Some(about)))
        }),
    ),
    (
        "message.get_since",
        Handler::Read(|s, a| Ok(message::since(s.db, a.at(0)?.as_time(), None))),
    ),
    (
        "blob.create",
        Handler::Write(|d, _, a| Ok(blob::create(d, "", a.text(0)?, a.truth(1)?).into())),
    ),
    (
        "blob.destroy",
        Handler::Write(|d, _, a| blob::destroy(d, a.reference(0)?).map(|()| Value::Void)),
    ),
];
