//! ADR 0005: how records leave that are on disk only.
//!
//! A server on core 0 sends a file to a receiver on core 1 that discards it. `sendfile` and `read+send` go through the
//! page cache; `direct+send` reads ahead with direct I/O on glommio and sends from its buffers. `block` is the time of
//! one call that keeps the thread from doing anything else: a shard would be deaf that long. Waiting for room in the
//! socket is not part of it.
//!
//! `cargo run --release --bin sendfile [directory]`

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::rc::Rc;
use std::thread;
use std::time::Instant;

use measurements::files::{
    Extents, close, forget_pages, on_glommio, open, prepare_file, sync_everything,
};
use measurements::{
    Samples, cpu_seconds, data_directory, pin, print_load, print_machine, thread_cpu_seconds,
};

const TURNS: usize = 5;
const FILE_BYTES: usize = 512 << 20;
const CHUNKS: [usize; 3] = [64 << 10, 256 << 10, 1 << 20];
const READ_AHEAD: usize = 8;

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Sendfile,
    ReadAndSend,
    DirectAndSend,
}

const WAYS: [(Way, bool, &str); 5] = [
    (Way::DirectAndSend, true, "direct+send"),
    (Way::Sendfile, true, "sendfile, cold"),
    (Way::ReadAndSend, true, "read+send, cold"),
    (Way::Sendfile, false, "sendfile, cached"),
    (Way::ReadAndSend, false, "read+send, cached"),
];

#[derive(Default)]
struct Result {
    megabytes_per_second: Samples,
    cpu_seconds_per_gigabyte: Samples,
    block_us: Samples,
}

fn main() {
    let directory = data_directory();
    print_machine();
    let path = directory.join("log");
    prepare_file(&path, FILE_BYTES as u64, Extents::Written);
    sync_everything();
    println!(
        "chunk_KiB way                    MB/s  server_cpu_s/GB  block_p50_us  block_p99_us  block_max_us"
    );
    for chunk in CHUNKS {
        let mut results: [Result; 5] = Default::default();
        for _ in 0..TURNS {
            for ((way, cold, _), result) in WAYS.iter().zip(&mut results) {
                turn(&directory, &path, *way, *cold, chunk, result);
            }
        }
        for ((_, _, name), result) in WAYS.iter().zip(&results) {
            println!(
                "{:>9} {name:<18} {:>8.1} {:>16.3} {:>13.1} {:>13.1} {:>13.1}",
                chunk >> 10,
                result.megabytes_per_second.median(),
                result.cpu_seconds_per_gigabyte.median(),
                result.block_us.percentile(0.5),
                result.block_us.percentile(0.99),
                result.block_us.percentile(1.0),
            );
        }
    }
    fs::remove_dir_all(directory).expect("remove the data");
    print_load();
}

fn turn(directory: &Path, path: &Path, way: Way, cold: bool, chunk: usize, result: &mut Result) {
    let file = File::open(path).expect("open the file");
    if cold {
        forget_pages(file.as_raw_fd());
    } else {
        std::io::copy(&mut (&file), &mut std::io::sink()).expect("warm the page cache");
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind a free port");
    let address = listener.local_addr().expect("know the port");
    let receiver = thread::spawn(move || {
        pin(1);
        let (mut stream, mut buffer) = (
            TcpStream::connect(address).expect("connect"),
            vec![0_u8; 1 << 20],
        );
        let (mut received, cpu) = (0, thread_cpu_seconds());
        while received < FILE_BYTES {
            received += stream.read(&mut buffer).expect("receive");
        }
        thread_cpu_seconds() - cpu
    });
    let (stream, _) = listener.accept().expect("accept");
    pin(0);
    let (cpu, started) = (cpu_seconds(), Instant::now());
    match way {
        Way::DirectAndSend => {
            direct_and_send(directory, path, &stream, chunk, &mut result.block_us)
        }
        Way::Sendfile => sendfile(&file, &stream, chunk, &mut result.block_us),
        Way::ReadAndSend => read_and_send(&file, &stream, chunk, &mut result.block_us),
    }
    let receiver_cpu = receiver.join().expect("the receiver ran");
    let seconds = started.elapsed().as_secs_f64();
    result
        .megabytes_per_second
        .push(FILE_BYTES as f64 / 1e6 / seconds);
    result
        .cpu_seconds_per_gigabyte
        .push((cpu_seconds() - cpu - receiver_cpu) * 1e9 / FILE_BYTES as f64);
}

fn direct_and_send(
    directory: &Path,
    path: &Path,
    stream: &TcpStream,
    chunk: usize,
    block_us: &mut Samples,
) {
    on_glommio(directory, || async {
        let file = open(path, 0).await;
        let mut ahead = VecDeque::new();
        let mut positions = (0..FILE_BYTES as u64).step_by(chunk);
        loop {
            while ahead.len() < READ_AHEAD
                && let Some(position) = positions.next()
            {
                let file = Rc::clone(&file);
                ahead.push_back(glommio::spawn_local(async move {
                    file.read_at_aligned(position, chunk).await.expect("read")
                }));
            }
            let Some(read) = ahead.pop_front() else { break };
            let data = read.await;
            send(stream, &data, block_us);
        }
        close(file).await;
    });
}

fn sendfile(file: &File, stream: &TcpStream, chunk: usize, block_us: &mut Samples) {
    stream.set_nonblocking(true).expect("make it non-blocking");
    let mut offset = 0_i64;
    while (offset as usize) < FILE_BYTES {
        wait_writable(stream);
        let started = Instant::now();
        // SAFETY: both descriptors are open, and the call writes only to `offset`.
        let sent =
            unsafe { libc::sendfile(stream.as_raw_fd(), file.as_raw_fd(), &raw mut offset, chunk) };
        block_us.push_us(started);
        assert!(sent > 0 || would_block(), "sendfile");
    }
}

fn read_and_send(file: &File, stream: &TcpStream, chunk: usize, block_us: &mut Samples) {
    use std::os::unix::fs::FileExt as _;
    let mut buffer = vec![0_u8; chunk];
    for position in (0..FILE_BYTES as u64).step_by(chunk) {
        let started = Instant::now();
        file.read_exact_at(&mut buffer, position).expect("read");
        block_us.push_us(started);
        send(stream, &buffer, block_us);
    }
}

fn send(stream: &TcpStream, mut data: &[u8], block_us: &mut Samples) {
    while !data.is_empty() {
        wait_writable(stream);
        let started = Instant::now();
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // SAFETY: the descriptor is open, and the call reads only `data`.
        let sent =
            unsafe { libc::send(stream.as_raw_fd(), data.as_ptr().cast(), data.len(), flags) };
        block_us.push_us(started);
        assert!(sent > 0 || would_block(), "send");
        data = &data[sent.max(0) as usize..];
    }
}

fn would_block() -> bool {
    std::io::Error::last_os_error().kind() == std::io::ErrorKind::WouldBlock
}

fn wait_writable(stream: &TcpStream) {
    let mut descriptor = libc::pollfd {
        fd: stream.as_raw_fd(),
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: one valid entry is passed.
    assert_eq!(
        unsafe { libc::poll(&raw mut descriptor, 1, -1) },
        1,
        "wait for room in the socket"
    );
}
