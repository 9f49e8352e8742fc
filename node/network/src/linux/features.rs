//! What the kernel can do, found by trying: modules may be built in, loadable or missing.

use std::fs;
use std::path::Path;

use rtnetlink::LinkUnspec;
use rtnetlink::packet_route::link::{InfoKind, LinkAttribute, LinkInfo};

use super::filter;
use super::session::{EOPNOTSUPP, EPERM, Session, errno, failed};
use crate::driver::KernelFeatures;
use crate::error::{NetworkError, Result};

/// Name of the interfaces that are made and removed again.
const TRIAL: &str = "tarntrial0";

/// Tries everything.
pub async fn probe(session: &Session) -> Result<KernelFeatures> {
    Ok(KernelFeatures {
        bridge: knows(session, InfoKind::Bridge).await?,
        veth: knows(session, InfoKind::Veth).await?,
        vlan: knows(session, InfoKind::Vlan).await?,
        // Loading its module would leave a bond0 behind, so that is not tried.
        bond: module_exists("bonding") || knows(session, InfoKind::Bond).await?,
        vxlan: knows(session, InfoKind::Vxlan).await?,
        gre: knows(session, InfoKind::GreTap).await?,
        filter: filter::works().await,
    })
}

/// Whether the kernel knows a kind of interface. Those that need more than a kind fail with another error.
async fn knows(session: &Session, kind: InfoKind) -> Result<bool> {
    let mut message = LinkUnspec::new_with_name(TRIAL).build();
    message
        .attributes
        .retain(|attribute| !matches!(attribute, LinkAttribute::LinkInfo(_)));
    message
        .attributes
        .push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)]));
    match session.handle().link().add(message).execute().await {
        Ok(()) => {
            if let Some(trial) = session.link(TRIAL).await? {
                session
                    .delete("remove trial interface", TRIAL, trial.index)
                    .await?;
            }
            Ok(true)
        }
        Err(error) => match errno(&error) {
            EPERM => Err(NetworkError::NotPermitted {
                operation: "try kernel features",
            }),
            EOPNOTSUPP => Ok(false),
            0 => Err(failed("try kernel features", TRIAL)(error)),
            _ => Ok(true),
        },
    }
}

/// Whether a module is loaded or could be.
fn module_exists(name: &str) -> bool {
    if Path::new("/sys/module").join(name).exists() {
        return true;
    }
    let Ok(release) = fs::read_to_string("/proc/sys/kernel/osrelease") else {
        return false;
    };
    let folder = Path::new("/lib/modules").join(release.trim());
    let file = format!("/{name}.ko");
    ["modules.dep", "modules.builtin"].iter().any(|list| {
        fs::read_to_string(folder.join(list)).is_ok_and(|text| {
            text.lines()
                .any(|line| line.split(':').next().is_some_and(|path| path.contains(&file)))
        })
    })
}
