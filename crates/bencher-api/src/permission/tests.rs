use bencher_types::{Email, UserUuid, wire::project::Visibility};

use super::{Permission, Role, Verdict, decide};
use crate::auth::{Principal, User};

fn somebody() -> Principal {
    let email = Email::new("somebody@example.com").unwrap();
    Principal::User(User { id: 1, uuid: UserUuid::random(), email, admin: false })
}

#[test]
fn everybody_may_view_a_public_project() {
    for principal in [Principal::Anonymous, somebody()] {
        assert_eq!(decide(&principal, None, Visibility::Public, Permission::View), Verdict::Allowed);
    }
}

#[test]
fn a_private_project_is_hidden_from_who_is_no_member() {
    for permission in Permission::ALL {
        for principal in [Principal::Anonymous, somebody()] {
            assert_eq!(decide(&principal, None, Visibility::Private, permission), Verdict::Hidden, "{permission:?}");
        }
    }
}

#[test]
fn changing_a_public_project_needs_a_login_and_then_a_role() {
    assert_eq!(decide(&Principal::Anonymous, None, Visibility::Public, Permission::Create), Verdict::LogIn);
    assert_eq!(decide(&somebody(), None, Visibility::Public, Permission::Create), Verdict::Denied);
    assert_eq!(decide(&somebody(), Some(Role::Viewer), Visibility::Public, Permission::Create), Verdict::Denied);
    assert_eq!(decide(&somebody(), Some(Role::Developer), Visibility::Private, Permission::Create), Verdict::Allowed);
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
    let Principal::User(user) = somebody() else { unreachable!() };
    let admin = Principal::User(User { admin: true, ..user });
    for permission in Permission::ALL {
        assert_eq!(decide(&admin, None, Visibility::Private, permission), Verdict::Allowed);
    }
}

#[test]
fn every_role_is_read_back_from_its_name() {
    for role in Role::ALL {
        assert_eq!(role.as_str().parse(), Ok(role));
    }
}
