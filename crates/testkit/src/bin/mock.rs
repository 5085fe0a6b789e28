//! `gridwarden-mock SYSTEM PORT`: one of the mocks for other people's clients to speak to, until it is killed.

use testkit::mock::{Mock, System};

fn main() {
    let mut args = std::env::args().skip(1);
    let (system, port) = (args.next().unwrap_or_default(), args.next().and_then(|p| p.parse().ok()));
    let system = match system.as_str() {
        "splunk" => System::Splunk,
        "splunk-ack" => System::SplunkAck,
        "elastic" => System::Elastic,
        "servicenow" => System::ServiceNow,
        "xsoar6" => System::Xsoar6,
        "xsoar8" => System::Xsoar8,
        "webhook" => System::Webhook,
        other => panic!("`{other}` is none of splunk, splunk-ack, elastic, servicenow, xsoar6, xsoar8, webhook"),
    };
    let mock = Mock::start(system, port.expect("a port")).expect("the port is free");
    let mut line = String::new();
    // Ends with whoever started it.
    while std::io::stdin().read_line(&mut line).is_ok_and(|n| n > 0) {
        line.clear();
    }
    drop(mock);
}
