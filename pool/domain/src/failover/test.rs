//! A plan that is said to exist can be carried out, and nothing is promised twice.

use proptest::prelude::*;

use super::*;

fn board() -> impl Strategy<Value = Board> {
    (1usize..6).prop_flat_map(|hosts| {
        let guest = (
            1u64..50,
            prop::option::of(0..hosts),
            prop::option::of(prop::collection::vec(0..hosts, 0..hosts)),
        )
            .prop_map(|(needs, on, only)| Guest {
                needs,
                on,
                fits: only.map_or(Fits::Everywhere, Fits::Only),
            });
        (
            prop::collection::vec(0u64..200, hosts),
            prop::collection::vec(guest, 0..12),
        )
            .prop_map(|(free, guests)| Board { free, guests })
    })
}

proptest! {
    #[test]
    fn no_host_is_promised_more_than_it_has(board in board(), gone in prop::collection::vec(0usize..6, 0..4)) {
        let all: Vec<usize> = (0..board.guests.len()).collect();
        let plan = board.plan(&gone, &all);
        prop_assert_eq!(plan.len(), all.len());
        let mut left = board.free.clone();
        for (guest, place) in board.guests.iter().zip(&plan) {
            if let Some(place) = place {
                prop_assert!(!gone.contains(place) && guest.fits.has(*place));
                prop_assert!(left[*place] >= guest.needs);
                left[*place] -= guest.needs;
            }
        }
    }

    #[test]
    fn a_guest_stays_out_only_where_it_has_no_room_left(board in board()) {
        let all: Vec<usize> = (0..board.guests.len()).collect();
        let plan = board.plan(&[], &all);
        let mut left = board.free.clone();
        for (guest, place) in board.guests.iter().zip(&plan) {
            if let Some(place) = place {
                left[*place] -= guest.needs;
            }
        }
        for (guest, place) in board.guests.iter().zip(&plan) {
            if place.is_none() {
                prop_assert!((0..left.len()).all(|h| !guest.fits.has(h) || left[h] < guest.needs));
            }
        }
    }

    #[test]
    fn what_is_borne_is_borne_for_each_set_of_hosts(board in board(), failures in 0usize..5) {
        if failures < board.free.len() && board.bears(failures) {
            let hosts = board.free.len();
            for bits in 0u32..1 << hosts {
                let failed: Vec<usize> = (0..hosts).filter(|h| bits & (1 << h) != 0).collect();
                if failed.len() == failures {
                    prop_assert!(board.survives(&failed));
                }
            }
        }
    }

    #[test]
    fn the_worst_case_is_no_better_than_any_case(board in board(), failures in 0usize..4) {
        let placed = board.guests.iter().all(|g| g.fits == Fits::Everywhere);
        if placed && failures < board.free.len() && board.bears_the_worst(failures) {
            prop_assert!(board.bears(failures));
        }
    }
}

#[test]
fn three_hosts_bear_the_failure_of_one_if_the_others_have_room() {
    let guest = |on, needs| Guest {
        needs,
        on: Some(on),
        fits: Fits::Everywhere,
    };
    let mut board = Board {
        free: vec![10, 10, 10],
        guests: vec![guest(0, 8), guest(0, 8), guest(1, 4)],
    };
    assert_eq!(board.most(2), Some(1));
    assert_eq!(board.plan(&[0], &[0, 1]), [Some(1), Some(2)]);
    board.guests.push(guest(0, 8));
    assert_eq!(board.most(2), Some(0));
    board.guests.push(Guest {
        needs: 11,
        on: None,
        fits: Fits::Everywhere,
    });
    assert_eq!(board.most(2), None);
}

#[test]
fn a_guest_that_only_one_host_sees_does_not_bear_its_loss() {
    let board = Board {
        free: vec![100, 100, 100],
        guests: vec![Guest {
            needs: 1,
            on: Some(2),
            fits: Fits::Only(vec![2]),
        }],
    };
    assert_eq!(board.most(1), Some(0));
}

#[test]
fn each_set_comes_once() {
    let mut set = vec![0, 1];
    let mut all = vec![set.clone()];
    while next_set(&mut set, 5) {
        all.push(set.clone());
    }
    assert_eq!(all.len(), sets(5, 2).unwrap());
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 10);
    assert!(!next_set(&mut [], 5));
}

#[test]
fn a_large_pool_is_judged_without_going_through_every_set() {
    let board = Board {
        free: vec![1000; 64],
        guests: (0..5000)
            .map(|n| Guest {
                needs: 5,
                on: Some(n % 64),
                fits: Fits::Everywhere,
            })
            .collect(),
    };
    assert!(board.bears(1) && board.bears(31));
    assert!(!board.bears(60));
}
