//! `repomd.xml`: what a repository of RPM packages says it holds.
//!
//! Source: the format that createrepo writes: `<repomd><data type="…"><checksum type="sha256">…</checksum>
//! <location href="…"/></data>…</repomd>`.

use proto_types::ApiError;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// One file of a repository's description.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Where it is, from the repository's root.
    pub location: String,
    /// SHA-256 of its bytes, in lower-case hexadecimal digits.
    pub checksum: String,
}

/// What the document says of one kind of file, such as `updateinfo`; nothing if the repository has none.
///
/// # Errors
/// `INVALID_REPOMD_XML` when it is not as described, or names no sound place.
pub fn part(text: &str, kind: &str) -> Result<Option<Part>, ApiError> {
    let bad = || ApiError::bare("INVALID_REPOMD_XML");
    let mut reader = Reader::from_str(text);
    let mut is_repomd = false;
    let mut depth = 0_usize;
    let mut at: Option<Part> = None;
    let mut in_checksum = false;
    loop {
        match reader.read_event().map_err(|_| bad())? {
            Event::Eof if depth == 0 && is_repomd => return Ok(None),
            Event::Eof | Event::DocType(_) => return Err(bad()),
            Event::Start(tag) => {
                is_repomd |= depth == 0 && tag.local_name().as_ref() == "repomd";
                depth += 1;
                match tag.local_name().as_ref() {
                    "data" if attribute(&tag, "type").as_deref() == Some(kind) => at = Some(Part::default()),
                    "checksum" => in_checksum = attribute(&tag, "type").as_deref() == Some("sha256"),
                    "location" => locate(&tag, &mut at),
                    _ => {}
                }
            }
            Event::Empty(tag) if tag.local_name().as_ref() == "location" => locate(&tag, &mut at),
            Event::Text(words) if in_checksum => {
                if let Some(part) = &mut at {
                    part.checksum = words.trim().to_lowercase();
                }
            }
            Event::End(tag) => {
                depth = depth.checked_sub(1).ok_or_else(bad)?;
                match tag.local_name().as_ref() {
                    "checksum" => in_checksum = false,
                    "data" => {
                        if let Some(part) = at.take() {
                            return if is_sound(&part) {
                                Ok(Some(part))
                            } else {
                                Err(bad())
                            };
                        }
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

fn locate(tag: &BytesStart<'_>, at: &mut Option<Part>) {
    if let (Some(part), Some(href)) = (at, attribute(tag, "href")) {
        part.location = href;
    }
}

/// An attribute of an element.
pub(super) fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = tag.try_get_attribute(name).ok()??;
    Some(found.value.trim().to_owned())
}

/// A place below the repository, and the digits of a SHA-256.
fn is_sound(part: &Part) -> bool {
    let plain = part.location.bytes().all(|b| b.is_ascii_graphic());
    let below = !part.location.starts_with('/')
        && !part.location.contains(':')
        && part
            .location
            .split('/')
            .all(|step| !step.is_empty() && step != "..");
    let digits = part.checksum.len() == 64 && part.checksum.bytes().all(|b| b.is_ascii_hexdigit());
    plain && below && digits
}

#[cfg(test)]
mod test {
    use super::*;

    fn document(location: &str, checksum: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?><repomd xmlns=\"http://linux.duke.edu/metadata/repo\"><revision>1</revision>\
             <data type=\"primary\"><checksum type=\"sha256\">00</checksum><location href=\"repodata/p.gz\"/></data>\
             <data type=\"updateinfo\"><checksum type=\"sha256\">{checksum}</checksum>\
             <open-checksum type=\"sha256\">ff</open-checksum><location href=\"{location}\"/></data></repomd>"
        )
    }

    #[test]
    fn a_part_is_found_by_its_kind() {
        let sum = "A1".repeat(32);
        let found = part(&document("repodata/u.xml.gz", &sum), "updateinfo")
            .unwrap()
            .unwrap();
        assert_eq!(
            (found.location.as_str(), found.checksum),
            ("repodata/u.xml.gz", sum.to_lowercase())
        );
        assert_eq!(part(&document("x", &sum), "group").unwrap(), None);
    }

    #[test]
    fn what_leads_elsewhere_or_is_no_such_document_is_refused() {
        let sum = "a1".repeat(32);
        for location in ["", "/etc/passwd", "../x", "a//b", "https://other/x", "a b"] {
            assert!(
                part(&document(location, &sum), "updateinfo").is_err(),
                "{location}"
            );
        }
        assert!(part(&document("u", "a1"), "updateinfo").is_err());
        for text in [
            "",
            "<a/>",
            "<repomd>",
            "<repomd><data type=\"updateinfo\">",
            "no xml",
        ] {
            assert_eq!(
                part(text, "updateinfo").unwrap_err().code,
                "INVALID_REPOMD_XML",
                "{text}"
            );
        }
    }
}
