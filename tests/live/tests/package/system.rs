//! This machine's system under a layer of its own, so that packages can be installed on it and nothing of it remains.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// What packages change; each gets a layer that only this namespace sees. /run begins empty, and its first process is
/// taken for systemd.
const LAYERS: &str = "\
set -e
mount -t tmpfs tarn-layers \"$1\"
for below in /usr /etc /var; do
    own=\"$1$below\"
    mkdir -p \"$own/upper\" \"$own/work\"
    mount -t overlay overlay -o \"lowerdir=$below,upperdir=$own/upper,workdir=$own/work\" \"$below\"
done
mount -t tmpfs tarn-run /run
mkdir -p /run/systemd/system
rm -f /usr/sbin/policy-rc.d
rm -rf /etc/tarn /var/lib/tarn
cat > /usr/local/sbin/systemctl <<'END'
#!/bin/sh
# Notes what it is asked for, and says yes. What only changes links the real one does.
case \"$*\" in --root=*) exec /usr/bin/systemctl \"$@\" ;; esac
echo \"$*\" >> /run/asked
case \"$*\" in *is-enabled*) echo enabled ;; esac
END
chmod 755 /usr/local/sbin/systemctl
echo ready
exec sleep 3600
";

/// The namespace lives as long as this.
pub struct System {
    holder: Child,
}

impl System {
    /// Lays the layers; `folder` is where they lie.
    pub fn over_this_machine(folder: &Path) -> System {
        let holder = Command::new("unshare")
            .args([
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-c",
                LAYERS,
                "layers",
            ])
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut system = System { holder };
        let patience = Instant::now() + Duration::from_secs(30);
        while !system.path("/run/systemd/system").is_dir()
            || !system.path("/usr/local/sbin/systemctl").is_file()
        {
            let ended = system.holder.try_wait().unwrap();
            assert!(ended.is_none(), "the layers were not laid: {ended:?}");
            assert!(Instant::now() < patience, "the layers were not laid in time");
            std::thread::sleep(Duration::from_millis(20));
        }
        system
    }

    /// A path of the layered system as this process reaches it.
    pub fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{inside}", self.holder.id()))
    }

    /// Runs a program in it.
    pub fn try_run(&self, words: &[&str]) -> Output {
        Command::new("nsenter")
            .args(["--mount", "--target", &self.holder.id().to_string(), "--"])
            .args([
                "env",
                "-i",
                "HOME=/root",
                "LANG=C.UTF-8",
                "DEBIAN_FRONTEND=noninteractive",
            ])
            .arg("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .args(words)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// The same for what must succeed; what it said, errors and all.
    pub fn run(&self, words: &[&str]) -> String {
        let output = self.try_run(words);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(output.status.success(), "{words:?}: {said}");
        said
    }

    /// What systemctl has been asked for since the last time.
    pub fn asked(&self) -> Vec<String> {
        let notes = self.path("/run/asked");
        let text = std::fs::read_to_string(&notes).unwrap_or_default();
        let _ = std::fs::remove_file(&notes);
        text.lines()
            .filter(|line| {
                !["is-enabled", "is-active"]
                    .iter()
                    .any(|question| line.contains(question))
            })
            .map(str::to_owned)
            .collect()
    }

    /// Every file below a folder with what it holds, in order.
    pub fn files(&self, folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.path(folder)];
        while let Some(next) = folders.pop() {
            for entry in std::fs::read_dir(&next).unwrap().flatten() {
                match entry.file_type().unwrap() {
                    kind if kind.is_dir() => folders.push(entry.path()),
                    kind if kind.is_file() => {
                        found.push((entry.path(), std::fs::read(entry.path()).unwrap()));
                    }
                    _ => {}
                }
            }
        }
        found.sort();
        found
    }
}

impl Drop for System {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
