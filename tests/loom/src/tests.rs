//! Nudges, calls of the watchdog, pings, and counts of delays.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::sync::mpsc::channel;
use loom::thread;

use crate::crossing::{Beats, DelayCounts, Pending, Stir};

#[test]
fn news_that_was_not_told_anew_is_seen_with_what_was_told_before() {
    loom::model(|| {
        let pending = Arc::new(Pending::default());
        let news = Arc::new(AtomicU64::new(0));
        let (told, heard) = channel();
        let tellers: Vec<_> = (0..2)
            .map(|_| {
                let (pending, news, told) = (Arc::clone(&pending), Arc::clone(&news), told.clone());
                thread::spawn(move || {
                    news.fetch_add(1, Ordering::Relaxed);
                    if pending.raise() {
                        told.send(()).expect("somebody listens");
                    }
                })
            })
            .collect();
        // The first is told whatever happens.
        heard.recv().expect("it is told");
        pending.take();
        let mut seen = news.load(Ordering::Relaxed);
        for teller in tellers {
            teller.join().expect("it ends");
        }
        if heard.try_recv().is_ok() {
            pending.take();
            seen = news.load(Ordering::Relaxed);
        }
        assert_eq!(seen, 2);
    });
}

#[test]
fn a_watchdog_that_waits_is_called() {
    loom::model(|| {
        let stir = Arc::new(Stir::default());
        // It has looked, and nothing has happened since.
        stir.look();
        let noted = Arc::clone(&stir);
        let watchdog = thread::current();
        let shard = thread::spawn(move || {
            if noted.note() {
                watchdog.unpark();
            }
        });
        if stir.settle() {
            // For ever: a call that is lost is a deadlock, which loom reports.
            thread::park();
        }
        shard.join().expect("it ends");
        assert!(stir.look(), "what was noted is seen");
        assert!(!stir.look());
    });
}

#[test]
fn what_happened_between_looks_is_seen_once() {
    loom::model(|| {
        let stir = Arc::new(Stir::default());
        stir.look();
        let shards: Vec<_> = (0..2)
            .map(|_| {
                let stir = Arc::clone(&stir);
                thread::spawn(move || stir.note())
            })
            .collect();
        let early = stir.look();
        let calls = shards
            .into_iter()
            .map(|shard| shard.join().expect("it ends"));
        assert_eq!(calls.filter(|call| *call).count(), 0, "nobody waits");
        let late = stir.look();
        assert!(early || late);
    });
}

#[test]
fn a_ping_that_was_seen_comes_with_its_own_delay() {
    loom::model(|| {
        let beats = Arc::new(Beats::default());
        let answering = Arc::clone(&beats);
        beats.send(10);
        let shard = thread::spawn(move || answering.answer(|| 17));
        if let (sent_at, Some(delay)) = beats.last() {
            assert_eq!((sent_at, delay), (10, 7));
            beats.send(20);
        }
        shard.join().expect("it ends");
    });
}

#[test]
fn nobody_is_said_to_be_silent_since_a_ping_that_was_answered() {
    loom::model(|| {
        let beats = Arc::new(Beats::default());
        beats.send(10);
        beats.answer(|| 10);
        let (sending, answering) = (Arc::clone(&beats), Arc::clone(&beats));
        let watchdog = thread::spawn(move || {
            if sending.last().1.is_some() {
                sending.send(20);
            }
        });
        let shard = thread::spawn(move || answering.answer(|| 20));
        let silence = beats.silence(30);
        assert!(silence == 0 || silence == 10, "{silence}");
        watchdog.join().expect("it ends");
        shard.join().expect("it ends");
        beats.answer(|| 20);
        assert_eq!(beats.silence(30), 0);
    });
}

#[test]
fn a_shard_that_has_ended_is_not_silent() {
    loom::model(|| {
        let beats = Arc::new(Beats::default());
        beats.send(10);
        let ending = Arc::clone(&beats);
        let shard = thread::spawn(move || {
            ending.answer(|| 12);
            ending.end();
        });
        let has_ended = beats.has_ended();
        if has_ended {
            assert_eq!(beats.last(), (10, Some(2)), "it answered before it ended");
        }
        shard.join().expect("it ends");
        beats.send(20);
        assert_eq!(beats.silence(30), 0);
    });
}

#[test]
fn who_sees_a_stall_sees_its_length() {
    const STALL: u64 = 200_000_000;
    loom::model(|| {
        let counts = Arc::new(DelayCounts::default());
        let counting = Arc::clone(&counts);
        let watchdog = thread::spawn(move || counting.add(STALL, true));
        let seen = counts.read();
        if seen.stalls == 1 {
            assert_eq!((seen.max_nanos, seen.sum_nanos), (STALL, STALL));
            assert_eq!(seen.counts.iter().sum::<u64>(), 1);
        }
        watchdog.join().expect("it ends");
        assert_eq!(counts.read().stalls, 1);
    });
}
