//! Mutual credit: currencies, accounts, orders, certificates, the ledger
