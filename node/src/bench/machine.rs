//! What this machine can do at all: signatures checked a second on all cores, bytes a second
//! through a pair of sockets, and syncs of the disk. Every other figure is read against these.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::num::NonZero;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use ayni_protocol::Event;

use super::subject::Folder;
use super::{Corpus, Report, float};

/// How long each limit is measured.
const SPAN: Duration = Duration::from_secs(2);

/// The machine's own limits.
pub struct Machine {
    /// Events verified a second on all cores: hash of the id and BIP-340 signature.
    pub verifications: f64,
    /// Bytes a second from one thread to another through a loopback socket.
    pub socket_bytes: f64,
}

/// Measures them.
pub fn measure(report: &mut Report<'_>) -> Result<Machine> {
    let verifications = verifications();
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    report.row("machine: verification", verifications, "events/s", format!("{cores} cores"));
    let socket_bytes = sockets()?;
    report.row("machine: loopback socket", socket_bytes / 1e6, "MB/s", "one pair".into());
    report.row("machine: sync of 64 KiB", syncs()?, "syncs/s", String::new());
    Ok(Machine { verifications, socket_bytes })
}

fn verifications() -> f64 {
    let events: Vec<Event> =
        Corpus::new(99).events(0, 2_000).iter().map(|event| Event::clone(event)).collect();
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let begun = Instant::now();
    let work = || {
        let mut done = 0;
        while begun.elapsed() < SPAN {
            for event in events.iter().take(100) {
                done += usize::from(event.clone().verify().is_ok());
            }
        }
        done
    };
    let done: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(0)).sum()
    });
    float(done) / begun.elapsed().as_secs_f64()
}

fn sockets() -> Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut sender = TcpStream::connect(listener.local_addr()?)?;
    let (mut receiver, _) = listener.accept()?;
    let begun = Instant::now();
    let sent = thread::spawn(move || {
        let block = vec![0x2a; 1 << 16];
        while begun.elapsed() < SPAN && sender.write_all(&block).is_ok() {}
    });
    let mut block = vec![0; 1 << 17];
    let mut bytes = 0.0;
    loop {
        match receiver.read(&mut block)? {
            0 => break,
            read => bytes += float(read),
        }
    }
    let _ = sent.join();
    Ok(bytes / begun.elapsed().as_secs_f64())
}

fn syncs() -> Result<f64> {
    let folder = Folder::new()?;
    let mut file = std::fs::File::create(folder.path().join("probe"))?;
    let block = vec![0x2a; 1 << 16];
    let begun = Instant::now();
    let mut done = 0;
    while begun.elapsed() < SPAN {
        file.write_all(&block)?;
        file.sync_data()?;
        done += 1;
    }
    Ok(float(done) / begun.elapsed().as_secs_f64())
}
