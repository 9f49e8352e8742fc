//! What interfaces of VMs let through.

use std::collections::BTreeSet;
use std::net::IpAddr;

use proto_types::generated::{network, vif, vm};
use proto_types::{ApiError, Field, Ref, Value};

use crate::database::Database;
use crate::draft::Draft;
use crate::row::Row;

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Kind {
    fn allowed(self) -> (Field, &'static str) {
        match self {
            Kind::V4 => (vif::IPV4_ALLOWED, "ipv4_allowed"),
            Kind::V6 => (vif::IPV6_ALLOWED, "ipv6_allowed"),
        }
    }

    fn fits(self, text: &str) -> bool {
        text.parse::<IpAddr>()
            .is_ok_and(|ip| ip.is_ipv4() == (self == Kind::V4))
    }
}

/// # Errors
/// `INVALID_IP_ADDRESS_SPECIFIED [field]`.
pub(crate) fn check_allowed(addresses: &Value, kind: Kind) -> Result<(), ApiError> {
    let (_, name) = kind.allowed();
    if addresses.as_set().iter().all(|a| kind.fits(a.as_str())) {
        Ok(())
    } else {
        Err(ApiError::new("INVALID_IP_ADDRESS_SPECIFIED", [name]))
    }
}

/// One change of what an interface lets through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// `set_locking_mode`.
    Mode(String),
    /// `set_ipv4_allowed`, `set_ipv6_allowed`.
    Allow(Kind, Vec<String>),
    /// `add_ipv4_allowed`, `add_ipv6_allowed`.
    Add(Kind, String),
    /// `remove_ipv4_allowed`, `remove_ipv6_allowed`.
    Remove(Kind, String),
}

/// The settings of an interface before a change.
#[derive(Clone, Debug, PartialEq)]
pub struct Before(Vec<(Field, Value)>);

impl Before {
    /// Puts them back.
    pub fn restore(self, draft: &mut Draft<'_>, reference: Ref) {
        draft.update(reference, self.0);
    }

    /// As text that [`Before::read`] reads, for a saga's parameters.
    pub fn mode_and_addresses(&self) -> (String, Vec<String>, Vec<String>) {
        let texts = |value: &Value| value.as_set().iter().map(|v| v.as_str().to_owned()).collect();
        let of = |field| {
            self.0
                .iter()
                .find(|(f, _)| *f == field)
                .map_or(Value::Void, |(_, v)| v.clone())
        };
        (
            of(vif::LOCKING_MODE).as_str().to_owned(),
            texts(&of(vif::IPV4_ALLOWED)),
            texts(&of(vif::IPV6_ALLOWED)),
        )
    }

    /// The reverse of [`Before::mode_and_addresses`].
    pub fn read((mode, four, six): (String, Vec<String>, Vec<String>)) -> Before {
        Before(vec![
            (vif::LOCKING_MODE, mode.into()),
            (vif::IPV4_ALLOWED, Value::strings(four)),
            (vif::IPV6_ALLOWED, Value::strings(six)),
        ])
    }
}

/// Writes a change. Answers the settings before, and the host that is to follow if the interface is attached.
///
/// # Errors
/// `HANDLE_INVALID`; `INVALID_IP_ADDRESS_SPECIFIED [field]`.
pub fn change(
    draft: &mut Draft<'_>,
    reference: Ref,
    change: &Change,
) -> Result<(Before, Option<Ref>), ApiError> {
    let row = draft.read(vif::CLASS, reference)?;
    let before = Before(
        [vif::LOCKING_MODE, vif::IPV4_ALLOWED, vif::IPV6_ALLOWED]
            .into_iter()
            .map(|field| (field, row.get(field).clone()))
            .collect(),
    );
    match change {
        Change::Mode(mode) => draft.set(reference, vif::LOCKING_MODE, mode.as_str()),
        Change::Allow(kind, addresses) => {
            let distinct: BTreeSet<&String> = addresses.iter().collect();
            let value = Value::strings(distinct);
            check_allowed(&value, *kind)?;
            draft.set(reference, kind.allowed().0, value);
        }
        Change::Add(kind, address) => {
            let field = kind.allowed().0;
            check_allowed(&Value::strings([address]), *kind)?;
            let mut all = row.get(field).as_set().to_vec();
            if !all.contains(&Value::str(address)) {
                all.push(Value::str(address));
            }
            draft.set(reference, field, Value::Set(all));
        }
        Change::Remove(kind, address) => {
            let field = kind.allowed().0;
            let mut all = row.get(field).as_set().to_vec();
            all.retain(|there| there.as_str() != address);
            draft.set(reference, field, Value::Set(all));
        }
    }
    let owner = draft.read(vm::CLASS, row.get(vif::VM).as_ref())?;
    let on = owner.get(vm::RESIDENT_ON).as_ref();
    let attached = row.get(vif::CURRENTLY_ATTACHED).as_bool() && !on.is_null();
    Ok((before, attached.then_some(on)))
}

/// What an interface lets through: its own mode, or that of its network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Everything.
    Open,
    /// Nothing.
    Shut,
    /// These addresses only.
    Only(BTreeSet<IpAddr>),
}

/// See [`Lock`].
pub fn lock_of(db: &Database, row: &Row) -> Lock {
    match row.get(vif::LOCKING_MODE).as_str() {
        "locked" => Lock::Only(
            [vif::IPV4_ALLOWED, vif::IPV6_ALLOWED]
                .into_iter()
                .flat_map(|field| row.get(field).as_set())
                .filter_map(|address| address.as_str().parse().ok())
                .collect(),
        ),
        "disabled" => Lock::Shut,
        "unlocked" => Lock::Open,
        _ => {
            let default = db
                .of_class(network::CLASS, row.get(vif::NETWORK).as_ref())
                .map_or("", |n| n.get(network::DEFAULT_LOCKING_MODE).as_str());
            if default == "disabled" {
                Lock::Shut
            } else {
                Lock::Open
            }
        }
    }
}

/// Most bytes a second that a guest may send: the algorithm `ratelimit` with `kbps`, which are kilobytes.
pub fn rate_of(row: &Row) -> Option<u64> {
    if row.get(vif::QOS_ALGORITHM_TYPE).as_str() != "ratelimit" {
        return None;
    }
    let kilobytes: u64 = row.get(vif::QOS_ALGORITHM_PARAMS).get("kbps")?.parse().ok()?;
    kilobytes.checked_mul(1024).filter(|rate| *rate > 0)
}
