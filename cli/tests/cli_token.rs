//! `medring token`, against a real node.

#![allow(clippy::unwrap_used, reason = "a test")]

mod cli_common;

use cli_common::{Desk, start};
use medring_testnet::client::{Client, ClientError};
use serde_json::Value;

#[test]
fn a_token_is_made_used_listed_and_revoked() {
    let desk = Desk::new();
    desk.network("demo");
    desk.run("node init --data-dir node --genesis genesis.json").expect(0, "medring node run");
    desk.run("token list --data-dir node").expect(69, "no node is running");
    let _node = start(&desk);
    desk.run("token list --data-dir node").expect(0, "No tokens but the one of this start");
    desk.run("token create --scope admin --data-dir node").expect(2, "viewer, reader, device, operator");
    desk.run("token create --scope viewer --expires 0d --data-dir node").expect(2, "30d");
    desk.run("token create --scope device --name watch --expires 30d --data-dir node").expect(0, "good for 30 d");
    let made = desk.run("token create --scope viewer --name wall --json --data-dir node").expect(0, "token").json();
    let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    assert!(made["expires_ms"].is_null() && token.len() == 64, "{made}");
    let listed = desk.run("token list --data-dir node").expect(0, "watch").stdout;
    assert!(listed.contains(id) && listed.contains("never") && !listed.contains(token), "{listed}");

    let client = Client::from_data_dir(&desk.path("node")).unwrap();
    let viewer = Client::new(client.base(), token);
    viewer.get::<Value>("/v1/status").unwrap();
    let refused = viewer.get::<Value>("/v1/tokens").unwrap_err();
    assert!(matches!(&refused, ClientError::Refused(problem) if problem.status == 403), "{refused}");
    desk.run(&format!("token revoke {id} --data-dir node")).expect(0, "opens nothing any more");
    let refused = viewer.get::<Value>("/v1/status").unwrap_err();
    assert!(matches!(&refused, ClientError::Refused(problem) if problem.status == 401), "{refused}");
    desk.run(&format!("token revoke {id} --data-dir node")).expect(1, "no token of this id");
}
