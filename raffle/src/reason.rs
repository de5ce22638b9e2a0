//! Why an entry of this part is void: a closed list, each with a test of its name.

use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident => $sentence:literal,)*) => {
        /// Why an entry is void.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// Every reason, in the order of this file.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// A stable word for programs.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// A sentence for people.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }
        }
    };
}

reasons! {
    /// The `h` tag names another community than the charter, or than the raffle.
    OtherCommunity => "it belongs to another community",
    /// `entropy` is `commit-reveal` or `ceremony`.
    EntropyNotSupported => "this version draws by a beacon only: set entropy to drand",
    /// The charter pins no beacon.
    NoBeacon => "the charter names no beacon to draw by",
    /// `draw` is not the first round after close, grace and the charter's seal window.
    WrongRound => "the draw round does not follow from close, grace and the seal window",
    /// `seq` and `prev` do not continue the organiser's raffles.
    WrongSequence => "its number does not continue the organiser's raffles",
    /// The raffle itself is void.
    RaffleVoid => "the raffle is void",
    /// A ticket of a raffle with a price names no order.
    OrderMissing => "the ticket names no payment",
    /// A ticket of a free raffle names an order.
    OrderNotExpected => "tickets of a free raffle name no payment",
    /// The order names another raffle as its purpose.
    OrderForAnother => "the payment was made for another raffle",
    /// The order is in another currency.
    WrongCurrency => "the payment is in another currency",
    /// The order pays nothing to the raffle's escrow account.
    WrongEscrow => "the payment did not go to the raffle's escrow account",
    /// The order's amount is not the price times the quantity.
    WrongAmount => "the payment is not the price of the ticket",
    /// Another ticket, of this or an earlier box, holds the order.
    OrderUsed => "the payment belongs to another ticket",
    /// The ticket would exceed what one person may hold.
    OverCap => "it would be more than one person may hold",
    /// The ticket would exceed what is for sale.
    SoldOut => "it would be more than is for sale",
    /// The decided box does not hold the ticket.
    NotInBox => "it is not on the decided ticket list",
    /// The raffle was called off.
    CalledOff => "the raffle was called off",
    /// Only the organiser may say this.
    NotTheOrganiser => "only the organiser may say this",
    /// The prize was won by someone else, or by nobody.
    NotTheWinner => "this prize was not won with a ticket of that key",
    /// The raffle has no prize of this number.
    NoSuchPrize => "the raffle has no such prize",
    /// A cancellation dated after the close.
    TooLate => "a raffle can be cancelled only until it closes",
    /// A published list or draw differs from the recomputed one.
    Differs => "it differs from what the decided tickets give",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}
