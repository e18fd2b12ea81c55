//! Lists: what a query string may ask of one, and a page of one as a response.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use bencher_types::wire::TOTAL_COUNT_HEADER;
use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

pub use crate::store::{Direction, ListBy, NameSort, Page};

/// One page of a list, and how many items there are in all.
#[derive(Clone, Debug)]
pub struct Listing<T> {
    pub items: Vec<T>,
    pub total: u64,
}

impl<T> Listing<T> {
    /// A page of rows as what they are to a client.
    pub(crate) fn of<R: Into<T>>((rows, total): (Vec<R>, u64)) -> Self {
        Self { items: rows.into_iter().map(Into::into).collect(), total }
    }
}

impl<T: Serialize> IntoResponse for Listing<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.items).into_response();
        response.headers_mut().insert(HeaderName::from_static(TOTAL_COUNT_HEADER), HeaderValue::from(self.total));
        response
    }
}

// `serde` cannot flatten numbers out of a query string, so the common parameters are written out by a macro.
macro_rules! list_queries {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
        #[into_params(parameter_in = Query)]
        pub(crate) struct $name {
            pub(crate) sort: Option<NameSort>,
            pub(crate) direction: Option<Direction>,
            /// Items on a page, at most 255; 8 when absent.
            pub(crate) per_page: Option<u8>,
            /// Counts from 1.
            pub(crate) page: Option<u32>,
            /// Exactly this name.
            pub(crate) name: Option<String>,
            /// Part of the name, slug or UUID.
            pub(crate) search: Option<String>,
            $($(#[$field_doc])* pub(crate) $field: $type,)*
        }

        impl $name {
            pub(crate) fn by(&self) -> ListBy {
                ListBy {
                    name: self.name.clone(),
                    search: self.search.clone(),
                    sort: self.sort.unwrap_or_default(),
                    direction: self.direction.unwrap_or(Direction::Asc),
                    page: Page::new(self.per_page, self.page),
                }
            }
        }
    )+};
}

list_queries! {
    /// A list of named things.
    NamesQuery {}
    /// A list of things that can be deleted and brought back.
    DeletableQuery {
        /// `true` shows deleted ones only. For admins of the server.
        deleted: Option<bool>,
    }
    /// A list of things of the server that can be archived.
    ServerListQuery {
        /// `true` shows archived ones too.
        archived: Option<bool>,
    }
    /// A list of things of a project that can be archived.
    ProjectListQuery {
        /// `true` shows archived ones only.
        archived: Option<bool>,
    }
    /// A list of keys.
    KeysQuery {
        /// `true` shows revoked ones only.
        revoked: Option<bool>,
    }
}
