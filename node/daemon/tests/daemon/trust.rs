//! A host that was sent away has a certificate of the pool's still: it counts for nothing.

use std::fs;

use proto_wire::channel::{Credentials, Identity, Lane, Peers};
use proto_wire::pool::pool_client::PoolClient;
use proto_wire::pool::{BackupRequest, CreateTokenRequest, HistoryRequest};
use tonic::Code;
use uuid::Uuid;

use crate::bed::{Bed, Host, SOON, wait_for};

fn identity(host: &Host) -> Identity {
    let read = |name: &str| fs::read_to_string(host.state().join(name)).unwrap();
    Identity {
        host: Uuid::try_parse(read("host-uuid").trim()).unwrap(),
        certificate_pem: read("host-cert.pem"),
        key_pem: read("host-key.pem"),
        trust_pem: read("pool-ca.pem"),
    }
}

/// A client of one host's node, with the identity of another.
fn node(host: &Host, of: &Identity) -> PoolClient<tonic::transport::Channel> {
    let settings = fs::read_to_string(host.settings()).unwrap();
    let line = settings.lines().find_map(|l| l.strip_prefix("grpc = ")).unwrap();
    let (address, port) = line.trim_matches('"').rsplit_once(':').unwrap();
    let peers = Peers::new(Credentials::new(of).unwrap());
    let to = identity(host).host;
    PoolClient::new(peers.channel(to, address, port.parse().unwrap(), Lane::Agent))
}

#[test]
fn the_certificate_of_a_host_that_was_sent_away_is_refused_by_name() {
    let bed = Bed::up(3, "");
    let leader = bed.leader();
    let away = (leader + 1) % 3;
    let kept = identity(&bed.hosts[away]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let token = |of: &Identity| {
        runtime.block_on(async {
            let request = CreateTokenRequest { seconds: 60 };
            node(&bed.hosts[leader], of).create_token(request).await
        })
    };
    assert!(token(&kept).is_ok(), "a member may ask for one");

    let client = bed.hosts[leader].local();
    let host = client.text("host.get_by_uuid", &[&kept.host.to_string()]);
    client.ok("pool.eject", &[&host]);
    let refused = wait_for("the refusal", SOON, || token(&kept).err());
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused:?}");
    assert!(
        refused.message().contains("belongs to this pool no more"),
        "{refused:?}"
    );
    runtime.block_on(async {
        let mut node = node(&bed.hosts[leader], &kept);
        let backup = node.backup(BackupRequest::default()).await.map(drop);
        let own = node.backup(BackupRequest { at: 0, own: true }).await.map(drop);
        let history = node.history(HistoryRequest::default()).await.map(drop);
        for answer in [backup, own, history] {
            assert_eq!(answer.unwrap_err().code(), Code::PermissionDenied);
        }
    });
    // Those that stay are believed.
    let stays = identity(&bed.hosts[(leader + 2) % 3]);
    assert!(token(&stays).is_ok());
}
