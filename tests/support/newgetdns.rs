//! The app's own name service in the clear, as Citizen Lab's capture shows it (2023): a GET, and XML in raw deflate.

use std::fmt::Write;
use std::net::IpAddr;

use crate::http;

/// Port of the service.
pub const PORT: u16 = 8080;

/// Seconds that its answers hold.
pub const TTL_SECS: u32 = 1860;

/// The request.
pub fn request(host: &str, account: u32, client_version: u32, device_type: &str) -> Vec<u8> {
    let line = format!(
        "GET /cgi-bin/micromsg-bin/newgetdns?uin={account}&clientversion={client_version}&scene=0&net=1&md5={:032}\
         &devicetype={device_type}&lan=en&sigver=2&lasteffecttime=0&xagreementid=0&networkid=0&networkidctx=&mccmnc= HTTP/1.0",
        0
    );
    let headers = [
        ("Accept", "*/*"),
        ("Accept-Encoding", "deflate"),
        ("Cache-Control", "no-cache"),
        ("Connection", "close"),
        ("Content-Type", "application/octet-stream"),
        ("Host", host),
        ("User-Agent", "MicroMessenger Client"),
    ];
    http::request(&line, &headers, &[])
}

/// The reply: names with their addresses, the built-in list, and the public address of the user.
pub fn reply(names: &[(&str, Vec<IpAddr>)], builtin: &[IpAddr], client: IpAddr) -> Vec<u8> {
    let body = miniz_oxide::deflate::compress_to_vec(xml(names, builtin, client).as_bytes(), 6);
    let length = body.len().to_string();
    let head = [
        ("Cache-Control", "no-cache"),
        ("Connection", "close"),
        ("Content-Type", "text/xml"),
        ("Content-Encoding", "deflate"),
        ("Content-Length", &length),
    ];
    http::request("HTTP/1.0 200 OK", &head, &body)
}

/// The XML of a reply before compression.
pub fn xml(names: &[(&str, Vec<IpAddr>)], builtin: &[IpAddr], client: IpAddr) -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<dns>\n<retcode>0</retcode>\n<domainlist>\n".to_string();
    let list = |text: &mut String, addresses: &[IpAddr]| {
        for address in addresses {
            let _ = writeln!(text, "<ip>{address}</ip>");
        }
    };
    for (name, addresses) in names {
        let _ = writeln!(text, "<domain name=\"{name}\" timeout=\"{TTL_SECS}\">");
        list(&mut text, addresses);
        text += "</domain>\n";
    }
    text += "</domainlist>\n<builtiniplist>\n";
    list(&mut text, builtin);
    let _ = write!(text, "</builtiniplist>\n<clientip>{client}</clientip>\n</dns>\n");
    text
}
