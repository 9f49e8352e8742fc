//! A small tree of elements, written and read with quick-xml.

use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};
use quick_xml::{Reader, Writer};

/// No tree is deeper; libvirt's own are at most ten deep.
const DEEPEST: usize = 64;

/// The text is not XML as libvirt writes it.
#[derive(Debug, thiserror::Error)]
#[error("the XML cannot be read: {0}")]
pub(crate) struct NotXml(String);

/// An element with attributes, text and children. Text between children is joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    pub(crate) fn new(name: &str) -> Element {
        Element {
            name: name.into(),
            ..Element::default()
        }
    }

    /// With an attribute.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Element {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// With text.
    pub(crate) fn text(mut self, text: impl Into<String>) -> Element {
        self.text = text.into();
        self
    }

    /// With a child.
    pub(crate) fn child(mut self, child: Element) -> Element {
        self.children.push(child);
        self
    }

    /// With a child that only has text.
    pub(crate) fn leaf(self, name: &str, text: impl Into<String>) -> Element {
        self.child(Element::new(name).text(text))
    }

    /// The value of an attribute.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// The first child by that name.
    pub(crate) fn find(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|c| c.name == name)
    }

    /// All children by that name.
    #[cfg(test)]
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |c| c.name == name)
    }

    /// An attribute of the first child by that name.
    pub(crate) fn of(&self, child: &str, attribute: &str) -> Option<&str> {
        self.find(child)?.attribute(attribute)
    }

    /// Puts a child in the place of those by its name, or at the end.
    pub(crate) fn replace(&mut self, child: Element) {
        let place = self.children.iter().position(|c| c.name == child.name);
        self.children.retain(|c| c.name != child.name);
        let place = place.unwrap_or(self.children.len()).min(self.children.len());
        self.children.insert(place, child);
    }

    /// The text of the document.
    pub(crate) fn to_xml(&self) -> String {
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
        self.write(&mut writer)
            .expect("writing into memory does not fail");
        String::from_utf8(writer.into_inner()).expect("only strings were written")
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> std::io::Result<()> {
        let mut start = BytesStart::new(self.name.as_str());
        for (name, value) in &self.attributes {
            start.push_attribute((name.as_str(), value.as_str()));
        }
        if self.text.is_empty() && self.children.is_empty() {
            return writer.write_event(Event::Empty(start));
        }
        writer.write_event(Event::Start(start))?;
        if !self.text.is_empty() {
            writer.write_event(Event::Text(BytesText::new(&self.text)))?;
        }
        for child in &self.children {
            child.write(writer)?;
        }
        writer.write_event(Event::End(BytesEnd::new(self.name.as_str())))
    }

    /// Reads a document.
    pub(crate) fn parse(xml: &str) -> Result<Element, NotXml> {
        let bad = |what: &dyn std::fmt::Display| NotXml(what.to_string());
        let mut reader = Reader::from_str(xml);
        // The first is a shell for the root.
        let mut open = vec![Element::default()];
        loop {
            match reader.read_event().map_err(|e| bad(&e))? {
                Event::Start(start) => {
                    if open.len() > DEEPEST {
                        return Err(bad(&"too deep"));
                    }
                    open.push(element(&start)?);
                }
                Event::Empty(start) => {
                    let done = element(&start)?;
                    if let Some(parent) = open.last_mut() {
                        parent.children.push(done);
                    }
                }
                Event::End(_) => {
                    let Some(mut done) = open.pop() else { break };
                    if !done.children.is_empty() {
                        done.text = done.text.trim().to_owned();
                    }
                    match open.last_mut() {
                        Some(parent) => parent.children.push(done),
                        None => return Err(bad(&"an end too many")),
                    }
                }
                Event::Text(text) => push(&mut open, &text.xml10_content()),
                Event::CData(data) => push(&mut open, &data.xml10_content()),
                Event::GeneralRef(reference) => {
                    let character = match &*reference.xml10_content() {
                        "amp" => '&',
                        "lt" => '<',
                        "gt" => '>',
                        "quot" => '"',
                        "apos" => '\'',
                        _ => reference
                            .resolve_char_ref()
                            .map_err(|e| bad(&e))?
                            .ok_or_else(|| bad(&"an unknown entity"))?,
                    };
                    push(&mut open, character.encode_utf8(&mut [0; 4]));
                }
                Event::DocType(_) => return Err(bad(&"a document type is not accepted")),
                Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
                Event::Eof => break,
            }
        }
        match <[Element; 1]>::try_from(open) {
            Ok([shell]) => match <[Element; 1]>::try_from(shell.children) {
                Ok([root]) => Ok(root),
                Err(_) => Err(bad(&"not exactly one root")),
            },
            Err(_) => Err(bad(&"an element is not closed")),
        }
    }
}

fn push(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn element(start: &BytesStart<'_>) -> Result<Element, NotXml> {
    let mut element = Element::new(start.name().as_ref());
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|e| NotXml(e.to_string()))?;
        let value = attribute
            .normalized_value(quick_xml::XmlVersion::Implicit1_0)
            .map_err(|e| NotXml(e.to_string()))?;
        element
            .attributes
            .push((attribute.key.as_ref().to_owned(), value.into_owned()));
    }
    Ok(element)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_tree_reads_back_as_written() {
        let tree = Element::new("a")
            .with("x", "<&\"'>")
            .child(Element::new("b").text("1 < 2 & \"3\"\n\tend"))
            .child(Element::new("c").child(Element::new("d")));
        assert_eq!(Element::parse(&tree.to_xml()).unwrap(), tree);
    }

    #[test]
    fn damaged_documents_are_refused() {
        for bad in [
            "",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<!DOCTYPE a><a/>",
            "<a>&bomb;</a>",
            "</a>",
        ] {
            assert!(Element::parse(bad).is_err(), "{bad}");
        }
        assert!(Element::parse(&"<a>".repeat(1000)).is_err());
    }

    #[test]
    fn a_replaced_child_keeps_its_place() {
        let mut tree = Element::parse("<a><b/><c/><d/></a>").unwrap();
        tree.replace(Element::new("c").with("new", "yes"));
        assert_eq!(
            tree.children.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(),
            ["b", "c", "d"]
        );
        assert_eq!(tree.of("c", "new"), Some("yes"));
    }
}
