//! HTTP/1 messages, header lines in the order given.

/// A request; a `Content-Length` must be among the headers when there is a body.
pub fn request(line: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    message(line, headers, body)
}

/// A reply; `headers` get a `Content-Length` of the body behind them.
pub fn reply(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let length = body.len().to_string();
    message(&format!("HTTP/1.1 {status}"), &[headers, &[("Content-Length", &length)]].concat(), body)
}

/// A plain request for a page or a picture.
pub fn get(host: &str, path: &str, user_agent: &str) -> Vec<u8> {
    let headers = [("Host", host), ("User-Agent", user_agent), ("Accept", "*/*"), ("Connection", "close")];
    request(&format!("GET {path} HTTP/1.1"), &headers, &[])
}

fn message(line: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{line}\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += "\r\n";
    [text.as_bytes(), body].concat()
}
