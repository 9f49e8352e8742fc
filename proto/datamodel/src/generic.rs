//! The messages that follow from a class's fields and flags, so that nobody writes them down.

use crate::model::{Class, Default, Field, Kind, Life, Message, Param, Qualifier, Role, Type};

/// A message of a class, written or derived.
#[derive(Clone, Debug)]
pub struct Full {
    /// Name without the class.
    pub name: String,
    /// Meaning.
    pub kind: Kind,
    /// Parameters after the session.
    pub params: Vec<Param>,
    /// Result.
    pub result: Type,
    /// Least role.
    pub role: Role,
    /// Also open to `client-cert`.
    pub client_cert: bool,
    /// History.
    pub life: Life,
    /// One sentence.
    pub doc: String,
    /// Also callable as `Async.`.
    pub is_async: bool,
    /// Served, not published.
    pub hidden: bool,
    /// Least roles by key.
    pub key_roles: &'static [(&'static str, Role)],
    /// The entry it was written as, if it was.
    pub written: Option<&'static Message>,
}

/// All messages of a class: the written ones, then the derived ones.
pub fn messages(class: &'static Class) -> Vec<Full> {
    let mut all: Vec<Full> = class.messages.iter().map(written).collect();
    if class.getters {
        whole_records(class, &mut all);
        for (index, field) in class.fields.iter().enumerate().filter(|(_, f)| !f.internal) {
            of_field(class, index, field, &mut all);
        }
    }
    if class.constructible {
        let made = Full { is_async: true, role: class.writer, ..derived(class, "create", Kind::Create) };
        all.push(Full {
            params: vec![Param::new("args", Type::Record(class.name))],
            result: Type::Ref(class.name),
            doc: format!("Creates a {} from a record.", class.name),
            ..made.clone()
        });
        all.push(Full {
            name: "destroy".into(),
            kind: Kind::Destroy,
            params: vec![Param::new("self", Type::Ref(class.name))],
            doc: format!("Destroys the {}.", class.name),
            ..made
        });
    }
    all
}

fn written(message: &'static Message) -> Full {
    Full {
        name: message.name.into(),
        kind: message.kind,
        params: message.params.to_vec(),
        result: message.result,
        role: message.role,
        client_cert: message.client_cert,
        life: message.life,
        doc: message.doc.into(),
        is_async: message.is_async,
        hidden: message.hidden,
        key_roles: message.key_roles,
        written: Some(message),
    }
}

/// A derived message with the history of its class.
fn derived(class: &Class, name: impl Into<String>, kind: Kind) -> Full {
    Full {
        name: name.into(),
        kind,
        params: Vec::new(),
        result: Type::Void,
        role: class.reader,
        client_cert: false,
        life: class.life,
        doc: String::new(),
        is_async: false,
        hidden: false,
        key_roles: &[],
        written: None,
    }
}

/// Types made here live as long as the tool that reads the description.
fn forever(ty: Type) -> &'static Type {
    Box::leak(Box::new(ty))
}

fn whole_records(class: &'static Class, all: &mut Vec<Full>) {
    let own = Type::Ref(class.name);
    let refs = Type::Set(forever(own));
    let records = Type::Map(forever(own), forever(Type::Record(class.name)));
    all.push(Full {
        params: vec![Param::new("uuid", Type::Text)],
        result: own,
        doc: format!("Finds the {} with this uuid.", class.name),
        ..derived(class, "get_by_uuid", Kind::GetByUuid)
    });
    all.push(Full {
        params: vec![Param::new("self", own)],
        result: Type::Record(class.name),
        doc: format!("Answers all fields of the {}.", class.name),
        ..derived(class, "get_record", Kind::GetRecord)
    });
    if class.get_all {
        all.push(Full {
            result: refs,
            doc: format!("Lists every {}.", class.name),
            ..derived(class, "get_all", Kind::GetAll)
        });
        all.push(Full {
            result: records,
            doc: format!("Answers all fields of every {}.", class.name),
            ..derived(class, "get_all_records", Kind::GetAllRecords)
        });
        // Hidden, hence without the history of the class: they answer even where the class was removed.
        let filtered = Full {
            params: vec![Param::new("expr", Type::Text)],
            life: Life::since(class.life.since),
            hidden: true,
            ..derived(class, "get_all_where", Kind::GetAllWhere)
        };
        all.push(Full {
            result: refs,
            doc: format!("Lists every {} that satisfies an expression.", class.name),
            ..filtered.clone()
        });
        all.push(Full {
            name: "get_all_records_where".into(),
            kind: Kind::GetAllRecordsWhere,
            result: records,
            doc: format!("Answers all fields of every {} that satisfies an expression.", class.name),
            ..filtered
        });
    }
    if class.by_name && class.fields.iter().any(|f| f.name == "name_label") {
        all.push(Full {
            params: vec![Param::new("label", Type::Text)],
            result: refs,
            doc: format!("Finds every {} with this name.", class.name),
            ..derived(class, "get_by_name_label", Kind::GetByNameLabel)
        });
    }
}

fn of_field(class: &'static Class, index: usize, field: &'static Field, all: &mut Vec<Full>) {
    let this = Param::new("self", Type::Ref(class.name));
    let get = Full { life: field.life, ..derived(class, format!("get_{}", field.name), Kind::Get(index)) };
    all.push(Full {
        params: vec![this],
        result: field.ty,
        role: field.reader.unwrap_or(Role::ReadOnly),
        doc: format!("Answers the field {} of the {}.", field.name, class.name),
        ..get.clone()
    });
    if field.qualifier != Qualifier::ReadWrite {
        return;
    }
    let write = |name: String, kind: Kind, rest: &[Param], doc: String| Full {
        name,
        kind,
        params: std::iter::once(this).chain(rest.iter().copied()).collect(),
        role: field.writer.unwrap_or(class.writer),
        client_cert: field.client_cert,
        key_roles: if matches!(kind, Kind::AddTo(_) | Kind::RemoveFrom(_)) { field.key_roles } else { &[] },
        doc,
        ..get.clone()
    };
    let (name, own) = (field.name, class.name);
    let text = |name: &'static str| Param { name, ty: Type::Text, default: Default::None };
    let value = Param::new("value", field.ty);
    all.push(write(
        format!("set_{name}"),
        Kind::Set(index),
        &[value],
        format!("Sets the field {name} of the {own}."),
    ));
    if field.ty.is_map() {
        let pair = [text("key"), text("value")];
        let doc = format!("Adds a key to the field {name} of the {own}.");
        all.push(write(format!("add_to_{name}"), Kind::AddTo(index), &pair, doc));
        let doc = format!("Removes a key from the field {name} of the {own}.");
        all.push(write(format!("remove_from_{name}"), Kind::RemoveFrom(index), &[text("key")], doc));
    }
    if field.ty.is_set() {
        let doc = format!("Adds a member to the field {name} of the {own}.");
        all.push(write(format!("add_{name}"), Kind::AddMember(index), &[text("value")], doc));
        let doc = format!("Removes a member from the field {name} of the {own}.");
        all.push(write(format!("remove_{name}"), Kind::RemoveMember(index), &[text("value")], doc));
    }
}
