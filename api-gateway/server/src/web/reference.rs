//! The reference of the API as pages, made from the data model of this build: nothing is written twice.

use std::fmt::{self, Write as _};

use proto_types::ClassId;
use proto_types::generated::errors;
use proto_types::schema::{ClassDef, Default, FieldDef, MessageDef, Qualifier, Type};

use crate::handlers;

/// A page of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// All classes.
    Index,
    /// One class.
    Class(ClassId),
    /// All errors.
    Errors,
}

fn classes() -> impl Iterator<Item = ClassId> {
    ClassId::all().filter(|class| !class.def().internal)
}

/// The page of a name below `/reference/`.
pub fn find(name: &str) -> Option<Page> {
    match name {
        "" | "index.html" => Some(Page::Index),
        "errors.html" => Some(Page::Errors),
        _ => {
            let class = name.strip_suffix(".html")?;
            classes().find(|known| known.name() == class).map(Page::Class)
        }
    }
}

/// Writes a page.
pub fn render(page: Page) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = match page {
        Page::Index => index(&mut out),
        Page::Class(class) => of_class(&mut out, class.def()),
        Page::Errors => all_errors(&mut out),
    };
    out
}

/// Text with nothing in it that HTML would take for its own.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '<' => out.write_str("&lt;")?,
                '>' => out.write_str("&gt;")?,
                '&' => out.write_str("&amp;")?,
                '"' => out.write_str("&quot;")?,
                c => out.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A type, with links to the classes in it.
struct Shown<'a>(&'a Type);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Type::Void => out.write_str("void"),
            Type::String => out.write_str("string"),
            Type::Int => out.write_str("int"),
            Type::Float => out.write_str("float"),
            Type::Bool => out.write_str("bool"),
            Type::DateTime => out.write_str("datetime"),
            Type::Enum(def) => {
                let members: Vec<String> = def.members.iter().map(|m| Plain(m).to_string()).collect();
                write!(out, "{}: {}", Plain(def.name), members.join(" | "))
            }
            Type::Ref(class) => write!(out, "{} ref", Linked(class)),
            Type::Set(inner) => write!(out, "{} set", Shown(inner)),
            Type::Map(key, value) => write!(out, "({} -&gt; {}) map", Shown(key), Shown(value)),
            Type::Record(class) => write!(out, "{} record", Linked(class)),
            Type::Option(inner) => write!(out, "{} option", Shown(inner)),
        }
    }
}

/// The name of a class, as a link if it has a page.
struct Linked<'a>(&'a str);

impl fmt::Display for Linked<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Plain(self.0);
        match classes().any(|class| class.name() == self.0) {
            true => write!(out, "<a href=\"{name}.html\">{name}</a>"),
            false => write!(out, "{name}"),
        }
    }
}

fn top(out: &mut String, title: &str) -> fmt::Result {
    let title = Plain(title);
    write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title>\
         <link rel=\"stylesheet\" href=\"/style.css\"></head>\n<body>\n\
         <p class=\"note\"><a href=\"/\">Tarn</a> · <a href=\"/reference/\">Classes</a> · \
         <a href=\"errors.html\">Errors</a></p>\n<h1>{title}</h1>\n"
    )
}

const BOTTOM: &str = "</body>\n</html>\n";

fn index(out: &mut String) -> fmt::Result {
    top(out, "Reference of the API")?;
    out.write_str(
        "<p>Every message but a few takes the session's reference as its first parameter; the pages leave it out. \
         Messages marked async can be sent with <code>Async.</code> before their name, and then answer a task.</p>\n\
         <table>\n",
    )?;
    for class in classes() {
        let def = class.def();
        writeln!(
            out,
            "<tr><td>{}</td><td>{}</td></tr>",
            Linked(def.name),
            Plain(def.doc)
        )?;
    }
    write!(out, "</table>\n{BOTTOM}")
}

fn of_class(out: &mut String, class: &ClassDef) -> fmt::Result {
    top(out, class.name)?;
    writeln!(out, "<p>{}</p>", Plain(class.doc))?;
    let fields: Vec<&FieldDef> = class.fields.iter().filter(|f| !f.internal).collect();
    if !fields.is_empty() {
        out.write_str("<h2>Fields</h2>\n<table>\n")?;
        for field in fields {
            of_field(out, field)?;
        }
        out.write_str("</table>\n")?;
    }
    out.write_str("<h2>Messages</h2>\n<table>\n")?;
    for message in class.messages.iter().filter(|m| !m.removed && !m.pool_only) {
        of_message(out, message)?;
    }
    write!(out, "</table>\n{BOTTOM}")
}

fn of_field(out: &mut String, field: &FieldDef) -> fmt::Result {
    let who = match field.qualifier {
        Qualifier::ReadWrite => "read and write",
        Qualifier::Constructor => "given at creation",
        Qualifier::Runtime => "read only",
    };
    let gone = if field.removed.is_some() {
        "; without meaning now"
    } else {
        ""
    };
    writeln!(
        out,
        "<tr id=\"{name}\"><td><code>{name}</code></td><td class=\"type\">{}</td>\
         <td>{} <span class=\"note\">({who}{gone})</span></td></tr>",
        Shown(&field.ty),
        Plain(field.doc),
        name = Plain(field.name),
    )
}

fn of_message(out: &mut String, message: &MessageDef) -> fmt::Result {
    let name = Plain(message.name);
    write!(
        out,
        "<tr id=\"{name}\"><td><code>{name}</code></td><td class=\"type\">("
    )?;
    for (at, param) in message.params.iter().enumerate() {
        let comma = if at > 0 { ", " } else { "" };
        let optional = if matches!(param.default, Default::None) {
            ""
        } else {
            "?"
        };
        write!(
            out,
            "{comma}{}{optional}: {}",
            Plain(param.name),
            Shown(&param.ty)
        )?;
    }
    write!(
        out,
        ") -&gt; {}</td><td>{}",
        Shown(&message.result),
        Plain(message.doc)
    )?;
    let mut notes = vec![format!("least role {}", message.role.name())];
    if message.is_async {
        notes.push("async".to_owned());
    }
    if message.no_session {
        notes.push("takes no session".to_owned());
    }
    if message.deprecated {
        notes.push("advised against".to_owned());
    }
    if !handlers::is_built(message) {
        notes.push("not built here: NOT_IMPLEMENTED".to_owned());
    }
    write!(out, " <span class=\"note\">({})</span>", notes.join("; "))?;
    if !message.errors.is_empty() {
        let links: Vec<String> = message
            .errors
            .iter()
            .map(|code| format!("<a href=\"errors.html#{code}\">{code}</a>", code = Plain(code)))
            .collect();
        write!(
            out,
            "<br><span class=\"note\">Errors: {}</span>",
            links.join(", ")
        )?;
    }
    out.write_str("</td></tr>\n")
}

fn all_errors(out: &mut String) -> fmt::Result {
    top(out, "Errors")?;
    out.write_str("<p>Each error is its code and then its parameters, all of them strings.</p>\n<table>\n")?;
    for error in errors::ALL {
        let code = Plain(error.code);
        let params: Vec<String> = error.params.iter().map(|p| Plain(p).to_string()).collect();
        writeln!(
            out,
            "<tr id=\"{code}\"><td><code>{code}</code></td><td>{}</td></tr>",
            params.join(", ")
        )?;
    }
    write!(out, "</table>\n{BOTTOM}")
}
