//! The description is sound, and it is XenServer's.

use super::*;

/// Of the published model with the hidden messages, 72 classes as of toolstack 26.x.
const XENSERVER: u64 = 0xeb46_3606_bbc3_c894;

#[test]
fn the_description_is_sound() {
    let wrong = problems();
    assert!(wrong.is_empty(), "{} problems:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn it_has_as_many_classes_fields_and_messages_as_xenserver() {
    let public: Vec<_> = CLASSES.iter().filter(|c| !c.internal).collect();
    assert_eq!(public.len(), 72);
    let fields =
        public.iter().flat_map(|c| c.fields).filter(|f| !f.internal && !releases::is_own(f.life.since));
    assert_eq!(fields.count(), 922);
    let messages: Vec<_> = public.iter().flat_map(|c| generic::messages(c)).collect();
    let theirs = messages.iter().filter(|m| !releases::is_own(m.life.since));
    let (custom, derived): (Vec<_>, Vec<_>) = theirs.partition(|m| m.written.is_some());
    assert_eq!((custom.len(), derived.len()), (674, 1580));
}

#[test]
fn every_fact_of_xenservers_model_is_kept() {
    let facts = facts();
    if let Ok(path) = std::env::var("TARN_WRITE_FACTS") {
        std::fs::write(path, facts.join("\n")).unwrap();
    }
    assert_eq!(
        fingerprint(&facts),
        XENSERVER,
        "a fact of the API changed; if that is meant (a new release of XenServer), put the new number here. \
         Additions of our own go under a release named tarn-..."
    );
}

#[test]
fn catalogue_is_complete() {
    assert_eq!(
        (errors::declared().count(), errors::UNDECLARED.len(), errors::SR_BACKEND.len()),
        (603, 32, 173)
    );
}
