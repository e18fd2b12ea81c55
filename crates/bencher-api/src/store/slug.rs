//! Choosing a slug for something new.

use bencher_types::Slug;
use uuid::Uuid;

use super::{Queries, StoreError, Tx};
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
    let suffix = || Uuid::new_v4().simple().to_string()[..7].to_owned();
    let Some(slug) = Slug::from_name(name) else {
        return Ok(Slug::new(suffix()).expect("hexadecimal digits make a slug"));
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
