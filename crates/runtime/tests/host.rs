//! Starting shards on a machine that does not allow it: one clear message, no panic, no hang.

#![expect(unsafe_code, reason = "installs a seccomp filter for one thread")]

use std::process::Command;
use std::thread;

use runtime::{CorePlan, Facts, HostError, Recorder, Seat, Shards, StartError, Supervisor};

/// Makes system call `number` fail with `errno` on this thread and those that it starts.
fn refuse_system_call(number: libc::c_long, errno: i32) {
    let number = u32::try_from(number).expect("system calls are numbered from 0");
    let errno = u32::try_from(errno).expect("positive");
    let statement = |code: u32, k: u32, jt: u8, jf: u8| libc::sock_filter {
        code: u16::try_from(code).expect("codes are 16 bits wide"),
        jt,
        jf,
        k,
    };
    // The number of the system call is the first word of the kernel's `struct seccomp_data`.
    let mut filter = [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, number, 0, 1),
        statement(
            libc::BPF_RET | libc::BPF_K,
            libc::SECCOMP_RET_ERRNO | errno,
            0,
            0,
        ),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = libc::sock_fprog {
        len: libc::c_ushort::try_from(filter.len()).expect("four statements"),
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: takes plain numbers.
    let forbidden = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(forbidden, 0, "a thread may give privileges up");
    // SAFETY: the kernel reads `program` and the filter that it points to, which live until the call returns.
    let installed = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    };
    assert_eq!(installed, 0, "a thread may restrict itself");
}

fn start_error() -> StartError {
    let plan = CorePlan {
        shards: vec![Seat::default()],
        beside: vec![],
    };
    let supervisor = Supervisor::without_signals();
    Shards::start(
        &plan,
        &supervisor,
        &Recorder::off(),
        vec![()],
        |_io, ()| async {},
    )
    .expect_err("the machine does not allow it")
}

#[test]
fn without_io_uring_the_start_fails_with_one_message() {
    for (errno, expected) in [
        (libc::EPERM, "seccomp"),
        (libc::ENOSYS, "io_uring is missing"),
    ] {
        let error = thread::spawn(move || {
            refuse_system_call(libc::SYS_io_uring_setup, errno);
            start_error()
        })
        .join()
        .expect("no panic");
        assert!(matches!(error, StartError::Host(_)), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// Set for the copy of this test that runs under a smaller limit.
const IS_LIMITED: &str = "LOGAN_TEST_IS_LIMITED";

#[test]
fn with_too_little_locked_memory_the_start_fails_with_one_message() {
    if std::env::var_os(IS_LIMITED).is_some() {
        let StartError::Host(error) = start_error() else {
            unreachable!("the limit is looked at first");
        };
        let expected = HostError::MemoryLock {
            limit_bytes: 64 << 10,
            needed_bytes: 512 << 10,
        };
        assert_eq!(error, expected);
        return;
    }
    rerun_under(
        "ulimit -l 64",
        "with_too_little_locked_memory_the_start_fails_with_one_message",
    );
}

#[test]
fn default_limits_suffice_for_shards() {
    if std::env::var_os(IS_LIMITED).is_some() {
        assert_eq!(runtime::raise_descriptor_limit().ok(), Some(2048));
        let plan = CorePlan {
            shards: vec![Seat::default(); 4],
            beside: vec![],
        };
        let supervisor = Supervisor::without_signals();
        let shards = Shards::start(
            &plan,
            &supervisor,
            &Recorder::off(),
            vec![(); 4],
            |_io, ()| async {},
        )
        .expect("four shards");
        assert_eq!(shards.join(std::time::Duration::from_secs(20)), Ok(()));
        return;
    }
    assert_eq!(Facts::gather().judge(), Ok(()));
    rerun_under(
        "set -e; ulimit -l 8192; ulimit -Sn 1024; ulimit -Hn 2048",
        "default_limits_suffice_for_shards",
    );
}

/// Runs one test of this binary again in a process with other limits.
fn rerun_under(limits: &str, test: &str) {
    let this = std::env::current_exe().expect("a path");
    let output = Command::new("sh")
        .args(["-c", &format!("{limits}; exec \"$0\" --exact {test}")])
        .arg(this)
        .env(IS_LIMITED, "1")
        .output()
        .expect("a shell");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
