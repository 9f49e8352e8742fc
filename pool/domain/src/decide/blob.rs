//! Blobs: some bytes that hang on an object. Their content comes over HTTP and is a part of the pool's database, so that
//! every host has it; hence it is small.

use proto_types::generated::blob;
use proto_types::{ApiError, ClassId, Field, Ref};

use crate::draft::Draft;

/// Bytes that one blob may hold.
pub const MOST_BYTES: usize = 256 << 10;
/// Bytes that all blobs together may hold.
pub const MOST_BYTES_IN_ALL: i64 = 16 << 20;

/// Puts bytes into a blob, in place of what it held: `content` is their base64, `size` their number.
///
/// # Errors
/// `HANDLE_INVALID`; `INTERNAL_ERROR [text]` if it is too much for one blob, or for all of them.
pub fn fill(draft: &mut Draft<'_>, reference: Ref, content: &str, size: usize) -> Result<(), ApiError> {
    draft.read(blob::CLASS, reference)?;
    if size > MOST_BYTES {
        return Err(ApiError::internal(format!(
            "a blob holds no more than {MOST_BYTES} bytes"
        )));
    }
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let others = draft
        .db()
        .rows(blob::CLASS)
        .filter(|row| row.reference != reference)
        .map(|row| row.get(blob::SIZE).as_int())
        .fold(0, i64::saturating_add);
    if others.saturating_add(size) > MOST_BYTES_IN_ALL {
        return Err(ApiError::internal(format!(
            "all blobs together hold no more than {MOST_BYTES_IN_ALL} bytes"
        )));
    }
    let now = draft.facts().now;
    draft.update(
        reference,
        vec![
            (blob::CONTENT, content.into()),
            (blob::SIZE, size.into()),
            (blob::LAST_UPDATED, now.into()),
        ],
    );
    Ok(())
}

/// Makes an empty blob. A type that is not given is unknown bytes.
pub fn create(draft: &mut Draft<'_>, label: &str, mime_type: &str, public: bool) -> Ref {
    let kind = if mime_type.is_empty() {
        "application/octet-stream"
    } else {
        mime_type
    };
    let now = draft.facts().now;
    draft.insert(
        blob::CLASS,
        vec![
            (blob::NAME_LABEL, label.into()),
            (blob::MIME_TYPE, kind.into()),
            (blob::PUBLIC, public.into()),
            (blob::SIZE, 0.into()),
            (blob::LAST_UPDATED, now.into()),
        ],
    )
}

/// Makes an empty blob and hangs it on an object under a name: `create_new_blob`.
///
/// # Errors
/// `HANDLE_INVALID`; `MAP_DUPLICATE_KEY [class, blobs, object, name]` if the object has one of that name.
pub fn create_on(
    draft: &mut Draft<'_>,
    field: Field,
    owner: Ref,
    name: &str,
    (mime_type, public): (&str, bool),
) -> Result<Ref, ApiError> {
    let class: ClassId = field.class;
    let row = draft.read(class, owner)?;
    let taken = row
        .get(field)
        .as_map()
        .is_some_and(|m| m.contains_key(&name.into()));
    if taken {
        let class = class.name();
        return Err(ApiError::new(
            "MAP_DUPLICATE_KEY",
            [
                class.to_owned(),
                "blobs".to_owned(),
                owner.to_string(),
                name.to_owned(),
            ],
        ));
    }
    let made = create(draft, name, mime_type, public);
    draft.put_key(owner, field, name, made);
    Ok(made)
}

/// Removes a blob. The object it hung on keeps its name for it until the object goes, as XenServer has it.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn destroy(draft: &mut Draft<'_>, reference: Ref) -> Result<(), ApiError> {
    draft.read(blob::CLASS, reference)?;
    draft.delete(reference);
    Ok(())
}
