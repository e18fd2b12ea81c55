//! From an image's `User` to numbers, by the image's own account files. The rules are those of host execution. Pure; is
//! handed the files' bytes.

use bencher_init::control::GuestFailure;

/// Who the benchmark runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// All groups, `gid` first; no others where the group was named.
    pub(crate) additional_gids: Vec<u32>,
    pub(crate) home: String,
}

/// A line of `/etc/passwd`.
struct Passwd<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

/// A line of `/etc/group`.
struct Group<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

/// Resolves `name`, `uid`, `name:group`, `uid:gid` and the mixes of them; `None` is root.
///
/// A name wins over a number that looks like it. A number needs no entry: its group is then 0 and its home `/`.
pub(crate) fn resolve(user: Option<&str>, passwd: &[u8], group: &[u8]) -> Result<Account, GuestFailure> {
    let (passwd, group) = (String::from_utf8_lossy(passwd), String::from_utf8_lossy(group));
    let (user, group_name) = match user.unwrap_or("0").split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (user.unwrap_or("0"), None),
    };
    let user = if user.is_empty() { "0" } else { user };
    let number = user.parse::<u32>().ok();
    let entries = || passwd.lines().filter_map(passwd_line);
    let entry = entries().find(|entry| entry.name == user).or_else(|| entries().find(|entry| Some(entry.uid) == number));
    let (uid, primary) = match (&entry, number) {
        (Some(entry), _) => (entry.uid, entry.gid),
        (None, Some(uid)) => (uid, 0),
        (None, None) => return Err(GuestFailure::UnknownUser { user: user.to_owned() }),
    };
    let home = entry.as_ref().map(|entry| entry.home).filter(|home| home.starts_with('/')).unwrap_or("/").to_owned();
    let (gid, additional_gids) = match (group_name, &entry) {
        (Some(name), _) => (group_number(name, &group)?, Vec::new()),
        (None, Some(entry)) => (primary, memberships(entry.name, primary, &group)),
        (None, None) => (primary, Vec::new()),
    };
    // A process that drops its group must not gain the rights of having none: the group is a supplementary one too.
    let additional_gids = [vec![gid], additional_gids].concat();
    Ok(Account { uid, gid, additional_gids, home })
}

fn passwd_line(line: &str) -> Option<Passwd<'_>> {
    let mut fields = line.split(':');
    let (name, _password) = (fields.next()?, fields.next()?);
    let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let home = fields.nth(1).unwrap_or_default();
    Some(Passwd { name, uid, gid, home })
}

fn group_line(line: &str) -> Option<Group<'_>> {
    let mut fields = line.split(':');
    let (name, _password) = (fields.next()?, fields.next()?);
    let gid = fields.next()?.parse().ok()?;
    Some(Group { name, gid, members: fields.next().unwrap_or_default() })
}

fn group_number(name: &str, file: &str) -> Result<u32, GuestFailure> {
    let named = file.lines().filter_map(group_line).find(|group| group.name == name).map(|group| group.gid);
    named.or_else(|| name.parse().ok()).ok_or_else(|| GuestFailure::UnknownGroup { group: name.to_owned() })
}

fn memberships(user: &str, primary: u32, file: &str) -> Vec<u32> {
    let is_member = |group: &Group<'_>| group.members.split(',').any(|member| member.trim() == user);
    let mut gids: Vec<u32> = file.lines().filter_map(group_line).filter(is_member).map(|group| group.gid).collect();
    gids.retain(|gid| *gid != primary);
    gids.sort_unstable();
    gids.dedup();
    gids
}

#[cfg(test)]
mod tests;
