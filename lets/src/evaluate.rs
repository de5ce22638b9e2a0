//! Whether an entry counts, by what counted so far.
//!
//! Nothing here changes anything, and nothing looks at what merely is not so yet without naming
//! the key that fires when it becomes so.

use std::sync::Arc;

use ayni_protocol::{Address, EventId, Number, Premise, PublicKey, Ruling, Scale};
use ayni_witness::acts::Standing;

use crate::account::Raise;
use crate::attestation::{About, Attestation, Statement};
use crate::book::{Book, Epoch};
use crate::entry::{Body, Entry};
use crate::fork::Case;
use crate::known;
use crate::ledger::{Key, Ledger};
use crate::request::Answer;
use crate::{
    Agreement, Charge, Currency, Decline, Fraud, Order, Policy, Quote, Rating, Reason, Repeat,
    Resolution, Rules,
};

/// Why an entry does not count, or not yet.
#[derive(Debug, Clone)]
pub struct Held {
    /// What is said of it meanwhile.
    pub ruling: Ruling<Reason>,
    /// What would change that; nothing, where it is the last word.
    pub keys: Vec<Key>,
    /// It lacks nothing but the signatures of witnesses.
    pub sound: bool,
}

fn void(reason: Reason) -> Held {
    Held { ruling: Ruling::Void(reason), keys: Vec::new(), sound: false }
}

fn waits(premise: Premise, keys: impl IntoIterator<Item = Key>) -> Held {
    let keys = keys.into_iter().collect();
    Held { ruling: Ruling::Waiting(premise), keys, sound: false }
}

/// It is looked at again with each statement of a witness about it.
fn unsigned() -> Held {
    Held { ruling: Ruling::Waiting(Premise::Attestations), keys: Vec::new(), sound: true }
}

type Counts = Result<(), Held>;

impl Ledger {
    pub(crate) fn evaluate(&self, number: Number, entry: &Entry) -> Counts {
        match &entry.body {
            Body::Currency(currency) => self.weigh_currency(entry, currency),
            Body::Rules(rules) => self.weigh_rules(entry, rules),
            Body::Policy(policy) => self.weigh_policy(entry, policy),
            Body::Order(order) => self.weigh_order(number, entry, order),
            Body::Attestation(Attestation::Approve { .. }) => Ok(()),
            Body::Attestation(Attestation::State(statement)) => {
                self.weigh_statement(entry, statement)
            }
            Body::Request(request) => {
                self.book_for(entry, &request.currency, request.amount.map(|a| a.scale))?;
                self.authorised(&request.currency, entry)
            }
            Body::Ask(ask) => {
                self.book_for(entry, &ask.currency, None)?;
                self.authorised(&ask.currency, entry)
            }
            Body::Quote(quote) => self.weigh_quote(entry, quote),
            Body::Agreement(agreement) => self.weigh_agreement(entry, agreement),
            Body::Resolution(resolution) => self.weigh_resolution(entry, resolution),
            Body::Decline(decline) => self.weigh_decline(entry, decline),
            Body::Charge(charge) => self.weigh_charge(number, entry, charge),
            Body::Checkpoint(checkpoint) => {
                self.book_for(entry, &checkpoint.currency, None)?;
                self.witness_of(&checkpoint.currency, &entry.author)
            }
            Body::Fraud(fraud) => self.weigh_fraud(entry, fraud),
            Body::Rating(rating) => self.weigh_rating(entry, rating),
        }
    }

    fn weigh_currency(&self, entry: &Entry, currency: &Currency) -> Counts {
        if self.community_key(entry.community)? != entry.author {
            return Err(void(Reason::NotAllowed));
        }
        let address = currency.address(&entry.author);
        match self.books.get(&address).filter(|book| !book.epochs.is_empty()) {
            None => Err(waits(Premise::Earlier, [Key::Rules(address)])),
            Some(book) if book.has_scale(currency.scale) => Ok(()),
            Some(_) => Err(Held { keys: vec![Key::Rules(address)], ..void(Reason::ScaleChanged) }),
        }
    }

    fn weigh_rules(&self, entry: &Entry, rules: &Rules) -> Counts {
        let Some(charter) = self.charters.get(&rules.charter) else {
            return Err(waits(Premise::Event(rules.charter), [Key::Charter(rules.charter)]));
        };
        if charter.community != entry.community || charter.community_key != rules.currency.author {
            return Err(void(Reason::Foreign));
        }
        self.stands(entry, false)?;
        let Some(previous) = rules.previous else { return Ok(()) };
        let (_, before) = self.epoch(previous, &rules.currency, entry.community)?;
        if before.rules.epoch.checked_add(1) != Some(rules.epoch) {
            return Err(void(Reason::BrokenChain));
        }
        if before.rules.scale == rules.scale { Ok(()) } else { Err(void(Reason::ScaleChanged)) }
    }

    fn weigh_policy(&self, entry: &Entry, policy: &Policy) -> Counts {
        let book = self.book_for(entry, &policy.currency, policy.limit.map(|a| a.scale))?;
        self.book_for(entry, &policy.currency, policy.max.map(|a| a.scale))?;
        let before = match policy.previous {
            None => None,
            Some(id) => {
                let Body::Policy(before) = &self.counted(id)?.body else {
                    return Err(void(Reason::WrongTarget));
                };
                if before.currency != policy.currency || before.account != policy.account {
                    return Err(void(Reason::Foreign));
                }
                if before.version.checked_add(1) != Some(policy.version) {
                    return Err(void(Reason::BrokenChain));
                }
                Some(&**before)
            }
        };
        match policy.raises(before, &book.defaults) {
            Raise::Yes => self.stands(entry, true),
            Raise::No => self.stands(entry, false),
            Raise::NotYet => self.stands(entry, false).map_err(|held| {
                let more = Key::Rules(policy.currency.clone());
                waits(Premise::Approval, held.keys.into_iter().chain([more]))
            }),
        }
    }

    fn weigh_order(&self, number: Number, entry: &Entry, order: &Order) -> Counts {
        let (book, epoch) = self.epoch(order.epoch, &order.currency, entry.community)?;
        if !order.is_void() && order.scale != epoch.rules.scale {
            return Err(void(Reason::AmountNotCanonical));
        }
        signer(Some(book), &order.currency, entry.speaker(), entry.author)?;
        for leg in &order.legs {
            opened(Some(book), &order.currency, leg.account)?;
        }
        if self.is_certified_in(book, number) { Ok(()) } else { Err(unsigned()) }
    }

    /// Whether enough witnesses signed for an order or charge that lacks nothing else.
    pub(crate) fn weigh_signatures(&self, number: Number, entry: &Entry) -> Counts {
        let currency = match &entry.body {
            Body::Order(order) => &order.currency,
            Body::Charge(charge) => &charge.currency,
            _ => return Err(unsigned()),
        };
        let book = self.books.get(currency).filter(|book| self.is_certified_in(book, number));
        book.map(|_| ()).ok_or_else(unsigned)
    }

    /// The rules that a statement is made under, if its author is a witness of theirs.
    pub(crate) fn stated_under(
        &self,
        entry: &Entry,
        statement: &Statement,
    ) -> Result<&Epoch, Held> {
        let (_, epoch) = self.epoch(statement.epoch, &statement.currency, entry.community)?;
        if epoch.charter.is_witness(&entry.author) {
            Ok(epoch)
        } else {
            Err(void(Reason::NotAWitness))
        }
    }

    fn weigh_statement(&self, entry: &Entry, statement: &Statement) -> Counts {
        self.stated_under(entry, statement)?;
        let (About::Policy(id) | About::Charge(id)) = &statement.about else { return Ok(()) };
        let target = self.present(*id)?;
        match (&statement.about, &target.body) {
            (About::Policy(_), Body::Policy(_)) | (About::Charge(_), Body::Charge(_)) => {
                let same = target.currency().as_ref() == Some(&statement.currency)
                    && target.community == entry.community;
                if same { Ok(()) } else { Err(void(Reason::Foreign)) }
            }
            _ => Err(void(Reason::WrongTarget)),
        }
    }

    /// Whether what a witness says of one order, under these rules, counts.
    pub(crate) fn weigh_repeat(
        &self,
        statement: &Statement,
        repeat: &Repeat,
        epoch: &Epoch,
    ) -> Counts {
        let target = self.present(repeat.order)?;
        let Body::Order(order) = &target.body else { return Err(void(Reason::WrongTarget)) };
        if order.epoch != statement.epoch {
            let (_, own) = self.epoch(order.epoch, &order.currency, target.community)?;
            if own.rules.epoch >= epoch.rules.epoch {
                return Err(void(Reason::DiffersFromOrder));
            }
        }
        if order.currency != statement.currency || target.community != epoch.community {
            return Err(void(Reason::Foreign));
        }
        if !repeat.is_of(target, order) {
            return Err(void(Reason::DiffersFromOrder));
        }
        if !order.is_void() && order.scale != epoch.rules.scale {
            return Err(void(Reason::AmountNotCanonical));
        }
        Ok(())
    }

    fn weigh_quote(&self, entry: &Entry, quote: &Quote) -> Counts {
        self.book_for(entry, &quote.currency, Some(quote.amount.scale))?;
        self.signer(&quote.currency, quote.slot.account, entry.author)
    }

    fn weigh_agreement(&self, entry: &Entry, agreement: &Agreement) -> Counts {
        let community_key = self.community_key(entry.community)?;
        if community_key != entry.author || agreement.currency.author != entry.author {
            return Err(void(Reason::NotAllowed));
        }
        self.book_for(entry, &agreement.currency, Some(agreement.limit.scale)).map(|_| ())
    }

    fn weigh_resolution(&self, entry: &Entry, resolution: &Resolution) -> Counts {
        let target = self.counted(resolution.hold)?;
        let Body::Order(order) = &target.body else { return Err(void(Reason::WrongTarget)) };
        let Some(slot) = &order.extra().hold else { return Err(void(Reason::WrongTarget)) };
        if order.currency != resolution.currency || target.community != entry.community {
            return Err(void(Reason::Foreign));
        }
        if *slot != resolution.slot {
            return Err(void(Reason::WrongSlot));
        }
        let (_, epoch) = self.epoch(resolution.epoch, &slot.currency, resolution.community)?;
        let signed = resolution.witnesses.iter().filter(|key| epoch.charter.is_witness(key));
        if signed.count() < epoch.charter.quorum {
            return Err(void(Reason::NotCertified));
        }
        Ok(())
    }

    fn weigh_decline(&self, entry: &Entry, decline: &Decline) -> Counts {
        let target = self.counted(decline.request)?;
        let Body::Request(request) = &target.body else {
            return Err(void(Reason::WrongTarget));
        };
        if request.currency != decline.currency || target.community != entry.community {
            return Err(void(Reason::Foreign));
        }
        let party = match decline.answer {
            Answer::Declined => request.payer,
            Answer::Cancelled => Some(target.speaker()),
        };
        if party != Some(entry.speaker()) {
            return Err(void(Reason::NotAParty));
        }
        self.authorised(&decline.currency, entry)
    }

    fn weigh_charge(&self, number: Number, entry: &Entry, charge: &Charge) -> Counts {
        self.book_for(entry, &charge.currency, Some(charge.scale))?;
        if entry.author != charge.currency.author {
            return Err(void(Reason::NotAllowed));
        }
        self.stands(entry, false)?;
        for (account, _) in charge.debits.iter().chain(&charge.credits) {
            opened(self.books.get(&charge.currency), &charge.currency, *account)?;
        }
        self.weigh_signatures(number, entry)
    }

    fn weigh_fraud(&self, entry: &Entry, fraud: &Fraud) -> Counts {
        self.book_for(entry, &fraud.currency, None)?;
        let (whose, _) = fraud.place;
        match fraud.case {
            Case::Order => fraud
                .authors
                .iter()
                .try_for_each(|author| self.signer(&fraud.currency, whose, *author)),
            Case::Attest | Case::Log | Case::Vote => self.witness_of(&fraud.currency, &whose),
            Case::Policy | Case::Rules | Case::Charge => {
                let official = |author: &PublicKey| {
                    *author == fraud.currency.author
                        || self.acts.is_steward(author, entry.community)
                };
                if fraud.authors.iter().all(official) {
                    Ok(())
                } else {
                    Err(waits(Premise::Approval, [Key::Community(entry.community)]))
                }
            }
        }
    }

    fn weigh_rating(&self, entry: &Entry, rating: &Rating) -> Counts {
        let target = self.counted(rating.order)?;
        let Body::Order(order) = &target.body else {
            return Err(void(Reason::WrongTarget));
        };
        if target.community != entry.community {
            return Err(void(Reason::Foreign));
        }
        let parties = [Some(target.speaker()), order.payee().copied()];
        let pair = [Some(entry.speaker()), Some(rating.about)];
        if parties != pair && parties != [pair[1], pair[0]] {
            return Err(void(Reason::NotAParty));
        }
        self.authorised(&order.currency, entry)
    }

    /// The book of a currency that this community keeps and whose amounts are written so.
    fn book_for(
        &self,
        entry: &Entry,
        currency: &Address,
        scale: Option<Scale>,
    ) -> Result<&Book, Held> {
        let keys = || vec![Key::Rules(currency.clone())];
        let Some(book) = self.books.get(currency).filter(|book| !book.epochs.is_empty()) else {
            return Err(waits(Premise::Earlier, keys()));
        };
        if !book.is_of(entry.community) {
            return Err(Held { keys: keys(), ..void(Reason::Foreign) });
        }
        if scale.is_some_and(|scale| !book.has_scale(scale)) {
            return Err(Held { keys: keys(), ..void(Reason::AmountNotCanonical) });
        }
        Ok(book)
    }

    /// Rules that count, of this currency and community, and the currency's book.
    fn epoch(
        &self,
        id: EventId,
        currency: &Address,
        community: EventId,
    ) -> Result<(&Book, &Arc<Epoch>), Held> {
        let found = self.books.get(currency).and_then(|book| Some((book, book.epoch(id)?)));
        if let Some((book, epoch)) = found {
            let own = epoch.community == community;
            return if own { Ok((book, epoch)) } else { Err(void(Reason::Foreign)) };
        }
        match self.present(id)?.body {
            Body::Rules(_) if self.is_counted(&id) => Err(void(Reason::Foreign)),
            Body::Rules(_) => Err(waits(Premise::Event(id), [Key::Counted(id)])),
            _ => Err(void(Reason::WrongTarget)),
        }
    }

    /// The event, once it came. Nothing of this part names an attestation but a log.
    fn present(&self, id: EventId) -> Result<&Entry, Held> {
        match self.known.entry(&id) {
            Some(entry) if matches!(entry.body, Body::Attestation(_)) => {
                Err(void(Reason::WrongTarget))
            }
            Some(entry) => Ok(entry),
            None if self.known.standing(&id) != known::Standing::Absent => {
                Err(void(Reason::WrongTarget))
            }
            None => Err(waits(Premise::Event(id), [Key::Present(id)])),
        }
    }

    /// The event, once it counts.
    fn counted(&self, id: EventId) -> Result<&Entry, Held> {
        let entry = self.present(id)?;
        if self.is_counted(&id) {
            Ok(entry)
        } else {
            Err(waits(Premise::Event(id), [Key::Counted(id)]))
        }
    }

    fn community_key(&self, community: EventId) -> Result<PublicKey, Held> {
        let unknown = || waits(Premise::Event(community), [Key::Community(community)]);
        self.acts.community_key(community).ok_or_else(unknown)
    }

    /// Whether an act of the community counts.
    fn stands(&self, entry: &Entry, everyday: bool) -> Counts {
        match self.acts.standing(entry.id, entry.author, entry.community, everyday) {
            Standing::Counts => Ok(()),
            Standing::Void => Err(void(Reason::NotAllowed)),
            Standing::Waiting(premise) => {
                Err(waits(premise, [Key::Act(entry.id), Key::Community(entry.community)]))
            }
        }
    }

    /// Whether the author may sign for the account that speaks.
    fn authorised(&self, currency: &Address, entry: &Entry) -> Counts {
        self.signer(currency, entry.speaker(), entry.author)
    }

    fn signer(&self, currency: &Address, account: PublicKey, key: PublicKey) -> Counts {
        signer(self.books.get(currency), currency, account, key)
    }

    fn witness_of(&self, currency: &Address, key: &PublicKey) -> Counts {
        if self.books.get(currency).is_some_and(|book| book.is_witness(key)) {
            Ok(())
        } else {
            Err(waits(Premise::Earlier, [Key::Rules(currency.clone())]))
        }
    }

    /// Whether enough distinct witnesses of any one epoch signed for an order, policy or charge. An
    /// order's own witnesses certify it, or those of later rules who carried it over.
    pub(crate) fn is_certified(&self, currency: &Address, target: &EventId) -> bool {
        let found = self.books.get(currency).zip(self.known.number(target));
        found.is_some_and(|(book, target)| self.is_certified_in(book, target))
    }

    fn is_certified_in(&self, book: &Book, target: Number) -> bool {
        self.known.is_signed_at(target)
            && book.epochs.values().any(|epoch| {
                let signers = self.known.signers_under(target, &epoch.id);
                signers >= epoch.charter.quorum
            })
    }

    /// One attestation of each witness of an epoch that signed for it, where they are enough.
    pub(crate) fn certificate(&self, currency: &Address, target: &EventId) -> Option<Vec<EventId>> {
        if !self.known.is_signed(target) {
            return None;
        }
        self.books.get(currency)?.epochs.values().find_map(|epoch| {
            let signed = self.known.signatures(target);
            let mut each: Vec<_> = signed.filter(|it| it.epoch == epoch.id).collect();
            each.dedup_by_key(|it| it.witness);
            let enough = each.len() >= epoch.charter.quorum;
            enough.then(|| each.into_iter().map(|it| it.attestation).collect())
        })
    }
}

/// Whether any counted policy let the key sign for the account. Readers go by any version, so that
/// nothing counted is uncounted when a key changes; the witness goes by the one in force.
fn signer(book: Option<&Book>, currency: &Address, account: PublicKey, key: PublicKey) -> Counts {
    let known = book.and_then(|book| book.account(&account));
    if known.is_some_and(|known| known.ever_let_sign(&account, &key)) {
        Ok(())
    } else {
        Err(waits(Premise::Earlier, [Key::Signer(currency.clone(), account, key)]))
    }
}

/// Whether the account has a counted policy.
fn opened(book: Option<&Book>, currency: &Address, account: PublicKey) -> Counts {
    if book.is_some_and(|book| book.account(&account).is_some()) {
        Ok(())
    } else {
        Err(waits(Premise::Earlier, [Key::Opened(currency.clone(), account)]))
    }
}
