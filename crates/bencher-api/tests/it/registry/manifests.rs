//! Manifests, indexes, tags and referrers.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Answer, OCI_INDEX, OCI_MANIFEST, bytes, descriptor, image, keeper, sha256, shop};
use crate::support::on_each_database;

#[tokio::test]
async fn a_manifest_comes_back_byte_for_byte() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        server.push_blob("shop/a/b", &user, b"{}").await;
        // Spaces and the order of keys are part of what the digest is of.
        let text = format!("{{ \"config\":  {},\n\"layers\":[], \"schemaVersion\":2}}", descriptor("x/y", b"{}"));
        let request = server.oci(Method::PUT, "shop/a/b/manifests/v1", &user).header("content-type", OCI_MANIFEST);
        let digest = sha256(text.as_bytes());
        let answer = Answer::of(request.body(text.clone())).await.expect(201);
        assert_eq!(answer.header("location"), format!("/v2/shop/a/b/manifests/{digest}"));

        for reference in ["v1".to_owned(), digest.to_string()] {
            for method in [Method::GET, Method::HEAD] {
                let path = format!("shop/a/b/manifests/{reference}");
                let answer = Answer::of(server.oci(method.clone(), &path, &user)).await.expect(200);
                assert_eq!(answer.header("content-type"), OCI_MANIFEST);
                assert_eq!(answer.header("docker-content-digest"), digest.to_string());
                assert_eq!(answer.header("content-length"), text.len().to_string());
                assert_eq!(answer.body, if method == Method::GET { text.as_bytes() } else { b"" });
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_manifest_needs_its_config_and_is_warned_of_what_else_is_missing() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        let manifest = image(b"config", &[b"one", b"two"]);
        let answer = server.put_manifest("shop", &user, "v1", &manifest).await.expect_error(404, "MANIFEST_BLOB_UNKNOWN");
        assert_eq!(answer.json()["errors"][0]["detail"], json!([{ "digest": sha256(b"config") }]));
        Answer::of(server.oci(Method::GET, "shop/manifests/v1", &user)).await.expect_error(404, "MANIFEST_UNKNOWN");

        server.push_blob("shop", &user, b"config").await;
        server.push_blob("shop", &user, b"one").await;
        let answer = server.put_manifest("shop", &user, "v1", &manifest).await.expect(201);
        let warnings: Vec<&str> = answer.headers.get_all("warning").iter().map(|value| value.to_str().unwrap()).collect();
        let expected = format!("299 - \"the repository lacks {}, which the manifest refers to", sha256(b"two"));
        assert!(warnings.len() == 1 && warnings[0].starts_with(&expected), "{warnings:?}");
        assert_eq!(Answer::of(server.oci(Method::GET, "shop/manifests/v1", &user)).await.expect(200).json(), manifest);

        server.push_blob("shop", &user, b"two").await;
        let answer = server.put_manifest("shop", &user, "v1", &manifest).await.expect(201);
        assert!(answer.headers.get("warning").is_none());
    })
    .await;
}

#[tokio::test]
async fn an_index_may_list_images_that_are_elsewhere() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        let (manifest, _) = server.push_image("shop", &user, "v1", 1).await;
        let here = descriptor(OCI_MANIFEST, manifest.to_string().as_bytes());
        let elsewhere = (0..40).map(|number| descriptor(OCI_MANIFEST, format!("not here {number}").as_bytes()));
        let entries: Vec<Value> = std::iter::once(here).chain(elsewhere).collect();
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries });
        let answer = server.put_manifest("shop", &user, "v2", &index).await.expect(201);
        let warnings: usize = answer.headers.get_all("warning").iter().map(|value| value.len()).sum();
        assert!((1..=4096).contains(&warnings), "the specification bounds warnings: {warnings}");
        assert_eq!(Answer::of(server.oci(Method::GET, "shop/manifests/v2", &user)).await.expect(200).json(), index);
    })
    .await;
}

#[tokio::test]
async fn indexes_in_indexes_are_bounded_whichever_is_pushed_first() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        let (manifest, _) = server.push_image("shop", &user, "v1", 1).await;
        let mut chain = vec![manifest];
        for _ in 0..8 {
            let inner = chain.last().unwrap();
            let media_type = inner["mediaType"].as_str().unwrap();
            let child = descriptor(media_type, inner.to_string().as_bytes());
            chain.push(json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child] }));
        }
        for index in &chain[1..8] {
            server.put_manifest("shop", &user, "inside-out", index).await.expect(201);
        }
        let answer = server.put_manifest("shop", &user, "inside-out", &chain[8]).await.expect_error(400, "MANIFEST_INVALID");
        assert!(answer.json()["errors"][0]["message"].as_str().unwrap().contains("more than 8"), "{}", answer.json());

        // In the other repository they lack each other until the last one comes.
        for index in chain[2..9].iter().rev() {
            server.put_manifest("shop/other", &user, "outside-in", index).await.expect(201);
        }
        server.push_image("shop/other", &user, "v1", 1).await;
        server.put_manifest("shop/other", &user, "outside-in", &chain[1]).await.expect_error(400, "MANIFEST_INVALID");
    })
    .await;
}

#[tokio::test]
async fn a_manifest_that_does_not_fit_is_refused() {
    let (server, user) = shop().await;
    let (manifest, digest) = server.push_image("shop", &user, "v1", 1).await;

    let other = sha256(b"other").to_string();
    server.put_manifest("shop", &user, &other, &manifest).await.expect_error(400, "DIGEST_INVALID");
    server.put_manifest("shop", &user, &digest.to_string(), &manifest).await.expect(201);

    let mut wrong = manifest.clone();
    wrong["layers"][0]["size"] = json!(1001);
    let answer = server.put_manifest("shop", &user, "v2", &wrong).await.expect_error(400, "MANIFEST_INVALID");
    assert!(answer.json()["errors"][0]["message"].as_str().unwrap().contains("1000 bytes, but the manifest says 1001"));

    let request = |body: String| server.oci(Method::PUT, "shop/manifests/v2", &user).header("content-type", OCI_INDEX).body(body);
    Answer::of(request(manifest.to_string())).await.expect_error(400, "MANIFEST_INVALID");
    Answer::of(request("{".to_owned())).await.expect_error(400, "MANIFEST_INVALID");
    Answer::of(request(" ".repeat((4 << 20) + 1))).await.expect_error(413, "SIZE_INVALID");
    Answer::of(server.oci(Method::GET, "shop/manifests/v2", &user)).await.expect_error(404, "MANIFEST_UNKNOWN");
    Answer::of(server.oci(Method::GET, "shop/manifests/.v2", &user)).await.expect_error(400, "TAG_INVALID");
    Answer::of(server.oci(Method::GET, "shop/what/is/this", &user)).await.expect_error(404, "UNSUPPORTED");
    Answer::of(server.oci(Method::PATCH, "shop/manifests/v2", &user)).await.expect_error(405, "UNSUPPORTED");
}

#[tokio::test]
async fn an_index_holds_images_and_a_tag_moves() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        let (one, first) = server.push_image("shop", &user, "latest", 1).await;
        let (two, second) = server.push_image("shop", &user, "latest", 2).await;
        let tagged = async || {
            let answer = Answer::of(server.oci(Method::HEAD, "shop/manifests/latest", &user)).await.expect(200);
            answer.header("docker-content-digest").to_owned()
        };
        assert_eq!(tagged().await, second.to_string());
        Answer::of(server.oci(Method::GET, &format!("shop/manifests/{first}"), &user)).await.expect(200);

        let manifests: Vec<Value> =
            [&one, &two].iter().map(|manifest| descriptor(OCI_MANIFEST, manifest.to_string().as_bytes())).collect();
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests });
        server.put_manifest("shop", &user, "latest", &index).await.expect(201);
        assert_eq!(tagged().await, sha256(index.to_string().as_bytes()).to_string());
    })
    .await;
}

#[tokio::test]
async fn deleting_a_tag_keeps_the_manifest_and_deleting_a_manifest_takes_its_tags() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        let (manifest, digest) = server.push_image("shop", &user, "v1", 1).await;
        server.put_manifest("shop", &user, "v2", &manifest).await.expect(201);
        let act = async |method: Method, reference: &str| {
            Answer::of(server.oci(method, &format!("shop/manifests/{reference}"), &user)).await
        };
        act(Method::DELETE, "v1").await.expect(202);
        act(Method::DELETE, "v1").await.expect_error(404, "MANIFEST_UNKNOWN");
        act(Method::GET, "v2").await.expect(200);
        act(Method::GET, &digest.to_string()).await.expect(200);

        act(Method::DELETE, &digest.to_string()).await.expect(202);
        act(Method::GET, "v2").await.expect_error(404, "MANIFEST_UNKNOWN");
        act(Method::DELETE, &digest.to_string()).await.expect_error(404, "MANIFEST_UNKNOWN");
    })
    .await;
}

#[tokio::test]
async fn tags_are_listed_in_pages() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        Answer::of(server.oci(Method::GET, "shop/tags/list", &user)).await.expect_error(404, "NAME_UNKNOWN");
        let (manifest, _) = server.push_image("shop", &user, "b", 1).await;
        for tag in ["a", "B", "c", "_", "a.1"] {
            server.put_manifest("shop", &user, tag, &manifest).await.expect(201);
        }
        let list = async |query: &str| {
            let answer = Answer::of(server.oci(Method::GET, &format!("shop/tags/list{query}"), &user)).await.expect(200);
            assert_eq!(answer.json()["name"], "shop");
            (answer.json()["tags"].clone(), answer.header("link").to_owned())
        };
        // In the order of bytes, on every database.
        assert_eq!(list("").await, (json!(["B", "_", "a", "a.1", "b", "c"]), String::new()));
        assert_eq!(list("?n=2").await, (json!(["B", "_"]), "</v2/shop/tags/list?n=2&last=_>; rel=\"next\"".to_owned()));
        assert_eq!(list("?n=4&last=_").await, (json!(["a", "a.1", "b", "c"]), String::new()));
        assert_eq!(list("?n=0").await.0, json!([]));
        assert_eq!(list("?last=z").await.0, json!([]));
    })
    .await;
}

#[tokio::test]
async fn what_refers_to_a_manifest_is_listed() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        let (manifest, subject) = server.push_image("shop", &user, "v1", 1).await;
        let list = async |query: &str| {
            let path = format!("shop/referrers/{subject}{query}");
            let answer = Answer::of(server.oci(Method::GET, &path, &user)).await.expect(200);
            assert_eq!(answer.header("content-type"), OCI_INDEX);
            (answer.json()["manifests"].clone(), answer.header("oci-filters-applied").to_owned())
        };
        assert_eq!(list("").await.0, json!([]));

        server.push_blob("shop", &user, b"{}").await;
        let mut signature = image(b"{}", &[]);
        signature["artifactType"] = json!("application/x-signature");
        signature["annotations"] = json!({ "by": "keeper" });
        signature["subject"] = descriptor(OCI_MANIFEST, manifest.to_string().as_bytes());
        let digest = sha256(signature.to_string().as_bytes());
        let answer = server.put_manifest("shop", &user, &digest.to_string(), &signature).await.expect(201);
        assert_eq!(answer.header("oci-subject"), subject.to_string());

        let expected = json!([{
            "mediaType": OCI_MANIFEST, "digest": digest, "size": signature.to_string().len(),
            "artifactType": "application/x-signature", "annotations": { "by": "keeper" },
        }]);
        assert_eq!(list("").await, (expected.clone(), String::new()));
        assert_eq!(list("?artifactType=application/x-signature").await, (expected, "artifactType".to_owned()));
        assert_eq!(list("?artifactType=other").await.0, json!([]));
    })
    .await;
}

#[tokio::test]
async fn many_layers_and_a_large_manifest_are_fine() {
    let (server, user) = shop().await;
    let layers: Vec<Vec<u8>> = (0..130).map(|n| bytes(10, n)).collect();
    for layer in &layers {
        server.push_blob("shop", &user, layer).await;
    }
    server.push_blob("shop", &user, b"{}").await;
    let mut manifest = image(b"{}", &layers.iter().map(Vec::as_slice).collect::<Vec<_>>());
    manifest["annotations"] = json!({ "long": "x".repeat(3 << 20) });
    server.put_manifest("shop", &user, "v1", &manifest).await.expect(201);
}

#[tokio::test]
async fn the_images_of_a_project_are_listed_with_what_they_weigh() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        for (repository, tag, layer) in
            [("shop", "v2", b"four".as_slice()), ("shop/http", "v1", b"three"), ("shop", "v1", b"four")]
        {
            server.push_blob(repository, &user, b"config").await;
            server.push_blob(repository, &user, layer).await;
            server.put_manifest(repository, &user, tag, &image(b"config", &[layer])).await.expect(201);
        }
        let (status, images) = server.get("/v0/projects/shop/images", &user).await;
        assert_eq!(status, 200, "{images}");
        let names: Vec<String> = images
            .as_array()
            .unwrap()
            .iter()
            .map(|image| format!("{}:{}", text(image, "repository"), text(image, "tag")))
            .collect();
        assert_eq!(names, ["shop:v1", "shop:v2", "shop/http:v1"]);
        let manifest = image(b"config", &[b"three"]).to_string().len() as u64;
        assert_eq!(images[2]["size"].as_u64().unwrap(), manifest + 11);
        assert_eq!(images[0]["digest"], images[1]["digest"]);

        let (_, found) = server.get("/v0/projects/shop/images?search=HTT&sort=modified&direction=desc&per_page=1", &user).await;
        assert_eq!(text(&found[0], "repository"), "shop/http");
        let (_, found) = server.get("/v0/projects/shop/images?search=50%25", &user).await;
        assert_eq!(found, json!([]));
    })
    .await;
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}
