//! Logs.

use tracing_subscriber::EnvFilter;

use crate::config::Telemetry;

/// Begins to write logs to standard error.
pub fn start(settings: &Telemetry) {
    let filter = settings.log.as_deref().unwrap_or("info");
    // openraft prints whole entries at error when a peer is away; its own crate says what matters. The netlink crate
    // warns of every attribute that a newer kernel adds.
    let filter = EnvFilter::try_new(format!("{filter},openraft=off,netlink_packet_route=error")).unwrap_or_else(|_| EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
