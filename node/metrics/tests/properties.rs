//! Properties of archives under any sequence of samples.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::HashMap;

use node_metrics::archive::SHAPES;
use node_metrics::rrd::{Detail, STEP};
use node_metrics::{Kind, Moment, Query, Raw, Rrd, Source, Xport, dump, stored};
use proptest::prelude::*;

const BEGIN: i64 = 1_700_000_000_000;

fn source(name: &str, kind: Kind) -> Source {
    Source {
        name: name.to_owned(),
        kind,
        min: f64::NEG_INFINITY,
        max: f64::INFINITY,
    }
}

fn measures(value: Raw) -> HashMap<&'static str, Raw> {
    HashMap::from([("x", value)])
}

fn column(rrd: &Rrd, start: i64, interval: i64) -> Vec<(i64, f64)> {
    let owners = [(String::new(), rrd)];
    let query = Query {
        start,
        interval,
        function: None,
    };
    let rows = Xport::new(&owners, query).rows;
    rows.into_iter().map(|(time, values)| (time, values[0])).collect()
}

/// A gap in milliseconds: mostly about a step, at times anything.
fn gap() -> impl Strategy<Value = i64> {
    prop_oneof![
        8 => 1_i64..12_000,
        1 => 12_000_i64..3_000_000,
        1 => -4_000_000_i64..0,
    ]
}

fn raw() -> impl Strategy<Value = Raw> {
    prop_oneof![
        4 => (0_u64..1_000_000).prop_map(Raw::Count),
        2 => (0.0..1e6_f64).prop_map(Raw::Real),
        1 => Just(Raw::Unknown),
        1 => Just(Raw::Real(f64::NAN)),
        1 => Just(Raw::Count(u64::MAX)),
    ]
}

proptest! {
    /// Whatever comes and whenever: nothing breaks, nothing grows, and the three forms agree on the shape.
    #[test]
    fn any_samples_are_taken(samples in prop::collection::vec((gap(), raw()), 1..200)) {
        for kind in [Kind::Gauge, Kind::Derive, Kind::Absolute] {
            let mut rrd = Rrd::new(Moment(BEGIN), Detail::Extremes);
            rrd.add(source("x", kind));
            let mut at = BEGIN;
            for (gap, value) in &samples {
                at += gap;
                rrd.update(Moment(at), &measures(*value));
                prop_assert!(rrd.updated().0 == at || *gap == 0);
            }
            let text = dump::xml(&rrd);
            let rows: u32 = SHAPES.iter().map(|s| if s.per_row > 1 { 3 * s.rows } else { s.rows }).sum();
            prop_assert_eq!(text.matches("<row>").count(), usize::try_from(rows).unwrap());
            prop_assert!(column(&rrd, 0, 0).len() <= 366);
            prop_assert!(column(&rrd, -600, 0).len() <= 121);
        }
    }

    /// A gauge that never changes is that value in every row that is known, however it is sampled.
    #[test]
    fn a_constant_gauge_is_constant(value in 1.0_f64..1e6, gaps in prop::collection::vec(1_i64..20_000, 1..300)) {
        let mut rrd = Rrd::new(Moment(BEGIN), Detail::Averages);
        rrd.add(source("x", Kind::Gauge));
        let mut at = BEGIN;
        for gap in gaps {
            at += gap;
            rrd.update(Moment(at), &measures(Raw::Real(value)));
        }
        for interval in [5, 60, 3600] {
            for (_, seen) in column(&rrd, at / 1000 - 500, interval) {
                prop_assert!(seen.is_nan() || ((seen - value) / value).abs() < 1e-6, "{seen}");
            }
        }
    }

    /// A counter that grows at a steady rate is that rate, however unevenly it is read.
    #[test]
    fn a_steady_counter_is_its_rate(per_ms in 1_u64..10_000, gaps in prop::collection::vec(1_i64..20_000, 2..300)) {
        let mut rrd = Rrd::new(Moment(BEGIN), Detail::Averages);
        rrd.add(source("x", Kind::Derive));
        let (mut at, mut count) = (BEGIN, 0_u64);
        rrd.update(Moment(at), &measures(Raw::Count(count)));
        for gap in gaps {
            at += gap;
            count += per_ms * u64::try_from(gap).unwrap();
            rrd.update(Moment(at), &measures(Raw::Count(count)));
        }
        let rate = Raw::Count(per_ms * 1000).number();
        for (_, seen) in column(&rrd, at / 1000 - 500, 5) {
            prop_assert!(seen.is_nan() || ((seen - rate) / rate).abs() < 1e-6, "{seen} for {rate}");
        }
    }

    /// No row lies outside of what was measured.
    #[test]
    fn rows_lie_between_the_least_and_the_greatest(values in prop::collection::vec(0.0_f64..1e6, 1..200)) {
        let mut rrd = Rrd::new(Moment(BEGIN), Detail::Extremes);
        rrd.add(source("x", Kind::Gauge));
        for (at, value) in (BEGIN + 5000..).step_by(5000).zip(&values) {
            rrd.update(Moment(at), &measures(Raw::Real(*value)));
        }
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(0.0, f64::max);
        for interval in [5, 60] {
            for (_, seen) in column(&rrd, BEGIN / 1000 - 1000, interval) {
                prop_assert!(seen.is_nan() || (seen >= least - 0.1 && seen <= most + 0.1));
            }
        }
    }

    /// What is stored reads back the same, and goes on the same.
    #[test]
    fn stored_archives_go_on_as_if_nothing_had_been(samples in prop::collection::vec((1_i64..9_000, raw()), 2..100), cut in 0_usize..100) {
        let mut one = Rrd::new(Moment(BEGIN), Detail::Extremes);
        one.add(source("x", Kind::Derive));
        let mut other = one.clone();
        let mut at = BEGIN;
        for (number, (gap, value)) in samples.into_iter().enumerate() {
            at += gap;
            one.update(Moment(at), &measures(value));
            other.update(Moment(at), &measures(value));
            if number == cut {
                other = stored::decode(&stored::encode(&other)).unwrap();
            }
        }
        prop_assert_eq!(dump::xml(&one), dump::xml(&other));
    }

    /// Bytes of any kind are read or refused.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = stored::decode(&bytes);
    }

    /// A damaged file is read or refused, and what is read takes samples.
    #[test]
    fn damage_does_no_harm(at in 0_usize..4000, change in any::<u8>()) {
        let mut rrd = Rrd::new(Moment(BEGIN), Detail::Extremes);
        for name in ["x", "y"] {
            rrd.add(source(name, Kind::Gauge));
        }
        for number in 1..200 {
            rrd.update(Moment(BEGIN + 5000 * number), &measures(Raw::Count(1)));
        }
        let mut bytes = stored::encode(&rrd);
        let place = at % bytes.len();
        bytes[place] ^= change;
        if let Ok(mut read) = stored::decode(&bytes) {
            read.update(Moment(BEGIN + 2_000_000), &measures(Raw::Count(2)));
            let _ = (dump::json(&read), column(&read, -100, 0));
        }
    }
}

#[test]
fn a_silence_of_a_year_costs_one_pass_over_the_rows() {
    let mut rrd = Rrd::new(Moment(BEGIN), Detail::Averages);
    rrd.add(source("x", Kind::Gauge));
    rrd.update(Moment(BEGIN + 5000), &measures(Raw::Count(1)));
    let later = BEGIN + 2 * 366 * 86_400_000;
    rrd.update(Moment(later), &measures(Raw::Count(1)));
    rrd.update(Moment(later + 5000), &measures(Raw::Count(1)));
    let rows = column(&rrd, later / 1000 - 100, 5);
    assert_eq!(rows[0].1, 1.0);
    assert!(rows[1..].iter().all(|(_, value)| value.is_nan()));
}

#[test]
fn a_clock_set_back_does_not_stop_the_rows() {
    let mut rrd = Rrd::new(Moment(BEGIN), Detail::Averages);
    rrd.add(source("x", Kind::Gauge));
    rrd.update(Moment(BEGIN + 5000), &measures(Raw::Count(1)));
    rrd.update(Moment(BEGIN - 3_600_000), &measures(Raw::Count(1)));
    rrd.update(Moment(BEGIN - 3_595_000), &measures(Raw::Count(7)));
    assert_eq!(column(&rrd, -20, 5)[0].1, 7.0);
}

#[test]
fn a_source_that_comes_late_is_unknown_before() {
    let mut rrd = Rrd::new(Moment(BEGIN), Detail::Averages);
    rrd.add(source("y", Kind::Gauge));
    for number in 1..=24 {
        let at = Moment(BEGIN + 5000 * number);
        rrd.update(at, &HashMap::from([("y", Raw::Count(3)), ("x", Raw::Count(4))]));
        if number == 12 {
            rrd.add(source("x", Kind::Gauge));
        }
    }
    let owners = [(String::new(), &rrd)];
    let query = Query {
        start: BEGIN / 1000 + STEP,
        ..Query::default()
    };
    let rows = Xport::new(&owners, query);
    assert_eq!(rows.legend, ["AVERAGE:y", "AVERAGE:x"]);
    assert_eq!(rows.rows[0].1, [3.0, 4.0]);
    let (_, oldest) = rows.rows.last().unwrap();
    assert_eq!(oldest[0], 3.0);
    assert!(oldest[1].is_nan());
}

#[test]
fn forms_look_as_clients_read_them() {
    let mut rrd = Rrd::new(Moment(BEGIN), Detail::Averages);
    rrd.add(source("memory", Kind::Gauge));
    for number in 1..=2 {
        let value = HashMap::from([("memory", Raw::Count(268_435_456))]);
        rrd.update(Moment(BEGIN + 5000 * number), &value);
    }
    let owners = [("vm:u:".to_owned(), &rrd)];
    let rows = Xport::new(
        &owners,
        Query {
            start: -7,
            ..Query::default()
        },
    );
    assert_eq!(
        rows.xml(),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xport><meta><start>1700000005</start><step>5</step>\
         <end>1700000010</end><rows>2</rows><columns>1</columns><legend><entry>AVERAGE:vm:u:memory</entry></legend>\
         </meta><data><row><t>1700000010</t><v>2.6844e+08</v></row><row><t>1700000005</t><v>2.6844e+08</v></row>\
         </data></xport>"
    );
    assert_eq!(
        rows.json(),
        "{\"meta\":{\"start\":1700000005,\"step\":5,\"end\":1700000010,\"rows\":2,\"columns\":1,\
         \"legend\":[\"AVERAGE:vm:u:memory\"]},\"data\":[{\"t\":1700000010,\"values\":[\"2.6844e+08\"]},\
         {\"t\":1700000005,\"values\":[\"2.6844e+08\"]}]}"
    );
    let dumped = dump::xml(&rrd);
    assert!(dumped.starts_with(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rrd><version>0003</version><step>5</step>\
         <lastupdate>1700000010</lastupdate><ds><name>memory</name><type>GAUGE</type>\
         <minimal_heartbeat>300</minimal_heartbeat><min>-Infinity</min><max>Infinity</max>\
         <last_ds>268435456</last_ds><value>0.0</value><unknown_sec>0</unknown_sec></ds><rra><cf>AVERAGE</cf>\
         <pdp_per_row>1</pdp_per_row><params><xff>0.5</xff></params><cdp_prep><ds>"
    ));
    assert!(dumped.contains("</cdp_prep><database><row><v>NaN</v></row>"));
    assert!(dump::json(&rrd).contains("\"ds\":[{\"name\":\"memory\",\"type\":\"GAUGE\""));
}
