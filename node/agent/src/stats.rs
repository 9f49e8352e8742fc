//! Figures of the host for heartbeats.

/// Measures the load of all CPUs between two calls, from the kernel's counters.
#[derive(Default)]
pub(crate) struct CpuMeter {
    last: Option<(u64, u64)>,
}

impl CpuMeter {
    /// Thousandths of all CPUs' time that were not idle since the last call; `None` the first time, or without counters.
    pub(crate) fn measure(&mut self) -> Option<u16> {
        let text = std::fs::read_to_string("/proc/stat").ok()?;
        let now = read(&text)?;
        let (busy, all) = now;
        let (busy_before, all_before) = self.last.replace(now)?;
        let passed = all.checked_sub(all_before).filter(|passed| *passed > 0)?;
        u16::try_from(busy.saturating_sub(busy_before).saturating_mul(1000) / passed)
            .ok()
            .map(|p| p.min(1000))
    }
}

/// Busy time and all time of the first line of `/proc/stat`.
fn read(text: &str) -> Option<(u64, u64)> {
    let mut fields = text
        .lines()
        .next()?
        .strip_prefix("cpu ")?
        .split_ascii_whitespace();
    let numbers: Vec<u64> = fields
        .by_ref()
        .take(8)
        .map_while(|field| field.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal
    let all: u64 = numbers.iter().sum();
    let idle = numbers.get(3)?.saturating_add(*numbers.get(4)?);
    Some((all.saturating_sub(idle), all))
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn idle_and_waiting_time_is_not_busy() {
        assert_eq!(read("cpu  10 0 20 60 10 0 0 0 0 0\ncpu0 1 2"), Some((30, 100)));
        assert_eq!(read("nonsense"), None);
    }
}
