//! USB devices of hosts in VMs: who has which, from when to when.

#[path = "bed/pool_of_two.rs"]
mod pool_of_two;

use pool_domain::allowed;
use pool_domain::decide::usb::{self, UsbFacts};
use pool_domain::decide::vm_power::{self, VmOperation};
use pool_of_two::Pool;
use proto_types::generated::{pusb, vusb};
use proto_types::{Ref, Value};

#[test]
fn a_usb_device_is_one_guests_alone_and_does_not_come_back_with_a_resume() {
    let mut pool = Pool::new();
    let [first, second] = [pool.vm(), pool.vm()];
    let on = pool.start(first);
    pool.halt(first);
    let stick = |path: &str, product: &str| UsbFacts {
        path: path.to_owned(),
        vendor: ("0781".to_owned(), "Maker".to_owned()),
        product: (product.to_owned(), "Stick".to_owned()),
        ..UsbFacts::default()
    };
    pool.decide(|d| {
        usb::scan(d, on, &[stick("1-1", "a"), stick("1-2", "b")]);
        Ok(())
    })
    .unwrap();
    let sticks: Vec<Ref> = pool.db.rows(pusb::CLASS).map(|row| row.reference).collect();
    let mut wishes = Vec::new();
    for (device, guest) in sticks.iter().zip([first, second]) {
        let group = pool.get(*device, pusb::USB_GROUP).as_ref();
        pool.decide(|d| usb::set_passthrough(d, *device, true)).unwrap();
        wishes.push(
            pool.decide(|d| usb::ask_for(d, guest, group, Value::empty_map()))
                .unwrap(),
        );
    }
    assert_eq!((pool.start(first), pool.start(second)), (on, on));
    for (wish, device) in wishes.iter().zip(&sticks) {
        assert_eq!(pool.get(*wish, vusb::ATTACHED).as_ref(), *device);
        assert!(pool.get(*wish, vusb::CURRENTLY_ATTACHED).as_bool());
        let now = allowed::operations(&pool.db, pool.db.get(*wish).unwrap());
        assert_eq!(now, Some(Value::strings(["attach", "unplug"])));
    }
    let wish = wishes[0];
    let task = pool.facts.reference();
    let op = |name: &'static str| VmOperation {
        vm: first,
        task,
        name,
    };
    let held = pool.decide(|d| vm_power::begin(d, &op("suspend"))).unwrap_err();
    assert_eq!(held.code, "VM_HAS_VUSBS");
    assert_eq!(pool.decide(|d| usb::begin_unplug(d, wish, task)).unwrap(), "1-1");
    let again = pool.decide(|d| usb::begin_unplug(d, wish, task)).unwrap_err();
    assert_eq!(again.code, "OTHER_OPERATION_IN_PROGRESS");
    pool.decide(|d| {
        usb::end_unplug(d, wish, task, true);
        vm_power::begin(d, &op("suspend"))?;
        vm_power::commit_suspended(d, &op("suspend"), Ref::NULL);
        let there = vm_power::begin_on_host(d, &op("resume"), Some(on))?;
        vm_power::commit_live(d, &op("resume"), there, false);
        Ok(())
    })
    .unwrap();
    assert!(pool.get(wish, vusb::ATTACHED).as_ref().is_null());
    assert!(!pool.get(wish, vusb::CURRENTLY_ATTACHED).as_bool());
    // A start that comes to nothing gives back what was set aside for it.
    pool.halt(first);
    pool.decide(|d| {
        let there = vm_power::begin_on_host(d, &op("start"), None)?;
        assert!(!d.db().get(wish).unwrap().get(vusb::ATTACHED).as_ref().is_null());
        vm_power::abort(d, &op("start"), Some(there));
        Ok(())
    })
    .unwrap();
    assert!(pool.get(wish, vusb::ATTACHED).as_ref().is_null());
}
