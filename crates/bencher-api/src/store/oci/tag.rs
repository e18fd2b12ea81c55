//! The tags of a project's repositories, with what they name.

use bencher_types::{Digest, wire::image::Image};

use crate::store::{Direction, ListQuery, Micros, Page, Store, StoreError, Text, list::like_pattern, project::ProjectRow};

#[derive(Debug, sqlx::FromRow)]
struct TagRow {
    /// What follows the project in the repository's name.
    repository: String,
    tag: String,
    digest: Text<Digest>,
    media_type: String,
    size: i64,
    created: Micros,
    modified: Micros,
}

const COLUMNS: &str = "oci_repository.name AS repository, oci_tag.name AS tag, oci_manifest.digest, oci_manifest.media_type, \
    oci_manifest.size + (SELECT CAST(COALESCE(SUM(oci_blob.size), 0) AS BIGINT) FROM oci_manifest_reference \
        JOIN oci_blob ON oci_blob.digest = oci_manifest_reference.digest \
        WHERE oci_manifest_reference.manifest_id = oci_manifest.id) AS size, oci_tag.created, oci_tag.modified";
const FROM: &str = "oci_tag JOIN oci_repository ON oci_repository.id = oci_tag.repository_id \
    JOIN oci_manifest ON oci_manifest.id = oci_tag.manifest_id";

/// What a list of tags is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagSort {
    /// By repository, then tag.
    Name,
    /// By when the tag was last pushed.
    Modified,
}

impl Store {
    /// One page of a project's tags, and how many there are. `search` is part of a repository, tag or digest.
    ///
    /// # Errors
    /// The database failed.
    pub async fn images(
        &self,
        project: &ProjectRow,
        search: Option<&str>,
        (sort, direction): (TagSort, Direction),
        page: Page,
    ) -> Result<(Vec<Image>, u64), StoreError> {
        let mut query = ListQuery::new(COLUMNS, FROM).filter("oci_repository.project_id = ?", project.id);
        if let Some(search) = search {
            let columns = ["oci_repository.name", "oci_tag.name", "oci_manifest.digest"];
            let part = columns.map(|column| format!("lower({column}) LIKE ? ESCAPE '\\'")).join(" OR ");
            query = query.filter(&format!("({part})"), like_pattern(search));
        }
        let columns: &[&str] = match sort {
            TagSort::Name => &["oci_repository.name", "oci_tag.name"],
            TagSort::Modified => &["oci_tag.modified", "oci_repository.name", "oci_tag.name"],
        };
        let order: Vec<String> = columns.iter().map(|column| format!("{column} {}", direction.sql())).collect();
        let mut conn = self.read().await?;
        let (rows, total) = query.page::<TagRow>(&mut conn, &order.join(", "), page).await?;
        let images = rows.into_iter().map(|row| row.into_json(project)).collect::<Result<_, _>>()?;
        Ok((images, total))
    }
}

impl TagRow {
    fn into_json(self, project: &ProjectRow) -> Result<Image, StoreError> {
        let slug = &project.slug.0;
        Ok(Image {
            repository: if self.repository.is_empty() { slug.to_string() } else { format!("{slug}/{}", self.repository) },
            tag: self.tag,
            digest: self.digest.0,
            media_type: self.media_type,
            size: u64::try_from(self.size).map_err(|_| StoreError::corrupt("oci_blob.size"))?,
            created: self.created.0,
            modified: self.modified.0,
        })
    }
}
