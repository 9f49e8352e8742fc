//! Fills a new pool: the shared SR, its default, the guest image and the demo template.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::host_files::SHARED;
use super::state::{Hypervisor, Testbed};
use crate::guest;
use crate::xmlrpc::{Session, Value};

/// Name of the installable template.
pub const TEMPLATE: &str = "Tarn demo guest";

const MEMORY: u64 = 128 << 20;

/// Larger than the guest image, so that provisioning shows it can grow a disk.
const DISK: u64 = 256 << 20;

/// What was put into the pool, by uuid.
pub struct Content {
    /// The shared SR.
    pub shared_sr: String,
    /// The network that reaches every host's spare NIC.
    pub network: String,
    /// The template.
    pub template: String,
}

/// Adds everything, over the Unix socket of the first host.
pub fn add(testbed: &Testbed) -> Result<Content> {
    let first = testbed.hosts.first().context("no host")?;
    let session = Session::login(&testbed.socket(&first.name))?;
    let inside = testbed.hosts.iter().all(|host| host.netns.is_some());
    let location = if inside {
        format!("{SHARED}/sr")
    } else {
        testbed.shared_dir().join("sr").display().to_string()
    };
    let sr = shared_sr(&session, &location)?;
    let network = network(&session)?;
    let image = image(testbed, &session, &sr)?;
    let template = template(&session, &sr, &network, &image)?;
    let uuid = |class: &str, reference: &str| session.text(&format!("{class}.get_uuid"), [reference.into()]);
    Ok(Content {
        shared_sr: uuid("SR", &sr)?,
        network: uuid("network", &network)?,
        template: uuid("VM", &template)?,
    })
}

fn shared_sr(session: &Session, location: &str) -> Result<String> {
    let pools = session.call("pool.get_all", [])?;
    let pool = pools.list()?.first().context("no pool row")?.text()?.to_owned();
    let master = session.text("pool.get_master", [pool.as_str().into()])?;
    let sr = session.text(
        "SR.create",
        [
            master.into(),
            Value::map([("location", location.into())]),
            "0".into(),
            "Shared storage".into(),
            "A folder that all hosts of the testbed see".into(),
            "file".into(),
            "user".into(),
            true.into(),
            Value::Map(Default::default()),
        ],
    )?;
    for field in ["default_SR", "suspend_image_SR", "crash_dump_SR"] {
        session.call(
            &format!("pool.set_{field}"),
            [pool.as_str().into(), sr.as_str().into()],
        )?;
    }
    Ok(sr)
}

/// The network of the spare NICs where there is one, else that of the first NIC.
fn network(session: &Session) -> Result<String> {
    let networks = session.call("network.get_all_records", [])?;
    let mut found: Vec<(&str, &String)> = networks
        .entries()?
        .iter()
        .filter_map(|(reference, record)| Some((record.field("bridge").ok()?.text().ok()?, reference)))
        .filter(|(bridge, _)| matches!(*bridge, "xenbr0" | "xenbr1"))
        .collect();
    found.sort_unstable();
    let (_, reference) = found.last().context("no network on the hosts' NICs")?;
    Ok((*reference).clone())
}

/// Puts the guest's disk into the SR's folder and lets a scan find it. Simulated hosts get an
/// empty disk: nothing will ever boot from it.
fn image(testbed: &Testbed, session: &Session, sr: &str) -> Result<String> {
    const NAME: &str = "Tarn guest image";
    if testbed.hypervisor == Hypervisor::Sim && fs::metadata("/usr/bin/qemu-img").is_err() {
        let record = Value::map([
            ("name_label", NAME.into()),
            ("name_description", "".into()),
            ("SR", sr.into()),
            ("virtual_size", (64_u64 << 20).to_string().into()),
            ("type", "user".into()),
            ("sharable", false.into()),
            ("read_only", false.into()),
            ("other_config", Value::Map(Default::default())),
        ]);
        return session.text("VDI.create", [record]);
    }
    let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid").context("make a uuid")?;
    let uuid = uuid.trim();
    let file = testbed.shared_dir().join("sr").join(format!("{uuid}.qcow2"));
    if testbed.hypervisor == Hypervisor::Qemu {
        let guest = guest::ensure_built()?;
        fs::copy(guest.disk(), &file).context("copy the guest image into the SR")?;
    } else {
        let mut create = crate::run::command("qemu-img", ["create", "-q", "-f", "qcow2"]);
        crate::run::output(create.arg(&file).arg("64M"))?;
    }
    session.call("SR.scan", [sr.into()])?;
    let vdi = session
        .text("VDI.get_by_uuid", [uuid.into()])
        .context("the scan found no image")?;
    session.call("VDI.set_name_label", [vdi.as_str().into(), NAME.into()])?;
    Ok(vdi)
}

fn template(session: &Session, sr: &str, network: &str, image: &str) -> Result<String> {
    let sr_uuid = session.text("SR.get_uuid", [sr.into()])?;
    let image_uuid = session.text("VDI.get_uuid", [image.into()])?;
    let base = session.by_name("VM", "Other install media")?;
    let vm = session.text("VM.clone", [base.into(), TEMPLATE.into()])?;
    ensure!(
        session.call("VM.get_is_a_template", [vm.as_str().into()])? == true.into(),
        "the clone of a template is no template"
    );
    let set =
        |message: &str, value: Value| session.call(&format!("VM.{message}"), [vm.as_str().into(), value]);
    set(
        "set_name_description",
        "A small Linux that boots from its own disk".into(),
    )?;
    let bytes = Value::from(MEMORY.to_string());
    let v = || bytes.clone();
    session.call("VM.set_memory_limits", [vm.as_str().into(), v(), v(), v(), v()])?;
    set("set_HVM_boot_policy", "BIOS order".into())?;
    set("set_HVM_boot_params", Value::map([("order", "c".into())]))?;
    let disks = format!(
        "<provision><disk device=\"0\" size=\"{DISK}\" sr=\"{sr_uuid}\" bootable=\"true\" type=\"system\" image=\"{image_uuid}\"/></provision>"
    );
    let _ = set("remove_from_other_config", "disks".into());
    session.call(
        "VM.add_to_other_config",
        [vm.as_str().into(), "disks".into(), disks.into()],
    )?;
    let vif = Value::map([
        ("device", "0".into()),
        ("network", network.into()),
        ("VM", vm.as_str().into()),
        ("MAC", "".into()),
        ("MTU", "1500".into()),
        ("other_config", Value::Map(Default::default())),
        ("qos_algorithm_type", "".into()),
        ("qos_algorithm_params", Value::Map(Default::default())),
    ]);
    session
        .call("VIF.create", [vif])
        .context("give the template a NIC")?;
    Ok(vm)
}
