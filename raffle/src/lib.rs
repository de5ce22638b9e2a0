//! Raffles, tickets, draws, refunds; causes; country gates
