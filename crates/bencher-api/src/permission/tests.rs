use bencher_types::{Email, ProjectKeyUuid, ProjectUuid, Slug, UserName, UserUuid, wire::project::Visibility};

use super::{Permission, Role, Standing, Verdict, decide};
use crate::auth::{KeyHolder, Principal, User};

const STRANGERS: [Standing; 3] = [Standing::Anonymous, Standing::Stranger, Standing::OtherKey];

#[test]
fn everybody_may_view_a_public_project() {
    for standing in STRANGERS {
        assert_eq!(decide(standing, Visibility::Public, Permission::View), Verdict::Allowed);
    }
}

#[test]
fn a_private_project_is_hidden_from_who_has_no_part_in_it() {
    for permission in Permission::ALL {
        for standing in STRANGERS {
            assert_eq!(decide(standing, Visibility::Private, permission), Verdict::Hidden, "{permission:?}");
        }
    }
}

#[test]
fn changing_a_public_project_needs_a_login_and_then_a_role() {
    assert_eq!(decide(Standing::Anonymous, Visibility::Public, Permission::Create), Verdict::LogIn);
    assert_eq!(decide(Standing::Stranger, Visibility::Public, Permission::Create), Verdict::Denied);
    assert_eq!(decide(Standing::Member(Role::Viewer), Visibility::Public, Permission::Create), Verdict::Denied);
    assert_eq!(decide(Standing::Member(Role::Developer), Visibility::Private, Permission::Create), Verdict::Allowed);
}

#[test]
fn a_key_does_in_its_project_what_a_ci_job_does_and_in_others_nothing() {
    for permission in Permission::ALL {
        let within = if Permission::OF_PROJECT_KEY.contains(&permission) { Verdict::Allowed } else { Verdict::Denied };
        for visibility in [Visibility::Public, Visibility::Private] {
            assert_eq!(decide(Standing::Key, visibility, permission), within, "{permission:?}");
        }
        let outside = if permission == Permission::View { Verdict::Allowed } else { Verdict::OtherProject };
        assert_eq!(decide(Standing::OtherKey, Visibility::Public, permission), outside, "{permission:?}");
    }
    // No more than a developer.
    assert!(Permission::OF_PROJECT_KEY.iter().all(|&permission| Role::Developer.may(permission)));
}

#[test]
fn a_key_is_for_its_own_project_only() {
    let holder = KeyHolder { key: ProjectKeyUuid::random(), project_id: 7, project: ProjectUuid::random() };
    let principal = Principal::ProjectKey(holder);
    assert_eq!(Standing::of(&principal, None, Some(7)), Standing::Key);
    assert_eq!(Standing::of(&principal, None, Some(8)), Standing::OtherKey);
    // An organization is no project, whatever the numbers of their rows.
    assert_eq!(Standing::of(&principal, None, None), Standing::OtherKey);
}

#[test]
fn only_a_leader_manages_and_gives_roles() {
    for permission in [Permission::Manage, Permission::Delete, Permission::CreateRole, Permission::EditRole] {
        assert!(Role::Leader.may(permission));
        assert!(!Role::Developer.may(permission) && !Role::Viewer.may(permission), "{permission:?}");
    }
}

#[test]
fn an_admin_of_the_server_may_do_everything() {
    let admin = Principal::User(User {
        id: 1,
        uuid: UserUuid::random(),
        name: UserName::new("Admin").unwrap(),
        slug: Slug::new("admin").unwrap(),
        email: Email::new("admin@example.com").unwrap(),
        admin: true,
    });
    let standing = Standing::of(&admin, None, Some(1));
    for permission in Permission::ALL {
        assert_eq!(decide(standing, Visibility::Private, permission), Verdict::Allowed);
    }
}

#[test]
fn every_role_is_read_back_from_its_name() {
    for role in Role::ALL {
        assert_eq!(role.as_str().parse(), Ok(role));
    }
}
