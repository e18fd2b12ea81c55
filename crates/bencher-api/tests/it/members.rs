//! `/v0/organizations/{organization}/members`, and invitations through `/v0/auth`.

use bencher_api::{store::Queries as _, values};
use bencher_types::{Email, OrganizationUuid, Role};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    setup::{TestUser, refused},
    support::{TestServer, on_each_database},
};

#[derive(sqlx::FromRow)]
struct Invitation {
    uuid: String,
    organization: String,
    role: String,
}

impl TestServer {
    /// The token of the address's only invitation, as if it had been read from the mail.
    pub(crate) async fn invitation(&self, email: &str) -> String {
        let sql = "SELECT invitation.uuid, organization.uuid AS organization, invitation.role FROM invitation \
                   JOIN organization ON organization.id = invitation.organization_id WHERE email = $1";
        let row: Invitation = self.app.store.read().await.unwrap().one(sql, values![email]).await.unwrap();
        let (organization, role): (OrganizationUuid, Role) = (row.organization.parse().unwrap(), row.role.parse().unwrap());
        let (email, uuid): (Email, Uuid) = (email.parse().unwrap(), row.uuid.parse().unwrap());
        let (now, ttl) = (self.app.clock.now(), std::time::Duration::from_secs(60));
        self.app.tokens.issue_invitation(&email, (organization, role), uuid, now, ttl).expose().to_owned()
    }

    async fn invite(&self, by: &TestUser, organization: &str, email: &str, role: &str) -> (StatusCode, Value) {
        let path = format!("/v0/organizations/{organization}/members");
        self.post(&path, by, json!({ "email": email, "role": role })).await
    }

    async fn accept(&self, user: &TestUser, invite: &str) -> (StatusCode, Value) {
        self.post("/v0/auth/accept", user, json!({ "invite": invite })).await
    }

    /// Makes a user a member of an organization.
    pub(crate) async fn join(&self, user: &TestUser, leader: &TestUser, organization: &str, role: &str) {
        let email = format!("{}@example.com", user.slug);
        assert_eq!(self.invite(leader, organization, &email, role).await.0, StatusCode::ACCEPTED);
        let invitation = self.invitation(&email).await;
        assert_eq!(self.accept(user, &invitation).await, (StatusCode::ACCEPTED, json!({ "email": email })));
    }
}

const MEMBERS: &str = "/v0/organizations/acme/members";

/// An admin of the server, and the leader of the organization `acme`.
async fn acme(server: &TestServer) -> (TestUser, TestUser) {
    let admin = server.sign_up("Ada").await;
    let leader = server.sign_up("Lea").await;
    server.create("/v0/organizations", &leader, json!({ "name": "Acme" })).await;
    (admin, leader)
}

#[tokio::test]
async fn an_invited_user_joins_with_the_role_of_the_invitation() {
    on_each_database(async |server| {
        let (_, lea) = acme(&server).await;
        let dev = server.sign_up("Dev").await;
        refused(server.get(MEMBERS, &dev).await, 404, "Organization (acme) not found");
        server.join(&dev, &lea, "acme", "developer").await;

        let (status, member) = server.get(&format!("{MEMBERS}/dev"), &dev).await;
        assert_eq!(status, StatusCode::OK);
        for (key, value) in [("slug", "dev"), ("name", "Dev"), ("email", "dev@example.com"), ("role", "developer")] {
            assert_eq!(member[key], value);
        }
        assert_eq!((member["uuid"].as_str(), member["created"].is_string()), (Some(&*dev.uuid), true));
        assert_eq!(server.list(MEMBERS, Some(&dev), "role").await, (vec!["developer".into(), "leader".into()], 2));
        assert_eq!(server.list(&format!("{MEMBERS}?search=LEA&per_page=1"), Some(&dev), "slug").await, (vec!["lea".into()], 1));
        assert_eq!(server.list(&format!("{MEMBERS}?sort=created&direction=desc"), Some(&dev), "slug").await.0, ["dev", "lea"]);
    })
    .await;
}

#[tokio::test]
async fn roles_decide_who_sees_invites_changes_and_removes() {
    on_each_database(async |server| {
        let (admin, lea) = acme(&server).await;
        let [dev, vic, eve] = [server.sign_up("Dev").await, server.sign_up("Vic").await, server.sign_up("Eve").await];
        server.join(&dev, &lea, "acme", "developer").await;
        server.join(&vic, &lea, "acme", "viewer").await;

        // What each may do: see, invite, change, remove somebody else.
        for (user, statuses) in [
            (&eve, [404, 404, 404, 404]),
            (&vic, [200, 403, 403, 403]),
            (&dev, [200, 403, 403, 403]),
            (&lea, [200, 202, 200, 404]),
            (&admin, [200, 202, 200, 404]),
        ] {
            let found = [
                server.get(MEMBERS, user).await.0,
                server.invite(user, "acme", "new@example.com", "viewer").await.0,
                server.patch(&format!("{MEMBERS}/vic"), user, json!({ "role": "viewer" })).await.0,
                server.delete(&format!("{MEMBERS}/nobody"), user).await.0,
            ];
            assert_eq!(found.map(|status| status.as_u16()), statuses, "{}", user.slug);
        }
        let anonymous = server.send(Method::GET, MEMBERS, None, None).await;
        refused(anonymous, 400, "log-in");
        refused(server.delete(&format!("{MEMBERS}/vic"), &dev).await, 403, "developer may not delete_role");
        refused(server.invite(&lea, "acme", "new@example.com", "owner").await, 400, "unknown variant `owner`");
    })
    .await;
}

#[tokio::test]
async fn an_invitation_is_for_its_address_only_and_counts_once() {
    on_each_database(async |server| {
        let (_, lea) = acme(&server).await;
        let [dev, eve] = [server.sign_up("Dev").await, server.sign_up("Eve").await];
        server.invite(&lea, "acme", "DEV@example.com", "developer").await;
        let invitation = server.invitation("dev@example.com").await;
        refused(server.accept(&eve, &invitation).await, 403, "for another address than eve@example.com");
        let anonymous = server.send(Method::POST, "/v0/auth/accept", None, Some(json!({ "invite": &invitation }))).await;
        refused(anonymous, 400, "log-in");

        for _ in 0..2 {
            assert_eq!(server.accept(&dev, &invitation).await.0, StatusCode::ACCEPTED);
        }
        let (_, promoted) = server.patch(&format!("{MEMBERS}/dev"), &lea, json!({ "role": "leader" })).await;
        assert_eq!(promoted["role"], "leader");
        assert_eq!(server.accept(&dev, &invitation).await.0, StatusCode::ACCEPTED);
        assert_eq!(server.get(&format!("{MEMBERS}/dev"), &lea).await.1["role"], "leader", "an old invitation takes nothing away");
        refused(server.invite(&lea, "acme", "dev@example.com", "viewer").await, 409, "is a member already");
    })
    .await;
}

#[tokio::test]
async fn what_is_no_invitation_is_refused() {
    on_each_database(async |server| {
        let (_, lea) = acme(&server).await;
        let dev = server.sign_up("Dev").await;
        refused(server.accept(&dev, &dev.token).await, 400, "no invitation to this server");
        refused(server.accept(&dev, "nonsense").await, 400, "no invitation to this server");
        server.invite(&lea, "acme", "dev@example.com", "developer").await;
        let invitation = server.invitation("dev@example.com").await;
        refused(server.get(MEMBERS, &TestUser { token: invitation.clone(), ..dev.clone() }).await, 401, "another purpose");
        let confirm = json!({ "token": invitation });
        refused(server.send(Method::POST, "/v0/auth/confirm", None, Some(confirm)).await, 401, "another purpose");

        let email: Email = "dev@example.com".parse().unwrap();
        let (now, ttl) = (server.app.clock.now(), std::time::Duration::ZERO);
        let expired =
            server.app.tokens.issue_invitation(&email, (OrganizationUuid::random(), Role::Viewer), Uuid::new_v4(), now, ttl);
        refused(server.accept(&dev, expired.expose()).await, 400, "has expired");
    })
    .await;
}

#[tokio::test]
async fn an_invitation_does_not_outlive_what_it_rests_on() {
    on_each_database(async |server| {
        let (admin, lea) = acme(&server).await;
        let [bob, dev] = [server.sign_up("Bob").await, server.sign_up("Dev").await];
        server.join(&bob, &lea, "acme", "leader").await;
        let gone = "does not hold any more";

        // A later invitation takes the place of an earlier one.
        server.invite(&bob, "acme", "dev@example.com", "leader").await;
        let first = server.invitation("dev@example.com").await;
        server.invite(&bob, "acme", "dev@example.com", "viewer").await;
        let second = server.invitation("dev@example.com").await;
        refused(server.accept(&dev, &first).await, 400, gone);

        // Who sent it may not invite any more.
        server.patch(&format!("{MEMBERS}/bob"), &lea, json!({ "role": "developer" })).await;
        refused(server.accept(&dev, &second).await, 400, gone);
        server.patch(&format!("{MEMBERS}/bob"), &lea, json!({ "role": "leader" })).await;
        server.patch("/v0/users/bob", &admin, json!({ "locked": true })).await;
        refused(server.accept(&dev, &second).await, 400, gone);
        server.patch("/v0/users/bob", &admin, json!({ "locked": false })).await;

        // Nobody comes back with the invitation of a membership that was ended.
        assert_eq!(server.accept(&dev, &second).await.0, StatusCode::ACCEPTED);
        assert_eq!(server.delete(&format!("{MEMBERS}/dev"), &lea).await.0, StatusCode::NO_CONTENT);
        refused(server.accept(&dev, &second).await, 400, gone);

        // Its organization is gone, and there again.
        server.invite(&lea, "acme", "dev@example.com", "developer").await;
        let third = server.invitation("dev@example.com").await;
        let (_, organization) = server.get("/v0/organizations/acme", &lea).await;
        assert_eq!(server.delete("/v0/organizations/acme", &lea).await.0, StatusCode::NO_CONTENT);
        refused(server.accept(&dev, &third).await, 400, gone);
        let path = format!("/v0/organizations/{}/restore", organization["uuid"].as_str().unwrap());
        server.create(&path, &admin, json!({})).await;
        assert_eq!(server.accept(&dev, &third).await.0, StatusCode::ACCEPTED);
    })
    .await;
}

#[tokio::test]
async fn the_last_leader_stays() {
    on_each_database(async |server| {
        let (admin, lea) = acme(&server).await;
        let dev = server.sign_up("Dev").await;
        server.join(&dev, &lea, "acme", "developer").await;
        let path = format!("{MEMBERS}/{}", lea.uuid);
        for user in [&lea, &admin] {
            refused(server.delete(&path, user).await, 409, "lea@example.com is the last leader of this organization");
            refused(server.patch(&path, user, json!({ "role": "viewer" })).await, 409, "make another member a leader first");
        }
        assert_eq!(server.patch(&path, &lea, json!({})).await.0, StatusCode::OK);

        server.patch(&format!("{MEMBERS}/dev"), &lea, json!({ "role": "leader" })).await;
        // A leader who cannot log in leads nobody.
        server.patch("/v0/users/dev", &admin, json!({ "locked": true })).await;
        refused(server.delete(&path, &lea).await, 409, "last leader");
        server.patch("/v0/users/dev", &admin, json!({ "locked": false })).await;
        assert_eq!(server.delete(&path, &lea).await.0, StatusCode::NO_CONTENT);
        refused(server.get(MEMBERS, &lea).await, 404, "Organization (acme) not found");
        assert_eq!(server.list(MEMBERS, Some(&dev), "slug").await, (vec!["dev".into()], 1));
    })
    .await;
}

#[tokio::test]
async fn of_two_leaders_who_leave_at_once_one_stays() {
    on_each_database(async |server| {
        let (_, lea) = acme(&server).await;
        let dev = server.sign_up("Dev").await;
        server.join(&dev, &lea, "acme", "leader").await;
        let (lea_path, dev_path) = (format!("{MEMBERS}/lea"), format!("{MEMBERS}/dev"));
        let (one, other) = tokio::join!(server.delete(&lea_path, &lea), server.delete(&dev_path, &dev));
        let mut statuses = [one.0.as_u16(), other.0.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 409]);
    })
    .await;
}

#[tokio::test]
async fn every_member_may_leave() {
    on_each_database(async |server| {
        let (_, lea) = acme(&server).await;
        for (name, role) in [("Dev", "developer"), ("Vic", "viewer")] {
            let user = server.sign_up(name).await;
            server.join(&user, &lea, "acme", role).await;
            assert_eq!(server.delete(&format!("{MEMBERS}/{}", user.slug), &user).await.0, StatusCode::NO_CONTENT);
            refused(server.get(MEMBERS, &user).await, 404, "not found");
        }
    })
    .await;
}

#[tokio::test]
async fn an_invitation_is_accepted_by_signing_up_or_logging_in_with_it() {
    on_each_database(async |server| {
        let (_, lea) = acme(&server).await;
        server.invite(&lea, "acme", "new@example.com", "viewer").await;
        let invite = server.invitation("new@example.com").await;
        let signup = |email: &str| json!({ "name": "New", "email": email, "i_agree": true, "invite": invite });
        let other = server.send(Method::POST, "/v0/auth/signup", None, Some(signup("other@example.com"))).await;
        refused(other, 403, "for another address");
        assert_eq!(server.send(Method::POST, "/v0/auth/signup", None, Some(signup("New@example.com"))).await.0, 202);
        let new = server.confirm("new@example.com").await;
        assert_eq!(server.list("/v0/organizations", Some(&new), "slug").await, (vec!["acme".into()], 1), "and no other");

        let dev = server.sign_up("Dev").await;
        server.invite(&lea, "acme", "dev@example.com", "developer").await;
        let login = json!({ "email": "dev@example.com", "invite": server.invitation("dev@example.com").await });
        assert_eq!(server.send(Method::POST, "/v0/auth/login", None, Some(login.clone())).await.0, 202);
        assert_eq!(server.get(&format!("{MEMBERS}/dev"), &dev).await.1["role"], "developer");
        let other = json!({ "email": "lea@example.com", "invite": login["invite"] });
        refused(server.send(Method::POST, "/v0/auth/login", None, Some(other)).await, 403, "for another address");
    })
    .await;
}

#[tokio::test]
async fn nothing_tells_whether_an_address_has_an_account() {
    on_each_database(async |server| {
        let (_, lea) = acme(&server).await;
        server.sign_up("Dev").await;
        for email in ["dev@example.com", "nobody@example.com"] {
            let expected = (StatusCode::ACCEPTED, json!({ "email": email }));
            assert_eq!(server.invite(&lea, "acme", email, "viewer").await, expected);
            let invite = server.invitation(email).await;
            for body in [json!({ "email": email }), json!({ "email": email, "invite": invite })] {
                assert_eq!(server.send(Method::POST, "/v0/auth/login", None, Some(body)).await, expected);
            }
            let signup = json!({ "name": "Somebody", "email": email, "i_agree": true });
            assert_eq!(server.send(Method::POST, "/v0/auth/signup", None, Some(signup)).await, expected);
        }
    })
    .await;
}

#[tokio::test]
async fn who_may_invite_sees_what_waits_for_an_answer_and_takes_it_back() {
    const INVITATIONS: &str = "/v0/organizations/acme/invitations";
    on_each_database(async |server| {
        let (_, lea) = acme(&server).await;
        let dev = server.sign_up("Dev").await;
        server.join(&dev, &lea, "acme", "developer").await;
        let eve = server.sign_up("Eve").await;
        assert_eq!(server.invite(&lea, "acme", "Eve@example.com", "viewer").await.0, StatusCode::ACCEPTED);
        assert_eq!(server.invite(&lea, "acme", "new@example.com", "leader").await.0, StatusCode::ACCEPTED);

        let expected = vec!["new@example.com".to_owned(), "eve@example.com".to_owned()];
        assert_eq!(server.list(INVITATIONS, Some(&lea), "email").await, (expected, 2), "and not who has joined");
        let (_, list) = server.get(&format!("{INVITATIONS}?direction=asc&per_page=1"), &lea).await;
        assert_eq!((&list[0]["role"], &list[0]["inviter"]["slug"]), (&json!("viewer"), &json!("lea")));
        assert_eq!(list.as_array().map(Vec::len), Some(1));
        refused(server.get(INVITATIONS, &dev).await, 403, "may not");
        refused(server.get(INVITATIONS, &eve).await, 404, "Organization (acme) not found");

        let invitation = server.invitation("eve@example.com").await;
        let one = format!("{INVITATIONS}/{}", list[0]["uuid"].as_str().unwrap());
        refused(server.delete(&one, &dev).await, 403, "may not");
        assert_eq!(server.delete(&one, &lea).await.0, StatusCode::NO_CONTENT);
        refused(server.accept(&eve, &invitation).await, 400, "does not hold any more");
        refused(server.delete(&one, &lea).await, 404, "name it by its UUID or the address");
        assert_eq!(server.delete(&format!("{INVITATIONS}/NEW@example.com"), &lea).await.0, StatusCode::NO_CONTENT);
        assert_eq!(server.list(INVITATIONS, Some(&lea), "email").await.1, 0);
    })
    .await;
}
