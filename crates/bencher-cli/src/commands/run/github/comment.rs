//! The comment on a pull request: one for each project or id, found again by its first line, which nobody sees.

use serde::Deserialize;
use serde_json::json;

use super::{Telling, event::Target, is_quiet};
use crate::{
    client::{ApiError, Client},
    limits,
    output::comment::{
        comment as text,
        markup::{Markup, escaped},
    },
};

/// What became of a comment.
pub(super) enum Told {
    Written,
    /// There was none before, and there is nothing to begin with.
    NoAlert,
}

#[derive(Deserialize)]
struct Comment {
    id: u64,
    body: Option<String>,
}

/// Writes the comment, or brings it up to date.
///
/// A new one is sent once, and looked for before it is sent again: an answer that was lost must not make a second comment.
pub(super) async fn comment(client: &Client, telling: &Telling<'_>, target: &Target) -> Result<Told, ApiError> {
    let marker = format!("<!-- bencher: {} -->", escaped(&telling.id()));
    let room = limits::MAX_COMMENT_BYTES.saturating_sub(marker.len() + 1);
    let body = json!({ "body": format!("{marker}\n{}", text(telling.report, telling.pages, Markup::Html, room)) });
    let mut attempt = 1;
    loop {
        let known = find(client, target, &marker).await?;
        if known.is_none() && telling.plan.only_on_alert && is_quiet(telling.report) {
            return Ok(Told::NoAlert);
        }
        if let Some(id) = known
            && update(client, target, id, &body).await?
        {
            return Ok(Told::Written);
        }
        let error = match client.post_once::<Comment>(&comments(target), &body).await {
            Ok(_) => return Ok(Told::Written),
            Err(error) => error,
        };
        let Some(wait) = client.wait_after(attempt, &error) else { return Err(error) };
        tokio::time::sleep(wait).await;
        attempt += 1;
    }
}

/// Whether a comment could be changed. Somebody else's cannot, and one that was deleted since neither: ours is a new one then.
async fn update(client: &Client, target: &Target, id: u64, body: &serde_json::Value) -> Result<bool, ApiError> {
    let (owner, name, id) = (&target.repository.owner, &target.repository.name, id.to_string());
    match client.patch::<Comment>(&["repos", owner, name, "issues", "comments", &id], body).await {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.refused_with(), Some(403 | 404)) => Ok(false),
        Err(error) => Err(error),
    }
}

fn comments(target: &Target) -> [String; 6] {
    let Target { repository, number } = target;
    ["repos", &repository.owner, &repository.name, "issues", &number.to_string(), "comments"].map(str::to_owned)
}

/// The comment that begins with our marker.
async fn find(client: &Client, target: &Target, marker: &str) -> Result<Option<u64>, ApiError> {
    for page in 1..=limits::MAX_COMMENT_PAGES {
        let query = [("per_page", limits::COMMENTS_PER_PAGE.to_string()), ("page", page.to_string())];
        let comments = client.get::<Vec<Comment>>(&comments(target), &query).await?.body()?;
        let ours = comments.iter().find(|comment| comment.body.as_deref().is_some_and(|body| body.starts_with(marker)));
        if let Some(comment) = ours {
            return Ok(Some(comment.id));
        }
        if comments.len() < limits::COMMENTS_PER_PAGE {
            break;
        }
    }
    Ok(None)
}
