//! The description in the spelling of Rust: modules, constants, types and members.

use proto_datamodel::generic::{self, Full};
use proto_datamodel::{CLASSES, Class, Enum, Type, enums};

/// Everything that gets rendered.
pub struct Model {
    /// In the order of [`CLASSES`], which numbers them.
    pub classes: Vec<ClassModel>,
    /// By name.
    pub enums: Vec<&'static Enum>,
}

/// A class and its messages.
pub struct ClassModel {
    /// The description.
    pub class: &'static Class,
    /// Number.
    pub index: usize,
    /// Module, such as `vm_guest_metrics`.
    pub module: String,
    /// Type of the view, such as `VmGuestMetrics`.
    pub view: String,
    /// Written messages first, then the derived ones.
    pub messages: Vec<Full>,
}

impl Model {
    /// Lowers the whole description.
    pub fn new() -> Model {
        let classes = CLASSES.iter().enumerate().map(|(index, class)| ClassModel {
            class,
            index,
            module: class.name.to_ascii_lowercase(),
            view: pascal(class.name),
            messages: generic::messages(class),
        });
        Model {
            classes: classes.collect(),
            enums: enums(),
        }
    }
}

impl Default for Model {
    fn default() -> Self {
        Model::new()
    }
}

/// Words Rust keeps for itself, and names the views need.
const TAKEN: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn",
    "else", "enum", "extern", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct",
    "super", "trait", "true", "false", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual",
    "where", "while", "yield",
];

/// A function, field or variable: `VCPUs_max` becomes `vcpus_max`, `type` becomes `type_`, `self` becomes `this`.
pub fn snake(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "self" => "this".into(),
        taken if TAKEN.contains(&taken) => format!("{taken}_"),
        _ => name,
    }
}

/// A constant: `name_label` becomes `NAME_LABEL`. A field called `class` becomes `CLASS_`.
pub fn constant(name: &str) -> String {
    let name = name.to_ascii_uppercase().replace('-', "_");
    if matches!(name.as_str(), "CLASS" | "DEF" | "MESSAGES") {
        format!("{name}_")
    } else {
        name
    }
}

/// A type or variant: `vm_power_state` becomes `VmPowerState`, `n/a` becomes `NA`.
pub fn pascal(name: &str) -> String {
    let mut out = String::new();
    for word in name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        let shouted = word.len() > 1 && word.bytes().all(|b| !b.is_ascii_lowercase());
        for (i, c) in word.chars().enumerate() {
            match i {
                0 => out.push(c.to_ascii_uppercase()),
                _ if shouted => out.push(c.to_ascii_lowercase()),
                _ => out.push(c),
            }
        }
    }
    match out.as_str() {
        "" => "Empty".into(),
        "Self" => "This".into(),
        _ if out.starts_with(|c: char| c.is_ascii_digit()) => format!("N{out}"),
        _ => out,
    }
}

/// A type as an expression of `schema::Type`.
pub fn type_expr(ty: &Type) -> String {
    match ty {
        Type::Void => "Type::Void".into(),
        Type::Text => "Type::String".into(),
        Type::Int => "Type::Int".into(),
        Type::Float => "Type::Float".into(),
        Type::Bool => "Type::Bool".into(),
        Type::Time => "Type::DateTime".into(),
        Type::Enum(e) => format!("Type::Enum(&enums::{})", constant(e.name)),
        Type::Ref(class) => format!("Type::Ref({class:?})"),
        Type::Set(t) => format!("Type::Set(&{})", type_expr(t)),
        Type::Map(k, v) => format!("Type::Map(&{}, &{})", type_expr(k), type_expr(v)),
        Type::Record(class) => format!("Type::Record({class:?})"),
        Type::AnyRecord => "Type::Record(\"<class>\")".into(),
        Type::EventBatch => "Type::Record(\"event_batch\")".into(),
        Type::Maybe(t) => format!("Type::Option(&{})", type_expr(t)),
    }
}

/// A default as an expression of `schema::Default`.
pub fn default_expr(default: &proto_datamodel::Default) -> String {
    use proto_datamodel::Default as D;
    match default {
        D::None => "Default::None".into(),
        D::Text(text) => format!("Default::Str({text:?})"),
        D::Int(number) => format!("Default::Int({number})"),
        D::Float(number) => format!("Default::Float({number:?})"),
        D::Bool(truth) => format!("Default::Bool({truth})"),
        D::Epoch => "Default::Time(0)".into(),
        D::Null => "Default::NullRef".into(),
        D::EmptySet => "Default::EmptySet".into(),
        D::Ints(items) => format!("Default::Ints(&{items:?})"),
        D::Refs(items) => format!("Default::Refs(&{items:?})"),
        D::EmptyMap => "Default::EmptyMap".into(),
        D::Pairs(items) => format!("Default::StringMap(&{items:?})"),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn names_read_as_rust() {
        assert_eq!(pascal("VM_guest_metrics"), "VmGuestMetrics");
        assert_eq!(pascal("set_VCPUs_max"), "SetVCPUsMax");
        assert_eq!(pascal("balance-slb"), "BalanceSlb");
        assert_eq!(snake("type"), "type_");
        assert_eq!(snake("VCPUs_max"), "vcpus_max");
        assert_eq!(constant("name_label"), "NAME_LABEL");
    }
}
