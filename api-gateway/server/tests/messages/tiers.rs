//! What real clients send is built: the messages of the first two tiers, but for those that stand here with a reason.

use std::collections::BTreeMap;

use gateway_server::handlers::is_built;
use proto_types::generated;

/// The first tier and the second: named by the guide or there from the beginning, and sent by clients that are in use.
const TIERS: [&str; 2] = [include_str!("tier_zero.txt"), include_str!("tier_one.txt")];

/// Those that are not built, and why.
const UNBUILT: &[(&str, &str)] = &[(
    "VM.import_convert",
    "import of other products' VMs: an appliance of XenServer's own does the work there, by a protocol of its own",
)];

#[test]
fn of_the_first_two_tiers_only_these_are_not_built() {
    let known: BTreeMap<&str, &str> = UNBUILT.iter().copied().collect();
    let (mut count, mut wrong) = (0, Vec::new());
    for name in TIERS.iter().flat_map(|tier| tier.lines()) {
        let message = generated::find(name)
            .unwrap_or_else(|| panic!("no message {name}"))
            .def();
        if is_built(message) == known.contains_key(name) {
            wrong.push(name);
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "built, or not, against the list: {wrong:?}");
    assert!(count > 600, "only {count} messages");
    for (name, why) in UNBUILT {
        assert!(
            TIERS.iter().any(|tier| tier.lines().any(|l| l == *name)) && !why.is_empty(),
            "{name}"
        );
    }
}
