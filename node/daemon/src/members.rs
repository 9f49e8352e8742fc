//! Keeps the group the same as the members in the database: who has joined comes in, who has left goes. Hosts vote, and nodes that
//! only learn do not.

use std::time::Duration;

use pool_domain::Database;
use pool_raft::{Member, Pool, Standing};
use proto_types::generated::{host, tarn_member};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);
/// How long one change is waited for before the next look.
const CHANGE: Duration = Duration::from_secs(20);

/// What differs between the database and the group.
#[derive(Debug, PartialEq, Eq)]
enum Difference {
    /// A host that does not vote yet.
    Missing(Member),
    /// A node that is to learn and does not yet.
    Ignorant(Member),
    /// A member that is no host of the pool any more.
    Stray(u64),
}

/// Runs while this node leads.
pub async fn keep(pool: Pool, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = stop.cancelled() => return,
        }
        let (hosts, learners) = wanted(&pool.snapshot());
        // A state without hosts is none that has been caught up.
        let difference = (!hosts.is_empty())
            .then(|| first_difference(&hosts, &learners, &pool.members()))
            .flatten();
        let changed = match difference {
            None => continue,
            Some(Difference::Missing(member)) => pool.add_member(member, CHANGE).await,
            Some(Difference::Ignorant(member)) => pool.add_learner(member, CHANGE).await,
            Some(Difference::Stray(node_id)) => pool.remove_member(node_id, CHANGE).await,
        };
        if let Err(error) = changed {
            tracing::info!(%error, "the members have not been brought in line yet");
        }
    }
}

/// Hosts, which are to vote, and nodes that are to learn.
fn wanted(db: &Database) -> (Vec<Member>, Vec<Member>) {
    let (mut hosts, mut learners) = (Vec::new(), Vec::new());
    for row in db.rows(tarn_member::CLASS) {
        let of_host = db.of_class(host::CLASS, row.get(tarn_member::HOST).as_ref());
        let learner = row.get(tarn_member::LEARNER).as_str();
        let uuid = Uuid::try_parse(of_host.map_or(learner, |of| of.uuid()));
        let port = u16::try_from(row.get(tarn_member::GRPC_PORT).as_int());
        if let (Ok(uuid), Ok(port)) = (uuid, port) {
            let member = Member::new(uuid, row.get(tarn_member::ADDRESS).as_str(), port);
            if of_host.is_some() {
                hosts.push(member);
            } else {
                learners.push(member);
            }
        }
    }
    (hosts, learners)
}

/// Strays first: a dead member that left must not hold up one that comes.
fn first_difference(
    hosts: &[Member],
    learners: &[Member],
    members: &[(Member, Standing)],
) -> Option<Difference> {
    let is_wanted = |(member, standing): &(Member, Standing)| {
        let is_same = |wanted: &Member| wanted.node_id == member.node_id;
        // A host that has become one that only learns is taken out and in again.
        hosts.iter().any(is_same) || (*standing == Standing::Learner && learners.iter().any(is_same))
    };
    if let Some((stray, _)) = members.iter().find(|member| !is_wanted(member)) {
        return Some(Difference::Stray(stray.node_id));
    }
    let has = |wanted: &Member, votes: bool| {
        members
            .iter()
            .any(|(m, s)| m == wanted && (!votes || *s == Standing::Voter))
    };
    if let Some(host) = hosts.iter().find(|host| !has(host, true)) {
        return Some(Difference::Missing(host.clone()));
    }
    let learner = learners.iter().find(|learner| !has(learner, false));
    learner.map(|learner| Difference::Ignorant(learner.clone()))
}

#[cfg(test)]
mod test {
    use super::*;

    fn member(number: u128, address: &str) -> Member {
        Member::new(Uuid::from_u128(number), address, 1)
    }

    #[test]
    fn who_left_goes_before_who_joined_comes() {
        let (one, two, three) = (member(1, "a"), member(2, "b"), member(3, "c"));
        let voters = |all: &[&Member]| -> Vec<(Member, Standing)> {
            all.iter().map(|m| ((*m).clone(), Standing::Voter)).collect()
        };
        let hosts = [one.clone(), three.clone()];
        let found = first_difference(&hosts, &[], &voters(&[&one, &two]));
        assert_eq!(found, Some(Difference::Stray(two.node_id)));
        let found = first_difference(&hosts, &[], &voters(&[&one]));
        assert_eq!(found, Some(Difference::Missing(three.clone())));
        assert_eq!(first_difference(&hosts, &[], &voters(&[&one, &three])), None);
    }

    #[test]
    fn a_learner_and_an_old_address_are_brought_in_line() {
        let hosts = [member(1, "new")];
        let learner = [(member(1, "new"), Standing::Learner)];
        assert_eq!(
            first_difference(&hosts, &[], &learner),
            Some(Difference::Missing(hosts[0].clone()))
        );
        let moved = [(member(1, "old"), Standing::Voter)];
        assert_eq!(
            first_difference(&hosts, &[], &moved),
            Some(Difference::Missing(hosts[0].clone()))
        );
    }

    #[test]
    fn who_only_learns_never_votes() {
        let (host, far) = (member(1, "a"), member(2, "b"));
        let (hosts, learners) = ([host.clone()], [far.clone()]);
        let first = (host.clone(), Standing::Voter);
        let found = first_difference(&hosts, &learners, std::slice::from_ref(&first));
        assert_eq!(found, Some(Difference::Ignorant(far.clone())));
        let both = |standing| [first.clone(), (far.clone(), standing)];
        assert_eq!(
            first_difference(&hosts, &learners, &both(Standing::Learner)),
            None
        );
        let stray = Some(Difference::Stray(far.node_id));
        assert_eq!(first_difference(&hosts, &learners, &both(Standing::Voter)), stray);
        assert_eq!(first_difference(&hosts, &[], &both(Standing::Learner)), stray);
    }
}
