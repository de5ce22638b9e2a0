//! Why a witness does not sign: a closed list, each with its prefix and a sentence for the one who
//! is refused.
//!
//! A refusal is this witness's answer now; it may be another tomorrow. What is void for everyone
//! and for ever is in [`crate::reason`].

use ayni_protocol::{Amount, Malformed, Prefix, Rejection};

use crate::Money;

/// Why a witness does not sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The event does not have the shape of its kind.
    #[error("{0}")]
    Misshapen(Malformed),
    /// The event is of another kind.
    #[error("this is not a transfer order")]
    NotAnOrder,
    /// The rules that it was signed under do not count here, or none of the currency.
    #[error("the rules of this currency have not arrived here yet; try again later")]
    RulesUnknown,
    /// It was signed under rules that are not in force.
    #[error("the rules of this currency have changed; sign the payment again under the new ones")]
    RulesChanged,
    /// Its `h` tag names another community than the rules do.
    #[error("the payment names another community in its h tag")]
    OtherCommunity,
    /// Its amounts have other decimals than the currency.
    #[error("amounts in this currency have exactly {0} decimals")]
    WrongDecimals(u8),
    /// The account that pays was never opened.
    #[error("you have no account in this currency yet; ask a steward to open one")]
    NoAccount,
    /// The key is no signer of the account that pays.
    #[error("this key may not sign for the account that pays")]
    MayNotSign,
    /// The account that pays is closed.
    #[error("your account is closed")]
    AccountClosed,
    /// The account that pays is suspended.
    #[error("your account is suspended and can only receive; ask a steward why")]
    AccountSuspended,
    /// Somebody proved that the account signed twice for one number.
    #[error(
        "two different payments were signed for one place of your account, so it is \
         suspended until a steward clears it"
    )]
    AccountForked,
    /// The account's policy does not let it pay.
    #[error("your account may not pay")]
    MayNotPay,
    /// No decided raffle prescribes this order.
    #[error("an escrow account pays only what the decided result of a raffle prescribes")]
    NotPrescribed,
    /// The prescribed payout was made.
    #[error("this payout was made already")]
    PaidOut,
    /// Another order of this number waits for its certificate.
    #[error("another payment of yours is already pending at this place; wait for it")]
    PlaceTaken,
    /// An order of a lower number is missing.
    #[error("your payment number {next} has not arrived here yet")]
    OrderGap {
        /// The number that is next.
        next: u64,
    },
    /// The number was used.
    #[error("payment number {seq} was made already; the next is {next}")]
    NumberUsed {
        /// The order's number.
        seq: u64,
        /// The number that is next.
        next: u64,
    },
    /// The order names another one before it than the account's last.
    #[error("the payment does not name your last one as the one before it")]
    WrongPrevious,
    /// An account that is paid was never opened.
    #[error("whoever you pay has no account in this currency yet")]
    NoPayee,
    /// An account that is paid is closed, or its policy does not let it receive.
    #[error("the account you pay to is closed or may not receive")]
    MayNotReceive,
    /// The legs are not the levy formula's.
    #[error("the parts of the payment are not what the currency's levies make of its price")]
    WrongLevies,
    /// The payee would hold more than it may.
    #[error("with this payment the other account would hold {after}, more than the {max} it may")]
    AboveMaximum {
        /// What it would hold.
        after: Money,
        /// What it may.
        max: Money,
    },
    /// The payer lacks a flag that so large a payment needs.
    #[error("payments above {most} need your account to be verified ({flag})")]
    PayerUnverified {
        /// The most without the flag.
        most: Money,
        /// The flag.
        flag: String,
    },
    /// An account that is paid lacks a flag that so large a payment needs.
    #[error("payments above {most} need the other account to be verified ({flag})")]
    PayeeUnverified {
        /// The most without the flag.
        most: Money,
        /// The flag.
        flag: String,
    },
    /// The payer would owe more than it may.
    #[error("you have {left} left to spend; this payment of {total} would pass your limit")]
    BeyondLimit {
        /// What is left.
        left: Money,
        /// What would be paid.
        total: Money,
    },
    /// The order's `until` has passed.
    #[error("the payment was only good until an earlier time")]
    OrderExpired,
    /// The request that it answers is not known.
    #[error("the payment request has not arrived here yet")]
    RequestUnknown,
    /// The request is addressed to another payer.
    #[error("the payment request is addressed to somebody else")]
    RequestForAnother,
    /// The request was made by another payee.
    #[error("the payment request was made by somebody else")]
    RequestByAnother,
    /// The payee withdrew the request.
    #[error("the payment request was cancelled")]
    RequestCancelled,
    /// The payer declined the request.
    #[error("you declined this payment request")]
    RequestDeclined,
    /// The request's time has passed.
    #[error("the payment request has expired")]
    RequestExpired,
    /// The request was paid.
    #[error("the payment request was paid already")]
    RequestPaid,
    /// The request is over another price.
    #[error("the payment request is over {asked}, not {paid}")]
    RequestPrice {
        /// The price asked.
        asked: Amount,
        /// The price of the order.
        paid: Money,
    },
    /// The order that it refunds is none of the payee's to the payer.
    #[error("there is no such payment from them to give back")]
    NothingToRefund,
    /// All refunds together would give back more than was paid.
    #[error("of that payment {left} are left to give back")]
    RefundTooLarge {
        /// What is left to give back.
        left: Money,
    },
    /// A hold names no quote that is known.
    #[error("the quote that this payment follows has not arrived here yet")]
    QuoteUnknown,
    /// The hold is not what the quote says.
    #[error("the payment is not what its quote says; ask for a new one")]
    QuoteDiffers,
    /// The quote's time has passed.
    #[error("the quote has expired; ask for a new one")]
    QuoteExpired,
    /// The community has no agreement on trade with that currency through that account.
    #[error("there is no agreement on trade between these currencies through that account")]
    NoAgreement,
    /// The quote's price is not the agreement's.
    #[error("the quote asks {asked}, and by the agreement it is {price}")]
    RateDiffers {
        /// The price of the quote.
        asked: Money,
        /// The price by the agreement.
        price: Money,
    },
    /// The place that decides was used.
    #[error("the place that this payment waits for was used meanwhile; ask for a new quote")]
    SlotUsed,
    /// The hold that an order commits is not known, or does not count.
    #[error("the payment that this one completes is not certified here yet")]
    HoldUnknown,
    /// The order is not what the hold and its quote say.
    #[error("the payment is not what the one that it completes says")]
    CommitDiffers,
    /// Trade would take the clearing account below what the agreement lends.
    #[error(
        "trade with that currency has {left} left; this payment of {total} would pass its limit"
    )]
    BeyondTrade {
        /// What is left.
        left: Money,
        /// What would be paid.
        total: Money,
    },
    /// The witnesses of earlier rules have not closed, or what they attested is not here.
    #[error(
        "the witnesses of the rules before have not handed over yet; the payment waits for them"
    )]
    RulesNotOpened,
    /// An order of earlier rules may still be certified at this number.
    #[error(
        "a payment that you signed under the earlier rules is still under way at this number; \
         it goes first"
    )]
    EarlierFirst,
    /// Several orders of earlier rules may still be certified at this number.
    #[error(
        "two payments were signed for this number under the earlier rules and either may still \
         be certified; ask a steward"
    )]
    PlaceFrozen,
    /// The account's home witness comes first.
    #[error("your home witness has not attested this payment yet")]
    HomeFirst,
    /// There is no such charge here.
    #[error("there is no such charge here")]
    ChargeUnknown,
    /// The charge needs more than witnesses.
    #[error("the charge is not approved, or one of its accounts is not open")]
    ChargeUnsound,
    /// Another charge of this number was attested.
    #[error("another charge with this number was attested")]
    ChargePlaceTaken,
    /// A charge of a lower number is missing.
    #[error("an earlier charge has not arrived here yet")]
    ChargeGap,
    /// The charge names another one before it than the last.
    #[error("the charge does not continue the chain of charges")]
    ChargeOutOfChain,
    /// Demurrage names no checkpoint.
    #[error("demurrage is worked out from a checkpoint, and the charge names none")]
    ChargeWithoutBasis,
    /// The checkpoint is not certified, or its lines are not known here.
    #[error(
        "the checkpoint that the charge rests on is not certified, or not the newest known here"
    )]
    ChargeBasisUnknown,
    /// The charge is not what rules and checkpoint give.
    #[error("the charge is not what the rules make of its checkpoint")]
    ChargeBasisDiffers,
    /// The same was charged for the same checkpoint.
    #[error("these accounts were charged for this checkpoint already")]
    ChargedTwice,
}

impl Refusal {
    /// Whether it passes by itself: the order may be stored, and is attested when it may be.
    #[must_use]
    pub const fn passes(&self) -> bool {
        matches!(self, Self::HomeFirst | Self::RulesNotOpened)
    }

    /// What programs act on.
    #[must_use]
    pub const fn prefix(&self) -> Prefix {
        match self {
            Self::Misshapen(Malformed::AmountNotCanonical(_)) | Self::WrongDecimals(_) => {
                Prefix::Amount
            }
            Self::Misshapen(_) | Self::NotAnOrder | Self::OtherCommunity | Self::OrderExpired => {
                Prefix::Invalid
            }
            Self::RulesChanged => Prefix::Epoch,
            Self::MayNotSign => Prefix::Restricted,
            Self::NoAccount
            | Self::AccountClosed
            | Self::AccountSuspended
            | Self::AccountForked
            | Self::MayNotPay
            | Self::NotPrescribed
            | Self::PaidOut
            | Self::NoPayee
            | Self::MayNotReceive
            | Self::PayerUnverified { .. }
            | Self::PayeeUnverified { .. }
            | Self::NoAgreement
            | Self::ChargeUnsound
            | Self::ChargeWithoutBasis
            | Self::ChargeBasisDiffers
            | Self::ChargedTwice => Prefix::Policy,
            Self::PlaceTaken | Self::EarlierFirst | Self::PlaceFrozen | Self::ChargePlaceTaken => {
                Prefix::Locked
            }
            Self::RulesUnknown
            | Self::OrderGap { .. }
            | Self::QuoteUnknown
            | Self::HoldUnknown
            | Self::HomeFirst
            | Self::RulesNotOpened
            | Self::ChargeUnknown
            | Self::ChargeBasisUnknown
            | Self::ChargeGap => Prefix::Missing,
            Self::NumberUsed { .. } | Self::WrongPrevious | Self::ChargeOutOfChain => Prefix::Seq,
            Self::WrongLevies => Prefix::Levy,
            Self::AboveMaximum { .. } | Self::BeyondLimit { .. } | Self::BeyondTrade { .. } => {
                Prefix::Limit
            }
            Self::RequestUnknown
            | Self::RequestForAnother
            | Self::RequestByAnother
            | Self::RequestCancelled
            | Self::RequestDeclined
            | Self::RequestExpired
            | Self::RequestPaid
            | Self::RequestPrice { .. }
            | Self::NothingToRefund
            | Self::RefundTooLarge { .. }
            | Self::QuoteDiffers
            | Self::QuoteExpired
            | Self::RateDiffers { .. }
            | Self::SlotUsed
            | Self::CommitDiffers => Prefix::Request,
        }
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.prefix(), refusal.to_string())
    }
}
