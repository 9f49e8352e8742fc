//! Every class, field, message and error has its place, and every link leads somewhere.

use std::collections::{BTreeMap, BTreeSet};

use proto_types::ClassId;
use proto_types::generated::errors;
use proto_types::schema::ClassDef;

use super::*;

fn text(path: &str) -> String {
    match find(path) {
        Some(Page::Fixed(_, text)) => text.to_owned(),
        Some(Page::Reference(page)) => reference::render(page),
        None => unreachable!("nothing at {path}"),
    }
}

fn public() -> impl Iterator<Item = &'static ClassDef> {
    ClassId::all().map(ClassId::def).filter(|class| !class.internal)
}

fn paths() -> Vec<String> {
    let fixed = ["/", "/reference/", "/reference/errors.html"].map(str::to_owned);
    let classes = public().map(|class| format!("/reference/{}.html", class.name));
    fixed.into_iter().chain(classes).collect()
}

/// What stands between `before` and the next quotation mark, as often as it is there.
fn all_after<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    text.split(before)
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect()
}

#[test]
fn everything_of_the_data_model_is_in_the_reference() {
    let (mut fields, mut messages) = (0, 0);
    for class in public() {
        let page = text(&format!("/reference/{}.html", class.name));
        let there: BTreeSet<&str> = all_after(&page, "<tr id=\"").into_iter().collect();
        for field in class.fields.iter().filter(|f| !f.internal) {
            assert!(there.contains(field.name), "{}.{}", class.name, field.name);
            assert!(!field.doc.is_empty(), "{}.{}", class.name, field.name);
            fields += 1;
        }
        for message in class.messages.iter().filter(|m| !m.removed && !m.pool_only) {
            assert!(there.contains(message.name), "{}", message.full_name);
            assert!(!message.doc.is_empty(), "{}", message.full_name);
            messages += 1;
        }
        for hidden in class.fields.iter().filter(|f| f.internal) {
            assert!(!there.contains(hidden.name), "{}.{}", class.name, hidden.name);
        }
    }
    assert!(
        fields > 700 && messages > 2000,
        "{fields} fields, {messages} messages"
    );
    let page = text("/reference/errors.html");
    let there: BTreeSet<&str> = all_after(&page, "<tr id=\"").into_iter().collect();
    for error in errors::ALL {
        assert!(there.contains(error.code), "{}", error.code);
    }
}

#[test]
fn every_link_leads_somewhere() {
    let mut count = 0;
    let pages: BTreeMap<String, String> = paths()
        .into_iter()
        .map(|path| (path.clone(), text(&path)))
        .collect();
    for (from, shown) in &pages {
        for link in all_after(shown, "href=\"") {
            let (page, place) = link.split_once('#').unwrap_or((link, ""));
            let to = match page.strip_prefix('/') {
                Some(_) => page.to_owned(),
                None => format!("/reference/{page}"),
            };
            assert!(find(&to).is_some(), "{link} of {from}");
            if !place.is_empty() {
                let page = pages.get(&to).unwrap();
                assert!(page.contains(&format!("id=\"{place}\"")), "{link} of {from}");
            }
            count += 1;
        }
    }
    assert!(count > 1000, "{count} links");
}

#[test]
fn every_page_is_whole() {
    for path in paths() {
        let page = text(&path);
        assert!(
            page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"),
            "{path}"
        );
        for tag in ["table", "tr", "td", "a", "code", "span", "h1", "h2", "p"] {
            let opened =
                page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
            assert_eq!(
                opened,
                page.matches(&format!("</{tag}>")).count(),
                "<{tag}> of {path}"
            );
        }
    }
}

#[test]
fn internal_classes_and_other_files_are_not_there() {
    for path in [
        "/reference/tarn_credential.html",
        "/reference/nothing.html",
        "/reference",
        "/samples/",
        "/samples/../index.html",
        "/favicon.ico",
        "/export",
    ] {
        assert_eq!(find(path), None, "{path}");
    }
}
