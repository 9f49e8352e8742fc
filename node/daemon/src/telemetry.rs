//! Logs and traces: readable lines on standard error, and spans to a collector where one is named.
//!
//! One trace follows a call from the gateway through the log and over gRPC to the hypervisor: the W3C context travels with
//! each command to another host.

use std::collections::HashMap;

use anyhow::{Context, Result};
use node_agent::TraceHooks;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TracerProvider;
use opentelemetry::{KeyValue, global};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::config::Telemetry;

/// Sends what is still held back when dropped.
pub struct Guard {
    provider: Option<SdkTracerProvider>,
    lines: reload::Handle<EnvFilter, Registry>,
}

impl Guard {
    /// Changes how much the log tells.
    pub fn set_log(&self, settings: &Telemetry) {
        if let Err(error) = self.lines.reload(filter(settings)) {
            tracing::warn!(%error, "the log stays as it was");
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(provider) = self.provider.take()
            && let Err(error) = provider.shutdown()
        {
            tracing::debug!(%error, "the last spans were not sent");
        }
    }
}

fn filter(settings: &Telemetry) -> EnvFilter {
    let wanted = settings.log.as_deref().unwrap_or("info");
    // openraft prints whole entries at error when a peer is away; its own crate says what matters. The netlink crate
    // warns of every attribute that a newer kernel adds.
    EnvFilter::try_new(format!("{wanted},openraft=off,netlink_packet_route=error"))
        .unwrap_or_else(|_| EnvFilter::new("info"))
}

/// Begins to write logs, and to send traces if a collector is named. Needs a tokio runtime.
///
/// # Errors
/// When the collector's address cannot be used.
pub fn start(settings: &Telemetry, host: &str) -> Result<Guard> {
    let (filter, handle) = reload::Layer::new(filter(settings));
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .with_filter(filter);
    let provider = settings
        .otlp_endpoint
        .as_deref()
        .map(|e| provider(e, host))
        .transpose()?;
    let spans = provider.as_ref().map(|provider| {
        let ours = EnvFilter::new(
            "off,tarn=info,gateway_server=info,pool_ops=info,pool_raft=info,node_agent=info,node_libvirt=info,node_sim=info",
        );
        tracing_opentelemetry::layer().with_tracer(provider.tracer("tarn")).with_filter(ours)
    });
    // A second start in one process (tests) keeps the first.
    let _ = tracing_subscriber::registry().with(lines).with(spans).try_init();
    global::set_text_map_propagator(TraceContextPropagator::new());
    Ok(Guard {
        provider,
        lines: handle,
    })
}

fn provider(endpoint: &str, host: &str) -> Result<SdkTracerProvider> {
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .context("reach the trace collector")?;
    let resource = Resource::builder()
        .with_service_name("tarn")
        .with_attribute(KeyValue::new("host.name", host.to_owned()))
        .build();
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .build())
}

/// How the context of a trace goes from host to host.
pub fn hooks() -> TraceHooks {
    TraceHooks { inject, extract }
}

const HEADER: &str = "traceparent";

fn inject() -> String {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&tracing::Span::current().context(), &mut carrier);
    carrier.remove(HEADER).unwrap_or_default()
}

fn extract(span: &tracing::Span, parent: &str) {
    if parent.is_empty() {
        return;
    }
    let carrier = HashMap::from([(HEADER.to_owned(), parent.to_owned())]);
    // Without a collector spans carry no context; then there is nothing to join.
    let _ = span.set_parent(TraceContextPropagator::new().extract(&carrier));
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_context_that_does_not_read_is_no_context() {
        extract(&tracing::Span::none(), "nonsense");
        assert_eq!(inject(), "");
    }
}
