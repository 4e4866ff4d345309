//! What a process has used so far, from `/proc` (proc(5)).

use std::time::Duration;

use crate::error::BenchError;

/// Ticks a second in `/proc/PID/stat`: the kernel's `USER_HZ`, the same on every architecture that we run on.
const TICKS: u64 = 100;

/// CPU time, user and system, of a process and all its threads.
///
/// # Errors
/// When it does not run any more.
pub(crate) fn cpu(pid: u32) -> Result<Duration, BenchError> {
    Ok(ticks(stat(pid)?.own))
}

/// The same of a process and its children, those that have ended included: of PostgreSQL as a whole.
///
/// # Errors
/// When it does not run any more.
pub(crate) fn cpu_with_children(pid: u32) -> Result<Duration, BenchError> {
    let children = std::fs::read_dir("/proc").map_err(|error| BenchError::Io("/proc", error))?.flatten();
    let children = children.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let children = children.filter_map(|child: u32| stat(child).ok()).filter(|child| child.parent == pid);
    let running: u64 = children.map(|child| child.own).sum();
    // Read after the children: one that ends meanwhile is counted twice rather than not at all.
    let parent = stat(pid)?;
    Ok(ticks(parent.own + parent.ended_children + running))
}

/// Memory in bytes.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    /// Resident now.
    pub(crate) resident: u64,
    /// The most that was ever resident.
    pub(crate) peak: u64,
}

/// Memory of a process.
///
/// # Errors
/// When it does not run any more.
pub(crate) fn memory(pid: u32) -> Result<Memory, BenchError> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).map_err(|_| gone(pid))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
    };
    let (resident, peak) = (field("VmRSS"), field("VmHWM"));
    resident.zip(peak).map(|(resident, peak)| Memory { resident, peak }).ok_or_else(|| gone(pid))
}

struct Stat {
    parent: u32,
    own: u64,
    ended_children: u64,
}

fn stat(pid: u32) -> Result<Stat, BenchError> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).map_err(|_| gone(pid))?;
    parse(&text).ok_or_else(|| gone(pid))
}

/// The name, in parentheses, may hold blanks and parentheses; `ppid` is the second field behind it.
fn parse(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own: number(11)? + number(12)?,
        ended_children: number(13)? + number(14)?,
    })
}

fn ticks(count: u64) -> Duration {
    Duration::from_millis(count * 1000 / TICKS)
}

fn gone(pid: u32) -> BenchError {
    BenchError::unexpected(format!("process {pid} has ended"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_from_behind_the_name() {
        let stat = parse("7 (a) b) S 3 7 7 0 -1 4194560 1 2 0 0 11 22 33 44 20 0 1 0 5 6 7").unwrap();

        assert_eq!((stat.parent, stat.own, stat.ended_children), (3, 33, 77));
    }

    #[test]
    fn work_of_this_process_is_seen() {
        let before = cpu(std::process::id()).unwrap();
        let mut sum = 0u64;
        while cpu(std::process::id()).unwrap() == before {
            sum = (0..100_000u64).fold(sum, |sum, number| std::hint::black_box(sum.wrapping_add(number)));
        }

        assert!(memory(std::process::id()).unwrap().resident > 1024 * 1024);
    }
}
