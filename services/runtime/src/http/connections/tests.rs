//! Connections over loopback, with a clock that jumps to the next thing that is waited for.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

async fn listening(bounds: Bounds) -> (Connections, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connections = Connections::new(listener, None, bounds).unwrap();
    let address = connections.local_addr().unwrap();
    (connections, address)
}

#[tokio::test]
async fn one_connection_more_than_there_is_room_for_waits() {
    let (mut connections, address) = listening(Bounds { connections: 2, ..Bounds::default() }).await;
    let _clients = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
    let mut third = TcpStream::connect(address).await.unwrap();
    let (first, _) = connections.accept().await;
    let (_second, _) = connections.accept().await;
    // Nobody else comes, however long the others stay.
    let more = tokio::time::timeout(Duration::from_millis(20), connections.accept()).await;
    assert!(more.is_err());
    drop(first);
    let (mut last, _) = connections.accept().await;
    third.write_all(b"x").await.unwrap();
    assert_eq!(last.read_u8().await.unwrap(), b'x');
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_nothing_moves_is_cut_and_one_that_moves_is_not() {
    let idle = Duration::from_secs(60);
    let (mut connections, address) = listening(Bounds { idle, ..Bounds::default() }).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    let (mut server, _) = connections.accept().await;
    for _ in 0..5 {
        tokio::time::sleep(idle * 3 / 4).await;
        client.write_all(b"x").await.unwrap();
        assert_eq!(server.read_u8().await.unwrap(), b'x');
    }
    // What is written counts too: a stream of events is never read from.
    for _ in 0..5 {
        tokio::time::sleep(idle * 3 / 4).await;
        let waits = tokio::time::timeout(Duration::from_millis(1), server.read_u8()).await;
        assert!(waits.is_err());
        server.write_all(b"y").await.unwrap();
    }
    let began = tokio::time::Instant::now();
    let error = server.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!((idle / 4..=idle * 2).contains(&began.elapsed()), "{:?}", began.elapsed());
}

#[tokio::test]
async fn one_address_cannot_have_every_place() {
    let (mut connections, address) =
        listening(Bounds { connections: 10, per_peer: 2, ..Bounds::default() }).await;
    let _clients = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
    let (first, _) = connections.accept().await;
    let (_second, _) = connections.accept().await;
    let mut third = TcpStream::connect(address).await.unwrap();
    assert_eq!(third.read(&mut [0]).await.unwrap(), 0, "it is closed at once");
    // Somebody else has room, and whoever has gone has room again.
    let other = tokio::net::TcpSocket::new_v4().unwrap();
    other.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let _other = other.connect(address).await.unwrap();
    assert_eq!(connections.accept().await.1.ip().to_string(), "127.0.0.2");
    drop(first);
    let _fourth = TcpStream::connect(address).await.unwrap();
    assert_eq!(connections.accept().await.1.ip().to_string(), "127.0.0.1");
}
