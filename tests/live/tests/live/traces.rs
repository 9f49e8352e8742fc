//! One trace tells the whole story of a call, down to libvirt.

use std::time::{Duration, Instant};

use crate::bed::Bed;
use crate::collector::{Collector, Span, way_up};

/// How long spans may be on their way.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts a VM of a pool and looks for what it left: from the gateway of the master to libvirt on the other host, and
/// into the log.
pub fn of_a_start(bed: &Bed) {
    let collector = Collector::start("0.0.0.0:0");
    bed.scenario("traces.py", &[&collector.address.port().to_string()]);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let spans = collector.spans();
        let top = spans
            .iter()
            .find(|s| s.name == "call" && s.attribute("method") == "VM.start_on");
        let ours: Vec<Span> = top.map_or_else(Vec::new, |top| {
            spans.iter().filter(|s| s.trace == top.trace).cloned().collect()
        });
        let deepest = ours
            .iter()
            .find(|s| s.name == "libvirt" && s.attribute("operation") == "start");
        if let (Some(top), Some(deepest)) = (top, deepest) {
            let way = way_up(&ours, deepest);
            if way.last().is_some_and(|last| last.id == top.id) {
                let names: Vec<&str> = way.iter().map(|s| s.name.as_str()).collect();
                assert_eq!(names, ["libvirt", "command", "call", "host command", "call"]);
                assert_ne!(deepest.host, top.host);
                let written = ours.iter().filter(|s| s.name == "replicate");
                let into_the_log =
                    written.filter(|s| way_up(&ours, s).last().is_some_and(|t| t.id == top.id));
                assert!(into_the_log.count() > 0, "{ours:#?}");
                return;
            }
        }
        assert!(
            Instant::now() < deadline,
            "no such trace in {} spans: {ours:#?}",
            spans.len()
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}
