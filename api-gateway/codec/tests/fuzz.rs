//! A bounded fuzz run: mutated messages from a fixed seed never make the decoders panic, whatever they answer.

use gateway_codec::{Limits, jsonrpc, typed, xmlrpc};
use proto_types::schema::Type;

/// Messages that are mutated.
const SEEDS: &[&str] = &[
    "<?xml version='1.0'?><methodCall><methodName>VM.set_name_label</methodName><params><param><value><string>OpaqueRef:1</string>\
     </value></param><param><value>text &amp; &#x41; <![CDATA[x]]></value></param></params></methodCall>",
    "<methodCall><methodName>network.create</methodName><params><param><value><struct><member><name>name_label</name><value>n\
     </value></member><member><name>other_config</name><value><struct/></value></member><member><name>MTU</name><value><int>1500\
     </int></value></member></struct></value></param></params></methodCall>",
    "<methodCall><methodName>event.from</methodName><params><param><value><array><data><value>*</value></data></array></value>\
     </param><param><value><double>60.1</double></value></param><param><value><boolean>1</boolean></value></param><param><value>\
     <dateTime.iso8601>20250319T04:16:24Z</dateTime.iso8601></value></param></params></methodCall>",
    "<methodResponse><params><param><value><struct><member><name>Status</name><value>Failure</value></member><member><name>\
     ErrorDescription</name><value><array><data><value>X</value></data></array></value></member></struct></value></param></params>\
     </methodResponse>",
    "<value><array><data><value>OpaqueRef:NULL</value></data></array></value>",
    "{\"jsonrpc\":\"2.0\",\"method\":\"VM.get_record\",\"params\":[\"s\",{\"a\":[1,2.5,null,true]},\"\\u0041\"],\"id\":1}",
];

/// Pieces that are put into them.
const PIECES: &[&str] = &[
    "<value>",
    "</value>",
    "<value/>",
    "<!DOCTYPE x>",
    "<!ENTITY",
    "&lt;",
    "&#0;",
    "&#xFFFFFFFFF;",
    "&",
    ";",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<?",
    "?>",
    "\0",
    "\u{fffe}",
    "<struct>",
    "<i4>",
    "99999999999999999999",
    "1e999",
    "OpaqueRef:",
    "nan",
    "[",
    "{",
    "\"",
    "\\u",
    "\\ud800",
    "<",
    ">",
    "/",
    "'",
    "=",
];

/// xorshift64*, so that the run is the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let wide = u128::from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)) * bound as u128;
        usize::try_from(wide >> 64).expect("below the bound")
    }
}

fn mutate(random: &mut Random, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(40)).min(bytes.len());
        match random.below(8) {
            0 if random.below(4) == 0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let piece = PIECES[random.below(PIECES.len())].bytes();
                drop(bytes.splice(at..at, piece));
            }
            3 | 6 | 7 if at < bytes.len() => bytes[at] = u8::try_from(random.below(256)).expect("below 256"),
            4 => {
                let copy = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, copy));
            }
            _ => {
                let other = SEEDS[random.below(SEEDS.len())].as_bytes();
                let from = random.below(other.len());
                let to = (from + random.below(60)).min(other.len());
                drop(bytes.splice(at..end, other[from..to].iter().copied()));
            }
        }
    }
    bytes
}

#[test]
fn mutated_messages_never_panic() {
    let mut random = Random(0x7461_726e);
    let types = [
        Type::String,
        Type::Int,
        Type::Float,
        Type::Bool,
        Type::DateTime,
        Type::Ref("VM"),
        Type::Set(&Type::String),
        Type::Map(&Type::Int, &Type::String),
        Type::Record("network"),
        Type::Record("VM"),
        Type::Option(&Type::Int),
    ];
    let mut accepted = 0_u32;
    for _ in 0..25_000 {
        let seed = SEEDS[random.below(SEEDS.len())].as_bytes().to_vec();
        let bytes = mutate(&mut random, seed);
        let calls = [
            xmlrpc::decode_call(&bytes, &Limits::CALL).ok(),
            jsonrpc::decode_call(&bytes, &Limits::CALL)
                .ok()
                .map(|(call, _)| call),
        ];
        for call in calls.into_iter().flatten() {
            accepted += 1;
            for param in &call.params {
                for ty in &types {
                    let _ = typed::decode(param, ty);
                }
                // What was read can be written and read again.
                let again = xmlrpc::task_result(&typed::untyped(param));
                assert!(
                    xmlrpc::decode_value(again.as_bytes(), &Limits::RESPONSE).is_ok(),
                    "{again}"
                );
            }
        }
        let _ = xmlrpc::decode_response(&bytes, &Limits::CALL);
        let _ = xmlrpc::decode_value(&bytes, &Limits::CALL);
        let _ = jsonrpc::decode_response(&bytes, &Limits::CALL);
    }
    assert!(
        accepted > 500,
        "the mutations are too wild to test anything: {accepted}"
    );
}
