//! One trace tells the whole story of a call.

use std::time::Duration;

use crate::bed::{Bed, wait_for};
use crate::collector::{Collector, Span, way_up};

#[test]
fn one_trace_leads_from_the_gateway_through_raft_and_the_agent_to_the_hypervisor_of_another_host() {
    let collector = Collector::start("127.0.0.1:0");
    let more = format!("[telemetry]\notlp_endpoint = \"http://{}\"", collector.address);
    let bed = Bed::up(2, &more);
    let [first, second] = bed.hosts.as_slice() else {
        panic!("two hosts")
    };
    let client = first.local();
    let vm = client.new_vm("traced");
    let hosts = client.refs("host.get_by_name_label", &[&second.name]);
    let there = hosts.first().unwrap();
    client.ok("VM.set_affinity", &[&vm, there]);
    client.start(&vm).unwrap();
    assert_eq!(client.text("VM.get_resident_on", &[&vm]), *there);

    // The top of the trace comes last: when it is there, so is what is below it on the leader.
    let top = wait_for("the span of VM.start", Duration::from_secs(30), || {
        let spans = collector.spans();
        spans
            .into_iter()
            .find(|s| s.name == "call" && s.attribute("method") == "VM.start")
    });
    assert_eq!(
        (top.host.as_str(), top.parent.is_empty()),
        ("h1", true),
        "{top:?}"
    );
    let ours = wait_for(
        "the hypervisor's part of that trace",
        Duration::from_secs(30),
        || {
            let spans: Vec<Span> = collector
                .spans()
                .into_iter()
                .filter(|s| s.trace == top.trace)
                .collect();
            let is_start = |s: &Span| s.name == "hypervisor" && s.attribute("operation") == "start";
            (spans.iter().any(is_start) && spans.iter().any(|s| s.name == "call" && s.host == "h2"))
                .then_some(spans)
        },
    );

    // Down to the other host's hypervisor, each step below the one before.
    let deepest = ours
        .iter()
        .find(|s| s.name == "hypervisor" && s.attribute("operation") == "start")
        .unwrap();
    let way: Vec<(&str, &str)> = way_up(&ours, deepest)
        .iter()
        .map(|s| (s.host.as_str(), s.name.as_str()))
        .collect();
    let wanted = [
        ("h2", "hypervisor"),
        ("h2", "command"),
        ("h2", "call"),
        ("h1", "host command"),
        ("h1", "call"),
    ];
    assert_eq!(way, wanted, "{ours:#?}");
    // And into the log: what was decided was replicated within the same trace.
    let written: Vec<&Span> = ours.iter().filter(|s| s.name == "replicate").collect();
    assert!(!written.is_empty(), "{ours:#?}");
    for span in written {
        let way: Vec<&str> = way_up(&ours, span).iter().map(|s| s.name.as_str()).collect();
        assert_eq!(way, ["replicate", "commit", "call"]);
        assert!(
            span.attribute("index").parse::<u64>().is_ok_and(|i| i > 0),
            "{span:?}"
        );
    }
    // Nobody's words travel: no span says who logged in with what.
    let all = format!("{:?}", collector.spans());
    assert!(!all.contains(crate::bed::PASSWORD));
}
