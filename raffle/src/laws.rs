//! The claims of this crate, by name. Each has a property test that cites it.

use ayni_protocol::laws::Law;
pub const ALL: &[Law] = &[];
