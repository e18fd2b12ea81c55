//! The OCI distribution specification, clause by clause, as far as other files do not have it: what clients may ask for, and what the
//! answers must have.

use bencher_api::registry::hash::digest_of;
use bencher_types::oci::{
    digest::Algorithm,
    manifest::{DOCKER_LIST, DOCKER_MANIFEST},
};
use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};

use super::{Answer, OCI_INDEX, OCI_MANIFEST, bytes, descriptor, image, keeper, sha256, shop};
use crate::support::on_each_database;

fn all(headers: &HeaderMap, name: &str) -> Vec<String> {
    headers.get_all(name).iter().map(|value| value.to_str().expect("a text").to_owned()).collect()
}

#[tokio::test]
async fn content_that_a_client_has_is_not_sent_again() {
    let (server, user) = shop().await;
    let (manifest, digest) = server.push_image("shop", &user, "v1", 1).await;
    let layer = manifest["layers"][0]["digest"].as_str().unwrap();
    for (path, digest) in [
        ("shop/manifests/v1".to_owned(), digest.to_string()),
        (format!("shop/manifests/{digest}"), digest.to_string()),
        (format!("shop/blobs/{layer}"), layer.to_owned()),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let ask =
                async |name: &str, value: &str| Answer::of(server.oci(method.clone(), &path, &user).header(name, value)).await;
            let etag = format!("\"{digest}\"");
            let answer = ask("if-none-match", &etag).await.expect(304);
            assert_eq!((answer.header("etag"), answer.header("docker-content-digest")), (&*etag, &*digest));
            assert!(answer.body.is_empty());
            ask("if-none-match", "\"sha256:other\", *").await.expect(304);
            ask("if-none-match", "\"sha256:other\"").await.expect(200);
            ask("if-match", &etag).await.expect(200);
            ask("if-match", "\"sha256:other\"").await.expect(412);
        }
    }
}

#[tokio::test]
async fn a_part_of_a_manifest_can_be_read() {
    let (server, user) = shop().await;
    let (manifest, _) = server.push_image("shop", &user, "v1", 1).await;
    let text = manifest.to_string();
    let read =
        async |method, range: &str| Answer::of(server.oci(method, "shop/manifests/v1", &user).header("range", range)).await;
    let answer = read(Method::GET, "bytes=2-5").await.expect(206);
    assert_eq!(answer.header("content-range"), format!("bytes 2-5/{}", text.len()));
    assert_eq!((&answer.body[..], answer.header("content-type")), (&text.as_bytes()[2..6], OCI_MANIFEST));
    read(Method::GET, "bytes=900000-").await.expect(416);
    assert_eq!(read(Method::HEAD, "bytes=2-5").await.expect(200).header("content-length"), text.len().to_string());
}

#[tokio::test]
async fn a_tag_is_served_to_who_takes_its_kind_or_names_none() {
    let (server, user) = shop().await;
    let (manifest, digest) = server.push_image("shop", &user, "v1", 1).await;
    let ask = async |method, reference: &str, accept: &[&str]| {
        let request = server.oci(method, &format!("shop/manifests/{reference}"), &user);
        Answer::of(accept.iter().fold(request, |request, accept| request.header("accept", *accept))).await
    };
    for accept in [
        &[][..],
        &["*/*"],
        &[OCI_MANIFEST],
        &[DOCKER_MANIFEST, OCI_MANIFEST],
        &["text/plain;q=0.1"],
        &[DOCKER_MANIFEST, "application/json"],
    ] {
        let answer = ask(Method::GET, "v1", accept).await.expect(200);
        assert_eq!((answer.header("content-type"), answer.json()), (OCI_MANIFEST, manifest.clone()), "{accept:?}");
        assert!(all(&answer.headers, "vary").contains(&"accept".to_owned()), "{:?}", answer.headers);
    }
    for accept in [&[DOCKER_MANIFEST][..], &[OCI_INDEX, DOCKER_LIST], &[&format!("{OCI_MANIFEST};q=0"), "*/*"]] {
        let refused = ask(Method::GET, "v1", accept).await.expect_error(404, "MANIFEST_UNKNOWN");
        assert_eq!(refused.json()["errors"][0]["detail"], json!({ "mediaType": OCI_MANIFEST }), "{accept:?}");
        ask(Method::HEAD, "v1", accept).await.expect(404);
        // A digest is of these bytes and no others.
        let answer = ask(Method::GET, &digest.to_string(), accept).await.expect(200);
        assert_eq!(answer.header("content-type"), OCI_MANIFEST);
        assert!(!all(&answer.headers, "vary").contains(&"accept".to_owned()), "{:?}", answer.headers);
    }
}

#[tokio::test]
async fn who_takes_no_index_gets_its_image_for_linux_on_amd64() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        let mut entries = Vec::new();
        for (seed, architecture) in [(1, "arm64"), (2, "amd64")] {
            let (manifest, _) = server.push_image("shop", &user, architecture, seed).await;
            let mut entry = descriptor(OCI_MANIFEST, manifest.to_string().as_bytes());
            entry["platform"] = json!({ "os": "linux", "architecture": architecture });
            entries.push(entry);
        }
        let amd64 = entries[1]["digest"].as_str().unwrap().to_owned();
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries });
        server.put_manifest("shop", &user, "many", &index).await.expect(201);
        let one = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entries[0]] });
        server.put_manifest("shop", &user, "arm", &one).await.expect(201);
        let mut elsewhere = entries[1].clone();
        elsewhere["digest"] = json!(sha256(b"elsewhere"));
        let sparse = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [elsewhere] });
        server.put_manifest("shop", &user, "sparse", &sparse).await.expect(201);

        let ask = async |method, tag: &str, accept: &str| {
            Answer::of(server.oci(method, &format!("shop/manifests/{tag}"), &user).header("accept", accept)).await
        };
        for method in [Method::GET, Method::HEAD] {
            let answer = ask(method.clone(), "many", OCI_MANIFEST).await.expect(200);
            assert_eq!((answer.header("content-type"), answer.header("docker-content-digest")), (OCI_MANIFEST, &*amd64));
            assert_eq!(answer.header("etag"), format!("\"{amd64}\""));
            let both = format!("{OCI_MANIFEST}, {OCI_INDEX};q=0.1");
            assert_eq!(ask(method.clone(), "many", &both).await.expect(200).header("content-type"), OCI_INDEX);
            for (tag, accept) in [("many", DOCKER_MANIFEST), ("arm", OCI_MANIFEST), ("sparse", OCI_MANIFEST)] {
                ask(method.clone(), tag, accept).await.expect(404);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn manifests_of_docker_are_held_as_they_are() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        server.push_blob("shop", &user, b"{}").await;
        server.push_blob("shop", &user, b"layer").await;
        let (kind, list) = (DOCKER_MANIFEST, DOCKER_LIST);
        let manifest = json!({
            "schemaVersion": 2, "mediaType": kind,
            "config": descriptor("application/vnd.docker.container.image.v1+json", b"{}"),
            "layers": [descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", b"layer")],
        });
        server.put_manifest("shop", &user, "one", &manifest).await.expect(201);
        let entry = descriptor(kind, manifest.to_string().as_bytes());
        let many = json!({ "schemaVersion": 2, "mediaType": list, "manifests": [entry] });
        server.put_manifest("shop", &user, "many", &many).await.expect(201);
        for (tag, media_type, document) in [("one", kind, &manifest), ("many", list, &many)] {
            let answer = Answer::of(server.oci(Method::GET, &format!("shop/manifests/{tag}"), &user)).await.expect(200);
            assert_eq!((answer.header("content-type"), &answer.json()), (media_type, document));
        }
    })
    .await;
}

#[tokio::test]
async fn a_manifest_is_pushed_by_its_digest_under_any_number_of_tags() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        let (manifest, _) = server.push_image("shop", &user, "v1", 1).await;
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let digest = digest_of(algorithm, manifest.to_string().as_bytes());
            let name = algorithm.as_str();
            let path = format!("{digest}?tag={name}-b&tag={name}-a&tag={name}-a");
            let answer = server.put_manifest("shop", &user, &path, &manifest).await.expect(201);
            assert_eq!(all(&answer.headers, "oci-tag"), [format!("{name}-a"), format!("{name}-b")]);
            assert_eq!(answer.header("docker-content-digest"), digest.to_string());
            assert_eq!(answer.header("location"), format!("/v2/shop/manifests/{digest}"));
            for reference in [format!("{name}-a"), format!("{name}-b"), digest.to_string()] {
                let answer = Answer::of(server.oci(Method::GET, &format!("shop/manifests/{reference}"), &user)).await.expect(200);
                assert_eq!((answer.header("docker-content-digest"), answer.json()), (&*digest.to_string(), manifest.clone()));
            }
        }
        let digest = sha256(manifest.to_string().as_bytes());
        let put = async |reference: String| server.put_manifest("shop", &user, &reference, &manifest).await;
        let tags = |count: usize| (0..count).map(|number| format!("&tag=t{number}")).collect::<String>();
        put(format!("{digest}?{}", tags(32))).await.expect(201);
        put(format!("{digest}?{}", tags(33))).await.expect_error(414, "TAG_INVALID");
        put(format!("{digest}?tag=good&tag=.bad")).await.expect_error(400, "TAG_INVALID");
        put("v2?tag=v3".to_owned()).await.expect_error(400, "UNSUPPORTED");
        for tag in ["good", "v2", "v3"] {
            Answer::of(server.oci(Method::HEAD, &format!("shop/manifests/{tag}"), &user)).await.expect(404);
        }
    })
    .await;
}

#[tokio::test]
async fn what_nothing_was_pushed_for_has_no_referrers_and_is_not_404() {
    let (server, user) = shop().await;
    let digest = sha256(b"anything");
    for name in ["shop", "shop/never/pushed", "no-such-project"] {
        let answer = Answer::of(server.oci(Method::GET, &format!("{name}/referrers/{digest}"), &user)).await.expect(200);
        assert_eq!(answer.header("content-type"), OCI_INDEX);
        assert_eq!(answer.json(), json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [] }));
    }
    Answer::of(server.oci(Method::GET, "shop/referrers/sha256:nonsense", &user)).await.expect_error(400, "DIGEST_INVALID");
    Answer::of(server.oci(Method::GET, "shop/tags/list", &user)).await.expect_error(404, "NAME_UNKNOWN");
}

/// A signature of a manifest, with annotations of so many bytes.
fn signature(subject: &Value, number: usize, weight: usize) -> Value {
    let mut signature = image(b"{}", &[]);
    signature["artifactType"] = json!(format!("application/x-{}", number % 2));
    signature["subject"] = descriptor(OCI_MANIFEST, subject.to_string().as_bytes());
    signature["annotations"] = json!({ "number": number.to_string(), "weight": "x".repeat(weight) });
    signature
}

#[tokio::test]
async fn referrers_are_listed_in_pages_that_keep_the_filter() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        let (manifest, subject) = server.push_image("shop", &user, "v1", 1).await;
        server.push_blob("shop", &user, b"{}").await;
        let mut expected = Vec::new();
        for number in 0..5 {
            // Two of them fit into a page of four MiB.
            let signature = signature(&manifest, number, 1_800_000);
            let digest = sha256(signature.to_string().as_bytes()).to_string();
            server.put_manifest("shop", &user, &digest, &signature).await.expect(201);
            expected.push((digest, number % 2));
        }
        expected.sort();
        for (filter, kept) in [("", vec![0, 1]), ("?artifactType=application/x-1", vec![1])] {
            let (mut path, mut found, mut pages) = (format!("shop/referrers/{subject}{filter}"), Vec::new(), 0);
            loop {
                let answer = Answer::of(server.oci(Method::GET, &path, &user)).await.expect(200);
                assert_eq!(answer.header("oci-filters-applied"), if filter.is_empty() { "" } else { "artifactType" });
                for entry in answer.json()["manifests"].as_array().unwrap() {
                    found.push(entry["digest"].as_str().unwrap().to_owned());
                    assert!(entry["annotations"]["number"].is_string());
                }
                pages += 1;
                let link = answer.header("link").to_owned();
                let Some(next) = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")) else { break };
                path = next.to_owned();
            }
            let all: Vec<&String> = expected.iter().filter(|(_, kind)| kept.contains(kind)).map(|(digest, _)| digest).collect();
            assert_eq!(found.iter().collect::<Vec<_>>(), all);
            assert_eq!(pages, all.len().div_ceil(2), "pages of two");
        }
    })
    .await;
}

#[tokio::test]
async fn what_refers_to_something_may_come_before_it_and_outlives_it() {
    let (server, user) = shop().await;
    server.push_blob("shop", &user, b"{}").await;
    let (manifest, subject) = server.push_image("shop/other", &user, "v1", 1).await;
    let first = signature(&manifest, 1, 1);
    let answer = server.put_manifest("shop", &user, "signed", &first).await.expect(201);
    assert_eq!(answer.header("oci-subject"), subject.to_string());
    let count = async || {
        let answer = Answer::of(server.oci(Method::GET, &format!("shop/referrers/{subject}"), &user)).await.expect(200);
        answer.json()["manifests"].as_array().unwrap().len()
    };
    assert_eq!(count().await, 1);
    server.push_image("shop", &user, "v1", 1).await;
    Answer::of(server.oci(Method::DELETE, &format!("shop/manifests/{subject}"), &user)).await.expect(202);
    assert_eq!(count().await, 1);
    let digest = sha256(first.to_string().as_bytes());
    Answer::of(server.oci(Method::DELETE, &format!("shop/manifests/{digest}"), &user)).await.expect(202);
    assert_eq!(count().await, 0);
    Answer::of(server.oci(Method::GET, "shop/manifests/signed", &user)).await.expect_error(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn a_client_that_knows_no_referrers_keeps_them_under_a_tag() {
    let (server, user) = shop().await;
    let (manifest, subject) = server.push_image("shop", &user, "v1", 1).await;
    server.push_blob("shop", &user, b"{}").await;
    let signature = signature(&manifest, 1, 1);
    let digest = sha256(signature.to_string().as_bytes());
    server.put_manifest("shop", &user, &digest.to_string(), &signature).await.expect(201);
    let entry = descriptor(OCI_MANIFEST, signature.to_string().as_bytes());
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry] });
    let tag = subject.to_string().replace(':', "-");
    server.put_manifest("shop", &user, &tag, &index).await.expect(201);
    assert_eq!(Answer::of(server.oci(Method::GET, &format!("shop/manifests/{tag}"), &user)).await.expect(200).json(), index);
    let list = Answer::of(server.oci(Method::GET, &format!("shop/referrers/{subject}"), &user)).await.expect(200);
    assert_eq!(list.json()["manifests"].as_array().unwrap().len(), 1, "the index refers to nothing as its subject");
}

#[tokio::test]
async fn the_algorithm_of_an_upload_may_be_announced() {
    let (server, user) = shop().await;
    let content = bytes(70_000, 1);
    for (announced, used) in [("sha512", Algorithm::Sha512), ("sha256", Algorithm::Sha512), ("sha512", Algorithm::Sha256)] {
        let path = format!("shop/blobs/uploads/?digest-algorithm={announced}");
        let upload = Answer::of(server.oci(Method::POST, &path, &user)).await.expect(202).header("location").to_owned();
        for (start, chunk) in [(0, &content[..30_000]), (30_000, &content[30_000..])] {
            let range = format!("{start}-{}", start + chunk.len() - 1);
            let request = server.oci(Method::PATCH, &upload, &user).header("content-range", range);
            Answer::of(request.body(chunk.to_vec())).await.expect(202);
        }
        let digest = digest_of(used, &content);
        let answer = Answer::of(server.oci(Method::PUT, &format!("{upload}?digest={digest}"), &user)).await.expect(201);
        assert_eq!(answer.header("docker-content-digest"), digest.to_string());
        assert_eq!(server.blob("shop", &user, &digest).await.expect(200).body, content);
    }
    let path = "shop/blobs/uploads/?digest-algorithm=md5";
    Answer::of(server.oci(Method::POST, path, &user)).await.expect_error(400, "DIGEST_INVALID");
}

#[tokio::test]
async fn a_blob_of_another_repository_is_found_without_its_name() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        server.project(&user, "bank", "private").await;
        let stranger = server.sign_up("Stranger").await;
        server.project(&stranger, "stall", "public").await;
        let digest = server.push_blob("bank/core", &user, b"secret").await;
        let mount = async |user, name: &str, digest| {
            Answer::of(server.oci(Method::POST, &format!("{name}/blobs/uploads/?mount={digest}"), user)).await
        };
        // Only where the caller may read it: to others it is as if it were nowhere.
        mount(&stranger, "stall", &digest).await.expect(202);
        server.blob("stall", &stranger, &digest).await.expect_error(404, "BLOB_UNKNOWN");
        let answer = mount(&user, "shop", &digest).await.expect(201);
        assert_eq!(answer.header("location"), format!("/v2/shop/blobs/{digest}"));
        assert_eq!(answer.header("docker-content-digest"), digest.to_string());
        assert_eq!(server.blob("shop", &user, &digest).await.expect(200).body, b"secret");
        // By now it is in a public project, from which everybody may read.
        mount(&stranger, "stall", &digest).await.expect(201);
        mount(&user, "shop", &sha256(b"nowhere")).await.expect(202);
    })
    .await;
}

#[tokio::test]
async fn parameters_that_make_no_sense_are_the_clients_fault() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        server.push_image("shop", &user, "v1", 1).await;
        for (path, code) in [
            ("shop/tags/list?n=-1", "UNSUPPORTED"),
            ("shop/tags/list?n=many", "UNSUPPORTED"),
            ("shop/tags/list?n=", "UNSUPPORTED"),
            ("shop/tags/list?last=%00", "UNSUPPORTED"),
            ("shop/referrers/sha256:12", "DIGEST_INVALID"),
            ("shop/manifests/sha256:baddigeststring", "DIGEST_INVALID"),
            ("shop/blobs/md5:d41d8cd98f00b204e9800998ecf8427e", "DIGEST_INVALID"),
        ] {
            Answer::of(server.oci(Method::GET, path, &user)).await.expect_error(400, code);
        }
        let digest = sha256(b"any");
        let path = format!("shop/referrers/{digest}?artifactType=%00");
        Answer::of(server.oci(Method::GET, &path, &user)).await.expect_error(400, "UNSUPPORTED");
        // More than there may be on a page is as much as there may be.
        Answer::of(server.oci(Method::GET, "shop/tags/list?n=99999999999999999999", &user)).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_possible_says_what_is() {
    let (server, user) = shop().await;
    let digest = sha256(b"any");
    for (method, path, allowed) in [
        (Method::DELETE, String::new(), "GET, HEAD"),
        (Method::POST, "_catalog".to_owned(), "GET, HEAD"),
        (Method::PUT, format!("shop/blobs/{digest}"), "GET, HEAD, DELETE"),
        (Method::GET, "shop/blobs/uploads/".to_owned(), "POST, PUT"),
        (Method::POST, format!("shop/blobs/uploads/{}", uuid::Uuid::new_v4()), "GET, HEAD, PATCH, PUT, DELETE"),
        (Method::PATCH, "shop/manifests/v1".to_owned(), "GET, HEAD, PUT, DELETE"),
        (Method::DELETE, "shop/tags/list".to_owned(), "GET, HEAD"),
        (Method::DELETE, format!("shop/referrers/{digest}"), "GET, HEAD"),
    ] {
        let answer = Answer::of(server.oci(method, &path, &user)).await.expect_error(405, "UNSUPPORTED");
        assert_eq!(answer.header("allow"), allowed, "{path}");
    }
}

#[tokio::test]
async fn names_are_bounded() {
    let (server, user) = shop().await;
    let name = |length: usize| format!("shop/{}", "a".repeat(length - 5));
    Answer::of(server.oci(Method::POST, &format!("{}/blobs/uploads/", name(255)), &user)).await.expect(202);
    let path = format!("{}/blobs/uploads/", name(256));
    Answer::of(server.oci(Method::POST, &path, &user)).await.expect_error(400, "NAME_INVALID");
    let (manifest, _) = server.push_image("shop", &user, "v1", 1).await;
    server.put_manifest("shop", &user, &"t".repeat(128), &manifest).await.expect(201);
    server.put_manifest("shop", &user, &"t".repeat(129), &manifest).await.expect_error(400, "TAG_INVALID");
}

#[tokio::test]
async fn credentials_without_anything_in_them_are_none() {
    let (server, user) = shop().await;
    server.push_image("shop", &user, "v1", 1).await;
    let request = server.client.get(format!("{}/v2/shop/manifests/v1", server.url)).basic_auth("", Some(""));
    Answer::of(request).await.expect(200);
}
