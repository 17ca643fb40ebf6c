//! The proxy between real sockets: a client on one side, a small server on the other.

use std::convert::Infallible;
use std::time::Instant;

use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _, stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::*;

const LIMIT: Duration = Duration::from_secs(10);

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

fn router(proxy: &Proxy) -> Router {
    Router::new().fallback_service(proxy.service())
}

/// A proxy before this server, and the proxy's address.
async fn before(server: SocketAddr, prefix: &str) -> SocketAddr {
    serve(router(&Proxy::new(&format!("ws://{server}{prefix}")).unwrap())).await
}

/// Tells in its body what it was asked.
async fn mirror(request: Request) -> String {
    let mut text = format!("{} {}\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        text += &format!("{name}: {}\n", value.to_str().unwrap());
    }
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    text + "\n" + std::str::from_utf8(&body).unwrap()
}

/// Writes these bytes and reads until the other end has no more to say.
async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    timeout(LIMIT, stream.read_to_end(&mut response)).await.unwrap().unwrap();
    String::from_utf8_lossy(&response).into_owned()
}

fn client() -> reqwest::Client {
    let tls = crate::room::signal::tls::config().unwrap();
    reqwest::Client::builder().tls_backend_preconfigured(tls).build().unwrap()
}

#[tokio::test]
async fn requests_arrive_as_they_were_sent() {
    let server = serve(Router::new().fallback(mirror)).await;
    let cases = [
        ("GET", "", "/settings/regions?a=b%20c&d=%2F%2e%2E'|", ""),
        ("GET", "/live/kit", "/a/../b//c/%2e%2e/d", ""),
        ("DELETE", "/live", "/rtc/validate", ""),
        ("POST", "", "/twirp/livekit.RoomService/ListRooms", "{\"names\":[]}"),
        ("OPTIONS", "", "/?", ""),
    ];
    for (method, prefix, path, body) in cases {
        let proxy = before(server, prefix).await;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: app.example\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nAuthorization: \
             Bearer t\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let response = exchange(proxy, &request).await;
        let (_, seen) = response.split_once("\r\n\r\n").unwrap();
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
        assert!(seen.starts_with(&format!("{method} {prefix}{path}\n")), "{seen}");
        for line in
            ["authorization: Bearer t\n", "x-a: 1\nx-a: 2\n", "x-forwarded-for: 127.0.0.1\n", "via: 1.1 trunkline-"]
        {
            assert!(seen.contains(line), "{line:?} is not in {seen}");
        }
        assert!(
            seen.contains(&format!("host: {server}\n")) && !seen.contains("x-hop") && !seen.contains("app.example")
        );
        assert!(seen.ends_with(&format!("\n\n{body}")), "{seen}");
    }
}

#[tokio::test]
async fn answers_come_back_as_they_were_given() {
    let answer = || async {
        let headers = [("set-cookie", "a=b"), ("x-own", "1"), ("content-type", "application/json")];
        (StatusCode::IM_A_TEAPOT, headers, r#"{"regions":[{"url":"wss://other.example"}]}"#)
    };
    let proxy = before(serve(Router::new().route("/settings/regions", get(answer))).await, "").await;
    let response = client().get(format!("http://{proxy}/settings/regions")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["x-own"].to_str().unwrap()), (418, "1"));
    assert_eq!(response.headers()["set-cookie"], "a=b");
    assert_eq!(response.text().await.unwrap(), r#"{"regions":[{"url":"wss://other.example"}]}"#);
    let response = client().head(format!("http://{proxy}/settings/regions")).send().await.unwrap();
    assert_eq!(response.headers()["content-length"], "43", "a HEAD has the length of what a GET would have");
}

#[tokio::test]
async fn large_bodies_flow_both_ways_and_are_never_held() {
    const CHUNK: usize = 64 * 1024;
    const CHUNKS: usize = 1024;
    let echo = |request: Request| async move { request.into_body() };
    let proxy = before(serve(Router::new().route("/echo", post(echo))).await, "").await;
    let (feed, chunks) = mpsc::channel::<Bytes>(1);
    let chunks = stream::unfold(chunks, |mut chunks| async {
        chunks.recv().await.map(|chunk| (Ok::<_, Infallible>(chunk), chunks))
    });
    let request = client().post(format!("http://{proxy}/echo")).body(reqwest::Body::wrap_stream(chunks)).send();
    let request = tokio::spawn(request);
    feed.send(Bytes::from_static(b"first")).await.unwrap();
    let mut response = timeout(LIMIT, request).await.unwrap().unwrap().unwrap();
    let first = timeout(LIMIT, response.chunk()).await.expect("the first chunk comes back before the last is sent");
    assert_eq!(first.unwrap().unwrap(), "first");
    let sender = tokio::spawn(async move {
        for _ in 0..CHUNKS {
            feed.send(Bytes::from(vec![7; CHUNK])).await.unwrap();
        }
    });
    let mut received = 0;
    while let Some(chunk) = timeout(LIMIT, response.chunk()).await.unwrap().unwrap() {
        received += chunk.len();
    }
    sender.await.unwrap();
    assert_eq!(received, CHUNK * CHUNKS);
}

#[tokio::test]
async fn a_chunked_answer_arrives_as_it_is_spoken() {
    let (feed, chunks) = mpsc::channel::<Bytes>(1);
    let chunks = Arc::new(tokio::sync::Mutex::new(chunks));
    let answer = move || {
        let chunks = Arc::clone(&chunks);
        let next = move |chunks: Arc<tokio::sync::Mutex<mpsc::Receiver<Bytes>>>| async move {
            let chunk = chunks.lock().await.recv().await?;
            Some((Ok::<_, Infallible>(chunk), chunks))
        };
        async move { Body::from_stream(stream::unfold(chunks, next)) }
    };
    let proxy = before(serve(Router::new().route("/", get(answer))).await, "").await;
    let mut response = client().get(format!("http://{proxy}/")).send().await.unwrap();
    for word in ["one", "two", "three"] {
        feed.send(Bytes::from_static(word.as_bytes())).await.unwrap();
        assert_eq!(timeout(LIMIT, response.chunk()).await.unwrap().unwrap().unwrap(), word);
    }
    drop(feed);
    assert_eq!(timeout(LIMIT, response.chunk()).await.unwrap().unwrap(), None);
}

/// A WebSocket server that says everything back, and tells when a client is gone.
async fn websocket_server() -> (SocketAddr, mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, gone) = mpsc::channel(8);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let tell = tell.clone();
            tokio::spawn(async move {
                let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
                while let Some(Ok(message)) = socket.next().await {
                    if message.is_binary() || message.is_text() {
                        socket.send(message).await.unwrap();
                    }
                }
                tell.send(()).await.unwrap();
            });
        }
    });
    (address, gone)
}

#[tokio::test]
async fn websockets_go_through() {
    let (server, mut gone) = websocket_server().await;
    let proxy = before(server, "/prefix").await;
    let url = format!("ws://{proxy}/rtc/v1?join_request=x");
    let (mut socket, response) = tokio_tungstenite::connect_async(url).await.unwrap();
    assert_eq!(response.status(), 101);
    for length in [0, 1, 125, 65_536, 1 << 20] {
        let message = Message::binary(vec![3; length]);
        socket.send(message.clone()).await.unwrap();
        assert_eq!(timeout(LIMIT, socket.next()).await.unwrap().unwrap().unwrap(), message);
    }
    socket.close(None).await.unwrap();
    while let Some(message) = timeout(LIMIT, socket.next()).await.unwrap() {
        assert!(message.unwrap().is_close(), "nothing but the server's goodbye");
    }
    timeout(LIMIT, gone.recv()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_is_gone_is_gone_for_the_server_within_a_second() {
    let (server, mut gone) = websocket_server().await;
    let proxy = Proxy::new(&format!("ws://{server}")).unwrap();
    let address = serve(router(&proxy)).await;
    let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{address}/rtc")).await.unwrap();
    socket.send(Message::text("hello")).await.unwrap();
    socket.next().await.unwrap().unwrap();
    let places = &proxy.0.as_ref().unwrap().tunnels;
    assert_eq!(places.available_permits(), MAX_TUNNELS - 1);
    let since = Instant::now();
    drop(socket);
    timeout(LIMIT, gone.recv()).await.unwrap().unwrap();
    drop(timeout(LIMIT, places.acquire_many(u32::try_from(MAX_TUNNELS).unwrap())).await.unwrap().unwrap());
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
}

#[tokio::test]
async fn a_websocket_that_is_refused_is_an_ordinary_answer() {
    let refuse = || async { (StatusCode::UNAUTHORIZED, "invalid token") };
    let proxy = before(serve(Router::new().route("/rtc", get(refuse))).await, "").await;
    let Err(tokio_tungstenite::tungstenite::Error::Http(response)) =
        tokio_tungstenite::connect_async(format!("ws://{proxy}/rtc")).await
    else {
        panic!("it was not refused");
    };
    assert_eq!((response.status().as_u16(), response.body().as_deref()), (401, Some(&b"invalid token"[..])));
}

#[tokio::test]
async fn no_more_websockets_than_there_are_places() {
    let (server, _gone) = websocket_server().await;
    let proxy = Proxy::new(&format!("ws://{server}")).unwrap();
    let address = serve(router(&proxy)).await;
    let _all = proxy.0.as_ref().unwrap().tunnels.acquire_many(u32::try_from(MAX_TUNNELS).unwrap()).await.unwrap();
    let Err(tokio_tungstenite::tungstenite::Error::Http(response)) =
        tokio_tungstenite::connect_async(format!("ws://{address}/rtc")).await
    else {
        panic!("it was taken");
    };
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &"5".parse().unwrap()));
}

#[tokio::test]
async fn a_server_that_is_away_is_named() {
    let away = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let proxy = before(away, "").await;
    let response = client().get(format!("http://{proxy}/rtc/validate")).send().await.unwrap();
    assert_eq!(response.status(), 502);
    let text = response.text().await.unwrap();
    assert!(text.starts_with(&format!("LiveKit server {away} is not reachable: ")), "{text}");
    let twirp = client().post(format!("http://{proxy}/twirp/livekit.RoomService/ListRooms")).send().await.unwrap();
    assert_eq!(
        (twirp.status().as_u16(), &twirp.headers()["content-type"]),
        (502, &"application/json".parse().unwrap())
    );
    let error: serde_json::Value = twirp.json().await.unwrap();
    assert_eq!(error["code"], "unavailable");
    assert!(error["msg"].as_str().unwrap().contains("is not reachable"), "{error}");
}

#[tokio::test]
async fn a_server_that_has_closed_a_free_connection_is_asked_on_another() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    let (tell, mut closed) = mpsc::channel(8);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            assert!(stream.read(&mut buffer).await.unwrap() > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
            drop(stream);
            tell.send(()).await.unwrap();
        }
    });
    let proxy = before(server, "").await;
    for _ in 0..5 {
        let response = client().post(format!("http://{proxy}/twirp/x")).body("{}").send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.text().await.unwrap()), (200, "ok".into()));
        closed.recv().await.unwrap();
    }
}

#[tokio::test]
async fn a_body_that_stops_in_the_middle_breaks_off() {
    let first = stream::once(async { Ok::<_, Infallible>(Bytes::from_static(b"half")) });
    let body = body::patient(Body::from_stream(first.chain(stream::pending())), Duration::from_millis(20));
    let mut body = body.into_data_stream();
    assert_eq!(body.next().await.unwrap().unwrap(), "half");
    let error = timeout(LIMIT, body.next()).await.unwrap().unwrap().unwrap_err();
    assert!(error.to_string().contains("nothing came for"), "{error}");
}

#[tokio::test]
async fn a_slow_server_is_waited_for_and_a_client_that_gives_up_is_felt() {
    let (tell, mut dropped) = mpsc::channel(1);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
        tell.send(()).await.unwrap();
    });
    let proxy = before(server, "").await;
    let asked = client().get(format!("http://{proxy}/slow")).timeout(Duration::from_millis(300)).send().await;
    assert!(asked.unwrap_err().is_timeout(), "nobody answers in the server's place");
    timeout(Duration::from_secs(1), dropped.recv()).await.expect("the server's connection ends as well").unwrap();
}

#[tokio::test]
async fn what_is_refused_before_the_server_hears_of_it() {
    let server = serve(Router::new().fallback(mirror)).await;
    let proxy = before(server, "").await;
    let long = format!("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Long: {}\r\n\r\n", "x".repeat(MAX_HEADERS));
    let cases = [
        ("headers too long", long.as_str(), "HTTP/1.1 431 "),
        (
            "a tunnel to anywhere",
            "CONNECT example.org:443 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 405 ",
        ),
        ("no HTTP", "hello\r\n\r\n", "HTTP/1.1 400 "),
    ];
    for (name, request, expected) in cases {
        let response = exchange(proxy, request).await;
        assert!(response.starts_with(expected), "{name}: {response}");
    }
    let closed = serve(router(&Proxy::closed())).await;
    assert_eq!(client().get(format!("http://{closed}/rtc")).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_gateway_before_itself_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let proxy = Proxy::new(&format!("http://{address}")).unwrap();
    tokio::spawn(async move { axum::serve(listener, router(&proxy)).await });
    let response = timeout(LIMIT, client().get(format!("http://{address}/rtc")).send()).await.unwrap().unwrap();
    assert_eq!(response.status(), 508);
    assert!(response.text().await.unwrap().contains("is this gateway itself"));
}
