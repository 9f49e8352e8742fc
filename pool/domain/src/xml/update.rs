//! `update.xml`: what an update in the old form says it is.
//!
//! Source: the element that such an update has at the top of its image: `<update uuid="…" name-label="…" …>`.

use quick_xml::Reader;
use quick_xml::events::Event;

/// The uuid of the update that a document describes; nothing if it describes none.
pub fn uuid(text: &str) -> Option<String> {
    let mut reader = Reader::from_str(text);
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) | Event::Empty(tag) => {
                let is_update = tag.local_name().as_ref() == "update";
                return super::repomd::attribute(&tag, "uuid")
                    .filter(|text| is_update && uuid::Uuid::try_parse(text).is_ok());
            }
            Event::Eof | Event::DocType(_) => return None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn only_an_update_with_a_uuid_is_one() {
        let id = "6fa5a1c6-1a5b-4b6e-9d25-0d9a3f7a1f10";
        let written =
            format!("<?xml version='1.0'?><!-- x --><update name-label='a' uuid='{id}'><key/></update>");
        assert_eq!(uuid(&written).as_deref(), Some(id));
        for bad in [
            "",
            "<update/>",
            "<update uuid='x'/>",
            "<!DOCTYPE update><update/>",
            "<other uuid='6fa5a1c6-1a5b-4b6e-9d25-0d9a3f7a1f10'/>",
            "<update uuid='6fa5",
        ] {
            assert_eq!(uuid(bad), None, "{bad}");
        }
    }
}
