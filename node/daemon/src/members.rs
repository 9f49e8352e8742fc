//! Keeps the group that votes the same as the hosts in the database: who has joined comes in, who has left goes.

use std::time::Duration;

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
        let hosts = hosts(&pool);
        // A state without hosts is none that has been caught up.
        let difference = (!hosts.is_empty())
            .then(|| first_difference(&hosts, &pool.members()))
            .flatten();
        let changed = match difference {
            None => continue,
            Some(Difference::Missing(member)) => pool.add_member(member, CHANGE).await,
            Some(Difference::Stray(node_id)) => pool.remove_member(node_id, CHANGE).await,
        };
        if let Err(error) = changed {
            tracing::info!(%error, "the members have not been brought in line yet");
        }
    }
}

fn hosts(pool: &Pool) -> Vec<Member> {
    let db = pool.snapshot();
    db.rows(tarn_member::CLASS)
        .filter_map(|row| {
            let of = db.of_class(host::CLASS, row.get(tarn_member::HOST).as_ref())?;
            let uuid = Uuid::try_parse(of.uuid()).ok()?;
            let port = u16::try_from(row.get(tarn_member::GRPC_PORT).as_int()).ok()?;
            Some(Member::new(uuid, row.get(tarn_member::ADDRESS).as_str(), port))
        })
        .collect()
}

/// Strays first: a dead member that left must not hold up one that comes.
fn first_difference(hosts: &[Member], members: &[(Member, Standing)]) -> Option<Difference> {
    let stray = members
        .iter()
        .find(|(m, _)| !hosts.iter().any(|h| h.node_id == m.node_id))
        .map(|(m, _)| Difference::Stray(m.node_id));
    stray.or_else(|| {
        hosts
            .iter()
            .find(|h| !members.iter().any(|(m, s)| m == *h && *s == Standing::Voter))
            .map(|h| Difference::Missing(h.clone()))
    })
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
        let found = first_difference(&hosts, &voters(&[&one, &two]));
        assert_eq!(found, Some(Difference::Stray(two.node_id)));
        let found = first_difference(&hosts, &voters(&[&one]));
        assert_eq!(found, Some(Difference::Missing(three.clone())));
        assert_eq!(first_difference(&hosts, &voters(&[&one, &three])), None);
    }

    #[test]
    fn a_learner_and_an_old_address_are_brought_in_line() {
        let hosts = [member(1, "new")];
        let learner = [(member(1, "new"), Standing::Learner)];
        assert_eq!(
            first_difference(&hosts, &learner),
            Some(Difference::Missing(hosts[0].clone()))
        );
        let moved = [(member(1, "old"), Standing::Voter)];
        assert_eq!(
            first_difference(&hosts, &moved),
            Some(Difference::Missing(hosts[0].clone()))
        );
    }
}
