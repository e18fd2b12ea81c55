//! Choosing a slug for something new.

use std::collections::HashSet;

use bencher_types::Slug;
use uuid::Uuid;

use super::{Among, Queries, StoreError, Text, Tx, among, list};
use crate::values;

/// Where a slug must be unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    User,
    Organization,
    Project,
    Runner,
    Spec,
    /// The table's rows of one project.
    InProject {
        table: &'static str,
        project_id: i64,
    },
}

#[derive(sqlx::FromRow)]
struct Taken {
    #[expect(dead_code, reason = "only whether there is a row matters")]
    id: i64,
}

/// The slug that was asked for, as it is (a clash then fails the insert); else one made from the name, with a random suffix where that
/// is taken or the name has no letter or digit.
pub(crate) async fn choose(tx: &mut Tx, scope: Scope, asked: Option<&Slug>, name: &str) -> Result<Slug, StoreError> {
    if let Some(slug) = asked {
        return Ok(slug.clone());
    }
    let Some(slug) = Slug::from_name(name) else {
        return Ok(random());
    };
    let (sql, values) = match scope {
        Scope::User => ("SELECT id FROM users WHERE slug = $1".into(), values![&slug]),
        Scope::Organization => ("SELECT id FROM organization WHERE slug = $1".into(), values![&slug]),
        Scope::Project => ("SELECT id FROM project WHERE slug = $1".into(), values![&slug]),
        Scope::Runner => ("SELECT id FROM runner WHERE slug = $1".into(), values![&slug]),
        Scope::Spec => ("SELECT id FROM spec WHERE slug = $1".into(), values![&slug]),
        Scope::InProject { table, project_id } => {
            (format!("SELECT id FROM {table} WHERE slug = $1 AND project_id = $2"), values![&slug, project_id])
        }
    };
    let taken: Option<Taken> = tx.optional(sql, values).await?;
    Ok(if taken.is_some() { slug.with_suffix(&suffix()) } else { slug })
}

/// Slugs for many new rows of one project's table: those made from their names, where there is one and it is free.
pub(crate) async fn choose_all(
    tx: &mut Tx,
    table: &'static str,
    project: i64,
    wanted: Vec<Option<Slug>>,
) -> Result<Vec<Slug>, StoreError> {
    #[derive(sqlx::FromRow)]
    struct TakenSlug {
        slug: Text<Slug>,
    }

    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let clashing = among(tx, "slug", Among::Texts, 2);
    let sql = format!("SELECT slug FROM {table} WHERE project_id = $1 AND {clashing}");
    let found = tx.all::<TakenSlug>(sql, values![project, list(wanted.iter().flatten())]).await?;
    let mut taken: HashSet<Slug> = found.into_iter().map(|row| row.slug.0).collect();
    Ok(wanted
        .into_iter()
        .map(|wanted| match wanted {
            Some(slug) if taken.insert(slug.clone()) => slug,
            Some(slug) => slug.with_suffix(&suffix()),
            None => random(),
        })
        .collect())
}

/// What tells a slug from others of the same name.
pub(super) fn suffix() -> String {
    Uuid::new_v4().simple().to_string()[..7].to_owned()
}

fn random() -> Slug {
    Slug::new(suffix()).expect("hexadecimal digits make a slug")
}
