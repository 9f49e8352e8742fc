//! The descriptor of a virtual appliance, as far as a machine can be made of it: disks, memory, processors, cards.
//!
//! Source: DMTF DSP0243 1.1 (Open Virtualization Format), whose hardware items are CIM's resource allocation settings;
//! `Config` with `key="firmware"` is VMware's.

use proto_types::{ApiError, Bytes};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// What an appliance says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appliance {
    /// The files that come with it.
    pub files: Vec<File>,
    /// The disks of its machines.
    pub disks: Vec<Disk>,
    /// The machines.
    pub machines: Vec<Machine>,
}

/// A file of an appliance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name within the descriptor.
    pub id: String,
    /// Its name within the archive.
    pub href: String,
}

/// A disk of an appliance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Its name within the descriptor.
    pub id: String,
    /// Bytes that a guest sees.
    pub capacity: Bytes,
    /// The file with its content, by the file's id; a disk without is blank.
    pub file: Option<String>,
}

/// A machine of an appliance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its name.
    pub name: String,
    /// What is written about it.
    pub description: String,
    /// Memory, if it is said.
    pub memory: Option<Bytes>,
    /// Virtual processors, at least one.
    pub processors: i64,
    /// Whether it is started by UEFI.
    pub uefi: bool,
    /// Its disks by id, in the order in which it has them.
    pub disks: Vec<String>,
    /// How many network cards it has.
    pub cards: usize,
}

/// No descriptor is deeper.
const DEEPEST: usize = 32;
/// No descriptor has more elements.
const MOST_ELEMENTS: usize = 20_000;
/// No machine has more disks, nor more cards.
const MOST_DEVICES: usize = 64;

/// CIM's numbers of resources.
mod resource {
    pub(super) const PROCESSOR: &str = "3";
    pub(super) const MEMORY: &str = "4";
    pub(super) const ETHERNET: &str = "10";
    pub(super) const DISK: &str = "17";
}

fn bad(why: impl std::fmt::Display) -> ApiError {
    ApiError::new("IMPORT_ERROR", [format!("the appliance's descriptor: {why}")])
}

/// Reads a descriptor.
///
/// # Errors
/// `IMPORT_ERROR [text]`.
pub fn parse(text: &str) -> Result<Appliance, ApiError> {
    let root = tree(text)?;
    if root.name != "Envelope" {
        return Err(bad("it is no envelope"));
    }
    let mut found = Appliance::default();
    for file in root.within(&["References", "File"]) {
        found.files.push(File {
            id: file.needs("id")?,
            href: file.needs("href")?,
        });
    }
    for disk in root.within(&["DiskSection", "Disk"]) {
        let capacity = disk.needs("capacity")?;
        let unit = unit(disk.attribute("capacityAllocationUnits").unwrap_or("byte"))?;
        let file = disk.attribute("fileRef").map(str::to_owned);
        if disk.attribute("parentRef").is_some() {
            return Err(bad("a disk builds on another one"));
        }
        found.disks.push(Disk {
            id: disk.needs("diskId")?,
            capacity: sized(&capacity, unit)?,
            file,
        });
    }
    machines(&root, &mut found.machines)?;
    if found.machines.is_empty() {
        return Err(bad("it has no machine"));
    }
    for disk in &found.disks {
        let known = |id: &String| found.files.iter().any(|file| file.id == *id);
        if disk.file.as_ref().is_some_and(|id| !known(id)) {
            return Err(bad(format!("no file is the content of {}", disk.id)));
        }
    }
    let mut taken: Vec<&String> = Vec::new();
    for id in found.machines.iter().flat_map(|machine| &machine.disks) {
        if !found.disks.iter().any(|disk| disk.id == *id) || taken.contains(&id) {
            return Err(bad(format!("the disk {id} is missing, or there twice")));
        }
        taken.push(id);
    }
    Ok(found)
}

/// Collections may hold collections.
fn machines(parent: &Element, found: &mut Vec<Machine>) -> Result<(), ApiError> {
    for child in &parent.children {
        match child.name.as_str() {
            "VirtualSystem" => found.push(machine(child)?),
            "VirtualSystemCollection" => machines(child, found)?,
            _ => {}
        }
    }
    Ok(())
}

fn machine(system: &Element) -> Result<Machine, ApiError> {
    let mut machine = Machine {
        name: match system.word("Name") {
            "" => system.attribute("id").unwrap_or_default().to_owned(),
            name => name.to_owned(),
        },
        description: system
            .within(&["AnnotationSection"])
            .map(|section| section.word("Annotation").to_owned())
            .next()
            .unwrap_or_default(),
        memory: None,
        processors: 1,
        uefi: system
            .within(&["VirtualHardwareSection", "Config"])
            .any(|c| c.attribute("key") == Some("firmware") && c.attribute("value") == Some("efi")),
        disks: Vec::new(),
        cards: 0,
    };
    let mut disks: Vec<((u64, u64), String)> = Vec::new();
    for item in system
        .children
        .iter()
        .filter(|child| child.name == "VirtualHardwareSection")
        .flat_map(|section| &section.children)
        // Later releases have items of their own for storage and cards.
        .filter(|child| ["Item", "StorageItem", "EthernetPortItem"].contains(&child.name.as_str()))
    {
        let text = |name: &str| item.word(name);
        let place = |name: &str| text(name).parse::<u64>().unwrap_or(0);
        match text("ResourceType") {
            resource::PROCESSOR => {
                machine.processors = text("VirtualQuantity")
                    .parse()
                    .ok()
                    .filter(|count| (1..=512).contains(count))
                    .ok_or_else(|| bad("its number of processors cannot be"))?;
            }
            resource::MEMORY => {
                let unit = match text("AllocationUnits") {
                    "" => Bytes::MIB,
                    words => unit(words)?,
                };
                machine.memory = Some(sized(text("VirtualQuantity"), unit)?);
            }
            resource::ETHERNET => machine.cards = machine.cards.saturating_add(1),
            resource::DISK => {
                let whole = text("HostResource");
                let id = whole.rsplit_once("/disk/").map(|(_, id)| id.to_owned());
                let id = id.ok_or_else(|| bad(format!("{whole:?} is no disk")))?;
                disks.push(((place("Parent"), place("AddressOnParent")), id));
            }
            _ => {}
        }
    }
    disks.sort_by_key(|(place, _)| *place);
    machine.disks = disks.into_iter().map(|(_, id)| id).collect();
    if machine.disks.len().max(machine.cards) > MOST_DEVICES {
        return Err(bad("it has too many devices"));
    }
    Ok(machine)
}

/// How many bytes a unit has: `byte * 2^20`, or the names of the first release.
fn unit(words: &str) -> Result<u64, ApiError> {
    let plain: String = words.to_lowercase().split_whitespace().collect();
    let power = plain.strip_prefix("byte*").and_then(|p| p.split_once('^'));
    let known = match (plain.as_str(), power) {
        (_, Some((base, exponent))) => {
            let base = base.parse::<u64>().ok().filter(|base| [2, 10].contains(base));
            base.zip(exponent.parse().ok())
                .and_then(|(base, exponent)| base.checked_pow(exponent))
        }
        ("byte" | "bytes", None) => Some(1),
        ("kilobytes" | "kb", None) => Some(Bytes::KIB),
        ("megabytes" | "mb", None) => Some(Bytes::MIB),
        ("gigabytes" | "gb", None) => Some(Bytes::GIB),
        _ => None,
    };
    known.ok_or_else(|| bad(format!("{words:?} is no unit")))
}

fn sized(number: &str, unit: u64) -> Result<Bytes, ApiError> {
    let bytes = number
        .trim()
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(unit));
    bytes
        .filter(|bytes| *bytes > 0 && i64::try_from(*bytes).is_ok())
        .map(Bytes)
        .ok_or_else(|| bad(format!("{number:?} is no size")))
}

/// An element; names are without their namespaces' prefixes.
#[derive(Debug, Default)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn of(tag: &BytesStart<'_>) -> Result<Element, ApiError> {
        let mut attributes = Vec::new();
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(bad)?;
            let name = attribute.key.local_name().as_ref().to_owned();
            let value = attribute
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .map_err(bad)?;
            attributes.push((name, value.into_owned()));
        }
        Ok(Element {
            name: tag.local_name().as_ref().to_owned(),
            attributes,
            ..Element::default()
        })
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    fn needs(&self, name: &str) -> Result<String, ApiError> {
        let found = self.attribute(name).filter(|value| !value.is_empty());
        found
            .map(str::to_owned)
            .ok_or_else(|| bad(format!("a {} has no {name}", self.name)))
    }

    /// The text of the first child by that name; empty if there is none.
    fn word(&self, name: &str) -> &str {
        let found = self.children.iter().find(|child| child.name == name);
        found.map_or("", |child| child.text.trim())
    }

    /// All elements at the end of a path.
    fn within<'a>(&'a self, path: &'a [&'a str]) -> Box<dyn Iterator<Item = &'a Element> + 'a> {
        match path {
            [] => Box::new(std::iter::once(self)),
            [first, rest @ ..] => Box::new(
                self.children
                    .iter()
                    .filter(move |child| child.name == *first)
                    .flat_map(move |child| child.within(rest)),
            ),
        }
    }
}

fn tree(text: &str) -> Result<Element, ApiError> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = vec![Element::default()];
    let mut count = 0_usize;
    let mut add = |open: &mut Vec<Element>, element: Element| {
        count += 1;
        match open.last_mut() {
            Some(parent) if count <= MOST_ELEMENTS => {
                parent.children.push(element);
                Ok(())
            }
            _ => Err(bad("it is too long")),
        }
    };
    loop {
        match reader.read_event().map_err(bad)? {
            Event::Start(_) if open.len() > DEEPEST => return Err(bad("it is too deep")),
            Event::Start(tag) => open.push(Element::of(&tag)?),
            Event::Empty(tag) => add(&mut open, Element::of(&tag)?)?,
            Event::Text(words) => {
                if let Some(last) = open.last_mut() {
                    last.text.push_str(&words);
                }
            }
            Event::CData(words) => {
                if let Some(last) = open.last_mut() {
                    last.text.push_str(&words);
                }
            }
            Event::GeneralRef(name) => {
                let last = open.last_mut().ok_or_else(|| bad("it ends too early"))?;
                match name.resolve_char_ref().map_err(bad)? {
                    Some(letter) => last.text.push(letter),
                    None => last.text.push_str(
                        quick_xml::escape::resolve_predefined_entity(&name)
                            .ok_or_else(|| bad("it refers to what is not in it"))?,
                    ),
                }
            }
            Event::End(_) => {
                let element = open.pop().ok_or_else(|| bad("it ends too early"))?;
                add(&mut open, element)?;
            }
            Event::DocType(_) => return Err(bad("it refers to what is not in it")),
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    match (open.pop(), open.is_empty()) {
        (Some(mut top), true) if top.children.len() == 1 => Ok(top.children.remove(0)),
        _ => Err(bad("it ends too early")),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    const DESCRIPTOR: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
  xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
  xmlns:vmw="http://www.vmware.com/schema/ovf">
  <References>
    <File ovf:href="web-disk1.vmdk" ovf:id="file1" ovf:size="1024"/>
    <File ovf:href="tools.iso" ovf:id="file2"/>
  </References>
  <DiskSection><Info>Disks</Info>
    <Disk ovf:capacity="16" ovf:capacityAllocationUnits="byte * 2^30" ovf:diskId="vmdisk1" ovf:fileRef="file1"
      ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>
    <Disk ovf:capacity="1048576" ovf:diskId="vmdisk2"/>
  </DiskSection>
  <VirtualSystem ovf:id="vm">
    <Name>web &amp; mail</Name>
    <AnnotationSection><Annotation>Serves</Annotation></AnnotationSection>
    <VirtualHardwareSection>
      <Item><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>2</rasd:VirtualQuantity></Item>
      <Item><rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits><rasd:ResourceType>4</rasd:ResourceType>
        <rasd:VirtualQuantity>2048</rasd:VirtualQuantity></Item>
      <Item><rasd:AddressOnParent>1</rasd:AddressOnParent><rasd:HostResource>ovf:/disk/vmdisk2</rasd:HostResource>
        <rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>
      <Item><rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:HostResource>/disk/vmdisk1</rasd:HostResource>
        <rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>
      <Item><rasd:ResourceType>10</rasd:ResourceType></Item>
      <vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="efi"/>
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>"#;

    #[test]
    fn a_descriptor_is_read() {
        let found = parse(DESCRIPTOR).unwrap();
        let [machine] = found.machines.as_slice() else {
            unreachable!("one machine: {found:?}")
        };
        let expected = Machine {
            name: "web & mail".into(),
            description: "Serves".into(),
            memory: Some(Bytes::gib(2)),
            processors: 2,
            uefi: true,
            disks: vec!["vmdisk1".into(), "vmdisk2".into()],
            cards: 1,
        };
        assert_eq!(*machine, expected);
        let [first, second] = found.disks.as_slice() else {
            unreachable!("two disks: {found:?}")
        };
        assert_eq!(
            (first.capacity, first.file.as_deref()),
            (Bytes::gib(16), Some("file1"))
        );
        assert_eq!((second.capacity, second.file.as_deref()), (Bytes::mib(1), None));
        assert_eq!(found.files[0].href, "web-disk1.vmdk");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let cut = DESCRIPTOR.len() / 2;
        for (text, why) in [
            (DESCRIPTOR[..cut].to_owned(), ""),
            (
                DESCRIPTOR.replace("fileRef=\"file1\"", "fileRef=\"file9\""),
                "no file",
            ),
            (
                DESCRIPTOR.replace("/disk/vmdisk1", "/disk/vmdisk2"),
                "there twice",
            ),
            (DESCRIPTOR.replace("/disk/vmdisk1", "/disk/other"), "missing"),
            (DESCRIPTOR.replace("capacity=\"16\"", "capacity=\"0\""), "no size"),
            (
                DESCRIPTOR.replace("capacity=\"16\"", "capacity=\"99999999999999\""),
                "no size",
            ),
            (DESCRIPTOR.replace("2^30", "3^30"), "no unit"),
            (DESCRIPTOR.replace("&amp;", "&file;"), "refers to"),
            (
                "<!DOCTYPE a [<!ENTITY x 'y'>]><Envelope/>".to_owned(),
                "refers to",
            ),
            ("<Envelope/>".to_owned(), "no machine"),
            ("<a>".repeat(100), "too deep"),
            (
                format!("<Envelope>{}</Envelope>", "<a/>".repeat(30_000)),
                "too long",
            ),
            (String::new(), "too early"),
        ] {
            let error = parse(&text).unwrap_err();
            assert_eq!(error.code, "IMPORT_ERROR");
            assert!(error.params[0].contains(why), "{why}: {error}");
        }
    }
}
