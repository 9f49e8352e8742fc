//! Where updates would come from. The pool keeps the records; hosts of it are updated by their distribution's own tools.

use proto_types::generated::{pool, repository};
use proto_types::{ApiError, Ref, Value};

use crate::database::Database;
use crate::draft::Draft;

/// What is said of a repository when it is introduced.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewRepository<'a> {
    /// Label.
    pub label: &'a str,
    /// Description.
    pub description: &'a str,
    /// Where packages are.
    pub binary_url: &'a str,
    /// Where their sources are.
    pub source_url: &'a str,
    /// Whether it holds updates.
    pub is_update: bool,
    /// Name of the key that signs.
    pub gpgkey_path: &'a str,
    /// The certificate of another pool.
    pub certificate: &'a str,
}

/// Kinds of repository, by the names of `origin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Out on the network.
    Remote,
    /// Uploaded.
    Bundle,
    /// Another pool.
    RemotePool,
}

impl Origin {
    fn name(self) -> &'static str {
        match self {
            Origin::Remote => "remote",
            Origin::Bundle => "bundle",
            Origin::RemotePool => "remote_pool",
        }
    }
}

/// Makes a record: `Repository.introduce` and its kin.
///
/// # Errors
/// `INVALID_BASE_URL [url]`, `INVALID_GPGKEY_PATH [path]`, `REPOSITORY_ALREADY_EXISTS [repository]`,
/// `BUNDLE_REPOSITORY_ALREADY_EXISTS [repository]`.
pub fn introduce(draft: &mut Draft<'_>, origin: Origin, new: &NewRepository<'_>) -> Result<Ref, ApiError> {
    if origin == Origin::Bundle {
        let is_bundle = |row: &&crate::Row| row.get(repository::ORIGIN).as_str() == origin.name();
        let found = draft
            .db()
            .rows(repository::CLASS)
            .map(|row| &**row)
            .find(is_bundle);
        if let Some(row) = found {
            return Err(ApiError::new(
                "BUNDLE_REPOSITORY_ALREADY_EXISTS",
                [row.reference.to_string()],
            ));
        }
    } else {
        check_url(new.binary_url, origin)?;
        if !new.source_url.is_empty() {
            check_url(new.source_url, origin)?;
        }
    }
    check_key(new.gpgkey_path)?;
    let same = draft.db().rows(repository::CLASS).find(|row| {
        row.get(repository::NAME_LABEL).as_str() == new.label
            || (!new.binary_url.is_empty() && row.get(repository::BINARY_URL).as_str() == new.binary_url)
    });
    if let Some(row) = same {
        return Err(ApiError::new(
            "REPOSITORY_ALREADY_EXISTS",
            [row.reference.to_string()],
        ));
    }
    Ok(draft.insert(
        repository::CLASS,
        vec![
            (repository::NAME_LABEL, new.label.into()),
            (repository::NAME_DESCRIPTION, new.description.into()),
            (repository::BINARY_URL, new.binary_url.into()),
            (repository::SOURCE_URL, new.source_url.into()),
            (repository::UPDATE, new.is_update.into()),
            (repository::GPGKEY_PATH, new.gpgkey_path.into()),
            (repository::ORIGIN, origin.name().into()),
            (repository::CERTIFICATE, new.certificate.into()),
        ],
    ))
}

/// A scheme and a host, nothing that a shell or a log would stumble over. Another pool is reached by HTTPS only.
fn check_url(url: &str, origin: Origin) -> Result<(), ApiError> {
    let bad = || ApiError::new("INVALID_BASE_URL", [url]);
    let rest = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => rest,
        (None, Some(rest)) if origin == Origin::Remote => rest,
        _ => return Err(bad()),
    };
    let host = rest.split(['/', ':', '?']).next().unwrap_or_default();
    let plain = url.bytes().all(|b| b.is_ascii_graphic()) && url.len() <= 2048;
    if host.is_empty() || !plain {
        Err(bad())
    } else {
        Ok(())
    }
}

fn check_key(path: &str) -> Result<(), ApiError> {
    if path.contains('/') || path.starts_with('.') {
        return Err(ApiError::new("INVALID_GPGKEY_PATH", [path]));
    }
    Ok(())
}

/// Sets the name of the key that signs: `Repository.set_gpgkey_path`.
///
/// # Errors
/// `HANDLE_INVALID`; `INVALID_GPGKEY_PATH [path]`.
pub fn set_key(draft: &mut Draft<'_>, reference: Ref, path: &str) -> Result<(), ApiError> {
    draft.read(repository::CLASS, reference)?;
    check_key(path)?;
    draft.set(reference, repository::GPGKEY_PATH, path);
    Ok(())
}

/// Removes a record: `Repository.forget`.
///
/// # Errors
/// `HANDLE_INVALID`; `REPOSITORY_IS_IN_USE []` while the pool has it enabled.
pub fn forget(draft: &mut Draft<'_>, reference: Ref) -> Result<(), ApiError> {
    draft.read(repository::CLASS, reference)?;
    if enabled(draft.db()).contains(&reference) {
        return Err(ApiError::bare("REPOSITORY_IS_IN_USE"));
    }
    draft.delete(reference);
    Ok(())
}

/// The repositories that the pool has enabled.
pub fn enabled(db: &Database) -> Vec<Ref> {
    db.only(pool::CLASS)
        .map(|row| row.get(pool::REPOSITORIES).as_refs())
        .unwrap_or_default()
}

/// A repository of packages out on the network, as it is asked what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its record.
    pub reference: Ref,
    /// Where it is, without a slash at the end.
    pub url: String,
    /// Whether it holds updates, and so must describe them.
    pub is_update: bool,
}

/// The repositories that `pool.sync_updates` asks.
///
/// # Errors
/// `HANDLE_INVALID`; `NO_REPOSITORY_ENABLED []`; `CAN_NOT_SYNC_UPDATES []` where one is a bundle, which is uploaded;
/// `NOT_IMPLEMENTED` where one is another pool.
pub fn to_ask(db: &Database) -> Result<Vec<Asked>, ApiError> {
    let wanted = enabled(db);
    if wanted.is_empty() {
        return Err(ApiError::bare("NO_REPOSITORY_ENABLED"));
    }
    let ask = |reference: Ref| {
        let row = crate::query::find(db, repository::CLASS, reference)?;
        match row.get(repository::ORIGIN).as_str() {
            "remote" => Ok(Asked {
                reference,
                url: row
                    .get(repository::BINARY_URL)
                    .as_str()
                    .trim_end_matches('/')
                    .to_owned(),
                is_update: row.get(repository::UPDATE).as_bool(),
            }),
            "bundle" => Err(ApiError::bare("CAN_NOT_SYNC_UPDATES")),
            _ => Err(ApiError::new("NOT_IMPLEMENTED", ["pool.sync_updates"])),
        }
    };
    wanted.into_iter().map(ask).collect()
}

/// Notes what repositories said they hold: for each the digest of its description of updates.
///
/// # Errors
/// `HANDLE_INVALID` if one is gone meanwhile.
pub fn synced(draft: &mut Draft<'_>, pool_ref: Ref, hashes: &[(Ref, String)]) -> Result<(), ApiError> {
    draft.read(pool::CLASS, pool_ref)?;
    for (reference, hash) in hashes {
        draft.read(repository::CLASS, *reference)?;
        draft.set(*reference, repository::HASH, hash.as_str());
    }
    let now = draft.facts().now;
    draft.set(pool_ref, pool::LAST_UPDATE_SYNC, now);
    Ok(())
}

/// Enables repositories, and those only: `pool.set_repositories`, `pool.add_repository`, `pool.remove_repository`.
///
/// # Errors
/// `HANDLE_INVALID` for a pool or repository that is not there.
pub fn enable(draft: &mut Draft<'_>, pool_ref: Ref, wanted: &[Ref]) -> Result<(), ApiError> {
    draft.read(pool::CLASS, pool_ref)?;
    for row in wanted {
        draft.read(repository::CLASS, *row)?;
    }
    draft.set(pool_ref, pool::REPOSITORIES, Value::refs(wanted.iter().copied()));
    Ok(())
}

/// Checks what is said of a proxy on the way to repositories: `pool.configure_repository_proxy`.
///
/// # Errors
/// `INVALID_REPOSITORY_PROXY_URL [url]`; `INVALID_REPOSITORY_PROXY_CREDENTIAL []` for a name without a password or the
/// other way round.
pub fn check_proxy(url: &str, (user, password): (&str, &str)) -> Result<(), ApiError> {
    check_url(url, Origin::Remote).map_err(|_| ApiError::new("INVALID_REPOSITORY_PROXY_URL", [url]))?;
    if user.is_empty() != password.is_empty() || user.contains([':', '\n']) || password.contains('\n') {
        return Err(ApiError::bare("INVALID_REPOSITORY_PROXY_CREDENTIAL"));
    }
    Ok(())
}

/// Forgets the proxy: `pool.disable_repository_proxy`.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn drop_proxy(draft: &mut Draft<'_>, pool_ref: Ref) -> Result<(), ApiError> {
    let row = draft.read(pool::CLASS, pool_ref)?;
    draft.delete(row.get(pool::REPOSITORY_PROXY_PASSWORD).as_ref());
    draft.set(pool_ref, pool::REPOSITORY_PROXY_URL, "");
    draft.set(pool_ref, pool::REPOSITORY_PROXY_USERNAME, "");
    draft.set(pool_ref, pool::REPOSITORY_PROXY_PASSWORD, Ref::NULL);
    Ok(())
}
