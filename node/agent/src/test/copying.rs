//! One volume written over another.

use node_commands::{HostCommand, HostReply, VolumeFacts, VolumeFill, VolumeRef, VolumeRequest};
use node_hypervisor::Bytes;
use uuid::Uuid;

use super::world::*;

/// A volume with an image's content.
async fn filled(world: &World, host: &Host, content: &[u8]) -> VolumeRef {
    let folder = &host.settings.image_dirs[0];
    std::fs::create_dir_all(folder).unwrap();
    let image = folder.join(format!("{}.img", Uuid::new_v4()));
    std::fs::write(&image, content).unwrap();
    let volume = VolumeRequest {
        sr: world.sr.uuid,
        uuid: Uuid::new_v4(),
        virtual_size: Bytes(content.len() as u64),
        purpose: String::new(),
    };
    let fill = VolumeFill::Image(image);
    let made = host.ask(HostCommand::VolumeCreate { volume, fill }).await;
    VolumeRef::new(world.sr.uuid, &facts(made).location)
}

fn facts(reply: crate::operations::Outcome) -> VolumeFacts {
    match reply {
        Ok(HostReply::Volume(facts)) => facts,
        other => panic!("{other:?}"),
    }
}

async fn sum(host: &Host, volume: &VolumeRef) -> String {
    let volume = volume.clone();
    match host.ask(HostCommand::VolumeChecksum { volume }).await {
        Ok(HostReply::Checksum(sum)) => sum,
        other => panic!("{other:?}"),
    }
}

fn over(source: &VolumeRef, target: &VolumeRef, base: Option<&VolumeRef>) -> HostCommand {
    HostCommand::VolumeCopyInto {
        source: source.clone(),
        target: target.clone(),
        base: base.cloned(),
        job: Uuid::new_v4(),
    }
}

const SIZE: usize = 8 << 20;

#[tokio::test]
async fn a_volume_is_written_over_whole_or_where_it_differs() {
    let world = World::new();
    let a = world.host("a").await;
    let mut content = vec![1; SIZE];
    let base = filled(&world, &a, &content).await;
    content[5 << 20..6 << 20].fill(2);
    let source = filled(&world, &a, &content).await;
    let wanted = sum(&a, &source).await;
    let same = filled(&world, &a, &vec![1; SIZE]).await;
    facts(a.ask(over(&source, &same, Some(&base))).await);
    assert_eq!(sum(&a, &same).await, wanted, "the difference makes it whole");
    let other = filled(&world, &a, &vec![7; SIZE]).await;
    facts(a.ask(over(&source, &other, Some(&source))).await);
    assert_ne!(sum(&a, &other).await, wanted, "nothing differs");
    let written = facts(a.ask(over(&source, &other, None)).await);
    assert_eq!(
        (written.location, sum(&a, &other).await),
        (other.location, wanted)
    );
}

#[tokio::test]
async fn what_a_domain_has_open_is_not_written_over() {
    let world = World::new();
    let a = world.host("a").await;
    let source = filled(&world, &a, &vec![1; SIZE]).await;
    let request = world.vm(&a).await;
    a.start(&request).await.unwrap();
    let held = request.disks[0].volume.clone().unwrap();
    let refused = a.ask(over(&source, &held, None)).await.unwrap_err();
    assert_eq!(refused.kind, node_commands::CommandErrorKind::Busy);
    let small = filled(&world, &a, &vec![1; SIZE / 2]).await;
    let refused = a.ask(over(&source, &small, None)).await.unwrap_err();
    assert_eq!(
        refused.kind,
        node_commands::CommandErrorKind::Storage,
        "too small"
    );
}
