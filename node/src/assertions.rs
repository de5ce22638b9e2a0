//! The node publishes figures of reciprocity (NIP-85), signed with its own key: kind 30382 about
//! each member of its first currency who has a score, kind 30384 about each currency.
//!
//! A node speaks of currencies that it witnesses, and of none before anybody traded in it. Whoever
//! trusts this node may read them from any relay; whoever does not computes them from the
//! same events. Only what changed is signed anew, and nothing here decides about anything.

use std::time::Duration;

use anyhow::Result;
use ayni_market::{Community, Member, Ratio, Report, Share};
use ayni_protocol::{Draft, Event, Filter, Keys, Kind, PublicKey, Scale};
use tokio_util::sync::CancellationToken;

use crate::admission::Origin;
use crate::clock;
use crate::http::Shared;
use crate::http::views::market::{currencies, currency_of, report};

/// What a service says of a person (NIP-85).
pub const OF_PERSON: Kind = Kind(30_382);
/// What a service says of an addressable event: here, of a currency.
pub const OF_CURRENCY: Kind = Kind(30_384);

/// Publishes what changed, again and again, until the node stops.
pub async fn follow(shared: Shared, keys: Keys, stop: CancellationToken) {
    let mut every = clock::every(Duration::from_secs(shared.config.metrics.publish_secs));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        if let Err(error) = publish(&shared, &keys).await {
            tracing::warn!(error = format!("{error:#}"), "figures are not published");
        }
    }
}

async fn publish(shared: &Shared, keys: &Keys) -> Result<()> {
    let of = shared.clone();
    let drafts = tokio::task::spawn_blocking(move || drafts(&of)).await?;
    for draft in drafts {
        let (of, author) = (shared.clone(), keys.public());
        let (draft, last) = tokio::task::spawn_blocking(move || {
            let last = last(&of, author, &draft);
            (draft, last)
        })
        .await?;
        if last.as_ref().is_some_and(|last| last.tags == draft.tags) {
            continue;
        }
        // It must be later than the one it replaces.
        let at = clock::now().max(last.map_or(0, |last| last.created_at.saturating_add(1)));
        shared.backend.write(draft.sign(keys, at, clock::entropy()), Origin::Client).await?;
    }
    Ok(())
}

fn last(shared: &Shared, author: PublicKey, draft: &Draft) -> Option<Event> {
    let subject = draft.tags.named("d").next()?.value()?.to_owned();
    let filter = Filter {
        authors: Some([author].into()),
        kinds: Some([draft.kind].into()),
        tags: vec![(b'd', [subject].into())],
        ..Filter::default()
    };
    shared.backend.stored(&filter, 1).pop()
}

/// Everything there is to say now.
fn drafts(shared: &Shared) -> Vec<Draft> {
    let days = shared.config.metrics.window_days.max(1);
    let known = currencies(&shared.reading());
    let mut drafts = Vec::new();
    for (place, address) in known.iter().enumerate() {
        let Some(currency) = currency_of(shared, address) else { continue };
        let report = report(shared, &currency, days);
        if !currency.is_witnessed_by(&shared.node) || report.community.trades == 0 {
            continue;
        }
        let address = address.to_string();
        drafts.push(of_currency(&address, &report.community, currency.scale, days));
        if place == 0 {
            drafts.extend(of_members(&address, &report, currency.scale, days));
        }
    }
    drafts
}

/// One assertion about each member who has a score.
fn of_members(currency: &str, report: &Report, scale: Scale, days: u64) -> Vec<Draft> {
    let scored =
        report.members.iter().filter_map(|(key, member)| Some((key, member, member.score?)));
    let draft = |(key, member, score): (&PublicKey, &Member, i32)| {
        let mut draft = Draft::new(OF_PERSON)
            .tag(["d", &key.to_string()])
            .tag(["rank", &score.to_string()])
            .tag(["a", currency])
            .tag(["ayni", &score.to_string()])
            .tag(["earned", &scale.format(member.earned)])
            .tag(["spent", &scale.format(member.spent)])
            .tag(["partners", &member.partners.to_string()]);
        draft = ratio(draft, "effective_partners", member.effective_partners);
        draft = share(draft, "balance_index", member.balance_index);
        share(draft, "direct", member.direct).tag(["window_days", &days.to_string()])
    };
    scored.map(draft).collect()
}

fn of_currency(currency: &str, figures: &Community, scale: Scale, days: u64) -> Draft {
    let mut draft = Draft::new(OF_CURRENCY).tag(["d", currency]).tag(["a", currency]);
    if let Some(chi) = figures.chi {
        draft = draft.tag(["rank", &chi.percent().to_string()]);
    }
    let shares = [
        ("chi", figures.chi),
        ("dyadic", figures.dyadic),
        ("cyclic", figures.cyclic),
        ("circulating", figures.circulating),
        ("gini_merit", figures.gini_merit),
        ("gini_turnover", figures.gini_turnover),
        ("stressed", figures.stressed),
        ("dormant", figures.dormant),
    ];
    draft = shares.into_iter().fold(draft, |draft, (name, of)| share(draft, name, of));
    ratio(draft, "velocity", figures.velocity)
        .tag(["volume", &scale.format(figures.volume)])
        .tag(["net_internal_debt", &scale.format(figures.net_internal_debt)])
        .tag(["accounts", &figures.accounts.to_string()])
        .tag(["active", &figures.active.to_string()])
        .tag(["window_days", &days.to_string()])
}

fn share(draft: Draft, name: &str, share: Option<Share>) -> Draft {
    match share {
        Some(share) => draft.tag([name, &share.to_string()]),
        None => draft,
    }
}

fn ratio(draft: Draft, name: &str, ratio: Option<Ratio>) -> Draft {
    match ratio {
        Some(ratio) => draft.tag([name, &ratio.to_string()]),
        None => draft,
    }
}
