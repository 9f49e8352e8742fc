//! `other_config:disks` of a template: which disks `VM.provision` makes.
//!
//! `<provision><disk device="0" size="8589934592" sr="<uuid or empty>" bootable="true" type="system"/></provision>`.
//! Tarn adds the attribute `image`: the uuid of a VDI whose content the disk begins with, as a thin clone.

use proto_types::ApiError;
use quick_xml::Reader;
use quick_xml::events::Event;

/// One disk to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskWish {
    /// Device number in the VM.
    pub device: String,
    /// Bytes.
    pub size: i64,
    /// Uuid of the SR; empty means the pool's default.
    pub sr: String,
    /// Whether the VM boots from it.
    pub bootable: bool,
    /// `system` or `user`.
    pub kind: String,
    /// Uuid of the image it begins with; empty for a blank disk.
    pub image: String,
}

/// Most disks in one document.
const MOST: usize = 16;

/// Reads the document.
///
/// # Errors
/// `INTERNAL_ERROR` with a text when it is not as described.
pub fn parse(text: &str) -> Result<Vec<DiskWish>, ApiError> {
    let bad = |why: &str| ApiError::internal(format!("other_config:disks cannot be read: {why}"));
    let mut reader = Reader::from_str(text);
    let mut wishes = Vec::new();
    loop {
        match reader.read_event() {
            Ok(Event::Empty(tag) | Event::Start(tag)) if tag.name().as_ref() == "disk" => {
                let mut wish = DiskWish {
                    device: String::new(),
                    size: 0,
                    sr: String::new(),
                    bootable: false,
                    kind: "system".to_owned(),
                    image: String::new(),
                };
                for attribute in tag.attributes() {
                    let attribute = attribute.map_err(|_| bad("malformed attribute"))?;
                    let value = attribute.value.as_ref().to_owned();
                    match attribute.key.as_ref() {
                        "device" => wish.device = value,
                        "size" => wish.size = value.parse().map_err(|_| bad("size is not a number"))?,
                        "sr" => wish.sr = value,
                        "bootable" => wish.bootable = value == "true",
                        "type" => wish.kind = value,
                        "image" => wish.image = value,
                        _ => {}
                    }
                }
                if wish.device.is_empty() || (wish.size <= 0 && wish.image.is_empty()) {
                    return Err(bad("a disk needs a device and a size"));
                }
                wishes.push(wish);
                if wishes.len() > MOST {
                    return Err(bad("too many disks"));
                }
            }
            Ok(Event::DocType(_)) => return Err(bad("a document type is not allowed")),
            Ok(Event::Eof) => return Ok(wishes),
            Ok(_) => {}
            Err(_) => return Err(bad("malformed XML")),
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn disks_are_read_with_their_defaults() {
        let text = r#"<provision><disk device="0" size="8589934592" sr="" bootable="true" type="system"/>
            <disk device="1" size="1024" sr="x" bootable="false"/></provision>"#;
        let wishes = parse(text).unwrap();
        assert_eq!(wishes.len(), 2);
        assert_eq!(wishes[0].size, 8_589_934_592);
        assert!(wishes[0].bootable);
        assert_eq!(wishes[1].kind, "system");
        assert!(parse("<provision><disk size='1'/></provision>").is_err());
        assert!(parse("<provision><disk").is_err());
    }
}
