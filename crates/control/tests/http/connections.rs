//! Connections that are many, silent, or do not read.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use control::{CONNECTIONS_MAX, Phase};
use tokio::sync::Semaphore;
use types::Series;

use crate::common::{PATIENCE, Slow, connect, get, metrics_address, start, start_with};

#[test]
fn those_who_ask_at_the_same_time_get_a_whole_document_each() {
    const SCRAPERS: usize = 6;
    let asked = Arc::new(AtomicUsize::new(0));
    let gate = Arc::new(Semaphore::new(0));
    let source = Slow {
        asked: Arc::clone(&asked),
        gate: Arc::clone(&gate),
    };
    let control = start_with(
        vec![Box::new(source)],
        Phase::Ready,
        Duration::ZERO,
        Series::ALL,
    );
    let address = metrics_address(&control);
    let scrapers: Vec<_> = (0..SCRAPERS)
        .map(|_| std::thread::spawn(move || get(address, "/metrics")))
        .collect();
    while asked.load(Ordering::Relaxed) == 0 {
        std::thread::yield_now();
    }
    gate.add_permits(1000);
    for scraper in scrapers {
        let response = scraper.join().expect("a scraper");
        assert!(response.ends_with("# EOF\n"), "{response}");
    }
    assert!(asked.load(Ordering::Relaxed) <= SCRAPERS);
}

#[test]
fn who_asks_is_answered_while_others_are_silent_or_do_not_read() {
    const STRANGERS: usize = 3 * CONNECTIONS_MAX;
    let control = start(&[Some(5)]);
    let address = metrics_address(&control);
    let silent: Vec<_> = (0..STRANGERS).map(|_| connect(address)).collect();
    assert!(get(address, "/live").contains("live"), "beside silence");
    let deaf: Vec<_> = (0..STRANGERS)
        .map(|_| {
            let mut stream = connect(address);
            let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(50);
            // It may be closed for the next one meanwhile.
            let _ignored = stream.write_all(request.as_bytes());
            stream
        })
        .collect();
    assert!(get(address, "/live").contains("live"), "beside deafness");
    drop((silent, deaf));
}

#[test]
fn the_most_silent_connection_ends_for_one_more() {
    let control = start(&[Some(5)]);
    let address = metrics_address(&control);
    let mut open: Vec<_> = (0..CONNECTIONS_MAX).map(|_| connect(address)).collect();
    // Each of them says something, the first one last.
    for stream in open[1..].iter_mut() {
        assert!(live(stream).starts_with("HTTP/1.1 200 OK\r\n"));
    }
    assert!(live(&mut open[0]).starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(get(address, "/live").contains("live"));
    assert_eq!(live(&mut open[1]), "", "it has ended");
    assert!(live(&mut open[0]).starts_with("HTTP/1.1 200 OK\r\n"));
}

/// Asks on a connection that stays open; the empty text when it is closed.
fn live(stream: &mut TcpStream) -> String {
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a time above zero");
    let asked = stream.write_all(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut response = Vec::new();
    let mut part = [0; 512];
    while asked.is_ok() && !response.ends_with(b"}") {
        match stream.read(&mut part) {
            Ok(0) | Err(_) => break,
            Ok(count) => response.extend_from_slice(&part[..count]),
        }
    }
    String::from_utf8(response).expect("text")
}

#[test]
fn the_listener_is_closed_when_the_control_thread_ends() {
    let control = start(&[Some(5)]);
    let address = metrics_address(&control);
    let _open = connect(address);
    drop(control);
    assert!(TcpStream::connect(address).is_err());
}
