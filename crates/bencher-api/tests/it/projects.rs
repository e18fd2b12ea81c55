//! `/v0/organizations` and `/v0/projects`.

use bencher_types::{Permission, Role};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{setup::refused, support::on_each_database};

#[tokio::test]
async fn a_private_project_is_seen_by_its_members_only() {
    on_each_database(async |server| {
        let admin = server.sign_up("Ada").await;
        let bob = server.sign_up("Bob").await;
        let eve = server.sign_up("Eve").await;
        server.project(&bob, "Open", "public").await;
        server.project(&bob, "Closed", "private").await;

        for (user, names) in [
            (None, vec!["Open"]),
            (Some(&eve), vec!["Open"]),
            (Some(&bob), vec!["Closed", "Open"]),
            (Some(&admin), vec!["Closed", "Open"]),
        ] {
            let (found, total) = server.list("/v0/projects", user, "name").await;
            assert_eq!((found, total), (names.iter().map(ToString::to_string).collect(), names.len() as u64));
        }
        refused(server.send(Method::GET, "/v0/projects/closed", None, None).await, 404, "Project (closed) not found");
        refused(server.get("/v0/projects/closed", &eve).await, 404, "Project (closed) not found");
        assert_eq!(server.get("/v0/projects/closed", &bob).await.0, StatusCode::OK);
        assert_eq!(server.send(Method::GET, "/v0/projects/open", None, None).await.0, StatusCode::OK);
    })
    .await;
}

#[tokio::test]
async fn only_members_change_a_project() {
    on_each_database(async |server| {
        server.sign_up("Ada").await;
        let bob = server.sign_up("Bob").await;
        let eve = server.sign_up("Eve").await;
        let project = server.project(&bob, "Shop", "public").await;
        let path = format!("/v0/projects/{}", project["uuid"].as_str().unwrap());
        refused(server.patch(&path, &eve, json!({ "name": "Mine" })).await, 403, "who is no member may not edit");

        let (_, changed) = server.patch(&path, &bob, json!({ "url": "https://example.com/shop", "slug": "store" })).await;
        assert_eq!(
            (&changed["url"], &changed["slug"], &changed["name"]),
            (&json!("https://example.com/shop"), &json!("store"), &json!("Shop"))
        );
        let (_, changed) = server.patch(&path, &bob, json!({ "url": null, "visibility": "private" })).await;
        assert_eq!((changed.get("url"), &changed["visibility"]), (None, &json!("private")));
    })
    .await;
}

#[tokio::test]
async fn an_organization_is_seen_by_its_members_only() {
    on_each_database(async |server| {
        let admin = server.sign_up("Ada").await;
        let bob = server.sign_up("Bob").await;
        let made = server.create("/v0/organizations", &bob, json!({ "name": "Bob & Co" })).await;
        assert_eq!((&made["slug"], made["claimed"].is_string()), (&json!("bob-co"), true));
        assert_eq!(server.list("/v0/organizations?search=CO", Some(&bob), "slug").await, (vec!["bob-co".to_owned()], 1));
        assert_eq!(server.list("/v0/organizations", Some(&admin), "slug").await.1, 3);

        let eve = server.sign_up("Eve").await;
        refused(server.get("/v0/organizations/bob-co", &eve).await, 404, "Organization (bob-co) not found");
        refused(server.post("/v0/organizations/bob-co/projects", &eve, json!({ "name": "Mine" })).await, 404, "Organization");
        let (_, changed) = server.patch("/v0/organizations/bob-co", &bob, json!({ "name": "Bob" })).await;
        assert_eq!((&changed["name"], &changed["slug"]), (&json!("Bob"), &json!("bob-co")));
    })
    .await;
}

#[tokio::test]
async fn names_may_repeat_and_slugs_may_not() {
    on_each_database(async |server| {
        let ada = server.sign_up("Ada").await;
        let first = server.project(&ada, "Shop", "public").await;
        let second = server.project(&ada, "Shop", "public").await;
        assert_eq!(first["slug"], "shop");
        assert!(second["slug"].as_str().unwrap().starts_with("shop-"));
        let path = "/v0/organizations/ada/projects";
        refused(server.post(path, &ada, json!({ "name": "Other", "slug": "shop" })).await, 409, "slug");
    })
    .await;
}

#[tokio::test]
async fn pages_are_cut_from_the_whole_list() {
    on_each_database(async |server| {
        let ada = server.sign_up("Ada").await;
        for number in 0..11 {
            server.project(&ada, &format!("p{number:02}"), "public").await;
        }
        assert_eq!(server.list("/v0/projects", None, "name").await.0.len(), 8);
        let (names, total) = server.list("/v0/projects?per_page=4&page=3&direction=desc", None, "name").await;
        assert_eq!((names, total), (vec!["p02".to_owned(), "p01".into(), "p00".into()], 11));
        assert_eq!(server.list("/v0/projects?name=p07", None, "name").await, (vec!["p07".to_owned()], 1));
        assert_eq!(server.list("/v0/projects?search=%25", None, "name").await.1, 0);
        assert_eq!(server.list("/v0/projects?page=99", None, "name").await, (vec![], 11));
    })
    .await;
}

#[tokio::test]
async fn whether_something_is_allowed_can_be_asked() {
    on_each_database(async |server| {
        let admin = server.sign_up("Ada").await;
        let [lea, dev, vic, eve] =
            [server.sign_up("Lea").await, server.sign_up("Dev").await, server.sign_up("Vic").await, server.sign_up("Eve").await];
        server.create("/v0/organizations", &lea, json!({ "name": "Acme" })).await;
        for (name, visibility) in [("Open", "public"), ("Closed", "private")] {
            server.create("/v0/organizations/acme/projects", &lea, json!({ "name": name, "visibility": visibility })).await;
        }
        server.join(&dev, &lea, "acme", "developer").await;
        server.join(&vic, &lea, "acme", "viewer").await;

        for (user, role) in [
            (&admin, Some(Role::Leader)),
            (&lea, Some(Role::Leader)),
            (&dev, Some(Role::Developer)),
            (&vic, Some(Role::Viewer)),
            (&eve, None),
        ] {
            for permission in Permission::ALL {
                for (path, hidden) in [("organizations/acme", true), ("projects/closed", true), ("projects/open", false)] {
                    let answer = server.get(&format!("/v0/{path}/allowed/{permission}"), user).await;
                    match role {
                        None if hidden => refused(answer, 404, "not found"),
                        None => assert_eq!(answer.1, json!({ "allowed": permission == Permission::View })),
                        Some(role) => {
                            assert_eq!(answer.1, json!({ "allowed": role.may(permission) }), "{path} {role} {permission}")
                        }
                    }
                }
            }
        }
        refused(server.get("/v0/projects/open/allowed/everything", &lea).await, 400, "unknown variant `everything`");
        refused(server.send(Method::GET, "/v0/projects/open/allowed/view", None, None).await, 400, "log-in");
    })
    .await;
}

#[tokio::test]
async fn a_null_removes_and_what_is_absent_stays() {
    on_each_database(async |server| {
        let ada = server.sign_up("Ada").await;
        let new = json!({ "name": "Shop", "url": "https://example.com/shop" });
        server.create("/v0/organizations/ada/projects", &ada, new).await;
        let (_, same) = server.patch("/v0/projects/shop", &ada, json!({})).await;
        assert_eq!(same["url"], "https://example.com/shop");
        let (_, same) = server.patch("/v0/projects/shop", &ada, json!({ "name": null, "slug": null, "visibility": null })).await;
        assert_eq!((&same["name"], &same["slug"], &same["visibility"]), (&json!("Shop"), &json!("shop"), &json!("public")));
        let (_, removed) = server.patch("/v0/projects/shop", &ada, json!({ "url": null })).await;
        assert_eq!(removed.get("url"), None);
        refused(server.patch("/v0/projects/shop", &ada, json!({ "url": "nowhere" })).await, 400, "relative URL");
        // Licences are for another product: clients may send them, and nothing depends on them.
        for license in [json!(null), json!("a.b.c")] {
            let (status, changed) = server.patch("/v0/organizations/ada", &ada, json!({ "name": "A", "license": license })).await;
            assert_eq!((status, &changed["name"], changed.get("license")), (StatusCode::OK, &json!("A"), None));
        }
    })
    .await;
}
