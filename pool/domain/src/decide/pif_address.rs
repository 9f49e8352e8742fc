//! How interfaces of hosts get their addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proto_types::generated::pif;
use proto_types::{ApiError, Ref, Value};

use super::pif::{about, assert_managed, assert_no_ha, is_bond_member};
use crate::draft::Draft;
use crate::row::Row;

/// IPv4 settings as `PIF.reconfigure_ip` has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ipv4Settings {
    /// `None`, `DHCP` or `Static`.
    pub mode: String,
    /// The address.
    pub ip: String,
    /// Its netmask.
    pub netmask: String,
    /// The gateway, or empty.
    pub gateway: String,
    /// Name servers, separated by commas.
    pub dns: String,
}

/// IPv6 settings as `PIF.reconfigure_ipv6` has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ipv6Settings {
    /// `None`, `DHCP`, `Static` or `Autoconf`.
    pub mode: String,
    /// The address with the length of its prefix.
    pub ipv6: String,
    /// The gateway, or empty.
    pub gateway: String,
    /// Name servers, separated by commas.
    pub dns: String,
}

fn invalid_ip(parameter: &str) -> ApiError {
    ApiError::new("INVALID_IP_ADDRESS_SPECIFIED", [parameter])
}

/// The number of bits of a netmask such as `255.255.255.0`; `None` for one with holes.
pub fn prefix_of(netmask: &str) -> Option<u8> {
    let mask = u32::from(netmask.parse::<Ipv4Addr>().ok()?);
    let bits = mask.leading_ones();
    (mask.count_ones() == bits).then(|| u8::try_from(bits).unwrap_or(32))
}

fn check_dns(list: &str) -> Result<(), ApiError> {
    let good = list
        .split(',')
        .map(str::trim)
        .filter(|server| !server.is_empty())
        .all(|server| server.parse::<IpAddr>().is_ok());
    if good { Ok(()) } else { Err(invalid_ip("DNS")) }
}

fn check(draft: &Draft<'_>, row: &Row, mode: &str) -> Result<(), ApiError> {
    assert_managed(row)?;
    assert_no_ha(draft.db())?;
    if is_bond_member(row) && mode != "None" {
        return Err(about("CANNOT_PLUG_BOND_SLAVE", row.reference));
    }
    Ok(())
}

/// `PIF.reconfigure_ip`: checks and writes; the host follows. Answers the settings before, for undoing.
///
/// # Errors
/// `HANDLE_INVALID`; `PIF_UNMANAGED [pif]`; `HA_IS_ENABLED`; `CANNOT_PLUG_BOND_SLAVE [pif]` for an address on a member of
/// a bond; `INVALID_IP_ADDRESS_SPECIFIED [parameter]`; `PIF_IS_MANAGEMENT_INTERFACE [pif]` for none at all there.
pub fn reconfigure_ip(
    draft: &mut Draft<'_>,
    reference: Ref,
    new: &Ipv4Settings,
) -> Result<Ipv4Settings, ApiError> {
    let row = draft.read(pif::CLASS, reference)?;
    check(draft, &row, &new.mode)?;
    let four = |text: &str, parameter| {
        text.parse::<Ipv4Addr>()
            .map(|_| ())
            .map_err(|_| invalid_ip(parameter))
    };
    if new.mode == "Static" {
        four(&new.ip, "IP")?;
        prefix_of(&new.netmask).ok_or_else(|| invalid_ip("netmask"))?;
        if !new.gateway.is_empty() {
            four(&new.gateway, "gateway")?;
        }
        check_dns(&new.dns)?;
    }
    if new.mode == "None" && row.get(pif::MANAGEMENT).as_bool() {
        return Err(about("PIF_IS_MANAGEMENT_INTERFACE", reference));
    }
    let text = |field| row.get(field).as_str().to_owned();
    let before = Ipv4Settings {
        mode: text(pif::IP_CONFIGURATION_MODE),
        ip: text(pif::IP),
        netmask: text(pif::NETMASK),
        gateway: text(pif::GATEWAY),
        dns: text(pif::DNS),
    };
    write_ip(draft, reference, new);
    Ok(before)
}

/// Writes IPv4 settings without looking at them.
pub fn write_ip(draft: &mut Draft<'_>, reference: Ref, new: &Ipv4Settings) {
    let is_static = new.mode == "Static";
    let kept = |text: &str| Value::from(if is_static { text } else { "" });
    draft.update(
        reference,
        vec![
            (pif::IP_CONFIGURATION_MODE, new.mode.as_str().into()),
            (pif::IP, kept(&new.ip)),
            (pif::NETMASK, kept(&new.netmask)),
            (pif::GATEWAY, kept(&new.gateway)),
            (pif::DNS, kept(&new.dns)),
        ],
    );
}

/// An IPv6 address with the length of its prefix.
pub fn cidr6(text: &str) -> Option<(Ipv6Addr, u8)> {
    let (ip, prefix) = text.split_once('/')?;
    let prefix: u8 = prefix.parse().ok()?;
    Some((ip.parse().ok()?, prefix)).filter(|_| prefix <= 128)
}

/// `PIF.reconfigure_ipv6`: checks and writes; the host follows.
///
/// # Errors
/// As [`reconfigure_ip`]; `INVALID_CIDR_ADDRESS_SPECIFIED ["IPv6"]`.
pub fn reconfigure_ipv6(
    draft: &mut Draft<'_>,
    reference: Ref,
    new: &Ipv6Settings,
) -> Result<Ipv6Settings, ApiError> {
    let row = draft.read(pif::CLASS, reference)?;
    check(draft, &row, &new.mode)?;
    if new.mode == "Static" {
        cidr6(&new.ipv6).ok_or_else(|| ApiError::new("INVALID_CIDR_ADDRESS_SPECIFIED", ["IPv6"]))?;
        if !new.gateway.is_empty() && new.gateway.parse::<Ipv6Addr>().is_err() {
            return Err(invalid_ip("gateway"));
        }
        check_dns(&new.dns)?;
    }
    let is_primary = row.get(pif::PRIMARY_ADDRESS_TYPE).as_str() == "IPv6";
    if new.mode == "None" && row.get(pif::MANAGEMENT).as_bool() && is_primary {
        return Err(about("PIF_IS_MANAGEMENT_INTERFACE", reference));
    }
    let before = Ipv6Settings {
        mode: row.get(pif::IPV6_CONFIGURATION_MODE).as_str().to_owned(),
        ipv6: row
            .get(pif::IPV6)
            .as_set()
            .first()
            .map_or("", Value::as_str)
            .to_owned(),
        gateway: row.get(pif::IPV6_GATEWAY).as_str().to_owned(),
        dns: row.get(pif::DNS).as_str().to_owned(),
    };
    write_ipv6(draft, reference, new);
    Ok(before)
}

/// Writes IPv6 settings without looking at them.
pub fn write_ipv6(draft: &mut Draft<'_>, reference: Ref, new: &Ipv6Settings) {
    let is_static = new.mode == "Static";
    let addresses: Vec<&str> = if is_static { vec![&new.ipv6] } else { Vec::new() };
    let gateway = if is_static { new.gateway.as_str() } else { "" };
    let mut fields = vec![
        (pif::IPV6_CONFIGURATION_MODE, new.mode.as_str().into()),
        (pif::IPV6, Value::strings(addresses)),
        (pif::IPV6_GATEWAY, gateway.into()),
    ];
    if !new.dns.is_empty() {
        fields.push((pif::DNS, new.dns.as_str().into()));
    }
    draft.update(reference, fields);
}

/// `PIF.set_primary_address_type`.
///
/// # Errors
/// `HANDLE_INVALID`; `PIF_IS_MANAGEMENT_INTERFACE [pif]`; `PIF_HAS_NO_NETWORK_CONFIGURATION [pif]` or
/// `PIF_HAS_NO_V6_NETWORK_CONFIGURATION [pif]` without an address of that family.
pub fn set_primary_address_type(draft: &mut Draft<'_>, reference: Ref, kind: &str) -> Result<(), ApiError> {
    let row = draft.read(pif::CLASS, reference)?;
    if row.get(pif::MANAGEMENT).as_bool() {
        return Err(about("PIF_IS_MANAGEMENT_INTERFACE", reference));
    }
    let (field, code) = if kind == "IPv6" {
        (
            pif::IPV6_CONFIGURATION_MODE,
            "PIF_HAS_NO_V6_NETWORK_CONFIGURATION",
        )
    } else {
        (pif::IP_CONFIGURATION_MODE, "PIF_HAS_NO_NETWORK_CONFIGURATION")
    };
    if row.get(field).as_str() == "None" {
        return Err(about(code, reference));
    }
    draft.set(reference, pif::PRIMARY_ADDRESS_TYPE, kind);
    Ok(())
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_netmask_has_no_holes() {
        assert_eq!(prefix_of("255.255.255.0"), Some(24));
        assert_eq!(prefix_of("0.0.0.0"), Some(0));
        assert_eq!(prefix_of("255.255.255.255"), Some(32));
        assert_eq!(prefix_of("255.0.255.0"), None);
        assert_eq!(prefix_of("24"), None);
    }

    #[test]
    fn a_prefix_fits_its_family() {
        assert!(cidr6("2001:db8::1/64").is_some() && cidr6("2001:db8::1/129").is_none());
        assert!(cidr6("2001:db8::1").is_none() && cidr6("192.0.2.1/24").is_none());
    }
}
