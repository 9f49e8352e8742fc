//! Who is not of the pool, or speaks for another, is not listened to.

use pool_raft::Member;
use proto_wire::ca::{Authority, fingerprint, make_key};
use proto_wire::channel::{Credentials, Identity, Lane, Peers, Pinned};
use proto_wire::raft::raft_client::RaftClient;
use proto_wire::raft::{AppendRequest, VoteRequest};
use proto_wire::stored::{LogId, Vote};
use tonic::Code;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::trio::Trio;

/// A ballot with a term that no honest node has reached.
fn ballot(candidate: Uuid) -> VoteRequest {
    let vote = Vote {
        term: 1_000_000,
        node_id: Member::new(candidate, "", 0).node_id,
        committed: false,
    };
    VoteRequest {
        vote: Some(vote),
        last: Some(LogId {
            term: 1_000_000,
            index: 1,
        }),
        leadership_transfer: true,
    }
}

/// The handshake failed, so that nothing was said at all.
fn nothing_heard(code: Code) {
    assert!(
        matches!(
            code,
            Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal
        ),
        "{code:?}"
    );
}

async fn answer(channel: Channel, ballot: VoteRequest) -> Code {
    RaftClient::new(channel)
        .vote(ballot)
        .await
        .expect_err("a stranger is refused")
        .code()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_and_impostors_change_nothing() {
    let trio = Trio::start().await;
    let leader = trio.leader(None).await;
    let term = trio.pool(leader).leadership().borrow().term;
    let target = trio.members[leader].clone();

    // A certificate of another pool: the handshake fails.
    let foreign = Authority::create(Uuid::new_v4()).unwrap();
    let host = Uuid::new_v4();
    let key_pem = make_key().unwrap();
    let certificate_pem = foreign.issue_for_key(&key_pem, host, &[]).unwrap();
    let trust_pem = trio.ca.certificate_pem().to_owned();
    let credentials = Credentials::new(&Identity {
        host,
        certificate_pem,
        key_pem,
        trust_pem,
    })
    .unwrap();
    let channel = Peers::new(credentials).channel(target.host, &target.address, target.port, Lane::Raft);
    nothing_heard(answer(channel, ballot(host)).await);

    // No certificate: connected, since it might want to join, but not heard on consensus.
    let print = fingerprint(trio.ca.certificate_pem()).unwrap();
    let channel = Pinned::channel(&target.address, target.port, &print).unwrap();
    assert_eq!(answer(channel, ballot(host)).await, Code::Unauthenticated);

    // The fingerprint of another authority: the joining host turns away.
    let print = fingerprint(foreign.certificate_pem()).unwrap();
    let channel = Pinned::channel(&target.address, target.port, &print).unwrap();
    nothing_heard(answer(channel, ballot(host)).await);

    // A member that stands for another.
    let credentials = Credentials::new(&trio.identities[(leader + 1) % 3]).unwrap();
    let peers = Peers::new(credentials);
    let channel = peers.channel(target.host, &target.address, target.port, Lane::Raft);
    assert_eq!(
        answer(channel, ballot(trio.members[(leader + 2) % 3].host)).await,
        Code::PermissionDenied
    );

    // A name that the certificate at the other end does not bear.
    let other = trio.members[(leader + 2) % 3].host;
    let channel = peers.channel(other, &target.address, target.port, Lane::Raft);
    let own = trio.members[(leader + 1) % 3].host;
    nothing_heard(answer(channel, ballot(own)).await);

    assert_eq!(trio.pool(leader).leadership().borrow().term, term);
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_on_the_port_disturbs_nobody() {
    use tokio::io::AsyncWriteExt;
    let trio = Trio::start().await;
    let leader = trio.leader(None).await;
    let term = trio.pool(leader).leadership().borrow().term;
    let mut open = Vec::new();
    for number in 0..200u8 {
        let port = trio.members[usize::from(number) % 3].port;
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(&[number; 300]).await.unwrap();
        open.push(stream);
    }
    for number in 1..200 {
        crate::trio::write(&trio.pool(leader), crate::trio::make(number)).await;
    }
    assert_eq!(trio.pool(leader).leadership().borrow().term, term);
    trio.agree().await;
    trio.stop().await;
}

/// Without a majority there is no leader. Nobody who speaks for another can make a node believe that it still hears one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_impostor_is_not_taken_for_a_sign_of_life() {
    let mut trio = Trio::start().await;
    let leader = trio.leader(None).await;
    let (alone, other) = ((leader + 1) % 3, (leader + 2) % 3);
    let target = trio.members[alone].clone();
    trio.agree().await;
    trio.kill(other).await;
    trio.kill(leader).await;
    // A member speaks, again and again, in the name of another one.
    let peers = Peers::new(Credentials::new(&trio.identities[other]).unwrap());
    let posing = AppendRequest {
        vote: Some(Vote {
            term: 1,
            node_id: trio.members[leader].node_id,
            committed: true,
        }),
        ..AppendRequest::default()
    };
    let speaking = tokio::spawn(async move {
        let channel = peers.channel(target.host, &target.address, target.port, Lane::Raft);
        loop {
            let items = futures::stream::iter([posing.clone()]);
            if let Ok(replies) = RaftClient::new(channel.clone()).stream_append(items).await {
                let mut replies = replies.into_inner();
                while let Ok(Some(_)) = replies.message().await {}
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    });
    let pool = trio.pool(alone);
    crate::trio::wait_for("the loss of the leader to be seen", || {
        pool.leadership().borrow().leader.is_none().then_some(())
    })
    .await;
    speaking.abort();
    drop(pool);
    trio.stop().await;
}
