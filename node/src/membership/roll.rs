//! The roll of members as the node publishes it (NIP-43), and what to publish when it changed.
//!
//! Pure. What was published last is read from the store, so that a change while the node was down
//! is announced like any other, and nothing is announced twice.

use std::collections::{BTreeMap, BTreeSet};

use ayni_protocol::{Draft, Event, Kind, PublicKey, Tag, Timestamp, kind};

use crate::management::Role;

/// Members with the roles they hold, and what the roles are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roll {
    /// Every member's roles.
    pub members: BTreeMap<PublicKey, BTreeSet<String>>,
    /// The roles by id.
    pub roles: BTreeMap<String, Role>,
}

/// What was published, and when last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// The roll; its members are nothing where no list was ever published.
    pub roll: Roll,
    /// Whether a list was.
    pub listed: bool,
    /// The latest `created_at` among what was published.
    pub latest: Timestamp,
}

impl Published {
    /// What lists and roles by one key say.
    pub fn read<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut published = Self::default();
        for event in events {
            published.latest = published.latest.max(event.created_at);
            if event.kind == kind::MEMBERS {
                published.listed = true;
                published.roll.members = members(event);
            } else if event.kind == kind::ROLE {
                let id = kind::identifier(event).to_owned();
                published.roll.roles.insert(id, role(event));
            }
        }
        published
    }

    /// What to publish so that the world knows the roll of now. Of a first list nothing is said
    /// member by member.
    #[must_use]
    pub fn changes(&self, now: &Roll, node: PublicKey) -> Vec<Draft> {
        let mut drafts = Vec::new();
        for (id, role) in &now.roles {
            if self.roll.roles.get(id) != Some(role) {
                drafts.push(role_draft(id, role));
            }
        }
        let gone = self.roll.roles.keys().filter(|id| !now.roles.contains_key(*id));
        drafts.extend(gone.map(|id| {
            let address = format!("{}:{node}:{id}", kind::ROLE);
            Draft::new(kind::DELETION).tag(["a", &address])
        }));
        if self.roll.members == now.members {
            return drafts;
        }
        if self.listed {
            let missing = |from: &Roll, key: &PublicKey| !from.members.contains_key(key);
            let added = now.members.keys().filter(|key| missing(&self.roll, key));
            let removed = self.roll.members.keys().filter(|key| missing(now, key));
            drafts.extend(added.map(|key| about(kind::MEMBER_ADDED, key)));
            drafts.extend(removed.map(|key| about(kind::MEMBER_REMOVED, key)));
        }
        drafts.push(list(now));
        drafts
    }
}

fn members(event: &Event) -> BTreeMap<PublicKey, BTreeSet<String>> {
    let member = |tag: Tag<'_>| {
        let roles = tag.values().skip(2).map(str::to_owned).collect();
        Some((tag.value()?.parse().ok()?, roles))
    };
    event.tags.named("member").filter_map(member).collect()
}

fn role(event: &Event) -> Role {
    let text = |name| event.tags.named(name).next().and_then(Tag::value).unwrap_or_default();
    Role {
        label: text("label").to_owned(),
        description: text("description").to_owned(),
        color: text("color").parse().ok(),
        order: text("order").parse().ok(),
    }
}

fn role_draft(id: &str, role: &Role) -> Draft {
    let draft = Draft::new(kind::ROLE).tag(["-"]).tag(["d", id]);
    let fields = [
        ("label", role.label.clone()),
        ("description", role.description.clone()),
        ("color", role.color.map(|hue| hue.to_string()).unwrap_or_default()),
        ("order", role.order.map(|order| order.to_string()).unwrap_or_default()),
    ];
    let given = fields.iter().filter(|(_, text)| !text.is_empty());
    given.fold(draft, |draft, (name, text)| draft.tag([*name, text.as_str()]))
}

fn about(kind: Kind, member: &PublicKey) -> Draft {
    Draft::new(kind).tag(["-"]).tag(["p", &member.to_string()])
}

fn list(roll: &Roll) -> Draft {
    let tag = |(key, roles): (&PublicKey, &BTreeSet<String>)| {
        let named = ["member".to_owned(), key.to_string()];
        named.into_iter().chain(roles.iter().cloned()).collect::<Vec<_>>()
    };
    let draft = Draft::new(kind::MEMBERS).tag(["-"]);
    roll.members.iter().map(tag).fold(draft, Draft::tag)
}

#[cfg(test)]
mod tests {
    use ayni_protocol::{Keys, VerifiedEvent};

    use super::*;

    fn key(byte: u8) -> PublicKey {
        PublicKey([byte; 32])
    }

    fn roll(members: &[(u8, &[&str])], roles: &[&str]) -> Roll {
        let held = |roles: &[&str]| roles.iter().map(|role| (*role).to_owned()).collect();
        let role = |id: &&str| {
            let role = Role { label: format!("the {id}"), color: Some(37), ..Role::default() };
            ((*id).to_owned(), role)
        };
        Roll {
            members: members.iter().map(|(byte, roles)| (key(*byte), held(roles))).collect(),
            roles: roles.iter().map(role).collect(),
        }
    }

    fn signed(drafts: Vec<Draft>, at: Timestamp) -> Vec<VerifiedEvent> {
        let keys = Keys::from_secret([9; 32]).unwrap();
        drafts.into_iter().map(|draft| draft.sign(&keys, at, [0; 32])).collect()
    }

    fn kinds(drafts: &[Draft]) -> Vec<u16> {
        drafts.iter().map(|draft| draft.kind.0).collect()
    }

    #[test]
    fn what_is_published_reads_as_what_it_was_made_from() {
        let now = roll(&[(1, &["cook", "baker"]), (2, &[])], &["cook", "baker"]);
        let drafts = Published::default().changes(&now, key(9));
        assert_eq!(kinds(&drafts), [33_534, 33_534, 13_534], "a first list names nobody twice");
        let events = signed(drafts, 50);
        assert!(events.iter().all(|event| event.is_protected()));
        let published = Published::read(events.iter().map(|event| &**event));
        assert_eq!(published, Published { roll: now.clone(), listed: true, latest: 50 });
        assert_eq!(published.changes(&now, key(9)), []);
    }

    #[test]
    fn each_change_is_announced_once() {
        let before = roll(&[(1, &["cook"]), (2, &[])], &["cook"]);
        let published = Published { roll: before, listed: true, latest: 50 };
        let now = roll(&[(1, &[]), (3, &[])], &[]);
        let drafts = published.changes(&now, key(9));
        assert_eq!(kinds(&drafts), [5, 8000, 8001, 13_534]);
        let said = signed(drafts, 51).iter().map(|e| e.json().to_owned()).collect::<String>();
        assert!(said.contains(&format!(r#"["a","33534:{}:cook"]"#, key(9))));
        assert!(said.contains(&format!(r#"["-"],["p","{}"]"#, key(3))));
        assert!(said.contains(&format!(r#"["member","{}"],["member","{}"]"#, key(1), key(3))));
    }

    #[test]
    fn nothing_is_published_for_nobody() {
        assert_eq!(Published::default().changes(&Roll::default(), key(9)), []);
        let emptied = Published { roll: roll(&[(1, &[])], &[]), listed: true, latest: 1 };
        assert_eq!(kinds(&emptied.changes(&Roll::default(), key(9))), [8001, 13_534]);
    }
}
