//! JSON web tokens: confirmations, sessions and registry access. Signed with the server's secret key (HS256).

use std::time::Duration;

use bencher_types::{DateTime, Email, Jwt, OrganizationUuid, Role, Secret};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a token is for; a token for one purpose is refused for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Confirms a sign-up or log-in.
    Auth,
    /// A session.
    Client,
    /// Makes whoever has the address a member of an organization.
    Invite,
    /// An API token.
    ApiKey,
    /// Registry access of a user.
    OciAuth,
    /// Registry access of nobody in particular.
    OciPublic,
    /// Registry access of a project's key.
    OciProject,
    /// Registry access of a runner for one job.
    OciRunner,
}

/// What a token says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    pub aud: Audience,
    /// Seconds since the Unix epoch.
    pub exp: i64,
    /// Seconds since the Unix epoch.
    pub iat: i64,
    pub iss: String,
    /// Whose it is: an e-mail address, or the UUID of a runner or project.
    pub sub: String,
    /// The record of an API token or an invitation, or of the key that a registry token was issued for: who may revoke it finds it
    /// there. Of a confirmation, what makes it another one than the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<Uuid>,
    /// What a registry token allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oci: Option<OciAccess>,
    /// What an invitation is to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<OrgAccess>,
}

/// Membership that an invitation gives. For people to read: what holds is in the database, under the invitation's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgAccess {
    pub organization: OrganizationUuid,
    pub role: Role,
}

/// What a checked invitation says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationClaims {
    pub invitation: Uuid,
    pub email: Email,
}

/// Access to a repository of the registry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OciAccess {
    /// The name as it stands in the URL.
    pub repository: Option<String>,
    pub actions: Vec<OciAction>,
    /// May list all repositories.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub catalog: bool,
    /// Access to further repositories, such as the source of a mount.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<OciAccess>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OciAction {
    Pull,
    Push,
}

/// A token that is not accepted. Never says more than a caller may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the token has expired; log in again")]
    Expired,
    #[error("the token is for another purpose")]
    Audience,
    #[error("the token is not one of this server's")]
    Invalid,
}

/// Issues and checks tokens.
#[derive(Clone)]
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    issuer: String,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens(…)")
    }
}

impl Tokens {
    #[must_use]
    pub fn new(secret_key: &Secret, issuer: String) -> Self {
        let secret = secret_key.expose().as_bytes();
        Self { encoding: EncodingKey::from_secret(secret), decoding: DecodingKey::from_secret(secret), issuer }
    }

    /// A token and when it expires.
    #[must_use]
    pub fn issue(
        &self,
        audience: Audience,
        subject: impl Into<String>,
        oci: Option<OciAccess>,
        now: DateTime,
        ttl: Duration,
    ) -> (Jwt, DateTime) {
        let expires = now.saturating_add(ttl);
        // Of two confirmations within one second, each is good for one log-in.
        let jti = (audience == Audience::Auth).then(Uuid::new_v4);
        (self.sign(&Claims { jti, oci, ..self.claims(audience, subject, now, expires) }), expires)
    }

    /// What a token of ours says at least.
    #[must_use]
    pub fn claims(&self, audience: Audience, subject: impl Into<String>, now: DateTime, expires: DateTime) -> Claims {
        Claims {
            aud: audience,
            exp: expires.timestamp().as_second(),
            iat: now.timestamp().as_second(),
            iss: self.issuer.clone(),
            sub: subject.into(),
            jti: None,
            oci: None,
            org: None,
        }
    }

    /// The token that says this. It is the same for the same claims.
    #[must_use]
    pub fn sign(&self, claims: &Claims) -> Jwt {
        let token = jsonwebtoken::encode(&Header::default(), claims, &self.encoding)
            .expect("claims are plain JSON and HS256 signs anything");
        Jwt::new(token)
    }

    /// Who issues tokens here.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// An invitation of an address to an organization.
    #[must_use]
    pub fn issue_invitation(
        &self,
        email: &Email,
        (organization, role): (OrganizationUuid, Role),
        invitation: Uuid,
        now: DateTime,
        ttl: Duration,
    ) -> Jwt {
        self.sign(&Claims {
            org: Some(OrgAccess { organization, role }),
            jti: Some(invitation),
            ..self.claims(Audience::Invite, email.as_str(), now, now.saturating_add(ttl))
        })
    }

    /// Which invitation a token is, and of which address.
    ///
    /// # Errors
    /// It is none of ours, or has expired.
    pub fn check_invitation(&self, token: &str, now: DateTime) -> Result<InvitationClaims, TokenError> {
        let claims = self.check(token, &[Audience::Invite], now)?;
        let invitation = claims.jti.ok_or(TokenError::Invalid)?;
        let email = Email::new(claims.sub).map_err(|_| TokenError::Invalid)?;
        Ok(InvitationClaims { invitation, email })
    }

    /// What a token says, if it is ours, not expired and for one of these purposes.
    ///
    /// # Errors
    /// It is not.
    pub fn check(&self, token: &str, audiences: &[Audience], now: DateTime) -> Result<Claims, TokenError> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[&self.issuer]);
        // Expiry is checked against our own clock, and the audience below, where its reason can be told.
        validation.validate_exp = false;
        validation.validate_aud = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &validation).map_err(|_| TokenError::Invalid)?.claims;
        if claims.exp <= now.timestamp().as_second() {
            return Err(TokenError::Expired);
        }
        if !audiences.contains(&claims.aud) {
            return Err(TokenError::Audience);
        }
        Ok(claims)
    }
}
