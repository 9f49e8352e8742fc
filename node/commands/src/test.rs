//! What crosses the wire reads back, and reads tolerantly.

use node_hypervisor::StartMode;
use proto_types::Bytes;
use uuid::Uuid;

use super::*;

#[test]
fn a_request_reads_back_as_written() {
    let mut request = DomainRequest::new(Uuid::from_u128(1), Uuid::from_u128(2), "a", Bytes::mib(128));
    request.disks.push(DiskRequest::disk(
        0,
        VolumeRef::new(Uuid::from_u128(3), "four.qcow2"),
    ));
    request.nics.push(NicRequest {
        device: 0,
        mac: "02:00:00:00:00:01".into(),
        bridge: BridgeRequest::over("xapi0", "eth0"),
        mtu: None,
        model: Default::default(),
        policy: Default::default(),
    });
    let command = HostCommand::StartDomain {
        request: Box::new(request),
        mode: StartMode::Running,
    };
    let text = serde_json::to_string(&command).unwrap();
    assert_eq!(serde_json::from_str::<HostCommand>(&text).unwrap(), command);
}

#[test]
fn fields_of_a_later_release_are_skipped_and_missing_ones_take_defaults() {
    let text = r#"{"EnsureBridge":{"bridge":{"name":"xapi0","colour":"blue"}}}"#;
    let read: HostCommand = serde_json::from_str(text).unwrap();
    assert_eq!(
        read,
        HostCommand::EnsureBridge {
            bridge: Box::new(BridgeRequest::internal("xapi0"))
        }
    );
}

#[test]
fn an_error_of_a_later_release_is_unknown_and_not_unreadable() {
    let text = r#"{"kind":"ComputerOnFire","text":"hot"}"#;
    let read: CommandError = serde_json::from_str(text).unwrap();
    assert_eq!(read.kind, CommandErrorKind::Unknown);
    assert!(!read.retryable);
}

#[test]
fn passwords_of_a_repository_are_not_shown() {
    let spec = SrSpec {
        uuid: Uuid::nil(),
        kind: "iscsi".into(),
        device_config: [("chappassword".to_owned(), "geheim".to_owned())].into(),
        sm_config: Default::default(),
        physical_size: Bytes(0),
    };
    assert!(!format!("{spec:?}").contains("geheim"));
}
