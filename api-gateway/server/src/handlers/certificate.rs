//! Certificates: those that hosts show, and those that the pool trusts.

use std::sync::Arc;
use std::time::Duration;

use pool_domain::decide::certificate::{self, Missing, OF_API, OF_NODE};
use pool_domain::query;
use pool_ops::machine::{self, MachineReply, MachineVerb, SecretText, ShownCertificates};
use proto_types::generated::{host, pool};
use proto_types::{ApiError, Args, Ref, Value};

use super::{Handler, Scope, Table};
use crate::api::Api;
use crate::api::caller::Caller;
use crate::api::gate::Entry;
use crate::certificates;

/// The messages.
pub const TABLE: Table = &[
    (
        "host.install_server_certificate",
        Handler::Special(|api, entry, args| Box::pin(async move { install(&api, entry, &args).await })),
    ),
    (
        "host.reset_server_certificate",
        Handler::Special(|api, entry, args| {
            Box::pin(
                async move { change(&api, entry, args.reference(0)?, MachineVerb::ResetCertificate).await },
            )
        }),
    ),
    (
        "host.refresh_server_certificate",
        Handler::Special(|api, entry, args| {
            Box::pin(
                async move { change(&api, entry, args.reference(0)?, MachineVerb::RenewCertificate).await },
            )
        }),
    ),
    ("pool.install_ca_certificate", Handler::Write(install_authority)),
    ("pool.certificate_install", Handler::Write(install_authority)),
    (
        "pool.uninstall_ca_certificate",
        Handler::Write(|d, _, args| {
            let missing = if args.truth(1)? {
                Missing::Fine
            } else {
                Missing::Refused
            };
            certificate::uninstall(d, args.text(0)?, missing).map(|()| Value::Void)
        }),
    ),
    (
        "pool.certificate_uninstall",
        Handler::Write(|d, _, args| {
            certificate::uninstall(d, args.text(0)?, Missing::Refused).map(|()| Value::Void)
        }),
    ),
    (
        "pool.certificate_list",
        Handler::Read(|s, _| Ok(Value::strings(certificate::installed(s.db)))),
    ),
    (
        "pool.install_trusted_certificate",
        Handler::Write(|d, _, args| {
            query::find(d.db(), pool::CLASS, args.reference(0)?)?;
            let (is_authority, text) = (args.truth(1)?, args.text(2)?);
            let facts = certificates::check_trusted(text, d.facts().now)?;
            certificate::install_for(d, is_authority, &facts, text, args.at(3)?).map(|_| Value::Void)
        }),
    ),
    (
        "pool.uninstall_trusted_certificate",
        Handler::Write(|d, _, args| {
            query::find(d.db(), pool::CLASS, args.reference(0)?)?;
            certificate::uninstall_row(d, args.reference(1)?).map(|()| Value::Void)
        }),
    ),
    (
        "pool.crl_install",
        Handler::Write(|d, _, args| {
            let (name, text) = (args.text(0)?, args.text(1)?);
            if !certificates::is_revocation_list(text) {
                return Err(ApiError::new("CRL_CORRUPT", [name]));
            }
            certificate::install_list(d, name, text).map(|()| Value::Void)
        }),
    ),
    (
        "pool.crl_uninstall",
        Handler::Write(|d, _, args| certificate::uninstall_list(d, args.text(0)?).map(|()| Value::Void)),
    ),
    (
        "pool.crl_list",
        Handler::Read(|s, _| Ok(Value::strings(certificate::lists(s.db)))),
    ),
    // What the pool trusts is replicated, and each host follows by itself.
    ("pool.certificate_sync", Handler::Read(|_, _| Ok(Value::Void))),
    // Hosts check one another's certificates always.
    (
        "pool.enable_tls_verification",
        Handler::Read(|_, _| Ok(Value::Void)),
    ),
    // And speak TLS 1.2 and newer only.
    (
        "pool.disable_ssl_legacy",
        Handler::Read(|s, args| query::find(s.db, pool::CLASS, args.reference(0)?).map(|_| Value::Void)),
    ),
    (
        "host.set_ssl_legacy",
        Handler::Read(|s, args| {
            on_host(s, args)?;
            if args.truth(1)? {
                return Err(ApiError::new(
                    "OPERATION_NOT_ALLOWED",
                    ["Versions of TLS before 1.2 are not spoken"],
                ));
            }
            Ok(Value::Void)
        }),
    ),
    (
        "pool.rotate_secret",
        Handler::Special(|api, entry, _| Box::pin(async move { rotate(&api, entry).await })),
    ),
];

/// A key of RSA with 4096 bits takes a while to be looked at, and the leader is asked for a certificate.
const WAIT: Duration = Duration::from_secs(60);

fn on_host(scope: &Scope<'_>, args: &Args) -> Result<(), ApiError> {
    query::find(scope.db, host::CLASS, args.reference(0)?).map(|_| ())
}

fn install_authority(draft: &mut pool_domain::Draft<'_>, _: &Caller, args: &Args) -> Result<Value, ApiError> {
    let (name, text) = (args.text(0)?, args.text(1)?);
    certificate::may_install(draft.db(), name)?;
    let facts = certificates::check_authority(text, draft.facts().now)?;
    certificate::install(draft, name, &facts, text).map(|_| Value::Void)
}

async fn install(api: &Arc<Api>, entry: &Entry, args: &Args) -> Result<Value, ApiError> {
    let reference = args.reference(0)?;
    query::find(&entry.db, host::CLASS, reference)?;
    let (certificate, key, chain) = (args.text(1)?, args.text(2)?, args.text(3)?);
    certificates::check_server(certificate, key, chain, pool_ops::core::now())?;
    let verb = MachineVerb::InstallCertificate {
        certificates: format!("{}\n{}\n", certificate.trim(), chain.trim()),
        key: SecretText(key.to_owned()),
    };
    change(api, entry, reference, verb).await
}

/// Has a host show something else, and notes what it shows then.
async fn change(api: &Arc<Api>, entry: &Entry, reference: Ref, verb: MachineVerb) -> Result<Value, ApiError> {
    query::find(&entry.db, host::CLASS, reference)?;
    let MachineReply::Certificates(shown) = machine::ask(&api.ops, reference, verb, WAIT).await? else {
        return Err(ApiError::internal("the host answered something else"));
    };
    let origin = entry.caller.history("host.certificates");
    api.ops
        .decide(&origin, |d| {
            note(d, reference, &shown);
            Ok(())
        })
        .await?;
    Ok(Value::Void)
}

/// Notes what a host shows.
pub fn note(draft: &mut pool_domain::Draft<'_>, reference: Ref, shown: &ShownCertificates) {
    for (kind, text) in [(OF_API, &shown.api), (OF_NODE, &shown.node)] {
        if let Some(facts) = certificates::describe(text) {
            certificate::shown(draft, reference, kind, &facts);
        }
    }
}

/// What hosts of a XenServer pool trust one another by is a secret they share; here it is the pool's own authority.
async fn rotate(api: &Arc<Api>, entry: &Entry) -> Result<Value, ApiError> {
    let row = entry
        .db
        .only(pool::CLASS)
        .ok_or_else(|| ApiError::internal("there is no pool"))?;
    if row.get(pool::HA_ENABLED).as_bool() {
        return Err(ApiError::bare("HA_IS_ENABLED"));
    }
    api.membership
        .rotate_authority(entry.caller.history("pool.rotate_secret"))
        .await?;
    Ok(Value::Void)
}
