//! How two nodes come to hold the same events, without a socket in sight
