//! The first rows of a pool.

use proto_types::generated::{permissions, pool, role, sm, tarn_authority, tarn_credential};
use proto_types::{ApiError, DateTime, Ref, Value};

use crate::decide::host::{self, HostFacts, MemberFacts};
use crate::decide::{licence, templates};
use crate::draft::Draft;

/// What a new pool is made of.
pub struct NewPool {
    /// Label of the pool; may be empty.
    pub name: String,
    /// The first host.
    pub host: HostFacts,
    /// Its place in the Raft group.
    pub member: MemberFacts,
    /// The local superuser's name.
    pub user: String,
    /// The hash of its password (argon2, PHC text form).
    pub password_hash: String,
    /// The pool's own certificate authority: certificate and key, PEM.
    pub authority: (String, String),
    /// When its certificate ends.
    pub authority_ends: DateTime,
    /// Drivers for storage.
    pub drivers: Vec<DriverFacts>,
}

/// One storage driver, for the rows of class SM.
#[derive(Clone, Debug)]
pub struct DriverFacts {
    /// Type, such as `file`.
    pub kind: String,
    /// Label.
    pub label: String,
    /// Description.
    pub description: String,
    /// Capabilities, in XenServer's spelling.
    pub capabilities: Vec<String>,
    /// Keys of `device_config` with what they mean.
    pub configuration: Vec<(String, String)>,
}

/// Makes the rows of a new pool and its first host, which is the master.
///
/// # Errors
/// `OPERATION_NOT_ALLOWED` if there is a pool already.
pub fn create(draft: &mut Draft<'_>, new: &NewPool) -> Result<Ref, ApiError> {
    if draft.db().only(pool::CLASS).is_some() {
        return Err(ApiError::new(
            "OPERATION_NOT_ALLOWED",
            ["There is a pool already"],
        ));
    }
    let master = host::join(draft, &new.host, &new.member)?;
    draft.insert(
        pool::CLASS,
        vec![
            (pool::NAME_LABEL, new.name.as_str().into()),
            (pool::MASTER, master.into()),
            (pool::RESTRICTIONS, licence::restrictions()),
            (pool::TLS_VERIFICATION_ENABLED, true.into()),
            (
                pool::OTHER_CONFIG,
                Value::string_map([("memory-ratio-hvm", "0.25"), ("memory-ratio-pv", "0.25")]),
            ),
            (
                pool::CPU_INFO,
                Value::string_map([
                    ("cpu_count", new.host.cpus.to_string()),
                    ("socket_count", new.host.sockets.max(1).to_string()),
                    ("vendor", new.host.cpu_vendor.clone()),
                    ("features_hvm", String::new()),
                    ("features_pv", String::new()),
                ]),
            ),
        ],
    );
    draft.insert(
        tarn_credential::CLASS,
        vec![
            (tarn_credential::NAME, new.user.as_str().into()),
            (tarn_credential::HASH, new.password_hash.as_str().into()),
        ],
    );
    draft.insert(
        tarn_authority::CLASS,
        vec![
            (tarn_authority::CERTIFICATE, new.authority.0.as_str().into()),
            (tarn_authority::KEY, new.authority.1.as_str().into()),
            (tarn_authority::NOT_AFTER, new.authority_ends.into()),
            (tarn_authority::ACTIVE, true.into()),
        ],
    );
    for driver in &new.drivers {
        draft.insert(
            sm::CLASS,
            vec![
                (sm::TYPE, driver.kind.as_str().into()),
                (sm::NAME_LABEL, driver.label.as_str().into()),
                (sm::NAME_DESCRIPTION, driver.description.as_str().into()),
                (sm::VENDOR, "Tarn".into()),
                (sm::VERSION, "1.0".into()),
                (sm::REQUIRED_API_VERSION, "1.0".into()),
                (sm::CAPABILITIES, Value::strings(&driver.capabilities)),
                (
                    sm::FEATURES,
                    Value::Map(
                        driver
                            .capabilities
                            .iter()
                            .map(|c| (Value::str(c), Value::Int(1)))
                            .collect(),
                    ),
                ),
                (
                    sm::CONFIGURATION,
                    Value::string_map(driver.configuration.iter().cloned()),
                ),
            ],
        );
    }
    make_roles(draft);
    templates::make_all(draft);
    Ok(master)
}

/// Makes the rows of the roles. What each may do is the data model's and needs no rows.
fn make_roles(draft: &mut Draft<'_>) {
    for def in permissions::ROLES {
        // Known by the same number in every pool, so that a script may carry it.
        let Ok(number) = uuid::Uuid::try_parse(def.uuid) else {
            continue;
        };
        draft.insert_as(
            role::CLASS,
            Ref::from_uuid(number),
            vec![
                (role::UUID, def.uuid.into()),
                (role::NAME_LABEL, def.name.into()),
                (role::NAME_DESCRIPTION, def.doc.into()),
                (role::IS_INTERNAL, def.internal.into()),
            ],
        );
    }
}
