//! A real server (nfs-ganesha) of a test's own, in namespaces of its thread.

use std::cell::RefCell;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sched::CloneFlags;
use tempfile::TempDir;

use super::super::protocol::Client;

/// Where it listens, in a network of the thread's own.
pub const ADDRESS: &str = "127.0.0.1";

thread_local! {
    static HERE: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
}

/// The folder of the server to which this thread can speak, if there is one.
pub fn here() -> Option<PathBuf> {
    HERE.with_borrow(Clone::clone)
}

/// The server.
pub struct Server {
    dir: TempDir,
    ganesha: Option<Child>,
    ports: Child,
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr))),
        Err(error) => Err(format!("{program}: {error}")),
    }
}

fn start(program: &str, arguments: &[&str]) -> Result<Child, String> {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{program}: {error}"))
}

impl Server {
    /// The folder that is exported; the same path on the server.
    pub fn export(&self) -> PathBuf {
        self.dir.path().join("export")
    }

    fn begin() -> Result<Server, String> {
        nix::sched::unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET).map_err(|e| e.to_string())?;
        run("mount", &["--make-rprivate", "/"])?;
        let dir = TempDir::new().map_err(|e| e.to_string())?;
        for folder in ["/run", "/var/lib/nfs"] {
            run("mount", &["-t", "tmpfs", "tmpfs", folder])?;
        }
        std::fs::create_dir_all("/run/rpcbind").map_err(|e| e.to_string())?;
        std::fs::create_dir_all("/var/lib/nfs/ganesha").map_err(|e| e.to_string())?;
        run("ip", &["link", "set", "lo", "up"])?;
        std::fs::create_dir(dir.path().join("export")).map_err(|e| e.to_string())?;
        let export = dir.path().join("export");
        let settings = format!(
            "NFS_CORE_PARAM {{ Protocols = 3; mount_path_pseudo = false; Enable_NLM = false; Enable_RQUOTA = false; }}\n\
             NFSv4 {{ Graceless = true; }}\n\
             EXPORT {{ Export_Id = 1; Path = {path}; Pseudo = /export; Protocols = 3; Access_Type = RW;\n\
             Squash = None; SecType = sys; FSAL {{ Name = VFS; }} }}\n",
            path = export.display()
        );
        std::fs::write(dir.path().join("ganesha.conf"), settings).map_err(|e| e.to_string())?;
        let mut server = Server {
            ports: start("rpcbind", &["-f", "-w"])?,
            dir,
            ganesha: None,
        };
        server.start()?;
        Ok(server)
    }

    /// Starts it, and waits until it lets somebody in.
    pub fn start(&mut self) -> Result<(), String> {
        let file = |name: &str| self.dir.path().join(name).display().to_string();
        let arguments = [
            "-F",
            "-f",
            &file("ganesha.conf"),
            "-L",
            &file("log"),
            "-p",
            "/run/ganesha.pid",
        ];
        self.ganesha = Some(start("ganesha.nfsd", &arguments)?);
        let until = Instant::now() + Duration::from_secs(60);
        while let Err(error) = Client::open(ADDRESS, &self.export().to_string_lossy()) {
            if Instant::now() > until {
                let log = std::fs::read_to_string(file("log")).unwrap_or_default();
                return Err(format!("nfs-ganesha lets nobody in: {error}\n{log}"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Kills it.
    pub fn kill(&mut self) {
        if let Some(mut ganesha) = self.ganesha.take() {
            let _ = ganesha.kill();
            let _ = ganesha.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = self.ports.kill();
        let _ = self.ports.wait();
    }
}

/// Runs a test beside a server of its own; says why if there can be none.
pub fn on_server<F: Future<Output = Server>>(work: impl FnOnce(Server) -> F + Send + 'static) {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: namespaces need root");
        return;
    }
    for program in ["ganesha.nfsd", "rpcbind", "qemu-img"] {
        let there = |folder: PathBuf| folder.join(program).exists();
        if !std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(there) {
            println!("skipped: {program} is not installed");
            return;
        }
    }
    if !qemu_has_nfs() {
        println!("skipped: QEMU has no driver for NFS (qemu-block-extra)");
        return;
    }
    let thread = std::thread::spawn(move || {
        let server = Server::begin().unwrap();
        HERE.set(Some(server.dir.path().to_owned()));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let server = runtime.block_on(work(server));
        drop(runtime);
        drop(server);
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn qemu_has_nfs() -> bool {
    let probe = Command::new("qemu-img")
        .args(["info", "nfs://127.0.0.1:1/nothing/nothing"])
        .output();
    probe.is_ok_and(|output| !String::from_utf8_lossy(&output.stderr).contains("Unknown protocol"))
}
