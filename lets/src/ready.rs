//! What a witness is ready to state, before it has a place in its log.
//!
//! Orders that come together are attested together: one signature, one event and one place in the
//! log for up to [`ORDERS_MAX`] of them. Each is judged by a book in which the others do not count
//! yet, and must be judged as if they did. They can only make room, where they pay whoever pays
//! next, with two exceptions ([`Ready::concerns`]): another order of the same payer, and one to a
//! payee who may hold only so much. And what was refused, or passes a limit that does not bind, is
//! judged again once they count ([`Ready::touches`]).

use ayni_protocol::{Address, Draft, EventId, PublicKey};

use crate::attestation::{About, Attestation, LEGS_MAX, Log, ORDERS_MAX, Statement};
use crate::book::Epoch;
use crate::entry::{Body, Entry};

/// A statement without its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// The community whose rules it is made under.
    pub community: EventId,
    /// The currency.
    pub currency: Address,
    /// The rules.
    pub epoch: EventId,
    /// What it states.
    pub about: About,
    /// Whether it says this and nothing else: others carry the statement about with them, as proof.
    pub alone: bool,
    /// Those paid who may hold only so much.
    pub filling: Vec<PublicKey>,
}

impl Epoch {
    /// A statement under these rules.
    pub(crate) fn ready(&self, about: About) -> Ready {
        Ready {
            community: self.community,
            currency: self.rules.currency.clone(),
            epoch: self.id,
            about,
            alone: false,
            filling: Vec::new(),
        }
    }
}

impl Ready {
    /// The draft of the statement at a place of the witness's log, to be signed.
    #[must_use]
    pub fn draft(self, log: Log) -> Draft {
        let Self { community, currency, epoch, about, .. } = self;
        let statement = Statement { currency, epoch, log, about };
        Body::from(Attestation::State(Box::new(statement))).draft(&community)
    }

    /// Whether an event may be judged wrongly while these orders do not count: anything that is not an
    /// order, an order that these could take the room of, and whatever follows one that stands alone.
    #[must_use]
    pub fn concerns(&self, entry: &Entry) -> bool {
        let (Body::Order(order), About::Orders(all)) = (&entry.body, &self.about) else {
            return true;
        };
        let payer = entry.speaker();
        self.alone
            || all.iter().any(|it| it.payer == payer)
            || order.payee().is_some_and(|payee| self.filling.contains(payee))
    }

    /// Whether an order that was refused could be taken once these count: they have an account in
    /// common.
    #[must_use]
    pub fn touches(&self, entry: &Entry) -> bool {
        let (Body::Order(order), About::Orders(all)) = (&entry.body, &self.about) else {
            return true;
        };
        let parties = [Some(entry.speaker()), order.payee().copied()];
        all.iter().any(|it| {
            let mut accounts = it.legs.iter().map(|leg| leg.account).chain([it.payer]);
            accounts.any(|account| parties.contains(&Some(account)))
        })
    }

    /// Whether some order passes its payer's limit. By how much is said, so what others pay that payer
    /// has to count first.
    #[must_use]
    pub fn passes_a_limit(&self) -> bool {
        matches!(&self.about, About::Orders(all) if all.iter().any(|it| it.over.is_some()))
    }

    /// Whether one statement can say both.
    #[must_use]
    pub fn goes_with(&self, other: &Self) -> bool {
        let (About::Orders(one), About::Orders(two)) = (&self.about, &other.about) else {
            return false;
        };
        let legs = one.iter().chain(two).map(|it| it.legs.len()).sum::<usize>();
        !self.alone
            && !other.alone
            && one.len() + two.len() <= ORDERS_MAX
            && legs <= LEGS_MAX
            && (self.epoch, self.community) == (other.epoch, other.community)
            && self.currency == other.currency
    }

    /// Says the other as well; see [`Self::goes_with`].
    pub fn join(&mut self, other: Self) {
        if let (About::Orders(all), About::Orders(more)) = (&mut self.about, other.about) {
            all.extend(more);
        }
        self.filling.extend(other.filling);
    }
}
