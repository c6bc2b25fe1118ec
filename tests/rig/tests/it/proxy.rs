//! A proxy between a client and a server that echoes.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rig::{Conditions, Flow, Proxy};

/// Longest wait for anything; nothing takes a second.
const SOON: Duration = Duration::from_secs(20);
/// A time in which something that should not come would have come.
const A_WHILE: Duration = Duration::from_millis(100);

/// A server that echoes what one client after the other says.
struct Echo {
    port: u16,
    /// Ends with how the last connection ended.
    thread: JoinHandle<std::io::Result<()>>,
}

impl Echo {
    fn serve(clients: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = move || {
            let mut last = Ok(());
            for client in listener.incoming().take(clients) {
                last = echo(client.unwrap());
            }
            last
        };
        Self { port, thread: std::thread::spawn(serve) }
    }
}

fn echo(mut client: TcpStream) -> std::io::Result<()> {
    let mut bytes = [0; 4096];
    loop {
        let len = client.read(&mut bytes)?;
        if len == 0 {
            return Ok(());
        }
        client.write_all(&bytes[..len])?;
    }
}

fn connect(proxy: &Proxy) -> TcpStream {
    let client = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
    client.set_read_timeout(Some(SOON)).unwrap();
    client
}

fn ask(client: &mut TcpStream, text: &str) -> std::io::Result<String> {
    client.write_all(text.as_bytes())?;
    let mut answer = vec![0; text.len()];
    client.read_exact(&mut answer)?;
    String::from_utf8(answer).map_err(std::io::Error::other)
}

#[test]
fn bytes_pass_both_ways_and_an_end_is_passed_on() {
    let echo = Echo::serve(1);
    let proxy = Proxy::to_port(echo.port).unwrap();
    let mut client = connect(&proxy);
    let long = "שלום ".repeat(100_000);
    let mut writer = client.try_clone().unwrap();
    let text = long.clone();
    let writing = std::thread::spawn(move || {
        writer.write_all(text.as_bytes()).unwrap();
        writer.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let mut back = String::new();
    client.read_to_string(&mut back).unwrap();
    writing.join().unwrap();
    assert!(back == long, "{} of {} bytes came back", back.len(), long.len());
    echo.thread.join().unwrap().unwrap();
}

#[test]
fn a_cut_resets_both_sides_and_new_connections_pass() {
    let echo = Echo::serve(2);
    let proxy = Proxy::to_port(echo.port).unwrap();
    let mut client = connect(&proxy);
    assert_eq!(ask(&mut client, "one").unwrap(), "one");
    assert_eq!(proxy.connections(), 1);
    proxy.cut();
    assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    let mut client = connect(&proxy);
    assert_eq!(ask(&mut client, "two").unwrap(), "two");
    proxy.cut();
    let ended = echo.thread.join().unwrap();
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn what_a_black_hole_swallows_goes_on_when_it_is_gone() {
    let echo = Echo::serve(2);
    let proxy = Proxy::to_port(echo.port).unwrap();
    let mut before = connect(&proxy);
    assert_eq!(ask(&mut before, "one").unwrap(), "one");
    proxy.set(Conditions::BLACK_HOLE);
    let mut within = connect(&proxy);
    for client in [&mut before, &mut within] {
        client.set_read_timeout(Some(A_WHILE)).unwrap();
        assert_eq!(ask(client, "two").unwrap_err().kind(), ErrorKind::WouldBlock);
        client.set_read_timeout(Some(SOON)).unwrap();
    }
    proxy.set(Conditions::WELL);
    for client in [before, within] {
        let mut client = client;
        let mut answer = [0; 3];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"two");
    }
    echo.thread.join().unwrap().unwrap();
}

#[test]
fn one_direction_can_be_held_alone() {
    let echo = Echo::serve(1);
    let proxy = Proxy::to_port(echo.port).unwrap();
    proxy.set(Conditions { to_client: Flow::Hold, ..Conditions::WELL });
    let mut client = connect(&proxy);
    client.set_read_timeout(Some(A_WHILE)).unwrap();
    assert_eq!(ask(&mut client, "one").unwrap_err().kind(), ErrorKind::WouldBlock);
    // The server has had it and answered; the answer is what waits.
    drop(client);
    proxy.set(Conditions::WELL);
    drop(echo.thread.join().unwrap());
}

#[test]
fn bytes_are_delayed_in_each_direction() {
    let echo = Echo::serve(1);
    let proxy = Proxy::to_port(echo.port).unwrap();
    let mut client = connect(&proxy);
    let delay = Duration::from_millis(60);
    proxy.set(Conditions::both(Flow::Delay(delay)));
    let begun = Instant::now();
    assert_eq!(ask(&mut client, "late").unwrap(), "late");
    assert!(begun.elapsed() >= delay * 2, "{:?}", begun.elapsed());
    drop(client);
    echo.thread.join().unwrap().unwrap();
}

#[test]
fn a_server_that_is_not_there_resets_the_client() {
    let port = rig::free_port().unwrap();
    let proxy = Proxy::to_port(port).unwrap();
    let mut client = connect(&proxy);
    assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}
