//! How typed values travel to and from columns.

use std::{borrow::Cow, str::FromStr};

use bencher_types::DateTime;
use sqlx::{Database, Decode, Type, error::BoxDynError};

/// A parameter of a statement: one of the four column types, or NULL of a known type.
#[derive(Clone, Debug)]
pub enum Value {
    Integer(Option<i64>),
    Double(Option<f64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

macro_rules! values_from {
    ($($type:ty => |$value:ident| $variant:ident($into:expr);)+) => {$(
        impl From<$type> for Value {
            fn from($value: $type) -> Self {
                Self::$variant(Some($into))
            }
        }

        impl From<Option<$type>> for Value {
            fn from(option: Option<$type>) -> Self {
                Self::$variant(option.map(|$value| $into))
            }
        }
    )+};
}

values_from! {
    i64 => |value| Integer(value);
    u32 => |value| Integer(i64::from(value));
    bool => |value| Integer(i64::from(value));
    DateTime => |value| Integer(value.as_micros());
    f64 => |value| Double(value);
    &str => |value| Text(without_nul(value.to_owned()));
    String => |value| Text(without_nul(value));
    Vec<u8> => |value| Bytes(value);
    &bencher_types::ResourceName => |value| Text(value.to_string());
    &bencher_types::UserName => |value| Text(value.to_string());
    &bencher_types::BranchName => |value| Text(value.to_string());
    &bencher_types::BenchmarkName => |value| Text(value.to_string());
    &bencher_types::Slug => |value| Text(value.to_string());
    &bencher_types::Email => |value| Text(value.to_string());
    &bencher_types::GitHash => |value| Text(value.to_string());
    &bencher_types::Digest => |value| Text(value.to_string());
    &bencher_types::KeyHash => |value| Text(value.as_str().to_owned());
    bencher_types::ServerUuid => |value| Text(value.to_string());
    bencher_types::UserUuid => |value| Text(value.to_string());
    bencher_types::UserKeyUuid => |value| Text(value.to_string());
    bencher_types::TokenUuid => |value| Text(value.to_string());
    bencher_types::ProjectKeyUuid => |value| Text(value.to_string());
    bencher_types::OrganizationUuid => |value| Text(value.to_string());
    bencher_types::ProjectUuid => |value| Text(value.to_string());
    bencher_types::BranchUuid => |value| Text(value.to_string());
    bencher_types::HeadUuid => |value| Text(value.to_string());
    bencher_types::TestbedUuid => |value| Text(value.to_string());
    bencher_types::BenchmarkUuid => |value| Text(value.to_string());
    bencher_types::MeasureUuid => |value| Text(value.to_string());
    bencher_types::MetricUuid => |value| Text(value.to_string());
    bencher_types::PlotUuid => |value| Text(value.to_string());
    bencher_types::ThresholdUuid => |value| Text(value.to_string());
    bencher_types::ModelUuid => |value| Text(value.to_string());
    bencher_types::AlertUuid => |value| Text(value.to_string());
    bencher_types::ChangePointUuid => |value| Text(value.to_string());
    bencher_types::ReportUuid => |value| Text(value.to_string());
    bencher_types::ReportIdempotencyKey => |value| Text(value.to_string());
    bencher_types::RunnerUuid => |value| Text(value.to_string());
    bencher_types::SpecUuid => |value| Text(value.to_string());
    bencher_types::JobUuid => |value| Text(value.to_string());
    bencher_types::JobStatus => |value| Integer(value.number());
}

/// PostgreSQL's texts have no NUL. One that a stranger wrote (a runner's message, what a list is searched for) must be no failure of the
/// database, and be the same on both of them; what is valid as a name has none anyway.
fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// A text column that is read as a type of its own: `Text<Slug>`, `Option<Text<Url>>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<T>(pub T);

impl<DB: Database, T> Type<DB> for Text<T>
where
    String: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        <String as Type<DB>>::type_info()
    }

    fn compatible(ty: &DB::TypeInfo) -> bool {
        <String as Type<DB>>::compatible(ty)
    }
}

impl<'r, DB: Database, T: FromStr> Decode<'r, DB> for Text<T>
where
    &'r str: Decode<'r, DB>,
    T::Err: std::fmt::Display,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
        let text = <&str as Decode<DB>>::decode(value)?;
        // Names with NUL were once let in. One of them must not hide the rest of a list; what is put in its place is as long.
        let text = if text.contains('\0') { Cow::Owned(text.replace('\0', "?")) } else { Cow::Borrowed(text) };
        text.parse().map(Self).map_err(|error: T::Err| error.to_string().into())
    }
}

/// An integer column that holds a point in time as microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Micros(pub DateTime);

impl<DB: Database> Type<DB> for Micros
where
    i64: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        <i64 as Type<DB>>::type_info()
    }

    fn compatible(ty: &DB::TypeInfo) -> bool {
        <i64 as Type<DB>>::compatible(ty)
    }
}

impl<'r, DB: Database> Decode<'r, DB> for Micros
where
    i64: Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(DateTime::from_micros(<i64 as Decode<DB>>::decode(value)?)?))
    }
}
