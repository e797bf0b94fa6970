//! `medring token`: tokens of the node's API for pages, monitors and devices, each for one purpose and revocable alone.

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::{Report, Style, printable, span, utc};
use clap::{Args, Subcommand};
use medring_node::api::types::{Scope, TokenCreated, TokenInfo, TokenRequest, TokensResponse};
use serde::Serialize;

/// `medring token …`.
#[derive(Subcommand, Debug)]
pub(crate) enum TokenCommand {
    /// Make a token; it is shown once
    Create(CreateArgs),
    /// List the tokens there are, without themselves
    List,
    /// End a token, at once and for good
    Revoke(RevokeArgs),
}

/// `medring token create`.
#[derive(Args, Debug)]
pub(crate) struct CreateArgs {
    /// viewer: the network; reader: what the wallet opens, too; device: hand in measurements; operator: everything
    #[arg(long, value_name = "viewer|reader|device|operator")]
    scope: Scope,
    /// For whom or what it is, at most 40 characters [default: its scope]
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// How long it is good: minutes, or with a unit, 90m, 12h, 30d [default: until it is revoked]
    #[arg(long, value_name = "TIME", value_parser = minutes)]
    expires: Option<u64>,
}

/// `medring token revoke`.
#[derive(Args, Debug)]
pub(crate) struct RevokeArgs {
    /// As `medring token list` shows it
    #[arg(value_name = "ID")]
    id: String,
}

/// `90`, `90m`, `12h`, `30d`.
fn minutes(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.chars().last() {
        Some('m') => (&text[..text.len() - 1], 1),
        Some('h') => (&text[..text.len() - 1], 60),
        Some('d') => (&text[..text.len() - 1], 24 * 60),
        _ => (text, 1),
    };
    let count: Option<u64> = digits.parse().ok().filter(|count| *count > 0);
    let minutes = count.and_then(|count| count.checked_mul(unit));
    minutes.ok_or_else(|| "give minutes, or a number with m, h or d, for example 30d".into())
}

/// As the API gives it.
#[derive(Serialize)]
#[serde(transparent)]
struct CreatedReport(TokenCreated);

impl Report for CreatedReport {
    fn text(&self, style: Style) -> String {
        let TokenCreated { info, token } = &self.0;
        let until = info.expires_ms.map_or_else(
            || "until it is revoked".into(),
            |ms| format!("for {}, until {}", span(ms.saturating_sub(info.created_ms)), utc(ms)),
        );
        let (name, scope) = (printable(&info.name), info.scope.name());
        format!(
            "{}\n\nToken {} for {name} ({scope}), good {until}. It is shown this once: the node keeps only its hash.\n",
            style.strong(token),
            info.id
        )
    }
}

/// As the API gives it.
#[derive(Serialize)]
#[serde(transparent)]
struct ListReport(TokensResponse);

impl Report for ListReport {
    fn text(&self, style: Style) -> String {
        if self.0.tokens.is_empty() {
            return "No tokens but the one of this start (api.token). Make one with `medring token create --scope viewer`.\n"
                .into();
        }
        let row = |token: &TokenInfo| {
            vec![
                token.id.clone(),
                token.scope.name().into(),
                printable(&token.name),
                utc(token.created_ms),
                token.expires_ms.map_or_else(|| "never".into(), utc),
            ]
        };
        let rows: Vec<_> = self.0.tokens.iter().map(row).collect();
        style.table(&["id", "scope", "name", "made", "ends"], &rows)
    }
}

/// As the API gives it.
#[derive(Serialize)]
#[serde(transparent)]
struct RevokedReport(TokenInfo);

impl Report for RevokedReport {
    fn text(&self, _: Style) -> String {
        format!("Token {} ({}) opens nothing any more\n", self.0.id, printable(&self.0.name))
    }
}

pub(super) fn run(command: TokenCommand, context: &Context) -> Outcome {
    let (client, output) = (context.client()?, context.output);
    match command {
        TokenCommand::Create(CreateArgs { scope, name, expires }) => {
            let request = TokenRequest { scope, name, minutes: expires };
            output.report(&CreatedReport(client.post("/v1/tokens", &request)?));
        }
        TokenCommand::List => output.report(&ListReport(client.get("/v1/tokens")?)),
        TokenCommand::Revoke(RevokeArgs { id }) => {
            output.report(&RevokedReport(client.delete(&format!("/v1/tokens/{}", segment(&id)))?));
        }
    }
    Ok(Exit::Ok)
}

/// Whatever was typed, as one segment of a path.
fn segment(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_or_counts_minutes() {
        for (text, count) in [("90", 90), ("90m", 90), ("12h", 720), ("30d", 43_200)] {
            assert_eq!(minutes(text), Ok(count), "{text}");
        }
        for wrong in ["", "h", "0d", "-1", "1w", "1.5h", "99999999999999999999d", "é"] {
            assert!(minutes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_id_stays_one_segment() {
        assert_eq!(segment("1a2B"), "1a2B");
        assert_eq!(segment("../x y"), "%2E%2E%2Fx%20y");
    }
}
