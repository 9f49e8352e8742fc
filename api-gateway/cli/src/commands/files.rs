//! Commands whose arguments are the content of files on this side.

use std::io::Read;
use std::path::Path;

use proto_types::Value;

use super::Table;
use crate::context::Context;
use crate::failure::Failure;
use crate::select::{self, Also, Several, What};
use crate::simple::this_host;

/// The commands.
pub const TABLE: Table = &[
    ("host-call-plugin", |cx| {
        plugin(cx, "host", "host-uuid", "host.call_plugin")
    }),
    ("vm-call-plugin", |cx| {
        plugin(cx, "VM", "vm-uuid", "VM.call_plugin")
    }),
    ("vm-call-host-plugin", |cx| {
        plugin(cx, "VM", "vm-uuid", "VM.call_host_plugin")
    }),
    ("host-license-add", license),
    ("host-server-certificate-install", server_certificate),
    ("pool-certificate-install", |cx| {
        named_file(cx, "pool.install_ca_certificate", "certificate")
    }),
    ("pool-install-ca-certificate", |cx| {
        named_file(cx, "pool.install_ca_certificate", "certificate")
    }),
    ("pool-crl-install", |cx| named_file(cx, "pool.crl_install", "CRL")),
    ("pool-install-trusted-certificate", trusted_certificate),
    ("repository-introduce-remote-pool", remote_pool),
    ("vm-sysprep", sysprep),
];

/// No such file may be longer.
const LONGEST: u64 = 32 << 20;

/// The content of a file.
fn content(cx: &mut Context<'_>, what: &str, path: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
    match read {
        Ok(_) => Ok(text),
        Err(_) => {
            cx.out.complain(&format!("Failed to read {what}"));
            Err(Failure::Exit(1))
        }
    }
}

fn plugin(cx: &mut Context<'_>, class: &str, parameter: &str, message: &str) -> Result<(), Failure> {
    let object = cx.named(class, parameter)?;
    let mut args = cx.params.map("args");
    for (key, value) in &mut args {
        if let Some(name) = key.strip_suffix(":file") {
            *value = content(cx, &format!("file {value}"), value)?;
            *key = name.to_owned();
        }
    }
    let args = [
        Value::str(object),
        Value::str(cx.params.required("plugin")?),
        Value::str(cx.params.required("fn")?),
        Value::string_map(args.iter().map(|(k, v)| (k.as_str(), v.as_str()))),
    ];
    let said = cx.client.text(message, &args)?;
    cx.out.value(&said);
    Ok(())
}

fn license(cx: &mut Context<'_>) -> Result<(), Failure> {
    let host = match cx.named_if_given("host", "host-uuid")? {
        Some(host) => Value::str(host),
        None => this_host(cx)?,
    };
    let path = cx.params.required("license-file")?;
    let text = content(cx, "license file.", path)?;
    let encoded = Value::str(base64(text.as_bytes()));
    match cx.client.call("host.license_add", &[host, encoded]) {
        Ok(_) => {
            cx.out.line("License applied.");
            Ok(())
        }
        Err(Failure::Api(_)) => {
            cx.out.complain("Failed to apply license file.");
            Err(Failure::Exit(1))
        }
        Err(other) => Err(other),
    }
}

/// Base 64 with padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let all = at(0) << 16 | at(1) << 8 | at(2);
        for position in 0..4 {
            let letter = (all >> (18 - 6 * position)) & 63;
            let letter = LETTERS.get(letter as usize).copied().unwrap_or(b'=');
            out.push(char::from(if position <= group.len() { letter } else { b'=' }));
        }
    }
    out
}

fn server_certificate(cx: &mut Context<'_>) -> Result<(), Failure> {
    let certificate = cx.params.required("certificate")?;
    let certificate = content(cx, "certificate", certificate)?;
    let key = cx.params.required("private-key")?;
    let key = content(cx, "private key", key)?;
    let chain = match cx.params.get("certificate-chain") {
        Some(path) => content(cx, "certificate chain", path)?,
        None => String::new(),
    };
    let own = ["certificate", "private-key", "certificate-chain"];
    select::each(cx, What::Hosts, Several::Never, &own, |cx, host| {
        let args = [
            Value::str(&host.reference),
            Value::str(&certificate),
            Value::str(&key),
            Value::str(&chain),
        ];
        cx.client.call("host.install_server_certificate", &args)
    })?;
    Ok(())
}

/// Hands a file over under its own name.
fn named_file(cx: &mut Context<'_>, message: &str, what: &str) -> Result<(), Failure> {
    let path = cx.params.required("filename")?;
    let text = content(cx, what, path)?;
    let name = Path::new(path)
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    cx.client
        .call(message, &[Value::str(name), Value::str(text)])
        .map(|_| ())
}

fn trusted_certificate(cx: &mut Context<'_>) -> Result<(), Failure> {
    let path = cx.params.required("filename")?;
    let text = content(cx, "certificate", path)?;
    let pool = match cx.named_if_given("pool", "uuid")? {
        Some(pool) => pool,
        None => cx.client.pool()?,
    };
    let args = [
        Value::str(pool),
        Value::Bool(cx.params.truth("ca")?),
        Value::str(text),
        Value::strings(cx.params.list("purpose")),
    ];
    cx.client
        .call("pool.install_trusted_certificate", &args)
        .map(|_| ())
}

fn remote_pool(cx: &mut Context<'_>) -> Result<(), Failure> {
    let path = cx.params.required("certificate-file")?;
    let text = content(cx, "certificate", path)?;
    let args = [
        Value::str(cx.params.required("name-label")?),
        Value::str(cx.params.get("name-description").unwrap_or_default()),
        Value::str(cx.params.required("binary-url")?),
        Value::str(text),
    ];
    let repository = cx.client.text("Repository.introduce_remote_pool", &args)?;
    cx.print_uuid("Repository", &repository)
}

/// How long a guest may take to begin, in seconds, when nobody says.
const SYSPREP: f64 = 180.0;

fn sysprep(cx: &mut Context<'_>) -> Result<(), Failure> {
    let path = cx.params.required("filename")?;
    let text = content(cx, "file.", path)?;
    let timeout = cx
        .params
        .get("timeout")
        .and_then(|text| text.parse::<f64>().ok())
        .unwrap_or(SYSPREP)
        .max(0.0);
    select::each(
        cx,
        What::Vms(Also::Nothing),
        Several::IfTold,
        &["filename", "timeout"],
        |cx, vm| {
            let args = [
                Value::str(&vm.reference),
                Value::str(&text),
                Value::Float(timeout),
            ];
            cx.client.call("VM.sysprep", &args)
        },
    )?;
    Ok(())
}

#[cfg(test)]
mod test {
    use super::super::vms::with_defaults;
    use super::*;

    #[test]
    fn base64_is_padded() {
        assert_eq!(base64(b""), "");
        assert_eq!(base64(b"f"), "Zg==");
        assert_eq!(base64(b"fo"), "Zm8=");
        assert_eq!(base64(b"foobar"), "Zm9vYmFy");
    }

    #[test]
    fn records_to_create_hold_every_field_that_may_be_given() {
        let Value::Record(members) = with_defaults("VBD", vec![("userdevice", Value::str("3"))]) else {
            panic!("no record");
        };
        let find = |name: &str| members.iter().find(|(n, _)| &**n == name).map(|(_, v)| v.clone());
        assert_eq!(find("userdevice"), Some(Value::str("3")));
        assert!(find("qos_algorithm_params").is_some() && find("uuid").is_none());
    }
}
