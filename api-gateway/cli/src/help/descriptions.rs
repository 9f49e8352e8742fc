//! What commands do that send more than one message; the others are described by the data model.

/// The description of a command.
pub fn of(name: &str) -> Option<&'static str> {
    DESCRIPTIONS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| *text)
}

const DESCRIPTIONS: &[(&str, &str)] = &[
    (
        "appliance-shutdown",
        "Shuts down all VMs of an appliance; with --force without asking them.",
    ),
    (
        "audit-log-get",
        "Writes the pool's audit trail to a file, from a point in time if 'since' is given.",
    ),
    ("cd-list", "Lists the CD images that the pool can see."),
    (
        "console",
        "Connects this terminal to the text console of a VM. Ctrl-] leaves it.",
    ),
    (
        "diagnostic-license-status",
        "Shows what each host's licence permits and how long.",
    ),
    ("diagnostic-vdi-status", "Shows who uses a disk."),
    (
        "diagnostic-vm-status",
        "Shows where a VM can start, and why not elsewhere.",
    ),
    (
        "event-wait",
        "Waits until an object of the class is as given: field=value, or field=/=value for 'is other than'.",
    ),
    (
        "host-adopt",
        "Lists domains that hosts run and the pool did not start; with uuid= one becomes a VM of the pool as it runs.",
    ),
    ("host-backup", "Writes a backup of a host's state to a file."),
    (
        "host-call-plugin",
        "Calls a function of a plugin on a host, with args:key=value; args:key:file=path reads a file.",
    ),
    ("host-enable", "Lets a host take VMs again."),
    (
        "host-forget",
        "Removes a host that will never come back from the pool.",
    ),
    (
        "host-get-system-status",
        "Writes a report of a host's state to a file, for support.",
    ),
    ("host-logs-download", "Writes the logs of hosts to a file."),
    (
        "message-create",
        "Leaves a message about a VM, a host, an SR or the pool.",
    ),
    ("message-destroy", "Removes messages."),
    ("pool-dump-database", "Writes the pool's database to a file."),
    (
        "pool-eject",
        "Takes a host out of the pool. What is on its local storage is lost.",
    ),
    ("pool-join", "Joins this host to a pool."),
    (
        "pool-restore-database",
        "Puts the database in a file in the place of the pool's.",
    ),
    (
        "snapshot-clone",
        "Makes a VM like a snapshot, without copying disks where the storage can.",
    ),
    (
        "snapshot-copy",
        "Makes a VM like a snapshot with full copies of its disks.",
    ),
    ("snapshot-destroy", "Removes a snapshot; its disks stay."),
    ("snapshot-disk-list", "Lists the disks of a snapshot."),
    (
        "snapshot-export-to-template",
        "Writes a snapshot to a file, from which it is imported as a template.",
    ),
    (
        "snapshot-reset-powerstate",
        "Notes that a suspended snapshot is off. What was in its memory is lost.",
    ),
    (
        "snapshot-revert",
        "Puts a VM back to what it was when the snapshot was taken.",
    ),
    ("snapshot-uninstall", "Removes a snapshot and its disks."),
    (
        "sr-create",
        "Makes an SR and connects hosts to it: one, or all if it is shared.",
    ),
    ("sr-probe", "Shows what storage is at a place."),
    ("template-export", "Writes a template to a file."),
    ("template-uninstall", "Removes a template and its disks."),
    (
        "vbd-create",
        "Gives a VM a disk or a drive; without vdi-uuid an empty one.",
    ),
    (
        "vbd-unplug",
        "Takes a disk away from a running VM; it waits up to 'timeout' seconds for a guest that uses it.",
    ),
    (
        "vdi-copy",
        "Copies a disk in full: to an SR, or into a disk that is there.",
    ),
    ("vdi-create", "Makes a disk."),
    (
        "vdi-export",
        "Writes the content of a disk to a file, as raw, vhd or qcow2.",
    ),
    (
        "vdi-import",
        "Fills a disk from a file, which is raw, vhd or qcow2.",
    ),
    ("vdi-resize", "Makes a disk larger."),
    ("vif-create", "Gives a VM an interface on a network."),
    (
        "vlan-create",
        "Makes a VLAN on an interface of a host and prints the new interface.",
    ),
    ("vm-cd-add", "Gives a VM a drive with a CD in it."),
    ("vm-cd-eject", "Takes the CD out of a VM's only drive."),
    ("vm-cd-insert", "Puts a CD into a VM's only empty drive."),
    ("vm-cd-list", "Lists the CD drives of VMs and what is in them."),
    ("vm-cd-remove", "Removes the drive of a VM in which a CD is."),
    ("vm-checkpoint", "Takes a snapshot of VMs with their memory."),
    (
        "vm-clone",
        "Makes a VM like another, without copying disks where the storage can.",
    ),
    (
        "vm-compute-maximum-memory",
        "Shows how much memory a VM could have out of a total.",
    ),
    (
        "vm-copy",
        "Makes a VM like another with full copies of its disks.",
    ),
    ("vm-create", "Makes a VM with nothing in it."),
    ("vm-disk-add", "Makes a disk of a size and gives it to VMs."),
    ("vm-disk-list", "Lists the disks of VMs."),
    ("vm-disk-remove", "Removes a disk from VMs and destroys it."),
    ("vm-export", "Writes VMs to a file."),
    (
        "vm-import",
        "Makes VMs from a file, or from a place that the pool fetches them from.",
    ),
    ("vm-install", "Makes a VM from a template and prints its uuid."),
    (
        "vm-migrate",
        "Moves a VM to another host while it runs; with remote-master and its kin to another pool.",
    ),
    ("vm-reboot", "Restarts VMs; with --force without asking them."),
    (
        "vm-reset-powerstate",
        "Notes that a VM is off, though nobody knows. Dangerous if it is not.",
    ),
    ("vm-resume", "Goes on with suspended VMs."),
    ("vm-shutdown", "Shuts VMs down; with --force without asking them."),
    ("vm-snapshot", "Takes a snapshot of VMs."),
    (
        "vm-snapshot-with-quiesce",
        "Takes a snapshot of VMs whose guests are told to hold still.",
    ),
    (
        "vm-start",
        "Starts VMs, on the host that 'on' names or where there is room.",
    ),
    ("vm-suspend", "Suspends VMs to disk."),
    (
        "vm-uninstall",
        "Removes VMs, their snapshots, and the disks that are theirs alone.",
    ),
    ("vm-vif-list", "Lists the interfaces of VMs."),
];
