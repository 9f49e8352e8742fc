//! Against a real server (tgt), where it is installed.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::*;
use crate::contract;

const IQN: &str = "iqn.2026-11.org.tarn:disks";

/// A server of its own for a test, with two disks.
struct Server {
    dir: tempfile::TempDir,
    port: u16,
    control: String,
    daemon: Child,
}

impl Server {
    fn start() -> Option<Server> {
        for program in ["tgtd", "tgtadm", "iscsi-ls"] {
            if Command::new(program)
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_err()
            {
                println!("skipped: {program} is not installed");
                return None;
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        // It listens on a socket named by this number.
        let control = (u32::from(port) % 30_000 + 100).to_string();
        let daemon = serve(port, &control)?;
        let server = Server {
            dir,
            port,
            control,
            daemon,
        };
        server.fill();
        Some(server)
    }

    fn admin(&self, args: &[&str]) -> bool {
        Command::new("tgtadm")
            .args(["--control-port", &self.control, "--lld", "iscsi"])
            .args(args)
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    fn fill(&self) {
        let until = Instant::now() + Duration::from_secs(10);
        let target = ["--op", "new", "--mode", "target", "--tid", "1", "-T", IQN];
        while !self.admin(&target) {
            assert!(Instant::now() < until, "tgtd does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        for lun in ["1", "2"] {
            let file = self.dir.path().join(format!("lun{lun}"));
            std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(&file)
                .unwrap()
                .set_len(8 << 20)
                .unwrap();
            let file = file.display().to_string();
            let unit = [
                "--op",
                "new",
                "--mode",
                "logicalunit",
                "--tid",
                "1",
                "--lun",
                lun,
                "-b",
                &file,
            ];
            assert!(self.admin(&unit));
        }
        assert!(self.admin(&["--op", "bind", "--mode", "target", "--tid", "1", "-I", "ALL"]));
    }

    fn config(&self) -> DeviceConfig {
        [
            ("target", "127.0.0.1".to_owned()),
            ("targetIQN", IQN.to_owned()),
            ("port", self.port.to_string()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
    }

    fn kill(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }

    fn again(&mut self) {
        self.daemon = serve(self.port, &self.control).unwrap();
        self.fill();
    }
}

fn serve(port: u16, control: &str) -> Option<Child> {
    let portal = format!("portal=127.0.0.1:{port}");
    let daemon = Command::new("tgtd")
        .args(["-f", "--iscsi", &portal, "--control-port", control])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match daemon {
        Ok(daemon) => Some(daemon),
        Err(error) => {
            println!("skipped: tgtd cannot be run: {error}");
            None
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

#[tokio::test]
async fn the_disks_of_a_target_are_found_read_and_written_and_outlive_their_server() {
    let Some(mut server) = Server::start() else { return };
    let driver = IscsiDriver::new(ImageTool::default());
    let sr = Uuid::new_v4();
    let config = server.config();
    let request = CreateSr {
        sr,
        config: config.clone(),
        physical_size: Bytes(0),
    };
    driver.create(&request).await.unwrap();

    // A probe without the target's name tells the names.
    let mut asked = config.clone();
    asked.0.remove("targetIQN");
    let api = driver.probe(&asked).await.unwrap_err().to_api();
    assert_eq!(api.code, "SR_BACKEND_FAILURE_96");
    assert!(
        api.params[2].contains(&format!("<TargetIQN>{IQN}</TargetIQN>")),
        "{}",
        api.params[2]
    );

    let plugged = driver.plug(sr, &config).await.unwrap();
    let scan = plugged.scan().await.unwrap();
    let found: Vec<_> = scan
        .volumes
        .iter()
        .map(|v| (v.location.as_str(), v.virtual_size))
        .collect();
    assert_eq!(found, [("1", Bytes::mib(8)), ("2", Bytes::mib(8))]);
    assert_eq!(scan.volumes, plugged.scan().await.unwrap().volumes, "uuids stay");
    let source = plugged.resolve("1", Access::Write).await.unwrap();
    contract::scribble(&source).await.unwrap();
    let bytes = contract::read(&ImageTool::default(), &source, server.dir.path())
        .await
        .unwrap();
    assert!(bytes[64 * 1024..128 * 1024].iter().all(|b| *b == 171));
    for evil in ["", "0", "01", "9", "../x"] {
        let error = plugged.resolve(evil, Access::Read).await.unwrap_err();
        assert_eq!(error.backend_code(), 46, "{evil:?}");
    }
    let new = NewVolume::empty(Uuid::new_v4(), Bytes::mib(1));
    assert_eq!(
        plugged
            .create_volume(&new, &Job::new())
            .await
            .unwrap_err()
            .backend_code(),
        38
    );

    // The server dies: calls fail soon, and go on by themselves when it is back.
    server.kill();
    let began = Instant::now();
    assert_eq!(plugged.scan().await.unwrap_err().backend_code(), 40);
    assert_eq!(driver.plug(sr, &config).await.err().unwrap().backend_code(), 83);
    assert!(began.elapsed() < Duration::from_secs(50));
    server.again();
    assert_eq!(plugged.scan().await.unwrap().volumes, scan.volumes);
    let bytes = contract::read(&ImageTool::default(), &source, server.dir.path())
        .await
        .unwrap();
    assert!(bytes[64 * 1024..128 * 1024].iter().all(|b| *b == 171));
    let mut wrong = config;
    wrong
        .0
        .insert("targetIQN".to_owned(), "iqn.2026-11.org.tarn:none".to_owned());
    assert_eq!(driver.plug(sr, &wrong).await.err().unwrap().backend_code(), 47);
}

#[tokio::test]
async fn a_target_that_asks_for_a_password_is_used_with_it_and_not_without() {
    let Some(server) = Server::start() else { return };
    let account = ["--mode", "account", "--user", "joe"];
    let new = [
        &["--op", "new"][..],
        &account,
        &["--password", "tarn-s3cret-word"],
    ]
    .concat();
    assert!(server.admin(&new));
    assert!(server.admin(&[&["--op", "bind"][..], &account, &["--tid", "1"]].concat()));
    let driver = IscsiDriver::new(ImageTool::default());
    let config = |password: Option<&str>| {
        let mut config = server.config();
        for (key, value) in [("chapuser", password.map(|_| "joe")), ("chappassword", password)] {
            config
                .0
                .extend(value.map(|value| (key.to_owned(), value.to_owned())));
        }
        config
    };
    let sr = Uuid::new_v4();
    let wrong = driver.plug(sr, &config(Some("tarn-wr0ng-word"))).await;
    let wrong = wrong.err().unwrap();
    assert_eq!(wrong.backend_code(), 68, "{}", wrong.chain());
    let without = driver.plug(sr, &config(None)).await.unwrap();
    assert_eq!(without.scan().await.unwrap_err().backend_code(), 40);

    let plugged = driver.plug(sr, &config(Some("tarn-s3cret-word"))).await.unwrap();
    assert_eq!(plugged.scan().await.unwrap().volumes.len(), 2);
    let source = plugged.resolve("1", Access::Write).await.unwrap();
    contract::scribble(&source).await.unwrap();
    let bytes = contract::read(&ImageTool::default(), &source, server.dir.path()).await;
    assert!(bytes.unwrap()[64 * 1024..128 * 1024].iter().all(|b| *b == 171));
}

#[test]
fn a_server_s_list_is_read() {
    let text = "Target:iqn.a:x Portal:10.0.0.1:3260,1\nLun:0    Type:STORAGE_ARRAY_CONTROLLER\n\
        Lun:1    Type:DIRECT_ACCESS (Size:63M)\nTarget:iqn.a:x Portal:10.0.0.2:3260,1\n\
        Lun:1    Type:DIRECT_ACCESS (Size:63M)\nTarget:iqn.b:y Portal:10.0.0.1:3260,1\n";
    assert_eq!(
        listed(text),
        [("iqn.a:x".to_owned(), vec![1]), ("iqn.b:y".to_owned(), vec![])]
    );
    assert_eq!(listed("garbage\nLun:7 Type:DIRECT_ACCESS"), []);
}

#[test]
fn what_is_no_target_is_refused() {
    let config = |pairs: &[(&str, &str)]| -> DeviceConfig {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    };
    for (pairs, code) in [
        (&[][..], 95),
        (&[("target", "-x")][..], 1),
        (&[("target", "h")][..], 96),
        (&[("target", "h"), ("targetIQN", "a/b")][..], 1),
        (&[("target", "h"), ("targetIQN", "iqn.x"), ("port", "x")][..], 1),
        (
            &[("target", "h"), ("targetIQN", "iqn.x"), ("chapuser", "u")][..],
            1,
        ),
        (
            &[("target", "h"), ("targetIQN", "iqn.x"), ("chappassword", "p")][..],
            1,
        ),
    ] {
        assert_eq!(
            Target::read(&config(pairs)).err().unwrap().backend_code(),
            code,
            "{pairs:?}"
        );
    }
}
