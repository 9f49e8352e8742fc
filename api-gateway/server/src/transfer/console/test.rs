//! Which console a query means.

use pool_domain::transaction::Origin;
use pool_domain::{Draft, Facts, apply};
use proto_types::DateTime;

use super::*;

/// A VM on a host, with a screen and a serial port.
struct Pool {
    db: Database,
    vm: Ref,
    screen: (Ref, String),
    serial: (Ref, String),
}

fn pool(state: &str) -> Pool {
    let facts = Facts::new(DateTime(0), Uuid::new_v4);
    let mut db = Database::default();
    let mut draft = Draft::new(&db, &facts);
    let on = draft.insert(host::CLASS, vec![]);
    let vm = draft.insert(
        vm::CLASS,
        vec![(vm::POWER_STATE, state.into()), (vm::RESIDENT_ON, on.into())],
    );
    let mut console = |protocol: &str| {
        let uuid = Uuid::new_v4().to_string();
        let fields = vec![
            (console::UUID, uuid.clone().into()),
            (console::PROTOCOL, protocol.into()),
            (console::VM, vm.into()),
        ];
        (draft.insert(console::CLASS, fields), uuid)
    };
    let (serial, screen) = (console("vt100"), console("rfb"));
    let transaction = draft.finish(Uuid::new_v4(), Origin::default());
    let _ = apply::apply(&mut db, 1, &transaction);
    Pool {
        db,
        vm,
        screen,
        serial,
    }
}

fn kind(pool: &Pool, query: &str) -> Option<ConsoleKind> {
    target(&pool.db, &Query::parse(query)).map(|t| t.kind)
}

#[test]
fn a_console_is_meant_by_its_reference_or_uuid_and_a_screen_by_its_vm() {
    let pool = pool("Running");
    let (screen, serial) = (Some(ConsoleKind::Screen), Some(ConsoleKind::Serial));
    assert_eq!(kind(&pool, &format!("ref={}", pool.screen.0)), screen);
    assert_eq!(kind(&pool, &format!("uuid={}", pool.serial.1)), serial);
    assert_eq!(kind(&pool, &format!("ref={}", pool.serial.0)), serial);
    assert_eq!(kind(&pool, &format!("ref={}", pool.vm)), screen);
    assert_eq!(kind(&pool, "ref=OpaqueRef:NULL"), None);
    assert_eq!(kind(&pool, ""), None);
}

#[test]
fn a_vm_that_does_not_run_shows_nothing() {
    let pool = pool("Halted");
    assert_eq!(kind(&pool, &format!("uuid={}", pool.screen.1)), None);
}
