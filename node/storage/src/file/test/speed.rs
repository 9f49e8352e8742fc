//! What must be quick.

use super::*;

#[tokio::test]
async fn scanning_thousands_of_images_takes_no_child_process() {
    let fixture = fixture().await;
    let sr = fixture.plug().await;
    let first = sr
        .create_volume(&NewVolume::empty(Uuid::new_v4(), Bytes::gib(100)), &Job::new())
        .await
        .unwrap();
    let image = std::fs::read(fixture.folder().join(format!("{}.qcow2", first.location))).unwrap();
    for _ in 0..5000 {
        std::fs::write(
            fixture.folder().join(format!("{}.qcow2", Uuid::new_v4())),
            &image[..4096],
        )
        .unwrap();
    }
    let begun = std::time::Instant::now();
    let volumes = sr.scan().await.unwrap().volumes.len();
    let cold = begun.elapsed();
    let again = std::time::Instant::now();
    sr.scan().await.unwrap();
    println!("scan of {volumes} images: {cold:?}, again {:?}", again.elapsed());
    assert_eq!(volumes, 5001);
    assert!(cold < Duration::from_secs(2), "{cold:?}");
}

#[tokio::test]
async fn a_clone_of_a_large_volume_is_quick() {
    let fixture = fixture().await;
    let sr = fixture.plug().await;
    let first = sr
        .create_volume(&NewVolume::empty(Uuid::new_v4(), Bytes::gib(100)), &Job::new())
        .await
        .unwrap();
    contract::scribble(&sr.resolve(&first.location, Access::Write).await.unwrap())
        .await
        .unwrap();
    let mut times = Vec::new();
    for n in 0..5 {
        let begun = std::time::Instant::now();
        let new = if n % 2 == 0 {
            NewVolume::clone_of(Uuid::new_v4(), &first.location)
        } else {
            NewVolume::snapshot_of(Uuid::new_v4(), &first.location)
        };
        sr.create_volume(&new, &Job::new()).await.unwrap();
        times.push(begun.elapsed());
    }
    times.sort();
    println!("clone of a volume of 100 GiB: median {:?} of {times:?}", times[2]);
    assert!(times[2] < Duration::from_millis(300), "{times:?}");
}
