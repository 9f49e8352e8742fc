//! Relations between classes: which set of references is derived from which reference field.

use std::sync::OnceLock;

use proto_types::ClassId;

/// A derived set: `parent.set` holds the rows of the child class whose `field` names the parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relation {
    /// Position of the reference field (or set of references) in the child class.
    pub field: u16,
    /// The class that has the derived set.
    pub parent: ClassId,
    /// Position of the derived set in the parent class.
    pub set: u16,
}

/// The relations whose child is `class`.
pub fn of_child(class: ClassId) -> &'static [Relation] {
    static TABLE: OnceLock<Vec<Vec<Relation>>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let mut table: Vec<Vec<Relation>> = ClassId::all().map(|_| Vec::new()).collect();
        for parent in ClassId::all() {
            for (set, field) in parent.def().fields.iter().enumerate() {
                let Some((child, child_field)) = field.derived_from else {
                    continue;
                };
                let found = ClassId::by_name(child).and_then(|c| Some((c, c.def().field(child_field)?)));
                if let (Some((child, field)), Ok(set)) = (found, u16::try_from(set))
                    && let Some(list) = table.get_mut(usize::from(child.0))
                {
                    list.push(Relation { field, parent, set });
                }
            }
        }
        table
    });
    table.get(usize::from(class.0)).map_or(&[], Vec::as_slice)
}
